//! What an event does to one task.

use super::{At, Misfit};
use crate::{
    id::AgentId,
    run::{
        Answer, Attempt, AttemptState, Began, CostIs, LateCost, Sketch, Task, TaskEvent, TaskState,
        ToolOutcome, ToolResult, Turn, Unpriced, Waiting,
    },
};

impl Task {
    pub(super) fn of(sketch: &Sketch) -> Self {
        Self {
            node: sketch.node.clone(),
            kind: sketch.kind.clone(),
            title: sketch.title.clone(),
            input: None,
            state: TaskState::Blocked,
            attempts: Vec::new(),
            counted_from: 0,
            question: None,
            answer: None,
            child: None,
            rounds: 0,
            body: sketch.body.clone(),
            reused: false,
        }
    }

    pub(super) fn apply(
        &mut self,
        at: &At,
        agent: Option<AgentId>,
        event: &TaskEvent,
    ) -> Result<(), Misfit> {
        // What a call cost may become known long after.
        let late = matches!(event, TaskEvent::TurnPriced { .. });
        if self.state.is_settled() && !late {
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
                reserved,
                messages,
                prompt: _,
                replayed: _,
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
                    reserved: *reserved,
                    started_at: at.moment,
                    began: None,
                    done: None,
                    tools: Vec::new(),
                    messages: messages.clone(),
                    failures: Vec::new(),
                    late: Vec::new(),
                    unpriced: Vec::new(),
                };
                // A call that a crash cut is made again under its number, with what it was handed.
                match known {
                    Some(known) => {
                        let mut handed = std::mem::take(&mut known.messages);
                        let failures = std::mem::take(&mut known.failures);
                        let late = std::mem::take(&mut known.late);
                        let unpriced = std::mem::take(&mut known.unpriced);
                        *known = begun;
                        known.failures = failures;
                        known.late = late;
                        known.unpriced = unpriced;
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
                turn.began = None;
                if let Some(id) = &record.generation_id
                    && record.cost_usd.is_none()
                {
                    turn.unpriced.push(Unpriced {
                        generation_id: id.clone(),
                        counted_at: at.moment,
                        assumed_usd: record.assumed_usd.unwrap_or_default(),
                        assumed_tokens: record.assumed_tokens.unwrap_or_default(),
                        prompt_known: record.prompt_tokens.is_some(),
                        completion_known: record.completion_tokens.is_some(),
                    });
                }
                turn.done = Some(record.clone());
            }
            TaskEvent::TurnBegan {
                attempt,
                turn,
                generation_id,
                ..
            } => {
                let turn = self.turn(at, *attempt, *turn)?;
                if turn.done.is_some() {
                    return Err(at.misfit(format!("turn {} is finished", turn.number)));
                }
                turn.began = Some(Began {
                    generation_id: generation_id.clone(),
                });
            }
            TaskEvent::TurnFailed {
                attempt,
                turn,
                failure,
            } => {
                let turn = self.turn(at, *attempt, *turn)?;
                if turn.done.is_some() {
                    return Err(at.misfit(format!("turn {} is finished", turn.number)));
                }
                turn.began = None;
                // It takes nothing any more; what it may have cost is assumed.
                turn.reserved = None;
                if let Some(id) = &failure.generation_id {
                    turn.unpriced.push(Unpriced {
                        generation_id: id.clone(),
                        counted_at: at.moment,
                        assumed_usd: failure.assumed_usd.unwrap_or_default(),
                        assumed_tokens: failure.assumed_tokens.unwrap_or_default(),
                        prompt_known: false,
                        completion_known: false,
                    });
                }
                turn.failures.push(failure.clone());
            }
            TaskEvent::TurnPriced {
                attempt,
                turn,
                late,
            } => self.price(at, *attempt, *turn, late)?,
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
            TaskEvent::Retrying {
                attempt,
                error,
                counts,
                ..
            } => {
                if !counts {
                    self.counted_from = self.counted_from.saturating_add(1);
                }
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
                question,
                ..
            } => {
                // What was said to the question before is no answer to this one.
                if *reason == Waiting::Replay {
                    self.answer = None;
                }
                self.question = question.clone();
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

    /// What a call cost, at whatever time that comes.
    fn price(&mut self, at: &At, attempt: u32, number: u32, late: &LateCost) -> Result<(), Misfit> {
        let known = self.attempts.iter_mut().find(|it| it.number == attempt);
        let turn = known.and_then(|it| it.turns.iter_mut().find(|turn| turn.number == number));
        let turn = turn.ok_or_else(|| at.misfit(format!("turn {number} was not begun")))?;
        turn.unpriced
            .retain(|unpriced| unpriced.generation_id != late.generation_id);
        match &mut turn.done {
            Some(record) if record.generation_id.as_ref() == Some(&late.generation_id) => {
                record.cost_usd = Some(late.cost_usd);
                record.cost_is = CostIs::Charged;
                record.assumed_usd = None;
                record.assumed_tokens = record
                    .assumed_tokens
                    .map(|tokens| tokens.saturating_sub(late.assumed_tokens))
                    .filter(|tokens| *tokens > 0);
                record.prompt_tokens = record.prompt_tokens.or(late.prompt_tokens);
                record.completion_tokens = record.completion_tokens.or(late.completion_tokens);
            }
            Some(_) | None => turn.late.push(late.clone()),
        }
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
