//! How long finished runs are kept: by age, by the size of the database, and otherwise for single
//! workflows. Whatever lives, and what belongs to something that lives, is kept in any case; that is
//! for those to say who know the runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{id::WorkflowId, time::Timestamp};

/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// One gibibyte.
pub const GIB: u64 = 1 << 30;

/// Longest age that can be set, in days: ten years.
pub const MOST_DAYS: u32 = 3_650;

/// Smallest limit of size that can be set: an empty database with some workflows fits.
pub const LEAST_BYTES: u64 = 64 << 20;

/// Largest limit of size that can be set.
pub const MOST_BYTES: u64 = 1 << 44;

/// Most workflows that can have a rule of their own.
pub const MOST_RULES: usize = 1_000;

/// A run that ended so short a time ago stays, however full the database is: somebody may be looking.
pub const FRESH_MS: u64 = 3_600_000;

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// So many days behind its end.
    Days(u32),
    /// Until somebody says otherwise, whatever the size of the database.
    Forever,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Finished runs of workflows without a rule of their own, and events of no run.
    pub keep: Keep,
    /// A database that holds more than this loses its oldest finished runs first; `None` for no limit.
    pub max_bytes: Option<u64>,
    /// Rules of single workflows.
    pub workflows: BTreeMap<WorkflowId, Keep>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            keep: Keep::Days(30),
            max_bytes: Some(10 * GIB),
            workflows: BTreeMap::new(),
        }
    }
}

/// Why a rule cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRetention {
    /// No days, or too many.
    #[error("runs can be kept for 1 to {MOST_DAYS} days, or for ever; {0} is neither")]
    Days(u32),
    /// Too small or too large.
    #[error("the size limit must lie between 64 MiB and 16 TiB; {0} bytes do not")]
    Bytes(u64),
    /// Too many rules.
    #[error("at most {MOST_RULES} workflows can have a rule of their own; these are {0}")]
    Rules(usize),
}

impl Keep {
    /// What ended before this moment may go; `None` when nothing may.
    pub fn cutoff(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Keep::Days(days) => {
                let age = i64::try_from(u64::from(days) * DAY_MS).unwrap_or(i64::MAX);
                Some(Timestamp(now.0.saturating_sub(age)))
            }
            Keep::Forever => None,
        }
    }

    fn check(self) -> Result<(), BadRetention> {
        match self {
            Keep::Days(days) if !(1..=MOST_DAYS).contains(&days) => Err(BadRetention::Days(days)),
            Keep::Days(_) | Keep::Forever => Ok(()),
        }
    }
}

impl Retention {
    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), BadRetention> {
        self.keep.check()?;
        if self.workflows.len() > MOST_RULES {
            return Err(BadRetention::Rules(self.workflows.len()));
        }
        self.workflows.values().try_for_each(|keep| keep.check())?;
        match self.max_bytes {
            Some(bytes) if !(LEAST_BYTES..=MOST_BYTES).contains(&bytes) => {
                Err(BadRetention::Bytes(bytes))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// How long runs of this workflow are kept.
    pub fn of(&self, workflow: WorkflowId) -> Keep {
        self.workflows.get(&workflow).copied().unwrap_or(self.keep)
    }

    /// How much a database that holds so much holds too much.
    pub fn excess(&self, used_bytes: u64) -> u64 {
        self.max_bytes
            .map_or(0, |most| used_bytes.saturating_sub(most))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_default_is_thirty_days_and_ten_gibibytes() {
        let rules = Retention::default();
        assert_eq!(rules.check(), Ok(()));
        assert_eq!(
            rules.keep.cutoff(Timestamp(31 * 86_400_000)),
            Some(Timestamp(86_400_000))
        );
        assert_eq!(rules.excess(10 * GIB), 0);
        assert_eq!(rules.excess(10 * GIB + 5), 5);
    }

    #[test]
    fn a_workflow_may_have_a_rule_of_its_own() {
        let (one, other) = (
            WorkflowId(Uuid::from_u128(1)),
            WorkflowId(Uuid::from_u128(2)),
        );
        let rules = Retention {
            workflows: [(one, Keep::Forever)].into(),
            ..Retention::default()
        };
        assert_eq!(rules.of(one).cutoff(Timestamp(0)), None);
        assert_eq!(rules.of(other), Keep::Days(30));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let with = |change: fn(&mut Retention)| {
            let mut rules = Retention::default();
            change(&mut rules);
            rules.check()
        };
        assert_eq!(
            with(|rules| rules.keep = Keep::Days(0)),
            Err(BadRetention::Days(0))
        );
        assert_eq!(
            with(|rules| rules.keep = Keep::Days(u32::MAX)),
            Err(BadRetention::Days(u32::MAX))
        );
        assert_eq!(
            with(|rules| rules.max_bytes = Some(1)),
            Err(BadRetention::Bytes(1))
        );
        assert_eq!(with(|rules| rules.max_bytes = None), Ok(()));
        assert_eq!(
            with(|rules| {
                rules
                    .workflows
                    .insert(WorkflowId(Uuid::nil()), Keep::Days(4_000));
            }),
            Err(BadRetention::Days(4_000))
        );
        // Long ago is before the first moment, not far in the future.
        assert_eq!(
            Keep::Days(MOST_DAYS).cutoff(Timestamp(i64::MIN)),
            Some(Timestamp(i64::MIN))
        );
    }
}
