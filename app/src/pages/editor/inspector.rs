//! The panel at the right edge: a form for what is selected, made from the table of its kind.

mod body;
mod edge;
mod field;
mod node;
mod retry;
mod rows;
mod text;
pub mod upstream;
mod workflow;

use leptos::prelude::*;

use self::{edge::EdgeForm, node::NodeForm, workflow::WorkflowForm};
use domain::kind::Kind;

use super::state::{Editor, Selection};
use crate::components::{Button, ButtonLook, Glyph, IconButton};

/// The panel.
#[component]
pub fn Inspector(editor: Editor, panel: RwSignal<bool>) -> impl IntoView {
    // On small screens the panel is a sheet: it comes when something is selected.
    Effect::new(move |_| {
        let open = editor
            .selection
            .with(|selection| *selection != Selection::Nothing);
        panel.set(open);
    });
    view! {
        <aside class="inspector nokey" aria-label="Properties">
            <div class="sheet-close">
                <IconButton glyph=Glyph::Cross label="Close" on_press=move |()| panel.set(false)/>
            </div>
            {move || match editor.selection.get() {
                Selection::Nothing if editor.place_inside().is_some() => view! { <InsideForm editor/> }.into_any(),
                Selection::Nothing => view! { <WorkflowForm editor/> }.into_any(),
                Selection::Node(id) => view! { <NodeForm editor id/> }.into_any(),
                Selection::Edge(id) => view! { <EdgeForm editor id/> }.into_any(),
                Selection::Many { nodes, edges } => view! { <Several editor nodes edges/> }.into_any(),
            }}
        </aside>
    }
}

/// What is open, where that is the inside of a map or loop.
#[component]
fn InsideForm(editor: Editor) -> impl IntoView {
    let around = Memo::new(move |_| editor.around());
    let title = move || around.get().map(|(title, _)| title).unwrap_or_default();
    let sees = move || {
        if around.get().and_then(|(_, kind)| kind) == Some(Kind::Map) {
            "These steps are done once for each item. They read it as {{ item }}, its place as {{ index }}, and every step around them. What the last step brings is the result of the item."
        } else {
            "These steps are done again and again. They read the round as {{ index }}, every step around them, and outputs of the round before until they have new ones."
        }
    };
    view! {
        <header class="inspector-head"><h2>"Inside of " {title}</h2></header>
        <p class="help">{sees}</p>
    }
}

/// What can be done to several things at once.
#[component]
fn Several(editor: Editor, nodes: Vec<String>, edges: Vec<String>) -> impl IntoView {
    let count = match (nodes.len(), edges.len()) {
        (nodes, 0) => format!("{nodes} steps selected"),
        (0, edges) => format!("{edges} connections selected"),
        (nodes, edges) => format!("{nodes} steps and {edges} connections selected"),
    };
    let some_nodes = !nodes.is_empty();
    view! {
        <header class="inspector-head"><h2>{count}</h2></header>
        <div class="inspector-actions">
            {some_nodes.then(|| view! {
                <Button icon=Glyph::Duplicate on_press=move |()| editor.duplicate()>"Duplicate"</Button>
                <Button icon=Glyph::Pause on_press=move |()| editor.toggle_disabled()>"Disable or enable"</Button>
                <Button icon=Glyph::Tidy on_press=move |()| editor.tidy()>"Tidy up"</Button>
            })}
            <Button look=ButtonLook::Danger icon=Glyph::Trash on_press=move |()| editor.remove(nodes.clone(), edges.clone())>"Delete"</Button>
        </div>
    }
}
