//! What agents are called. Events name them by id; whoever has read an event or a list that also holds
//! the name tells it here, so that a later sentence can say "Ada is idle".

use std::collections::HashMap;

use domain::{
    agent::{Agent, AgentEvent},
    event::{Event, Fact},
    frame::EventFrame,
    id::AgentId,
    run::TaskEvent,
};
use leptos::prelude::*;

use super::event_line;
use crate::live::Live;

/// What agents are called; a context of every page.
#[derive(Clone, Copy)]
pub struct AgentNames(RwSignal<HashMap<AgentId, String>>);

/// What agents are called.
pub fn use_agent_names() -> AgentNames {
    expect_context::<AgentNames>()
}

/// Makes the names a context, and listens for new ones.
pub fn provide_agent_names(live: Live) {
    let names = AgentNames(RwSignal::new(HashMap::new()));
    provide_context(names);
    live.on_event(move |event| names.learn(name_in(&event.fact)));
}

/// The agent that a fact names.
fn name_in(fact: &Fact) -> Option<(AgentId, String)> {
    match fact {
        Fact::Agent {
            agent,
            event: AgentEvent::Spawned { spec, .. },
        } => Some((*agent, spec.name.clone())),
        Fact::Task {
            event:
                TaskEvent::Assigned {
                    agent_id,
                    agent_name,
                    ..
                },
            ..
        } => Some((*agent_id, agent_name.clone())),
        Fact::Agent { .. } | Fact::Task { .. } | Fact::Run { .. } | Fact::System(_) => None,
    }
}

/// An event in words, with the agent's name as soon as that is known.
pub fn event_text(frame: EventFrame) -> impl Fn() -> String + Clone + Send + Sync + 'static {
    let names = use_agent_names();
    let agent = frame.agent_id;
    let who = Memo::new(move |_| names.get(agent));
    move || event_line::say(&frame, who.read().as_deref())
}

impl AgentNames {
    /// What this one is called, as far as anyone said.
    pub fn get(self, agent: Option<AgentId>) -> Option<String> {
        agent.and_then(|agent| self.0.read().get(&agent).cloned())
    }

    /// Takes names from a list of agents.
    pub fn learn_agents(self, agents: &[Agent]) {
        self.learn(
            agents
                .iter()
                .map(|agent| (agent.id, agent.spec.name.clone())),
        );
    }

    /// Takes names from stored events.
    pub fn learn_events(self, frames: &[EventFrame]) {
        let facts = frames
            .iter()
            .filter(|frame| matches!(frame.kind.as_str(), "agent.spawned" | "task.assigned"))
            .filter_map(|frame| Event::from_frame(frame.clone()).ok());
        self.learn(facts.filter_map(|event| name_in(&event.fact)));
    }

    fn learn(self, names: impl IntoIterator<Item = (AgentId, String)>) {
        let known = self.0;
        let new: Vec<(AgentId, String)> = known.with_untracked(|known| {
            let is_new = |(agent, name): &(AgentId, String)| known.get(agent) != Some(name);
            names.into_iter().filter(is_new).collect()
        });
        if !new.is_empty() {
            known.update(|known| known.extend(new));
        }
    }
}
