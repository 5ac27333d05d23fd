//! The node-graph editor: `Canvas` to draw a workflow, `WatchCanvas` to watch one run.
//!
//! What it knows about graphs, places and gestures stands in pure modules that are tested without a
//! browser. The nodes on screen are not components: `node_html` writes their markup for the server's
//! first paint and for the painter alike, and `paint` mounts only those near the view.
//!
//! Refused here: loading, saving, and judging a drawing. Pages load and save, `domain` judges.

pub mod clipboard;
pub mod document;
pub mod edge_path;
pub mod edit;
pub mod geometry;
pub mod grid;
pub mod history;
pub mod keyboard;
pub mod model;
pub mod node_html;
pub mod op;
pub mod references;
pub mod scene;
pub mod status;
pub mod viewport;

use std::{collections::HashMap, sync::Arc};

use domain::graph::Drawing;
use leptos::prelude::*;

/// What a node shows while a run is on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeStatus {
    /// State of its task: `blocked`, `running`, ...
    pub status: String,
    /// One short line: seconds, tokens, cost. Empty for none.
    pub note: String,
    /// Name of the agent that works on it.
    pub agent: Option<String>,
}

/// A drawing that can be looked at but not changed, with the state of each node.
#[component]
pub fn WatchCanvas(
    /// What is shown.
    #[prop(into)]
    drawing: Signal<Arc<Drawing>>,
    /// By node id; a node that is missing shows no state.
    #[prop(into)]
    statuses: Signal<Arc<HashMap<String, NodeStatus>>>,
    /// The node that is selected; set here and by the page.
    selected: RwSignal<Option<String>>,
) -> impl IntoView {
    let _ = (drawing, statuses, selected);
    view! { <div data-canvas="" role="application"></div> }
}
