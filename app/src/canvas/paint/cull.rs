//! Which nodes and edges are elements: those in view and around it. Nothing is done while the view
//! moves inside what is laid out already.

use super::{Edges, Extras, Nodes};
use crate::canvas::{
    geometry::Rect,
    model::{KEEP_ALL, Model, far_below},
};

/// What is laid out around the view, in screen pixels. Far out, where a pixel holds more nodes, less.
const MARGIN: f64 = 420.0;
/// Nodes laid out in one frame while the view moves; those in view come first.
const MOST_PER_FRAME: usize = 48;

/// The part of the canvas that is laid out.
#[derive(Debug, Default)]
pub struct Culling {
    done: Rect,
    z: f64,
    unfinished: bool,
    found: Vec<u32>,
}

impl Culling {
    /// How many nodes are in view.
    pub fn count(&mut self, model: &mut Model) -> usize {
        if model.view.z < far_below(model.scene.nodes()) {
            return 0;
        }
        let seen = model.view.seen(model.pane);
        model.scene.nodes_in(seen, &mut self.found);
        self.found.len()
    }

    /// Lays out what has come near and removes what is far away. Says whether more is left to do.
    pub fn cull(
        &mut self,
        model: &mut Model,
        extras: &Extras<'_>,
        nodes: &mut Nodes,
        edges: &mut Edges,
        must: bool,
    ) -> bool {
        let view = model.view;
        let seen = view.seen(model.pane);
        let margin = MARGIN * view.z.clamp(0.4, 1.0) / view.z;
        let near = self.done.covers(seen.grown(margin * 0.4)) && self.z == view.z;
        if near && !must && !self.unfinished {
            return false;
        }
        let first = self.z == 0.0;
        let whole = model.scene.nodes() <= KEEP_ALL;
        let bounds = if whole { model.scene.bounds() } else { None };
        let area = seen.grown(margin).with(bounds.unwrap_or(seen));
        let leave = area.with(seen.grown(margin * 2.0));
        (self.done, self.z) = (area, view.z);

        model.scene.nodes_in(area, &mut self.found);
        let mut missing: Vec<u32> = self
            .found
            .iter()
            .copied()
            .filter(|n| !nodes.has(*n))
            .collect();
        // In view first; of those, in the order of the file.
        missing.sort_unstable_by_key(|n| (!model.scene.rect(*n).touches(seen), *n));
        let in_view = missing.partition_point(|n| model.scene.rect(*n).touches(seen));
        let now = if first {
            missing.len()
        } else {
            in_view.max(MOST_PER_FRAME)
        };
        self.unfinished = missing.len() > now;
        missing.truncate(now);
        nodes.mount(model, extras, &missing);
        // Hysteresis: what has just left stays for a while, for hands that go to and fro.
        nodes.unmount_outside(model, leave);

        model.scene.edges_in(area, &mut self.found);
        self.found.retain(|e| !edges.has(*e));
        edges.mount(model, extras, &self.found);
        edges.unmount_outside(model, leave);
        self.unfinished
    }
}
