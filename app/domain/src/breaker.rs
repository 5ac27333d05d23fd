//! Whether a model may be called now. A [`Breaker`] watches one model of one provider: five failures
//! in a row that are the provider's fault shut it for a minute, then one call probes. A [`Gate`]
//! watches one key, or one model of it: when the provider asks to slow down, nobody calls until its time is
//! over, and then few at first. Time is passed in; refused here: clocks, and judging what an error means.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{run::AttemptKey, time::Timestamp};

/// Failures in a row that shut a breaker.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// How long it stays shut, in milliseconds.
pub const UNHEALTHY_MS: u64 = 60_000;
/// A probe that was promised and never began is promised to another after this time.
const PROMISE_MS: u64 = 10_000;
/// How often those look again who wait for the end of a probe.
const LOOK_AGAIN_MS: u64 = 5_000;
/// Calls at a time at which a gate stops counting.
const WIDE: usize = 64;
/// The wait where a provider asks to slow down and does not say for how long.
const GATE_MS: u64 = 1_000;

/// Whose fault a failed call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// The provider failed: no connection, 5xx, silence, an answer that is none.
    Theirs,
    /// The provider works and asks to come back later, whatever is asked of it.
    Busy,
    /// The provider works, and asks to come back later for this model.
    Crowded,
    /// The request was wrong, or not allowed: the provider works.
    Ours,
}

/// What one who wants to call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Go.
    Free,
    /// Wait for others to come back; nobody knows when.
    Full,
    /// Not before then.
    Shut(Timestamp),
}

/// One model of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breaker {
    /// Calls go through.
    Closed {
        /// Failures since the last answer.
        failures: u32,
    },
    /// No call goes through.
    Open {
        /// When one may probe.
        until: Timestamp,
        /// What went wrong last, in words for people.
        reason: String,
    },
    /// One call finds out whether it works again.
    Probing {
        /// Who calls; `None` while it is promised.
        by: Option<AttemptKey>,
        /// Since when.
        since: Timestamp,
        /// Why it was shut.
        reason: String,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker::Closed { failures: 0 }
    }
}

/// What a verdict changed, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turned {
    /// It is shut until then.
    Unhealthy(Timestamp),
    /// It works again.
    Recovered,
}

impl Breaker {
    /// Whether a call may begin at `now`.
    pub fn way(&self, now: Timestamp) -> Way {
        match self {
            Breaker::Closed { .. } => Way::Free,
            Breaker::Open { until, .. } if *until > now => Way::Shut(*until),
            Breaker::Open { .. } | Breaker::Probing { by: None, .. } => Way::Free,
            Breaker::Probing { by: Some(_), .. } => Way::Full,
        }
    }

    /// One that is parked asks whether it may get in line. After the minute one may; the others look
    /// again later, so that not all of them stand up for one probe.
    pub fn stand_up(&mut self, now: Timestamp) -> Way {
        match self {
            Breaker::Closed { .. } => Way::Free,
            Breaker::Open { until, .. } if *until > now => Way::Shut(*until),
            Breaker::Open { reason, .. } => {
                *self = Breaker::Probing {
                    by: None,
                    since: now,
                    reason: std::mem::take(reason),
                };
                Way::Free
            }
            Breaker::Probing {
                by: None, since, ..
            } if now.ms_since(*since) >= PROMISE_MS => {
                *since = now;
                Way::Free
            }
            Breaker::Probing { .. } => Way::Shut(now.plus_ms(LOOK_AGAIN_MS)),
        }
    }

    /// Whether this attempt is the probe.
    pub fn is_probed_by(&self, key: &AttemptKey) -> bool {
        matches!(self, Breaker::Probing { by: Some(by), .. } if by == key)
    }

    /// A call begins: after the minute it is the probe.
    pub fn enter(&mut self, key: &AttemptKey, now: Timestamp) {
        match self {
            // Before the minute is over nobody probes.
            Breaker::Open { until, .. } if *until > now => {}
            Breaker::Open { reason, .. }
            | Breaker::Probing {
                by: None, reason, ..
            } => {
                *self = Breaker::Probing {
                    by: Some(key.clone()),
                    since: now,
                    reason: std::mem::take(reason),
                };
            }
            Breaker::Closed { .. } | Breaker::Probing { by: Some(_), .. } => {}
        }
    }

    /// A call is over. A probe that ended without a verdict is open to the next one.
    pub fn left(&mut self, key: &AttemptKey) {
        if let Breaker::Probing { by, .. } = self
            && by.as_ref() == Some(key)
        {
            *by = None;
        }
    }

    /// The provider answered, be it with a refusal. Of those that began before it was shut, none
    /// opens it again: that is for the probe.
    pub fn answered(&mut self, key: &AttemptKey) -> Option<Turned> {
        match self {
            Breaker::Closed { failures } => {
                *failures = 0;
                None
            }
            Breaker::Open { .. } => None,
            Breaker::Probing { by, .. } if by.as_ref() != Some(key) => None,
            Breaker::Probing { .. } => {
                *self = Breaker::default();
                Some(Turned::Recovered)
            }
        }
    }

    /// The provider failed.
    pub fn failed(&mut self, key: &AttemptKey, why: &str, now: Timestamp) -> Option<Turned> {
        let shut = match self {
            Breaker::Closed { failures } => {
                *failures += 1;
                *failures >= FAILURES_IN_A_ROW
            }
            Breaker::Open { .. } => false,
            Breaker::Probing { by, .. } => by.as_ref() == Some(key),
        };
        shut.then(|| {
            let until = now.plus_ms(UNHEALTHY_MS);
            let reason = why.to_owned();
            *self = Breaker::Open { until, reason };
            Turned::Unhealthy(until)
        })
    }

    /// Why it is not closed, and when a probe may begin; `None` for one that is closed.
    pub fn unhealthy(&self) -> Option<(&str, Option<Timestamp>)> {
        match self {
            Breaker::Closed { .. } => None,
            Breaker::Open { until, reason } => Some((reason, Some(*until))),
            Breaker::Probing { reason, .. } => Some((reason, None)),
        }
    }

    /// Whether nothing speaks against the model: there is nothing to remember.
    pub fn is_new(&self) -> bool {
        *self == Breaker::default()
    }
}

/// One key of one provider, or one model that many want.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Gate {
    /// Everybody goes through.
    #[default]
    Open,
    /// Nobody does before then.
    Shut {
        /// When the first one may.
        until: Timestamp,
    },
    /// So many at a time; each answer lets one more in.
    Narrow {
        /// How many.
        window: usize,
        /// Who is inside.
        inside: BTreeSet<AttemptKey>,
    },
}

impl Gate {
    /// Whether a call may begin at `now`.
    pub fn way(&self, now: Timestamp) -> Way {
        match self {
            Gate::Open => Way::Free,
            Gate::Shut { until } if *until > now => Way::Shut(*until),
            Gate::Shut { .. } => Way::Free,
            Gate::Narrow { window, inside } if inside.len() < *window => Way::Free,
            Gate::Narrow { .. } => Way::Full,
        }
    }

    /// A call begins.
    pub fn enter(&mut self, key: &AttemptKey, now: Timestamp) {
        match self {
            Gate::Open => {}
            // It opens at its time alone.
            Gate::Shut { until } if *until > now => {}
            Gate::Shut { .. } => {
                *self = Gate::Narrow {
                    window: 1,
                    inside: BTreeSet::from([key.clone()]),
                };
            }
            Gate::Narrow { inside, .. } => {
                inside.insert(key.clone());
            }
        }
    }

    /// Whether this attempt has been let in.
    pub fn has_inside(&self, key: &AttemptKey) -> bool {
        matches!(self, Gate::Narrow { inside, .. } if inside.contains(key))
    }

    /// A call is over.
    pub fn left(&mut self, key: &AttemptKey) {
        if let Gate::Narrow { inside, .. } = self {
            inside.remove(key);
        }
    }

    /// The provider answered a call.
    pub fn answered(&mut self) {
        if let Gate::Narrow { window, .. } = self {
            *window += 1;
            if *window >= WIDE {
                *self = Gate::Open;
            }
        }
    }

    /// The provider asks to slow down.
    pub fn slow_down(&mut self, wait_ms: Option<u64>, now: Timestamp) {
        let asked = now.plus_ms(wait_ms.unwrap_or(GATE_MS));
        let until = match self {
            Gate::Shut { until } => asked.max(*until),
            Gate::Open | Gate::Narrow { .. } => asked,
        };
        *self = Gate::Shut { until };
    }
}
