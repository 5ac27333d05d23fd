//! What workers and moments bring, as far as it concerns agents too.

use super::{Step, Troupe, money::Asked};
use crate::{
    agent::{AGENT_CRASHED, Agent, AgentEvent, Phase},
    budget::Quote,
    run::{
        AttemptKey, TaskError, TurnRecord,
        input::{Action, Outcome, Rejection, Timer},
    },
    time::Timestamp,
};

impl Troupe {
    pub(super) fn outcome(
        &mut self,
        outcome: Outcome,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let (key, crashed) = match outcome {
            Outcome::AgentReady(agent) => {
                self.broken.0 = 0;
                let event = AgentEvent::Idle { cost_usd: None };
                self.change_agent(agent, event, now, step)?;
                self.set_idle_timer(agent, now, step);
                return Ok(());
            }
            Outcome::AgentBroken { agent, error } => {
                self.await_mending(now, step);
                return self.set_aside(agent, error, now, step);
            }
            Outcome::TurnStarted {
                key,
                turn,
                model,
                others,
                simulated,
                quote,
                prompt,
            } => {
                let asked = Asked {
                    key,
                    turn,
                    model,
                    others,
                    simulated,
                    quote,
                    prompt,
                };
                return self.call_asked(asked, now, step);
            }
            Outcome::PlayedBack {
                key,
                turn,
                prompt,
                record,
            } => return self.played_back(key, turn, prompt, record, now, step),
            Outcome::MessageSent { key, to, text } => {
                let from = self.sender(&key)?;
                return self.send(from, to, text, now, step);
            }
            Outcome::ChildFound { key, start } => return self.child_found(key, *start, now, step),
            Outcome::Crashed { ref key, ref error } => (key.clone(), Some(error.clone())),
            Outcome::TurnCompleted { ref key, turn, .. } => {
                self.answered(key, turn, now, step);
                (key.clone(), None)
            }
            Outcome::TurnFailed {
                ref key,
                ref failure,
                ..
            } => {
                self.call_failed(key, failure, now, step);
                (key.clone(), None)
            }
            Outcome::Failed { key, error } => return self.attempt_failed(key, error, now, step),
            Outcome::CallPriced(priced) => return self.call_priced(*priced, now, step),
            Outcome::PromptChanged { ref key, .. }
            | Outcome::CallBegan { ref key, .. }
            | Outcome::ToolCalled { ref key, .. }
            | Outcome::ToolReturned { ref key, .. }
            | Outcome::Succeeded { ref key, .. } => (key.clone(), None),
        };
        if let Some(error) = crashed {
            self.distrust(&key, &error, now, step);
        }
        if !self.runs.contains_key(&key.run) {
            return Err(Rejection::AttemptOver(key));
        }
        self.with_run(key.run, now, step, |live, pen| live.outcome(pen, outcome))
    }

    /// A recorded answer is given in the place of a call: begun and done in one, as nobody is asked. No
    /// budget has a say in it, and it tells nothing of how a model is.
    fn played_back(
        &mut self,
        key: AttemptKey,
        turn: u32,
        prompt: String,
        record: Box<TurnRecord>,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let live = self.runs.get(&key.run);
        let live = live.ok_or_else(|| Rejection::AttemptOver(key.clone()))?;
        live.may_call(&key)?;
        let asked = Asked {
            key: key.clone(),
            turn,
            model: format!("{}:{}", record.provider, record.model),
            others: Vec::new(),
            simulated: record.simulated,
            quote: Quote::default(),
            prompt,
        };
        self.turn_starts(asked, None, now, step)?;
        self.leave_door(&key);
        let run = key.run;
        let done = Outcome::TurnCompleted { key, turn, record };
        self.with_run(run, now, step, |live, pen| live.outcome(pen, done))
    }

    /// An agent whose work crashed takes no more of it until it is brought back, or it goes.
    pub(super) fn distrust(
        &mut self,
        key: &AttemptKey,
        error: &TaskError,
        now: Timestamp,
        step: &mut Step,
    ) {
        let Some((agent, others)) = self.worker(key).map(|agent| {
            let others = agent.attempts().filter(|other| *other != key);
            (agent.id, others.cloned().collect::<Vec<_>>())
        }) else {
            return;
        };
        // A paused agent cannot go to error: it then stays paused, without the attempt.
        let error = TaskError {
            code: AGENT_CRASHED.to_owned(),
            ..error.clone()
        };
        if self.set_aside(agent, error, now, step).is_err() {
            return;
        }
        for key in others {
            step.actions.push(Action::StopAttempt(key.clone()));
            let error = TaskError::passing(
                AGENT_CRASHED,
                "The agent crashed at another task while it worked on this. Another one takes over.",
            );
            // What is over by now needs nobody to take over.
            let _over = self.lose_attempt(key, error, now, step);
        }
    }

    /// The agent that is at an attempt.
    pub(super) fn worker(&self, key: &AttemptKey) -> Option<&Agent> {
        let live = self.runs.get(&key.run)?;
        let agent = live.run.tasks.get(&key.task)?.attempt(key.attempt)?.agent?;
        let agent = self.agents.get(&agent)?;
        agent.attempts().any(|on| on == key).then_some(agent)
    }

    pub(super) fn timer(
        &mut self,
        timer: Timer,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let run = match &timer {
            Timer::Retry(key)
            | Timer::WaitOver(key)
            | Timer::AttemptTimeout(key)
            | Timer::GoOn(key) => Some(key.run),
            Timer::RunTimeout(run) => Some(*run),
            Timer::AgentIdle { .. } | Timer::SpawnAgain | Timer::LookAtHeld => None,
        };
        if run.is_some_and(|run| !self.runs.contains_key(&run)) {
            return Ok(());
        }
        match timer {
            Timer::Retry(key) | Timer::WaitOver(key) => {
                if self.stays_parked(&key, now, step)? {
                    return Ok(());
                }
                self.with_run(key.run, now, step, |live, pen| live.wait_over(pen, &key))
            }
            Timer::AttemptTimeout(key) => {
                self.with_run(key.run, now, step, |live, pen| live.timed_out(pen, &key))
            }
            Timer::GoOn(key) => self.with_run(key.run, now, step, |live, pen| live.more(pen, &key)),
            Timer::RunTimeout(run) => {
                self.with_run(run, now, step, |live, pen| live.run_timed_out(pen))
            }
            Timer::LookAtHeld => {
                self.time_to_look(now);
                Ok(())
            }
            Timer::SpawnAgain => {
                self.stirred = true;
                Ok(())
            }
            Timer::AgentIdle { agent, since } => {
                let unused = self.agents.get(&agent).is_some_and(|agent| {
                    agent.state.phase() == Phase::Idle && agent.updated_at == since
                });
                if unused {
                    self.terminate(agent, "idle, and no longer needed".to_owned(), now, step)?;
                }
                Ok(())
            }
        }
    }
}
