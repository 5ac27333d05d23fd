//! Which models may be called now: a breaker for each model that fails, a gate for each provider that
//! asked to slow down. Those that nothing speaks against are not kept.

use std::collections::{BTreeMap, HashMap};

use crate::{
    breaker::{Breaker, Gate, Trouble, Turned, Way},
    event::SystemEvent,
    frame::Unhealthy,
    run::{AttemptKey, TurnFailure, decide::provider},
    time::Timestamp,
};

/// Most names that are remembered for what they led to.
const MAX_ALIASES: usize = 1_000;
/// Most models that are watched at once.
const MAX_WATCHED: usize = 1_000;

/// All breakers and gates.
#[derive(Debug, Default)]
pub(super) struct Doors {
    breakers: BTreeMap<String, Breaker>,
    /// By provider, or by `provider:model`.
    gates: BTreeMap<String, Gate>,
    /// What a name led to when it was called last: an empty one means the server's default.
    aliases: HashMap<String, String>,
}

impl Doors {
    /// The model that a name leads to, as far as is known.
    pub fn model<'a>(&'a self, name: &'a str) -> &'a str {
        self.aliases.get(name).map_or(name, String::as_str)
    }

    /// Notes that `name` led to `model`.
    pub fn led(&mut self, name: &str, model: &str) {
        if name == model || self.aliases.get(name).is_some_and(|known| known == model) {
            return;
        }
        if self.aliases.len() >= MAX_ALIASES {
            self.aliases.clear();
        }
        self.aliases.insert(name.to_owned(), model.to_owned());
    }

    /// Whether a model may be called now.
    pub fn way(&self, name: &str, now: Timestamp) -> Way {
        let model = self.model(name);
        let breaker = self.breakers.get(model);
        let breaker = breaker.map_or(Way::Free, |breaker| breaker.way(now));
        let gates = self.gates_of(model).map(|gate| gate.way(now));
        gates.fold(breaker, worse)
    }

    /// The gates before a model: that of its provider's key, and its own.
    fn gates_of(&self, model: &str) -> impl Iterator<Item = &Gate> {
        [provider(Some(model)), model]
            .into_iter()
            .filter_map(|of| self.gates.get(of))
    }

    /// Whether the first or any other of these may be called; the way that opens first, if none.
    pub fn way_of(&self, names: &[String], now: Timestamp) -> Way {
        let ways = names.iter().map(|name| self.way(name, now));
        ways.reduce(better).unwrap_or(Way::Free)
    }

    /// When a model that failed too often may be called again; `None` where it may, or where it never
    /// failed so.
    pub fn out_of_order(&self, model: &str, now: Timestamp) -> Option<Timestamp> {
        match self.breakers.get(model)? {
            Breaker::Closed { .. } => None,
            Breaker::Open { until, .. } => Some(*until.max(&now)),
            Breaker::Probing { .. } => Some(now),
        }
    }

    /// One that is parked asks whether it may get in line.
    pub fn stand_up(&mut self, names: &[String], now: Timestamp) -> Way {
        let mut best: Option<Way> = None;
        for name in names {
            let model = self.model(name).to_owned();
            let gates = self.gates_of(&model).map(|gate| gate.way(now));
            let gate = gates.fold(Way::Free, worse);
            let way = match (gate, self.breakers.get_mut(&model)) {
                (Way::Shut(_), _) | (_, None) => gate,
                (Way::Free | Way::Full, Some(breaker)) => breaker.stand_up(now),
            };
            if way == Way::Free {
                return way;
            }
            best = Some(best.map_or(way, |best| better(best, way)));
        }
        best.unwrap_or(Way::Free)
    }

    /// A call of this model is about to be made. Who was let in with the beginning of its attempt, or has
    /// waited for this, goes through.
    pub fn knock(&mut self, name: &str, key: &AttemptKey, now: Timestamp) -> Way {
        let model = self.model(name);
        let breaker = self.breakers.get(model);
        let breaker = breaker
            .filter(|breaker| !breaker.is_probed_by(key))
            .map_or(Way::Free, |breaker| breaker.way(now));
        let others = self.gates_of(model).filter(|gate| !gate.has_inside(key));
        let way = others.map(|gate| gate.way(now)).fold(breaker, worse);
        if way == Way::Free {
            self.enter(name, key, now);
        }
        way
    }

    /// An attempt begins, or goes on, that will call this model.
    pub fn enter(&mut self, name: &str, key: &AttemptKey, now: Timestamp) {
        let model = self.model(name).to_owned();
        for of in [provider(Some(&model)), &model] {
            if let Some(gate) = self.gates.get_mut(of) {
                gate.enter(key, now);
            }
        }
        if let Some(breaker) = self.breakers.get_mut(&model) {
            breaker.enter(key, now);
        }
    }

    /// A call is over, or will not be made.
    pub fn left(&mut self, key: &AttemptKey) {
        self.gates.values_mut().for_each(|gate| gate.left(key));
        let breakers = self.breakers.values_mut();
        breakers.for_each(|breaker| breaker.left(key));
    }

    /// Whether anything is watched at all.
    pub fn is_quiet(&self) -> bool {
        self.gates.is_empty() && self.breakers.is_empty()
    }

    /// A model answered.
    pub fn answered(&mut self, model: &str, key: &AttemptKey) -> Option<SystemEvent> {
        for of in [provider(Some(model)), model] {
            if let Some(gate) = self.gates.get_mut(of) {
                gate.answered();
                if *gate == Gate::Open {
                    self.gates.remove(of);
                }
            }
        }
        self.works(model, key)
    }

    /// A call brought no answer.
    pub fn failed(
        &mut self,
        failure: &TurnFailure,
        key: &AttemptKey,
        now: Timestamp,
    ) -> Option<SystemEvent> {
        let TurnFailure {
            model,
            trouble,
            error,
            ..
        } = failure;
        match trouble {
            Trouble::Ours => self.works(model, key),
            Trouble::Busy | Trouble::Crowded => {
                let of = match trouble {
                    Trouble::Crowded => model,
                    Trouble::Busy | Trouble::Ours | Trouble::Theirs => provider(Some(model)),
                };
                let gate = self.gates.entry(of.to_owned());
                gate.or_default().slow_down(error.retry_after_ms, now);
                self.works(model, key)
            }
            Trouble::Theirs => {
                if self.breakers.len() >= MAX_WATCHED {
                    self.breakers.retain(|_, known| known.unhealthy().is_some());
                }
                let breaker = self.breakers.entry(model.clone()).or_default();
                let turned = breaker.failed(key, &error.message, now)?;
                Some(told(turned, model, &error.message))
            }
        }
    }

    fn works(&mut self, model: &str, key: &AttemptKey) -> Option<SystemEvent> {
        let breaker = self.breakers.get_mut(model)?;
        let turned = breaker.answered(key);
        if breaker.is_new() {
            self.breakers.remove(model);
        }
        turned.map(|turned| told(turned, model, ""))
    }

    /// Takes in what the log says of a model that was shut before a stop of the server.
    pub fn recall(&mut self, event: &SystemEvent) {
        match event {
            SystemEvent::ProviderUnhealthy {
                provider,
                model,
                reason,
                until,
            } => {
                let shut = Breaker::Open {
                    until: *until,
                    reason: reason.clone(),
                };
                self.breakers.insert(format!("{provider}:{model}"), shut);
            }
            SystemEvent::ProviderRecovered { provider, model } => {
                self.breakers.remove(&format!("{provider}:{model}"));
            }
            SystemEvent::Started { .. }
            | SystemEvent::Degraded { .. }
            | SystemEvent::QuotaLow { .. }
            | SystemEvent::Recovered { .. }
            | SystemEvent::BudgetSet { .. }
            | SystemEvent::BudgetWarned(_) => {}
        }
    }

    /// Models that are out of order, for people.
    pub fn unhealthy(&self) -> Vec<Unhealthy> {
        let shut = self.breakers.iter().filter_map(|(name, breaker)| {
            let (reason, until) = breaker.unhealthy()?;
            let (provider, model) = name.split_once(':').unwrap_or((name, ""));
            Some(Unhealthy {
                provider: provider.to_owned(),
                model: model.to_owned(),
                reason: reason.to_owned(),
                until,
            })
        });
        shut.collect()
    }
}

fn told(turned: Turned, name: &str, reason: &str) -> SystemEvent {
    let (provider, model) = name.split_once(':').unwrap_or((name, ""));
    let (provider, model) = (provider.to_owned(), model.to_owned());
    match turned {
        Turned::Unhealthy(until) => SystemEvent::ProviderUnhealthy {
            provider,
            model,
            reason: reason.to_owned(),
            until,
        },
        Turned::Recovered => SystemEvent::ProviderRecovered { provider, model },
    }
}

/// Of two doors on one way.
fn worse(one: Way, other: Way) -> Way {
    match (one, other) {
        (Way::Shut(one), Way::Shut(other)) => Way::Shut(one.max(other)),
        (Way::Shut(until), Way::Free | Way::Full) | (Way::Free | Way::Full, Way::Shut(until)) => {
            Way::Shut(until)
        }
        (Way::Full, Way::Full | Way::Free) | (Way::Free, Way::Full) => Way::Full,
        (Way::Free, Way::Free) => Way::Free,
    }
}

/// Of two ways to choose from.
fn better(one: Way, other: Way) -> Way {
    match (one, other) {
        (Way::Free, _) | (_, Way::Free) => Way::Free,
        (Way::Full, Way::Full | Way::Shut(_)) | (Way::Shut(_), Way::Full) => Way::Full,
        (Way::Shut(one), Way::Shut(other)) => Way::Shut(one.min(other)),
    }
}
