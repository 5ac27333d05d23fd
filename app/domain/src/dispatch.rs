//! Which ready task goes to which agent. [`Roster`] knows at any time who is free, so that a pass
//! need not look at every agent; [`Ready`] keeps a run's ready tasks by what they need, so that a
//! pass need not look at every task: where the first of a kind finds no place, none of them does.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use indexmap::IndexMap;

use crate::{
    agent::{Agent, AgentState},
    graph::Who,
    id::AgentId,
};

/// What a ready task needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lane {
    /// An agent.
    Agent {
        /// Who may do it.
        who: Who,
        /// The model that the node asks for.
        model: Option<String>,
    },
    /// No agent, only that not too much is done at once.
    Http,
}

/// Ready tasks of one run, by what they need, each kind longest first. A task that is no longer
/// ready may still stand here: whoever takes one out looks at it.
#[derive(Debug, Clone, Default)]
pub struct Ready {
    lanes: IndexMap<Lane, VecDeque<usize>>,
    fresh: bool,
}

impl Ready {
    /// Adds a task at the end.
    pub fn push(&mut self, lane: Lane, task: usize) {
        self.fresh = true;
        self.lanes.entry(lane).or_default().push_back(task);
    }

    /// Whether a task was added since this was asked last.
    pub fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// How many tasks wait.
    pub fn len(&self) -> usize {
        self.lanes.values().map(VecDeque::len).sum()
    }

    /// Each kind with its tasks.
    pub fn lanes(&self) -> impl Iterator<Item = (&Lane, &VecDeque<usize>)> {
        self.lanes.iter()
    }

    /// Takes the first task of a kind out; that kind is the last one to be looked at then.
    pub fn take(&mut self, lane: &Lane) -> Option<usize> {
        let (lane, mut tasks) = self.lanes.shift_remove_entry(lane)?;
        let task = tasks.pop_front();
        if !tasks.is_empty() {
            self.lanes.insert(lane, tasks);
        }
        task
    }
}

/// Agents that could be given work, kept as agents change.
#[derive(Debug, Default)]
pub struct Roster {
    groups: BTreeMap<Vec<String>, Group>,
    free_by_name: HashMap<String, AgentId>,
    seats: HashMap<AgentId, Seat>,
    free: usize,
}

/// Agents with the same capabilities.
#[derive(Debug, Default)]
struct Group {
    /// Those with room, the least busy first.
    free: BTreeSet<(usize, AgentId)>,
    /// How many are being spawned.
    coming: usize,
}

#[derive(Debug)]
struct Seat {
    group: Vec<String>,
    name: String,
    held: Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// With room, and so many tasks at hand.
    Free(usize),
    Coming,
    Away,
}

/// Agents on their way that were counted on in one pass.
#[derive(Debug, Default)]
pub struct Promised(BTreeMap<Vec<String>, usize>);

impl Roster {
    /// Takes in what an agent is now.
    pub fn note(&mut self, agent: &Agent) {
        self.leave(agent.id);
        let held = match agent.state {
            AgentState::Spawning => Held::Coming,
            AgentState::Idle | AgentState::Working { .. } if agent.room() > 0 => {
                Held::Free(agent.attempts().count())
            }
            AgentState::Idle
            | AgentState::Working { .. }
            | AgentState::Paused { .. }
            | AgentState::Error { .. }
            | AgentState::Terminated { .. } => Held::Away,
        };
        if held == Held::Away {
            return;
        }
        let group = sorted(&agent.spec.capabilities);
        let name = agent.spec.name.clone();
        let members = self.groups.entry(group.clone()).or_default();
        match held {
            Held::Free(busy) => {
                members.free.insert((busy, agent.id));
                self.free_by_name.insert(name.clone(), agent.id);
                self.free += 1;
            }
            Held::Coming => members.coming += 1,
            Held::Away => {}
        }
        self.seats.insert(agent.id, Seat { group, name, held });
    }

    /// Forgets an agent.
    pub fn leave(&mut self, agent: AgentId) {
        let Some(seat) = self.seats.remove(&agent) else {
            return;
        };
        if let Some(members) = self.groups.get_mut(&seat.group) {
            match seat.held {
                Held::Free(busy) => {
                    members.free.remove(&(busy, agent));
                    self.free_by_name.remove(&seat.name);
                    self.free -= 1;
                }
                Held::Coming => members.coming -= 1,
                Held::Away => {}
            }
            if members.free.is_empty() && members.coming == 0 {
                self.groups.remove(&seat.group);
            }
        }
    }

    /// Who could do a task now. Of several the one with the fewest capabilities beyond those
    /// wanted: specialists stay free.
    pub fn find(&self, who: &Who) -> Option<AgentId> {
        if self.free == 0 {
            return None;
        }
        match who {
            Who::Named(name) => self.free_by_name.get(name).copied(),
            Who::Capable(wanted) => {
                let fit = |(has, group): &(&Vec<String>, &Group)| {
                    !group.free.is_empty() && has_all(has, wanted)
                };
                let best = self.groups.iter().filter(fit);
                let (_, group) = best.min_by_key(|(has, _)| has.len())?;
                group.free.first().map(|(_, agent)| *agent)
            }
        }
    }

    /// How many agents have to be spawned so that `tasks` of this kind find one, those on their way
    /// counted on, as far as nobody else counts on them.
    pub fn missing(&self, wanted: &[String], tasks: usize, promised: &mut Promised) -> usize {
        let mut missing = tasks;
        for (has, group) in &self.groups {
            if missing == 0 {
                break;
            }
            if group.coming == 0 || !has_all(has, wanted) {
                continue;
            }
            let taken = promised.0.entry(has.clone()).or_default();
            let counted = missing.min(group.coming.saturating_sub(*taken));
            *taken += counted;
            missing -= counted;
        }
        missing
    }
}

impl Promised {
    /// Counts on an agent that was spawned just now for a task of this pass.
    pub fn count(&mut self, capabilities: &[String]) {
        *self.0.entry(sorted(capabilities)).or_default() += 1;
    }
}

/// Whether sorted words hold all of those wanted.
fn has_all(has: &[String], wanted: &[String]) -> bool {
    wanted.iter().all(|word| has.binary_search(word).is_ok())
}

/// Capabilities as they are compared.
pub fn sorted(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    words.sort();
    words.dedup();
    words
}
