//! How a task begins, by its kind: skipped, done at once, ready for an agent, or waiting.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Decided, LiveRun, Next, Pen, TaskIx, Todo, weight};
use crate::{
    graph::{MAX_DEPTH, Work},
    id::{PortName, RunId},
    run::{
        AttemptKey, SkipReason, TaskError, TaskEvent, Waiting,
        input::{Action, ChildSpec, HttpSpec, Timer},
        render,
    },
    time::Timestamp,
};

/// What a kind of work begins with.
enum Begin {
    /// It is done: its value, and the port taken.
    Done(Value, Option<PortName>),
    /// It waits in line with this input.
    Line(Value),
    /// It waits for something named, with this input.
    Wait(Value, Waiting, Option<Timestamp>),
    /// Its rounds begin, with this input.
    Rounds(Value),
    /// Its child run is asked for, with this input.
    Child(Value),
}

impl LiveRun {
    /// Begins a task whose ways in are decided.
    pub(super) fn enter(&mut self, pen: &mut Pen<'_>, task: TaskIx, todo: &mut Todo) -> Decided {
        let scope = self.place[task];
        let node = task - self.scopes[scope].base;
        let asked = self.run.only.is_some() && scope == 0;
        let reached = asked || self.scopes[scope].is_reached(node);
        let disabled = self.node(task).disabled && !asked;
        if !reached || disabled {
            let reason = if reached {
                SkipReason::Disabled
            } else {
                SkipReason::NotTaken
            };
            let attempt = self.next_attempt(task);
            self.record_task(pen, task, None, TaskEvent::Skipped { attempt, reason })?;
            todo.push_back(Next::Settled(task));
            return Ok(());
        }
        if self.task(task).rounds > 0 {
            self.begin(pen, task, None)?;
            self.limit(pen, task);
            self.reopen(task, todo);
            todo.push_back(Next::Advance(task));
            return Ok(());
        }
        let graph = Arc::clone(&self.scopes[scope].graph);
        let work = &graph.nodes[node].work;
        pen.done.count(weight::expressions(work));
        let begin = self.begin_work(pen, scope, work);
        if let Ok(
            Begin::Done(made, _)
            | Begin::Line(made)
            | Begin::Wait(made, ..)
            | Begin::Rounds(made)
            | Begin::Child(made),
        ) = &begin
        {
            pen.done
                .count(weight::bytes(made) / weight::BYTES_PER_EXPRESSION);
        }
        self.begin_with(pen, task, begin, todo)
    }

    fn begin_work(&self, pen: &Pen<'_>, scope: usize, work: &Work) -> Result<Begin, TaskError> {
        self.read(&pen.done, scope, |renderer| match work {
            Work::Agent(work) => renderer.agent_input(work).map(Begin::Line),
            Work::Http(work) => {
                let request = renderer.request(work)?;
                Ok(Begin::Line(render::shown(&request)))
            }
            Work::Transform { template, json } => renderer
                .transform(template, *json)
                .map(|value| Begin::Done(value, None)),
            Work::Branch { cases, otherwise } => {
                let port = renderer.branch(cases, otherwise.as_ref())?;
                Ok(Begin::Done(port.as_str().into(), Some(port)))
            }
            Work::Output { value } => {
                let value = renderer.output(value)?;
                Ok(Begin::Done(value, None))
            }
            Work::Map(map) => {
                let items = renderer.items(&map.items)?;
                Ok(Begin::Rounds(json!({ "items": items })))
            }
            Work::Loop(_) => Ok(Begin::Rounds(Value::Null)),
            Work::Approval {
                message,
                timeout_ms,
            } => {
                let input = json!({ "message": renderer.message(message)? });
                let until = timeout_ms.map(|limit| pen.now.plus_ms(limit));
                Ok(Begin::Wait(input, Waiting::Approval, until))
            }
            Work::Wait(wait) => {
                let until = match wait {
                    crate::graph::WaitWork::For(duration) => pen.now.plus_ms(*duration),
                    crate::graph::WaitWork::Until(moment) => renderer.moment(moment)?,
                };
                Ok(Begin::Wait(Value::Null, Waiting::Timer, Some(until)))
            }
            Work::Workflow { input, .. } if self.run.depth < MAX_DEPTH => {
                renderer.fields("input", input).map(Begin::Child)
            }
            Work::Workflow { .. } => Err(TaskError::lasting(
                "too_deep",
                format!(
                    "Runs stand under runs more than {MAX_DEPTH} deep: does a workflow run itself?"
                ),
            )),
        })
    }

    fn begin_with(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        begin: Result<Begin, TaskError>,
        todo: &mut Todo,
    ) -> Decided {
        let attempt = self.next_attempt(task);
        match begin {
            Ok(Begin::Line(input)) => {
                let input = Some(input);
                self.record_task(pen, task, None, TaskEvent::Ready { attempt, input })?;
                self.enqueue(task);
                Ok(())
            }
            Ok(Begin::Done(output, port)) => {
                self.begin(pen, task, None)?;
                self.complete(pen, task, None, output, port, todo)
            }
            Ok(Begin::Wait(input, reason, until)) => {
                self.begin(pen, task, Some(input))?;
                self.wait(pen, task, attempt, reason, until)?;
                self.set_wait(pen, task, attempt, until);
                Ok(())
            }
            Ok(Begin::Rounds(input)) => {
                self.begin(pen, task, Some(input))?;
                self.limit(pen, task);
                todo.push_back(Next::Advance(task));
                Ok(())
            }
            Ok(Begin::Child(input)) => {
                self.begin(pen, task, Some(input))?;
                self.limit(pen, task);
                self.ask_for_child(pen, task);
                Ok(())
            }
            Err(error) => match self.node(task).work {
                Work::Agent(_) | Work::Http(_) => self.fail(pen, task, attempt, error, todo),
                Work::Transform { .. }
                | Work::Branch { .. }
                | Work::Map(_)
                | Work::Loop(_)
                | Work::Approval { .. }
                | Work::Wait(_)
                | Work::Workflow { .. }
                | Work::Output { .. } => {
                    self.begin(pen, task, None)?;
                    self.fail(pen, task, attempt, error, todo)
                }
            },
        }
    }

    /// Work that needs no agent begins.
    pub(super) fn begin(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        input: Option<Value>,
    ) -> Decided {
        let attempt = self.next_attempt(task);
        let input = input.filter(|input| !input.is_null());
        self.record_task(pen, task, None, TaskEvent::Ready { attempt, input })?;
        self.record_task(pen, task, None, TaskEvent::Started { attempt })
    }

    /// Sets the time limit of an attempt that has just begun.
    pub(super) fn limit(&self, pen: &mut Pen<'_>, task: TaskIx) {
        let begun = self.task(task).open_attempt();
        if let (Some(limit), Some(attempt)) = (self.node(task).timeout_ms, begun) {
            pen.actions.push(Action::SetTimer {
                at: attempt.started_at.plus_ms(limit),
                timer: Timer::AttemptTimeout(self.key(task, attempt.number)),
            });
        }
    }

    /// Sets the end of a wait.
    pub(super) fn set_wait(
        &self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        until: Option<Timestamp>,
    ) {
        if let Some(at) = until {
            let timer = Timer::WaitOver(self.key(task, attempt));
            pen.actions.push(Action::SetTimer { at, timer });
        }
    }

    /// Asks for the workflow of a child run.
    pub(super) fn ask_for_child(&self, pen: &mut Pen<'_>, task: TaskIx) {
        let (Work::Workflow { workflow, .. }, Some(attempt)) =
            (&self.node(task).work, self.state(task).attempt())
        else {
            return;
        };
        pen.actions.push(Action::FindWorkflow(Box::new(ChildSpec {
            key: self.key(task, attempt),
            workflow: workflow.clone(),
            input: self.task(task).input.clone().unwrap_or_else(|| json!({})),
        })));
    }

    /// The child run of a task is about to begin.
    pub fn child_begins(&mut self, pen: &mut Pen<'_>, key: &AttemptKey, child: RunId) -> Decided {
        let task = self.looked_for(key)?;
        let event = TaskEvent::Waiting {
            attempt: key.attempt,
            reason: Waiting::Run,
            until: None,
            child_run_id: Some(child),
            question: None,
        };
        self.record_task(pen, task, None, event)
    }

    /// Begins, or begins again after a stop of the server, the request of a ready task.
    pub fn start_http(&mut self, pen: &mut Pen<'_>, task: TaskIx) -> Decided {
        let attempt = match self.state(task).attempt() {
            Some(attempt) => attempt,
            None => {
                let attempt = self.next_attempt(task);
                self.record_task(pen, task, None, TaskEvent::Started { attempt })?;
                let provider = self.provider_of(task, None);
                self.take_on(pen, task, provider);
                attempt
            }
        };
        let scope = self.place[task];
        let graph = Arc::clone(&self.scopes[scope].graph);
        let Work::Http(work) = &graph.nodes[task - self.scopes[scope].base].work else {
            return Ok(());
        };
        // Rendered once more instead of read from the event: that one hides what may be a secret.
        match self.read(&pen.done, scope, |renderer| renderer.request(work)) {
            Ok(request) => {
                let key = self.key(task, attempt);
                let spec = HttpSpec {
                    workflow: self.run.workflow_id,
                    idempotency_key: format!("{}:{}:1", key.run, key.task),
                    request,
                    json: work.json,
                    timeout_ms: self.node(task).timeout_ms.unwrap_or(60_000),
                    key,
                };
                pen.actions.push(Action::StartHttp(Box::new(spec)));
                self.limit(pen, task);
                Ok(())
            }
            Err(error) => self.fail_and_go_on(pen, task, attempt, error),
        }
    }
}
