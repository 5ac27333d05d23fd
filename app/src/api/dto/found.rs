//! Agents that somebody looks for.

use domain::agent::Agent;
use serde::{Deserialize, Serialize};

/// Which agents, and how many of them at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentQuery {
    /// Also those that were terminated.
    pub gone: bool,
    /// Part of a name, a capability or a model, in letters of any size; empty: all.
    pub search: String,
    /// The most that are wanted.
    pub limit: u32,
}

/// Agents that fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentsFound {
    /// The first of them.
    pub agents: Vec<Agent>,
    /// How many there are.
    pub count: u64,
}

impl AgentQuery {
    /// Those that fit.
    pub fn find(&self, mut agents: Vec<Agent>) -> AgentsFound {
        let search = self.search.trim().to_lowercase();
        agents.retain(|agent| fits(agent, &search));
        let count = agents.len() as u64;
        agents.truncate(self.limit as usize);
        AgentsFound { agents, count }
    }
}

fn fits(agent: &Agent, search: &str) -> bool {
    let spec = &agent.spec;
    let texts = [&spec.name]
        .into_iter()
        .chain(&spec.capabilities)
        .chain(&spec.model);
    search.is_empty()
        || texts
            .into_iter()
            .any(|text| text.to_lowercase().contains(search))
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

    fn agent(name: &str) -> Agent {
        Agent {
            id: "01890a5d-ac96-774b-bcce-b302099a8057"
                .parse::<AgentId>()
                .expect("an id"),
            spec: AgentSpec {
                name: name.into(),
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
        }
    }

    fn query(search: &str, limit: u32) -> AgentQuery {
        AgentQuery {
            gone: false,
            search: search.into(),
            limit,
        }
    }

    #[test]
    fn a_search_looks_at_name_capabilities_and_model() {
        for (search, count) in [
            ("", 1),
            ("ada", 1),
            (" plan ", 1),
            ("REHEARSAL", 1),
            ("bob", 0),
        ] {
            let found = query(search, 10).find(vec![agent("Ada")]);
            assert_eq!(found.count, count, "{search}");
        }
    }

    #[test]
    fn all_are_counted_and_few_are_sent() {
        let found = query("a", 2).find(vec![agent("Ada"), agent("Bob"), agent("Mia")]);
        let names: Vec<&str> = found.agents.iter().map(|a| a.spec.name.as_str()).collect();
        // Bob can plan, and planning has an a in it.
        assert_eq!((found.count, names), (3, vec!["Ada", "Bob"]));
    }
}
