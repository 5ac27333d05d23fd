//! A workflow in the list, with what can be done to it.

use domain::id::WorkflowId;
use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    badge::{Badge, StatusGlyph},
    button::{Button, IconButton},
    download::download,
    icon::Glyph,
    numbers::RelativeTime,
    starter::Starter,
    toast::{Toasts, use_toasts},
};
use crate::{
    api,
    api::dto::{LastRun, WorkflowSummary},
    words,
};

/// A workflow in the list.
#[component]
pub fn WorkflowRow(
    /// The workflow.
    workflow: Signal<WorkflowSummary>,
    /// Starts it.
    starter: Starter,
    /// The list is different now.
    changed: Callback<()>,
    /// This one is gone.
    removed: Callback<WorkflowId>,
    /// This one is back.
    restored: Callback<WorkflowId>,
) -> impl IntoView {
    let id = workflow.read_untracked().id;
    let name = Signal::derive(move || workflow.read().name.clone());
    let runnable = move || workflow.read().runnable;
    view! {
        <li class="row workflow-row">
            <div class="row-main">
                <A href=format!("/workflows/{id}") attr:class="row-link" attr:data-row="">{name}</A>
                {move || (!runnable()).then(|| view! { <Badge status="warning">"has problems"</Badge> })}
                <p class="row-note">{move || workflow.with(|one| words::short(&one.description, 200))}</p>
            </div>
            <span class="row-figure muted">
                {move || workflow.with(|one| format!("{} · v{}", words::plural(one.nodes.into(), "step", "steps"), one.version))}
            </span>
            <span class="row-when muted"><RelativeTime at=Signal::derive(move || workflow.read().updated_at)/></span>
            <span class="row-last">
                {move || workflow.with(|one| one.last_run.clone()).map(|last| view! { <Last last/> })}
            </span>
            <div class="row-actions">
                <Button
                    icon=Glyph::Play
                    disabled=Signal::derive(move || !runnable())
                    busy=starter.busy()
                    on_press=move |()| starter.ask(id)
                >
                    "Run"
                    <span class="only-said">{move || format!(" {}", name.get())}</span>
                </Button>
                <Keep id name changed/>
                <Delete id name removed restored/>
            </div>
        </li>
    }
    .into_any()
}

/// Its newest run.
#[component]
fn Last(last: LastRun) -> impl IntoView {
    view! {
        <A href=format!("/runs/{}", last.id) attr:class="last-run">
            <StatusGlyph status=last.status/>
            <RelativeTime at=last.created_at/>
        </A>
    }
}

/// Takes it out as a file, or makes a second one.
#[component]
fn Keep(id: WorkflowId, name: Signal<String>, changed: Callback<()>) -> impl IntoView {
    let toasts = use_toasts();
    let export = Action::new(move |(): &()| async move {
        match api::workflow(id, None).await {
            Ok(detail) => download(
                &file_name(&detail.drawing.name),
                "application/json",
                &detail.drawing.to_text(),
            ),
            Err(error) => toasts.fail(&error),
        }
    });
    let duplicate = Action::new(move |(): &()| async move {
        match api::duplicate_workflow(id).await {
            Ok(_) => {
                toasts.say(format!("Made a copy of “{}”.", name.get_untracked()));
                changed.run(());
            }
            Err(error) => toasts.fail(&error),
        }
    });
    view! {
        <IconButton glyph=Glyph::Download label=Signal::derive(move || format!("Export {}", name.get())) on_press=move |()| { export.dispatch(()); }/>
        <IconButton glyph=Glyph::Duplicate label=Signal::derive(move || format!("Duplicate {}", name.get())) on_press=move |()| { duplicate.dispatch(()); }/>
    }
}

/// Deletes it at once, and takes that back for 10 s.
#[component]
fn Delete(
    id: WorkflowId,
    name: Signal<String>,
    removed: Callback<WorkflowId>,
    restored: Callback<WorkflowId>,
) -> impl IntoView {
    let toasts = use_toasts();
    let delete = Action::new(move |(): &()| async move {
        match api::delete_workflow(id).await {
            Ok(()) => {
                toasts.undo(
                    format!("Deleted “{}”. Its runs stay.", name.get_untracked()),
                    move || restore(id, toasts, restored),
                );
                removed.run(id);
            }
            Err(error) => toasts.fail(&error),
        }
    });
    view! {
        <IconButton glyph=Glyph::Trash label=Signal::derive(move || format!("Delete {}", name.get())) disabled=delete.pending() on_press=move |()| { delete.dispatch(()); }/>
    }
}

/// The row is gone by then, and the list may be too.
fn restore(id: WorkflowId, toasts: Toasts, restored: Callback<WorkflowId>) {
    leptos::task::spawn_local(async move {
        match api::restore_workflow(id).await {
            Ok(()) => {
                let _left = restored.try_run(id);
            }
            Err(error) => toasts.fail(&error),
        }
    });
}

/// A file name that every system takes.
fn file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let parts: Vec<&str> = plain.split('-').filter(|part| !part.is_empty()).collect();
    let stem = if parts.is_empty() {
        "workflow".to_owned()
    } else {
        parts.join("-")
    };
    format!("{}.json", stem.chars().take(80).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn file_names_are_plain() {
        assert_eq!(file_name("Plan, build & review"), "plan-build-review.json");
        assert_eq!(file_name("../.."), "workflow.json");
    }
}
