//! One listener's queue: bounded in messages and bytes. Events are never left out: when there is no
//! room for one, the subscription ends and says so. Deltas give way first: they are joined with their
//! neighbours when the queue is half full, and the oldest are dropped when it is full.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    frame::{Delta, Frame},
    topic,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Class, Payload};

/// Most messages that wait for one listener: more than what one wide graph makes at once. They are shared between
/// listeners; what they weigh is bounded by `MAX_BYTES`.
pub const MAX_MESSAGES: usize = 1_024;

/// Most bytes that wait for one listener; a single frame may be larger.
pub const MAX_BYTES: usize = 1 << 20;

/// From here on deltas are joined.
const PRESSURE: usize = MAX_MESSAGES / 2;

/// Longest text that joined deltas grow to, so that one frame stays quick to send.
const MAX_JOINED: usize = 32 * 1024;

/// What a delta's frame takes besides its text.
const DELTA_FRAME: usize = 256;

/// What came.
#[derive(Debug)]
pub enum Received {
    /// A frame.
    Message(Payload),
    /// The listener did not keep up and events were left out: it reads the log.
    TooSlow,
    /// There is no bus any more.
    Closed,
}

impl PartialEq for Received {
    /// Messages are the same when their frames are.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Received::Message(one), Received::Message(other)) => one.json() == other.json(),
            (Received::TooSlow, Received::TooSlow) | (Received::Closed, Received::Closed) => true,
            (Received::Message(_) | Received::TooSlow | Received::Closed, _) => false,
        }
    }
}

/// What a change of patterns found.
#[derive(Debug)]
pub enum Switched {
    /// The new patterns hold from here on.
    Listening {
        /// What waited under the old ones.
        queued: Vec<Payload>,
        /// `seq` of the newest event that passed on any topic: all later ones meet the new patterns.
        newest: u64,
    },
    /// The subscription had ended.
    Ended,
}

/// A place at the bus. Dropping it gives up the place.
#[derive(Debug)]
pub struct Subscription {
    queue: Arc<Queue>,
}

impl Subscription {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// The next frame, or the end. A call that is given up loses nothing.
    pub async fn recv(&mut self) -> Received {
        loop {
            if let Some(received) = self.try_recv() {
                return received;
            }
            self.queue.more.notified().await;
        }
    }

    /// The next frame, or the end, if it is there already.
    pub fn try_recv(&mut self) -> Option<Received> {
        let mut state = self.queue.state();
        match state.take() {
            Some(payload) => Some(Received::Message(payload)),
            None => match state.end {
                None => None,
                Some(End::TooSlow) => Some(Received::TooSlow),
                Some(End::Closed) => Some(Received::Closed),
            },
        }
    }

    /// Listens to other topics, from between two events on.
    pub fn switch(&mut self, patterns: Vec<String>) -> Switched {
        let mut state = self.queue.state();
        if state.end.is_some() {
            return Switched::Ended;
        }
        let mut queued = Vec::with_capacity(state.waiting.len());
        while let Some(payload) = state.take() {
            queued.push(payload);
        }
        state.patterns = patterns;
        Switched::Listening {
            queued,
            newest: state.newest,
        }
    }

    /// Returns once the listener has been found too slow or the bus is gone, even while frames wait.
    pub async fn ended(&self) {
        self.queue.ended.cancelled().await;
    }
}

/// What waits for one listener.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    more: Notify,
    ended: CancellationToken,
}

#[derive(Debug)]
struct State {
    patterns: Vec<String>,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    newest: u64,
    end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    TooSlow,
    Closed,
}

#[derive(Debug)]
enum Waiting {
    Frame(Payload),
    /// A delta that was read, to be joined with those that follow it.
    Open(Box<Delta>),
}

impl Waiting {
    fn len(&self) -> usize {
        match self {
            Waiting::Frame(payload) => payload.len(),
            Waiting::Open(delta) => delta.text.len() + DELTA_FRAME,
        }
    }

    fn class(&self) -> Class {
        match self {
            Waiting::Frame(payload) => payload.class(),
            Waiting::Open(_) => Class::Delta,
        }
    }

    fn into_payload(self) -> Option<Payload> {
        match self {
            Waiting::Frame(payload) => Some(payload),
            Waiting::Open(delta) => serde_json::to_string(&Frame::Delta(*delta))
                .ok()
                .map(Payload::delta),
        }
    }
}

impl Queue {
    pub(super) fn new(patterns: Vec<String>) -> Self {
        Self {
            state: Mutex::new(State {
                patterns,
                waiting: VecDeque::new(),
                bytes: 0,
                newest: 0,
                end: None,
            }),
            more: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Takes the payload in if the topic fits.
    pub(super) fn offer(&self, topic: &str, payload: &Payload) {
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        if let Class::Event { seq } = payload.class() {
            state.newest = state.newest.max(seq);
        }
        if !state
            .patterns
            .iter()
            .any(|pattern| topic::fits(pattern, topic))
        {
            return;
        }
        match payload.class() {
            Class::Event { .. } => {
                while !state.has_room(payload.len()) && state.drop_oldest_delta() {}
                if state.has_room(payload.len()) {
                    state.put(Waiting::Frame(payload.clone()));
                } else {
                    // What waits would be followed by a gap, and the log has it all.
                    state.waiting = VecDeque::new();
                    state.bytes = 0;
                    state.end = Some(End::TooSlow);
                    self.ended.cancel();
                }
            }
            Class::Delta => state.put_delta(payload),
            Class::Metrics => {
                let older = state
                    .waiting
                    .iter()
                    .position(|waiting| waiting.class() == Class::Metrics);
                if let Some(removed) = older.and_then(|older| state.waiting.remove(older)) {
                    state.bytes -= removed.len();
                }
                if state.has_room(payload.len()) {
                    state.put(Waiting::Frame(payload.clone()));
                }
            }
        }
        drop(state);
        self.more.notify_one();
    }

    pub(super) fn close(&self) {
        self.state().end.get_or_insert(End::Closed);
        self.ended.cancel();
        self.more.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, bytes: usize) -> bool {
        self.waiting.is_empty()
            || (self.waiting.len() < MAX_MESSAGES && self.bytes + bytes <= MAX_BYTES)
    }

    fn put(&mut self, waiting: Waiting) {
        self.bytes += waiting.len();
        self.waiting.push_back(waiting);
    }

    fn take(&mut self) -> Option<Payload> {
        while let Some(waiting) = self.waiting.pop_front() {
            self.bytes -= waiting.len();
            if let Some(payload) = waiting.into_payload() {
                return Some(payload);
            }
        }
        None
    }

    fn put_delta(&mut self, payload: &Payload) {
        let pressed = self.waiting.len() >= PRESSURE || self.bytes >= MAX_BYTES / 2;
        let read = if pressed {
            serde_json::from_str(payload.json()).ok()
        } else {
            None
        };
        let waiting = match read {
            Some(Frame::Delta(delta)) => match self.join(delta) {
                Some(delta) => Waiting::Open(Box::new(delta)),
                None => {
                    while self.bytes > MAX_BYTES && self.drop_oldest_delta() {}
                    return;
                }
            },
            Some(
                Frame::Hello { .. }
                | Frame::Event(_)
                | Frame::Metrics { .. }
                | Frame::Snapshot { .. },
            )
            | None => Waiting::Frame(payload.clone()),
        };
        while !self.has_room(waiting.len()) && self.drop_oldest_delta() {}
        if self.has_room(waiting.len()) {
            self.put(waiting);
        }
    }

    /// Appends the text to the one that it follows; gives it back where there is none.
    fn join(&mut self, delta: Delta) -> Option<Delta> {
        let same = |open: &Delta| {
            open.run_id == delta.run_id
                && open.task == delta.task
                && open.attempt == delta.attempt
                && open.turn == delta.turn
        };
        // Only the newest of the same answer will do: an earlier one has a gap behind it.
        let before = self
            .waiting
            .iter_mut()
            .rev()
            .find_map(|waiting| match waiting {
                Waiting::Open(open) if same(open) => Some(open),
                Waiting::Open(_) | Waiting::Frame(_) => None,
            });
        match before {
            Some(open)
                if open.offset + open.text.len() as u64 == delta.offset
                    && open.text.len() + delta.text.len() <= MAX_JOINED =>
            {
                open.text.push_str(&delta.text);
                self.bytes += delta.text.len();
                None
            }
            Some(_) | None => Some(delta),
        }
    }

    fn drop_oldest_delta(&mut self) -> bool {
        let oldest = self
            .waiting
            .iter()
            .position(|waiting| waiting.class() == Class::Delta);
        let removed = oldest.and_then(|oldest| self.waiting.remove(oldest));
        if let Some(removed) = &removed {
            self.bytes -= removed.len();
        }
        removed.is_some()
    }
}
