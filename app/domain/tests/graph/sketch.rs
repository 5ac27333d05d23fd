//! Drawings in a few words: `"plan -> good; good.true -> build; good branch"`.
//!
//! Statements are parted by `;` or line breaks. `a -> b` is an edge, and makes an agent of each
//! end that no statement names (write `!b` for an end that shall not be there). `a kind {json}`
//! is a node with these keys on top of the ones that its kind cannot do without; null takes one
//! away. `input name` and `input {json}` are inputs.

use domain::graph::{Drawing, DrawnEdge, DrawnNode, InputSpec};
use serde_json::{Map, Value, json};

/// The drawing that a sketch means.
pub fn sketch(text: &str) -> Drawing {
    let mut drawing = Drawing {
        name: "Sketch".into(),
        ..Drawing::default()
    };
    let mut ends: Vec<String> = Vec::new();
    for line in text
        .split(['\n', ';'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        if let Some(input) = line.strip_prefix("input ") {
            let spec = match serde_json::from_str(input) {
                Ok(value) => serde_json::from_value(value).expect("an input"),
                Err(_) => InputSpec {
                    name: input.into(),
                    ..InputSpec::default()
                },
            };
            drawing.inputs.push(spec);
        } else if let Some((from, to)) = line.split_once("->").filter(|_| !line.contains('{')) {
            let ends_here = [from.trim(), to.trim()];
            ends.extend(
                ends_here
                    .iter()
                    .filter(|end| !end.starts_with('!'))
                    .map(|end| node_of(end)),
            );
            let [from, to] = ends_here.map(|end| end.trim_start_matches('!').to_owned());
            drawing.edges.push(DrawnEdge {
                from,
                to,
                ..DrawnEdge::default()
            });
        } else {
            let (id, rest) = line.split_once(' ').unwrap_or((line, "agent"));
            let (kind, keys) = rest.split_once(' ').unwrap_or((rest, "{}"));
            let keys: Map<String, Value> = serde_json::from_str(keys).expect("keys in JSON");
            drawing.nodes.push(node(id, kind, keys));
        }
    }
    for id in ends {
        if drawing.node(&id).is_none() {
            drawing.nodes.push(node(&id, "agent", Map::new()));
        }
    }
    drawing
}

fn node_of(end: &str) -> String {
    end.split('.').next().unwrap_or_default().to_owned()
}

fn node(id: &str, kind: &str, given: Map<String, Value>) -> DrawnNode {
    let mut keys = match kind {
        "agent" => json!({"prompt": "Do it."}),
        "transform" => json!({"template": "x"}),
        "branch" if given.contains_key("cases") => json!({}),
        "branch" => json!({"condition": "true"}),
        "output" => json!({"value": "x"}),
        _ => json!({}),
    };
    let keys = keys.as_object_mut().expect("an object");
    for (key, value) in given {
        match value {
            Value::Null => drop(keys.shift_remove(&key)),
            value => drop(keys.insert(key, value)),
        }
    }
    DrawnNode {
        id: id.into(),
        kind: kind.into(),
        keys: keys.clone(),
    }
}
