//! The curve of an edge: from a port on the right of one node to a port on the left of another.

use std::fmt::Write;

use super::geometry::{Point, Rect, at};

/// A cubic curve that leaves to the right and arrives from the left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    /// Where it starts.
    pub from: Point,
    /// Where it ends.
    pub to: Point,
    /// How far the two control points reach out, sideways.
    pub reach: f64,
}

/// Shortest reach of the control points, so that close nodes are still joined by a curve.
const MIN_REACH: f64 = 24.0;

impl Curve {
    /// The curve between two ports.
    pub fn between(from: Point, to: Point) -> Self {
        let dx = to.x - from.x;
        let reach = if dx >= 0.0 {
            (dx * 0.5).max(MIN_REACH)
        } else {
            // Backwards: a loop that grows slowly with the distance.
            MIN_REACH + 6.25 * (-dx).sqrt()
        };
        Self { from, to, reach }
    }

    /// First control point.
    pub fn first(self) -> Point {
        self.from.plus(self.reach, 0.0)
    }

    /// Second control point.
    pub fn second(self) -> Point {
        self.to.plus(-self.reach, 0.0)
    }

    /// The point at `t`, 0 to 1.
    pub fn point(self, t: f64) -> Point {
        let s = 1.0 - t;
        let (a, b, c, d) = (s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t);
        let (one, two) = (self.first(), self.second());
        at(
            a * self.from.x + b * one.x + c * two.x + d * self.to.x,
            a * self.from.y + b * one.y + c * two.y + d * self.to.y,
        )
    }

    /// Its middle, where the label stands. Curves are symmetric, so this is the middle of both ends.
    pub fn middle(self) -> Point {
        at(
            (self.from.x + self.to.x) / 2.0,
            (self.from.y + self.to.y) / 2.0,
        )
    }

    /// A rectangle that holds it (the one around its control points).
    pub fn bounds(self) -> Rect {
        Rect::between(self.from, self.to).with(Rect::between(self.first(), self.second()))
    }

    /// How far `p` is from it, or more than `enough` when it is farther than that.
    pub fn distance(self, p: Point, enough: f64) -> f64 {
        if !self.bounds().grown(enough).holds(p) {
            return f64::INFINITY;
        }
        let mut best = f64::INFINITY;
        let mut last = self.from;
        for step in 1..=STEPS {
            let next = self.point(f64::from(step) / f64::from(STEPS));
            best = best.min(to_segment(p, last, next));
            last = next;
        }
        best
    }

    /// Appends the path as SVG writes it.
    pub fn write_svg(self, out: &mut String) {
        let (one, two) = (self.first(), self.second());
        // `write!` into a String cannot fail.
        let _ = write!(
            out,
            "M{} {}C{} {} {} {} {} {}",
            short(self.from.x),
            short(self.from.y),
            short(one.x),
            short(one.y),
            short(two.x),
            short(two.y),
            short(self.to.x),
            short(self.to.y)
        );
    }
}

const STEPS: u32 = 24;

fn to_segment(p: Point, a: Point, b: Point) -> f64 {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = dx * dx + dy * dy;
    if length == 0.0 {
        return p.distance(a);
    }
    let t = (((p.x - a.x) * dx + (p.y - a.y) * dy) / length).clamp(0.0, 1.0);
    p.distance(at(a.x + t * dx, a.y + t * dy))
}

/// One digit after the point.
fn short(value: f64) -> f64 {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == 0.0 { 0.0 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_ends_at_its_ports() {
        let curve = Curve::between(at(220.0, 20.0), at(300.0, 120.0));
        assert_eq!(curve.point(0.0), curve.from);
        assert_eq!(curve.point(1.0), curve.to);
        assert!(curve.point(0.5).distance(curve.middle()) < 1e-9);
    }

    #[test]
    fn is_written_in_short_numbers() {
        let mut out = String::new();
        Curve::between(at(0.0, 0.04), at(100.0, 33.333)).write_svg(&mut out);
        assert_eq!(out, "M0 0C50 0 50 33.3 100 33.3");
    }

    #[test]
    fn bounds_hold_every_point_even_backwards() {
        for (from, to) in [
            (at(0.0, 0.0), at(400.0, 90.0)),
            (at(0.0, 0.0), at(-900.0, 10.0)),
        ] {
            let curve = Curve::between(from, to);
            for step in 0..=100 {
                assert!(
                    curve
                        .bounds()
                        .grown(1e-6)
                        .holds(curve.point(f64::from(step) / 100.0))
                );
            }
        }
    }

    #[test]
    fn distance_is_small_on_the_line_and_infinite_far_away() {
        let curve = Curve::between(at(0.0, 0.0), at(300.0, 200.0));
        assert!(curve.distance(curve.point(0.3), 10.0) < 1.0);
        assert!(curve.distance(curve.point(0.3).plus(0.0, 8.0), 10.0) < 8.1);
        assert_eq!(curve.distance(at(0.0, 500.0), 10.0), f64::INFINITY);
    }

    #[test]
    fn no_length_is_harmless() {
        let curve = Curve::between(at(5.0, 5.0), at(5.0, 5.0));
        assert!(curve.distance(at(5.0, 5.0), 10.0).is_finite());
    }
}
