//! Points, rectangles, and the size of things on the canvas. All in canvas pixels unless a name says
//! `screen`; x to the right, y down.
//!
//! The size of a node follows from its kind and ports alone, so nothing ever has to be measured.

use domain::{
    graph::{DrawnNode, drawing::Place},
    id::PortName,
    kind::Kind,
};

/// Nodes snap to this.
pub const GRID: f64 = 20.0;
/// Width of every node but notes.
pub const NODE_W: f64 = 220.0;
/// Height of a node without port rows: its head and one line.
pub const NODE_H: f64 = 60.0;
/// Height that a run adds: one line with seconds, tokens, cost.
pub const RUN_ROW_H: f64 = 20.0;
/// Height of one row with a named port.
pub const PORT_ROW_H: f64 = 20.0;
/// Where the ports of the head stand, from the top.
pub const HEAD_PORT_Y: f64 = 20.0;
/// What a note measures until somebody pulls at its corner.
pub const NOTE_SIZE: (f64, f64) = (240.0, 120.0);
/// The smallest that a note can be pulled.
pub const NOTE_MIN: (f64, f64) = (120.0, 60.0);

/// A place.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// An upright rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rect {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

/// `Point { x, y }`, shorter.
pub const fn at(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// `Rect { x, y, w, h }`, shorter.
pub const fn rect(x: f64, y: f64, w: f64, h: f64) -> Rect {
    Rect { x, y, w, h }
}

impl Point {
    /// How far it is to `other`.
    pub fn distance(self, other: Point) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// The point moved.
    pub fn plus(self, dx: f64, dy: f64) -> Point {
        at(self.x + dx, self.y + dy)
    }
}

impl Rect {
    /// The rectangle with these two corners.
    pub fn between(a: Point, b: Point) -> Rect {
        rect(
            a.x.min(b.x),
            a.y.min(b.y),
            (a.x - b.x).abs(),
            (a.y - b.y).abs(),
        )
    }

    /// Right edge.
    pub fn right(self) -> f64 {
        self.x + self.w
    }

    /// Bottom edge.
    pub fn bottom(self) -> f64 {
        self.y + self.h
    }

    /// Its middle.
    pub fn centre(self) -> Point {
        at(self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Larger by `by` on every side.
    pub fn grown(self, by: f64) -> Rect {
        rect(
            self.x - by,
            self.y - by,
            self.w + 2.0 * by,
            self.h + 2.0 * by,
        )
    }

    /// Whether the point lies in it.
    pub fn holds(self, p: Point) -> bool {
        p.x >= self.x && p.x <= self.right() && p.y >= self.y && p.y <= self.bottom()
    }

    /// Whether the two share any point.
    pub fn touches(self, other: Rect) -> bool {
        self.x <= other.right()
            && other.x <= self.right()
            && self.y <= other.bottom()
            && other.y <= self.bottom()
    }

    /// Whether `other` lies in it altogether.
    pub fn covers(self, other: Rect) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.right() >= other.right()
            && self.bottom() >= other.bottom()
    }

    /// The smallest that holds both.
    pub fn with(self, other: Rect) -> Rect {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        rect(
            x,
            y,
            self.right().max(other.right()) - x,
            self.bottom().max(other.bottom()) - y,
        )
    }
}

/// A coordinate on the grid.
pub fn snap(value: f64) -> f64 {
    (value / GRID).round() * GRID
}

/// Whether the port stands on the head of the node, where it needs no name.
fn on_head(port: &str) -> bool {
    port == PortName::OUT
}

/// Width and height of a node. `run_row`: whether it has the line that a run adds.
pub fn size_of(
    kind: Option<Kind>,
    ports_out: &[String],
    place: Option<&Place>,
    run_row: bool,
) -> (f64, f64) {
    if kind == Some(Kind::Note) {
        return place.and_then(|place| place.size).unwrap_or(NOTE_SIZE);
    }
    let rows = ports_out.iter().filter(|port| !on_head(port)).count();
    let foot = if rows > 0 { PORT_ROW_H } else { 0.0 };
    (NODE_W, base_h(run_row) + rows as f64 * PORT_ROW_H + foot)
}

/// As `size_of` an editor shows it: what the layout of a drawing needs to know.
pub fn drawn_size(node: &DrawnNode) -> (f64, f64) {
    size_of(node.known_kind(), &node.ports_out(), None, false)
}

fn base_h(run_row: bool) -> f64 {
    if run_row { NODE_H + RUN_ROW_H } else { NODE_H }
}

/// How far below the top of its node a port that goes out stands; `None` when there is no such port.
/// The middle of every port lies on the grid, so that snapped nodes are joined by straight lines.
pub fn port_out_y(ports_out: &[String], port: &str, run_row: bool) -> Option<f64> {
    let mut row = 0;
    for known in ports_out {
        if known == port {
            return Some(if on_head(port) {
                HEAD_PORT_Y
            } else {
                base_h(run_row) + PORT_ROW_H * (row as f64 + 1.0)
            });
        }
        if !on_head(known) {
            row += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_plain_node_has_its_port_on_the_head() {
        assert_eq!(
            size_of(Some(Kind::Agent), &ports(&["out"]), None, false),
            (220.0, 60.0)
        );
        assert_eq!(port_out_y(&ports(&["out"]), "out", false), Some(20.0));
    }

    #[test]
    fn named_ports_get_rows_on_the_grid() {
        let branch = ports(&["true", "false"]);
        assert_eq!(
            size_of(Some(Kind::Branch), &branch, None, false),
            (220.0, 120.0)
        );
        assert_eq!(port_out_y(&branch, "true", false), Some(80.0));
        assert_eq!(port_out_y(&branch, "false", false), Some(100.0));
        assert_eq!(port_out_y(&branch, "maybe", false), None);
    }

    #[test]
    fn the_error_port_of_an_agent_is_its_first_row() {
        let agent = ports(&["out", "error"]);
        assert_eq!(port_out_y(&agent, "out", true), Some(20.0));
        assert_eq!(port_out_y(&agent, "error", true), Some(100.0));
        assert_eq!(
            size_of(Some(Kind::Agent), &agent, None, true),
            (220.0, 120.0)
        );
    }

    #[test]
    fn a_note_keeps_the_size_it_was_given() {
        let place = Place {
            x: 0.0,
            y: 0.0,
            size: Some((400.0, 90.0)),
        };
        assert_eq!(
            size_of(Some(Kind::Note), &[], Some(&place), false),
            (400.0, 90.0)
        );
        assert_eq!(size_of(Some(Kind::Note), &[], None, false), NOTE_SIZE);
    }

    #[test]
    fn rectangles_touch_cover_and_join() {
        let a = rect(0.0, 0.0, 10.0, 10.0);
        assert!(a.touches(rect(10.0, 10.0, 5.0, 5.0)));
        assert!(!a.touches(rect(10.1, 0.0, 5.0, 5.0)));
        assert!(a.grown(1.0).covers(a));
        assert_eq!(
            a.with(rect(20.0, -5.0, 1.0, 1.0)),
            rect(0.0, -5.0, 21.0, 15.0)
        );
        assert_eq!(
            Rect::between(at(3.0, 4.0), at(1.0, 9.0)),
            rect(1.0, 4.0, 2.0, 5.0)
        );
        assert_eq!((snap(29.0), snap(31.0), snap(-31.0)), (20.0, 40.0, -40.0));
    }
}
