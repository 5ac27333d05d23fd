//! Whatever is done to a drawing, undo brings back exactly what was there, and redo what was left.

use domain::{graph::DrawnEdge, kind::Kind};
use serde_json::{Value, json};

use super::*;
use crate::canvas::{
    clipboard::Fragment,
    edit::PortRef,
    geometry::{Point, at},
};

fn sample() -> Drawing {
    let (drawing, problems) = Drawing::from_value(json!({
        "troupe": 1, "name": "Sample", "description": "", "later": {"kept": true},
        "inputs": [{"name": "topic"}],
        "nodes": [
            {"id": "plan", "kind": "agent", "prompt": "Plan {{ input.topic }}"},
            {"id": "good", "kind": "branch", "condition": "'TODO' in nodes.plan.output"},
            {"id": "odd", "kind": "teapot", "spout": 1},
            {"id": "build", "kind": "agent", "prompt": "{{ nodes.plan.output }}", "on_error": "branch"},
        ],
        "edges": [
            {"from": "plan", "to": "good"},
            {"from": "good.true", "to": "build", "label": "go"},
            {"from": "nowhere", "to": "build"},
        ],
        "layout": {"nodes": {"plan": [0, 0], "good": [260, 0]}, "groups": []},
    }))
    .expect("an object");
    assert_eq!(problems, []);
    drawing
}

fn port(node: &str, port: &str) -> PortRef {
    PortRef {
        node: node.into(),
        port: port.into(),
    }
}

fn key(node: &str, key: &str, value: Value) -> Edit {
    Edit::SetKey {
        node: node.into(),
        key: key.into(),
        value: Some(value),
    }
}

fn check(edits: Vec<Edit>) -> Document {
    let before = sample();
    let mut document = Document::new(before.clone());
    for edit in edits {
        document
            .apply(edit.clone(), 0.0)
            .unwrap_or_else(|reason| panic!("{edit:?}: {reason}"));
    }
    let after = document.drawing().clone();
    while document.undo().is_some() {}
    assert_eq!(document.drawing(), &before);
    assert_eq!(document.drawing().to_text(), before.to_text());
    while document.redo().is_some() {}
    assert_eq!(document.drawing(), &after);
    document
}

#[test]
fn a_new_node_gets_a_free_id_and_the_wire_it_was_drawn_with() {
    let document = check(vec![Edit::AddNode {
        kind: Kind::Output,
        at: at(500.0, 0.0),
        from: Some(port("build", "out")),
        to: None,
    }]);
    let node = document.drawing().node("output").expect("added");
    assert_eq!(node.keys["value"], "{{ nodes.build.output }}");
    assert_eq!(
        document.drawing().edges.last().map(DrawnEdge::id),
        Some("build.out->output.in".into())
    );
}

#[test]
fn a_removed_node_takes_its_edges_and_place_along() {
    let document = check(vec![Edit::Remove {
        nodes: vec!["good".into()],
        edges: vec![],
    }]);
    let drawing = document.drawing();
    assert_eq!(
        (
            drawing.nodes.len(),
            drawing.edges.len(),
            drawing.layout.nodes.len()
        ),
        (3, 1, 1)
    );
}

#[test]
fn a_new_id_is_followed_everywhere() {
    let document = check(vec![Edit::Rename {
        node: "plan".into(),
        to: "first-plan".into(),
    }]);
    let drawing = document.drawing();
    assert_eq!(
        drawing.node("good").expect("good").keys["condition"],
        "'TODO' in nodes[\"first-plan\"].output"
    );
    assert_eq!(drawing.edges[0].id(), "first-plan.out->good.in");
    assert!(drawing.layout.nodes.contains_key("first-plan"));
}

#[test]
fn an_id_that_is_taken_or_illegal_is_refused() {
    let mut document = Document::new(sample());
    for to in ["good", "Not legal", "", "a.b"] {
        let refused = document.apply(
            Edit::Rename {
                node: "plan".into(),
                to: to.into(),
            },
            0.0,
        );
        assert!(refused.is_err(), "{to}");
    }
    assert_eq!(document.revision(), 0);
}

#[test]
fn edges_follow_a_renamed_port() {
    let cases =
        |port: &str| json!([{"port": port, "when": "true"}, {"port": "no", "when": "false"}]);
    let document = check(vec![
        key("good", "cases", cases("yes")),
        Edit::Connect {
            from: port("good", "yes"),
            to: "odd".into(),
        },
        key("good", "cases", cases("certainly")),
    ]);
    assert_eq!(
        document.drawing().edges.last().map(DrawnEdge::id),
        Some("good.certainly->odd.in".into())
    );
}

#[test]
fn the_same_connection_twice_is_refused() {
    let mut document = Document::new(sample());
    let again = Edit::Connect {
        from: port("plan", "out"),
        to: "good".into(),
    };
    assert!(document.apply(again, 0.0).is_err());
}

#[test]
fn typing_is_one_step_until_a_pause_or_another_field() {
    let mut document = Document::new(sample());
    let mut now = 0.0;
    for text in ["H", "He", "Hel"] {
        now += 200.0;
        document
            .apply(key("plan", "prompt", json!(text)), now)
            .expect("applied");
    }
    document
        .apply(key("plan", "prompt", json!("Hello")), now + 10_000.0)
        .expect("applied");
    document
        .apply(key("plan", "title", json!("T")), now + 10_001.0)
        .expect("applied");
    assert_eq!(document.undo().as_deref(), Some("change title"));
    document.undo();
    assert_eq!(
        document.drawing().node("plan").expect("plan").keys["prompt"],
        "Hel"
    );
    document.undo();
    assert_eq!(document.drawing(), &sample());
    document.redo();
    assert_eq!(
        document.drawing().node("plan").expect("plan").keys["prompt"],
        "Hel"
    );
}

#[test]
fn an_edit_that_changes_nothing_is_no_step() {
    let mut document = Document::new(sample());
    let same = [
        key("plan", "prompt", json!("Plan {{ input.topic }}")),
        Edit::Move(vec![("plan".into(), at(0.0, 0.0))]),
        Edit::SetName("Sample".into()),
        Edit::Remove {
            nodes: vec!["no such".into()],
            edges: vec![],
        },
        Edit::Replace(Box::new(sample())),
    ];
    for edit in same {
        assert_eq!(
            document.apply(edit.clone(), 0.0),
            Ok(Applied::default()),
            "{edit:?}"
        );
    }
    assert_eq!(document.undo(), None);
}

#[test]
fn a_new_edit_ends_what_could_be_redone() {
    let mut document = Document::new(sample());
    document
        .apply(Edit::SetName("A".into()), 0.0)
        .expect("applied");
    document.undo();
    document
        .apply(Edit::SetName("B".into()), 0.0)
        .expect("applied");
    assert_eq!(document.redo(), None);
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit.max(1)
    }

    fn node(&mut self, drawing: &Drawing) -> String {
        match drawing.nodes.len() {
            0 => "none".into(),
            count => drawing.nodes[self.below(count)].id.clone(),
        }
    }

    fn point(&mut self) -> Point {
        at(self.below(2000) as f64, self.below(2000) as f64)
    }

    fn edit(&mut self, drawing: &Drawing) -> Edit {
        let node = self.node(drawing);
        let other = self.node(drawing);
        match self.below(16) {
            0 | 1 => Edit::AddNode {
                kind: Kind::ALL[self.below(Kind::ALL.len())],
                at: self.point(),
                from: (self.below(2) == 0).then(|| port(&node, "out")),
                to: (self.below(3) == 0).then_some(other),
            },
            2 => Edit::Remove {
                nodes: vec![node],
                edges: drawing
                    .edges
                    .first()
                    .map(DrawnEdge::id)
                    .into_iter()
                    .collect(),
            },
            3 | 4 => Edit::Move(vec![(node, self.point()), (other, self.point())]),
            5 | 6 => key(
                &node,
                ["title", "prompt", "zzz"][self.below(3)],
                json!(self.below(5)),
            ),
            7 => Edit::SetKey {
                node,
                key: "prompt".into(),
                value: None,
            },
            8 => Edit::Rename {
                node,
                to: format!("n{}", self.below(50)),
            },
            9 | 10 => Edit::Connect {
                from: port(&node, ["out", "true"][self.below(2)]),
                to: other,
            },
            11 => match drawing.edges.len() {
                0 => Edit::SetName("no edge".into()),
                count => Edit::SetLabel {
                    edge: drawing.edges[self.below(count)].id(),
                    label: self.below(3).to_string(),
                },
            },
            12 => Edit::SetDescription(self.below(4).to_string()),
            13 => Edit::Paste {
                fragment: Box::new(Fragment::copy(
                    drawing,
                    &[node.as_str(), other.as_str()].into(),
                )),
                dx: 20.0,
                dy: 20.0,
            },
            14 => Edit::Tidy(
                drawing
                    .nodes
                    .iter()
                    .map(|node| (node.id.clone(), (self.below(99) as f64, 0.0)))
                    .collect(),
            ),
            _ => Edit::SetKeys {
                nodes: vec![node, other],
                key: "disabled".into(),
                value: Some(json!(true)),
            },
        }
    }
}

#[test]
fn any_sequence_of_edits_can_be_undone_and_redone() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let before = sample();
        let mut document = Document::new(before.clone());
        let mut now = 0.0;
        for _ in 0..60 {
            now += dice.below(2500) as f64;
            match dice.below(12) {
                0 => drop(document.undo()),
                1 => drop(document.redo()),
                2 => document.part(),
                _ => {
                    let edit = dice.edit(document.drawing());
                    // A refusal is an answer too; it must change nothing.
                    let kept = document.drawing().clone();
                    if document.apply(edit, now).is_err() {
                        assert_eq!(document.drawing(), &kept);
                    }
                }
            }
        }
        while document.redo().is_some() {}
        let after = document.drawing().to_text();
        while document.undo().is_some() {}
        assert_eq!(
            document.drawing().to_text(),
            before.to_text(),
            "seed {seed}"
        );
        while document.redo().is_some() {}
        assert_eq!(document.drawing().to_text(), after, "seed {seed}");
    }
}
