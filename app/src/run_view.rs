//! A run as people watch it: graph above, tasks on their timeline below, one selection for all, the
//! transcript of the selected task beside it. A live run and a finished one are the same page.
//!
//! `store` and `stream` hold the rules of staying current, `bars`, `focus`, `rounds` and `said` what is
//! drawn, listed and said, all pure. `watch` makes them signals, `feed` connects those to the live stream. The rest are
//! components.
//!
//! Refused here: a state of its own. What a run is, `domain::run::Run` says, changed by its `apply` alone.

mod again;
mod answering;
mod attempts;
mod bars;
mod bottom;
mod controls;
mod data;
mod failures;
mod feed;
mod focus;
mod graph;
mod header;
mod held;
mod input;
mod keys;
mod outcome;
mod panel;
mod play_back;
mod rounds;
mod said;
mod selection;
mod store;
#[cfg(test)]
mod story;
mod stream;
mod tabs;
mod tasks;
mod transcript;
mod trouble;
mod turn;
mod waits;
mod watch;

use leptos::prelude::*;
use leptos_meta::Title;

pub use self::selection::escape;
use self::{
    graph::Graph,
    header::Header,
    keys::use_keys,
    outcome::{RunPanel, RunTab},
    panel::{TaskPanel, TaskTab},
    selection::Selection,
    tasks::Tasks,
    watch::Watch,
};
use crate::{api::dto::RunSnapshot, components::top_bar::set_crumb};

/// A run, kept current while it is open.
#[component]
pub fn RunView(
    /// Where it stands.
    snapshot: RunSnapshot,
) -> impl IntoView {
    let head = snapshot.head;
    let watch = Watch::new(snapshot);
    let selection = Selection::new(watch);
    feed::keep_current(watch, head);
    use_keys(selection);
    let name = watch.peek(|run| run.workflow_name.clone());
    let title = {
        let name = name.clone();
        move || format!("{name}: {}", watch.run(|run| run.state.name()))
    };
    set_crumb(move || Some(name.clone()));
    view! {
        <Title text=title/>
        <div class="run-page" data-chosen=move || selection.is_chosen().to_string() data-status=move || watch.run(|run| run.state.name())>
            <Header watch selection/>
            <div class="run-work">
                <Graph watch selection/>
                <Tasks watch selection/>
            </div>
            <Side watch selection/>
            <Announcer watch selection/>
        </div>
    }
}

/// The right side: the selected task, or the run.
#[component]
fn Side(watch: Watch, selection: Selection) -> impl IntoView {
    // The open tab stays open from task to task.
    let task_tab = RwSignal::new(TaskTab::Transcript);
    let run_tab = RwSignal::new(RunTab::Result);
    let label = move || {
        if selection.shown.get().is_some() {
            "Selected task"
        } else {
            "The run"
        }
    };
    view! {
        <aside class="run-panel" aria-label=label>
            {move || match selection.shown.get() {
                Some(name) => view! { <TaskPanel watch selection name tab=task_tab/> }.into_any(),
                None => view! { <RunPanel watch selection tab=run_tab/> }.into_any(),
            }}
        </aside>
    }
}

/// Says changes of state aloud: of the run, and of the task that is shown. Never single tokens.
#[component]
fn Announcer(watch: Watch, selection: Selection) -> impl IntoView {
    let run = Memo::new(move |_| watch.run(|run| run.state.name()));
    let task = Memo::new(move |_| {
        let name = selection.shown.get()?;
        watch.task(&name, |task| {
            format!("{}: {}. ", task.title, task.state.name())
        })
    });
    let said = move || format!("{}Run {}.", task.get().unwrap_or_default(), run.get());
    view! { <p class="only-said" aria-live="polite">{said}</p> }
}
