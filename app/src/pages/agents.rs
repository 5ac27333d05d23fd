//! Every agent with what it does, and the way to make one.

use domain::{
    event::{Event, Fact},
    run::TaskEvent,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::loaded::{load, shown};
use crate::{
    api,
    api::dto::{AgentQuery, AgentsFound},
    components::{
        Button, ButtonLook, Empty, Glyph,
        agent_row::AgentRow,
        rows::{More, rows},
        search::SearchField,
        spawn_dialog::SpawnDialog,
    },
    words,
};

/// Whether the list looks different after an event.
fn is_relevant(event: &Event) -> bool {
    match &event.fact {
        Fact::Agent { .. } => true,
        Fact::Task { event, .. } => {
            matches!(
                event,
                TaskEvent::TurnCompleted { .. } | TaskEvent::TurnPriced { .. }
            )
        }
        Fact::Run { .. } | Fact::System(_) => false,
    }
}

/// How many agents come at a time.
const STEP: u32 = 100;

/// Every agent.
#[component]
pub fn AgentsPage() -> impl IntoView {
    let query = use_query_map();
    let gone = Memo::new(move |_| query.with(|query| query.get_str("gone").is_some()));
    let search = Memo::new(move |_| {
        query.with(|query| query.get_str("q").unwrap_or_default().trim().to_owned())
    });
    let limit = RwSignal::new(STEP);
    let query = move || AgentQuery {
        gone: gone.get(),
        search: search.get(),
        limit: limit.get(),
    };
    let found = load(query, api::find_agents, is_relevant);
    let spawning = RwSignal::new(false);
    view! {
        <Title text="Agents"/>
        <div class="page">
            <header class="page-head">
                <h1 class="only-said">"Agents"</h1>
                <nav class="segments" aria-label="Filter by state">
                    <a href="/agents" aria-current=move || (!gone.get()).then_some("true")>"Live"</a>
                    <a href="/agents?gone=1" aria-current=move || gone.get().then_some("true")>"Also ended"</a>
                </nav>
                <SearchField path="/agents" label="Search agents"/>
                <div class="page-actions">
                    <Button look=ButtonLook::Primary icon=Glyph::Plus on_press=move |()| spawning.set(true)>"Spawn agent"</Button>
                </div>
            </header>
            {shown(found, move |found| view! { <AgentList found search limit/> })}
        </div>
        <SpawnDialog open=spawning/>
    }
    .into_any()
}

#[component]
fn AgentList(
    found: Signal<AgentsFound>,
    search: Memo<String>,
    limit: RwSignal<u32>,
) -> impl IntoView {
    let agents = Memo::new(move |_| found.read().agents.clone());
    let shown = move || agents.read().len() as u64;
    let more = Memo::new(move |_| shown() < found.read().count);
    let nothing = move || {
        if search.read().is_empty() {
            "No agents. A run spawns those that it needs; you can also spawn one that stays."
                .to_owned()
        } else {
            format!("No agent matches “{}”.", search.read())
        }
    };
    // What was asked for and has not come yet is on its way.
    let busy = Memo::new(move |_| more.get() && shown() < u64::from(limit.get()));
    view! {
        <Show when=move || !agents.read().is_empty() fallback=move || view! { <Empty title=nothing()/> }>
            <ul class="rows agent-rows" aria-label="Agents">{rows(agents.into(), |agent| agent.id, |agent| view! { <AgentRow agent/> })}</ul>
            <Show when=move || more.get()>
                <p class="muted list-count">
                    {move || format!("{} of {} agents", words::count(shown()), words::count(found.read().count))}
                </p>
            </Show>
            <More more busy label="Show more" on_reach=move |()| limit.update(|limit| *limit += STEP)/>
        </Show>
    }
    .into_any()
}
