//! How large nodes are that are not there yet, and the layout of a part of a drawing.

use domain::{
    graph::{Drawing, DrawnNode, layout::tidy},
    kind::Kind,
};

use crate::canvas::{
    clipboard::Fragment,
    geometry::{NOTE_SIZE, at, drawn_size},
    model::snapped,
};

/// How large a node of this kind will be.
pub fn size_of_new(kind: Kind) -> (f64, f64) {
    match kind {
        Kind::Note => NOTE_SIZE,
        Kind::Agent
        | Kind::Transform
        | Kind::Branch
        | Kind::Map
        | Kind::Loop
        | Kind::Http
        | Kind::Approval
        | Kind::Wait
        | Kind::Workflow
        | Kind::Output => drawn_size(&DrawnNode {
            kind: kind.name().into(),
            ..DrawnNode::default()
        }),
    }
}

/// The layout of some nodes alone, with its corner where theirs was.
pub(super) fn tidy_part(
    drawing: &Drawing,
    chosen: &[String],
) -> std::collections::BTreeMap<String, (f64, f64)> {
    let ids = chosen.iter().map(String::as_str).collect();
    let part = Fragment::copy(drawing, &ids);
    let corner = part.corner().unwrap_or_default();
    let alone = Drawing {
        nodes: part.nodes,
        edges: part.edges,
        ..Drawing::default()
    };
    let mut places = tidy(&alone, &drawn_size);
    let first = places
        .values()
        .copied()
        .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)));
    let (x, y) = first.unwrap_or_default();
    for place in places.values_mut() {
        let moved = snapped(at(place.0 - x + corner.x, place.1 - y + corner.y));
        *place = (moved.x, moved.y);
    }
    places
}
