//! Every agent with what it does, and the way to make one.

use domain::{
    agent::Agent,
    event::{Event, Fact},
    run::TaskEvent,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::loaded::{load, shown};
use crate::{
    api,
    components::{
        Button, ButtonLook, Empty, Glyph, agent_row::AgentRow, rows::rows, search::SearchField,
        spawn_dialog::SpawnDialog,
    },
};

/// Whether the list looks different after an event.
fn is_relevant(event: &Event) -> bool {
    match &event.fact {
        Fact::Agent { .. } => true,
        Fact::Task { event, .. } => matches!(event, TaskEvent::TurnCompleted { .. }),
        Fact::Run { .. } | Fact::System(_) => false,
    }
}

/// Whether an agent fits what is searched: its name, a capability or its model.
fn fits(agent: &Agent, search: &str) -> bool {
    let search = search.to_lowercase();
    let spec = &agent.spec;
    let texts = [&spec.name]
        .into_iter()
        .chain(&spec.capabilities)
        .chain(&spec.model);
    search.is_empty()
        || texts
            .into_iter()
            .any(|text| text.to_lowercase().contains(&search))
}

/// Every agent.
#[component]
pub fn AgentsPage() -> impl IntoView {
    let query = use_query_map();
    let gone = Memo::new(move |_| query.with(|query| query.get_str("gone").is_some()));
    let search = Memo::new(move |_| {
        query.with(|query| query.get_str("q").unwrap_or_default().trim().to_owned())
    });
    let agents = load(move || gone.get(), api::agents, is_relevant);
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
            {shown(agents, move |agents| view! { <AgentList agents search/> })}
        </div>
        <SpawnDialog open=spawning/>
    }
    .into_any()
}

#[component]
fn AgentList(agents: Signal<Vec<Agent>>, search: Memo<String>) -> impl IntoView {
    let found = Memo::new(move |_| -> Vec<Agent> {
        let search = search.read();
        agents
            .read()
            .iter()
            .filter(|agent| fits(agent, &search))
            .cloned()
            .collect()
    });
    let nothing = move || {
        if search.read().is_empty() {
            "No agents. A run spawns those that it needs; you can also spawn one that stays."
                .to_owned()
        } else {
            format!("No agent matches “{}”.", search.read())
        }
    };
    view! {
        <Show when=move || !found.read().is_empty() fallback=move || view! { <Empty title=nothing()/> }>
            <ul class="rows agent-rows" aria-label="Agents">{rows(found.into(), |agent| agent.id, |agent| view! { <AgentRow agent/> })}</ul>
        </Show>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use domain::{
        agent::{AgentSpec, AgentState},
        id::AgentId,
        money::MicroUsd,
        time::Timestamp,
    };

    use super::*;

    #[test]
    fn a_search_looks_at_name_capabilities_and_model() {
        let agent = Agent {
            id: "01890a5d-ac96-774b-bcce-b302099a8057"
                .parse::<AgentId>()
                .expect("an id"),
            spec: AgentSpec {
                name: "Ada".into(),
                capabilities: vec!["Planning".into()],
                model: Some("rehearsal:default".into()),
                ..AgentSpec::default()
            },
            on_demand: false,
            also: Vec::new(),
            mailbox: Vec::new(),
            state: AgentState::Idle,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            attempts_done: 0,
            cost_usd: MicroUsd(0),
        };
        for (search, found) in [
            ("", true),
            ("ada", true),
            ("plan", true),
            ("REHEARSAL", true),
            ("bob", false),
        ] {
            assert_eq!(fits(&agent, search), found, "{search}");
        }
    }
}
