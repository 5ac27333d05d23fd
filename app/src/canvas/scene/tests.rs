//! The scene follows its drawing and finds what is where.

use serde_json::json;

use super::*;
use crate::canvas::{
    document::Document,
    edit::{Edit, PortRef},
};

fn drawing() -> Drawing {
    let (drawing, _) = Drawing::from_value(json!({
        "troupe": 1, "name": "x",
        "nodes": [
            {"id": "plan", "kind": "agent", "prompt": "p"},
            {"id": "good", "kind": "branch", "condition": "true"},
            {"id": "build", "kind": "agent", "prompt": "b"},
            {"id": "memo", "kind": "note", "text": "behind"},
        ],
        "edges": [
            {"from": "plan", "to": "good"},
            {"from": "good.true", "to": "build"},
            {"from": "good.maybe", "to": "build"},
            {"from": "nobody", "to": "nowhere"},
        ],
        "layout": {"nodes": {"plan": [0, 0], "good": [300, 0], "build": [600, 60], "memo": [-40, -40, 400, 300]}},
    }))
    .expect("an object");
    drawing
}

fn scene() -> Scene {
    Scene::new(&drawing(), false)
}

#[test]
fn finds_ports_before_nodes_before_edges_before_notes() {
    let mut scene = scene();
    assert_eq!(scene.hit(at(220.0, 20.0), 1.0, true), Hit::PortOut(0, 0));
    assert_eq!(scene.hit(at(300.0, 22.0), 1.0, true), Hit::PortIn(1));
    assert_eq!(scene.hit(at(520.0, 98.0), 1.0, true), Hit::PortOut(1, 1));
    assert_eq!(scene.hit(at(100.0, 40.0), 1.0, true), Hit::Node(0));
    assert_eq!(scene.hit(at(260.0, 21.0), 1.0, true), Hit::Edge(0));
    assert_eq!(scene.hit(at(100.0, 150.0), 1.0, true), Hit::Node(3));
    assert_eq!(scene.hit(at(355.0, 255.0), 1.0, true), Hit::Corner(3));
    assert_eq!(scene.hit(at(9000.0, 0.0), 1.0, true), Hit::Pane);
}

#[test]
fn from_far_away_there_are_only_nodes() {
    let mut scene = scene();
    assert_eq!(scene.hit(at(219.0, 20.0), 0.1, false), Hit::Node(0));
    assert_eq!(scene.hit(at(540.0, 81.0), 0.1, false), Hit::Pane);
}

#[test]
fn dangling_edges_are_stubs_or_nothing() {
    let scene = scene();
    assert!(!scene.is_broken(1));
    assert!(scene.is_broken(2) && scene.curve(2).is_some());
    assert!(scene.is_broken(3) && scene.curve(3).is_none());
}

#[test]
fn a_moved_node_is_found_where_it_went_with_its_edges() {
    let mut scene = scene();
    scene.place(2, at(5000.0, 5000.0));
    assert_eq!(scene.hit(at(5100.0, 5030.0), 1.0, true), Hit::Node(2));
    assert_eq!(scene.hit(at(790.0, 118.0), 1.0, true), Hit::Pane);
    let mut found = Vec::new();
    scene.edges_in(rect(4900.0, 5000.0, 50.0, 50.0), &mut found);
    found.sort_unstable();
    assert_eq!(found, [1, 2]);
}

#[test]
fn selection_is_counted_and_listed_in_order() {
    let mut scene = scene();
    assert!(scene.select(2, true) && scene.select(0, true) && !scene.select(0, true));
    assert_eq!(scene.selected().collect::<Vec<_>>(), [0, 2]);
    assert!(scene.select(0, false));
    assert_eq!(
        (scene.selected().collect::<Vec<_>>(), scene.selected_count()),
        (vec![2], 1)
    );
    scene.select(3, true);
    assert_eq!(scene.selected().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_wire_ends_below_the_pointer_before_near_it() {
    let mut scene = scene();
    assert_eq!(
        scene.wire_end(at(285.0, 20.0), 20.0, false),
        Some(Hit::PortIn(1))
    );
    assert_eq!(
        scene.wire_end(at(500.0, 100.0), 20.0, false),
        Some(Hit::PortIn(1))
    );
    assert_eq!(
        scene.wire_end(at(500.0, 100.0), 20.0, true),
        Some(Hit::PortOut(1, 1))
    );
    assert_eq!(scene.wire_end(at(250.0, 200.0), 20.0, false), None);
}

#[test]
fn arrows_go_to_what_is_ahead() {
    let scene = scene();
    let from = |n: u32| scene.rect(n).centre();
    let not_note = |n: u32| scene.kinds[n as usize] != Some(Kind::Note);
    assert_eq!(scene.next(from(0), Direction::Right, not_note), Some(1));
    assert_eq!(scene.next(from(2), Direction::Left, not_note), Some(1));
    assert_eq!(scene.next(from(0), Direction::Left, not_note), None);
    assert_eq!(scene.first(), Some(3));
}

/// Whatever is edited, a scene that followed step by step is the scene that is built anew.
#[test]
fn following_edits_is_the_same_as_starting_over() {
    let port = |node: &str, port: &str| PortRef {
        node: node.into(),
        port: port.into(),
    };
    let edits = [
        Edit::Rename {
            node: "plan".into(),
            to: "draft".into(),
        },
        Edit::SetKey {
            node: "good".into(),
            key: "cases".into(),
            value: Some(json!([{"port": "a", "when": "true"}])),
        },
        Edit::Connect {
            from: port("good", "a"),
            to: "build".into(),
        },
        Edit::Move(vec![("build".into(), at(900.0, 900.0))]),
        Edit::SetKey {
            node: "build".into(),
            key: "on_error".into(),
            value: Some(json!("branch")),
        },
        Edit::AddNode {
            kind: Kind::Output,
            at: at(0.0, 400.0),
            from: Some(port("build", "error")),
            to: None,
        },
        Edit::SetLabel {
            edge: "build.error->output.in".into(),
            label: "oh".into(),
        },
        Edit::Remove {
            nodes: vec!["good".into()],
            edges: vec![],
        },
    ];
    let mut document = Document::new(drawing());
    let mut scene = scene();
    scene.select(2, true);
    let same = |scene: &Scene, document: &Document| {
        let fresh = Scene::new(document.drawing(), false);
        assert_eq!(scene.ids, fresh.ids);
        assert_eq!(scene.ports, fresh.ports);
        assert_eq!(
            (&scene.from, &scene.to, &scene.broken),
            (&fresh.from, &fresh.to, &fresh.broken)
        );
        assert_eq!(scene.edge_rects, fresh.edge_rects);
        assert_eq!(
            (&scene.touching, &scene.touching_at),
            (&fresh.touching, &fresh.touching_at)
        );
        for n in 0..scene.nodes() as u32 {
            assert_eq!(scene.rect(n), fresh.rect(n));
            assert_eq!(scene.find(&scene.ids[n as usize]), Some(n));
        }
    };
    let build_selected = |scene: &Scene| scene.find("build").is_some_and(|n| scene.is_selected(n));
    for edit in edits {
        document.apply(edit, 0.0).expect("applied");
        let touched = document.take_touched();
        scene.update(document.drawing(), &touched);
        same(&scene, &document);
        assert!(build_selected(&scene));
    }
    while document.undo().is_some() {
        let touched = document.take_touched();
        scene.update(document.drawing(), &touched);
        same(&scene, &document);
    }
    assert!(build_selected(&scene));
}
