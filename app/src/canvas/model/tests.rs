//! Gestures and keys as people use them, without a browser.

use serde_json::json;

use super::*;
use crate::canvas::{document::Document, keyboard::Command, scene::Direction};

/// A canvas with a document behind it, as on the editor's page.
struct Stage {
    model: Model,
    document: Document,
}

const PLAN: Point = at(100.0, 40.0);

fn drawing() -> Drawing {
    let (drawing, _) = Drawing::from_value(json!({
        "troupe": 1, "name": "x",
        "nodes": [
            {"id": "plan", "kind": "agent", "prompt": "p"},
            {"id": "good", "kind": "branch", "condition": "true"},
            {"id": "build", "kind": "agent", "prompt": "b"},
            {"id": "memo", "kind": "note", "text": "t"},
        ],
        "edges": [{"from": "plan", "to": "good"}, {"from": "good.true", "to": "build"}],
        "layout": {"nodes": {"plan": [0, 0], "good": [300, 0], "build": [600, 60], "memo": [0, 300]}},
    }))
    .expect("an object");
    drawing
}

fn stage() -> Stage {
    let mut model = Model::new(&drawing(), true);
    model.still = true;
    model.start_at(View::default());
    model.set_pane(Pane {
        w: 1000.0,
        h: 600.0,
    });
    Stage {
        model,
        document: Document::new(drawing()),
    }
}

fn mouse(at: Point) -> PointerInput {
    PointerInput {
        id: 1,
        at,
        button: Button::Main,
        touch: false,
        mods: Mods::default(),
    }
}

impl Stage {
    fn down(&mut self, input: PointerInput) {
        self.model.pointer_down(input);
        self.answer();
    }

    fn moved(&mut self, input: PointerInput) {
        self.model.pointer_move(input, self.document.drawing());
        self.answer();
    }

    fn up(&mut self, input: PointerInput) {
        self.model.pointer_up(input, self.document.drawing());
        self.answer();
    }

    fn drag(&mut self, from: Point, to: Point) {
        self.down(mouse(from));
        self.moved(mouse(at((from.x + to.x) / 2.0, (from.y + to.y) / 2.0)));
        self.up(mouse(to));
    }

    fn click(&mut self, at: Point) {
        self.down(mouse(at));
        self.up(mouse(at));
    }

    fn key(&mut self, command: Command) -> bool {
        let done = self.model.command(command, self.document.drawing(), 0.0);
        self.answer();
        done
    }

    /// What the page does: edits go into the document, the rest is kept for the test.
    fn answer(&mut self) {
        let asks = std::mem::take(&mut self.model.asks);
        for ask in asks {
            match ask {
                Ask::Edit(edit) => {
                    self.document.apply(edit, 0.0).expect("a legal edit");
                }
                Ask::Undo => drop(self.document.undo()),
                Ask::Redo => drop(self.document.redo()),
                other => {
                    self.model.asks.push(other);
                    continue;
                }
            }
            let touched = self.document.take_touched();
            self.model.update(self.document.drawing(), &touched);
        }
    }

    fn selected(&self) -> Vec<&str> {
        self.model
            .scene
            .selected()
            .map(|n| &*self.model.scene.ids[n as usize])
            .collect()
    }

    fn place(&self, id: &str) -> (f64, f64) {
        let place = self.document.drawing().layout.nodes[id];
        (place.x, place.y)
    }

    fn edges(&self) -> Vec<String> {
        self.document
            .drawing()
            .edges
            .iter()
            .map(|edge| edge.id())
            .collect()
    }

    fn refusals(&self) -> Vec<&str> {
        fn reason(ask: &Ask) -> Option<&str> {
            if let Ask::Refused(reason) = ask {
                Some(reason.as_str())
            } else {
                None
            }
        }
        self.model.asks.iter().filter_map(reason).collect()
    }

    fn said(&self) -> String {
        fn text(ask: &Ask) -> Option<&str> {
            if let Ask::Say(text) = ask {
                Some(text.as_str())
            } else {
                None
            }
        }
        self.model
            .asks
            .iter()
            .filter_map(text)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[test]
fn a_node_is_dragged_on_the_grid_and_undone_in_one_step() {
    let mut stage = stage();
    stage.drag(PLAN, at(147.0, 92.0));
    assert_eq!(stage.place("plan"), (40.0, 60.0));
    assert_eq!(stage.selected(), ["plan"]);
    stage.key(Command::Undo);
    assert_eq!(stage.place("plan"), (0.0, 0.0));
    assert_eq!(stage.model.scene.rect(0).x, 0.0);
}

#[test]
fn alt_drags_off_the_grid() {
    let mut stage = stage();
    let input = |at| PointerInput {
        mods: Mods {
            alt: true,
            ..Mods::default()
        },
        ..mouse(at)
    };
    stage.down(input(PLAN));
    stage.up(input(PLAN.plus(7.0, 3.0)));
    assert_eq!(stage.place("plan"), (7.0, 3.0));
}

#[test]
fn a_selection_moves_as_one() {
    let mut stage = stage();
    stage.model.select_only(&[0, 2]);
    stage.drag(PLAN, PLAN.plus(20.0, 40.0));
    assert_eq!(
        (stage.place("plan"), stage.place("build")),
        ((20.0, 40.0), (620.0, 100.0))
    );
    // An unselected node is dragged alone.
    stage.drag(at(400.0, 40.0), at(400.0, 80.0));
    assert_eq!(
        (stage.selected(), stage.place("plan")),
        (vec!["good"], (20.0, 40.0))
    );
}

#[test]
fn escape_puts_dragged_nodes_back() {
    let mut stage = stage();
    stage.down(mouse(PLAN));
    stage.moved(mouse(PLAN.plus(200.0, 200.0)));
    assert_eq!(stage.model.scene.rect(0).x, 200.0);
    stage.key(Command::Escape);
    assert_eq!(stage.model.scene.rect(0).x, 0.0);
    stage.up(mouse(PLAN.plus(200.0, 200.0)));
    assert_eq!(stage.document.revision(), 0);
}

#[test]
fn clicks_select_and_the_empty_canvas_selects_nothing() {
    let mut stage = stage();
    stage.click(PLAN);
    assert_eq!(stage.selected(), ["plan"]);
    let shift = PointerInput {
        mods: Mods {
            shift: true,
            ..Mods::default()
        },
        ..mouse(at(400.0, 40.0))
    };
    stage.down(shift);
    stage.up(shift);
    assert_eq!(stage.selected(), ["plan", "good"]);
    stage.click(at(900.0, 500.0));
    assert!(stage.selected().is_empty());
    stage.click(at(260.0, 20.0));
    assert_eq!(stage.model.scene.selected_edges().collect::<Vec<_>>(), [0]);
    stage.key(Command::Delete);
    assert_eq!(stage.edges(), ["good.true->build.in"]);
}

#[test]
fn the_empty_canvas_drags_the_view_and_with_shift_a_box() {
    let mut stage = stage();
    stage.drag(at(900.0, 500.0), at(850.0, 520.0));
    assert_eq!(
        stage.model.view,
        View {
            x: -50.0,
            y: 20.0,
            z: 1.0
        }
    );
    stage.model.set_view(View::default());
    let shift = |at| PointerInput {
        mods: Mods {
            shift: true,
            ..Mods::default()
        },
        ..mouse(at)
    };
    stage.down(shift(at(560.0, 200.0)));
    stage.moved(shift(at(290.0, -20.0)));
    assert!(stage.model.box_.is_some());
    stage.up(shift(at(290.0, -20.0)));
    assert_eq!(stage.selected(), ["good"]);
    assert_eq!(stage.model.box_, None);
}

#[test]
fn space_and_the_middle_button_move_the_view_from_anywhere() {
    let mut stage = stage();
    stage.model.space = true;
    stage.drag(PLAN, PLAN.plus(30.0, 0.0));
    stage.model.space = false;
    let middle = |at| PointerInput {
        button: Button::Middle,
        ..mouse(at)
    };
    stage.down(middle(PLAN));
    stage.up(middle(PLAN.plus(0.0, 30.0)));
    assert_eq!((stage.model.view.x, stage.model.view.y), (30.0, 30.0));
    assert_eq!(stage.document.revision(), 0);
}

#[test]
fn a_wire_is_pulled_from_port_to_node() {
    let mut stage = stage();
    stage.drag(at(220.0, 20.0), at(700.0, 100.0));
    assert_eq!(
        stage.edges().last().map(String::as_str),
        Some("plan.out->build.in")
    );
    // Backwards: from the port that things come in by to the node they come from.
    stage.drag(at(600.0, 80.0), at(525.0, 102.0));
    assert_eq!(
        stage.edges().last().map(String::as_str),
        Some("good.false->build.in")
    );
    assert!(stage.model.wire.is_none());
}

#[test]
fn a_circle_is_refused_and_the_reason_is_shown() {
    let mut stage = stage();
    stage.down(mouse(at(820.0, 80.0)));
    stage.moved(mouse(at(200.0, 100.0)));
    let wire = stage.model.wire.as_ref().expect("a wire");
    assert!(!wire.legal(0) && !wire.legal(1) && !wire.legal(2) && !wire.legal(3));
    stage.moved(mouse(at(100.0, 30.0)));
    let wire = stage.model.wire.as_ref().expect("a wire");
    assert!(
        wire.refusal
            .as_deref()
            .is_some_and(|reason| reason.contains("plan")),
        "{:?}",
        wire.refusal
    );
    stage.up(mouse(at(100.0, 30.0)));
    assert_eq!(stage.edges().len(), 2);
    assert_eq!(stage.refusals().len(), 1);
}

#[test]
fn the_same_connection_twice_is_refused() {
    let mut stage = stage();
    stage.drag(at(220.0, 20.0), at(400.0, 40.0));
    assert_eq!((stage.edges().len(), stage.refusals().len()), (2, 1));
}

#[test]
fn a_wire_dropped_on_nothing_asks_what_to_add() {
    let mut stage = stage();
    stage.drag(at(820.0, 80.0), at(900.0, 300.0));
    let expected = Ask::Palette {
        screen: at(900.0, 300.0),
        place: at(900.0, 300.0),
        from: Some(PortRef {
            node: "build".into(),
            port: "out".into(),
        }),
        to: None,
    };
    assert!(
        stage.model.asks.contains(&expected),
        "{:?}",
        stage.model.asks
    );
}

#[test]
fn two_clicks_connect_as_well() {
    let mut stage = stage();
    stage.click(at(220.0, 20.0));
    assert_eq!(
        stage.model.wire.as_ref().map(|wire| wire.by),
        Some(WireBy::Click)
    );
    stage.moved(mouse(at(500.0, 300.0)));
    stage.click(at(600.0, 80.0));
    assert_eq!(
        stage.edges().last().map(String::as_str),
        Some("plan.out->build.in")
    );
}

#[test]
fn the_keyboard_connects() {
    let mut stage = stage();
    stage
        .model
        .start_wire(&drawing(), WireStart::Out(0, 0), WireBy::Keys);
    stage.answer();
    // `good` is connected already, so `build` is the only one left.
    assert_eq!(
        stage.model.wire.as_ref().and_then(|wire| wire.target),
        Some(Hit::PortIn(2))
    );
    assert!(stage.said().contains("build"), "{}", stage.said());
    stage.key(Command::NextTarget(false));
    stage.key(Command::Arrow(Direction::Down, false));
    stage.key(Command::Activate);
    assert_eq!(
        stage.edges().last().map(String::as_str),
        Some("plan.out->build.in")
    );
    stage
        .model
        .start_wire(&drawing(), WireStart::Out(2, 0), WireBy::Keys);
    stage.key(Command::Escape);
    assert!(stage.model.wire.is_none());
}

#[test]
fn arrows_move_the_selection_and_say_where_it_is_now() {
    let mut stage = stage();
    stage.click(PLAN);
    stage.key(Command::Arrow(Direction::Right, false));
    stage.key(Command::Arrow(Direction::Down, true));
    assert_eq!(stage.place("plan"), (20.0, 80.0));
    assert!(
        stage.said().ends_with("Moved to x 20, y 80"),
        "{}",
        stage.said()
    );
}

#[test]
fn arrows_walk_when_nothing_is_selected() {
    let mut stage = stage();
    stage.key(Command::Arrow(Direction::Right, false));
    assert_eq!(stage.model.active, Some(0));
    stage.key(Command::Arrow(Direction::Right, false));
    assert_eq!(stage.model.active, Some(1));
    assert!(stage.model.asks.contains(&Ask::Focus(1)));
    stage.key(Command::Activate);
    assert_eq!(stage.selected(), ["good"]);
}

#[test]
fn deleting_takes_edges_along_and_undo_brings_them_back() {
    let mut stage = stage();
    stage.key(Command::SelectAll);
    stage.key(Command::Delete);
    assert_eq!(
        (stage.model.scene.nodes(), stage.model.scene.edges()),
        (0, 0)
    );
    stage.key(Command::Undo);
    assert_eq!((stage.model.scene.nodes(), stage.edges().len()), (4, 2));
    assert!(!stage.key(Command::Delete));
}

#[test]
fn a_locked_canvas_changes_nothing() {
    let mut stage = stage();
    stage.model.locked = true;
    stage.drag(PLAN, PLAN.plus(50.0, 0.0));
    assert_eq!(stage.model.view.x, 50.0);
    stage.drag(at(270.0, 20.0), at(700.0, 100.0));
    stage.model.select_all();
    assert!(!stage.key(Command::Delete) && !stage.key(Command::Tidy));
    assert_eq!(stage.document.revision(), 0);
    stage.model.double_click(at(900.0, 500.0));
    assert!(
        !stage
            .model
            .asks
            .iter()
            .any(|ask| matches!(ask, Ask::Palette { .. }))
    );
}

#[test]
fn a_note_is_pulled_by_its_corner() {
    let mut stage = stage();
    stage.drag(at(236.0, 416.0), at(310.0, 505.0));
    assert_eq!(
        stage.document.drawing().layout.nodes["memo"].size,
        Some((320.0, 200.0))
    );
    stage.drag(at(316.0, 496.0), at(0.0, 0.0));
    assert_eq!(
        stage.document.drawing().layout.nodes["memo"].size,
        Some(crate::canvas::geometry::NOTE_MIN)
    );
}

#[test]
fn one_finger_pans_two_fingers_zoom_a_tap_selects() {
    let mut stage = stage();
    let finger = |id, at| PointerInput {
        id,
        touch: true,
        ..mouse(at)
    };
    stage.down(finger(1, PLAN));
    stage.up(finger(1, PLAN.plus(3.0, 3.0)));
    assert_eq!(stage.selected(), ["plan"]);
    stage.down(finger(1, at(400.0, 40.0)));
    stage.up(finger(1, at(440.0, 40.0)));
    assert_eq!(stage.model.view.x, 40.0, "an unselected node is no handle");
    stage.down(finger(1, at(100.0, 300.0)));
    stage.down(finger(2, at(200.0, 300.0)));
    stage.moved(finger(2, at(300.0, 300.0)));
    assert_eq!(stage.model.view.z, 2.0);
    stage.up(finger(2, at(300.0, 300.0)));
    stage.moved(finger(1, at(110.0, 300.0)));
    stage.up(finger(1, at(110.0, 300.0)));
    assert_eq!(stage.document.revision(), 0);
    assert!(!stage.model.busy());
}

#[test]
fn the_view_follows_a_drag_at_the_edge() {
    let mut stage = stage();
    stage.down(mouse(PLAN));
    stage.moved(mouse(at(995.0, 300.0)));
    let before = stage.model.scene.rect(0).x;
    for _ in 0..10 {
        assert!(stage.model.tick(0.0, 1000.0 / 60.0));
    }
    assert!(stage.model.view.x < -100.0);
    assert!(
        stage.model.scene.rect(0).x > before + 100.0,
        "the node stays below the pointer"
    );
}

#[test]
fn the_view_stays_where_a_wire_has_found_its_end() {
    let mut stage = stage();
    stage.down(mouse(at(820.0, 80.0)));
    stage.moved(mouse(at(5.0, 20.0)));
    assert!(stage.model.wire.as_ref().expect("a wire").target.is_some());
    stage.model.tick(0.0, 1000.0 / 60.0);
    assert_eq!(stage.model.view, View::default());
    stage.moved(mouse(at(5.0, 250.0)));
    stage.model.tick(0.0, 1000.0 / 60.0);
    assert!(stage.model.view.x > 0.0, "on nothing it goes on looking");
}

#[test]
fn far_away_is_left_and_entered_without_flicker() {
    let mut stage = stage();
    stage.model.set_view(View {
        z: 0.19,
        ..View::default()
    });
    stage.model.decide_lod(4);
    assert!(stage.model.far());
    stage.model.set_view(View {
        z: 0.21,
        ..View::default()
    });
    stage.model.decide_lod(4);
    assert!(stage.model.far());
    stage.model.set_view(View {
        z: 0.23,
        ..View::default()
    });
    stage.model.decide_lod(4);
    assert!(!stage.model.far());
    stage.model.decide_lod(10_000);
    assert!(stage.model.far());
}

#[test]
fn an_edit_in_the_middle_of_a_gesture_ends_the_gesture() {
    let mut stage = stage();
    stage.down(mouse(PLAN));
    stage.moved(mouse(PLAN.plus(100.0, 0.0)));
    stage
        .document
        .apply(
            crate::canvas::edit::Edit::Remove {
                nodes: vec!["plan".into()],
                edges: vec![],
            },
            0.0,
        )
        .expect("removed");
    let touched = stage.document.take_touched();
    stage.model.update(stage.document.drawing(), &touched);
    assert!(!stage.model.busy());
    stage.moved(mouse(PLAN.plus(200.0, 0.0)));
    stage.up(mouse(PLAN.plus(200.0, 0.0)));
}

#[test]
fn tidying_glides_and_ends_where_it_should() {
    let mut stage = stage();
    stage.model.still = false;
    let target = stage.model.scene.rect(0);
    stage.model.glide_from(vec![(0, at(500.0, 500.0))], 0.0);
    assert_eq!(stage.model.scene.rect(0).x, 500.0);
    assert!(stage.model.tick(100.0, 16.0));
    assert!(stage.model.scene.rect(0).x < 500.0);
    stage.model.tick(1_000.0, 16.0);
    assert_eq!(stage.model.scene.rect(0), target);
    assert!(!stage.model.busy());
}

#[test]
fn new_nodes_do_not_cover_old_ones() {
    let mut stage = stage();
    stage.model.set_view(View {
        x: 390.0,
        y: 270.0,
        z: 1.0,
    });
    let first = stage.model.free_place((220.0, 60.0));
    assert_ne!(first, at(0.0, 0.0));
}
