//! What differs between two drawings, by id: enough to decide which one to keep.

use std::collections::BTreeMap;

use domain::graph::{Drawing, DrawnNode};

/// Ids of what differs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Only in the first.
    pub only_mine: Vec<String>,
    /// Only in the second.
    pub only_theirs: Vec<String>,
    /// In both, but not the same.
    pub changed: Vec<String>,
}

/// Compares nodes, edges, places, and what the drawings say about themselves.
pub fn difference(mine: &Drawing, theirs: &Drawing) -> Difference {
    let mut difference = Difference::default();
    let nodes = |drawing: &Drawing| -> BTreeMap<String, String> {
        let place = |id: &str| drawing.layout.nodes.get(id);
        let text = |node: &DrawnNode| format!("{node:?} {:?}", place(&node.id));
        drawing
            .nodes
            .iter()
            .map(|node| (node.id.clone(), text(node)))
            .collect()
    };
    let edges = |drawing: &Drawing| -> BTreeMap<String, String> {
        drawing
            .edges
            .iter()
            .map(|edge| (edge.id(), format!("{edge:?}")))
            .collect()
    };
    difference.compare(&nodes(mine), &nodes(theirs));
    difference.compare(&edges(mine), &edges(theirs));
    let about = [
        ("name", mine.name == theirs.name),
        ("description", mine.description == theirs.description),
        ("inputs", mine.inputs == theirs.inputs),
    ];
    difference.changed.extend(
        about
            .into_iter()
            .filter(|(_, same)| !same)
            .map(|(name, _)| name.to_owned()),
    );
    difference
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn compare(&mut self, mine: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) {
        for (id, text) in mine {
            match theirs.get(id) {
                None => self.only_mine.push(id.clone()),
                Some(other) if other != text => self.changed.push(id.clone()),
                Some(_) => {}
            }
        }
        let new = theirs.keys().filter(|id| !mine.contains_key(*id));
        self.only_theirs.extend(new.cloned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drawing(value: serde_json::Value) -> Drawing {
        Drawing::from_value(value).expect("an object").0
    }

    #[test]
    fn ids_of_what_differs_are_listed() {
        let mine = drawing(json!({"troupe": 1, "name": "A", "nodes": [
            {"id": "a", "kind": "agent", "prompt": "1"}, {"id": "b", "kind": "agent"}, {"id": "c", "kind": "note"},
        ], "edges": [{"from": "a", "to": "b"}], "layout": {"nodes": {"c": [0, 0]}}}));
        let theirs = drawing(json!({"troupe": 1, "name": "B", "nodes": [
            {"id": "a", "kind": "agent", "prompt": "2"}, {"id": "d", "kind": "agent"}, {"id": "c", "kind": "note"},
        ], "edges": [], "layout": {"nodes": {"c": [5, 0]}}}));
        let expected = Difference {
            only_mine: vec!["b".into(), "a.out->b.in".into()],
            only_theirs: vec!["d".into()],
            changed: vec!["a".into(), "c".into(), "name".into()],
        };
        assert_eq!(difference(&mine, &theirs), expected);
        assert!(difference(&mine, &mine).is_empty());
    }
}
