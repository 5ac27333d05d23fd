//! What the server puts into the page: the drawing as it will look once the browser's half is there,
//! so that it is seen before that.

use std::{collections::HashMap, fmt::Write};

use domain::graph::Drawing;

use super::{
    NodeStatus,
    edge_html::{EdgeView, edge_html, label_html},
    geometry::Rect,
    model::{KEEP_ALL, MOST_NEAR, far_below, first_view},
    node_html::{NodeView, node_html},
    scene::Scene,
    viewport::{Pane, View},
};

/// The pane that the server imagines. The page shifts the result so that its middle is the middle of
/// the real one.
pub const IMAGINED: Pane = Pane { w: 860.0, h: 780.0 };

/// More boxes than this are left out of a drawing that is seen from far away.
const MOST_BOXES: usize = 12_000;

/// A drawing as markup.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstPaint {
    /// Where it is seen from.
    pub view: View,
    /// Whether it is seen from so far that nodes are only boxes.
    pub far: bool,
    /// What stands inside the viewport.
    pub html: String,
}

/// Paints a drawing. `problems`: errors and warnings by node; `statuses`: the states of its nodes, where
/// a run is shown.
pub fn first_paint(
    drawing: &Drawing,
    problems: &HashMap<String, (u32, u32)>,
    statuses: Option<&HashMap<String, NodeStatus>>,
) -> FirstPaint {
    let mut scene = Scene::new(drawing, statuses.is_some());
    let view = first_view(&scene, IMAGINED);
    // Real panes may be larger than the imagined one.
    let near = view.seen(IMAGINED).grown(300.0 / view.z);
    let area = if scene.nodes() <= KEEP_ALL {
        scene.bounds().unwrap_or(near)
    } else {
        near
    };
    let (mut nodes, mut edges) = (Vec::new(), Vec::new());
    scene.nodes_in(area, &mut nodes);
    let far = view.z < far_below(scene.nodes()) || nodes.len() > MOST_NEAR * 2;
    let mut html = String::new();
    html.push_str(OPEN);
    if far {
        boxes(&scene, area, &mut html);
        html.push_str(BETWEEN);
        html.push_str(MIDDLE);
        html.push_str(CLOSE);
        return FirstPaint { view, far, html };
    }
    nodes.sort_unstable();
    scene.edges_in(area, &mut edges);
    edges.sort_unstable();
    let mut labels = String::new();
    for e in edges {
        let (Some(edge), Some(curve)) = (drawing.edges.get(e as usize), scene.curve(e)) else {
            continue;
        };
        let status = statuses.and_then(|known| known.get(edge.source().0));
        let view = EdgeView {
            id: &edge.id(),
            curve,
            selected: false,
            broken: scene.is_broken(e),
            label: &edge.label,
            status: status.map_or("", |status| &status.status),
        };
        edge_html(&view, &mut html);
        if !edge.label.is_empty() {
            label_html(&view, &mut labels);
        }
    }
    html.push_str(BETWEEN);
    html.push_str(&labels);
    html.push_str(MIDDLE);
    for n in nodes {
        let Some(node) = drawing.nodes.get(n as usize) else {
            continue;
        };
        let view = NodeView {
            node,
            kind: scene.kinds[n as usize],
            rect: scene.rect(n),
            place: n,
            ports: scene.ports_out(n),
            port_in: scene.has_port_in(n),
            selected: false,
            active: false,
            problems: problems.get(&node.id).copied().unwrap_or_default(),
            watching: statuses.is_some(),
            status: statuses.and_then(|known| known.get(&node.id)),
        };
        node_html(&view, &mut html);
    }
    html.push_str(CLOSE);
    FirstPaint { view, far, html }
}

/// The parts of the viewport: edges, their labels, nodes. The painter finds them by these names.
const OPEN: &str = "<svg class=\"edges\" aria-hidden=\"true\"><g data-part=\"edges\">";
const BETWEEN: &str = "</g></svg><div data-part=\"labels\">";
const MIDDLE: &str = "</div><div data-part=\"nodes\">";
const CLOSE: &str = "</div>";

/// The viewport of a drawing that is not known yet.
pub fn empty_viewport() -> String {
    [OPEN, BETWEEN, MIDDLE, CLOSE].concat()
}

fn boxes(scene: &Scene, area: Rect, out: &mut String) {
    out.push_str("<path class=\"edge-boxes\" d=\"");
    let inside = |n: &u32| scene.rect(*n).touches(area);
    for n in (0..scene.nodes() as u32).filter(inside).take(MOST_BOXES) {
        let r = scene.rect(n);
        // `write!` into a String cannot fail.
        let _ = write!(
            out,
            "M{} {}h{}v{}h-{}z",
            r.x.round(),
            r.y.round(),
            r.w.round(),
            r.h.round(),
            r.w.round()
        );
    }
    out.push_str("\"/>");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chain(count: usize) -> Drawing {
        let nodes: Vec<_> = (0..count)
            .map(|n| json!({"id": format!("n{n}"), "kind": "agent", "prompt": "p"}))
            .collect();
        let edges: Vec<_> = (1..count)
            .map(|n| json!({"from": format!("n{}", n - 1), "to": format!("n{n}"), "label": "<b>"}))
            .collect();
        let places: serde_json::Map<_, _> = (0..count)
            .map(|n| (format!("n{n}"), json!([(n % 100) * 300, (n / 100) * 120])))
            .collect();
        let file = json!({"troupe": 1, "name": "x", "nodes": nodes, "edges": edges, "layout": {"nodes": places}});
        Drawing::from_value(file).expect("an object").0
    }

    #[test]
    fn a_small_drawing_is_there_with_all_its_nodes_and_edges() {
        let paint = first_paint(&chain(3), &HashMap::new(), None);
        assert!(!paint.far);
        assert_eq!(paint.html.matches("data-node-id=").count(), 3);
        assert_eq!(paint.html.matches("data-edge-id=").count(), 2);
        assert_eq!(paint.html.matches("&lt;b&gt;").count(), 2);
        assert_eq!(paint.html.matches("<svg class=\"edges\"").count(), 1);
    }

    #[test]
    fn ten_thousand_nodes_are_boxes_and_not_megabytes() {
        let paint = first_paint(&chain(10_000), &HashMap::new(), None);
        assert!(paint.far);
        assert!(!paint.html.contains("data-node-id"));
        assert!(paint.html.len() < 400_000, "{}", paint.html.len());
    }

    #[test]
    fn an_empty_drawing_is_an_empty_viewport() {
        assert_eq!(
            first_paint(&Drawing::default(), &HashMap::new(), None).html,
            empty_viewport()
        );
    }

    #[test]
    fn a_run_shows_the_states() {
        let status = NodeStatus {
            status: "running".into(),
            ..NodeStatus::default()
        };
        let paint = first_paint(
            &chain(2),
            &HashMap::new(),
            Some(&[("n0".to_owned(), status)].into()),
        );
        assert!(paint.html.contains("data-status=\"running\""));
        assert!(!paint.html.contains("<button"));
    }
}
