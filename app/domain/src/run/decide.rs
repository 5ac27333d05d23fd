//! What follows in one run from a command, an outcome or a moment: which events, which actions.
//! Every event is applied as it is recorded, so that what follows from it is decided on the state
//! behind it; nobody hears of any of it before it was stored.

use std::{collections::VecDeque, sync::Arc};

use serde_json::{Map, Value};

use super::{
    AttemptKey, Run, RunError, RunEvent, RunState, SkipReason, TaskError, TaskEvent, TaskState,
    Waiting,
    input::{Action, Outcome, Rejection, Timer},
    render::Renderer,
};
use crate::{
    event::{Event, Fact},
    graph::{Join, NodeIx, OnError, ValidGraph, Work},
    id::{AgentId, PortName, TaskName},
    money::MicroUsd,
    time::Timestamp,
};

/// Where events and actions are written down.
pub struct Pen<'a> {
    /// `seq` of the newest event.
    pub head: &'a mut u64,
    /// The moment at which all this is decided.
    pub now: Timestamp,
    /// What happened.
    pub events: &'a mut Vec<Event>,
    /// What is to be done about it.
    pub actions: &'a mut Vec<Action>,
    /// Agents whose attempt ended, with what it cost.
    pub freed: &'a mut Vec<(AgentId, Option<MicroUsd>)>,
}

/// A run that is not at its end, with what follows from its state and is kept at hand.
#[derive(Debug, Clone)]
pub struct LiveRun {
    /// Its state.
    pub run: Run,
    /// What it executes.
    pub graph: Arc<ValidGraph>,
    /// Ready tasks that wait for an agent, longest first.
    pub ready: VecDeque<NodeIx>,
    /// Per node: ways in that are not decided yet.
    undecided: Vec<usize>,
    /// Per node: ways in that were taken.
    taken: Vec<usize>,
    /// Tasks that can still change.
    open: usize,
}

type Decided = Result<(), Rejection>;

impl LiveRun {
    /// A run as it stands, be it new or replayed.
    pub fn new(run: Run, graph: Arc<ValidGraph>) -> Self {
        let undecided = graph.incoming.iter().map(Vec::len).collect();
        let taken = vec![0; graph.nodes.len()];
        let mut live = Self {
            open: run.tasks.len(),
            run,
            graph,
            ready: VecDeque::new(),
            undecided,
            taken,
        };
        for node in 0..live.graph.nodes.len() {
            if live.state(node).is_settled() {
                live.count_settled(node);
            }
            if matches!(live.state(node), TaskState::Ready { .. }) {
                live.ready.push_back(node);
            }
        }
        live
    }

    /// Begins an accepted run.
    pub fn start(&mut self, pen: &mut Pen<'_>) -> Decided {
        self.record_run(pen, RunEvent::Started {})?;
        let first: Vec<NodeIx> = self
            .graph
            .order
            .iter()
            .copied()
            .filter(|node| self.undecided[*node] == 0)
            .collect();
        self.enter_all(pen, first.into())
    }

    /// Stops everything.
    pub fn cancel(&mut self, pen: &mut Pen<'_>, by: &str) -> Decided {
        self.cancel_tasks(pen)?;
        self.record_run(pen, RunEvent::Cancelled { by: by.to_owned() })
    }

    /// Takes up again what a stop of the server cut.
    pub fn recover(&mut self, pen: &mut Pen<'_>) -> Decided {
        if self.run.state == RunState::Queued {
            return self.start(pen);
        }
        for node in 0..self.graph.nodes.len() {
            match self.state(node) {
                TaskState::Waiting {
                    reason: Waiting::Timer,
                    until,
                } => {
                    let at = until.unwrap_or(pen.now);
                    let next = self.next_attempt(node);
                    pen.actions.push(Action::SetTimer {
                        at,
                        timer: Timer::Retry(self.key(node, next)),
                    });
                }
                TaskState::Blocked
                | TaskState::Ready { .. }
                | TaskState::Assigned { .. }
                | TaskState::Running { .. }
                | TaskState::Succeeded { .. }
                | TaskState::Failed { .. }
                | TaskState::Skipped { .. }
                | TaskState::Cancelled => {}
            }
        }
        Ok(())
    }

    /// The place of a task.
    pub fn find(&self, task: &TaskName) -> Option<NodeIx> {
        self.run.tasks.get_index_of(task)
    }

    /// The attempt that the task's next try will be.
    pub fn next_attempt(&self, node: NodeIx) -> u32 {
        self.run.tasks[node]
            .attempts
            .last()
            .map_or(1, |last| last.number + 1)
    }

    /// Names an attempt.
    pub fn key(&self, node: NodeIx, attempt: u32) -> AttemptKey {
        AttemptKey {
            run: self.run.id,
            task: self.name(node),
            attempt,
        }
    }

    /// Whether this very attempt is under way.
    pub fn is_current(&self, key: &AttemptKey) -> bool {
        self.find(&key.task)
            .is_some_and(|node| self.state(node).attempt() == Some(key.attempt))
    }

    /// Gives a ready task to an agent.
    pub fn assign(
        &mut self,
        pen: &mut Pen<'_>,
        node: NodeIx,
        agent: AgentId,
        agent_name: &str,
    ) -> Result<AttemptKey, Rejection> {
        let attempt = self.next_attempt(node);
        let event = TaskEvent::Assigned {
            attempt,
            agent_id: agent,
            agent_name: agent_name.to_owned(),
        };
        self.record_task(pen, node, Some(agent), event)?;
        Ok(self.key(node, attempt))
    }

    /// What an agent tells of its attempt.
    pub fn outcome(&mut self, pen: &mut Pen<'_>, outcome: Outcome) -> Decided {
        match outcome {
            Outcome::AgentReady(_) | Outcome::AgentBroken { .. } => Ok(()),
            Outcome::TurnStarted {
                key,
                turn,
                model,
                simulated,
            } => {
                let (node, agent) = self.current(&key)?;
                self.check_budget(pen, node, &key)?;
                let attempt = key.attempt;
                if matches!(self.state(node), TaskState::Assigned { .. }) {
                    self.record_task(pen, node, agent, TaskEvent::Started { attempt })?;
                }
                let resumed = self.run.tasks[node]
                    .attempt(attempt)
                    .is_some_and(|attempt| attempt.turns.iter().any(|known| known.number == turn));
                self.record_task(
                    pen,
                    node,
                    agent,
                    TaskEvent::TurnStarted {
                        attempt,
                        turn,
                        model,
                        simulated,
                        resumed,
                    },
                )
            }
            Outcome::TurnCompleted { key, turn, record } => {
                let (node, agent) = self.current(&key)?;
                self.record_task(
                    pen,
                    node,
                    agent,
                    TaskEvent::TurnCompleted {
                        attempt: key.attempt,
                        turn,
                        record: *record,
                    },
                )
            }
            Outcome::ToolCalled { key, turn, call } => {
                let (node, agent) = self.current(&key)?;
                self.record_task(
                    pen,
                    node,
                    agent,
                    TaskEvent::ToolCalled {
                        attempt: key.attempt,
                        turn,
                        call,
                    },
                )
            }
            Outcome::ToolReturned {
                key,
                turn,
                call_id,
                output,
                failed,
                duration_ms,
            } => {
                let (node, agent) = self.current(&key)?;
                let event = TaskEvent::ToolReturned {
                    attempt: key.attempt,
                    turn,
                    call_id,
                    output,
                    failed,
                    duration_ms,
                };
                self.record_task(pen, node, agent, event)
            }
            Outcome::Succeeded { key, output } => {
                let (node, agent) = self.current(&key)?;
                self.free(pen, node, key.attempt);
                self.complete(pen, node, agent, output, None)?;
                self.go_on(pen, node)
            }
            Outcome::Failed { key, error } | Outcome::Crashed { key, error } => {
                let (node, _) = self.current(&key)?;
                self.attempt_failed(pen, node, key.attempt, error)
            }
        }
    }

    /// The time of the next try came.
    pub fn retry(&mut self, pen: &mut Pen<'_>, key: &AttemptKey) -> Decided {
        let Some(node) = self.find(&key.task) else {
            return Ok(());
        };
        let due = matches!(
            self.state(node),
            TaskState::Waiting {
                reason: Waiting::Timer,
                ..
            }
        );
        if !due || self.next_attempt(node) != key.attempt {
            return Ok(());
        }
        self.record_task(
            pen,
            node,
            None,
            TaskEvent::Ready {
                attempt: key.attempt,
                input: None,
            },
        )?;
        self.ready.push_back(node);
        Ok(())
    }

    /// An attempt has had its time.
    pub fn timed_out(&mut self, pen: &mut Pen<'_>, key: &AttemptKey) -> Decided {
        let Ok((node, _)) = self.current(key) else {
            return Ok(());
        };
        let limit = self.graph.nodes[node].timeout_ms.unwrap_or_default();
        pen.actions.push(Action::StopAttempt(key.clone()));
        let message = format!(
            "The attempt took longer than its time limit of {} s. Raise the limit, or ask for less.",
            limit / 1_000
        );
        self.attempt_failed(
            pen,
            node,
            key.attempt,
            TaskError::passing("timeout", message),
        )
    }

    // -- what a task's end leads to ---------------------------------------------------------------

    fn attempt_failed(
        &mut self,
        pen: &mut Pen<'_>,
        node: NodeIx,
        attempt: u32,
        error: TaskError,
    ) -> Decided {
        self.free(pen, node, attempt);
        let policy = self.graph.nodes[node].retry;
        if !error.retryable || attempt >= policy.attempts {
            return self.fail(pen, node, attempt, error);
        }
        let next = attempt + 1;
        let wait_ms = policy.wait_ms(next, error.retry_after_ms, self.spread(node, next));
        let until = pen.now.plus_ms(wait_ms);
        self.record_task(
            pen,
            node,
            None,
            TaskEvent::Retrying {
                attempt: next,
                wait_ms,
                error,
            },
        )?;
        let event = TaskEvent::Waiting {
            attempt: next,
            reason: Waiting::Timer,
            until: Some(until),
        };
        self.record_task(pen, node, None, event)?;
        pen.actions.push(Action::SetTimer {
            at: until,
            timer: Timer::Retry(self.key(node, next)),
        });
        Ok(())
    }

    fn fail(&mut self, pen: &mut Pen<'_>, node: NodeIx, attempt: u32, error: TaskError) -> Decided {
        self.record_task(
            pen,
            node,
            None,
            TaskEvent::Failed {
                attempt,
                error: error.clone(),
            },
        )?;
        match self.graph.nodes[node].on_error {
            OnError::Fail => {
                self.cancel_tasks(pen)?;
                let error = RunError {
                    task: Some(self.name(node)),
                    error,
                };
                self.record_run(pen, RunEvent::Failed { error })
            }
            OnError::Continue | OnError::Branch => self.go_on(pen, node),
        }
    }

    fn complete(
        &mut self,
        pen: &mut Pen<'_>,
        node: NodeIx,
        agent: Option<AgentId>,
        output: Value,
        port: Option<PortName>,
    ) -> Decided {
        let task = &self.run.tasks[node];
        let attempt = task.attempts.last().map_or(1, |last| last.number);
        let began = task.attempts.last().map_or(pen.now, |last| last.started_at);
        let event = TaskEvent::Completed {
            attempt,
            output,
            port,
            duration_ms: pen.now.ms_since(began),
            cost_usd: task.cost(),
        };
        self.record_task(pen, node, agent, event)
    }

    fn cancel_tasks(&mut self, pen: &mut Pen<'_>) -> Decided {
        self.ready.clear();
        for node in 0..self.graph.nodes.len() {
            let state = self.state(node);
            if state.is_settled() {
                continue;
            }
            let attempt = state.attempt();
            if let Some(attempt) = attempt {
                pen.actions
                    .push(Action::StopAttempt(self.key(node, attempt)));
                self.free(pen, node, attempt);
            }
            self.record_task(
                pen,
                node,
                None,
                TaskEvent::Cancelled {
                    attempt: attempt.unwrap_or(0),
                },
            )?;
        }
        Ok(())
    }

    /// Goes on behind a task that was settled just now, to the end of the run if that is reached.
    fn go_on(&mut self, pen: &mut Pen<'_>, settled: NodeIx) -> Decided {
        let mut next = VecDeque::new();
        self.decide_ways_out(settled, &mut next);
        self.enter_all(pen, next)
    }

    fn enter_all(&mut self, pen: &mut Pen<'_>, mut next: VecDeque<NodeIx>) -> Decided {
        while let Some(node) = next.pop_front() {
            if !matches!(self.state(node), TaskState::Blocked) {
                continue;
            }
            self.enter(pen, node)?;
            if self.run.state.is_final() {
                return Ok(());
            }
            if self.state(node).is_settled() {
                self.decide_ways_out(node, &mut next);
            }
        }
        if self.open == 0 {
            let event = RunEvent::Completed {
                output: self.output(),
                duration_ms: pen.now.ms_since(self.run.created_at),
                cost_usd: self.run.cost(),
            };
            self.record_run(pen, event)?;
        }
        Ok(())
    }

    /// A task whose ways in are decided: skipped, done at once, or ready for an agent.
    fn enter(&mut self, pen: &mut Pen<'_>, node: NodeIx) -> Decided {
        let graph = Arc::clone(&self.graph);
        let step = &graph.nodes[node];
        if !graph.incoming[node].is_empty() && self.taken[node] == 0 {
            return self.record_task(
                pen,
                node,
                None,
                TaskEvent::Skipped {
                    attempt: 1,
                    reason: SkipReason::NotTaken,
                },
            );
        }
        if step.disabled {
            return self.record_task(
                pen,
                node,
                None,
                TaskEvent::Skipped {
                    attempt: 1,
                    reason: SkipReason::Disabled,
                },
            );
        }
        let renderer = Renderer::of(&self.run);
        let done = match &step.work {
            Work::Agent(work) => {
                let input = renderer.agent_input(work);
                return match input {
                    Ok(input) => {
                        self.record_task(
                            pen,
                            node,
                            None,
                            TaskEvent::Ready {
                                attempt: 1,
                                input: Some(input),
                            },
                        )?;
                        self.ready.push_back(node);
                        Ok(())
                    }
                    Err(error) => self.fail_entering(pen, node, error),
                };
            }
            Work::Transform { template, json } => renderer
                .transform(template, *json)
                .map(|value| (value, None)),
            Work::Branch { cases, otherwise } => renderer
                .branch(cases, otherwise.as_ref())
                .map(|port| (Value::String(port.as_str().to_owned()), Some(port))),
            Work::Output { value } => renderer.output(value).map(|value| (value, None)),
        };
        self.record_task(
            pen,
            node,
            None,
            TaskEvent::Ready {
                attempt: 1,
                input: None,
            },
        )?;
        self.record_task(pen, node, None, TaskEvent::Started { attempt: 1 })?;
        match done {
            Ok((output, port)) => self.complete(pen, node, None, output, port),
            Err(error) => self.fail_entering(pen, node, error),
        }
    }

    /// As `fail`, but leaves going on to the loop that entered the task.
    fn fail_entering(&mut self, pen: &mut Pen<'_>, node: NodeIx, error: TaskError) -> Decided {
        match self.graph.nodes[node].on_error {
            OnError::Fail => self.fail(pen, node, 1, error),
            OnError::Continue | OnError::Branch => {
                self.record_task(pen, node, None, TaskEvent::Failed { attempt: 1, error })
            }
        }
    }

    /// Counts the ways out of a settled task and lists the tasks that may be entered by that.
    fn decide_ways_out(&mut self, node: NodeIx, next: &mut VecDeque<NodeIx>) {
        for target in self.count_settled(node) {
            let decided = self.undecided[target] == 0;
            let enough = match self.graph.nodes[target].join {
                Join::All => decided,
                Join::Any => decided || self.taken[target] > 0,
            };
            if enough && matches!(self.state(target), TaskState::Blocked) && !next.contains(&target)
            {
                next.push_back(target);
            }
        }
    }

    /// Takes a settled task into the counts; the nodes behind it.
    fn count_settled(&mut self, node: NodeIx) -> Vec<NodeIx> {
        self.open = self.open.saturating_sub(1);
        let graph = Arc::clone(&self.graph);
        let mut targets = Vec::with_capacity(graph.outgoing[node].len());
        for edge in &graph.outgoing[node] {
            let edge = &graph.edges[*edge];
            self.undecided[edge.to] = self.undecided[edge.to].saturating_sub(1);
            if self.is_taken(node, &edge.port) {
                self.taken[edge.to] += 1;
            }
            targets.push(edge.to);
        }
        targets
    }

    fn is_taken(&self, node: NodeIx, port: &PortName) -> bool {
        let error_port =
            port.as_str() == PortName::ERROR && self.graph.nodes[node].on_error == OnError::Branch;
        match self.state(node) {
            TaskState::Succeeded {
                port: Some(taken), ..
            } => taken == port,
            TaskState::Succeeded { port: None, .. }
            | TaskState::Skipped {
                reason: SkipReason::Disabled,
            } => !error_port,
            TaskState::Failed { .. } => match self.graph.nodes[node].on_error {
                OnError::Fail => false,
                OnError::Continue => true,
                OnError::Branch => error_port,
            },
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Skipped {
                reason: SkipReason::NotTaken,
            }
            | TaskState::Cancelled => false,
        }
    }

    /// The result of the run: the value of its output node; without one, of its last node; an
    /// object by id where there are several.
    fn output(&self) -> Value {
        let is_output = |node: &NodeIx| matches!(self.graph.nodes[*node].work, Work::Output { .. });
        let all = 0..self.graph.nodes.len();
        let mut last: Vec<NodeIx> = all.clone().filter(is_output).collect();
        if last.is_empty() {
            last = all
                .filter(|node| self.graph.outgoing[*node].is_empty())
                .collect();
        }
        match last[..] {
            [only] => self.state(only).output().cloned().unwrap_or(Value::Null),
            _ => {
                let values = last.iter().filter_map(|node| {
                    let value = self.state(*node).output()?.clone();
                    Some((self.graph.nodes[*node].id.as_str().to_owned(), value))
                });
                Value::Object(values.collect::<Map<_, _>>())
            }
        }
    }

    // -- small things -----------------------------------------------------------------------------

    fn check_budget(&mut self, pen: &mut Pen<'_>, node: NodeIx, key: &AttemptKey) -> Decided {
        let Some(budget) = self.run.budget_usd else {
            return Ok(());
        };
        if self.run.cost().unwrap_or_default() < budget {
            return Ok(());
        }
        let refused = Rejection::BudgetSpent(budget);
        let error = TaskError::lasting("budget_spent", refused.to_string());
        self.attempt_failed(pen, node, key.attempt, error)?;
        Err(refused)
    }

    fn current(&self, key: &AttemptKey) -> Result<(NodeIx, Option<AgentId>), Rejection> {
        let over = || Rejection::AttemptOver(key.clone());
        let node = self.find(&key.task).ok_or_else(over)?;
        if self.state(node).attempt() != Some(key.attempt) {
            return Err(over());
        }
        Ok((
            node,
            self.run.tasks[node]
                .attempt(key.attempt)
                .and_then(|attempt| attempt.agent),
        ))
    }

    fn free(&self, pen: &mut Pen<'_>, node: NodeIx, attempt: u32) {
        if let Some(attempt) = self.run.tasks[node].attempt(attempt)
            && let Some(agent) = attempt.agent
        {
            pen.freed.push((agent, attempt.cost()));
        }
    }

    fn state(&self, node: NodeIx) -> &TaskState {
        &self.run.tasks[node].state
    }

    fn name(&self, node: NodeIx) -> TaskName {
        TaskName::of(&self.graph.nodes[node].id)
    }

    /// A number that differs from task to task, so that their retries do not come in step.
    fn spread(&self, node: NodeIx, attempt: u32) -> u64 {
        let run = (self.run.id.0.as_u128() % 1_021) as u64;
        run.wrapping_mul(31)
            .wrapping_add(node as u64 * 17)
            .wrapping_add(u64::from(attempt) * 7)
    }

    /// Records what happens to the run as a whole.
    pub fn record_run(&mut self, pen: &mut Pen<'_>, event: RunEvent) -> Decided {
        let fact = Fact::Run {
            run: self.run.id,
            workflow: self.run.workflow_id,
            event,
        };
        self.record(pen, fact)
    }

    fn record_task(
        &mut self,
        pen: &mut Pen<'_>,
        node: NodeIx,
        agent: Option<AgentId>,
        event: TaskEvent,
    ) -> Decided {
        let fact = Fact::Task {
            run: self.run.id,
            workflow: self.run.workflow_id,
            task: self.name(node),
            agent,
            event,
        };
        self.record(pen, fact)
    }

    fn record(&mut self, pen: &mut Pen<'_>, fact: Fact) -> Decided {
        let event = Event {
            seq: *pen.head + 1,
            run_seq: Some(self.run.last_run_seq + 1),
            at: pen.now,
            fact,
        };
        self.run
            .apply(&event)
            .map_err(|misfit| Rejection::Contradiction(misfit.to_string()))?;
        *pen.head += 1;
        pen.events.push(event);
        Ok(())
    }
}
