//! The only mutation of a run. An event that does not fit is an error, never a panic: the kernel
//! then stops (its own log contradicts it), a browser reloads.

mod task;

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    Parent, Run, RunEvent, RunState, Sketch, SkipReason, Task, TaskEvent, TaskState, Totals,
    add_cost,
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
                    budget_tokens,
                    on_budget,
                    by,
                    parent_run_id,
                    parent_task,
                    depth,
                    seed,
                    only,
                    replay,
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
            budget_tokens: *budget_tokens,
            on_budget: *on_budget,
            held_by: None,
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
            replay: replay.clone(),
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
        let late = matches!(
            event,
            RunEvent::Resumed { .. } | RunEvent::ChildEnded { .. }
        );
        let over = self.state.is_final() && !late;
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
            RunEvent::BudgetSet {
                budget_usd,
                budget_tokens,
                on_budget,
                ..
            } => {
                self.budget_usd = *budget_usd;
                self.budget_tokens = *budget_tokens;
                self.on_budget = *on_budget;
                self.held_by = None;
            }
            RunEvent::BudgetWarned(_) => {}
            RunEvent::BudgetExceeded(notice) => self.held_by = Some(notice.clone()),
            RunEvent::ChildEnded {
                cost_usd,
                assumed_usd,
                assumed_tokens,
                tokens,
                ..
            } => {
                let sums = &mut self.totals.children;
                sums.runs = sums.runs.saturating_add(1);
                sums.cost_usd = add_cost(sums.cost_usd, *cost_usd);
                sums.assumed_usd = sums.assumed_usd + *assumed_usd;
                sums.assumed_tokens = sums.assumed_tokens.saturating_add(*assumed_tokens);
                sums.tokens = sums.tokens.plus(*tokens);
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
        let settled = task.state.is_settled();
        task.apply(at, agent, event)?;
        if task.state.is_settled() && !settled {
            self.totals.settled += 1;
        }
        match event {
            TaskEvent::TurnStarted { simulated, .. } => self.totals.simulated |= simulated,
            TaskEvent::TurnCompleted { record, .. } => self.totals.add(record),
            TaskEvent::TurnFailed { failure, .. } => self.totals.add_failed(failure),
            TaskEvent::TurnPriced { late, .. } => self.totals.price(late),
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
            | TaskEvent::TurnBegan { .. }
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
