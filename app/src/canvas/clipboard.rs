//! What is copied: a workflow file with nothing but the copied nodes and the edges between them, as
//! text. So a whole workflow file can be pasted too, and a copied part can be read by anyone.

use std::collections::{HashMap, HashSet};

use domain::{
    graph::{Drawing, DrawnEdge, DrawnNode, drawing::Place},
    id::{NodeId, PortName},
};

use super::{geometry::Point, references};

/// Nodes and edges that can be put into a drawing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fragment {
    /// The nodes.
    pub nodes: Vec<DrawnNode>,
    /// Edges between them.
    pub edges: Vec<DrawnEdge>,
    /// Where they stand, by id.
    pub places: HashMap<String, Place>,
}

/// Most text that a paste may bring: more is no workflow.
const MAX_TEXT: usize = 64 * 1024 * 1024;

impl Fragment {
    /// These nodes of `drawing`, and the edges between them.
    pub fn copy(drawing: &Drawing, chosen: &HashSet<&str>) -> Self {
        let nodes: Vec<DrawnNode> = drawing
            .nodes
            .iter()
            .filter(|node| chosen.contains(node.id.as_str()))
            .cloned()
            .collect();
        let edges = drawing
            .edges
            .iter()
            .filter(|edge| chosen.contains(edge.source().0) && chosen.contains(edge.target().0))
            .cloned()
            .collect();
        let places = nodes
            .iter()
            .filter_map(|node| Some((node.id.clone(), *drawing.layout.nodes.get(&node.id)?)))
            .collect();
        Self {
            nodes,
            edges,
            places,
        }
    }

    /// The text for the clipboard.
    pub fn to_text(&self) -> String {
        Drawing {
            nodes: self.nodes.clone(),
            edges: self.edges.clone(),
            layout: domain::graph::Layout {
                nodes: self
                    .places
                    .iter()
                    .map(|(id, place)| (id.clone(), *place))
                    .collect(),
                ..Default::default()
            },
            ..Default::default()
        }
        .to_text()
    }

    /// Reads the clipboard; `None` when there is no part of a workflow in it.
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_TEXT || !text.starts_with('{') {
            return None;
        }
        let (mut drawing, _) = Drawing::parse(text).ok()?;
        if drawing.nodes.is_empty() {
            return None;
        }
        domain::graph::layout::place_missing(&mut drawing);
        let ids: HashSet<&str> = drawing.nodes.iter().map(|node| node.id.as_str()).collect();
        let edges = drawing
            .edges
            .iter()
            .filter(|edge| ids.contains(edge.source().0) && ids.contains(edge.target().0))
            .cloned()
            .collect();
        Some(Self {
            edges,
            places: drawing.layout.nodes.into_iter().collect(),
            nodes: drawing.nodes,
        })
    }

    /// The top left corner of all of it.
    pub fn corner(&self) -> Option<Point> {
        let mut places = self
            .nodes
            .iter()
            .filter_map(|node| self.places.get(&node.id));
        let first = places.next()?;
        Some(places.fold(
            Point {
                x: first.x,
                y: first.y,
            },
            |corner, place| Point {
                x: corner.x.min(place.x),
                y: corner.y.min(place.y),
            },
        ))
    }

    /// The same under ids that are free in `drawing`, moved. Nodes that read each other go on doing so.
    pub fn fresh(&self, drawing: &Drawing, dx: f64, dy: f64) -> Fragment {
        let mut taken: HashSet<String> = drawing.nodes.iter().map(|node| node.id.clone()).collect();
        let mut ids: HashMap<&str, String> = HashMap::new();
        let (free, clash): (Vec<_>, Vec<_>) = self
            .nodes
            .iter()
            .map(|node| node.id.as_str())
            .partition(|id| NodeId::parse(id).is_ok() && !taken.contains(*id));
        // New ids differ from all old ones, so that renaming one by one never renames twice.
        taken.extend(free.iter().chain(&clash).map(|id| (*id).to_owned()));
        ids.extend(free.into_iter().map(|id| (id, id.to_owned())));
        for id in clash {
            let fresh = free_id(id, &taken);
            taken.insert(fresh.clone());
            ids.entry(id).or_insert(fresh);
        }
        let mut used: HashSet<&str> = HashSet::new();
        let mut out = Fragment::default();
        for node in &self.nodes {
            // Of several nodes with one id (a broken file) only the first can be meant.
            let Some(id) = ids.get(node.id.as_str()).filter(|_| used.insert(&node.id)) else {
                continue;
            };
            let mut copy = node.clone();
            for old in references::nodes_named_by(node) {
                if let Some(new) = ids.get(old.as_str())
                    && *new != old
                    && let Ok(Some(changed)) = references::rename(&copy, &old, new)
                {
                    copy = changed;
                }
            }
            copy.id.clone_from(id);
            out.nodes.push(copy);
            if let Some(place) = self.places.get(&node.id) {
                out.places.insert(
                    id.clone(),
                    Place {
                        x: place.x + dx,
                        y: place.y + dy,
                        ..*place
                    },
                );
            }
        }
        for edge in &self.edges {
            let (source, target) = (edge.source(), edge.target());
            if let (Some(from), Some(to)) = (ids.get(source.0), ids.get(target.0)) {
                let to = if target.1 == PortName::IN {
                    to.clone()
                } else {
                    format!("{to}.{}", target.1)
                };
                out.edges.push(DrawnEdge {
                    label: edge.label.clone(),
                    extra: edge.extra.clone(),
                    ..DrawnEdge::between(from, source.1, &to)
                });
            }
        }
        out
    }
}

/// `wanted` if it is a legal id and free, else the same with a number. Ids get an underscore, so that
/// expressions can name them without brackets.
pub fn free_id(wanted: &str, taken: &HashSet<String>) -> String {
    let legal = NodeId::parse(wanted).is_ok();
    if legal && !taken.contains(wanted) {
        return wanted.to_owned();
    }
    let stem = if legal { wanted } else { "node" };
    let stem = match stem.rsplit_once('_') {
        Some((head, tail)) if !head.is_empty() && tail.chars().all(|c| c.is_ascii_digit()) => head,
        Some(_) | None => stem,
    };
    // 64 less an underscore and as many digits as a drawing can need.
    let stem = &stem[..stem.len().min(56)];
    let mut number = 2u64;
    loop {
        let id = format!("{stem}_{number}");
        if !taken.contains(&id) {
            return id;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drawing() -> Drawing {
        let (drawing, problems) = Drawing::from_value(json!({
            "troupe": 1, "name": "x",
            "nodes": [
                {"id": "a", "kind": "agent", "prompt": "go"},
                {"id": "b", "kind": "transform", "template": "{{ nodes.a.output }} {{ nodes.c.output }}"},
                {"id": "c", "kind": "branch", "condition": "true"},
            ],
            "edges": [{"from": "a", "to": "b"}, {"from": "c.true", "to": "b", "label": "yes"}],
            "layout": {"nodes": {"a": [100, 40], "b": [400, 0], "c": [0, 0]}},
        }))
        .expect("an object");
        assert_eq!(problems, []);
        drawing
    }

    #[test]
    fn a_copy_keeps_inner_edges_and_survives_the_clipboard() {
        let fragment = Fragment::copy(&drawing(), &["a", "b"].into());
        assert_eq!(fragment.edges.len(), 1);
        assert_eq!(fragment.corner(), Some(Point { x: 100.0, y: 0.0 }));
        assert_eq!(Fragment::from_text(&fragment.to_text()), Some(fragment));
    }

    #[test]
    fn other_text_is_no_fragment() {
        for text in [
            "",
            "hello",
            "{}",
            "[1]",
            "{\"nodes\":[]}",
            "{\"nodes\":3}",
            "{\"a\":",
        ] {
            assert_eq!(Fragment::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn pasted_nodes_read_each_other_and_not_the_originals() {
        let drawing = drawing();
        let fresh = Fragment::copy(&drawing, &["a", "b"].into()).fresh(&drawing, 20.0, 20.0);
        let ids: Vec<_> = fresh.nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids, ["a_2", "b_2"]);
        assert_eq!(
            fresh.nodes[1].keys["template"],
            "{{ nodes.a_2.output }} {{ nodes.c.output }}"
        );
        assert_eq!(fresh.edges[0].id(), "a_2.out->b_2.in");
        assert_eq!(fresh.places["a_2"].x, 120.0);
    }

    #[test]
    fn a_chain_of_new_ids_is_not_followed() {
        let (drawing, _) = Drawing::from_value(json!({
            "troupe": 1, "name": "x", "edges": [],
            "nodes": [
                {"id": "a", "kind": "agent", "prompt": "go"},
                {"id": "a_2", "kind": "transform", "template": "{{ nodes.a.output }}"},
            ],
        }))
        .expect("an object");
        let fresh = Fragment::copy(&drawing, &["a", "a_2"].into()).fresh(&drawing, 0.0, 0.0);
        assert_eq!(fresh.nodes[0].id, "a_3");
        assert_eq!(fresh.nodes[1].id, "a_4");
        assert_eq!(fresh.nodes[1].keys["template"], "{{ nodes.a_3.output }}");
        let elsewhere =
            Fragment::copy(&drawing, &["a", "a_2"].into()).fresh(&Drawing::default(), 0.0, 0.0);
        assert_eq!(elsewhere.nodes, drawing.nodes);
    }

    #[test]
    fn free_ids_count_on_and_stay_legal() {
        let taken = ["agent", "agent_2"].map(str::to_owned).into();
        assert_eq!(free_id("agent", &taken), "agent_3");
        assert_eq!(free_id("agent_2", &taken), "agent_3");
        assert_eq!(free_id("new", &taken), "new");
        assert_eq!(free_id("Not legal", &taken), "node_2");
        let long = "x".repeat(64);
        assert!(NodeId::parse(&free_id(&long, &[long.clone()].into())).is_ok());
    }
}
