//! Where the canvas is looked at from, and from how far.

use super::{FEW, MOST_NEAR, Model, far_below};
use crate::canvas::{
    geometry::{Point, at},
    scene::Scene,
    viewport::{Pane, View, WheelUnit, wheel_factor, wheel_pixels},
};

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

impl Model {
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
        let view = match self.scene.bounds() {
            Some(bounds) => View::fit(bounds, self.pane),
            None => first_view(&self.scene, self.pane),
        };
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
        let view = if self.view.z < far_below(self.scene.nodes()) + 0.05 {
            View::centred(rect.centre(), 0.8, self.pane)
        } else {
            self.view.revealing(rect, self.pane, 48.0)
        };
        self.fly_to(view, now_ms);
    }

    /// Decides whether nodes are painted or laid out. `seen`: how many nodes are in view. It takes a
    /// little more to come back than to leave, so that nothing flickers at the border.
    pub fn decide_lod(&mut self, seen: usize) {
        let border = far_below(self.scene.nodes());
        let (zoom, most) = if self.far {
            (border * 1.08, MOST_NEAR * 3 / 4)
        } else {
            (border, MOST_NEAR)
        };
        let far = self.view.z < zoom || seen > most;
        if far != self.far {
            self.far = far;
            self.dirty.all = true;
        }
    }
}

/// The view that a drawing is opened with: all of it; of a small one that does not fit its beginning, so
/// that it can be read.
pub fn first_view(scene: &Scene, pane: Pane) -> View {
    let Some(bounds) = scene.bounds() else {
        return View::centred(at(0.0, 0.0), 1.0, pane);
    };
    let all = View::fit(bounds, pane);
    if all.z >= READABLE || scene.nodes() > FEW {
        return all;
    }
    let Some(first) = scene.first() else {
        return all;
    };
    let start = scene.rect(first);
    let middle = at(start.x + (pane.w / 2.0 - 24.0) / READABLE, start.centre().y);
    View::centred(middle, READABLE, pane)
}

/// The zoom at which the text of a node can be read.
const READABLE: f64 = 0.75;
