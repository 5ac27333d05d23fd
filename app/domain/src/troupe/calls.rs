//! What model calls came to: models that fail are left alone for a while, and what waits for them
//! loses none of its tries meanwhile.

use super::{Step, Troupe, money::Asked};
use crate::{
    breaker::Way,
    event::{Fact, SystemEvent},
    id::RunId,
    run::{AttemptKey, TaskError, TurnFailure, input::Rejection},
    time::Timestamp,
};

/// How many ready tasks one pass parks at most; the others are looked at in the next one.
pub(super) const PARKED_AT_ONCE: usize = 256;

impl Troupe {
    /// Which model the name that an attempt asks for led to.
    pub(super) fn note_name(&mut self, key: &AttemptKey, model: &str) {
        let Some(live) = self.runs.get(&key.run) else {
            return;
        };
        let Some(task) = live.find(&key.task) else {
            return;
        };
        let spec = self.worker(key).map(|agent| &agent.spec);
        let asked = live.models_of(task, spec);
        // Of several names it is not said which one led there; those that are full speak for themselves.
        if let [name] = asked.as_slice() {
            self.doors.led(name, model);
        } else if asked.first().is_some_and(String::is_empty) && !asked.iter().any(|m| m == model) {
            self.doors.led("", model);
        }
    }

    /// A model answered.
    pub(super) fn answered(
        &mut self,
        key: &AttemptKey,
        turn: u32,
        now: Timestamp,
        step: &mut Step,
    ) {
        if self.doors.is_quiet() {
            return;
        }
        let live = self.runs.get(&key.run);
        let model = live.and_then(|live| live.model_of_turn(key, turn));
        if let Some(model) = model.map(str::to_owned) {
            let told = self.doors.answered(&model, key);
            self.leave_door(key);
            self.tell(told, now, step);
        }
    }

    /// A call brought no answer. What comes of an attempt that is over still says how the model is.
    pub(super) fn call_failed(
        &mut self,
        key: &AttemptKey,
        failure: &TurnFailure,
        now: Timestamp,
        step: &mut Step,
    ) {
        let told = self.doors.failed(failure, key, now);
        self.leave_door(key);
        self.tell(told, now, step);
    }

    /// A call is over, or will not be made: others may have waited for that.
    pub(super) fn leave_door(&mut self, key: &AttemptKey) {
        self.doors.left(key);
        self.look_at_doors();
        self.stirred = true;
    }

    /// Whether the model of a call may be called now. Where another one may be asked in its place, that is
    /// for the agent to do; else its task waits in the middle of its work.
    pub(super) fn pass_door(
        &mut self,
        asked: &Asked,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        if self.doors.is_quiet() {
            return Ok(());
        }
        self.note_name(&asked.key, &asked.model);
        if self.doors.knock(&asked.model, &asked.key, now) == Way::Free {
            return Ok(());
        }
        let live = self.runs.get(&asked.key.run);
        // One that failed in this turn and may be tried again has its next try for that.
        let retries = live.is_some_and(|live| {
            let tried = live.failed_in_turn(&asked.key).last();
            tried.is_some_and(|failure| failure.error.retryable) && live.has_try_left(&asked.key)
        });
        let models: Vec<String> = asked.models().cloned().collect();
        let until = match self.doors.way_of(&models, now) {
            Way::Free => return Err(Rejection::ModelShut(asked.model.clone())),
            Way::Shut(_) if retries => return Err(Rejection::NoOther(asked.model.clone())),
            Way::Full => None,
            Way::Shut(until) => Some(until),
        };
        self.wait_at_door(asked, until, now, step)?;
        let words = format!("{} may not be called now: the call waits", asked.model);
        Err(Rejection::CallRefused(words))
    }

    fn wait_at_door(
        &mut self,
        asked: &Asked,
        until: Option<Timestamp>,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let key = &asked.key;
        self.with_run(key.run, now, step, |live, pen| {
            live.hold_at_door(pen, key, until)
        })?;
        self.put_off_at_door(asked);
        self.look_at(until, step);
        Ok(())
    }

    /// The models that one that waits in the middle of its work may ask.
    pub(super) fn models_of_held(&self, key: &AttemptKey) -> Vec<String> {
        let live = self.runs.get(&key.run);
        let found = live.and_then(|live| Some((live, live.find(&key.task)?)));
        let Some((live, task)) = found else {
            return Vec::new();
        };
        let agent = self.worker(key).map(|agent| &agent.spec);
        self.models_left(live, key, task, agent)
    }

    fn tell(&mut self, event: Option<SystemEvent>, now: Timestamp, step: &mut Step) {
        self.stirred = true;
        if let Some(event) = event {
            self.record(Fact::System(event), now, step);
        }
    }

    /// An attempt failed. Where its model is out of order, that is none of its tries.
    pub(super) fn attempt_failed(
        &mut self,
        key: AttemptKey,
        error: TaskError,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let live = self
            .runs
            .get(&key.run)
            .ok_or_else(|| Rejection::AttemptOver(key.clone()))?;
        let failed = live.failed_model(&key);
        let shut = failed.and_then(|failure| self.doors.out_of_order(&failure.model, now));
        let failed = crate::run::input::Outcome::Failed {
            key: key.clone(),
            error: error.clone(),
        };
        self.with_run(key.run, now, step, |live, pen| match shut {
            Some(until) => live.held_up(pen, &key, error, until),
            None => live.outcome(pen, failed),
        })
    }

    /// The moment of a parked task came, or that of its next try: whether it goes on waiting, as its
    /// model may not be called.
    pub(super) fn stays_parked(
        &mut self,
        key: &AttemptKey,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<bool, Rejection> {
        if self.doors.is_quiet() {
            return Ok(false);
        }
        let Some(live) = self.runs.get(&key.run) else {
            return Ok(false);
        };
        let Some((task, agent)) = live.waits_for_try(key).filter(|_| !live.run.is_paused()) else {
            return Ok(false);
        };
        if live.calls_nobody(task) {
            return Ok(false);
        }
        let spec = agent.and_then(|agent| self.agents.get(&agent));
        let models = live.models_of(task, spec.map(|agent| &agent.spec));
        match self.doors.stand_up(&models, now) {
            Way::Free | Way::Full => Ok(false),
            Way::Shut(until) => {
                self.with_run(key.run, now, step, |live, pen| live.park(pen, task, until))?;
                Ok(true)
            }
        }
    }

    /// Parks ready tasks of a run whose models may not be called before a known moment; whether there
    /// are more of them.
    pub(super) fn park_shut(
        &mut self,
        id: RunId,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<bool, Rejection> {
        if self.doors.is_quiet() {
            return Ok(false);
        }
        let mut parked = 0;
        while let Some((lane, until)) = self.shut_lane(id, now) {
            if parked >= PARKED_AT_ONCE {
                return Ok(true);
            }
            parked += 1;
            let live = self.runs.get_mut(&id);
            let Some(task) = live.and_then(|live| live.ready.take(&lane)) else {
                return Ok(false);
            };
            self.with_run(id, now, step, |live, pen| match live.is_ready(task) {
                true => live.park(pen, task, until),
                false => Ok(()),
            })?;
        }
        Ok(false)
    }
}
