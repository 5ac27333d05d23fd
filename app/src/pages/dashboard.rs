//! The control room: what runs, who works, what happens.

use domain::{
    agent::AgentState,
    event::{Event, Fact},
    frame::Metrics,
    run::TaskEvent,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use super::loaded::{load, shown};
use crate::{
    api,
    api::dto::{Overview, PersonWait, WorkflowSummary},
    components::{
        Button, ButtonLook, Glyph, Sparkline, StatusGlyph,
        agent_names::use_agent_names,
        agent_words::doing,
        rows::rows,
        run_row::RunRow,
        starter::{Starter, StarterDialog, use_starter},
        ticker::Ticker,
        unhealthy::UnhealthyModels,
    },
    live::use_live,
    run_view::escape,
    words,
};

/// Whether the control room looks different after an event.
fn is_relevant(event: &Event) -> bool {
    match &event.fact {
        Fact::Run { .. } | Fact::Agent { .. } => true,
        Fact::Task { event, .. } => match event {
            TaskEvent::TurnStarted { .. }
            | TaskEvent::TurnBegan { .. }
            | TaskEvent::ToolCalled { .. }
            | TaskEvent::ToolReturned { .. }
            | TaskEvent::TurnFailed { .. } => false,
            TaskEvent::Ready { .. }
            | TaskEvent::Assigned { .. }
            | TaskEvent::Started { .. }
            | TaskEvent::TurnCompleted { .. }
            | TaskEvent::TurnPriced { .. }
            | TaskEvent::Retrying { .. }
            | TaskEvent::Waiting { .. }
            | TaskEvent::Answered { .. }
            | TaskEvent::Unknown { .. }
            | TaskEvent::Opened { .. }
            | TaskEvent::Completed { .. }
            | TaskEvent::Failed { .. }
            | TaskEvent::Skipped { .. }
            | TaskEvent::Cancelled { .. } => true,
        },
        Fact::System(_) => false,
    }
}

/// The control room.
#[component]
pub fn DashboardPage() -> impl IntoView {
    let overview = load(|| (), |()| api::overview(), is_relevant);
    let starter = use_starter();
    view! {
        <Title text="Home"/>
        <h1 class="only-said">"Control room"</h1>
        {shown(overview, move |overview| view! { <Room overview starter/> })}
        <StarterDialog starter/>
    }
    .into_any()
}

#[component]
fn Room(overview: Signal<Overview>, starter: Starter) -> impl IntoView {
    let first_events = overview.with_untracked(|overview| overview.events.clone());
    let head = overview.with_untracked(|overview| overview.metrics.head);
    let names = use_agent_names();
    names.learn_agents(&overview.read_untracked().agents);
    view! {
        <div class="room">
            <FigureRow overview/>
            <div class="room-notices">
                <Waiting overview/>
                <OutOfOrder overview/>
                <RunningLow overview/>
            </div>
            <div class="room-columns">
                <Runs overview starter/>
                <Troupe overview/>
                <section class="panel room-ticker" aria-labelledby="ticker-title">
                    <header class="panel-head">
                        <h2 id="ticker-title">"Events"</h2>
                        <A href="/events" attr:class="link-quiet">"All events"</A>
                    </header>
                    <Ticker first=first_events head/>
                </section>
            </div>
        </div>
    }
    .into_any()
}

/// The figures of the moment.
#[component]
fn FigureRow(overview: Signal<Overview>) -> impl IntoView {
    let live = use_live();
    let metrics = Memo::new(move |_| {
        live.metrics
            .get()
            .unwrap_or_else(|| overview.read().metrics.clone())
    });
    let speeds = RwSignal::new(Vec::<f64>::new());
    Effect::new(move |_| {
        let speed = metrics.read().tokens_per_second;
        live.metrics.track();
        speeds.update(|speeds| {
            speeds.push(speed as f64);
            let too_many = speeds.len().saturating_sub(60);
            speeds.drain(..too_many);
        });
    });
    let agents = move || {
        metrics.with(|Metrics { agents, .. }| {
            agents.idle + agents.working + agents.paused + agents.error + agents.spawning
        })
    };
    view! {
        <dl class="figures">
            <Figure label="Live runs" value=Signal::derive(move || words::count(metrics.read().runs_live))/>
            <Figure
                label="Tasks running"
                value=Signal::derive(move || words::count(metrics.read().tasks_running))
                note=Signal::derive(move || match metrics.read().tasks_ready {
                    0 => None,
                    waiting => Some(format!("{} wait for an agent", words::count(waiting))),
                })
            />
            <Figure
                label="Agents"
                value=Signal::derive(move || words::count(agents()))
                note=Signal::derive(move || Some(format!("{} working", words::count(metrics.read().agents.working))))
            />
            <div class="figure-cell">
                <dt>"Tokens per second"</dt>
                <dd>{move || words::count(metrics.read().tokens_per_second)} <Sparkline values=speeds label="Tokens per second over the last two minutes"/></dd>
            </div>
            <Figure label="Cost today" value=Signal::derive(move || words::money(metrics.read().cost_today_usd))/>
            <Figure label="Memory" value=Signal::derive(move || metrics.read().memory_bytes.map_or_else(|| "–".to_owned(), words::bytes))/>
        </dl>
    }
    .into_any()
}

#[component]
fn Figure(
    label: &'static str,
    value: Signal<String>,
    #[prop(optional, into)] note: MaybeProp<String>,
) -> impl IntoView {
    view! {
        <div class="figure-cell">
            <dt>{label}</dt>
            <dd>{move || value.get()} {move || note.get().map(|note| view! { <small>{note}</small> })}</dd>
        </div>
    }
}

/// Tasks that wait for a person, each with the way to its answer.
#[component]
fn Waiting(overview: Signal<Overview>) -> impl IntoView {
    let waiting = Signal::derive(move || overview.read().waiting.clone());
    view! {
        <Show when=move || !waiting.read().is_empty()>
            <section class="panel" aria-labelledby="waiting-title">
                <header class="panel-head"><h2 id="waiting-title">"Waits for you"</h2></header>
                <ul class="rows">
                    {rows(waiting, |wait| (wait.run, wait.task.clone()), |wait| view! { <WaitRow wait/> })}
                </ul>
            </section>
        </Show>
    }
    .into_any()
}

/// Models that nobody calls for a while.
#[component]
fn OutOfOrder(overview: Signal<Overview>) -> impl IntoView {
    let live = use_live();
    let models = Memo::new(move |_| {
        let newest = live.metrics.get().map(|metrics| metrics.unhealthy);
        newest.unwrap_or_else(|| overview.read().metrics.unhealthy.clone())
    });
    view! { <UnhealthyModels models now=live.now/> }
}

/// Keys that have little left to spend.
#[component]
fn RunningLow(overview: Signal<Overview>) -> impl IntoView {
    let live = use_live();
    let quotas = Memo::new(move |_| {
        let newest = live.metrics.get().map(|metrics| metrics.low_quotas);
        newest.unwrap_or_else(|| overview.read().metrics.low_quotas.clone())
    });
    let line = |message: String| {
        view! {
            <li class="row" data-status="warning">
                <StatusGlyph status="warning" plain=true/>
                <p class="row-main">{message}</p>
            </li>
        }
    };
    view! {
        <Show when=move || !quotas.read().is_empty()>
            <section class="panel" aria-labelledby="low-quotas">
                <header class="panel-head">
                    <h2 id="low-quotas">"Keys that run out"</h2>
                    <A href="/settings" attr:class="link-quiet">"Settings"</A>
                </header>
                <ul class="rows">{move || quotas.get().into_iter().map(line).collect_view()}</ul>
            </section>
        </Show>
    }
}

#[component]
fn WaitRow(wait: Signal<PersonWait>) -> impl IntoView {
    let now = use_live().now;
    let status = Signal::derive(move || wait.read().status.clone());
    let href =
        move || wait.with(|wait| format!("/runs/{}?task={}", wait.run, escape(wait.task.as_str())));
    let asked = move || {
        wait.with(|wait| match &wait.message {
            Some(message) => words::short(message, 120),
            None => "Was cut off: did it happen?".to_owned(),
        })
    };
    let left = move || {
        let until = wait.read().until?;
        Some(format!(
            "{} left",
            words::elapsed(until.ms_since(now.get()))
        ))
    };
    view! {
        <li class="row" data-status=status>
            <StatusGlyph status/>
            <div class="row-main">
                <A href=href attr:class="row-link" attr:data-row="">
                    {move || wait.with(|wait| format!("{}: {}", wait.workflow_name, wait.title))}
                </A>
                <p class="row-note">{asked}</p>
            </div>
            <span class="row-figure number muted">{left}</span>
        </li>
    }
    .into_any()
}

/// Live runs, or what to start when there are none; and below what ended lately.
#[component]
fn Runs(overview: Signal<Overview>, starter: Starter) -> impl IntoView {
    let live = Signal::derive(move || overview.read().live_runs.clone());
    let recent = Signal::derive(move || overview.read().recent_runs.clone());
    view! {
        <section class="panel room-runs" aria-labelledby="runs-title">
            <header class="panel-head">
                <h2 id="runs-title">"Live runs"</h2>
                <A href="/runs" attr:class="link-quiet">"All runs"</A>
            </header>
            <Show
                when=move || !live.read().is_empty()
                fallback=move || view! { <NothingRuns workflows=overview.read_untracked().workflows.clone() starter/> }
            >
                <ul class="rows">{rows(live, |run| run.id, |run| view! { <RunRow run/> })}</ul>
            </Show>
            <Show when=move || !recent.read().is_empty()>
                <h3 class="panel-part">"Ended lately"</h3>
                <ul class="rows">{rows(recent, |run| run.id, |run| view! { <RunRow run/> })}</ul>
            </Show>
        </section>
    }
    .into_any()
}

/// Nothing runs: one press starts something.
#[component]
fn NothingRuns(workflows: Vec<WorkflowSummary>, starter: Starter) -> impl IntoView {
    let runnable: Vec<WorkflowSummary> = workflows
        .into_iter()
        .filter(|workflow| workflow.runnable)
        .take(3)
        .collect();
    let nothing_to_start = runnable.is_empty();
    let buttons = runnable
        .into_iter()
        .enumerate()
        .map(|(at, workflow)| {
            let look = if at == 0 { ButtonLook::Primary } else { ButtonLook::Plain };
            let id = workflow.id;
            view! { <Button look icon=Glyph::Play busy=starter.busy() on_press=move |()| starter.start(id)>{workflow.name}</Button> }
        })
        .collect_view();
    view! {
        <div class="empty">
            <p>{if nothing_to_start { "Nothing runs, and there is no workflow that could." } else { "Nothing runs. Start one:" }}</p>
            <div class="empty-actions">
                {buttons}
                {nothing_to_start.then(|| view! { <A href="/workflows" attr:class="button">"Go to workflows"</A> })}
            </div>
        </div>
    }
    .into_any()
}

/// The agents, one row each.
#[component]
fn Troupe(overview: Signal<Overview>) -> impl IntoView {
    let agents = Signal::derive(move || overview.read().agents.clone());
    view! {
        <section class="panel room-troupe" aria-labelledby="troupe-title">
            <header class="panel-head">
                <h2 id="troupe-title">"Troupe"</h2>
                <A href="/agents" attr:class="link-quiet">"All agents"</A>
            </header>
            <Show
                when=move || !agents.read().is_empty()
                fallback=|| view! { <p class="empty">"No agents. A run brings those that it needs."</p> }
            >
                <ul class="rows">{rows(agents, |agent| agent.id, |agent| view! { <AgentLine agent/> })}</ul>
            </Show>
        </section>
    }
    .into_any()
}

#[component]
fn AgentLine(agent: Signal<domain::agent::Agent>) -> impl IntoView {
    let now = use_live().now;
    let status = Signal::derive(move || agent.read().state.phase().name().to_owned());
    let at_work = move || matches!(agent.read().state, AgentState::Working { .. });
    view! {
        <li class="row agent-line" data-status=status>
            <StatusGlyph status/>
            <A href=move || format!("/agents/{}", agent.read().id) attr:class="row-link" attr:data-row="">
                {move || agent.read().spec.name.clone()}
            </A>
            <span class="row-note" class:working=at_work>{move || agent.with(|agent| doing(agent, now.get()))}</span>
            <span class="number muted">
                {move || agent.with(|agent| (agent.cost_usd.0 > 0).then(|| words::money(agent.cost_usd)))}
            </span>
        </li>
    }
    .into_any()
}
