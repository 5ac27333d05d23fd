//! What model calls took: sums, days, models, workflows, agents; and what they may take.

mod figures;
mod tables;

use domain::{
    budget::{Scope, begin_of, day_of},
    time::Timestamp,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use self::{
    figures::{Days, Sums},
    tables::{Export, Table},
};
use super::loaded::{load, shown};
use crate::{
    api,
    api::dto::{BudgetState, Split, UsageOverview, UsageRange},
    components::{
        budget_panel::{BudgetLine, is_about_money},
        rows::rows,
    },
};

/// A day as it stands in the address: `2026-11-23`.
fn written(day: i64) -> String {
    begin_of(day).rfc3339().chars().take(10).collect()
}

fn read(raw: &str) -> Option<i64> {
    Timestamp::parse_rfc3339(&format!("{raw}T00:00:00Z")).map(day_of)
}

/// What model calls took.
#[component]
pub fn UsagePage() -> impl IntoView {
    let query = use_query_map();
    let range = move || {
        query.with(|query| UsageRange {
            from: query.get_str("from").and_then(read),
            to: query.get_str("to").and_then(read),
            split: query
                .get_str("split")
                .and_then(Split::parse)
                .unwrap_or_default(),
        })
    };
    let usage = load(range, api::usage_overview, is_about_money);
    view! {
        <Title text="Usage"/>
        <div class="page">
            <header class="page-head"><h1 class="only-said">"Usage"</h1></header>
            {shown(usage, |usage| view! { <Usage usage/> })}
        </div>
    }
    .into_any()
}

#[component]
fn Usage(usage: Signal<UsageOverview>) -> impl IntoView {
    let rehearsed = Memo::new(move |_| usage.read().simulated.calls > 0);
    let models = Signal::derive(move || usage.read().models.clone());
    let workflows = Signal::derive(move || usage.read().workflows.clone());
    let agents = Signal::derive(move || usage.read().agents.clone());
    view! {
        <RangeForm usage/>
        <section class="panel" aria-labelledby="usage-sums">
            <header class="panel-head"><h2 id="usage-sums">"In these days"</h2></header>
            <Sums sums=Signal::derive(move || usage.read().real)/>
            <Show when=move || rehearsed.get()>
                <p class="panel-text muted">"Simulated calls, which cost nothing, stand apart:"</p>
                <Sums sums=Signal::derive(move || usage.read().simulated)/>
            </Show>
        </section>
        <section class="panel" aria-labelledby="usage-days">
            <header class="panel-head">
                <h2 id="usage-days">"Per day"</h2>
                <Export by="day" usage/>
            </header>
            <Days usage/>
        </section>
        <Table title="By model" by="model" rows=models usage/>
        <Table title="By workflow" by="workflow" rows=workflows usage/>
        <Table title="By agent" by="agent" rows=agents usage/>
        <Budgets usage/>
    }
    .into_any()
}

/// From when to when: stands in the address, so it can be kept and shared.
#[component]
fn RangeForm(usage: Signal<UsageOverview>) -> impl IntoView {
    let go = StoredValue::new(use_navigate());
    let to = move |from: i64, to: i64, split: Split| {
        let options = NavigateOptions {
            replace: true,
            scroll: false,
            ..NavigateOptions::default()
        };
        let (from, to, split) = (written(from), written(to), split.name());
        let address = format!("/usage?from={from}&to={to}&split={split}");
        go.with_value(|go| go(&address, options));
    };
    let shown = move || usage.with_untracked(|usage| (usage.from, usage.to, usage.split));
    let first = move || usage.read().from;
    let last = move || usage.read().to;
    let set_from = move |raw: String| {
        if let Some(from) = read(&raw) {
            let (_, last, split) = shown();
            to(from, last.max(from), split);
        }
    };
    let set_to = move |raw: String| {
        if let Some(last) = read(&raw) {
            let (from, _, split) = shown();
            to(from.min(last), last, split);
        }
    };
    let set_split = move |raw: String| {
        if let Some(split) = Split::parse(&raw) {
            let (from, last, _) = shown();
            to(from, last, split);
        }
    };
    let choice = move |split: Split| {
        let words = match split {
            Split::Model => "by model",
            Split::Workflow => "by workflow",
            Split::Agent => "by agent",
        };
        view! { <option value=split.name() selected=move || usage.read().split == split>{words}</option> }
    };
    view! {
        <div class="filters">
            <label>"From"<input type="date" prop:value=move || written(first()) value=written(shown().0) on:change:target=move |event| set_from(event.target().value())/></label>
            <label>"To"<input type="date" prop:value=move || written(last()) value=written(shown().1) on:change:target=move |event| set_to(event.target().value())/></label>
            <label>
                "Days"
                <select prop:value=move || usage.read().split.name() on:change:target=move |event| set_split(event.target().value())>
                    {Split::ALL.map(choice).collect_view()}
                </select>
            </label>
            <span class="filters-note">"Days are those of UTC."</span>
        </div>
    }
    .into_any()
}

/// Every budget, and what could have one here, in the order of the list.
fn budgets(usage: &UsageOverview) -> Vec<BudgetState> {
    let mut all = usage.budgets.clone();
    all.sort_by_key(|state| match &state.scope {
        Scope::Day => (0, String::new()),
        Scope::Provider(name) => (1, name.clone()),
        Scope::Workflow(_) => (2, state.name.clone()),
        Scope::Agent(_) => (3, state.name.clone()),
        Scope::Run(_) => (4, state.name.clone()),
    });
    all
}

fn kind(scope: &Scope) -> &'static str {
    match scope {
        Scope::Day => "All calls of a day",
        Scope::Provider(_) => "Provider",
        Scope::Workflow(_) => "Workflow",
        Scope::Agent(_) => "Agent",
        Scope::Run(_) => "Run",
    }
}

#[component]
fn Budgets(usage: Signal<UsageOverview>) -> impl IntoView {
    let all = Signal::derive(move || budgets(&usage.read()));
    let line = |state: Signal<BudgetState>| {
        let kind = state.with_untracked(|state| kind(&state.scope));
        view! {
            <li class="row budget-row">
                <span class="row-note">{kind}</span>
                <BudgetLine state/>
            </li>
        }
    };
    view! {
        <section class="panel" aria-labelledby="usage-budgets">
            <header class="panel-head"><h2 id="usage-budgets">"Budgets"</h2></header>
            <p class="panel-text muted">
                "A call that could pass a limit is not made: its step waits for a person, or fails, as set. Agents and workflows have theirs on their own pages; a run gets one when it is started."
            </p>
            <ul class="rows">{rows(all, |state| state.scope.clone(), line)}</ul>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_stand_in_the_address_as_they_are_read() {
        assert_eq!(written(20_780), "2026-11-23");
        assert_eq!(read("2026-11-23"), Some(20_780));
        assert_eq!(read("tomorrow"), None);
    }
}
