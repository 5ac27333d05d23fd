//! The workflow file as people draw it: any JSON object is a drawing, however wrong. Nothing is
//! lost on a round trip: keys that this version does not know stay where they were.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    graph::problems::{Problem, Severity},
    id::PortName,
    kind::Kind,
};

/// A workflow as drawn. Positions are apart from logic, in `layout`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drawing {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What a run may be given.
    pub inputs: Vec<InputSpec>,
    /// Steps and notes, in the order of the file.
    pub nodes: Vec<DrawnNode>,
    /// Connections, in the order of the file.
    pub edges: Vec<DrawnEdge>,
    /// Where things stand on the canvas.
    pub layout: Layout,
    /// Top-level keys that this version does not know.
    pub extra: Map<String, Value>,
}

/// One thing that a run may be given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InputSpec {
    /// Its name in `input.name`.
    pub name: String,
    /// `string` (also what a missing type means), `text`, `number`, `boolean` or `json`.
    #[serde(rename = "type")]
    pub holds: InputType,
    /// Whether a run without it (and without a default) is refused.
    pub required: bool,
    /// Used when a run does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What an input holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputType {
    /// One line of text.
    #[default]
    String,
    /// Several lines of text.
    Text,
    /// A number.
    Number,
    /// true or false.
    Boolean,
    /// Anything.
    Json,
}

/// A node as drawn: its name, what it is said to be, and its keys as they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DrawnNode {
    /// Should be a node id, may be anything.
    pub id: String,
    /// Should be the name of a kind, may be anything.
    pub kind: String,
    /// Everything else: title, own keys, common keys, unknown keys.
    pub keys: Map<String, Value>,
}

/// A connection as drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DrawnEdge {
    /// `node` or `node.port`.
    pub from: String,
    /// `node` or `node.port`.
    pub to: String,
    /// Shown on the line; empty for none.
    pub label: String,
    /// Keys that this version does not know.
    pub extra: Map<String, Value>,
}

/// Where things stand on the canvas, in canvas pixels, x to the right and y down.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// Top left corner of each node, and its size where it has one of its own (notes).
    pub nodes: BTreeMap<String, Place>,
    /// Keys that this version does not know, groups included.
    pub extra: Map<String, Value>,
}

/// Where one node stands: `[x, y]` or `[x, y, w, h]` in the file.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Place {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width and height, where the node has a size of its own.
    pub size: Option<(f64, f64)>,
}

/// One end of an edge, read from `node` or `node.port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End<'a> {
    /// The node.
    pub node: &'a str,
    /// The port; `None` where a bare node stands.
    pub port: Option<&'a str>,
}

impl<'a> End<'a> {
    /// Reads `node` or `node.port`. Node ids hold no dot, so the first dot parts them.
    pub fn read(raw: &'a str) -> Self {
        match raw.split_once('.') {
            Some((node, port)) => Self {
                node,
                port: Some(port),
            },
            None => Self {
                node: raw,
                port: None,
            },
        }
    }
}

impl DrawnNode {
    /// The kind, if this version knows it.
    pub fn known_kind(&self) -> Option<Kind> {
        Kind::parse(&self.kind)
    }

    /// What people call it: its title, or its id.
    pub fn title(&self) -> &str {
        match self.keys.get("title").and_then(Value::as_str) {
            Some(title) if !title.trim().is_empty() => title,
            Some(_) | None => &self.id,
        }
    }

    /// The text of a key; `None` when it is missing or no text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).and_then(Value::as_str)
    }

    /// Ports that go out of it; none for a kind that is unknown.
    pub fn ports_out(&self) -> Vec<String> {
        self.known_kind()
            .map(|kind| kind.ports_out(&self.keys))
            .unwrap_or_default()
    }

    /// Ports that come into it.
    pub fn ports_in(&self) -> &'static [&'static str] {
        self.known_kind().map(Kind::ports_in).unwrap_or_default()
    }
}

impl DrawnEdge {
    /// An edge between two ports, written the short way where that means the same.
    pub fn between(from: &str, port: &str, to: &str) -> Self {
        let from = if port == PortName::OUT {
            from.to_owned()
        } else {
            format!("{from}.{port}")
        };
        Self {
            from,
            to: to.to_owned(),
            ..Self::default()
        }
    }

    /// Where it starts.
    pub fn source(&self) -> (&str, &str) {
        let end = End::read(&self.from);
        (end.node, end.port.unwrap_or(PortName::OUT))
    }

    /// Where it ends.
    pub fn target(&self) -> (&str, &str) {
        let end = End::read(&self.to);
        (end.node, end.port.unwrap_or(PortName::IN))
    }

    /// Its name: `from.port->to.port`.
    pub fn id(&self) -> String {
        let ((from, out), (to, into)) = (self.source(), self.target());
        format!("{from}.{out}->{to}.{into}")
    }
}

impl Drawing {
    /// Reads the text of a workflow file. `Err` only where nothing can be shown: no JSON, or no
    /// object. Everything else becomes a drawing; what is wrong with it, `problems` says. Keys of
    /// the wrong type are kept where the type allows it and reported here otherwise.
    pub fn parse(text: &str) -> Result<(Self, Vec<Problem>), Problem> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Problem::file("bad_json", format!("This is no JSON: {error}.")))?;
        Self::from_value(value)
    }

    /// As `parse`, from a value.
    pub fn from_value(value: Value) -> Result<(Self, Vec<Problem>), Problem> {
        let Value::Object(mut file) = value else {
            return Err(Problem::file(
                "not_an_object",
                "A workflow file is a JSON object, this is something else.".into(),
            ));
        };
        let mut problems = Vec::new();
        match file.shift_remove("troupe") {
            Some(version) if version.as_u64() == Some(1) => {}
            Some(version) => problems.push(Problem::file(
                "unknown_version",
                format!("The file says \"troupe\": {version}; this version reads 1."),
            )),
            None => problems.push(Problem::file(
                "missing_version",
                "The file does not say \"troupe\": 1, so it may be no workflow file.".into(),
            )),
        }
        let name = take_text(&mut file, "name", &mut problems);
        let description = take_text(&mut file, "description", &mut problems);
        let mut inputs = Vec::new();
        for (at, item) in take_list(&mut file, "inputs", &mut problems)
            .into_iter()
            .enumerate()
        {
            match serde_json::from_value::<InputSpec>(item) {
                Ok(spec) => inputs.push(spec),
                Err(error) => problems.push(Problem::file(
                    "bad_input",
                    format!("Input {} cannot be read: {error}.", at + 1),
                )),
            }
        }
        let nodes = take_list(&mut file, "nodes", &mut problems)
            .into_iter()
            .enumerate()
            .filter_map(|(at, item)| read_node(at, item, &mut problems))
            .collect();
        let edges = take_list(&mut file, "edges", &mut problems)
            .into_iter()
            .enumerate()
            .filter_map(|(at, item)| read_edge(at, item, &mut problems))
            .collect();
        let layout = read_layout(file.shift_remove("layout"), &mut problems);
        Ok((
            Self {
                name,
                description,
                inputs,
                nodes,
                edges,
                layout,
                extra: file,
            },
            problems,
        ))
    }

    /// Reads the body of a map or a loop: the same form, without the number of its version.
    pub fn body(value: &Value) -> Result<(Self, Vec<Problem>), Problem> {
        let Value::Object(file) = value else {
            return Err(Problem::file(
                "wrong_type",
                "`body` must be a graph: an object with `nodes` and `edges`.".into(),
            ));
        };
        let mut file = file.clone();
        file.insert("troupe".into(), 1.into());
        Self::from_value(Value::Object(file))
    }

    /// The file as JSON, keys always in the same order.
    pub fn to_value(&self) -> Value {
        let mut file = Map::new();
        file.insert("troupe".into(), 1.into());
        file.insert("name".into(), self.name.clone().into());
        file.insert("description".into(), self.description.clone().into());
        file.insert(
            "inputs".into(),
            serde_json::to_value(&self.inputs).unwrap_or_default(),
        );
        file.insert("nodes".into(), self.nodes.iter().map(write_node).collect());
        file.insert("edges".into(), self.edges.iter().map(write_edge).collect());
        file.insert("layout".into(), write_layout(&self.layout));
        file.extend(self.extra.clone());
        Value::Object(file)
    }

    /// The file as people read it: two spaces of indent and a last line break.
    pub fn to_text(&self) -> String {
        format!("{:#}\n", self.to_value())
    }

    /// The node of this id (the first, where a broken drawing has several).
    pub fn node(&self, id: &str) -> Option<&DrawnNode> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

impl Serialize for Drawing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Drawing {
    /// Reads what `serialize` wrote. What is wrong with the graph is for `problems` to say; what cannot be
    /// read is refused here, or it would be lost when the rest is stored.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(value)
            .and_then(|(drawing, problems)| {
                let lost = |problem: &Problem| problem.severity == Severity::Error;
                match problems.into_iter().find(lost) {
                    Some(problem) => Err(problem),
                    None => Ok(drawing),
                }
            })
            .map_err(|problem| serde::de::Error::custom(problem.message))
    }
}

fn take_text(file: &mut Map<String, Value>, key: &str, problems: &mut Vec<Problem>) -> String {
    match file.shift_remove(key) {
        Some(Value::String(text)) => text,
        None | Some(Value::Null) => String::new(),
        Some(_) => {
            problems.push(Problem::file(
                "wrong_type",
                format!("`{key}` must be text."),
            ));
            String::new()
        }
    }
}

fn take_list(file: &mut Map<String, Value>, key: &str, problems: &mut Vec<Problem>) -> Vec<Value> {
    match file.shift_remove(key) {
        Some(Value::Array(items)) => items,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => {
            problems.push(Problem::file(
                "wrong_type",
                format!("`{key}` must be a list."),
            ));
            Vec::new()
        }
    }
}

fn read_node(at: usize, item: Value, problems: &mut Vec<Problem>) -> Option<DrawnNode> {
    let Value::Object(mut keys) = item else {
        problems.push(Problem::file(
            "wrong_type",
            format!("Node {} must be an object.", at + 1),
        ));
        return None;
    };
    let mut word = |key: &str| match keys.shift_remove(key) {
        Some(Value::String(text)) => text,
        None => {
            problems.push(Problem::file(
                "missing_key",
                format!("Node {} has no `{key}`.", at + 1),
            ));
            String::new()
        }
        Some(_) => {
            problems.push(Problem::file(
                "wrong_type",
                format!("`{key}` of node {} must be text.", at + 1),
            ));
            String::new()
        }
    };
    let (id, kind) = (word("id"), word("kind"));
    Some(DrawnNode { id, kind, keys })
}

fn read_edge(at: usize, item: Value, problems: &mut Vec<Problem>) -> Option<DrawnEdge> {
    let Value::Object(mut keys) = item else {
        problems.push(Problem::file(
            "wrong_type",
            format!("Edge {} must be an object.", at + 1),
        ));
        return None;
    };
    let mut word = |key: &str, required: bool| match keys.shift_remove(key) {
        Some(Value::String(text)) => text,
        None | Some(Value::Null) if !required => String::new(),
        Some(_) | None => {
            problems.push(Problem::file(
                "wrong_type",
                format!("`{key}` of edge {} must be text.", at + 1),
            ));
            String::new()
        }
    };
    let (from, to, label) = (word("from", true), word("to", true), word("label", false));
    Some(DrawnEdge {
        from,
        to,
        label,
        extra: keys,
    })
}

fn read_layout(value: Option<Value>, problems: &mut Vec<Problem>) -> Layout {
    let mut layout = Layout::default();
    let mut file = match value {
        Some(Value::Object(file)) => file,
        None | Some(Value::Null) => return layout,
        Some(_) => {
            problems.push(Problem::file(
                "wrong_type",
                "`layout` must be an object.".into(),
            ));
            return layout;
        }
    };
    let nodes = match file.shift_remove("nodes") {
        Some(Value::Object(nodes)) => nodes,
        None | Some(Value::Null) => Map::new(),
        Some(_) => {
            problems.push(Problem::file(
                "wrong_type",
                "`layout.nodes` must be an object.".into(),
            ));
            Map::new()
        }
    };
    for (id, place) in nodes {
        match read_place(&place) {
            Some(place) => {
                layout.nodes.insert(id, place);
            }
            None => problems.push(Problem::file(
                "bad_place",
                format!("The place of `{id}` must be [x, y] or [x, y, width, height]."),
            )),
        }
    }
    layout.extra = file;
    layout
}

/// The farthest that a coordinate may be from the origin; beyond it, floats lose whole pixels.
const FAR: f64 = 10_000_000.0;

fn read_place(value: &Value) -> Option<Place> {
    let numbers: Vec<f64> = value
        .as_array()?
        .iter()
        .map(Value::as_f64)
        .collect::<Option<_>>()?;
    if numbers
        .iter()
        .any(|number| !number.is_finite() || number.abs() > FAR)
    {
        return None;
    }
    match numbers[..] {
        [x, y] => Some(Place { x, y, size: None }),
        [x, y, w, h] if w > 0.0 && h > 0.0 => Some(Place {
            x,
            y,
            size: Some((w, h)),
        }),
        _ => None,
    }
}

fn write_node(node: &DrawnNode) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), node.id.clone().into());
    out.insert("kind".into(), node.kind.clone().into());
    let known = node.known_kind();
    let order = known.into_iter().flat_map(|kind| {
        let title = kind.common_keys().iter().filter(|key| key.name == "title");
        let rest = kind.common_keys().iter().filter(|key| key.name != "title");
        title.chain(kind.own_keys()).chain(rest)
    });
    for key in order {
        if let Some(value) = node.keys.get(key.name) {
            out.insert(key.name.into(), value.clone());
        }
    }
    for (key, value) in &node.keys {
        if !out.contains_key(key) {
            out.insert(key.clone(), value.clone());
        }
    }
    Value::Object(out)
}

fn write_edge(edge: &DrawnEdge) -> Value {
    let mut out = Map::new();
    out.insert("from".into(), edge.from.clone().into());
    out.insert("to".into(), edge.to.clone().into());
    if !edge.label.is_empty() {
        out.insert("label".into(), edge.label.clone().into());
    }
    out.extend(edge.extra.clone());
    Value::Object(out)
}

fn write_layout(layout: &Layout) -> Value {
    let nodes: Map<String, Value> = layout
        .nodes
        .iter()
        .map(|(id, place)| {
            let mut numbers = vec![plain(place.x), plain(place.y)];
            if let Some((w, h)) = place.size {
                numbers.extend([plain(w), plain(h)]);
            }
            (id.clone(), Value::Array(numbers))
        })
        .collect();
    let mut out = Map::new();
    out.insert("nodes".into(), Value::Object(nodes));
    out.extend(layout.extra.clone());
    Value::Object(out)
}

/// A coordinate as a plain number: whole where it is whole, else one digit after the point.
fn plain(number: f64) -> Value {
    let tenths = (number * 10.0).round() / 10.0;
    if tenths.fract() == 0.0 {
        Value::from(tenths as i64)
    } else {
        Value::from(tenths)
    }
}
