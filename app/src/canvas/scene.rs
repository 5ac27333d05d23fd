//! What stands where: one array per property, so that a frame touches only what it needs. Node `n` and
//! edge `e` are those at the same places in the drawing's lists.
//!
//! The scene holds what gestures and painting need. Titles, texts and labels stay in the drawing.

mod find;
mod follow;

use std::{collections::HashMap, sync::Arc};

use domain::{graph::Drawing, kind::Kind};

pub use self::find::{Direction, Hit};
use super::{
    edge_path::Curve,
    geometry::{HEAD_PORT_Y, Point, Rect, at, rect},
    grid::Grid,
    status::Tint,
};

/// An end of an edge that is attached to nothing.
pub const NOWHERE: u32 = u32::MAX;

/// A port that goes out, and how far below the top of its node it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct OutPort {
    /// Its name.
    pub name: String,
    /// From the top.
    pub y: f64,
}

/// All that stands on the canvas.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// Whether nodes have the line that a run adds.
    run_row: bool,

    /// Ids of nodes, for the page.
    pub ids: Vec<Arc<str>>,
    /// What the nodes are; `None` for a kind that is unknown.
    pub kinds: Vec<Option<Kind>>,
    x: Vec<f64>,
    y: Vec<f64>,
    w: Vec<f64>,
    h: Vec<f64>,
    selected: Vec<bool>,
    selected_count: usize,
    /// How each node is coloured from far away.
    pub tints: Vec<Tint>,
    ports: Vec<Vec<OutPort>>,
    by_id: HashMap<Arc<str>, u32>,

    from: Vec<u32>,
    to: Vec<u32>,
    from_y: Vec<f64>,
    broken: Vec<bool>,
    edge_selected: Vec<bool>,
    edge_rects: Vec<Rect>,
    /// Edges of node `n`: `touching[touching_at[n]..touching_at[n + 1]]`.
    touching: Vec<u32>,
    touching_at: Vec<u32>,

    node_grid: Grid,
    edge_grid: Grid,
}

/// What `Scene::update` found to be different.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changed {
    /// Everything must be looked at again.
    pub all: bool,
    /// Nodes whose content is different.
    pub nodes: Vec<u32>,
    /// Nodes that stand elsewhere or have another size.
    pub moved: Vec<u32>,
    /// Edges whose content is different.
    pub edges: Vec<u32>,
}

impl Scene {
    /// The scene of a drawing.
    pub fn new(drawing: &Drawing, run_row: bool) -> Self {
        let mut scene = Self {
            run_row,
            ..Self::default()
        };
        scene.rebuild(drawing);
        scene
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.ids.len()
    }

    /// How many edges there are.
    pub fn edges(&self) -> usize {
        self.from.len()
    }

    /// The node with this id.
    pub fn find(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// Where a node stands and how large it is.
    pub fn rect(&self, node: u32) -> Rect {
        let n = node as usize;
        rect(self.x[n], self.y[n], self.w[n], self.h[n])
    }

    /// Whether nodes have the line that a run adds.
    pub fn run_row(&self) -> bool {
        self.run_row
    }

    /// The ports that go out of a node.
    pub fn ports_out(&self, node: u32) -> &[OutPort] {
        &self.ports[node as usize]
    }

    /// Whether anything can come into a node.
    pub fn has_port_in(&self, node: u32) -> bool {
        // A node of an unknown kind can be wired: its kind may be the only thing that is wrong.
        self.kinds[node as usize].is_none_or(|kind| !kind.ports_in().is_empty())
    }

    /// Where the port stands that things come in by.
    pub fn port_in_at(&self, node: u32) -> Point {
        let n = node as usize;
        at(self.x[n], self.y[n] + HEAD_PORT_Y)
    }

    /// Where a port stands that goes out.
    pub fn port_out_at(&self, node: u32, port: usize) -> Option<Point> {
        let n = node as usize;
        let port = self.ports[n].get(port)?;
        Some(at(self.x[n] + self.w[n], self.y[n] + port.y))
    }

    /// Node and node of an edge; `NOWHERE` for an end that is attached to nothing.
    pub fn ends(&self, edge: u32) -> (u32, u32) {
        (self.from[edge as usize], self.to[edge as usize])
    }

    /// Whether an end of it is attached to nothing.
    pub fn is_broken(&self, edge: u32) -> bool {
        self.broken[edge as usize]
    }

    /// The rectangle around an edge.
    pub fn edge_rect(&self, edge: u32) -> Rect {
        self.edge_rects[edge as usize]
    }

    /// Edges that begin or end at a node.
    pub fn edges_of(&self, node: u32) -> &[u32] {
        let n = node as usize;
        &self.touching[self.touching_at[n] as usize..self.touching_at[n + 1] as usize]
    }

    /// The line of an edge; `None` when both of its ends are attached to nothing.
    pub fn curve(&self, edge: u32) -> Option<Curve> {
        let e = edge as usize;
        let (from, to) = (self.from[e], self.to[e]);
        let start = (from != NOWHERE).then(|| {
            let n = from as usize;
            at(self.x[n] + self.w[n], self.y[n] + self.from_y[e])
        });
        let end = (to != NOWHERE).then(|| self.port_in_at(to));
        // A dangling edge is a stub that points to where its other end should be.
        const STUB: f64 = 60.0;
        match (start, end) {
            (Some(start), Some(end)) => Some(Curve::between(start, end)),
            (Some(start), None) => Some(Curve::between(start, start.plus(STUB, 0.0))),
            (None, Some(end)) => Some(Curve::between(end.plus(-STUB, 0.0), end)),
            (None, None) => None,
        }
    }

    /// The smallest rectangle around these nodes.
    pub fn bounds_of(&self, nodes: impl IntoIterator<Item = u32>) -> Option<Rect> {
        nodes
            .into_iter()
            .map(|node| self.rect(node))
            .reduce(Rect::with)
    }

    /// The smallest rectangle around all nodes.
    pub fn bounds(&self) -> Option<Rect> {
        self.bounds_of(0..self.nodes() as u32)
    }

    /// Puts a node elsewhere.
    pub fn place(&mut self, node: u32, to: Point) {
        let (before, n) = (self.rect(node), node as usize);
        if before.x == to.x && before.y == to.y {
            return;
        }
        (self.x[n], self.y[n]) = (to.x, to.y);
        self.node_grid.shift(node, before, self.rect(node));
        self.edges_follow(node);
    }

    /// Gives a node another size.
    pub fn resize(&mut self, node: u32, size: (f64, f64)) {
        let (before, n) = (self.rect(node), node as usize);
        (self.w[n], self.h[n]) = size;
        self.node_grid.shift(node, before, self.rect(node));
        self.edges_follow(node);
    }

    fn edges_follow(&mut self, node: u32) {
        let n = node as usize;
        for slot in self.touching_at[n] as usize..self.touching_at[n + 1] as usize {
            self.edge_follows(self.touching[slot]);
        }
    }

    fn edge_follows(&mut self, edge: u32) {
        let after = self.curve(edge).map(Curve::bounds).unwrap_or_default();
        let before = std::mem::replace(&mut self.edge_rects[edge as usize], after);
        self.edge_grid.shift(edge, before, after);
    }

    // ---------------------------------------------------------------------------------- selection

    /// Whether a node is selected.
    pub fn is_selected(&self, node: u32) -> bool {
        self.selected[node as usize]
    }

    /// How many nodes are selected.
    pub fn selected_count(&self) -> usize {
        self.selected_count
    }

    /// Every selected node, in the order of the file.
    pub fn selected(&self) -> impl Iterator<Item = u32> {
        let mut left = self.selected_count;
        self.selected
            .iter()
            .enumerate()
            .take_while(move |(_, on)| {
                // The flag is read before the count is used up, so the last one is still seen.
                let more = left > 0;
                left -= usize::from(**on && left > 0);
                more
            })
            .filter(|(_, on)| **on)
            .map(|(n, _)| n as u32)
    }

    /// Selects a node or not. Says whether that is new.
    pub fn select(&mut self, node: u32, on: bool) -> bool {
        let slot = &mut self.selected[node as usize];
        if *slot == on {
            return false;
        }
        *slot = on;
        if on {
            self.selected_count += 1;
        } else {
            self.selected_count -= 1;
        }
        true
    }

    /// Whether an edge is selected.
    pub fn is_edge_selected(&self, edge: u32) -> bool {
        self.edge_selected[edge as usize]
    }

    /// Every selected edge.
    pub fn selected_edges(&self) -> impl Iterator<Item = u32> {
        self.edge_selected
            .iter()
            .enumerate()
            .filter(|(_, on)| **on)
            .map(|(e, _)| e as u32)
    }

    /// Selects an edge or not. Says whether that is new.
    pub fn select_edge(&mut self, edge: u32, on: bool) -> bool {
        let slot = &mut self.edge_selected[edge as usize];
        std::mem::replace(slot, on) != on
    }
}

#[cfg(test)]
mod tests;
