//! An agent: a long-lived worker with a name, capabilities and a model. Its state changes by
//! [`Agent::apply`] alone, and only along the legal moves.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::AgentId,
    money::MicroUsd,
    run::{AttemptKey, TaskError},
    time::Timestamp,
};

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
    /// Standing orders that go before every prompt.
    pub instructions: String,
    /// Tools that it may use.
    pub tools: Vec<String>,
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
    /// Its work crashed; it takes no work until a person brings it back.
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
                attempts_done: 0,
                cost_usd: MicroUsd::default(),
            }),
            AgentEvent::Idle { .. }
            | AgentEvent::Working { .. }
            | AgentEvent::Paused { .. }
            | AgentEvent::Resumed { .. }
            | AgentEvent::Error { .. }
            | AgentEvent::Terminated { .. } => None,
        }
    }

    /// The attempt that it is at.
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
        let had_work = self.working_on().is_some();
        self.state = self.next(event)?;
        self.updated_at = at;
        if had_work && self.working_on().is_none() {
            self.attempts_done += 1;
        }
        if let AgentEvent::Idle {
            cost_usd: Some(cost),
        } = event
        {
            self.cost_usd = self.cost_usd + *cost;
        }
        Ok(())
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
