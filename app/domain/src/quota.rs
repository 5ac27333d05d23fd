//! What a provider lets a key spend, as far as it says so.

use serde::{Deserialize, Serialize};

use crate::{money::MicroUsd, time::Timestamp};

/// What a key may spend. `None`: the provider does not say, or there is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quota {
    /// All that it may spend.
    pub limit_usd: Option<MicroUsd>,
    /// What is left of that.
    pub remaining_usd: Option<MicroUsd>,
    /// What it has spent.
    pub used_usd: Option<MicroUsd>,
    /// `daily`, `weekly` or `monthly`, where the limit begins anew.
    pub resets: Option<String>,
    /// What is left of other things that are limited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<Allowance>,
}

/// What is left of something that a key may have only so much of in a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Of what.
    pub of: AllowanceOf,
    /// How much it may have.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
    /// When all of it is there again; `None`: the provider does not say.
    pub resets_at: Option<Timestamp>,
}

/// What a key may have only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowanceOf {
    /// Calls.
    Requests,
    /// Tokens, read and written.
    Tokens,
    /// Calls of models that cost nothing.
    FreeRequests,
}

/// From this share of a limit on, what is left is little.
const LITTLE: u128 = 10;

/// What is back within this time is for calls to wait for, not for people to look after.
const SOON_MS: u64 = 600_000;

impl Quota {
    /// Whether a tenth or less is left of anything that does not come back soon.
    pub fn runs_out(&self, now: Timestamp) -> bool {
        let money = match (self.remaining_usd, self.limit_usd) {
            (Some(MicroUsd(remaining)), Some(MicroUsd(limit))) => is_little(remaining, limit),
            (_, _) => false,
        };
        money || self.allowances.iter().any(|it| it.runs_out(now))
    }
}

impl Allowance {
    fn runs_out(&self, now: Timestamp) -> bool {
        let stays = |at: Timestamp| at.ms_since(now) > SOON_MS;
        self.resets_at.is_some_and(stays) && is_little(self.remaining, self.limit)
    }
}

fn is_little(remaining: u64, limit: u64) -> bool {
    u128::from(remaining) * LITTLE <= u128::from(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(remaining: Option<u64>, limit: Option<u64>) -> Quota {
        Quota {
            limit_usd: limit.map(MicroUsd),
            remaining_usd: remaining.map(MicroUsd),
            ..Quota::default()
        }
    }

    #[test]
    fn a_tenth_is_little_and_no_limit_is_never_little() {
        let runs_out = |quota: Quota| quota.runs_out(Timestamp(0));
        assert!(runs_out(money(Some(1_000_000), Some(10_000_000))));
        assert!(!runs_out(money(Some(1_000_001), Some(10_000_000))));
        assert!(runs_out(money(Some(0), Some(0))));
        assert!(!runs_out(money(Some(0), None)));
        assert!(runs_out(money(Some(0), Some(u64::MAX))));
    }

    #[test]
    fn what_is_back_soon_never_runs_out() {
        let now = Timestamp(1_000_000);
        let left = |remaining, resets_in_ms: Option<u64>| {
            let allowance = Allowance {
                of: AllowanceOf::Requests,
                limit: 50,
                remaining,
                resets_at: resets_in_ms.map(|ms| now.plus_ms(ms)),
            };
            let quota = Quota {
                allowances: vec![allowance],
                ..Quota::default()
            };
            quota.runs_out(now)
        };
        assert!(left(5, Some(3_600_000)));
        assert!(!left(6, Some(3_600_000)));
        assert!(!left(0, Some(60_000)), "a minute is soon");
        assert!(!left(0, None));
    }
}
