//! What a person can do to a drawing. Each edit is turned into `Op`s against the drawing as it is, or
//! refused with a sentence that says why; what is applied can be taken back exactly.

mod plan;

use std::collections::BTreeMap;

use domain::{
    graph::{Drawing, InputSpec, drawing::Place},
    kind::Kind,
};
use serde_json::Value;

use self::plan::{
    add_node, connect, insert, only, places, remove, rename, set_key, set_label, set_meta,
};
use super::{clipboard::Fragment, geometry::Point, op::Op};

/// The start of a connection: a node and one of its ports that go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRef {
    /// The node.
    pub node: String,
    /// The port.
    pub port: String,
}

/// Something to be done to a drawing.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A new node, and a connection to or from it where one was begun.
    AddNode {
        /// What it is.
        kind: Kind,
        /// Its top left corner.
        at: Point,
        /// The port that a wire was drawn from.
        from: Option<PortRef>,
        /// The node that a wire was drawn from, backwards.
        to: Option<String>,
    },
    /// Nodes with everything attached to them, and edges.
    Remove {
        /// Ids of nodes.
        nodes: Vec<String>,
        /// Ids of edges.
        edges: Vec<String>,
    },
    /// New top left corners.
    Move(Vec<(String, Point)>),
    /// A new place and size (notes).
    Resize {
        /// Which node.
        node: String,
        /// Where and how large.
        place: Place,
    },
    /// A key of a node; `None` takes it away. Connections follow a renamed port.
    SetKey {
        /// Which node.
        node: String,
        /// Which key.
        key: String,
        /// What it shall hold.
        value: Option<Value>,
    },
    /// The same key for several nodes at once.
    SetKeys {
        /// Which nodes.
        nodes: Vec<String>,
        /// Which key.
        key: String,
        /// What it shall hold.
        value: Option<Value>,
    },
    /// A new id; edges, place and everything that reads the node follow.
    Rename {
        /// Which node.
        node: String,
        /// Its new id.
        to: String,
    },
    /// A new edge.
    Connect {
        /// Where it starts.
        from: PortRef,
        /// Where it ends.
        to: String,
    },
    /// The text on an edge.
    SetLabel {
        /// Id of the edge.
        edge: String,
        /// The text; empty for none.
        label: String,
    },
    /// The name of the workflow.
    SetName(String),
    /// What the workflow is for.
    SetDescription(String),
    /// What a run may be given.
    SetInputs(Vec<InputSpec>),
    /// Copied nodes, moved by this much.
    Paste {
        /// What was copied.
        fragment: Box<Fragment>,
        /// To the right.
        dx: f64,
        /// Down.
        dy: f64,
    },
    /// Everything where the layout puts it.
    Tidy(BTreeMap<String, (f64, f64)>),
    /// Another drawing altogether.
    Replace(Box<Drawing>),
}

/// An edit that can be applied.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// What is to be done, in order. Empty when nothing would change.
    pub ops: Vec<Op>,
    /// Ids of nodes that come into being.
    pub created: Vec<String>,
}

impl Edit {
    /// What it does, in the words of the undo button.
    pub fn label(&self) -> String {
        let nodes = |count: usize| {
            if count == 1 {
                "1 node".to_owned()
            } else {
                format!("{count} nodes")
            }
        };
        match self {
            Edit::AddNode { kind, .. } => format!("add {}", kind.label().to_lowercase()),
            Edit::Remove { nodes: gone, .. } if !gone.is_empty() => {
                format!("delete {}", nodes(gone.len()))
            }
            Edit::Remove { edges, .. } if edges.len() == 1 => "delete edge".into(),
            Edit::Remove { edges, .. } => format!("delete {} edges", edges.len()),
            Edit::Move(moved) => format!("move {}", nodes(moved.len())),
            Edit::Resize { .. } => "resize note".into(),
            Edit::SetKey { key, .. } | Edit::SetKeys { key, .. } => format!("change {key}"),
            Edit::Rename { to, .. } => format!("rename to {to}"),
            Edit::Connect { .. } => "connect".into(),
            Edit::SetLabel { .. } => "change label".into(),
            Edit::SetName(_) => "change name".into(),
            Edit::SetDescription(_) => "change description".into(),
            Edit::SetInputs(_) => "change inputs".into(),
            Edit::Paste { fragment, .. } => format!("paste {}", nodes(fragment.nodes.len())),
            Edit::Tidy(_) => "tidy up".into(),
            Edit::Replace(_) => "replace".into(),
        }
    }

    /// Edits with the same key that follow each other at once are one step of the history: a word that
    /// is typed, a node that is pushed along with the arrow keys.
    pub fn coalesces_as(&self) -> Option<String> {
        match self {
            Edit::SetKey { node, key, .. } => Some(format!("key {node} {key}")),
            Edit::SetLabel { edge, .. } => Some(format!("label {edge}")),
            Edit::SetName(_) => Some("name".into()),
            Edit::SetDescription(_) => Some("description".into()),
            Edit::SetInputs(_) => Some("inputs".into()),
            Edit::Move(moved) => {
                let ids: Vec<&str> = moved.iter().map(|(id, _)| id.as_str()).collect();
                Some(format!("move {}", ids.join(" ")))
            }
            Edit::AddNode { .. }
            | Edit::Remove { .. }
            | Edit::Resize { .. }
            | Edit::SetKeys { .. }
            | Edit::Rename { .. }
            | Edit::Connect { .. }
            | Edit::Paste { .. }
            | Edit::Tidy(_)
            | Edit::Replace(_) => None,
        }
    }

    /// What it means for this drawing.
    pub fn plan(self, drawing: &Drawing) -> Result<Plan, String> {
        match self {
            Edit::AddNode { kind, at, from, to } => Ok(add_node(drawing, kind, at, from, to)),
            Edit::Remove { nodes, edges } => Ok(remove(drawing, &nodes, &edges)),
            Edit::Move(moved) => Ok(places(drawing, moved)),
            Edit::Resize { node, place } => Ok(only(Op::SetPlaces([(node, Some(place))].into()))),
            Edit::SetKey { node, key, value } => set_key(drawing, &node, &key, value),
            Edit::SetKeys { nodes, key, value } => {
                let mut plan = Plan::default();
                for node in nodes {
                    plan.ops
                        .extend(set_key(drawing, &node, &key, value.clone())?.ops);
                }
                Ok(plan)
            }
            Edit::Rename { node, to } => rename(drawing, &node, &to),
            Edit::Connect { from, to } => connect(drawing, &from, &to),
            Edit::SetLabel { edge, label } => set_label(drawing, &edge, label),
            Edit::SetName(name) => Ok(set_meta(drawing, |meta| meta.name = name)),
            Edit::SetDescription(text) => Ok(set_meta(drawing, |meta| meta.description = text)),
            Edit::SetInputs(inputs) => Ok(set_meta(drawing, |meta| meta.inputs = inputs)),
            Edit::Paste { fragment, dx, dy } => {
                Ok(insert(drawing, fragment.fresh(drawing, dx, dy)))
            }
            Edit::Tidy(tidied) => {
                let moved = tidied.into_iter().map(|(id, (x, y))| (id, Point { x, y }));
                Ok(places(drawing, moved.collect()))
            }
            Edit::Replace(other) if *other == *drawing => Ok(Plan::default()),
            Edit::Replace(other) => Ok(only(Op::SetAll(other))),
        }
    }
}
