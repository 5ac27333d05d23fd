//! What a watched canvas does when the states of a run change: colours, and dots where something has
//! just gone from one step to the next.

use std::collections::HashMap;

use super::{NodeStatus, model::Model, scene::NOWHERE, status::Tint};

/// Nodes whose state is shown differently now, and edges that something has just gone along.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct News {
    /// Nodes to show anew.
    pub nodes: Vec<u32>,
    /// Edges that a dot runs along.
    pub edges: Vec<u32>,
}

/// Compares the states with those that were shown before.
pub fn news(
    model: &Model,
    before: &HashMap<String, NodeStatus>,
    after: &HashMap<String, NodeStatus>,
) -> News {
    let scene = &model.scene;
    let mut news = News::default();
    for n in 0..scene.nodes() as u32 {
        let id = &*scene.ids[n as usize];
        let (old, new) = (before.get(id), after.get(id));
        if old != new {
            news.nodes.push(n);
        }
        let was = old.map_or("", |status| status.status.as_str());
        let is = new.map_or("", |status| status.status.as_str());
        let begins = was == "blocked" && matches!(is, "ready" | "assigned" | "running");
        let decided = was == "blocked" && matches!(is, "succeeded" | "failed" | "waiting");
        if begins || decided {
            news.edges.extend(scene.edges_of(n).iter().filter(|e| {
                let (from, to) = scene.ends(**e);
                to == n && from != NOWHERE && {
                    let source = after.get(&*scene.ids[from as usize]);
                    source.is_some_and(|source| source.status == "succeeded")
                }
            }));
        }
    }
    news
}

/// The colour of a node.
pub fn tint(statuses: &HashMap<String, NodeStatus>, id: &str) -> Tint {
    statuses
        .get(id)
        .map_or(Tint::None, |status| Tint::of(&status.status))
}

#[cfg(test)]
mod tests {
    use domain::graph::Drawing;
    use serde_json::json;

    use super::*;

    fn statuses(all: &[(&str, &str)]) -> HashMap<String, NodeStatus> {
        all.iter()
            .map(|(id, status)| {
                let status = NodeStatus {
                    status: (*status).into(),
                    ..NodeStatus::default()
                };
                ((*id).to_owned(), status)
            })
            .collect()
    }

    #[test]
    fn dots_run_where_something_has_just_passed() {
        let (drawing, _) = Drawing::from_value(json!({
            "troupe": 1, "name": "x",
            "nodes": [
                {"id": "a", "kind": "agent"}, {"id": "b", "kind": "agent"}, {"id": "c", "kind": "agent"},
            ],
            "edges": [{"from": "a", "to": "b"}, {"from": "c", "to": "b"}],
        }))
        .expect("an object");
        let model = Model::new(&drawing, false);
        let before = statuses(&[("a", "running"), ("b", "blocked"), ("c", "skipped")]);
        let after = statuses(&[("a", "succeeded"), ("b", "ready"), ("c", "skipped")]);
        assert_eq!(
            news(&model, &before, &after),
            News {
                nodes: vec![0, 1],
                edges: vec![0]
            }
        );
        // Opening a page on a run that is over makes nothing run along.
        assert!(news(&model, &HashMap::new(), &after).edges.is_empty());
        assert_eq!(news(&model, &after, &after), News::default());
    }
}
