//! Playing back: a call whose prompt is another one than was recorded waits for a person.

use super::{Decided, LiveRun, Pen, TaskIx};
use crate::{
    id::PortName,
    run::{AttemptKey, OnChange, Replay, TaskEvent, TaskState, Waiting, recording::prompt_changed},
};

impl LiveRun {
    /// The attempt asks something else than was recorded: its task waits for a person.
    pub(super) fn ask_about_prompt(
        &mut self,
        pen: &mut Pen<'_>,
        key: &AttemptKey,
        question: String,
    ) -> Decided {
        let (task, agent) = self.at_agent(key)?;
        let attempt = key.attempt;
        if matches!(self.state(task), TaskState::Assigned { .. }) {
            self.record_task(pen, task, agent, TaskEvent::Started { attempt })?;
        }
        let event = TaskEvent::Waiting {
            attempt,
            reason: Waiting::Replay,
            until: None,
            child_run_id: None,
            question: Some(question),
        };
        self.record_task(pen, task, agent, event)
    }

    /// A person said what becomes of it. Where it goes on, whoever holds the agents lets it.
    pub(super) fn prompt_answered(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        attempt: u32,
        port: &PortName,
    ) -> Decided {
        if OnChange::chosen(port).is_some() {
            return Ok(());
        }
        let question = self.task(task).question.clone().unwrap_or_default();
        self.attempt_failed(pen, task, attempt, prompt_changed(&question))
    }

    /// Whether a held attempt may go on as far as people are concerned: where its prompt changed, one has
    /// said what becomes of it.
    pub fn told_to_go_on(&self, key: &AttemptKey) -> bool {
        let Some(task) = self.held_task(key) else {
            return false;
        };
        match self.state(task) {
            TaskState::Waiting { reason, .. } => match reason {
                Waiting::Replay => self.task(task).answer.is_some(),
                Waiting::Budget | Waiting::Provider => true,
                Waiting::Timer | Waiting::Approval | Waiting::Run => false,
            },
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Succeeded { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Cancelled
            | TaskState::Unknown { .. } => false,
        }
    }

    /// Whether a task is given recorded answers and calls no model by itself.
    pub fn calls_nobody(&self, task: TaskIx) -> bool {
        let replay = self.replay_of(task);
        replay.is_some_and(|replay| replay.on_change != OnChange::Live)
    }

    /// How the calls of a task are played back: as the run says, or as a person chose for this task.
    pub fn replay_of(&self, task: TaskIx) -> Option<Replay> {
        let mut replay = self.run.replay.clone()?;
        let answer = self.task(task).answer.as_ref();
        if let Some(chosen) = answer.and_then(|answer| OnChange::chosen(&answer.port)) {
            replay.on_change = chosen;
        }
        Some(replay)
    }
}
