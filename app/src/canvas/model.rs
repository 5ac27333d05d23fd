//! The canvas as a machine without a browser: gestures and keys go in, a changed scene and view come
//! out, together with what has to be painted again (`Dirty`) and what the page is asked to do (`Ask`).

mod keys;
mod motion;
mod pointer;
mod wire;

use domain::graph::Drawing;

pub use self::{
    motion::Easing,
    pointer::{Button, Mods, PointerInput},
    wire::{Wire, WireBy, WireStart},
};
use self::{motion::Motion, pointer::Gesture};
use super::{
    edit::{Edit, PortRef},
    geometry::{Point, Rect, at},
    op::Touched,
    scene::{Hit, Scene},
    status::Tint,
    viewport::{Pane, View, WheelUnit, wheel_factor, wheel_pixels},
};

/// Below this zoom nodes are painted, not laid out.
pub const FAR_BELOW: f64 = 0.35;
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

/// What the page is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// Change the drawing.
    Edit(Edit),
    /// The selection is another one.
    Selection,
    /// Offer what can be added.
    Palette {
        /// Where, on screen.
        screen: Point,
        /// Where the new node shall stand.
        place: Point,
        /// The wire that was dropped there: from a port that goes out.
        from: Option<PortRef>,
        /// The wire that was dropped there, drawn backwards: to this node.
        to: Option<String>,
    },
    /// Tell somebody who cannot see it.
    Say(String),
    /// Tell everybody why something is not possible.
    Refused(String),
    /// Edit the label of an edge.
    Label(u32),
    /// Edit the title of a node.
    Rename(u32),
    /// Take the last step back.
    Undo,
    /// Do it again.
    Redo,
    /// Copy the selected nodes below the pointer or beside themselves.
    Duplicate,
    /// Switch the selected nodes off, or on again.
    ToggleDisabled,
    /// Put everything where the layout wants it.
    Tidy,
    /// Show or hide the small map.
    ToggleMinimap,
    /// Move the keyboard's focus to a node.
    Focus(u32),
}

/// One turn of the wheel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wheel {
    /// Where the pointer is, on screen.
    pub at: Point,
    /// To the right.
    pub dx: f64,
    /// Down.
    pub dy: f64,
    /// What the two count.
    pub unit: WheelUnit,
    /// Whether the zoom key is held, or it is a pinch.
    pub zoom: bool,
    /// Whether a wheel that only turns one way means sideways.
    pub sideways: bool,
}

/// What has to be painted again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dirty {
    /// Everything: nodes and edges have new numbers.
    pub all: bool,
    /// The view.
    pub view: bool,
    /// Nodes that stand elsewhere or have another size.
    pub moved: Vec<u32>,
    /// Nodes whose content is different.
    pub content: Vec<u32>,
    /// Edges whose content is different.
    pub edges: Vec<u32>,
    /// Nodes that were selected or not.
    pub selected: Vec<u32>,
    /// Edges that were selected or not.
    pub selected_edges: Vec<u32>,
    /// Nodes whose state in the run is different.
    pub status: Vec<u32>,
    /// The wire or the selection box.
    pub overlay: bool,
    /// Which nodes a wire may end at.
    pub legal: bool,
    /// Which node Tab goes to.
    pub active: bool,
    /// Buttons: lock, tool, zoom.
    pub chrome: bool,
}

impl Dirty {
    /// Whether anything has to be painted.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
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

    // -------------------------------------------------------------------------------------- view

    /// The wheel was turned: moves the canvas, or with the zoom key zooms at the pointer.
    pub fn wheel(&mut self, wheel: Wheel, now_ms: f64) {
        self.settle();
        self.wheel_ms = now_ms;
        let view = if wheel.zoom {
            let fine = wheel.unit == WheelUnit::Pixel && wheel.dy.abs() < 30.0;
            self.view
                .zoomed(wheel_factor(wheel.dy, wheel.unit, fine), wheel.at)
        } else {
            let (dx, dy) = if wheel.sideways && wheel.dx == 0.0 {
                (wheel.dy, 0.0)
            } else {
                (wheel.dx, wheel.dy)
            };
            let x = wheel_pixels(dx, wheel.unit, self.pane.w);
            let y = wheel_pixels(dy, wheel.unit, self.pane.h);
            self.view.panned(-x, -y)
        };
        self.set_view(view);
        let pointer = self.pointer;
        self.drag_to_again(pointer);
    }

    /// Another view.
    pub fn set_view(&mut self, view: View) {
        if view != self.view {
            self.view = view;
            self.dirty.view = true;
        }
    }

    /// The pane was measured. The first time, everything is brought into view; later the middle stays.
    pub fn set_pane(&mut self, pane: Pane) {
        if pane == self.pane || pane.w <= 0.0 || pane.h <= 0.0 {
            return;
        }
        let before = std::mem::replace(&mut self.pane, pane);
        self.dirty.view = true;
        if self.fitted && before.w > 0.0 {
            self.set_view(
                self.view
                    .panned((pane.w - before.w) / 2.0, (pane.h - before.h) / 2.0),
            );
        } else if !self.fitted {
            self.fitted = true;
            self.set_view(first_view(&self.scene, pane));
        }
    }

    /// Begins with this view instead of one that shows everything.
    pub fn start_at(&mut self, view: View) {
        self.fitted = true;
        self.set_view(view);
    }

    /// Zooms around the middle of the pane.
    pub fn zoom_by(&mut self, factor: f64, now_ms: f64) {
        let from = self.motion_target().unwrap_or(self.view);
        self.fly_to(from.zoomed(factor, self.pane.centre()), now_ms);
    }

    /// Life size, around the middle of the pane.
    pub fn zoom_reset(&mut self, now_ms: f64) {
        let middle = self.view.to_canvas(self.pane.centre());
        self.fly_to(View::centred(middle, 1.0, self.pane), now_ms);
    }

    /// Everything into view.
    pub fn fit(&mut self, now_ms: f64) {
        let view = first_view(&self.scene, self.pane);
        self.fly_to(view, now_ms);
    }

    /// The selection into view, or everything when nothing is selected.
    pub fn fit_selection(&mut self, now_ms: f64) {
        match self.scene.bounds_of(self.scene.selected()) {
            Some(bounds) => self.fly_to(View::fit(bounds, self.pane), now_ms),
            None => self.fit(now_ms),
        }
    }

    /// Moves no more than is needed to show a node; comes near enough that it can be read.
    pub fn reveal(&mut self, node: u32, now_ms: f64) {
        let rect = self.scene.rect(node);
        let view = if self.view.z < FAR_BELOW + 0.05 {
            View::centred(rect.centre(), 0.8, self.pane)
        } else {
            self.view.revealing(rect, self.pane, 48.0)
        };
        self.fly_to(view, now_ms);
    }

    /// Decides whether nodes are painted or laid out. `seen`: how many nodes are in view. It takes a
    /// little more to come back than to leave, so that nothing flickers at the border.
    pub fn decide_lod(&mut self, seen: usize) {
        let (zoom, most) = if self.far {
            (FAR_BELOW * 1.08, MOST_NEAR * 3 / 4)
        } else {
            (FAR_BELOW, MOST_NEAR)
        };
        let far = self.view.z < zoom || seen > most;
        if far != self.far {
            self.far = far;
            self.dirty.all = true;
        }
    }

    // --------------------------------------------------------------------------------- selection

    /// Selects these nodes and nothing else.
    pub fn select_only(&mut self, nodes: &[u32]) {
        let before: Vec<u32> = self
            .scene
            .selected()
            .filter(|n| !nodes.contains(n))
            .collect();
        for n in before {
            self.select(n, false);
        }
        for n in nodes {
            self.select(*n, true);
        }
        self.select_only_edges(&[]);
    }

    /// Selects these edges and no others; nodes stay as they are.
    pub fn select_only_edges(&mut self, edges: &[u32]) {
        let before: Vec<u32> = self
            .scene
            .selected_edges()
            .filter(|e| !edges.contains(e))
            .collect();
        for e in before {
            self.select_edge(e, false);
        }
        for e in edges {
            self.select_edge(*e, true);
        }
    }

    /// Selects nothing.
    pub fn clear_selection(&mut self) {
        self.select_only(&[]);
    }

    /// Selects every node.
    pub fn select_all(&mut self) {
        for n in 0..self.scene.nodes() as u32 {
            self.select(n, true);
        }
    }

    fn select(&mut self, node: u32, on: bool) {
        if self.scene.select(node, on) {
            self.dirty.selected.push(node);
            self.selection_changed();
        }
    }

    fn select_edge(&mut self, edge: u32, on: bool) {
        if self.scene.select_edge(edge, on) {
            self.dirty.selected_edges.push(edge);
            self.selection_changed();
        }
    }

    fn selection_changed(&mut self) {
        if !self.asks.contains(&Ask::Selection) {
            self.asks.push(Ask::Selection);
        }
    }

    /// The node that Tab goes to.
    pub fn set_active(&mut self, node: Option<u32>) {
        if self.active != node {
            self.active = node;
            self.dirty.active = true;
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

impl Dirty {
    fn forget_numbers(&mut self) {
        self.moved.clear();
        self.content.clear();
        self.edges.clear();
        self.selected.clear();
        self.selected_edges.clear();
        self.status.clear();
    }
}

/// A point on the grid.
pub fn snapped(p: Point) -> Point {
    at(super::geometry::snap(p.x), super::geometry::snap(p.y))
}

/// The view that a drawing is opened with.
pub fn first_view(scene: &Scene, pane: Pane) -> View {
    match scene.bounds() {
        Some(bounds) => View::fit(bounds, pane),
        None => View::centred(at(0.0, 0.0), 1.0, pane),
    }
}

#[cfg(test)]
mod tests;
