//! How often a failed attempt is tried again, and how long it waits before.

use serde::{Deserialize, Serialize};

/// Tries in all and the waits between them. There is no second, hidden layer of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryPolicy {
    /// All tries, the first included.
    pub attempts: u32,
    /// The wait before the second try, in milliseconds; doubles from there.
    pub min_wait_ms: u64,
    /// The longest wait, in milliseconds.
    pub max_wait_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            min_wait_ms: 2_000,
            max_wait_ms: 10_000,
        }
    }
}

impl RetryPolicy {
    /// Milliseconds to wait before attempt number `next` (2 or more). `asked_ms` is what the other
    /// side asked for (Retry-After): it wins over the policy's limit. `spread` in 0..1024 adds up to
    /// a quarter, so that a crowd does not come back in step.
    pub fn wait_ms(&self, next: u32, asked_ms: Option<u64>, spread: u64) -> u64 {
        if let Some(asked) = asked_ms {
            return asked;
        }
        let doublings = next.saturating_sub(2).min(32);
        let plain = self
            .min_wait_ms
            .saturating_mul(1 << doublings)
            .min(self.max_wait_ms);
        plain.saturating_add(plain / 4 * (spread % 1024) / 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let policy = RetryPolicy::default();
        let waits: Vec<u64> = (2..6).map(|next| policy.wait_ms(next, None, 0)).collect();
        assert_eq!(waits, [2_000, 4_000, 8_000, 10_000]);
    }

    #[test]
    fn a_wait_that_was_asked_for_wins() {
        assert_eq!(RetryPolicy::default().wait_ms(2, Some(60_000), 7), 60_000);
    }

    #[test]
    fn the_spread_adds_less_than_a_quarter() {
        assert_eq!(
            RetryPolicy::default().wait_ms(2, None, 1023),
            2_000 + 500 * 1023 / 1024
        );
    }
}
