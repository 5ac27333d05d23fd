//! Which ready task goes to which agent. A pass over all ready tasks is one [`Roster`]: what is
//! given away once is not given twice.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    agent::{Agent, AgentState},
    graph::Who,
    id::AgentId,
};

/// Where a ready task goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// To this agent, now.
    Assign(AgentId),
    /// To an agent that is being spawned and is not yet meant for another task.
    Await,
    /// To an agent that has to be spawned with these capabilities.
    Spawn(Vec<String>),
    /// Nowhere: the agent that it names is busy or does not live.
    Nowhere,
}

/// Agents that may be given work, in one pass.
#[derive(Debug, Default)]
pub struct Roster {
    idle: BTreeMap<Vec<String>, VecDeque<AgentId>>,
    idle_by_name: BTreeMap<String, AgentId>,
    spawning: BTreeMap<Vec<String>, usize>,
}

impl Roster {
    /// All agents that are idle or coming.
    pub fn of<'a>(agents: impl IntoIterator<Item = &'a Agent>) -> Self {
        let mut roster = Self::default();
        for agent in agents {
            match agent.state {
                AgentState::Idle => {
                    roster
                        .idle
                        .entry(sorted(&agent.spec.capabilities))
                        .or_default()
                        .push_back(agent.id);
                    roster
                        .idle_by_name
                        .insert(agent.spec.name.clone(), agent.id);
                }
                AgentState::Spawning => {
                    *roster
                        .spawning
                        .entry(sorted(&agent.spec.capabilities))
                        .or_default() += 1;
                }
                AgentState::Working { .. }
                | AgentState::Paused { .. }
                | AgentState::Error { .. }
                | AgentState::Terminated { .. } => {}
            }
        }
        roster
    }

    /// Finds a place for a task and takes it off the roster.
    pub fn place(&mut self, who: &Who) -> Placement {
        match who {
            Who::Named(name) => match self.idle_by_name.get(name).copied() {
                Some(agent) if self.take(agent) => Placement::Assign(agent),
                Some(_) | None => Placement::Nowhere,
            },
            Who::Capable(wanted) => self.place_capable(wanted),
        }
    }

    fn place_capable(&mut self, wanted: &[String]) -> Placement {
        // The agent with the fewest capabilities beyond those wanted: specialists stay free.
        let best = fitting(&self.idle, wanted, |agents| !agents.is_empty());
        if let Some(key) = best
            && let Some(agent) = self.idle.get_mut(&key).and_then(VecDeque::pop_front)
        {
            return Placement::Assign(agent);
        }
        if let Some(key) = fitting(&self.spawning, wanted, |count| *count > 0)
            && let Some(count) = self.spawning.get_mut(&key)
        {
            *count -= 1;
            return Placement::Await;
        }
        Placement::Spawn(sorted(wanted))
    }

    fn take(&mut self, agent: AgentId) -> bool {
        self.idle.values_mut().any(|agents| {
            let found = agents.iter().position(|known| *known == agent);
            found.and_then(|at| agents.remove(at)).is_some()
        })
    }
}

fn fitting<T>(
    groups: &BTreeMap<Vec<String>, T>,
    wanted: &[String],
    free: impl Fn(&T) -> bool,
) -> Option<Vec<String>> {
    groups
        .iter()
        .filter(|(has, group)| free(group) && wanted.iter().all(|word| has.contains(word)))
        .min_by_key(|(has, _)| has.len())
        .map(|(has, _)| has.clone())
}

fn sorted(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    words.sort();
    words.dedup();
    words
}
