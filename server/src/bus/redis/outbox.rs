//! What waits for the mirror: bounded in messages and bytes, and never waited for. Streaming text and
//! figures give way first, the oldest before the newer. When there is no room for an event all
//! waiting events go: the log has them, and the mirror reads it from where it stopped.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::Logged;
use crate::bus::{Class, Payload};

/// Most events that wait.
pub(super) const MAX_EVENTS: usize = 8_192;

/// Most bytes of events that wait; a single one may be larger.
const MAX_EVENT_BYTES: usize = 8 << 20;

/// Most pieces of streaming text that wait.
const MAX_DELTAS: usize = 2_048;

/// Most bytes of streaming text that wait.
const MAX_DELTA_BYTES: usize = 1 << 20;

/// Most payloads in one batch. Redis does nothing else while it takes one: some milliseconds.
pub(super) const MAX_BATCH: usize = 512;

/// Most bytes in one batch; a single payload may be larger.
pub(super) const MAX_BATCH_BYTES: usize = 1 << 20;

/// Copies that wait for the mirror.
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    more: Notify,
}

/// A payload on its way.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Place in the log, 0 for what is not stored.
    pub seq: u64,
    /// Where it goes.
    pub topic: String,
    /// Its frame.
    pub json: Bytes,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send these. Events stay here until they are known to have arrived.
    Send(Vec<Item>),
    /// Read the log: events up to this one do not wait here.
    Behind {
        /// The last of them.
        to: u64,
    },
    /// Wait.
    Nothing,
}

#[derive(Debug)]
struct State {
    events: Lane,
    deltas: Lane,
    /// Of figures only the newest counts.
    figures: Option<(u64, Item)>,
    /// Counts what came, so that lanes can be sent in order.
    came: u64,
    head: u64,
    open: bool,
}

#[derive(Debug, Default)]
struct Lane {
    items: VecDeque<(u64, Item)>,
    bytes: usize,
}

impl From<Logged> for Item {
    fn from(logged: Logged) -> Self {
        Self {
            seq: logged.seq,
            topic: logged.topic,
            json: logged.json.into(),
        }
    }
}

impl Outbox {
    /// Nothing waits; the log ends with `head`.
    pub(super) fn new(head: u64) -> Self {
        Self {
            state: Mutex::new(State {
                events: Lane::default(),
                deltas: Lane::default(),
                figures: None,
                came: 0,
                head,
                open: false,
            }),
            more: Notify::new(),
        }
    }

    /// Takes a copy.
    pub(super) fn offer(&self, topic: &str, payload: &Payload) {
        let mut state = self.state();
        state.came += 1;
        let came = state.came;
        let item = |seq| Item {
            seq,
            topic: topic.to_owned(),
            json: payload.bytes(),
        };
        match payload.class() {
            Class::Event { seq } => {
                state.head = state.head.max(seq);
                if !state
                    .events
                    .has_room(payload.len(), MAX_EVENTS, MAX_EVENT_BYTES)
                {
                    state.events = Lane::default();
                }
                state.events.push(came, item(seq));
            }
            Class::Delta if state.open => {
                while !state
                    .deltas
                    .has_room(payload.len(), MAX_DELTAS, MAX_DELTA_BYTES)
                {
                    state.deltas.pop();
                }
                state.deltas.push(came, item(0));
            }
            Class::Metrics if state.open => state.figures = Some((came, item(0))),
            Class::Delta | Class::Metrics => return,
        }
        drop(state);
        self.more.notify_one();
    }

    /// What to do when everything up to `cursor` has arrived.
    pub(super) fn next(&self, cursor: u64) -> Next {
        let mut state = self.state();
        while state.events.front().is_some_and(|item| item.seq <= cursor) {
            state.events.pop();
        }
        let to = match state.events.front() {
            Some(first) => first.seq - 1,
            None => state.head,
        };
        if to > cursor {
            // Text from now would come before events of long ago.
            state.deltas = Lane::default();
            return Next::Behind { to };
        }
        let batch = state.batch();
        if batch.is_empty() {
            Next::Nothing
        } else {
            Next::Send(batch)
        }
    }

    /// `seq` of the newest event there is.
    pub(super) fn head(&self) -> u64 {
        self.state().head
    }

    /// Whether what is not stored is taken at all: while Redis is away, it is not.
    pub(super) fn set_open(&self, open: bool) {
        let mut state = self.state();
        state.open = open;
        if !open {
            state.deltas = Lane::default();
            state.figures = None;
        }
    }

    /// Returns once something came.
    pub(super) async fn more(&self) {
        self.more.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What waits, in the order in which it came. What is not stored is taken out: it is sent once.
    fn batch(&mut self) -> Vec<Item> {
        let mut batch = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        while batch.len() < MAX_BATCH {
            let event = self.events.items.get(events);
            let delta = self.deltas.items.front();
            let came = |waiting: Option<&(u64, Item)>| waiting.map_or(u64::MAX, |(came, _)| *came);
            let figures = came(self.figures.as_ref());
            let first = came(event).min(came(delta)).min(figures);
            let waiting = if first == u64::MAX {
                None
            } else if first == came(event) {
                event
            } else if first == came(delta) {
                delta
            } else {
                self.figures.as_ref()
            };
            let Some((_, item)) = waiting else { break };
            bytes += item.json.len();
            if bytes > MAX_BATCH_BYTES && !batch.is_empty() {
                break;
            }
            batch.push(item.clone());
            if first == figures {
                self.figures = None;
            } else if item.seq == 0 {
                self.deltas.pop();
            } else {
                events += 1;
            }
        }
        batch
    }
}

impl Lane {
    fn has_room(&self, bytes: usize, max_items: usize, max_bytes: usize) -> bool {
        self.items.is_empty() || (self.items.len() < max_items && self.bytes + bytes <= max_bytes)
    }

    fn push(&mut self, came: u64, item: Item) {
        self.bytes += item.json.len();
        self.items.push_back((came, item));
    }

    fn front(&self) -> Option<&Item> {
        self.items.front().map(|(_, item)| item)
    }

    fn pop(&mut self) {
        if let Some((_, item)) = self.items.pop_front() {
            self.bytes -= item.json.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(head: u64) -> Outbox {
        let outbox = Outbox::new(head);
        outbox.set_open(true);
        outbox
    }

    fn event(outbox: &Outbox, seq: u64) {
        outbox.offer("e", &Payload::event(seq, "{}".into()));
    }

    fn delta(outbox: &Outbox, text: &str) {
        outbox.offer("d", &Payload::delta(text.into()));
    }

    /// What is next, in short: events as numbers, the rest as its text.
    fn next(outbox: &Outbox, cursor: u64) -> String {
        match outbox.next(cursor) {
            Next::Send(items) => items
                .iter()
                .map(|item| match item.seq {
                    0 => String::from_utf8_lossy(&item.json).into_owned(),
                    seq => seq.to_string(),
                })
                .collect::<Vec<_>>()
                .join(" "),
            Next::Behind { to } => format!("log to {to}"),
            Next::Nothing => "-".to_owned(),
        }
    }

    #[test]
    fn everything_leaves_in_the_order_in_which_it_came() {
        let outbox = open(0);
        delta(&outbox, "a");
        event(&outbox, 1);
        delta(&outbox, "b");
        outbox.offer("m", &Payload::metrics("old".into()));
        event(&outbox, 2);
        outbox.offer("m", &Payload::metrics("new".into()));
        delta(&outbox, "c");
        assert_eq!(next(&outbox, 0), "a 1 b 2 new c");
        assert_eq!(next(&outbox, 0), "1 2", "events stay until they arrived");
        assert_eq!(next(&outbox, 1), "2");
        assert_eq!(next(&outbox, 2), "-");
    }

    #[test]
    fn what_is_not_here_is_in_the_log() {
        let outbox = open(10);
        assert_eq!(next(&outbox, 10), "-");
        assert_eq!(next(&outbox, 7), "log to 10");
        event(&outbox, 11);
        assert_eq!(next(&outbox, 7), "log to 10");
        assert_eq!(next(&outbox, 10), "11");
    }

    #[test]
    fn an_overflow_is_left_to_the_log() {
        let outbox = open(0);
        let last = MAX_EVENTS as u64 + 3;
        for seq in 1..=last {
            event(&outbox, seq);
        }
        assert_eq!(next(&outbox, 0), format!("log to {MAX_EVENTS}"));
        assert_eq!(outbox.head(), last);
        let waiting = outbox.state().events.items.len();
        assert_eq!(waiting, 3);
        outbox.offer(
            "e",
            &Payload::event(last + 1, "x".repeat(MAX_EVENT_BYTES + 1)),
        );
        assert_eq!(outbox.state().events.items.len(), 1, "one always fits");
    }

    #[test]
    fn the_oldest_text_is_lost_first_and_never_an_event() {
        let outbox = open(0);
        event(&outbox, 1);
        for at in 0..=MAX_DELTAS {
            delta(&outbox, &at.to_string());
        }
        let sent = next(&outbox, 0);
        assert!(sent.starts_with("1 1 2 3"), "{sent}");
    }

    #[test]
    fn while_redis_is_away_text_is_not_kept() {
        let outbox = open(0);
        delta(&outbox, "a");
        outbox.set_open(false);
        delta(&outbox, "b");
        outbox.offer("m", &Payload::metrics("m".into()));
        event(&outbox, 1);
        outbox.set_open(true);
        delta(&outbox, "c");
        assert_eq!(next(&outbox, 0), "1 c");
    }

    #[test]
    fn batches_are_bounded() {
        let outbox = open(0);
        for seq in 1..=(MAX_BATCH as u64 + 1) {
            event(&outbox, seq);
        }
        let Next::Send(batch) = outbox.next(0) else {
            panic!("nothing to send")
        };
        assert_eq!(batch.len(), MAX_BATCH);
        let outbox = open(0);
        for seq in 1..=3 {
            outbox.offer(
                "e",
                &Payload::event(seq, "x".repeat(MAX_BATCH_BYTES / 2 + 1)),
            );
        }
        assert_eq!(next(&outbox, 0), "1");
    }
}
