//! The only mutation of a run. An event that does not fit is an error, never a panic: the kernel
//! then stops (its own log contradicts it), a browser reloads.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    Answer, Attempt, AttemptState, Parent, Run, RunEvent, RunState, Sketch, SkipReason, Task,
    TaskEvent, TaskState, ToolOutcome, ToolResult, Totals, Turn,
};
use crate::{
    event::{Event, Fact},
    graph::{Node, ValidGraph},
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
    /// The run that a `workflow.queued` tells of: tasks blocked, but for those that it begins with.
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
                    parent_run_id,
                    parent_task,
                    depth,
                    seed,
                    only,
                },
        } = &event.fact
        else {
            return Err(at.misfit("a run begins with workflow.queued"));
        };
        let tasks = sketches(graph)
            .iter()
            .map(|sketch| {
                let name = TaskName::of(&sketch.node);
                let mut task = Task::of(sketch);
                if only.as_ref().is_some_and(|only| *only != name) {
                    task.state = TaskState::Skipped {
                        reason: SkipReason::NotAsked,
                    };
                }
                (name, task)
            })
            .collect::<IndexMap<_, _>>();
        let mut run = Self {
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
            active_since: None,
            parent: parent_run_id.map(|run| Parent {
                run,
                task: parent_task.clone(),
            }),
            depth: *depth,
            only: only.clone(),
            totals: Totals::default(),
            last_seq: event.seq,
            last_run_seq: event.run_seq.unwrap_or(1),
            tasks,
        };
        for seed in seed {
            let task = run
                .tasks
                .get_mut(&seed.task)
                .ok_or_else(|| at.misfit(format!("there is no task `{}`", seed.task)))?;
            task.state = TaskState::Succeeded {
                output: seed.output.clone(),
                port: seed.port.clone(),
                at: at.moment,
            };
            task.reused = true;
        }
        let settled = run.tasks.values().filter(|task| task.state.is_settled());
        run.totals.settled = u32::try_from(settled.count()).unwrap_or(u32::MAX);
        Ok(run)
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
                task: name,
                agent,
                event,
                ..
            } => self.apply_task(&at, name, *agent, event)?,
            Fact::Agent { .. } | Fact::System(_) => {}
        }
        self.last_seq = event.seq;
        self.last_run_seq += 1;
        Ok(())
    }

    fn apply_run(&mut self, at: &At, event: &RunEvent) -> Result<(), Misfit> {
        let over = self.state.is_final() && !matches!(event, RunEvent::Resumed { .. });
        if over {
            return Err(at.misfit(format!("the run is {} already", self.state.name())));
        }
        match event {
            RunEvent::Queued { .. } => return Err(at.misfit("the run was accepted already")),
            RunEvent::Started {} => {
                self.state = RunState::Running;
                self.started_at = Some(at.moment);
                self.active_since = Some(at.moment);
            }
            RunEvent::Paused { by } => self.state = RunState::Paused { by: by.clone() },
            RunEvent::Resumed { again, .. } => {
                if self.state.is_final() {
                    self.ended_at = None;
                    self.active_since = Some(at.moment);
                }
                self.state = RunState::Running;
                for name in again {
                    self.take_back(at, name)?;
                }
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

    fn apply_task(
        &mut self,
        at: &At,
        name: &TaskName,
        agent: Option<AgentId>,
        event: &TaskEvent,
    ) -> Result<(), Misfit> {
        let task = self
            .tasks
            .get_mut(name)
            .ok_or_else(|| at.misfit(format!("there is no task `{name}`")))?;
        task.apply(at, agent, event)?;
        if task.state.is_settled() {
            self.totals.settled += 1;
        }
        match event {
            TaskEvent::TurnStarted { simulated, .. } => self.totals.simulated |= simulated,
            TaskEvent::TurnCompleted { record, .. } => self.totals.add(record),
            TaskEvent::Opened { index, .. } => {
                let body = task.body.clone().unwrap_or_default();
                for sketch in body.iter() {
                    let inner = TaskName::inside(name, *index, &sketch.node);
                    self.tasks.insert(inner, Task::of(sketch));
                }
            }
            TaskEvent::Ready { .. }
            | TaskEvent::Assigned { .. }
            | TaskEvent::Started { .. }
            | TaskEvent::ToolCalled { .. }
            | TaskEvent::ToolReturned { .. }
            | TaskEvent::Retrying { .. }
            | TaskEvent::Waiting { .. }
            | TaskEvent::Answered { .. }
            | TaskEvent::Unknown { .. }
            | TaskEvent::Completed { .. }
            | TaskEvent::Failed { .. }
            | TaskEvent::Skipped { .. }
            | TaskEvent::Cancelled { .. } => {}
        }
        Ok(())
    }

    /// A task that had failed or was stopped waits again for those before it.
    fn take_back(&mut self, at: &At, name: &TaskName) -> Result<(), Misfit> {
        let task = self
            .tasks
            .get_mut(name)
            .ok_or_else(|| at.misfit(format!("there is no task `{name}`")))?;
        if !matches!(task.state, TaskState::Failed { .. } | TaskState::Cancelled) {
            return Err(at.misfit(format!("task `{name}` is {}", task.state.name())));
        }
        task.state = TaskState::Blocked;
        task.counted_from = task.attempts.last().map_or(0, |last| last.number);
        self.totals.settled = self.totals.settled.saturating_sub(1);
        Ok(())
    }
}

/// What the tasks of a graph are made from.
fn sketches(graph: &ValidGraph) -> Arc<[Sketch]> {
    let sketch = |node: &Node| Sketch {
        node: node.id.clone(),
        kind: node.work.kind().name().to_owned(),
        title: node.title.clone(),
        body: node.work.body().map(|body| sketches(body)),
    };
    graph.nodes.iter().map(sketch).collect()
}

impl Task {
    fn of(sketch: &Sketch) -> Self {
        Self {
            node: sketch.node.clone(),
            kind: sketch.kind.clone(),
            title: sketch.title.clone(),
            input: None,
            state: TaskState::Blocked,
            attempts: Vec::new(),
            counted_from: 0,
            answer: None,
            child: None,
            rounds: 0,
            body: sketch.body.clone(),
            reused: false,
        }
    }

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
            TaskEvent::Opened { attempt, index } => {
                self.open(at, *attempt)?;
                if *index != self.rounds || self.body.is_none() {
                    return Err(at.misfit(format!("`{}` cannot open round {index}", self.node)));
                }
                self.rounds += 1;
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
                messages,
            } => {
                let turns = &mut self.open(at, *attempt)?.turns;
                let known = turns.iter_mut().find(|known| known.number == *turn);
                if known.as_ref().is_some_and(|known| known.done.is_some()) {
                    return Err(at.misfit(format!("turn {turn} is finished")));
                }
                let begun = Turn {
                    number: *turn,
                    model: model.clone(),
                    simulated: *simulated,
                    started_at: at.moment,
                    done: None,
                    tools: Vec::new(),
                    messages: messages.clone(),
                };
                // A call that a crash cut is made again under its number, with what it was handed.
                match known {
                    Some(known) => {
                        let mut handed = std::mem::take(&mut known.messages);
                        *known = begun;
                        handed.append(&mut known.messages);
                        known.messages = handed;
                    }
                    None => turns.push(begun),
                }
            }
            TaskEvent::TurnCompleted {
                attempt,
                turn,
                record,
            } => {
                let turn = self.turn(at, *attempt, *turn)?;
                if turn.done.is_some() {
                    return Err(at.misfit(format!("turn {} is finished", turn.number)));
                }
                turn.done = Some(record.clone());
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
                if self
                    .attempt(failed)
                    .is_some_and(|tried| tried.ended_at.is_none())
                {
                    self.close(
                        at,
                        failed,
                        AttemptState::Failed {
                            error: error.clone(),
                        },
                    )?;
                }
            }
            TaskEvent::Waiting {
                reason,
                until,
                child_run_id,
                ..
            } => {
                if child_run_id.is_some() {
                    self.child = *child_run_id;
                }
                self.state = TaskState::Waiting {
                    reason: *reason,
                    until: *until,
                };
            }
            TaskEvent::Answered {
                by,
                port,
                comment,
                data,
                ..
            } => {
                self.answer = Some(Answer {
                    by: by.clone(),
                    at: at.moment,
                    port: port.clone(),
                    comment: comment.clone(),
                    data: data.clone(),
                });
            }
            TaskEvent::Unknown { attempt, error } => {
                self.close(
                    at,
                    *attempt,
                    AttemptState::Unknown {
                        error: error.clone(),
                    },
                )?;
                self.state = TaskState::Unknown {
                    attempt: *attempt,
                    error: error.clone(),
                    at: at.moment,
                };
            }
            TaskEvent::Completed {
                attempt,
                output,
                port,
                ..
            } => {
                // An attempt whose end was unknown keeps saying so; a person vouches for the task.
                if !matches!(self.state, TaskState::Unknown { .. }) {
                    self.close(at, *attempt, AttemptState::Succeeded)?;
                }
                self.state = TaskState::Succeeded {
                    output: output.clone(),
                    port: port.clone(),
                    at: at.moment,
                };
            }
            TaskEvent::Failed { attempt, error } => {
                // A task whose input cannot be made fails before it was ever tried.
                if self
                    .attempt(*attempt)
                    .is_some_and(|tried| tried.ended_at.is_none())
                {
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
                if let Some(attempt) = self.open_attempt().map(|open| open.number) {
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
