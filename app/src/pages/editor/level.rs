//! One drawing of the workflow on the canvas: its own, or what is inside of a map or loop, with the way
//! back above it.

use std::time::Duration;

use domain::id::WorkflowId;
use leptos::prelude::*;

use super::{
    banner::ConflictBanner,
    inspector::Inspector,
    kinds::Kinds,
    label::LabelField,
    saving::Saver,
    search::AddSearch,
    state::{Editor, Levels},
    strip::Strip,
    toolbar::Toolbar,
};
use crate::canvas::Canvas;

/// How long a canvas takes to be there.
const SETTLED: Duration = Duration::from_millis(60);

/// The drawing that is open.
#[component]
pub fn Level(
    /// The workflow's own drawing.
    root: Editor,
    saver: Saver,
    workflow: WorkflowId,
    levels: Levels,
    /// The nodes on the way in.
    path: Vec<String>,
    panel: RwSignal<bool>,
) -> impl IntoView {
    let mut editor = root;
    for (depth, node) in path.iter().enumerate() {
        let around = editor;
        editor = around.inside(node);
        let node = node.clone();
        Effect::new(move |_| {
            if around.drawing(|drawing| drawing.node(&node).is_none()) {
                levels.back_to(depth);
            }
        });
    }
    Effect::new(move |_| {
        if let Some((node, key)) = levels.wanted.try_update_value(Option::take).flatten() {
            set_timeout(move || editor.jump(&node, key.as_deref()), SETTLED);
        }
    });
    view! {
        <Kinds editor/>
        <section class="editor-canvas" aria-label="Canvas">
            <Canvas
                document=editor.document
                problems=editor.counts()
                handle=editor.handle
                on_ask=move |ask| editor.answer(ask)
            />
            <Toolbar editor root saver workflow/>
            <Way root levels path/>
            <ConflictBanner editor=root saver/>
            <AddSearch editor/>
            <LabelField editor/>
        </section>
        <Inspector editor panel/>
        <Strip editor root saver levels/>
        <p class="only-said" role="status" aria-live="polite">{move || editor.said.get()}</p>
    }
}

/// The way back: `Workflow / each / again`.
#[component]
fn Way(root: Editor, levels: Levels, path: Vec<String>) -> impl IntoView {
    if path.is_empty() {
        return ().into_any();
    }
    let last = path.len() - 1;
    let steps = path.into_iter().enumerate().map(|(depth, node)| {
        let title = match depth {
            // Further in, ids are what people know the steps by.
            0 => root.peek(|drawing| drawing.node(&node).map(|node| node.title().to_owned())),
            _ => None,
        };
        let title = title.unwrap_or(node);
        let here = (depth == last).then_some("page");
        view! {
            <span aria-hidden="true">"/"</span>
            <button type="button" class="level" aria-current=here on:click=move |_| levels.back_to(depth + 1)>{title}</button>
        }
    });
    view! {
        <nav class="levels" aria-label="Levels">
            <button type="button" class="level" on:click=move |_| levels.back_to(0)>"Workflow"</button>
            {steps.collect_view()}
        </nav>
    }
    .into_any()
}
