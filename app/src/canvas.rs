//! The node-graph editor: `Canvas` to draw a workflow, `WatchCanvas` to watch one run.
//!
//! What it knows about graphs, places and gestures stands in pure modules that are tested without a
//! browser: `geometry`, `viewport`, `grid`, `edge_path`, `scene` (what stands where), `op`, `edit`,
//! `history`, `document` (what can be done to a drawing and undone), `model` (gestures and keys). The
//! nodes on screen are not components: `node_html` writes their markup for the server's first paint and
//! for the painter alike, and `paint` mounts only those near the view, once per frame. `stage` brings
//! model and painter together.
//!
//! Refused here: loading, saving, and judging a drawing. Pages load and save, `domain` judges.

pub mod clipboard;
pub mod controls;
pub mod document;
pub mod dom;
pub mod edge_html;
pub mod edge_path;
pub mod edit;
pub mod first_paint;
pub mod geometry;
pub mod grid;
pub mod history;
pub mod keyboard;
pub mod model;
pub mod node_html;
pub mod op;
pub mod paint;
pub mod references;
pub mod scene;
pub mod stage;
pub mod status;
pub mod viewport;
pub mod watch;

use std::{collections::HashMap, sync::Arc};

use domain::graph::{Drawing, layout::place_missing};
use leptos::{html, prelude::*};

use self::{
    controls::ZoomControls,
    document::Document,
    first_paint::{FirstPaint, IMAGINED, first_paint},
    model::{Ask, Model},
    paint::Extras,
    stage::CanvasHandle,
};

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

/// Errors and warnings by node id.
pub type ProblemCounts = Arc<HashMap<String, (u32, u32)>>;

/// A drawing that can be edited. Everything that a person does comes out as an `Ask`; what the page
/// makes of it, it puts into the document.
#[component]
pub fn Canvas(
    /// What is edited.
    document: RwSignal<Document>,
    /// What is wrong with which node.
    #[prop(into)]
    problems: Signal<ProblemCounts>,
    /// The page's hold on the canvas.
    handle: CanvasHandle,
    /// What the page is asked to do.
    #[prop(into)]
    on_ask: Callback<Ask>,
) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let first = document.with_untracked(|document| {
        problems.with_untracked(|problems| first_paint(document.drawing(), problems, None))
    });
    handle.zoom.set(first.view.z);
    Effect::new(move |_| {
        let Some(root) = node.get() else {
            return;
        };
        let model = document.with_untracked(|document| Model::new(document.drawing(), true));
        let read = move |look: &mut dyn FnMut(&Extras<'_>)| {
            document.with_untracked(|document| {
                problems.with_untracked(|problems| {
                    look(&Extras {
                        drawing: document.drawing(),
                        problems,
                        statuses: None,
                    });
                });
            });
        };
        let ask = move |ask| {
            if let Some(()) = on_ask.try_run(ask) {}
        };
        handle.attach(root.into(), model, Box::new(read), Box::new(ask));
    });
    Effect::new(move |_| {
        document.track();
        let touched = document
            .try_update_untracked(Document::take_touched)
            .unwrap_or_default();
        if !touched.is_empty() {
            handle.look(|stage, extras| stage.model.update(extras.drawing, &touched));
        }
    });
    Effect::new(move |before: Option<ProblemCounts>| {
        let after = problems.get();
        handle.with(|stage| {
            let changed =
                |id: &str| before.as_ref().and_then(|before| before.get(id)) != after.get(id);
            let ids = stage.model.scene.ids.iter().enumerate();
            let nodes: Vec<u32> = ids
                .filter(|(_, id)| changed(id))
                .map(|(n, _)| n as u32)
                .collect();
            stage.model.dirty.content.extend(nodes);
        });
        after
    });
    on_cleanup(move || handle.detach());
    view! { <Root node first mode="edit" label="Workflow. Arrow keys go from step to step; press ? for all keys."/> }
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
    let node = NodeRef::<html::Div>::new();
    let handle = CanvasHandle::default();
    let minimap = RwSignal::new(false);
    let placed = Memo::new(move |_| placed(drawing.get()));
    let nothing = Arc::new(HashMap::new());
    let first = first_paint(
        &placed.get_untracked(),
        &nothing,
        Some(&statuses.get_untracked()),
    );
    handle.zoom.set(first.view.z);
    Effect::new(move |_| {
        let Some(root) = node.get() else {
            return;
        };
        // A new drawing is a new canvas: a run never changes its own.
        let drawing = placed.get();
        let mut model = Model::new(&drawing, false);
        statuses.with_untracked(|statuses| {
            for n in 0..model.scene.nodes() as u32 {
                let tint = watch::tint(statuses, &model.scene.ids[n as usize]);
                model.set_status(n, tint);
            }
        });
        let nothing = nothing.clone();
        let read = move |look: &mut dyn FnMut(&Extras<'_>)| {
            statuses.with_untracked(|statuses| {
                look(&Extras {
                    drawing: &drawing,
                    problems: &nothing,
                    statuses: Some(statuses),
                });
            });
        };
        let ask = move |ask| {
            if ask == Ask::Selection {
                let chosen = handle.with(|stage| {
                    let n = stage.model.scene.selected().next()?;
                    Some(stage.model.scene.ids[n as usize].to_string())
                });
                if selected
                    .try_get_untracked()
                    .is_some_and(|known| Some(known) != chosen)
                {
                    selected.set(chosen.flatten());
                }
            } else if ask == Ask::ToggleMinimap {
                minimap.update(|on| *on = !*on);
            }
        };
        handle.detach();
        handle.attach(root.into(), model, Box::new(read), Box::new(ask));
        handle.with(|stage| stage.show_minimap(minimap.get_untracked()));
    });
    Effect::new(move |before: Option<Arc<HashMap<String, NodeStatus>>>| {
        let after = statuses.get();
        handle.with(|stage| {
            let known = before.as_deref();
            let nothing = HashMap::new();
            let news = watch::news(&stage.model, known.unwrap_or(&nothing), &after);
            for n in news.nodes {
                let tint = watch::tint(&after, &stage.model.scene.ids[n as usize]);
                stage.model.set_status(n, tint);
            }
            if known.is_some() {
                stage.pulse(&news.edges);
            }
        });
        after
    });
    Effect::new(move |_| {
        let wanted = selected.get();
        handle.with(|stage| {
            let n = wanted.as_deref().and_then(|id| stage.model.scene.find(id));
            let now: Vec<u32> = stage.model.scene.selected().collect();
            if now != Vec::from_iter(n) {
                stage.model.select_only(&Vec::from_iter(n));
                stage.model.set_active(n);
                if let Some(n) = n {
                    stage.model.reveal(n, dom::now_ms());
                }
            }
        });
    });
    on_cleanup(move || handle.detach());
    view! {
        <div class="canvas-frame">
            <Root node first mode="watch" label="Graph of the run. Arrow keys go from step to step."/>
            <div class="canvas-corner"><ZoomControls handle minimap/></div>
        </div>
    }
}

/// The element that everything is painted into, with what the server painted.
#[component]
fn Root(
    node: NodeRef<html::Div>,
    first: FirstPaint,
    mode: &'static str,
    label: &'static str,
) -> impl IntoView {
    let FirstPaint { view, far, html } = first;
    let mut style = String::new();
    view.write_css(&mut style);
    // The middle of the imagined pane lies on the middle of the real one until that is known.
    let style = format!(
        "transform:{style};left:calc(50% - {}px);top:calc(50% - {}px)",
        IMAGINED.w / 2.0,
        IMAGINED.h / 2.0
    );
    view! {
        <div
            class="canvas"
            data-canvas=""
            data-mode=mode
            data-lod=if far { "far" } else { "near" }
            role="application"
            aria-label=label
            tabindex="0"
            node_ref=node
        >
            <div class="canvas-dots" aria-hidden="true"></div>
            <div class="canvas-viewport" data-viewport="" style=style inner_html=html></div>
        </div>
    }
}

/// The drawing with a place for every node.
fn placed(drawing: Arc<Drawing>) -> Arc<Drawing> {
    if drawing
        .nodes
        .iter()
        .all(|node| drawing.layout.nodes.contains_key(&node.id))
    {
        return drawing;
    }
    let mut drawing = Drawing::clone(&drawing);
    place_missing(&mut drawing);
    Arc::new(drawing)
}
