//! What is selected, and which node has the keyboard.

use super::{Ask, Model};

impl Model {
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

    pub(super) fn select(&mut self, node: u32, on: bool) {
        if self.scene.select(node, on) {
            self.dirty.selected.push(node);
            self.selection_changed();
        }
    }

    pub(super) fn select_edge(&mut self, edge: u32, on: bool) {
        if self.scene.select_edge(edge, on) {
            self.dirty.selected_edges.push(edge);
            self.selection_changed();
        }
    }

    pub(super) fn selection_changed(&mut self) {
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
}
