//! The only place that asks the machine what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::time::Timestamp;

/// Where moments come from. Its twin for tests is [`FixedClock`].
pub trait Clock: Send + Sync + 'static {
    /// Now, by the wall.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that may read the clock"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// Tokio's clock counted from a fixed moment: with paused time it stands still until a test moves it.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock {
    begin: tokio::time::Instant,
    at: Timestamp,
}

impl FixedClock {
    /// It is `at` now; needs a Tokio runtime.
    pub fn starting_at(at: Timestamp) -> Self {
        Self {
            begin: tokio::time::Instant::now(),
            at,
        }
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.at
            .plus_ms(u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
