//! The right side while no task is shown: what came of the run, what it was given, all of it as data.

use domain::run::{RunError, RunState};
use leptos::prelude::*;

use crate::{
    components::{Button, StatusGlyph},
    run_view::{
        data::{JsonView, ValueView, pretty},
        failures::{RawAnswer, last_raw},
        said,
        selection::Selection,
        tabs::{Tab, TabRow},
        trouble::Trouble,
        watch::Watch,
    },
};

/// What of the run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunTab {
    /// Its output, or what became of it.
    Result,
    /// What it was given.
    Input,
    /// Everything, as data.
    Raw,
}

impl Tab for RunTab {
    const ALL: &'static [Self] = &[Self::Result, Self::Input, Self::Raw];

    fn label(self) -> &'static str {
        match self {
            RunTab::Result => "Result",
            RunTab::Input => "Input",
            RunTab::Raw => "Raw",
        }
    }
}

/// The panel of the run as a whole.
#[component]
pub fn RunPanel(watch: Watch, selection: Selection, tab: RwSignal<RunTab>) -> impl IntoView {
    view! {
        <header class="side-head">
            <div class="side-title"><h2>"The run"</h2></div>
        </header>
        <TabRow open=tab label="What of the run" panel="run-tab"/>
        <div class="side-body" role="tabpanel" id="run-tab" data-tab=move || tab.get().label()>
            {move || match tab.get() {
                RunTab::Result => view! { <Outcome watch selection/> }.into_any(),
                RunTab::Input => view! { <ValueView value=watch.peek(|run| run.input.clone()) what="the input"/> }.into_any(),
                RunTab::Raw => view! { <RawRun watch/> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn Outcome(watch: Watch, selection: Selection) -> impl IntoView {
    let state = Memo::new(move |_| watch.run(|run| run.state.clone()));
    let progress = Memo::new(move |_| watch.whole(said::progress));
    move || {
        match state.get() {
        RunState::Queued => {
            view! { <p class="muted">"Accepted. It begins as soon as the server gets to it."</p> }
                .into_any()
        }
        RunState::Paused { by } => view! {
            <p>{format!("Held by {by}: what was under way ends, nothing starts. ")} {progress} "."</p>
        }
        .into_any(),
        RunState::Running => view! {
            <p class="muted">"The output appears here when the run is done. " {progress} "."</p>
            <p class="muted">"Select a task to watch it, or follow the newest one with Follow."</p>
        }
        .into_any(),
        RunState::Succeeded { output } => view! {
            <section class="result" aria-label="Output">
                <ValueView value=output what="the output"/>
            </section>
        }
        .into_any(),
        RunState::Failed { error } => view! { <Failure watch selection error/> }.into_any(),
        RunState::Cancelled { by } => {
            view! { <p>{format!("Cancelled by {by}. ")} {progress} "."</p> }.into_any()
        }
    }
    }
}

#[component]
fn Failure(watch: Watch, selection: Selection, error: RunError) -> impl IntoView {
    let RunError { task, error } = error;
    let raw = task
        .as_ref()
        .and_then(|name| watch.peek(|run| run.tasks.get(name).and_then(last_raw)));
    let link = task.map(|name| {
        let title = watch
            .peek(|run| run.tasks.get(&name).map(|task| task.title.clone()))
            .unwrap_or_else(|| name.to_string());
        view! {
            <p class="failed-task">
                <StatusGlyph status="failed" plain=true/>
                "The run stopped at "
                <Button on_press=move |()| selection.choose(Some(name.clone()))>{title}</Button>
            </p>
        }
    });
    view! {
        {link}
        <Trouble error/>
        {raw.map(|raw| view! { <RawAnswer raw/> })}
    }
}

/// All of a run can be megabytes: while it goes on they are written once a second, not with each event.
#[component]
fn RawRun(watch: Watch) -> impl IntoView {
    let second = Memo::new(move |_| watch.now.get().0.div_euclid(1_000));
    let text = Memo::new(move |_| {
        second.track();
        watch.run(pretty)
    });
    move || view! { <JsonView text=text.get() what="the run"/> }
}
