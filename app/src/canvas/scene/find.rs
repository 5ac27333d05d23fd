//! What is at a place, in a rectangle, or next in a direction.

use domain::kind::Kind;

use super::Scene;
use crate::canvas::geometry::{Point, Rect};

/// What is under the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// The port of a node that things come in by.
    PortIn(u32),
    /// A port of a node that goes out, by its place in the node's list.
    PortOut(u32, usize),
    /// The corner that a note is pulled by.
    Corner(u32),
    /// A node.
    Node(u32),
    /// An edge.
    Edge(u32),
    /// Nothing.
    Pane,
}

/// Where to look for the next node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Against the flow.
    Left,
    /// With the flow.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// How near (canvas pixels) counts as on a port.
const PORT_NEAR: f64 = 11.0;
/// How near (screen pixels) counts as on an edge.
const EDGE_NEAR: f64 = 8.0;
/// Side of the corner that a note is pulled by.
const CORNER: f64 = 16.0;

impl Scene {
    /// What is at `p`. `z` is the zoom; `detail` says whether ports and edges are shown.
    pub fn hit(&mut self, p: Point, z: f64, detail: bool) -> Hit {
        let slack = if detail {
            PORT_NEAR.max(EDGE_NEAR / z)
        } else {
            0.0
        };
        let mut found = Vec::new();
        self.node_grid.near(around(p, slack), &mut found);
        if detail && let Some(port) = self.port_at(p, &found) {
            return port;
        }
        let top = found
            .iter()
            .copied()
            .filter(|n| self.rect(*n).holds(p))
            .max_by_key(|n| (self.layer(*n), *n));
        if let Some(n) = top {
            let area = self.rect(n);
            let corner = self.kinds[n as usize] == Some(Kind::Note)
                && p.x > area.right() - CORNER
                && p.y > area.bottom() - CORNER;
            if detail && corner {
                return Hit::Corner(n);
            }
            // Edges run over notes.
            if self.kinds[n as usize] != Some(Kind::Note) || !detail {
                return Hit::Node(n);
            }
        }
        let edge = if detail {
            self.edge_at(p, EDGE_NEAR / z)
        } else {
            None
        };
        match (edge, top) {
            (Some(edge), _) => Hit::Edge(edge),
            (None, Some(n)) => Hit::Node(n),
            (None, None) => Hit::Pane,
        }
    }

    fn port_at(&self, p: Point, nodes: &[u32]) -> Option<Hit> {
        let mut best: Option<(f64, Hit)> = None;
        let mut offer = |place: Point, hit: Hit| {
            let far = place.distance(p);
            if far <= PORT_NEAR && best.is_none_or(|(known, _)| far < known) {
                best = Some((far, hit));
            }
        };
        for n in nodes {
            if self.has_port_in(*n) {
                offer(self.port_in_at(*n), Hit::PortIn(*n));
            }
            for port in 0..self.ports_out(*n).len() {
                if let Some(place) = self.port_out_at(*n, port) {
                    offer(place, Hit::PortOut(*n, port));
                }
            }
        }
        best.map(|(_, hit)| hit)
    }

    fn edge_at(&mut self, p: Point, near: f64) -> Option<u32> {
        let mut found = Vec::new();
        self.edge_grid.near(around(p, near), &mut found);
        found
            .into_iter()
            .filter_map(|e| Some((self.curve(e)?.distance(p, near), e)))
            .filter(|(far, _)| *far <= near)
            .min_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
            .map(|(_, e)| e)
    }

    /// What lies over what: notes below, selected nodes on top.
    pub fn layer(&self, node: u32) -> u8 {
        match (self.kinds[node as usize], self.is_selected(node)) {
            (Some(Kind::Note), _) => 0,
            (_, false) => 1,
            (_, true) => 2,
        }
    }

    /// Nodes that touch `area`.
    pub fn nodes_in(&mut self, area: Rect, found: &mut Vec<u32>) {
        self.node_grid.near(area, found);
        found.retain(|n| self.rect(*n).touches(area));
    }

    /// Edges whose rectangle touches `area`.
    pub fn edges_in(&mut self, area: Rect, found: &mut Vec<u32>) {
        self.edge_grid.near(area, found);
        found.retain(|e| self.edge_rects[*e as usize].touches(area));
    }

    /// The place where a wire from here can end, near `p`: the nearest port in (or, drawn backwards, the
    /// nearest port out). What is below the pointer counts before what is near it: all of a node counts
    /// as its port in, so that a wire can be dropped anywhere on it.
    pub fn wire_end(&mut self, p: Point, radius: f64, backwards: bool) -> Option<Hit> {
        let mut found = Vec::new();
        self.node_grid.near(around(p, radius), &mut found);
        let mut best: Option<(f64, Hit)> = None;
        for n in found {
            let below = self.rect(n).holds(p);
            let mut offer = |place: Point, hit: Hit| {
                let far = if below { -1.0 } else { place.distance(p) };
                let nearer = best.is_none_or(|(known, other)| {
                    far < known
                        || (far == known && place.distance(p) < self.port_place(other).distance(p))
                });
                if far <= radius && nearer {
                    best = Some((far, hit));
                }
            };
            if backwards {
                for port in 0..self.ports_out(n).len() {
                    if let Some(place) = self.port_out_at(n, port) {
                        offer(place, Hit::PortOut(n, port));
                    }
                }
            } else if self.has_port_in(n) {
                offer(self.port_in_at(n), Hit::PortIn(n));
            }
        }
        best.map(|(_, hit)| hit)
    }

    /// Where a port stands.
    pub fn port_place(&self, port: Hit) -> Point {
        match port {
            Hit::PortIn(n) => self.port_in_at(n),
            Hit::PortOut(n, port) => self.port_out_at(n, port).unwrap_or_default(),
            Hit::Corner(n) | Hit::Node(n) => self.rect(n).centre(),
            Hit::Edge(e) => self
                .curve(e)
                .map(|curve| curve.middle())
                .unwrap_or_default(),
            Hit::Pane => Point::default(),
        }
    }

    /// The nearest node in a direction, judged as an eye does: what is straight ahead counts before
    /// what is near but aside.
    pub fn next(
        &self,
        from: Point,
        direction: Direction,
        fits: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let score = |n: u32| {
            let to = self.rect(n).centre();
            let (dx, dy) = (to.x - from.x, to.y - from.y);
            let (ahead, aside) = match direction {
                Direction::Left => (-dx, dy.abs()),
                Direction::Right => (dx, dy.abs()),
                Direction::Up => (-dy, dx.abs()),
                Direction::Down => (dy, dx.abs()),
            };
            (ahead > 1.0).then_some(ahead + 3.0 * aside)
        };
        (0..self.nodes() as u32)
            .filter(|n| fits(*n))
            .filter_map(|n| Some((score(n)?, n)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, n)| n)
    }

    /// The node that a reader would begin with: farthest to the left, of those the highest.
    pub fn first(&self) -> Option<u32> {
        (0..self.nodes() as u32).min_by(|a, b| {
            let (a, b) = (self.rect(*a), self.rect(*b));
            a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y))
        })
    }
}

fn around(p: Point, by: f64) -> Rect {
    Rect {
        x: p.x,
        y: p.y,
        w: 0.0,
        h: 0.0,
    }
    .grown(by)
}
