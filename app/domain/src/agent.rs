//! An agent: a long-lived worker with a name, capabilities and a model. Its state changes by
//! [`Agent::apply`] alone, and only along the legal moves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    graph::Preferences,
    id::AgentId,
    message::Message,
    money::MicroUsd,
    run::{AttemptKey, TaskError},
    time::Timestamp,
};

/// The code of the error of an agent whose work crashed.
pub const AGENT_CRASHED: &str = "agent_crashed";

/// What an agent is made from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSpec {
    /// What people and nodes call it; unique among live agents.
    pub name: String,
    /// What it can do; nodes ask for these words.
    pub capabilities: Vec<String>,
    /// `provider:model`; `None` means the server's default.
    pub model: Option<String>,
    /// Models that are asked, in order, when that one brings no answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// What it wants of the servers behind its provider.
    #[serde(skip_serializing_if = "Preferences::is_empty")]
    pub provider: Preferences,
    /// Standing orders that go before every prompt.
    pub instructions: String,
    /// Tools that it may use.
    pub tools: Vec<String>,
    /// How many tasks it does at a time; 0 means 1.
    pub max_tasks: u32,
    /// Whether it remembers other runs: what it noted, and what was written to it there.
    pub memory: bool,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// What it was made from.
    pub spec: AgentSpec,
    /// Spawned because a task needed it: ends by itself when idle for a while.
    pub on_demand: bool,
    /// What it is doing.
    pub state: AgentState,
    /// Attempts that it is at besides the one that its state names, where its spec allows several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AttemptKey>,
    /// Messages that it has not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailbox: Vec<Message>,
    /// When it was spawned.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
    /// Attempts that it finished, well or not.
    pub attempts_done: u64,
    /// What its model calls cost so far, as far as known.
    pub cost_usd: MicroUsd,
}

/// What an agent is doing, with the data of that state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AgentState {
    /// Its workspace is being made.
    Spawning,
    /// It waits for work.
    Idle,
    /// It works on one attempt.
    Working {
        /// Which.
        on: AttemptKey,
    },
    /// It takes no new work; what it was at goes on to its end.
    Paused {
        /// The attempt that still runs.
        on: Option<AttemptKey>,
    },
    /// Its work crashed, or its workspace could not be made; it takes no work until a person brings it
    /// back, or, after a crash, a task that asks for it by name.
    Error {
        /// What happened.
        error: TaskError,
    },
    /// It is gone.
    Terminated {
        /// Why, in words for people.
        reason: String,
    },
}

/// The bare state, for the table of legal moves and for pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// See [`AgentState::Spawning`].
    Spawning,
    /// See [`AgentState::Idle`].
    Idle,
    /// See [`AgentState::Working`].
    Working,
    /// See [`AgentState::Paused`].
    Paused,
    /// See [`AgentState::Error`].
    Error,
    /// See [`AgentState::Terminated`].
    Terminated,
}

/// A move that no agent may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an agent that is {from} cannot become {to}")]
pub struct IllegalMove {
    /// What it is.
    pub from: Phase,
    /// What was asked.
    pub to: Phase,
}

/// What happened to an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum AgentEvent {
    /// It came to be; its workspace is being made.
    #[serde(rename = "agent.spawned")]
    Spawned {
        /// What it was made from.
        spec: AgentSpec,
        /// Whether a task asked for it, not a person.
        on_demand: bool,
        /// Who asked, where a person did.
        by: Option<String>,
    },
    /// It waits for work.
    #[serde(rename = "agent.idle")]
    Idle {
        /// What the attempt that just ended cost.
        cost_usd: Option<MicroUsd>,
    },
    /// It took up an attempt.
    #[serde(rename = "agent.working")]
    Working {
        /// Which.
        on: AttemptKey,
    },
    /// One of several attempts that it is at ended.
    #[serde(rename = "agent.freed")]
    Freed {
        /// Which.
        on: AttemptKey,
        /// What it cost.
        cost_usd: Option<MicroUsd>,
    },
    /// It turned out later what a call cost, of an attempt that is over.
    #[serde(rename = "agent.charged")]
    Charged {
        /// What.
        cost_usd: MicroUsd,
    },
    /// A message to it: it waits in its mailbox.
    #[serde(rename = "message.sent")]
    Message(Message),
    /// It was handed its messages with a turn.
    #[serde(rename = "message.read")]
    Read {
        /// With which attempt.
        on: AttemptKey,
        /// With which turn.
        turn: u32,
        /// How many messages left its mailbox, oldest first.
        count: u32,
    },
    /// It takes no new work.
    #[serde(rename = "agent.paused")]
    Paused {
        /// Who asked.
        by: String,
    },
    /// It takes work again.
    #[serde(rename = "agent.resumed")]
    Resumed {
        /// Who asked.
        by: String,
    },
    /// Its work crashed, or its workspace could not be made.
    #[serde(rename = "agent.error")]
    Error {
        /// What happened.
        error: TaskError,
    },
    /// It is gone.
    #[serde(rename = "agent.terminated")]
    Terminated {
        /// Why, in words for people.
        reason: String,
    },
}

impl Phase {
    /// Every phase.
    pub const ALL: [Phase; 6] = [
        Phase::Spawning,
        Phase::Idle,
        Phase::Working,
        Phase::Paused,
        Phase::Error,
        Phase::Terminated,
    ];

    /// Its name in API, events and `data-status`.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Spawning => "spawning",
            Phase::Idle => "idle",
            Phase::Working => "working",
            Phase::Paused => "paused",
            Phase::Error => "error",
            Phase::Terminated => "terminated",
        }
    }

    /// The one table of legal moves.
    pub fn move_to(self, to: Phase) -> Result<Phase, IllegalMove> {
        let legal = match self {
            Phase::Spawning => matches!(to, Phase::Idle | Phase::Error | Phase::Terminated),
            Phase::Idle => {
                matches!(
                    to,
                    Phase::Working | Phase::Paused | Phase::Error | Phase::Terminated
                )
            }
            Phase::Working => {
                matches!(
                    to,
                    Phase::Idle | Phase::Paused | Phase::Error | Phase::Terminated
                )
            }
            Phase::Paused => matches!(to, Phase::Idle | Phase::Working | Phase::Terminated),
            Phase::Error => matches!(to, Phase::Idle | Phase::Terminated),
            Phase::Terminated => false,
        };
        if legal {
            Ok(to)
        } else {
            Err(IllegalMove { from: self, to })
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl AgentState {
    /// The bare state.
    pub fn phase(&self) -> Phase {
        match self {
            AgentState::Spawning => Phase::Spawning,
            AgentState::Idle => Phase::Idle,
            AgentState::Working { .. } => Phase::Working,
            AgentState::Paused { .. } => Phase::Paused,
            AgentState::Error { .. } => Phase::Error,
            AgentState::Terminated { .. } => Phase::Terminated,
        }
    }
}

impl Agent {
    /// The agent that an `agent.spawned` tells of; `None` for any other event.
    pub fn spawned(id: AgentId, at: Timestamp, event: &AgentEvent) -> Option<Self> {
        match event {
            AgentEvent::Spawned {
                spec,
                on_demand,
                by: _,
            } => Some(Self {
                id,
                spec: spec.clone(),
                on_demand: *on_demand,
                state: AgentState::Spawning,
                created_at: at,
                updated_at: at,
                also: Vec::new(),
                mailbox: Vec::new(),
                attempts_done: 0,
                cost_usd: MicroUsd::default(),
            }),
            AgentEvent::Idle { .. }
            | AgentEvent::Working { .. }
            | AgentEvent::Freed { .. }
            | AgentEvent::Message(_)
            | AgentEvent::Read { .. }
            | AgentEvent::Charged { .. }
            | AgentEvent::Paused { .. }
            | AgentEvent::Resumed { .. }
            | AgentEvent::Error { .. }
            | AgentEvent::Terminated { .. } => None,
        }
    }

    /// Every attempt that it is at.
    pub fn attempts(&self) -> impl Iterator<Item = &AttemptKey> {
        self.working_on().into_iter().chain(&self.also)
    }

    /// Whether it is in error because its work crashed, not because it has no workspace.
    pub fn has_crashed(&self) -> bool {
        match &self.state {
            AgentState::Error { error } => error.code == AGENT_CRASHED,
            AgentState::Spawning
            | AgentState::Idle
            | AgentState::Working { .. }
            | AgentState::Paused { .. }
            | AgentState::Terminated { .. } => false,
        }
    }

    /// How many more tasks it could take on.
    pub fn room(&self) -> usize {
        let most = usize::try_from(self.spec.max_tasks.max(1)).unwrap_or(1);
        match self.state {
            AgentState::Idle => most,
            AgentState::Working { .. } => most.saturating_sub(1 + self.also.len()),
            AgentState::Spawning
            | AgentState::Paused { .. }
            | AgentState::Error { .. }
            | AgentState::Terminated { .. } => 0,
        }
    }

    /// The attempt that it is at; the first of several.
    pub fn working_on(&self) -> Option<&AttemptKey> {
        match &self.state {
            AgentState::Working { on } | AgentState::Paused { on: Some(on) } => Some(on),
            AgentState::Spawning
            | AgentState::Idle
            | AgentState::Paused { on: None }
            | AgentState::Error { .. }
            | AgentState::Terminated { .. } => None,
        }
    }

    /// Where an event would take it; an error names both states. `Idle` in a pause means that the
    /// attempt ended: the pause stays.
    pub fn next(&self, event: &AgentEvent) -> Result<AgentState, IllegalMove> {
        let from = self.state.phase();
        let stays = match event {
            AgentEvent::Message(_)
            | AgentEvent::Read { .. }
            | AgentEvent::Freed { .. }
            | AgentEvent::Charged { .. } => from != Phase::Terminated,
            AgentEvent::Working { .. } => self.room() > 0 && from == Phase::Working,
            AgentEvent::Spawned { .. }
            | AgentEvent::Idle { .. }
            | AgentEvent::Paused { .. }
            | AgentEvent::Resumed { .. }
            | AgentEvent::Error { .. }
            | AgentEvent::Terminated { .. } => false,
        };
        if stays {
            return Ok(self.state.clone());
        }
        let next = match (event, &self.state) {
            (AgentEvent::Idle { .. }, AgentState::Paused { on: Some(_) }) => {
                return Ok(AgentState::Paused { on: None });
            }
            (AgentEvent::Spawned { .. }, _) => AgentState::Spawning,
            (AgentEvent::Resumed { .. }, AgentState::Paused { on: Some(on) }) => {
                AgentState::Working { on: on.clone() }
            }
            (
                AgentEvent::Resumed { .. },
                AgentState::Paused { on: None } | AgentState::Error { .. },
            )
            | (AgentEvent::Idle { .. }, _) => AgentState::Idle,
            // Only a pause or an error ends by this; an agent at work stays at its work.
            (
                AgentEvent::Resumed { .. },
                AgentState::Spawning
                | AgentState::Idle
                | AgentState::Working { .. }
                | AgentState::Terminated { .. },
            ) => {
                return Err(IllegalMove {
                    from,
                    to: Phase::Idle,
                });
            }
            (AgentEvent::Working { on }, _) => AgentState::Working { on: on.clone() },
            (
                AgentEvent::Freed { .. }
                | AgentEvent::Charged { .. }
                | AgentEvent::Message(_)
                | AgentEvent::Read { .. },
                state,
            ) => state.clone(),
            (AgentEvent::Paused { .. }, state) => AgentState::Paused {
                on: match state {
                    AgentState::Working { on } => Some(on.clone()),
                    AgentState::Spawning
                    | AgentState::Idle
                    | AgentState::Paused { .. }
                    | AgentState::Error { .. }
                    | AgentState::Terminated { .. } => None,
                },
            },
            (AgentEvent::Error { error }, _) => AgentState::Error {
                error: error.clone(),
            },
            (AgentEvent::Terminated { reason }, _) => AgentState::Terminated {
                reason: reason.clone(),
            },
        };
        from.move_to(next.phase())?;
        Ok(next)
    }

    /// Changes the agent as the event tells; an illegal move leaves it as it is. The only mutation.
    pub fn apply(&mut self, at: Timestamp, event: &AgentEvent) -> Result<(), IllegalMove> {
        let next = self.next(event)?;
        match event {
            AgentEvent::Message(message) => {
                self.mailbox.push(message.clone());
                return Ok(());
            }
            AgentEvent::Read { count, .. } => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                self.mailbox.drain(..count.min(self.mailbox.len()));
                return Ok(());
            }
            AgentEvent::Freed { on, cost_usd } => {
                self.let_go(on);
                self.attempts_done += 1;
                self.cost_usd = self.cost_usd + cost_usd.unwrap_or_default();
                return Ok(());
            }
            AgentEvent::Charged { cost_usd } => {
                self.cost_usd = self.cost_usd + *cost_usd;
                return Ok(());
            }
            AgentEvent::Working { on } if self.state.phase() == Phase::Working => {
                self.also.push(on.clone());
                return Ok(());
            }
            AgentEvent::Spawned { .. }
            | AgentEvent::Idle { .. }
            | AgentEvent::Working { .. }
            | AgentEvent::Paused { .. }
            | AgentEvent::Resumed { .. }
            | AgentEvent::Error { .. }
            | AgentEvent::Terminated { .. } => {}
        }
        let had_work = self.attempts().count();
        self.state = next;
        self.updated_at = at;
        if self.working_on().is_none() {
            self.also.clear();
            self.attempts_done += had_work as u64;
        }
        if let AgentEvent::Idle {
            cost_usd: Some(cost),
        } = event
        {
            self.cost_usd = self.cost_usd + *cost;
        }
        Ok(())
    }

    /// Forgets one of several attempts.
    fn let_go(&mut self, over: &AttemptKey) {
        if let Some(at) = self.also.iter().position(|key| key == over) {
            self.also.remove(at);
            return;
        }
        let next = (!self.also.is_empty()).then(|| self.also.remove(0));
        match &mut self.state {
            AgentState::Working { on } => *on = next.unwrap_or_else(|| over.clone()),
            AgentState::Paused { on } => *on = next,
            AgentState::Spawning
            | AgentState::Idle
            | AgentState::Error { .. }
            | AgentState::Terminated { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moves_are_those_of_the_design() {
        let mut legal = Vec::new();
        for from in Phase::ALL {
            let to: Vec<_> = Phase::ALL
                .into_iter()
                .filter(|to| from.move_to(*to).is_ok())
                .map(Phase::name)
                .collect();
            legal.push(format!("{from} -> {}", to.join(" ")));
        }
        expect_test::expect![[r#"
            spawning -> idle error terminated
            idle -> working paused error terminated
            working -> idle paused error terminated
            paused -> idle working terminated
            error -> idle terminated
            terminated -> "#]]
        .assert_eq(&legal.join("\n"));
    }

    #[test]
    fn a_refused_move_names_both_states() {
        let refused = Phase::Terminated
            .move_to(Phase::Idle)
            .expect_err("gone is gone");
        assert_eq!(
            refused.to_string(),
            "an agent that is terminated cannot become idle"
        );
    }
}
