//! Where the canvas is looked at from: one translation and one scale, and the sums that go with them.

use std::fmt::Write;

use super::geometry::{Point, Rect, at, rect};

/// The farthest out.
pub const MIN_ZOOM: f64 = 0.02;
/// The closest in.
pub const MAX_ZOOM: f64 = 2.5;
/// `fit` shows nothing larger than life.
pub const MAX_FIT_ZOOM: f64 = 1.0;
/// What the buttons and keys multiply or divide by.
pub const ZOOM_STEP: f64 = 1.25;
/// Free space around what `fit` shows, as a part of the pane.
const FIT_PADDING: f64 = 0.05;

/// A view: `screen = canvas * z + (x, y)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Where canvas x = 0 is on screen.
    pub x: f64,
    /// Where canvas y = 0 is on screen.
    pub y: f64,
    /// Screen pixels per canvas pixel.
    pub z: f64,
}

impl Default for View {
    fn default() -> Self {
        Self {
            x: 0.0,
            y: 0.0,
            z: 1.0,
        }
    }
}

/// Width and height of the pane in screen pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pane {
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Pane {
    /// Its middle, on screen.
    pub fn centre(self) -> Point {
        at(self.w / 2.0, self.h / 2.0)
    }
}

/// How a wheel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WheelUnit {
    /// In pixels.
    Pixel,
    /// In lines of text.
    Line,
    /// In pages.
    Page,
}

impl View {
    /// From canvas to screen.
    pub fn to_screen(self, p: Point) -> Point {
        at(p.x * self.z + self.x, p.y * self.z + self.y)
    }

    /// From screen to canvas.
    pub fn to_canvas(self, p: Point) -> Point {
        at((p.x - self.x) / self.z, (p.y - self.y) / self.z)
    }

    /// The part of the canvas that is in view.
    pub fn seen(self, pane: Pane) -> Rect {
        let corner = self.to_canvas(at(0.0, 0.0));
        rect(corner.x, corner.y, pane.w / self.z, pane.h / self.z)
    }

    /// The view moved by screen pixels.
    pub fn panned(self, dx: f64, dy: f64) -> View {
        View {
            x: self.x + dx,
            y: self.y + dy,
            ..self
        }
    }

    /// Zoomed by `factor`; what is under `anchor` (on screen) stays there.
    pub fn zoomed(self, factor: f64, anchor: Point) -> View {
        let z = clamp_zoom(self.z * factor);
        let ratio = z / self.z;
        View {
            x: anchor.x - (anchor.x - self.x) * ratio,
            y: anchor.y - (anchor.y - self.y) * ratio,
            z,
        }
    }

    /// The view that shows `bounds`, in the middle of the pane and no larger than life.
    pub fn fit(bounds: Rect, pane: Pane) -> View {
        if pane.w <= 0.0 || pane.h <= 0.0 {
            return View::default();
        }
        let free = 1.0 - 2.0 * FIT_PADDING;
        let across = pane.w * free / bounds.w.max(1.0);
        let down = pane.h * free / bounds.h.max(1.0);
        let z = across.min(down).clamp(MIN_ZOOM, MAX_FIT_ZOOM);
        View::centred(bounds.centre(), z, pane)
    }

    /// The view with `middle` (on canvas) in the middle of the pane. Lies on whole pixels, so that text
    /// is sharp at zoom 1.
    pub fn centred(middle: Point, z: f64, pane: Pane) -> View {
        View {
            x: (pane.w / 2.0 - middle.x * z).round(),
            y: (pane.h / 2.0 - middle.y * z).round(),
            z,
        }
    }

    /// The smallest move that brings `target` (on canvas) into view, with `margin` screen pixels to spare.
    pub fn revealing(self, target: Rect, pane: Pane, margin: f64) -> View {
        let corner = self.to_screen(at(target.x, target.y));
        let far = self.to_screen(at(target.right(), target.bottom()));
        View {
            x: self.x + nudge(corner.x, far.x, pane.w, margin),
            y: self.y + nudge(corner.y, far.y, pane.h, margin),
            z: self.z,
        }
    }

    /// A view between this one and `end`; `t` from 0 to 1. Zoom goes in equal ratios.
    pub fn towards(self, end: View, pane: Pane, t: f64) -> View {
        if t >= 1.0 {
            return end;
        }
        let middle = pane.centre();
        let (a, b) = (self.to_canvas(middle), end.to_canvas(middle));
        let z = self.z * (end.z / self.z).powf(t);
        // With both zooms equal this is a straight line; otherwise the middle moves at the speed that
        // the present zoom makes look even.
        let share = if (end.z - self.z).abs() < 1e-9 {
            t
        } else {
            (1.0 / z - 1.0 / self.z) / (1.0 / end.z - 1.0 / self.z)
        };
        let centre = at(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share);
        View {
            x: middle.x - centre.x * z,
            y: middle.y - centre.y * z,
            z,
        }
    }

    /// Writes the CSS transform that puts the canvas there.
    pub fn write_css(self, out: &mut String) {
        out.clear();
        // `write!` into a String cannot fail.
        let _ = write!(
            out,
            "translate({}px, {}px) scale({})",
            tidy(self.x, 2),
            tidy(self.y, 2),
            tidy(self.z, 5)
        );
    }
}

/// A legal zoom.
pub fn clamp_zoom(z: f64) -> f64 {
    if z.is_finite() {
        z.clamp(MIN_ZOOM, MAX_ZOOM)
    } else {
        1.0
    }
}

/// What one wheel event with the zoom key multiplies by. A pinch on a trackpad arrives as small steps
/// with `ctrl`, and counts ten times on machines where that is the only way it arrives.
pub fn wheel_factor(delta_y: f64, unit: WheelUnit, fine: bool) -> f64 {
    let per_unit = match unit {
        WheelUnit::Pixel => 0.002,
        WheelUnit::Line => 0.05,
        WheelUnit::Page => 1.0,
    };
    let times = if fine { 10.0 } else { 1.0 };
    2f64.powf((-delta_y * per_unit * times).clamp(-1.0, 1.0))
}

/// What one wheel event moves by, in screen pixels.
pub fn wheel_pixels(delta: f64, unit: WheelUnit, pane_side: f64) -> f64 {
    match unit {
        WheelUnit::Pixel => delta,
        WheelUnit::Line => delta * 20.0,
        WheelUnit::Page => delta * pane_side,
    }
}

/// How fast the canvas moves by itself when a gesture is this far (screen pixels) along a side that is
/// `side` long: 0 inside, up to `AUTO_PAN_SPEED` at the edge.
pub fn auto_pan(position: f64, side: f64) -> f64 {
    let depth = |distance: f64| ((AUTO_PAN_ZONE - distance) / AUTO_PAN_ZONE).clamp(0.0, 1.0);
    (depth(position) - depth(side - position)) * AUTO_PAN_SPEED
}

const AUTO_PAN_ZONE: f64 = 40.0;
const AUTO_PAN_SPEED: f64 = 15.0;

fn nudge(low: f64, high: f64, side: f64, margin: f64) -> f64 {
    let (low, high) = (low - margin, high + margin);
    if low < 0.0 {
        -low
    } else if high > side {
        (side - high).max(-low)
    } else {
        0.0
    }
}

/// Rounds, so that numbers in the page stay short.
fn tidy(value: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    let rounded = (value * unit).round() / unit;
    if rounded == 0.0 { 0.0 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANE: Pane = Pane {
        w: 1000.0,
        h: 600.0,
    };

    fn close(a: Point, b: Point) -> bool {
        a.distance(b) < 1e-6
    }

    #[test]
    fn screen_and_canvas_are_each_others_inverse() {
        let view = View {
            x: 31.0,
            y: -7.0,
            z: 0.4,
        };
        let p = at(123.4, -56.7);
        assert!(close(view.to_canvas(view.to_screen(p)), p));
    }

    #[test]
    fn zoom_keeps_what_is_under_the_pointer() {
        let view = View {
            x: 10.0,
            y: 20.0,
            z: 1.0,
        };
        let pointer = at(300.0, 200.0);
        let before = view.to_canvas(pointer);
        for factor in [1.3, 0.2, 100.0, 0.0001] {
            assert!(
                close(view.zoomed(factor, pointer).to_canvas(pointer), before),
                "{factor}"
            );
        }
        assert_eq!(view.zoomed(100.0, pointer).z, MAX_ZOOM);
        assert_eq!(view.zoomed(0.0001, pointer).z, MIN_ZOOM);
    }

    #[test]
    fn fit_shows_everything_and_nothing_larger_than_life() {
        let small = View::fit(rect(100.0, 100.0, 200.0, 60.0), PANE);
        assert_eq!(small.z, 1.0);
        assert!(close(small.to_screen(at(200.0, 130.0)), PANE.centre()));
        let bounds = rect(-500.0, 0.0, 9000.0, 100.0);
        let wide = View::fit(bounds, PANE);
        assert!(wide.seen(PANE).covers(bounds));
    }

    #[test]
    fn fit_into_no_pane_is_harmless() {
        assert_eq!(
            View::fit(rect(0.0, 0.0, 10.0, 10.0), Pane::default()),
            View::default()
        );
    }

    #[test]
    fn reveal_moves_only_when_it_must() {
        let view = View::default();
        assert_eq!(
            view.revealing(rect(100.0, 100.0, 220.0, 60.0), PANE, 20.0),
            view
        );
        let moved = view.revealing(rect(990.0, -50.0, 220.0, 60.0), PANE, 20.0);
        assert_eq!((moved.x, moved.y), (-230.0, 70.0));
    }

    #[test]
    fn wheel_zooms_as_people_know_it() {
        assert!((wheel_factor(-100.0, WheelUnit::Pixel, false) - 2f64.powf(0.2)).abs() < 1e-9);
        assert!((wheel_factor(3.0, WheelUnit::Line, false) - 2f64.powf(-0.15)).abs() < 1e-9);
        assert_eq!(wheel_factor(1e9, WheelUnit::Page, true), 0.5);
    }

    #[test]
    fn auto_pan_pulls_at_the_edges_alone() {
        assert_eq!(auto_pan(500.0, 1000.0), 0.0);
        assert_eq!(auto_pan(0.0, 1000.0), 15.0);
        assert_eq!(auto_pan(1000.0, 1000.0), -15.0);
        assert_eq!(auto_pan(20.0, 1000.0), 7.5);
        assert_eq!(auto_pan(-90.0, 1000.0), 15.0);
    }

    #[test]
    fn the_way_between_two_views_ends_where_it_should() {
        let (a, b) = (
            View {
                x: 0.0,
                y: 0.0,
                z: 1.0,
            },
            View {
                x: 300.0,
                y: -90.0,
                z: 0.25,
            },
        );
        let start = a.towards(b, PANE, 0.0);
        assert!((start.x - a.x).abs() < 1e-6 && (start.z - a.z).abs() < 1e-9);
        assert_eq!(a.towards(b, PANE, 1.0), b);
        let half = a.towards(b, PANE, 0.5);
        assert!((half.z - 0.5).abs() < 1e-9);
    }

    #[test]
    fn css_is_short_and_has_no_minus_zero() {
        let mut css = String::from("old");
        View {
            x: -0.0001,
            y: 12.3456,
            z: 0.3333333,
        }
        .write_css(&mut css);
        assert_eq!(css, "translate(0px, 12.35px) scale(0.33333)");
    }
}
