//! The only mutation of a run. An event that does not fit is an error, never a panic: the kernel
//! then stops (its own log contradicts it), a browser reloads.

use indexmap::IndexMap;

use super::{
    Attempt, AttemptState, Run, RunEvent, RunState, Task, TaskEvent, TaskState, ToolOutcome,
    ToolResult, Turn,
};
use crate::{
    event::{Event, Fact},
    graph::ValidGraph,
    id::{AgentId, TaskName},
    time::Timestamp,
};

/// An event that does not fit the run it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} does not fit the run: {reason}")]
pub struct Misfit {
    /// Its place in the log.
    pub seq: u64,
    /// What does not fit.
    pub reason: String,
}

/// Where an event stands and when it happened.
struct At {
    seq: u64,
    moment: Timestamp,
}

impl At {
    fn misfit(&self, reason: impl Into<String>) -> Misfit {
        Misfit {
            seq: self.seq,
            reason: reason.into(),
        }
    }
}

impl Run {
    /// The run that a `workflow.queued` tells of, all tasks blocked.
    pub fn queued(event: &Event, graph: &ValidGraph) -> Result<Self, Misfit> {
        let at = At {
            seq: event.seq,
            moment: event.at,
        };
        let Fact::Run {
            run,
            workflow,
            event:
                RunEvent::Queued {
                    workflow_name,
                    workflow_version,
                    input,
                    budget_usd,
                    by,
                    parent_run_id: _,
                },
        } = &event.fact
        else {
            return Err(at.misfit("a run begins with workflow.queued"));
        };
        let tasks = graph
            .nodes
            .iter()
            .map(|node| {
                let task = Task {
                    node: node.id.clone(),
                    kind: node.work.kind().name().to_owned(),
                    title: node.title.clone(),
                    input: None,
                    state: TaskState::Blocked,
                    attempts: Vec::new(),
                };
                (TaskName::of(&node.id), task)
            })
            .collect::<IndexMap<_, _>>();
        Ok(Self {
            id: *run,
            workflow_id: *workflow,
            workflow_version: *workflow_version,
            workflow_name: workflow_name.clone(),
            input: input.clone(),
            started_by: by.clone(),
            budget_usd: *budget_usd,
            state: RunState::Queued,
            created_at: at.moment,
            started_at: None,
            ended_at: None,
            last_seq: event.seq,
            last_run_seq: event.run_seq.unwrap_or(1),
            tasks,
        })
    }

    /// The run that a whole log tells of; `None` for an empty log.
    pub fn replay<'a>(
        events: impl IntoIterator<Item = &'a Event>,
        graph: &ValidGraph,
    ) -> Result<Option<Self>, Misfit> {
        let mut events = events.into_iter();
        let Some(first) = events.next() else {
            return Ok(None);
        };
        let mut run = Self::queued(first, graph)?;
        for event in events {
            run.apply(event)?;
        }
        Ok(Some(run))
    }

    /// Changes the run as the event tells. Events of other runs, and those that it has seen
    /// already, leave it as it is; a gap is a misfit.
    pub fn apply(&mut self, event: &Event) -> Result<(), Misfit> {
        let at = At {
            seq: event.seq,
            moment: event.at,
        };
        if event.fact.run() != Some(self.id) || event.seq <= self.last_seq {
            return Ok(());
        }
        if event.run_seq != Some(self.last_run_seq + 1) {
            return Err(at.misfit(format!(
                "it is number {:?} after {}",
                event.run_seq, self.last_run_seq
            )));
        }
        match &event.fact {
            Fact::Run { event, .. } => self.apply_run(&at, event)?,
            Fact::Task {
                task, agent, event, ..
            } => {
                let task = self
                    .tasks
                    .get_mut(task)
                    .ok_or_else(|| at.misfit(format!("there is no task `{task}`")))?;
                task.apply(&at, *agent, event)?;
            }
            Fact::Agent { .. } | Fact::System(_) => {}
        }
        self.last_seq = event.seq;
        self.last_run_seq += 1;
        Ok(())
    }

    fn apply_run(&mut self, at: &At, event: &RunEvent) -> Result<(), Misfit> {
        if self.state.is_final() {
            return Err(at.misfit(format!("the run is {} already", self.state.name())));
        }
        match event {
            RunEvent::Queued { .. } => return Err(at.misfit("the run was accepted already")),
            RunEvent::Started {} => {
                self.state = RunState::Running;
                self.started_at = Some(at.moment);
            }
            RunEvent::Completed { output, .. } => {
                self.state = RunState::Succeeded {
                    output: output.clone(),
                };
                self.ended_at = Some(at.moment);
            }
            RunEvent::Failed { error } => {
                self.state = RunState::Failed {
                    error: error.clone(),
                };
                self.ended_at = Some(at.moment);
            }
            RunEvent::Cancelled { by } => {
                self.state = RunState::Cancelled { by: by.clone() };
                self.ended_at = Some(at.moment);
            }
        }
        Ok(())
    }
}

impl Task {
    fn apply(&mut self, at: &At, agent: Option<AgentId>, event: &TaskEvent) -> Result<(), Misfit> {
        if self.state.is_settled() {
            return Err(at.misfit(format!(
                "task `{}` is {} already",
                self.node,
                self.state.name()
            )));
        }
        match event {
            TaskEvent::Ready { input, .. } => {
                if input.is_some() {
                    self.input = input.clone();
                }
                self.state = TaskState::Ready { since: at.moment };
            }
            TaskEvent::Assigned {
                attempt, agent_id, ..
            } => {
                self.begin(at, *attempt, Some(*agent_id), AttemptState::Assigned)?;
                self.state = TaskState::Assigned { attempt: *attempt };
            }
            TaskEvent::Started { attempt } => {
                if self.attempt(*attempt).is_none() {
                    self.begin(at, *attempt, agent, AttemptState::Running)?;
                } else {
                    self.open(at, *attempt)?.state = AttemptState::Running;
                }
                self.state = TaskState::Running { attempt: *attempt };
            }
            TaskEvent::TurnStarted {
                attempt,
                turn,
                model,
                simulated,
                resumed: _,
            } => {
                let turns = &mut self.open(at, *attempt)?.turns;
                let begun = Turn {
                    number: *turn,
                    model: model.clone(),
                    simulated: *simulated,
                    started_at: at.moment,
                    done: None,
                    tools: Vec::new(),
                };
                // A call that a crash cut is made again under its number.
                match turns.iter_mut().find(|known| known.number == *turn) {
                    Some(known) => *known = begun,
                    None => turns.push(begun),
                }
            }
            TaskEvent::TurnCompleted {
                attempt,
                turn,
                record,
            } => {
                self.turn(at, *attempt, *turn)?.done = Some(record.clone());
            }
            TaskEvent::ToolCalled {
                attempt,
                turn,
                call,
            } => {
                let tools = &mut self.turn(at, *attempt, *turn)?.tools;
                let begun = ToolResult {
                    call: call.clone(),
                    started_at: at.moment,
                    outcome: None,
                };
                match tools
                    .iter_mut()
                    .find(|known| known.call.call_id == call.call_id)
                {
                    Some(known) => *known = begun,
                    None => tools.push(begun),
                }
            }
            TaskEvent::ToolReturned {
                attempt,
                turn,
                call_id,
                output,
                failed,
                duration_ms,
            } => {
                let tool = self
                    .turn(at, *attempt, *turn)?
                    .tools
                    .iter_mut()
                    .find(|tool| tool.call.call_id == *call_id)
                    .ok_or_else(|| at.misfit(format!("there is no tool call `{call_id}`")))?;
                tool.outcome = Some(ToolOutcome {
                    output: output.clone(),
                    failed: *failed,
                    duration_ms: *duration_ms,
                });
            }
            TaskEvent::Retrying { attempt, error, .. } => {
                let failed = attempt.saturating_sub(1);
                if self.attempt(failed).is_some() {
                    self.close(
                        at,
                        failed,
                        AttemptState::Failed {
                            error: error.clone(),
                        },
                    )?;
                }
            }
            TaskEvent::Waiting { reason, until, .. } => {
                self.state = TaskState::Waiting {
                    reason: *reason,
                    until: *until,
                };
            }
            TaskEvent::Completed {
                attempt,
                output,
                port,
                ..
            } => {
                self.close(at, *attempt, AttemptState::Succeeded)?;
                self.state = TaskState::Succeeded {
                    output: output.clone(),
                    port: port.clone(),
                    at: at.moment,
                };
            }
            TaskEvent::Failed { attempt, error } => {
                // A task whose input cannot be made fails before it was ever tried.
                if self.attempt(*attempt).is_some() {
                    self.close(
                        at,
                        *attempt,
                        AttemptState::Failed {
                            error: error.clone(),
                        },
                    )?;
                }
                self.state = TaskState::Failed {
                    error: error.clone(),
                    at: at.moment,
                };
            }
            TaskEvent::Skipped { reason, .. } => {
                self.state = TaskState::Skipped { reason: *reason };
            }
            TaskEvent::Cancelled { .. } => {
                if let Some(attempt) = self.state.attempt() {
                    self.close(at, attempt, AttemptState::Cancelled)?;
                }
                self.state = TaskState::Cancelled;
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        at: &At,
        number: u32,
        agent: Option<AgentId>,
        state: AttemptState,
    ) -> Result<(), Misfit> {
        let expected = self.attempts.last().map_or(1, |last| last.number + 1);
        if number != expected {
            return Err(at.misfit(format!(
                "attempt {number} of `{}` came where {expected} was due",
                self.node
            )));
        }
        self.attempts.push(Attempt {
            number,
            agent,
            state,
            started_at: at.moment,
            ended_at: None,
            turns: Vec::new(),
        });
        Ok(())
    }

    fn open(&mut self, at: &At, number: u32) -> Result<&mut Attempt, Misfit> {
        self.attempts
            .iter_mut()
            .find(|attempt| attempt.number == number && attempt.ended_at.is_none())
            .ok_or_else(|| at.misfit(format!("attempt {number} is not under way")))
    }

    fn close(&mut self, at: &At, number: u32, state: AttemptState) -> Result<(), Misfit> {
        let moment = at.moment;
        let attempt = self.open(at, number)?;
        attempt.state = state;
        attempt.ended_at = Some(moment);
        Ok(())
    }

    fn turn(&mut self, at: &At, attempt: u32, number: u32) -> Result<&mut Turn, Misfit> {
        self.open(at, attempt)?
            .turns
            .iter_mut()
            .find(|turn| turn.number == number)
            .ok_or_else(|| at.misfit(format!("turn {number} was not begun")))
    }
}
