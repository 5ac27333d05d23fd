//! Goes on: after a stop of the server, after a pause, after an end. All three find a state that was
//! written down, and begin what may begin in it.

use super::{Decided, LiveRun, Next, Pen, TaskIx, Todo, scope::Fate};
use crate::{
    graph::Work,
    id::RunId,
    run::{
        AttemptKey, RunState, TaskError, TaskState, Waiting,
        input::{Action, Timer},
    },
    time::Timestamp,
};

impl LiveRun {
    /// Takes up again what a stop of the server cut; attempts of agents are for the caller, who
    /// knows the agents.
    pub fn recover(&mut self, pen: &mut Pen<'_>) -> Decided {
        if self.run.state == RunState::Queued {
            return self.start(pen);
        }
        self.limit_run(pen);
        for task in 0..self.run.tasks.len() {
            match *self.state(task) {
                TaskState::Waiting { reason, until } => self.set_timer(pen, task, reason, until),
                TaskState::Running { .. } => self.recover_running(pen, task)?,
                TaskState::Blocked
                | TaskState::Ready { .. }
                | TaskState::Assigned { .. }
                | TaskState::Succeeded { .. }
                | TaskState::Failed { .. }
                | TaskState::Skipped { .. }
                | TaskState::Unknown { .. }
                | TaskState::Cancelled => {}
            }
            if self.run.state.is_final() {
                return Ok(());
            }
        }
        self.go_on_everywhere(pen)
    }

    fn set_timer(
        &self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        reason: Waiting,
        until: Option<Timestamp>,
    ) {
        let open = self.task(task).open_attempt().map(|open| open.number);
        match (reason, open) {
            (Waiting::Timer | Waiting::Approval, Some(attempt)) => {
                self.set_wait(pen, task, attempt, until);
            }
            // Held calls ask again by themselves.
            (Waiting::Provider, Some(_)) | (Waiting::Budget | Waiting::Replay, _) => {}
            (Waiting::Timer | Waiting::Provider, None) => {
                let timer = Timer::Retry(self.key(task, self.next_attempt(task)));
                let at = until.unwrap_or(pen.now);
                pen.actions.push(Action::SetTimer { at, timer });
            }
            (Waiting::Run, _) => self.limit(pen, task),
            (Waiting::Approval, None) => {}
        }
    }

    fn recover_running(&mut self, pen: &mut Pen<'_>, task: TaskIx) -> Decided {
        match &self.node(task).work {
            Work::Http(_) if self.must_not_repeat(task) => {
                let attempt = self.state(task).attempt().unwrap_or(1);
                self.attempt_lost(pen, task, attempt, cut_off())
            }
            Work::Http(_) => self.start_http(pen, task),
            Work::Workflow { .. } => {
                self.limit(pen, task);
                self.ask_for_child(pen, task);
                Ok(())
            }
            Work::Map(_) | Work::Loop(_) => {
                self.limit(pen, task);
                Ok(())
            }
            // What it asked is asked again; what the cut call cost counts too.
            Work::Agent(_) => self.count_cut_call(pen, task),
            Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Output { .. } => Ok(()),
        }
    }

    /// Attempts of agents that were under way when the server stopped.
    pub fn cut_attempts(&self) -> Vec<AttemptKey> {
        let cut = |task: &TaskIx| matches!(self.node(*task).work, Work::Agent(_));
        let mut tasks: Vec<TaskIx> = self.load.keys().copied().filter(cut).collect();
        tasks.sort_unstable();
        tasks
            .into_iter()
            .filter_map(|task| Some(self.key(task, self.state(task).attempt()?)))
            .collect()
    }

    /// Whether an attempt can be taken up where it was cut: a call that may not be made twice must
    /// not have been under way.
    pub fn can_go_on(&self, key: &AttemptKey) -> bool {
        self.find(&key.task).is_some_and(|task| {
            let in_flight = self
                .task(task)
                .attempt(key.attempt)
                .is_some_and(super::super::Attempt::is_in_flight);
            self.node(task).repeatable || !in_flight
        })
    }

    /// An attempt under way is counted for this provider from now on.
    pub fn count_load(&mut self, key: &AttemptKey, agents_model: Option<&str>) {
        if let Some(task) = self.find(&key.task)
            && self.load.contains_key(&task)
        {
            let provider = self.provider_of(task, agents_model);
            self.load.insert(task, provider);
        }
    }

    /// Tasks that wait for child runs which are not there any more.
    pub fn lose_children(&mut self, pen: &mut Pen<'_>, is_live: impl Fn(RunId) -> bool) -> Decided {
        for task in 0..self.run.tasks.len() {
            if self.child_of(task).is_some_and(|child| !is_live(child)) {
                let message = "The child run is gone: it could not be read after a restart.";
                let error = TaskError::lasting("child_lost", message);
                self.child_failed(pen, task, error)?;
            }
        }
        Ok(())
    }

    /// Begins whatever may begin as the run stands.
    pub(super) fn go_on_everywhere(&mut self, pen: &mut Pen<'_>) -> Decided {
        // Those that were left are found again.
        self.later.clear();
        let mut todo = Todo::new();
        for scope in 0..self.scopes.len() {
            let open = match self.scopes[scope].owner {
                Some(owner) => matches!(self.state(owner), TaskState::Running { .. }),
                None => true,
            };
            if open && self.scopes[scope].fate == Fate::Open {
                todo.extend(self.enterable(scope).into_iter().map(Next::Enter));
            }
        }
        for task in 0..self.run.tasks.len() {
            let runs = matches!(self.state(task), TaskState::Running { .. });
            if runs && self.node(task).work.body().is_some() {
                todo.push_back(Next::Advance(task));
            }
        }
        if self.scopes[0].open == 0 && !self.run.state.is_final() {
            todo.push_back(Next::Over(0));
        }
        self.work_off(pen, todo)
    }

    /// Waits that came to their end while the run was held.
    pub(super) fn due_waits(&mut self, pen: &mut Pen<'_>) -> Decided {
        for task in 0..self.run.tasks.len() {
            let TaskState::Waiting {
                until: Some(until), ..
            } = *self.state(task)
            else {
                continue;
            };
            if until <= pen.now && !self.run.state.is_final() {
                let attempt = match self.task(task).open_attempt() {
                    Some(open) => open.number,
                    None => self.next_attempt(task),
                };
                self.wait_over(pen, &self.key(task, attempt))?;
            }
        }
        Ok(())
    }
}

/// What is said of an attempt that the server did not live to see the end of.
pub fn cut_off() -> TaskError {
    TaskError::passing(
        "cut_off",
        "The server stopped while this was under way: it may have happened or not.",
    )
}
