//! Mouse, finger and pen. A press becomes a gesture once it has moved, else a click when it ends.

use domain::graph::{Drawing, drawing::Place};

use super::{Ask, Model, Tool, WireBy, WireStart, drag::Drag};
use crate::canvas::{
    edit::Edit,
    geometry::{Point, Rect, at},
    scene::Hit,
    viewport::View,
};

/// A press that has moved this far (screen pixels) is a drag. Fingers tremble more than mice.
const THRESHOLD: f64 = 3.0;
const TOUCH_THRESHOLD: f64 = 8.0;

/// Which button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Left, or a finger.
    Main,
    /// The wheel.
    Middle,
    /// Right and all others.
    Other,
}

/// Keys that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mods {
    /// Shift.
    pub shift: bool,
    /// Ctrl or Cmd.
    pub ctrl: bool,
    /// Alt.
    pub alt: bool,
}

/// A pointer event, in screen pixels from the corner of the pane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointerInput {
    /// Which pointer.
    pub id: i32,
    /// Where it is.
    pub at: Point,
    /// The button that went down or up.
    pub button: Button,
    /// Whether it is a finger.
    pub touch: bool,
    /// Keys that are held.
    pub mods: Mods,
}

/// What is going on.
#[derive(Debug, Default)]
pub(super) enum Gesture {
    #[default]
    Idle,
    /// Something was pressed and has not moved yet.
    Press(Press),
    /// The canvas is moved.
    Pan { pointer: i32, last: Point },
    /// A box is drawn; what was selected before stays so.
    Box {
        pointer: i32,
        from: Point,
        kept: Vec<u32>,
    },
    /// Nodes are moved.
    Drag(Drag),
    /// A note is pulled by its corner.
    Resize {
        pointer: i32,
        node: u32,
        before: Rect,
    },
    /// A wire is pulled.
    Wire { pointer: i32 },
    /// Two fingers.
    Pinch {
        first: (i32, Point),
        second: (i32, Point),
    },
}

#[derive(Debug)]
pub(super) struct Press {
    input: PointerInput,
    hit: Hit,
    /// Every drag moves the canvas.
    pan: bool,
}

impl Model {
    /// The view has changed under a gesture: what hangs on the pointer stays there.
    pub(super) fn drag_to_again(&mut self, screen: Point) {
        if !matches!(self.gesture, Gesture::Pan { .. }) {
            self.drag_to(screen);
        }
    }

    /// A pointer went down.
    pub fn pointer_down(&mut self, input: PointerInput) {
        self.settle();
        self.pointer = input.at;
        if self.second_finger(&input) {
            return;
        }
        if !matches!(self.gesture, Gesture::Idle) {
            return;
        }
        let pan = input.button == Button::Middle || (self.space && input.button == Button::Main);
        if input.button == Button::Other {
            return;
        }
        let hit = if pan { Hit::Pane } else { self.hit(input.at) };
        self.gesture = Gesture::Press(Press { input, hit, pan });
    }

    fn second_finger(&mut self, input: &PointerInput) -> bool {
        let first = match &self.gesture {
            Gesture::Press(press) => (press.input.id, press.input.at),
            Gesture::Pan { pointer, last } => (*pointer, *last),
            Gesture::Drag(drag) => (drag.pointer, self.pointer),
            Gesture::Box { pointer, .. }
            | Gesture::Wire { pointer }
            | Gesture::Resize { pointer, .. } => (*pointer, self.pointer),
            Gesture::Pinch { .. } | Gesture::Idle => return false,
        };
        if !input.touch || first.0 == input.id {
            return false;
        }
        self.cancel();
        self.gesture = Gesture::Pinch {
            first,
            second: (input.id, input.at),
        };
        true
    }

    /// A pointer moved. Called once per frame with its last place.
    pub fn pointer_move(&mut self, input: PointerInput, drawing: &Drawing) {
        match &mut self.gesture {
            Gesture::Pinch { first, second } => {
                let before = (first.1, second.1);
                if first.0 == input.id {
                    first.1 = input.at;
                } else if second.0 == input.id {
                    second.1 = input.at;
                }
                let after = (first.1, second.1);
                let view = pinched(self.view, before, after);
                self.set_view(view);
                return;
            }
            Gesture::Press(press) => {
                let threshold = if press.input.touch {
                    TOUCH_THRESHOLD
                } else {
                    THRESHOLD
                };
                if press.input.id != input.id || press.input.at.distance(input.at) < threshold {
                    return;
                }
                self.begin(drawing);
            }
            Gesture::Idle => {
                self.pointer = input.at;
                self.wire_follows(input.at);
                return;
            }
            Gesture::Pan { pointer, .. }
            | Gesture::Box { pointer, .. }
            | Gesture::Drag(Drag { pointer, .. })
            | Gesture::Resize { pointer, .. }
            | Gesture::Wire { pointer } => {
                if *pointer != input.id {
                    return;
                }
            }
        }
        self.pointer = input.at;
        if let Gesture::Drag(drag) = &mut self.gesture {
            drag.free = input.mods.alt;
        }
        self.drag_to(input.at);
    }

    /// One of two fingers has moved while the other one did.
    pub fn pointer_moved_meanwhile(&mut self, input: PointerInput) {
        if matches!(self.gesture, Gesture::Pinch { .. }) {
            self.pointer_move(input, &Drawing::default());
        }
    }

    /// A press has moved: which gesture is it?
    fn begin(&mut self, drawing: &Drawing) {
        let Gesture::Press(Press { input, hit, pan }) = std::mem::take(&mut self.gesture) else {
            return;
        };
        let panning = Gesture::Pan {
            pointer: input.id,
            last: input.at,
        };
        let canvas = self.view.to_canvas(input.at);
        self.gesture = match hit {
            Hit::Pane
                if !pan && (input.mods.shift || self.tool == Tool::Select) && self.editable =>
            {
                // Shift draws the box; with the box tool it adds, as Ctrl always does.
                let adds = input.mods.ctrl || (self.tool == Tool::Select && input.mods.shift);
                let kept = if adds {
                    self.scene.selected().collect()
                } else {
                    vec![]
                };
                Gesture::Box {
                    pointer: input.id,
                    from: canvas,
                    kept,
                }
            }
            Hit::PortOut(n, port) if self.may_edit() => {
                self.start_wire(drawing, WireStart::Out(n, port), WireBy::Drag);
                Gesture::Wire { pointer: input.id }
            }
            Hit::PortIn(n) if self.may_edit() => {
                self.start_wire(drawing, WireStart::In(n), WireBy::Drag);
                Gesture::Wire { pointer: input.id }
            }
            Hit::Corner(node) if self.may_edit() => Gesture::Resize {
                pointer: input.id,
                node,
                before: self.scene.rect(node),
            },
            // A finger moves the canvas unless it is on a node that was chosen before: nothing is
            // dragged away by somebody who only looks around.
            Hit::Node(n) if self.may_edit() && (!input.touch || self.scene.is_selected(n)) => {
                self.grab(n, input, canvas)
            }
            Hit::Pane
            | Hit::PortOut(..)
            | Hit::PortIn(_)
            | Hit::Corner(_)
            | Hit::Node(_)
            | Hit::Edge(_) => panning,
        };
    }

    /// A pointer went up.
    pub fn pointer_up(&mut self, input: PointerInput, drawing: &Drawing) {
        self.pointer_move(input, drawing);
        let ours = match &self.gesture {
            Gesture::Idle => false,
            Gesture::Press(press) => press.input.id == input.id,
            Gesture::Pan { pointer, .. }
            | Gesture::Box { pointer, .. }
            | Gesture::Drag(Drag { pointer, .. })
            | Gesture::Resize { pointer, .. }
            | Gesture::Wire { pointer } => *pointer == input.id,
            Gesture::Pinch { first, second } => first.0 == input.id || second.0 == input.id,
        };
        if !ours {
            return;
        }
        match std::mem::take(&mut self.gesture) {
            Gesture::Press(press) => self.click(press, drawing),
            Gesture::Pinch { first, second } => {
                // The other finger goes on moving the canvas.
                let (pointer, last) = if first.0 == input.id { second } else { first };
                self.gesture = Gesture::Pan { pointer, last };
            }
            Gesture::Drag(drag) => self.drop_nodes(drag),
            Gesture::Box { .. } => {
                self.box_ = None;
                self.dirty.overlay = true;
                let count = self.scene.selected_count();
                self.say(format!("{count} selected"));
            }
            Gesture::Resize { node, .. } => {
                let rect = self.scene.rect(node);
                let place = Place {
                    x: rect.x,
                    y: rect.y,
                    size: Some((rect.w, rect.h)),
                };
                let node = self.scene.ids[node as usize].to_string();
                self.asks.push(Ask::Edit(Edit::Resize { node, place }));
            }
            Gesture::Wire { .. } => self.drop_wire(input.at),
            Gesture::Pan { .. } | Gesture::Idle => {}
        }
    }

    fn click(&mut self, Press { input, hit, pan }: Press, drawing: &Drawing) {
        if pan {
            return;
        }
        if self.wire.is_some() {
            self.wire_follows(input.at);
            self.drop_wire(input.at);
            return;
        }
        let add = input.mods.shift || input.mods.ctrl;
        match hit {
            Hit::PortOut(n, port) if self.may_edit() => {
                self.start_wire(drawing, WireStart::Out(n, port), WireBy::Click);
            }
            Hit::PortIn(n) if self.may_edit() => {
                self.start_wire(drawing, WireStart::In(n), WireBy::Click)
            }
            Hit::Node(n) | Hit::Corner(n) | Hit::PortOut(n, _) | Hit::PortIn(n) => {
                if add && self.editable {
                    let on = !self.scene.is_selected(n);
                    self.select(n, on);
                } else {
                    self.select_only(&[n]);
                }
                self.set_active(Some(n));
            }
            Hit::Edge(e) if self.editable => {
                if add {
                    let on = !self.scene.is_edge_selected(e);
                    self.select_edge(e, on);
                } else {
                    self.clear_selection();
                    self.select_edge(e, true);
                }
            }
            Hit::Pane | Hit::Edge(_) => {
                if !add {
                    self.clear_selection();
                    self.set_active(None);
                }
            }
        }
    }

    /// A double click: a label on an edge, a title on a node, what can be added on the empty canvas.
    pub fn double_click(&mut self, screen: Point) {
        match self.hit(screen) {
            Hit::Pane if self.may_edit() => {
                self.cancel();
                let place = self.view.to_canvas(screen);
                self.asks.push(Ask::Palette {
                    screen,
                    place,
                    from: None,
                    to: None,
                });
            }
            Hit::Edge(e) if self.may_edit() => self.asks.push(Ask::Label(e)),
            Hit::Node(n) | Hit::Corner(n) if self.editable => self.asks.push(Ask::Rename(n)),
            Hit::Pane
            | Hit::Edge(_)
            | Hit::Node(_)
            | Hit::Corner(_)
            | Hit::PortIn(_)
            | Hit::PortOut(..) => {}
        }
    }

    /// Ends what is going on as if it had never begun.
    pub fn cancel(&mut self) {
        match std::mem::take(&mut self.gesture) {
            Gesture::Drag(drag) => {
                for (n, start) in drag.starts {
                    self.scene.place(n, start);
                    self.dirty.moved.push(n);
                }
            }
            Gesture::Resize { node, before, .. } => {
                self.scene.resize(node, (before.w, before.h));
                self.dirty.moved.push(node);
            }
            Gesture::Box { kept, .. } => {
                self.box_ = None;
                self.dirty.overlay = true;
                self.select_only(&kept);
            }
            Gesture::Idle
            | Gesture::Press(_)
            | Gesture::Pan { .. }
            | Gesture::Wire { .. }
            | Gesture::Pinch { .. } => {}
        }
        self.end_wire();
    }
}

/// The view after two fingers have moved: what was below each of them still is, as far as can be.
fn pinched(view: View, before: (Point, Point), after: (Point, Point)) -> View {
    let middle = |(a, b): (Point, Point)| at((a.x + b.x) / 2.0, (a.y + b.y) / 2.0);
    let (old, new) = (before.0.distance(before.1), after.0.distance(after.1));
    let factor = if old > 1.0 { new / old } else { 1.0 };
    let (from, to) = (middle(before), middle(after));
    view.zoomed(factor, from)
        .panned(to.x - from.x, to.y - from.y)
}
