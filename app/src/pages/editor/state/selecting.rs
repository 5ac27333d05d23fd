//! What is selected, and bringing something into view.

use std::time::Duration;

use leptos::prelude::*;

use super::{Editor, Selection};
use crate::canvas::dom::now_ms;

impl Editor {
    /// Ids of the selected nodes.
    pub fn selected_nodes(self) -> Vec<String> {
        match self.selection.get_untracked() {
            Selection::Nothing | Selection::Edge(_) => Vec::new(),
            Selection::Node(id) => vec![id],
            Selection::Many { nodes, .. } => nodes,
        }
    }

    /// Selects these nodes, as soon as the canvas knows them.
    pub fn select(self, ids: &[String]) {
        let ids = ids.to_vec();
        // The canvas takes over the document in an effect, which has not run yet.
        let select = move || {
            self.handle.with(|stage| {
                let nodes: Vec<u32> = ids
                    .iter()
                    .filter_map(|id| stage.model.scene.find(id))
                    .collect();
                stage.model.select_only(&nodes);
                stage.model.set_active(nodes.first().copied());
            });
        };
        set_timeout(select, Duration::ZERO);
    }

    /// Selects a node, brings it into view, and gives the focus to one of its fields.
    pub fn jump(self, node: &str, key: Option<&str>) {
        self.handle.with(|stage| {
            if let Some(n) = stage.model.scene.find(node) {
                stage.model.select_only(&[n]);
                stage.model.set_active(Some(n));
                stage.model.reveal(n, now_ms());
            }
        });
        self.focus_key.set(key.map(str::to_owned));
    }

    /// Selects an edge and brings it into view.
    pub fn jump_to_edge(self, edge: &str) {
        let place = self.peek(|drawing| drawing.edges.iter().position(|known| known.id() == edge));
        self.handle.with(|stage| {
            if let Some(e) = place.map(|place| place as u32) {
                stage.model.clear_selection();
                stage.model.select_only_edges(&[e]);
                let (from, to) = stage.model.scene.ends(e);
                if let Some(n) = [from, to]
                    .into_iter()
                    .find(|n| (*n as usize) < stage.model.scene.nodes())
                {
                    stage.model.reveal(n, now_ms());
                }
            }
        });
    }

    pub(super) fn read_selection(self) {
        let selection = self.handle.look(|stage, extras| {
            let scene = &stage.model.scene;
            let nodes: Vec<String> = scene
                .selected()
                .map(|n| scene.ids[n as usize].to_string())
                .collect();
            let edge = |e: u32| extras.drawing.edges.get(e as usize).map(|edge| edge.id());
            let edges: Vec<String> = scene.selected_edges().filter_map(edge).collect();
            match (nodes.as_slice(), edges.as_slice()) {
                ([], []) => Selection::Nothing,
                ([node], []) => Selection::Node(node.clone()),
                ([], [edge]) => Selection::Edge(edge.clone()),
                (_, _) => Selection::Many { nodes, edges },
            }
        });
        if let Some(selection) = selection
            && selection != self.selection.get_untracked()
        {
            self.selection.set(selection);
        }
    }
}
