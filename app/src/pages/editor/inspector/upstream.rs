//! What a template can name: the inputs of the workflow and the steps before this one, nearest first.

use std::collections::HashSet;

use domain::graph::Drawing;

use crate::canvas::references::output_of;

/// More than this is no help.
pub const MOST: usize = 12;

/// Something that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// What people call it.
    pub label: String,
    /// How an expression reads it.
    pub expression: String,
}

/// What an expression of this node can name.
pub fn names(drawing: &Drawing, id: &str) -> Vec<Name> {
    let mut found: Vec<Name> = drawing
        .inputs
        .iter()
        .filter(|input| !input.name.is_empty())
        .map(|input| Name {
            label: format!("input.{}", input.name),
            expression: format!("input.{}", input.name),
        })
        .collect();
    let mut seen: HashSet<&str> = HashSet::from([id]);
    let mut layer = vec![id];
    while !layer.is_empty() && found.len() < MOST {
        let now: HashSet<&str> = layer.drain(..).collect();
        for edge in &drawing.edges {
            let (from, to) = (edge.source().0, edge.target().0);
            if now.contains(to) && seen.insert(from) {
                layer.push(from);
            }
        }
        found.extend(layer.iter().filter_map(|id| {
            let node = drawing.node(id)?;
            Some(Name {
                label: node.title().to_owned(),
                expression: output_of(id),
            })
        }));
    }
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_nearest_steps_come_first_and_circles_end() {
        let (drawing, _) = Drawing::from_value(json!({
            "troupe": 1, "name": "x", "inputs": [{"name": "topic"}],
            "nodes": [
                {"id": "a", "kind": "agent"}, {"id": "b-2", "kind": "agent", "title": "Second"},
                {"id": "c", "kind": "agent"}, {"id": "d", "kind": "agent"},
            ],
            "edges": [{"from": "a", "to": "b-2"}, {"from": "b-2", "to": "c"}, {"from": "c", "to": "a"}, {"from": "c", "to": "d"}],
        }))
        .expect("an object");
        let names = names(&drawing, "c");
        let said: Vec<_> = names
            .iter()
            .map(|name| (name.label.as_str(), name.expression.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                ("input.topic", "input.topic"),
                ("Second", "nodes[\"b-2\"].output"),
                ("a", "nodes.a.output"),
            ]
        );
    }
}
