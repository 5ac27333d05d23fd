//! One agent: what it is, what it does now, what it did.

use domain::{
    agent::{Agent, AgentEvent, AgentState, Phase},
    budget::Scope,
    event::{Event, Fact},
    id::AgentId,
    message::Sender,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{components::A, hooks::use_params_map};

use super::loaded::{load, shown};
use crate::{
    api,
    api::dto::AgentDetail,
    components::{
        Badge, CopyId, CopyJson, Money, RelativeTime, StatusBadge,
        agent_names::use_agent_names,
        agent_row::AgentMoves,
        agent_words::doing,
        budget_panel::BudgetPanel,
        conversation::{Conversation, WriteTo},
        event_list::EventList,
        preferences::preference_words,
        top_bar::set_crumb,
    },
    live::use_live,
    words,
};

/// Whether an event changes what an agent received or sent.
fn is_mail(event: &Event, wanted: Option<AgentId>) -> bool {
    let Fact::Agent { agent, event } = &event.fact else {
        return false;
    };
    match event {
        AgentEvent::Message(message) => {
            let writer = match &message.from {
                Sender::Person { .. } => None,
                Sender::Agent { agent_id, .. } => Some(*agent_id),
            };
            wanted.is_some() && (Some(*agent) == wanted || writer == wanted)
        }
        AgentEvent::Spawned { .. }
        | AgentEvent::Idle { .. }
        | AgentEvent::Working { .. }
        | AgentEvent::Freed { .. }
        | AgentEvent::Charged { .. }
        | AgentEvent::Read { .. }
        | AgentEvent::Paused { .. }
        | AgentEvent::Resumed { .. }
        | AgentEvent::Error { .. }
        | AgentEvent::Terminated { .. } => false,
    }
}

/// Whether an event is about this agent.
fn concerns(event: &Event, wanted: Option<AgentId>) -> bool {
    match &event.fact {
        Fact::Agent { agent, .. } => Some(*agent) == wanted,
        Fact::Task { agent, .. } => wanted.is_some() && *agent == wanted,
        Fact::Run { .. } | Fact::System(_) => false,
    }
}

/// One agent.
#[component]
pub fn AgentPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params.with(|params| {
            params
                .get_str("id")
                .and_then(|id| id.parse::<AgentId>().ok())
        })
    });
    let detail = load(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => api::agent(id).await,
                None => api::missing("agent"),
            }
        },
        move |event| concerns(event, id.get_untracked()),
    );
    shown(detail, |detail| view! { <AgentView detail/> }).into_any()
}

#[component]
fn AgentView(detail: Signal<AgentDetail>) -> impl IntoView {
    let agent = Memo::new(move |_| detail.read().agent.clone());
    let id = agent.read_untracked().id;
    let name = Signal::derive(move || agent.read().spec.name.clone());
    let phase = Signal::derive(move || agent.read().state.phase());
    let now = use_live().now;
    use_agent_names().learn_agents(&[agent.get_untracked()]);
    set_crumb(move || Some(name.get()));
    view! {
        <Title text=move || format!("{} · Agents", name.get())/>
        <div class="page">
            <header class="page-head">
                <h1>{name}</h1>
                <StatusBadge status=Signal::derive(move || phase.get().name().to_owned())/>
                <span class="muted">{move || agent.with(|agent| doing(agent, now.get()))}</span>
                <div class="page-actions">
                    <CopyJson text=move |()| serde_json::to_string_pretty(&*agent.read_untracked()).unwrap_or_default() what="the agent"/>
                    <AgentMoves id name phase/>
                </div>
            </header>
            <div class="agent-columns">
                <div class="agent-side">
                <section class="panel" aria-labelledby="agent-facts">
                    <header class="panel-head"><h2 id="agent-facts">"What it is"</h2></header>
                    <Facts agent workspace=Signal::derive(move || detail.read().workspace_path.clone())/>
                </section>
                <BudgetPanel scope=Scope::Agent(id)/>
                </div>
                <div class="agent-main">
                    <Now agent/>
                    <Held agent/>
                    <section class="panel" aria-labelledby="agent-conversation">
                        <header class="panel-head"><h2 id="agent-conversation">"Conversation"</h2></header>
                        <Mail agent/>
                    </section>
                    <section class="panel" aria-labelledby="agent-history">
                        <header class="panel-head">
                            <h2 id="agent-history">"History"</h2>
                            <A href=format!("/events?agent={id}") attr:class="link-quiet">"All its events"</A>
                        </header>
                        <EventList events=Signal::derive(move || detail.read().events.clone())/>
                    </section>
                </div>
            </div>
        </div>
    }
    .into_any()
}

/// What was written to it and by it, and the field to write to it while it lives.
#[component]
fn Mail(agent: Memo<Agent>) -> impl IntoView {
    let id = agent.read_untracked().id;
    let name = Signal::derive(move || agent.read().spec.name.clone());
    let alive = Memo::new(move |_| agent.read().state.phase() != Phase::Terminated);
    let unread = Signal::derive(move || {
        agent.with(|agent| agent.mailbox.iter().map(|message| message.id).collect())
    });
    let mail = load(
        || (),
        move |()| api::agent_messages(id),
        move |event| is_mail(event, Some(id)),
    );
    view! {
        {shown(mail, move |messages| view! { <Conversation agent=id messages unread/> })}
        <Show when=move || alive.get()>
            <WriteTo agent=id name/>
        </Show>
    }
    .into_any()
}

/// Why it takes no work, and what to do about it.
#[component]
fn Held(agent: Memo<Agent>) -> impl IntoView {
    let words = move || {
        agent.with(|agent| match &agent.state {
            AgentState::Paused { on: Some(on) } => Some(format!(
                "Paused. It finishes {} and then takes no new work. What is written to it waits in its mailbox.",
                on.task
            )),
            AgentState::Paused { on: None } => Some(
                "Paused. It takes no work until it is resumed. What is written to it waits in its mailbox."
                    .to_owned(),
            ),
            AgentState::Error { error } => Some(format!(
                "{} It takes no work until it is resumed; where a run needs what it can do, another is made.",
                error.message
            )),
            AgentState::Terminated { reason } => Some(format!("It is gone: {reason}")),
            AgentState::Spawning | AgentState::Idle | AgentState::Working { .. } => None,
        })
    };
    let status = move || agent.read().state.phase().name();
    move || {
        words().map(|words| view! { <section class="panel now" data-status=status><p>{words}</p></section> })
    }
}

/// What it is at, with the way there.
#[component]
fn Now(agent: Memo<Agent>) -> impl IntoView {
    let at_work = move || agent.with(|agent| agent.attempts().cloned().collect::<Vec<_>>());
    view! {
        {move || {
            at_work()
                .into_iter()
                .map(|on| {
                    view! {
                        <section class="panel now" data-status="running">
                            <p>
                                "Works on " <A href=format!("/runs/{}?task={}", on.run, on.task) attr:class="link">{on.task.to_string()}</A>
                                {(on.attempt > 1).then(|| format!(", try {}", on.attempt))}
                            </p>
                            <span class="muted">"since " <RelativeTime at=Signal::derive(move || agent.read().updated_at)/></span>
                        </section>
                    }
                })
                .collect_view()
        }}
    }
    .into_any()
}

#[component]
fn Facts(agent: Memo<Agent>, workspace: Signal<String>) -> impl IntoView {
    let spec = move || agent.read().spec.clone();
    let badges = |list: Vec<String>| {
        if list.is_empty() {
            view! { <span class="muted">"none"</span> }.into_any()
        } else {
            view! { <span class="badges">{list.into_iter().map(|word| view! { <Badge>{word}</Badge> }).collect_view()}</span> }.into_any()
        }
    };
    view! {
        <dl class="facts">
            <div><dt>"Model"</dt><dd class="mono">{move || spec().model.unwrap_or_else(|| "the server's default".into())}</dd></div>
            {move || {
                let models = spec().models;
                (!models.is_empty()).then(|| view! { <div><dt>"Fallback models"</dt><dd class="mono pre">{models.join("\n")}</dd></div> })
            }}
            {move || {
                let wishes = preference_words(&spec().provider.to_value());
                (!wishes.is_empty()).then(|| view! { <div><dt>"Provider preferences"</dt><dd class="pre">{wishes.join("\n")}</dd></div> })
            }}
            <div><dt>"Capabilities"</dt><dd>{move || badges(spec().capabilities)}</dd></div>
            <div><dt>"Tools"</dt><dd>{move || badges(spec().tools)}</dd></div>
            <div><dt>"Instructions"</dt><dd class="pre">{move || Some(spec().instructions).filter(|text| !text.is_empty()).unwrap_or_else(|| "none".into())}</dd></div>
            <div><dt>"Tasks at a time"</dt><dd class="number">{move || words::count(spec().max_tasks.max(1).into())}</dd></div>
            <div><dt>"Remembers other runs"</dt><dd>{move || if spec().memory { "yes" } else { "no" }}</dd></div>
            <div><dt>"Attempts"</dt><dd class="number">{move || words::count(agent.read().attempts_done)}</dd></div>
            <div><dt>"Cost"</dt><dd><Money amount=Signal::derive(move || Some(agent.read().cost_usd))/></dd></div>
            <div><dt>"Spawned"</dt><dd><RelativeTime at=Signal::derive(move || agent.read().created_at)/> {move || if agent.read().on_demand { " by a run that needed it" } else { "" }}</dd></div>
            <div><dt>"Workspace"</dt><dd class="mono">{workspace}</dd></div>
            <div><dt>"Id"</dt><dd><CopyId id=Signal::derive(move || agent.read().id.to_string())/></dd></div>
        </dl>
    }
    .into_any()
}
