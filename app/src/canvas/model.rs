//! The canvas as a machine without a browser: gestures and keys go in, a changed scene and view come
//! out, together with what has to be painted again (`Dirty`) and what the page is asked to do (`Ask`).

mod ask;
mod drag;
mod keys;
mod motion;
mod pointer;
mod select;
mod view;
mod wire;

use domain::graph::Drawing;

pub use self::{
    ask::{Ask, Dirty},
    motion::Easing,
    pointer::{Button, Mods, PointerInput},
    view::{Wheel, first_view},
    wire::{Wire, WireBy, WireStart},
};
use self::{motion::Motion, pointer::Gesture};
use super::{
    edit::PortRef,
    geometry::{Point, Rect, at},
    op::Touched,
    scene::{Hit, Scene},
    status::Tint,
    viewport::{Pane, View},
};

/// Below this zoom nodes are painted, not laid out.
pub const FAR_BELOW: f64 = 0.35;
/// A drawing with no more nodes than `FEW` is laid out down to this zoom.
pub const FAR_BELOW_OF_FEW: f64 = 0.2;
/// What counts as few nodes.
pub const FEW: usize = 60;
/// A drawing with no more nodes than this is laid out as a whole, in view or not.
pub const KEEP_ALL: usize = 150;
/// More nodes than this in view are painted too, whatever the zoom.
pub const MOST_NEAR: usize = 450;

/// What a drag on the empty canvas does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tool {
    /// Moves the canvas; with Shift it selects.
    #[default]
    Hand,
    /// Selects what a box touches.
    Select,
}

/// The canvas without its pixels.
#[derive(Debug, Default)]
pub struct Model {
    /// What stands where.
    pub scene: Scene,
    /// Where it is looked at from.
    pub view: View,
    /// What it is looked at through.
    pub pane: Pane,
    /// Whether this canvas is there to be edited at all.
    pub editable: bool,
    /// Whether a person has locked it.
    pub locked: bool,
    /// What a drag on the empty canvas does.
    pub tool: Tool,
    /// The node that Tab goes to.
    pub active: Option<u32>,
    /// The wire that is being drawn.
    pub wire: Option<Wire>,
    /// The box that is being drawn, on screen.
    pub box_: Option<Rect>,
    /// What has to be painted again.
    pub dirty: Dirty,
    /// What the page is asked to do, oldest first.
    pub asks: Vec<Ask>,
    /// Whether Space is held: every drag moves the canvas.
    pub space: bool,
    /// Whether motion is unwelcome.
    pub still: bool,
    far: bool,
    gesture: Gesture,
    motion: Option<Motion>,
    pointer: Point,
    fitted: bool,
    wheel_ms: f64,
}

impl Model {
    /// The model of a drawing.
    pub fn new(drawing: &Drawing, editable: bool) -> Self {
        let scene = Scene::new(drawing, !editable);
        Self {
            scene,
            editable,
            dirty: Dirty {
                all: true,
                ..Dirty::default()
            },
            ..Self::default()
        }
    }

    /// Whether nodes may be moved, wired, deleted.
    pub fn may_edit(&self) -> bool {
        self.editable && !self.locked
    }

    /// Whether nodes are painted instead of laid out.
    pub fn far(&self) -> bool {
        self.far
    }

    /// The pointer is here, and nothing is going on.
    pub fn hover(&mut self, screen: Point) {
        self.pointer = screen;
    }

    /// Where the pointer was last, on screen.
    pub fn pointer(&self) -> Point {
        self.pointer
    }

    /// Whether a gesture or a motion is under way.
    pub fn busy(&self) -> bool {
        !matches!(self.gesture, Gesture::Idle) || self.motion.is_some()
    }

    /// Whether the wheel was turned within this time.
    pub fn wheeled_within(&self, now_ms: f64, within_ms: f64) -> bool {
        now_ms - self.wheel_ms < within_ms
    }

    /// Nodes that are on their way: dragged, or gliding into order.
    pub fn lifted(&self) -> Vec<u32> {
        match (&self.gesture, &self.motion) {
            (Gesture::Drag(drag), _) => drag.nodes().collect(),
            (_, Some(Motion::Nodes { moves, .. })) => moves.iter().map(|(n, ..)| *n).collect(),
            (_, Some(Motion::View { .. }) | None) => Vec::new(),
        }
    }

    // ------------------------------------------------------------------------------- the drawing

    /// Takes over what changed in the drawing.
    pub fn update(&mut self, drawing: &Drawing, touched: &Touched) {
        let active = self.active.map(|n| self.scene.ids[n as usize].clone());
        let selected_before = self.scene.selected_count();
        if touched.structure {
            // Numbers of nodes are about to change; a gesture that holds some cannot go on.
            self.cancel();
        }
        let changed = self.scene.update(drawing, touched);
        if changed.all {
            self.dirty.all = true;
            self.dirty.forget_numbers();
            self.set_active(active.and_then(|id| self.scene.find(&id)));
            if self.scene.selected_count() != selected_before || selected_before > 0 {
                self.selection_changed();
            }
        }
        if changed.nodes.iter().any(|n| self.scene.is_selected(*n)) {
            // It may have another id.
            self.selection_changed();
        }
        self.dirty.content.extend(changed.nodes);
        self.dirty.moved.extend(changed.moved);
        self.dirty.edges.extend(changed.edges);
    }

    /// The states of the run: `tint` says the colour of a node by its id.
    pub fn set_status(&mut self, node: u32, tint: Tint) {
        self.scene.tints[node as usize] = tint;
        self.dirty.status.push(node);
    }

    /// What is under a point of the screen.
    pub fn hit(&mut self, screen: Point) -> Hit {
        let (p, z, detail) = (self.view.to_canvas(screen), self.view.z, !self.far);
        self.scene.hit(p, z, detail)
    }

    /// The port of a node by their names.
    pub fn port_named(&self, node: &str, port: &str, out: bool) -> Option<WireStart> {
        let n = self.scene.find(node)?;
        if !out {
            return Some(WireStart::In(n));
        }
        let known = self
            .scene
            .ports_out(n)
            .iter()
            .position(|known| known.name == port)?;
        Some(WireStart::Out(n, known))
    }

    /// A port by name, for the page and the drawing.
    pub fn port_ref(&self, node: u32, port: usize) -> Option<PortRef> {
        let name = self.scene.ports_out(node).get(port)?.name.clone();
        Some(PortRef {
            node: self.scene.ids[node as usize].to_string(),
            port: name,
        })
    }

    /// Where a node of this size should stand that is added without a place: in the middle of the view,
    /// or a little aside where something stands there already.
    pub fn free_place(&mut self, size: (f64, f64)) -> Point {
        let middle = self.view.to_canvas(self.pane.centre());
        let mut place = snapped(at(middle.x - size.0 / 2.0, middle.y - size.1 / 2.0));
        let mut found = Vec::new();
        for _ in 0..50 {
            let area = Rect {
                x: place.x,
                y: place.y,
                w: size.0,
                h: size.1,
            };
            self.scene.nodes_in(area, &mut found);
            if found.is_empty() {
                break;
            }
            place = place.plus(20.0, 20.0);
        }
        place
    }

    fn say(&mut self, text: impl Into<String>) {
        self.asks.push(Ask::Say(text.into()));
    }
}

/// The zoom below which a drawing of so many nodes is painted.
pub fn far_below(nodes: usize) -> f64 {
    if nodes <= FEW {
        FAR_BELOW_OF_FEW
    } else {
        FAR_BELOW
    }
}

/// A point on the grid.
pub fn snapped(p: Point) -> Point {
    at(super::geometry::snap(p.x), super::geometry::snap(p.y))
}

#[cfg(test)]
mod tests;
