//! Attempts that wait in the middle of their work: for room in a budget, or at the door of a model that
//! may not be called now. They go on where they stood, in the order in which they began to wait.

use std::collections::{BTreeMap, VecDeque};

use super::{Step, Troupe, agents::Begins, money::Asked};
use crate::{
    breaker::Way,
    budget::{Quote, Verdict, day_of},
    run::{
        AttemptKey,
        input::{Action, Rejection, Timer},
    },
    time::Timestamp,
};

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// For room in a budget, or only for their turn to go on; with what they asked for, where they asked
    /// since the server started.
    for_room: VecDeque<(AttemptKey, Option<Wanted>)>,
    /// At the doors of models, by those that they may ask: who waits for the same is looked at together.
    at_doors: BTreeMap<Vec<String>, VecDeque<AttemptKey>>,
    look_for_room: bool,
    look_at_doors: bool,
    /// The next moment at which they are looked at.
    next_look: Option<Timestamp>,
}

/// A call that was put off.
#[derive(Debug)]
struct Wanted {
    model: String,
    quote: Quote,
}

impl Troupe {
    // -- beginning to wait ------------------------------------------------------------------------

    /// A call waits for room in a budget.
    pub(super) fn put_off_for_room(&mut self, asked: &Asked) {
        self.lay_down(asked);
        let wanted = Wanted {
            model: asked.model.clone(),
            quote: asked.quote,
        };
        let waits = (asked.key.clone(), Some(wanted));
        self.held.for_room.push_back(waits);
    }

    /// A call waits until one of its models may be called.
    pub(super) fn put_off_at_door(&mut self, asked: &Asked) {
        self.lay_down(asked);
        let line = self.held.at_doors.entry(asked.models().cloned().collect());
        line.or_default().push_back(asked.key.clone());
    }

    /// Nothing is set aside for a call that is put off, and it keeps nobody else from the model.
    fn lay_down(&mut self, asked: &Asked) {
        self.take_promise_back(&asked.key, &asked.model);
        self.leave_door(&asked.key);
    }

    /// One that waited when the server stopped, or that a person let go on, does so in its turn.
    pub(super) fn go_on_in_turn(&mut self, key: AttemptKey) {
        let live = self.runs.get(&key.run);
        if live.is_some_and(|live| live.waits_at_door(&key)) {
            let models = self.models_of_held(&key);
            let line = self.held.at_doors.entry(models).or_default();
            line.push_back(key);
            self.held.look_at_doors = true;
        } else {
            self.held.for_room.push_back((key, None));
            self.held.look_for_room = true;
        }
    }

    // -- looking at them --------------------------------------------------------------------------

    /// A model may be open to another call.
    pub(super) fn look_at_doors(&mut self) {
        self.held.look_at_doors = true;
    }

    /// Something changed that may let any of them go on.
    pub(super) fn look_at_held(&mut self) {
        self.held.look_for_room = true;
        self.held.look_at_doors = true;
    }

    /// Looks at them when the moment has come; one timer is enough for all of them.
    pub(super) fn look_at(&mut self, at: Option<Timestamp>, step: &mut Step) {
        let earlier = |at: &Timestamp| self.held.next_look.is_none_or(|next| *at < next);
        if let Some(at) = at.filter(earlier) {
            self.held.next_look = Some(at);
            let timer = Timer::LookAtHeld;
            step.actions.push(Action::SetTimer { at, timer });
        }
    }

    /// The moment came to look at them.
    pub(super) fn time_to_look(&mut self, now: Timestamp) {
        self.held.next_look = self.held.next_look.filter(|next| *next > now);
        self.look_at_held();
    }

    // -- going on ---------------------------------------------------------------------------------

    /// Lets those go on whose calls may be made by now.
    pub(super) fn let_held_go_on(
        &mut self,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let at_doors = self.let_in(now, step);
        at_doors.and(self.let_spend(now, step))
    }

    /// Who goes on is let in at its model's door, so that of many only as many go on as may.
    fn let_in(&mut self, now: Timestamp, step: &mut Step) -> Result<(), Rejection> {
        let mut done = Ok(());
        if !std::mem::take(&mut self.held.look_at_doors) {
            return done;
        }
        for (models, mut line) in std::mem::take(&mut self.held.at_doors) {
            let mut stay = VecDeque::new();
            while let Some(key) = line.pop_front() {
                let live = self.runs.get(&key.run);
                let Some(live) = live.filter(|live| live.waits_at_door(&key)) else {
                    continue;
                };
                if live.run.is_paused() {
                    stay.push_back(key);
                    continue;
                }
                match self.doors.way_of(&models, now) {
                    Way::Free => done = done.and(self.go_on(&key, now, step)),
                    Way::Full => {
                        stay.push_back(key);
                        break;
                    }
                    Way::Shut(until) => {
                        stay.push_back(key);
                        self.look_at(Some(until), step);
                        break;
                    }
                }
            }
            stay.append(&mut line);
            if !stay.is_empty() {
                let line = self.held.at_doors.entry(models).or_default();
                stay.append(line);
                *line = stay;
            }
        }
        done
    }

    /// What a call wants is set aside at once, so that of many only as many go on as have room.
    fn let_spend(&mut self, now: Timestamp, step: &mut Step) -> Result<(), Rejection> {
        let mut done = Ok(());
        let freed = self.ledger.take_freed();
        if !(freed | std::mem::take(&mut self.held.look_for_room)) {
            return done;
        }
        for (key, asked) in std::mem::take(&mut self.held.for_room) {
            let live = self.runs.get(&key.run);
            let Some(live) = live.filter(|live| live.told_to_go_on(&key)) else {
                continue;
            };
            if live.run.is_paused() || live.run.state.is_final() {
                self.held.for_room.push_back((key, asked));
                continue;
            }
            if let Some(Wanted { model, quote }) = &asked {
                let scopes = self.scopes_of(&key, model);
                let call = (key.run, key.task.clone());
                match self.ledger.weigh(&call, &scopes, *quote, day_of(now)) {
                    Verdict::Fits(amount) => {
                        // The one that a crash cut may have been made: its share stays until the new one begins.
                        let cut = live.cut_share(&key.task).unwrap_or_default();
                        self.ledger.reserve(call, scopes, amount.larger(cut));
                    }
                    // Who was too much before goes on only to be told that its price is unknown now.
                    Verdict::NoPrice(_) => {}
                    Verdict::Later | Verdict::Exceeds(_) => {
                        self.held.for_room.push_back((key, asked));
                        continue;
                    }
                }
            }
            done = done.and(self.go_on(&key, now, step));
        }
        done
    }

    fn go_on(
        &mut self,
        key: &AttemptKey,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<(), Rejection> {
        let Some(agent) = self.worker(key).map(|agent| agent.id) else {
            return Ok(());
        };
        self.with_run(key.run, now, step, |live, pen| live.go_on_held(pen, key))?;
        self.start_attempt(key, agent, Begins::WithCall, now, step);
        Ok(())
    }
}
