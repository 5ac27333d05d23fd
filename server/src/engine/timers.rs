//! Moments that somebody waits for, the soonest first. Derived from state: after a start of the
//! server, recovery sets them again.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use domain::{run::input::Timer, time::Timestamp};

/// All timers that are set.
#[derive(Debug, Default)]
pub struct Timers {
    queue: BinaryHeap<Reverse<(Timestamp, u64)>>,
    waiting: HashMap<u64, Timer>,
    next: u64,
}

impl Timers {
    /// Sets one more.
    pub fn set(&mut self, at: Timestamp, timer: Timer) {
        self.next += 1;
        self.queue.push(Reverse((at, self.next)));
        self.waiting.insert(self.next, timer);
    }

    /// When the soonest is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.queue.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes at most `most` that are due, soonest first.
    pub fn take_due(&mut self, now: Timestamp, most: usize) -> Vec<Timer> {
        let mut due = Vec::new();
        while due.len() < most
            && let Some(Reverse((at, key))) = self.queue.peek().copied()
            && at <= now
        {
            self.queue.pop();
            due.extend(self.waiting.remove(&key));
        }
        due
    }
}
