//! What the end of a task leads to: tasks behind it, the end of its scope, the end of the run. All
//! of it goes through one list of what is to be looked at next, so that no chain is too long.

use serde_json::Value;

use super::{
    Decided, LiveRun, MAX_OUTPUT_BYTES, Next, Pen, TaskIx, Todo,
    scope::Fate,
    weight::{self, EVALUATED_AT_ONCE},
};
use crate::{
    graph::{OnError, Work},
    id::{AgentId, PortName},
    run::{
        AttemptKey, AttemptState, RunError, RunEvent, TaskError, TaskEvent, TaskState, Waiting,
        input::{Action, Timer},
    },
    time::Timestamp,
};

/// A provider that asks for a longer wait than this has the task parked: people see why.
const PARKED_FROM_MS: u64 = 120_000;

impl LiveRun {
    /// Does what can be done now, to the end of the run if that is reached.
    pub(super) fn work_off(&mut self, pen: &mut Pen<'_>, mut todo: Todo) -> Decided {
        while let Some(next) = todo.pop_front() {
            if self.run.state.is_final() {
                return Ok(());
            }
            match next {
                Next::Settled(task) => {
                    let scope = self.place[task];
                    if self.scopes[scope].fate != Fate::Open {
                        continue;
                    }
                    self.count_settled(task, Some(&mut todo));
                    if self.scopes[scope].open == 0 {
                        todo.push_back(Next::Over(scope));
                    }
                }
                Next::Enter(task) => {
                    let blocked = matches!(self.state(task), TaskState::Blocked);
                    let open = self.scopes[self.place[task]].fate == Fate::Open;
                    if !blocked || !open || self.run.is_paused() {
                        continue;
                    }
                    if pen.done.evaluated.get() < EVALUATED_AT_ONCE {
                        self.enter(pen, task, &mut todo)?;
                    } else {
                        self.later.push_back(task);
                    }
                }
                Next::Over(scope) => self.scope_over(pen, scope, &mut todo)?,
                Next::Advance(task) => self.advance(pen, task, &mut todo)?,
            }
        }
        if let Some(&first) = self.later.front()
            && !std::mem::replace(&mut self.later_is_set, true)
        {
            let timer = Timer::GoOn(self.key(first, self.next_attempt(first)));
            pen.actions.push(Action::SetTimer { at: pen.now, timer });
        }
        Ok(())
    }

    /// Nothing is left to do in the workflow itself.
    pub(super) fn finish(&mut self, pen: &mut Pen<'_>) -> Decided {
        let event = RunEvent::Completed {
            output: self.output_of(0),
            duration_ms: pen.now.ms_since(self.run.created_at),
            cost_usd: self.run.cost(),
        };
        self.record_run(pen, event)
    }

    /// As `complete`, and goes on behind the task.
    pub(super) fn complete_and_go_on(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        agent: Option<AgentId>,
        output: Value,
        port: Option<PortName>,
    ) -> Decided {
        let mut todo = Todo::new();
        self.complete(pen, task, agent, output, port, &mut todo)?;
        self.work_off(pen, todo)
    }

    /// The attempt has its result. It fails where the run would keep too much by it.
    pub(super) fn complete(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        agent: Option<AgentId>,
        output: Value,
        port: Option<PortName>,
        todo: &mut Todo,
    ) -> Decided {
        let last = self.task(task).attempts.last();
        let attempt = last.map_or(1, |last| last.number);
        let bytes = self.output_bytes.saturating_add(weight::bytes(&output));
        if bytes > MAX_OUTPUT_BYTES {
            return self.fail(pen, task, attempt, weight::too_large(), todo);
        }
        let began = last.map_or(pen.now, |last| last.started_at);
        self.output_bytes = bytes;
        let event = TaskEvent::Completed {
            attempt,
            output,
            port,
            duration_ms: pen.now.ms_since(began),
            cost_usd: self.task(task).cost(),
        };
        self.record_task(pen, task, agent, event)?;
        todo.push_back(Next::Settled(task));
        Ok(())
    }

    /// An attempt failed: the next one after a wait, or the end of the task.
    pub(super) fn attempt_failed(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        error: TaskError,
    ) -> Decided {
        self.free(pen, task, attempt);
        if !(error.retryable && self.may_try_again(task, attempt)) {
            return self.fail_and_go_on(pen, task, attempt, error);
        }
        self.try_after(pen, task, attempt, error)
    }

    fn may_try_again(&self, task: TaskIx, attempt: u32) -> bool {
        let tries = attempt.saturating_sub(self.task(task).counted_from);
        tries < self.node(task).retry.attempts && !self.must_not_repeat(task)
    }

    /// Whether another try may follow this one, should it fail in a way that passes.
    pub fn has_try_left(&self, key: &AttemptKey) -> bool {
        let task = self.find(&key.task);
        task.is_some_and(|task| self.may_try_again(task, key.attempt))
    }

    /// An attempt failed as its model is out of order until then: another one follows whatever the
    /// policy says, and is none of those that it allows.
    pub fn held_up(
        &mut self,
        pen: &mut Pen<'_>,
        key: &AttemptKey,
        error: TaskError,
        until: Timestamp,
    ) -> Decided {
        let (task, _) = self.at_worker(key)?;
        if !error.retryable || self.must_not_repeat(task) {
            return self.attempt_failed(pen, task, key.attempt, error);
        }
        // What the provider asked for may be longer.
        let asked = error.retry_after_ms.unwrap_or_default();
        let until = until.max(pen.now.plus_ms(asked));
        self.free(pen, task, key.attempt);
        let next = key.attempt + 1;
        let event = TaskEvent::Retrying {
            attempt: next,
            wait_ms: until.ms_since(pen.now),
            error,
            counts: false,
        };
        self.record_task(pen, task, None, event)?;
        self.wait(pen, task, next, Waiting::Provider, Some(until))?;
        self.wake_at(pen, task, until);
        Ok(())
    }

    /// A task whose model may not be called before then waits for that; one that waits already is
    /// only woken later.
    pub fn park(&mut self, pen: &mut Pen<'_>, task: TaskIx, until: Timestamp) -> Decided {
        let parked = TaskState::Waiting {
            reason: Waiting::Provider,
            until: Some(until),
        };
        let waits = matches!(
            self.state(task),
            TaskState::Waiting {
                reason: Waiting::Provider,
                ..
            }
        );
        if !waits && *self.state(task) != parked {
            let next = self.next_attempt(task);
            self.wait(pen, task, next, Waiting::Provider, Some(until))?;
        }
        self.wake_at(pen, task, until);
        Ok(())
    }

    /// Sets the timer of a parked task: a little apart, so that a crowd does not come back in step.
    fn wake_at(&self, pen: &mut Pen<'_>, task: TaskIx, until: Timestamp) {
        let next = self.next_attempt(task);
        let at = until.plus_ms(self.spread(task, next) % 1_024);
        let timer = Timer::Retry(self.key(task, next));
        pen.actions.push(Action::SetTimer { at, timer });
    }

    /// The next try after the wait that policy or provider ask for.
    fn try_after(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        error: TaskError,
    ) -> Decided {
        let policy = self.node(task).retry;
        let tries = attempt.saturating_sub(self.task(task).counted_from);
        let next = attempt + 1;
        let asked = error.retry_after_ms;
        let wait_ms = policy.wait_ms(tries + 1, asked, self.spread(task, next));
        let until = pen.now.plus_ms(wait_ms);
        let reason = match asked {
            Some(asked) if asked > PARKED_FROM_MS => Waiting::Provider,
            Some(_) | None => Waiting::Timer,
        };
        let event = TaskEvent::Retrying {
            attempt: next,
            wait_ms,
            error,
            counts: true,
        };
        self.record_task(pen, task, None, event)?;
        self.wait(pen, task, next, reason, Some(until))?;
        pen.actions.push(Action::SetTimer {
            at: until,
            timer: Timer::Retry(self.key(task, next)),
        });
        Ok(())
    }

    /// An attempt was cut off, and nobody knows how far it came.
    pub(super) fn attempt_lost(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        error: TaskError,
    ) -> Decided {
        if !self.must_not_repeat(task) {
            return self.attempt_failed(pen, task, attempt, error);
        }
        self.free(pen, task, attempt);
        self.record_task(pen, task, None, TaskEvent::Unknown { attempt, error })
    }

    /// Whether the node may not be done twice and the attempt under way has begun to do it.
    pub(super) fn must_not_repeat(&self, task: TaskIx) -> bool {
        let begun =
            self.task(task)
                .open_attempt()
                .is_some_and(|attempt| match &self.node(task).work {
                    Work::Agent(_) => !attempt.turns.is_empty(),
                    Work::Http(_) => attempt.state == AttemptState::Running,
                    Work::Transform { .. }
                    | Work::Branch { .. }
                    | Work::Map(_)
                    | Work::Loop(_)
                    | Work::Approval { .. }
                    | Work::Wait(_)
                    | Work::Workflow { .. }
                    | Work::Output { .. } => false,
                });
        begun && !self.node(task).repeatable
    }

    /// The task failed for good.
    pub(super) fn fail_and_go_on(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        error: TaskError,
    ) -> Decided {
        let mut todo = Todo::new();
        self.fail(pen, task, attempt, error, &mut todo)?;
        self.work_off(pen, todo)
    }

    /// As `fail_and_go_on`, but leaves going on to the caller's list.
    pub(super) fn fail(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        error: TaskError,
        todo: &mut Todo,
    ) -> Decided {
        let told = error.clone();
        self.record_task(
            pen,
            task,
            None,
            TaskEvent::Failed {
                attempt,
                error: told,
            },
        )?;
        let scope = self.place[task];
        match (self.node(task).on_error, self.scopes[scope].owner) {
            (OnError::Continue | OnError::Branch, _) => todo.push_back(Next::Settled(task)),
            (OnError::Fail, None) => {
                let task = Some(self.name(task));
                self.end_failed(pen, RunError { task, error })?;
            }
            (OnError::Fail, Some(_)) => {
                let message = format!("In `{}`: {}", self.name(task), error.message);
                let error = TaskError {
                    message,
                    retryable: false,
                    retry_after_ms: None,
                    code: error.code,
                };
                self.scopes[scope].fate = Fate::Dead(error);
                self.cancel_scope(pen, scope)?;
                todo.push_back(Next::Over(scope));
            }
        }
        Ok(())
    }

    /// The run failed: everything else in it stops.
    pub(super) fn end_failed(&mut self, pen: &mut Pen<'_>, error: RunError) -> Decided {
        self.cancel_scope(pen, 0)?;
        self.record_run(pen, RunEvent::Failed { error })
    }

    /// Stops every task of a scope that is not at its end, and what stands under it.
    pub(super) fn cancel_scope(&mut self, pen: &mut Pen<'_>, scope: usize) -> Decided {
        let base = self.scopes[scope].base;
        for task in base..base + self.scopes[scope].graph.nodes.len() {
            self.cancel_task(pen, task)?;
        }
        if self.scopes[scope].fate == Fate::Open {
            self.scopes[scope].fate = Fate::Done;
        }
        Ok(())
    }

    /// Stops the rounds of a map or loop.
    pub(super) fn cancel_rounds(&mut self, pen: &mut Pen<'_>, owner: TaskIx) -> Decided {
        let scopes = match self.rounds.get_mut(&owner) {
            Some(rounds) => {
                rounds.active = 0;
                rounds.scopes.clone()
            }
            None => return Ok(()),
        };
        for scope in scopes {
            if self.scopes[scope].fate == Fate::Open {
                self.cancel_scope(pen, scope)?;
            }
        }
        Ok(())
    }

    fn cancel_task(&mut self, pen: &mut Pen<'_>, task: TaskIx) -> Decided {
        let state = self.state(task);
        // What nobody knows the end of stays so: else a later try would repeat it.
        if state.is_settled() || matches!(state, TaskState::Unknown { .. }) {
            return Ok(());
        }
        self.cancel_rounds(pen, task)?;
        let attempt = self
            .state(task)
            .attempt()
            .or_else(|| self.held_attempt(task));
        let lost = self.must_not_repeat(task);
        self.stop(pen, task);
        let event = match attempt {
            Some(attempt) if lost => TaskEvent::Unknown {
                attempt,
                error: TaskError::passing(
                    "stopped",
                    "It was stopped while it was under way: it may have happened or not.",
                ),
            },
            Some(_) | None => TaskEvent::Cancelled {
                attempt: attempt.unwrap_or(0),
            },
        };
        self.record_task(pen, task, None, event)
    }

    /// Stops the work on a task, wherever it is done.
    pub(super) fn stop(&mut self, pen: &mut Pen<'_>, task: TaskIx) {
        if let Some(attempt) = self.state(task).attempt()
            && self.node(task).work.body().is_none()
        {
            pen.actions
                .push(Action::StopAttempt(self.key(task, attempt)));
            self.free(pen, task, attempt);
        }
        if let Some(attempt) = self.held_attempt(task) {
            self.free(pen, task, attempt);
        }
        let waits_for_child = matches!(
            self.state(task),
            TaskState::Waiting {
                reason: Waiting::Run,
                ..
            }
        );
        if let (true, Some(child)) = (waits_for_child, self.task(task).child) {
            pen.orphans.push(child);
        }
    }

    /// Writes down that a task waits.
    pub(super) fn wait(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        reason: Waiting,
        until: Option<Timestamp>,
    ) -> Decided {
        let event = TaskEvent::Waiting {
            attempt,
            reason,
            until,
            child_run_id: None,
            question: None,
        };
        self.record_task(pen, task, None, event)
    }

    /// Notes that the agent of an attempt has nothing to do with it any more.
    pub(super) fn free(&self, pen: &mut Pen<'_>, task: TaskIx, attempt: u32) {
        if let Some(tried) = self.task(task).attempt(attempt)
            && let Some(agent) = tried.agent
        {
            pen.freed
                .push((agent, self.key(task, attempt), tried.cost()));
        }
    }

    /// A number that differs from task to task, so that their retries do not come in step.
    fn spread(&self, task: TaskIx, attempt: u32) -> u64 {
        let run = (self.run.id.0.as_u128() % 1_021) as u64;
        run.wrapping_mul(31)
            .wrapping_add(task as u64 * 17)
            .wrapping_add(u64::from(attempt) * 7)
    }
}
