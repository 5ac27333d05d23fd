//! A run in a list: state, name, the strip of its tasks, how long, how much.

use domain::time::Timestamp;
use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    badge::StatusGlyph,
    copy::CopyId,
    numbers::{Elapsed, Money, RelativeTime},
};
use crate::{
    api::dto::{RunSummary, Tick},
    words,
};

/// One mark per task, coloured by state.
#[component]
pub fn Ticks(
    /// The run.
    run: Signal<RunSummary>,
) -> impl IntoView {
    let said = move || {
        run.with(|run| {
            format!(
                "{} of {} done",
                run.tasks_settled,
                words::plural(run.tasks.into(), "task", "tasks")
            )
        })
    };
    let marks = move || run.with(|run| run.ticks.iter().map(mark).collect_view());
    view! { <span class="ticks" role="img" aria-label=said title=said>{marks}</span> }
}

fn mark(tick: &Tick) -> impl IntoView + use<> {
    view! { <i data-status=tick.status.clone()></i> }
}

/// A run in a list. Its name leads to its page.
#[component]
pub fn RunRow(
    /// The run.
    run: Signal<RunSummary>,
    /// Shows when it began and its id, for lists of many.
    #[prop(optional)]
    full: bool,
) -> impl IntoView {
    let status = Signal::derive(move || run.read().status.clone());
    let href = move || format!("/runs/{}", run.read().id);
    let name = move || run.read().workflow_name.clone();
    let created: Signal<Timestamp> = Signal::derive(move || run.read().created_at);
    let error = move || run.with(|run| run.error.as_ref().map(|error| words::short(error, 160)));
    view! {
        <li class="row run-row" class:full=full data-status=status>
            <StatusGlyph status/>
            <div class="row-main">
                <A href=href attr:class="row-link" attr:data-row="">{name}</A>
                {move || error().map(|error| view! { <p class="row-note failed">{error}</p> })}
            </div>
            <Ticks run/>
            <Elapsed since=created until=Signal::derive(move || run.read().ended_at)/>
            <Money amount=Signal::derive(move || run.read().cost_usd)/>
            {full
                .then(|| {
                    view! {
                        <span class="row-when"><RelativeTime at=created/></span>
                        <CopyId id=Signal::derive(move || run.read().id.to_string())/>
                    }
                })}
        </li>
    }
    .into_any()
}
