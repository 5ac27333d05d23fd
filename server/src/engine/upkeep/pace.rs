//! How much is done at once: as much as takes a few milliseconds on this machine, however fast its disk.

use std::time::Duration;

/// A step that takes longer is made smaller.
const LONG: Duration = Duration::from_millis(10);

/// A step that takes less is made larger.
const SHORT: Duration = Duration::from_millis(4);

/// Rows of one transaction.
const ROWS: (u32, u32) = (16, 500);

/// The pause behind a step: twice as long as the step took, within these bounds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// The size of the next step.
#[derive(Debug)]
pub(super) struct Pace {
    rows: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rows: 128 }
    }
}

impl Pace {
    /// Rows of the next step.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Learns how long a step took; how long to pause behind it.
    pub(super) fn took(&mut self, step: Duration) -> Duration {
        if step > LONG {
            self.rows = (self.rows / 2).max(ROWS.0);
        } else if step < SHORT {
            self.rows = self.rows.saturating_mul(2).min(ROWS.1);
        }
        (step * 2).clamp(PAUSE.0, PAUSE.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_gets_small_steps_and_a_fast_one_large_ones() {
        let mut pace = Pace::default();
        for _ in 0..10 {
            assert_eq!(
                pace.took(Duration::from_millis(40)),
                Duration::from_millis(80)
            );
        }
        assert_eq!(pace.rows(), 16);
        for _ in 0..10 {
            assert_eq!(
                pace.took(Duration::from_micros(100)),
                Duration::from_millis(2)
            );
        }
        assert_eq!(pace.rows(), 500);
        assert_eq!(
            pace.took(Duration::from_secs(9)),
            Duration::from_millis(250)
        );
    }
}
