//! What people ask of a run: begin, stop, hold, go on, take up again, answer. What makes no sense is
//! refused with a reason; what is so already is no error.

use serde_json::{Value, json};

use super::{Decided, LiveRun, Next, Pen, TaskIx, Todo, scope::Fate};
use crate::{
    graph::{OnError, Work},
    id::{PortName, TaskName},
    run::{
        OnChange, Run, RunEvent, RunState, Task, TaskError, TaskEvent, TaskState, Waiting,
        input::{Action, GivenAnswer, Rejection, Timer},
    },
};

/// What people may ask of a run as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Stop it.
    Cancel,
    /// Hold it.
    Pause,
    /// Let it go on.
    Resume,
    /// Take it up again after it failed or was cancelled.
    Retry,
}

impl RunState {
    /// Whether this can be asked of a run in this state: `Ok(false)` where it is so already. The
    /// same for runs in memory and for those that ended long ago.
    pub fn allows(&self, control: Control) -> Result<bool, Rejection> {
        match (control, self) {
            (Control::Cancel, RunState::Cancelled { .. })
            | (Control::Pause, RunState::Paused { .. })
            | (Control::Resume, RunState::Queued | RunState::Running) => Ok(false),
            (Control::Cancel, RunState::Queued | RunState::Running | RunState::Paused { .. })
            | (Control::Pause, RunState::Queued | RunState::Running)
            | (Control::Resume, RunState::Paused { .. })
            | (Control::Retry, RunState::Failed { .. } | RunState::Cancelled { .. }) => Ok(true),
            (Control::Cancel, RunState::Succeeded { .. } | RunState::Failed { .. })
            | (
                Control::Pause | Control::Resume,
                RunState::Succeeded { .. } | RunState::Failed { .. } | RunState::Cancelled { .. },
            ) => Err(Rejection::RunOver(self.name())),
            (Control::Retry, RunState::Queued | RunState::Running | RunState::Paused { .. }) => {
                Err(Rejection::StillRunning(self.name()))
            }
            (Control::Retry, RunState::Succeeded { .. }) => Err(Rejection::NothingToRetry),
        }
    }
}

impl Run {
    /// Whether a task waits for this answer. The same for runs in memory and for those that ended.
    pub fn takes_answer(&self, name: &TaskName, port: &PortName) -> Result<&Task, Rejection> {
        let task = self
            .tasks
            .get(name)
            .ok_or_else(|| Rejection::NoSuchTask(name.clone()))?;
        let known = match &task.state {
            TaskState::Waiting {
                reason: Waiting::Approval,
                ..
            } => ["approved", "rejected"].as_slice(),
            // One who answers in a pause is not asked again behind it.
            TaskState::Waiting {
                reason: Waiting::Replay,
                ..
            } if task.answer.is_none() => &OnChange::PORTS,
            TaskState::Unknown { .. } if !self.state.is_final() => {
                &["succeeded", "retry", "failed"]
            }
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Succeeded { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Unknown { .. }
            | TaskState::Cancelled => {
                return Err(match &task.answer {
                    Some(answer) => Rejection::AlreadyAnswered {
                        task: name.clone(),
                        by: answer.by.clone(),
                    },
                    None => Rejection::NotWaiting {
                        task: name.clone(),
                        state: task.state.name(),
                    },
                });
            }
        };
        if known.contains(&port.as_str()) {
            return Ok(task);
        }
        Err(Rejection::NoSuchAnswer {
            task: name.clone(),
            port: port.to_string(),
            known: known.join(", "),
        })
    }
}

impl LiveRun {
    /// Begins an accepted run.
    pub fn start(&mut self, pen: &mut Pen<'_>) -> Decided {
        self.record_run(pen, RunEvent::Started {})?;
        self.limit_run(pen);
        let mut todo = Todo::new();
        let only = self.run.only.as_ref().and_then(|only| self.find(only));
        match only {
            Some(task) => todo.push_back(Next::Enter(task)),
            None => todo.extend(self.enterable(0).into_iter().map(Next::Enter)),
        }
        if self.scopes[0].open == 0 {
            todo.push_back(Next::Over(0));
        }
        self.work_off(pen, todo)
    }

    /// Stops everything.
    pub fn cancel(&mut self, pen: &mut Pen<'_>, by: &str) -> Decided {
        if !self.run.state.allows(Control::Cancel)? {
            return Ok(());
        }
        self.cancel_scope(pen, 0)?;
        self.record_run(pen, RunEvent::Cancelled { by: by.to_owned() })
    }

    /// Stops a child run that nobody waits for any more.
    pub fn orphan(&mut self, pen: &mut Pen<'_>) -> Decided {
        if self.run.state.is_final() {
            return Ok(());
        }
        self.cancel(pen, "its parent run")
    }

    /// Holds the run: what is under way ends, nothing starts.
    pub fn pause(&mut self, pen: &mut Pen<'_>, by: &str) -> Decided {
        if !self.run.state.allows(Control::Pause)? {
            return Ok(());
        }
        self.record_run(pen, RunEvent::Paused { by: by.to_owned() })
    }

    /// Lets the run go on, and does what fell due meanwhile.
    pub fn resume(&mut self, pen: &mut Pen<'_>, by: &str) -> Decided {
        if !self.run.state.allows(Control::Resume)? {
            return Ok(());
        }
        let event = RunEvent::Resumed {
            by: by.to_owned(),
            again: Vec::new(),
        };
        self.record_run(pen, event)?;
        self.run_timed_out(pen)?;
        self.due_waits(pen)?;
        self.go_on_everywhere(pen)
    }

    /// Takes up a run again that failed or was cancelled. What was finished stays; what was stopped
    /// or made it fail waits again for what is before it.
    pub fn retry(&mut self, pen: &mut Pen<'_>, by: &str) -> Decided {
        if !self.run.state.allows(Control::Retry)? {
            return Ok(());
        }
        let mut again = Vec::new();
        self.list_again(0, &mut again);
        let again = again.into_iter().map(|task| self.name(task)).collect();
        let event = RunEvent::Resumed {
            by: by.to_owned(),
            again,
        };
        self.record_run(pen, event)?;
        *self = Self::new(self.run.clone(), std::sync::Arc::clone(&self.graph));
        self.limit_run(pen);
        self.go_on_everywhere(pen)
    }

    /// Tasks of a scope that are done again: those that were stopped, and those whose failure
    /// ended the scope. Failures that the graph provides for stay.
    fn list_again(&self, scope: usize, again: &mut Vec<TaskIx>) {
        let base = self.scopes[scope].base;
        for task in base..base + self.scopes[scope].graph.nodes.len() {
            let repeated = match self.state(task) {
                TaskState::Failed { .. } => self.node(task).on_error == OnError::Fail,
                TaskState::Cancelled => true,
                TaskState::Blocked
                | TaskState::Ready { .. }
                | TaskState::Assigned { .. }
                | TaskState::Running { .. }
                | TaskState::Waiting { .. }
                | TaskState::Succeeded { .. }
                | TaskState::Skipped { .. }
                | TaskState::Unknown { .. } => false,
            };
            if !repeated {
                continue;
            }
            again.push(task);
            let goes_on = matches!(&self.node(task).work, Work::Map(map) if map.goes_on);
            let rounds = self
                .rounds
                .get(&task)
                .map(|rounds| rounds.scopes.as_slice());
            for round in rounds.unwrap_or_default() {
                // An item whose failure the map goes on without keeps it.
                let kept = goes_on && matches!(self.scopes[*round].fate, Fate::Dead(_));
                if !kept {
                    self.list_again(*round, again);
                }
            }
        }
    }

    /// Takes a person's answer.
    pub fn answer(&mut self, pen: &mut Pen<'_>, by: &str, given: &GivenAnswer) -> Decided {
        let state = &self.run.takes_answer(&given.task, &given.port)?.state;
        let unknown = matches!(state, TaskState::Unknown { .. });
        let changed =
            matches!(state, TaskState::Waiting { reason, .. } if *reason == Waiting::Replay);
        let task = self
            .find(&given.task)
            .ok_or_else(|| Rejection::NoSuchTask(given.task.clone()))?;
        if self.scopes[self.place[task]].fate != Fate::Open {
            let state = self.state(task).name();
            let task = given.task.clone();
            return Err(Rejection::NotWaiting { task, state });
        }
        let attempt = self
            .task(task)
            .attempts
            .last()
            .map_or(1, |last| last.number);
        let event = TaskEvent::Answered {
            attempt,
            by: by.to_owned(),
            port: given.port.clone(),
            comment: given.comment.clone(),
            data: given.data.clone(),
        };
        self.record_task(pen, task, None, event)?;
        if changed {
            return self.prompt_answered(pen, task, attempt, &given.port);
        }
        if !unknown {
            let output = json!({
                "port": given.port,
                "by": by,
                "at": pen.now.rfc3339(),
                "comment": given.comment,
                "data": given.data,
            });
            let port = Some(given.port.clone());
            return self.complete_and_go_on(pen, task, None, output, port);
        }
        match given.port.as_str() {
            "retry" => self.try_again(pen, task),
            "succeeded" => self.complete_and_go_on(pen, task, None, given.data.clone(), None),
            _ => {
                let message = format!("{by} said that it failed. {}", given.comment);
                let error = TaskError::lasting("failed_by_person", message.trim());
                self.fail_and_go_on(pen, task, attempt, error)
            }
        }
    }

    /// Sets the time limit of the run.
    pub(super) fn limit_run(&self, pen: &mut Pen<'_>) {
        if let (Some(limit), Some(since)) = (self.graph.timeout_ms, self.run.active_since) {
            pen.actions.push(Action::SetTimer {
                at: since.plus_ms(limit),
                timer: Timer::RunTimeout(self.run.id),
            });
        }
    }

    /// What a person is shown of an answer that nobody gave; kept here beside the one that somebody
    /// did.
    pub(super) fn unanswered() -> Value {
        json!({ "port": "timeout", "by": null, "at": null, "comment": "", "data": null })
    }
}
