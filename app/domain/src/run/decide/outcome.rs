//! What workers tell and what moments bring. Both may come too late to matter.

use super::{BegunCall, Decided, LiveRun, Next, Pen, TaskIx, Todo};
use crate::{
    agent::Agent,
    graph::Work,
    id::{AgentId, PortName, RunId, TaskName},
    run::{
        AttemptKey, Run, RunError, RunState, TaskError, TaskEvent, TaskState, TurnFailure, Waiting,
        input::{Action, Outcome, Rejection},
    },
};

impl LiveRun {
    /// Gives a ready task to an agent.
    pub fn assign(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        agent: &Agent,
    ) -> Result<AttemptKey, Rejection> {
        let attempt = self.next_attempt(task);
        let event = TaskEvent::Assigned {
            attempt,
            agent_id: agent.id,
            agent_name: agent.spec.name.clone(),
        };
        self.record_task(pen, task, Some(agent.id), event)?;
        let provider = self.provider_of(task, agent.spec.model.as_deref());
        self.take_on(pen, task, provider);
        Ok(self.key(task, attempt))
    }

    /// Whether a task in the line is still ready.
    pub fn is_ready(&self, task: TaskIx) -> bool {
        matches!(self.state(task), TaskState::Ready { .. })
    }

    /// A model is about to be called: the agent is handed its messages with it.
    pub fn turn_starts(
        &mut self,
        pen: &mut Pen<'_>,
        key: &AttemptKey,
        turn: u32,
        call: BegunCall,
    ) -> Decided {
        let BegunCall {
            model,
            simulated,
            reserved,
            messages,
            prompt,
            replayed,
        } = call;
        let (task, agent) = self.at_agent(key)?;
        let attempt = key.attempt;
        let known = self.task(task).attempt(attempt).and_then(|attempt| {
            let mut turns = attempt.turns.iter();
            turns.find(|known| known.number == turn)
        });
        if known.is_some_and(|known| known.done.is_some()) {
            return Err(Rejection::Contradiction(format!("turn {turn} is finished")));
        }
        // Another model that is asked in the place of one that failed was not asked before; what was cut is
        // asked again.
        let resumed = known.is_some_and(|known| {
            let last = known.failures.last();
            last.is_none_or(TurnFailure::is_cut)
        });
        if matches!(self.state(task), TaskState::Assigned { .. }) {
            self.record_task(pen, task, agent, TaskEvent::Started { attempt })?;
        }
        let event = TaskEvent::TurnStarted {
            attempt,
            turn,
            model,
            simulated,
            resumed,
            reserved: Some(reserved),
            messages,
            prompt: Some(prompt),
            replayed,
        };
        self.record_task(pen, task, agent, event)
    }

    /// What a worker tells of its attempt.
    pub fn outcome(&mut self, pen: &mut Pen<'_>, outcome: Outcome) -> Decided {
        match outcome {
            Outcome::AgentReady(_)
            | Outcome::AgentBroken { .. }
            | Outcome::MessageSent { .. }
            | Outcome::ChildFound { .. }
            | Outcome::TurnStarted { .. }
            | Outcome::PlayedBack { .. } => Ok(()),
            Outcome::PromptChanged { key, question } => self.ask_about_prompt(pen, &key, question),
            Outcome::TurnCompleted {
                key,
                turn,
                mut record,
            } => {
                let (task, agent) = self.at_agent(&key)?;
                self.assume_cost(task, key.attempt, turn, &mut record);
                let event = TaskEvent::TurnCompleted {
                    attempt: key.attempt,
                    turn,
                    record: *record,
                };
                self.record_task(pen, task, agent, event)
            }
            Outcome::CallBegan {
                key,
                turn,
                generation_id,
                model,
            } => {
                let (task, agent) = self.at_agent(&key)?;
                let event = TaskEvent::TurnBegan {
                    attempt: key.attempt,
                    turn,
                    generation_id,
                    model,
                };
                self.record_task(pen, task, agent, event)
            }
            Outcome::TurnFailed { key, turn, failure } => {
                let (task, agent) = self.at_agent(&key)?;
                let mut failure = *failure;
                self.assume_failed(task, key.attempt, turn, &mut failure);
                let event = TaskEvent::TurnFailed {
                    attempt: key.attempt,
                    turn,
                    failure,
                };
                self.record_task(pen, task, agent, event)
            }
            Outcome::CallPriced(priced) => self.price_call(pen, *priced),
            Outcome::ToolCalled { key, turn, call } => {
                let (task, agent) = self.at_agent(&key)?;
                let event = TaskEvent::ToolCalled {
                    attempt: key.attempt,
                    turn,
                    call,
                };
                self.record_task(pen, task, agent, event)
            }
            Outcome::ToolReturned {
                key,
                turn,
                call_id,
                output,
                failed,
                duration_ms,
            } => {
                let (task, agent) = self.at_agent(&key)?;
                let event = TaskEvent::ToolReturned {
                    attempt: key.attempt,
                    turn,
                    call_id,
                    output,
                    failed,
                    duration_ms,
                };
                self.record_task(pen, task, agent, event)
            }
            Outcome::Succeeded { key, output } => {
                let (task, agent) = self.at_worker(&key)?;
                self.free(pen, task, key.attempt);
                self.complete_and_go_on(pen, task, agent, output, None)
            }
            Outcome::Failed { key, error } => {
                let task = match self.looked_for(&key) {
                    Ok(task) => task,
                    Err(_) => self.at_worker(&key)?.0,
                };
                self.attempt_failed(pen, task, key.attempt, error)
            }
            Outcome::Crashed { key, error } => self.lost(pen, &key, error),
        }
    }

    /// The work on an attempt was cut off: its agent crashed, was ended, or is gone.
    pub fn lost(&mut self, pen: &mut Pen<'_>, key: &AttemptKey, error: TaskError) -> Decided {
        let task = match self.held_task(key) {
            Some(task) => task,
            None => self.at_worker(key)?.0,
        };
        self.attempt_lost(pen, task, key.attempt, error)
    }

    /// The child run of a task came to its end.
    pub fn child_ended(&mut self, pen: &mut Pen<'_>, child: &Run) -> Decided {
        let name = child
            .parent
            .as_ref()
            .and_then(|parent| parent.task.as_ref());
        let Some(task) = name.and_then(|name| self.find(name)) else {
            return Ok(());
        };
        self.count_child(pen, task, child)?;
        if self.child_of(task) != Some(child.id) {
            return Ok(());
        }
        let error = match &child.state {
            RunState::Succeeded { output } => {
                return self.complete_and_go_on(pen, task, None, output.clone(), None);
            }
            RunState::Failed { error } => TaskError::lasting(
                "child_failed",
                format!("The child run failed: {}", error.error.message),
            ),
            RunState::Cancelled { by } => TaskError::lasting(
                "child_cancelled",
                format!("The child run was cancelled by {by}."),
            ),
            RunState::Queued | RunState::Running | RunState::Paused { .. } => return Ok(()),
        };
        self.child_failed(pen, task, error)
    }

    /// The child run of a task brings no result.
    pub(super) fn child_failed(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        error: TaskError,
    ) -> Decided {
        let attempt = self.task(task).open_attempt().map_or(1, |open| open.number);
        self.fail_and_go_on(pen, task, attempt, error)
    }

    /// The child run that a task waits for.
    pub(super) fn child_of(&self, task: TaskIx) -> Option<RunId> {
        let waits = matches!(
            self.state(task),
            TaskState::Waiting {
                reason: Waiting::Run,
                ..
            }
        );
        self.task(task).child.filter(|_| waits)
    }

    /// Whether this task waits for this child run.
    pub fn waits_for(&self, task: &TaskName, child: RunId) -> bool {
        let task = self.find(task);
        task.is_some_and(|task| self.child_of(task) == Some(child))
    }

    /// Child runs that tasks wait for.
    pub fn children(&self) -> Vec<RunId> {
        let tasks = 0..self.run.tasks.len();
        tasks.filter_map(|task| self.child_of(task)).collect()
    }

    // -- moments ----------------------------------------------------------------------------------

    /// A wait came to its end: that before a next try, that of a wait, or that for a person. In a
    /// pause it is left for the end of the pause.
    pub fn wait_over(&mut self, pen: &mut Pen<'_>, key: &AttemptKey) -> Decided {
        let Some(task) = self.find(&key.task) else {
            return Ok(());
        };
        let TaskState::Waiting { reason, .. } = *self.state(task) else {
            return Ok(());
        };
        if self.run.is_paused() {
            return Ok(());
        }
        let open = self.task(task).open_attempt().map(|open| open.number);
        let again = matches!(reason, Waiting::Timer | Waiting::Provider)
            && open.is_none()
            && self.next_attempt(task) == key.attempt;
        if again {
            return self.try_again(pen, task);
        }
        if open != Some(key.attempt) {
            return Ok(());
        }
        match reason {
            Waiting::Timer => {
                self.complete_and_go_on(pen, task, None, serde_json::Value::Null, None)
            }
            Waiting::Approval => {
                let output = Self::unanswered();
                let port = PortName::parse("timeout").ok();
                self.complete_and_go_on(pen, task, None, output, port)
            }
            Waiting::Run | Waiting::Provider | Waiting::Budget | Waiting::Replay => Ok(()),
        }
    }

    /// The next try of a task may begin.
    pub(super) fn try_again(&mut self, pen: &mut Pen<'_>, task: TaskIx) -> Decided {
        let attempt = self.next_attempt(task);
        if self.lane(task).is_none() {
            // A child run: its input is there, a new child is asked for.
            self.begin(pen, task, None)?;
            self.limit(pen, task);
            self.ask_for_child(pen, task);
            return Ok(());
        }
        let event = TaskEvent::Ready {
            attempt,
            input: None,
        };
        self.record_task(pen, task, None, event)?;
        self.enqueue(task);
        Ok(())
    }

    /// An attempt has had its time.
    pub fn timed_out(&mut self, pen: &mut Pen<'_>, key: &AttemptKey) -> Decided {
        let Some(task) = self.find(&key.task) else {
            return Ok(());
        };
        let limit = self.node(task).timeout_ms;
        let open = self.task(task).open_attempt().map(|open| open.number);
        let (Some(limit), true) = (limit, open == Some(key.attempt)) else {
            return Ok(());
        };
        // What it waits for takes the time that it takes.
        let early = self.due.get(&task).is_some_and(|due| pen.now < *due);
        if early || self.is_held(key) {
            return Ok(());
        }
        let message = format!(
            "The attempt took longer than its time limit of {} s. Raise the limit, or ask for less.",
            limit / 1_000
        );
        let error = TaskError::passing("timeout", message);
        match &self.node(task).work {
            Work::Map(_) | Work::Loop(_) => {
                let mut todo = Todo::new();
                let error = TaskError {
                    retryable: false,
                    ..error
                };
                self.fail_rounds(pen, task, error, &mut todo)?;
                self.work_off(pen, todo)
            }
            Work::Agent(_) | Work::Http(_) => {
                pen.actions.push(Action::StopAttempt(key.clone()));
                self.attempt_lost(pen, task, key.attempt, error)
            }
            Work::Workflow { .. } => {
                self.stop(pen, task);
                self.attempt_failed(pen, task, key.attempt, error)
            }
            // They end by themselves: at once, or when what they wait for is there.
            Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Output { .. } => Ok(()),
        }
    }

    /// The run has had its time.
    pub fn run_timed_out(&mut self, pen: &mut Pen<'_>) -> Decided {
        let due = match (self.graph.timeout_ms, self.run.active_since) {
            (Some(limit), Some(since)) => pen.now >= since.plus_ms(limit),
            (Some(_) | None, Some(_) | None) => false,
        };
        if !due || self.run.is_paused() || self.run.state.is_final() {
            return Ok(());
        }
        let seconds = self.graph.timeout_ms.unwrap_or_default() / 1_000;
        let message = format!("The run took longer than its time limit of {seconds} s.");
        let error = TaskError::lasting("run_timeout", message);
        self.end_failed(pen, RunError { task: None, error })
    }

    /// What was left goes on after others had their turn: tasks that may begin, and the rounds of a
    /// map or loop.
    pub fn more(&mut self, pen: &mut Pen<'_>, key: &AttemptKey) -> Decided {
        self.later_is_set = false;
        let mut todo: Todo = self.later.drain(..).map(Next::Enter).collect();
        let rounds = self.find(&key.task).filter(|_| self.is_current(key));
        todo.extend(rounds.map(Next::Advance));
        self.work_off(pen, todo)
    }

    // -- who may tell something -------------------------------------------------------------------

    /// The task of an attempt that a worker is at, and the agent that it is, if it is one.
    pub(super) fn at_worker(
        &self,
        key: &AttemptKey,
    ) -> Result<(TaskIx, Option<AgentId>), Rejection> {
        let over = || Rejection::AttemptOver(key.clone());
        let task = self.find(&key.task).ok_or_else(over)?;
        if !self.is_current(key) || self.lane(task).is_none() {
            return Err(over());
        }
        let attempt = self.task(task).attempt(key.attempt);
        Ok((task, attempt.and_then(|attempt| attempt.agent)))
    }

    pub(super) fn at_agent(
        &self,
        key: &AttemptKey,
    ) -> Result<(TaskIx, Option<AgentId>), Rejection> {
        let (task, agent) = self.at_worker(key)?;
        match agent {
            Some(_) => Ok((task, agent)),
            None => Err(Rejection::AttemptOver(key.clone())),
        }
    }

    /// The task whose workflow is being looked for.
    pub(super) fn looked_for(&self, key: &AttemptKey) -> Result<TaskIx, Rejection> {
        let found = self.find(&key.task).filter(|task| {
            self.is_current(key) && matches!(self.node(*task).work, Work::Workflow { .. })
        });
        found.ok_or_else(|| Rejection::AttemptOver(key.clone()))
    }
}
