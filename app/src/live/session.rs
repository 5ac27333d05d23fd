//! The rules of the live connection: when to open it, what to ask for, when it is dead, how long to
//! wait, what reaches the pages and what is a repetition. Pure: clock and luck are passed in, and what
//! is to be done comes back as actions.

use std::collections::BTreeMap;

use domain::{
    event::Event,
    frame::{ClientFrame, Delta, Frame, Metrics},
    time::Timestamp,
};

use super::Connection;

/// What every tab listens to: all stored events. Streaming text comes on top, run by run.
const BASE_TOPICS: [&str; 3] = ["workflow.*.events", "agent.*", "broadcast.*"];
/// Milliseconds between pings on a silent connection.
const PING_MS: u64 = 20_000;
/// A connection that says nothing for this long is dead: metrics alone come every 2 s.
const SILENT_MS: u64 = 45_000;
/// The first frame has to come within this time.
const OPENING_MS: u64 = 15_000;
/// The first wait before another try, and the longest.
const BACKOFF_MS: (u64, u64) = (250, 10_000);
/// Failed tries after which the page says that the server cannot be reached.
const TRIES_UNTIL_UNREACHABLE: u32 = 3;
/// How long the stream may lag before the page says so: shorter lags heal before anyone reads them.
const LAG_MS: u64 = 2_000;

/// What happens to the connection.
#[derive(Debug)]
pub enum Input {
    /// The page knows where it stands: the stream begins behind this number.
    Start { after: u64 },
    /// A frame came.
    Frame(Box<Frame>),
    /// A frame came that cannot be read.
    Garbage,
    /// The socket is gone.
    Closed,
    /// Time passed.
    Tick,
    /// The network is back, or somebody looks at the page again: no need to wait any longer.
    Nudge,
    /// A page wants this topic.
    Watch(String),
    /// A page wants it no more.
    Unwatch(String),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open a socket with this query.
    Open { after: u64, topics: Vec<String> },
    /// Drop the socket.
    Close,
    /// Send this.
    Send(ClientFrame),
    /// Hand this to the pages.
    Deliver(Box<Event>),
    /// Hand this to the pages.
    Delta(Delta),
    /// Show these figures.
    Metrics(Metrics),
    /// Pages load what they show again.
    Reload,
    /// Call with `Tick` after this many milliseconds.
    Wake { in_ms: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Asleep,
    Opening { since: Timestamp },
    Open { heard: Timestamp, pinged: Timestamp },
    Waiting { until: Timestamp },
}

/// The state of the connection.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    epoch: Option<String>,
    /// `seq` of the last event that the pages were given.
    cursor: u64,
    /// Newest `seq` that the server is known to have.
    head: u64,
    lagging_since: Option<Timestamp>,
    down_since: Option<Timestamp>,
    attempt: u32,
    topics: BTreeMap<String, u32>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            phase: Phase::Asleep,
            epoch: None,
            cursor: 0,
            head: 0,
            lagging_since: None,
            down_since: None,
            attempt: 0,
            topics: BTreeMap::new(),
        }
    }
}

impl Session {
    /// `seq` of the last event that the pages were given.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// What the page says about it.
    pub fn connection(&self, now: Timestamp) -> Connection {
        let since = self.down_since.unwrap_or(now);
        match self.phase {
            Phase::Open { .. } => match self.lagging_since {
                Some(lagging) if now.ms_since(lagging) >= LAG_MS => Connection::Behind {
                    events: self.head.saturating_sub(self.cursor),
                },
                Some(_) | None => Connection::Current,
            },
            Phase::Asleep => Connection::Connecting,
            Phase::Opening { .. } | Phase::Waiting { .. } => match self.attempt {
                0 if self.down_since.is_none() => Connection::Connecting,
                0..TRIES_UNTIL_UNREACHABLE => Connection::Reconnecting {
                    since,
                    attempt: self.attempt,
                },
                TRIES_UNTIL_UNREACHABLE.. => Connection::Unreachable {
                    since,
                    attempt: self.attempt,
                },
            },
        }
    }

    /// What follows from an input. `luck` is any number; it spreads the waits of many browsers.
    pub fn step(&mut self, input: Input, now: Timestamp, luck: u64) -> Vec<Action> {
        match input {
            Input::Start { after } => match self.phase {
                Phase::Asleep => {
                    self.cursor = after;
                    self.head = after;
                    self.open(now)
                }
                Phase::Opening { .. } | Phase::Open { .. } | Phase::Waiting { .. } => Vec::new(),
            },
            Input::Frame(frame) => self.frame(*frame, now),
            Input::Garbage => {
                self.heard(now);
                vec![Action::Reload]
            }
            Input::Closed => match self.phase {
                Phase::Opening { .. } | Phase::Open { .. } => self.wait(now, luck),
                Phase::Asleep | Phase::Waiting { .. } => Vec::new(),
            },
            Input::Tick => self.tick(now, luck),
            Input::Nudge => match self.phase {
                Phase::Waiting { .. } => self.open(now),
                Phase::Open { pinged, heard }
                    if now.ms_since(heard) > 5_000 && now.ms_since(pinged) > 1_000 =>
                {
                    self.phase = Phase::Open { heard, pinged: now };
                    vec![Action::Send(ClientFrame::Ping)]
                }
                Phase::Asleep | Phase::Opening { .. } | Phase::Open { .. } => Vec::new(),
            },
            Input::Watch(topic) => self.watch(topic),
            Input::Unwatch(topic) => self.unwatch(topic),
        }
    }

    fn open(&mut self, now: Timestamp) -> Vec<Action> {
        self.phase = Phase::Opening { since: now };
        let base = BASE_TOPICS.into_iter().map(str::to_owned);
        vec![Action::Open {
            after: self.cursor,
            topics: base.chain(self.topics.keys().cloned()).collect(),
        }]
    }

    fn wait(&mut self, now: Timestamp, luck: u64) -> Vec<Action> {
        self.down_since.get_or_insert(now);
        self.lagging_since = None;
        let longest = BACKOFF_MS
            .0
            .saturating_mul(1 << self.attempt.min(16))
            .min(BACKOFF_MS.1);
        self.attempt = self.attempt.saturating_add(1);
        // Full jitter: anywhere between at once and the longest wait of this try.
        let in_ms = BACKOFF_MS.0 / 2 + luck % longest.max(1);
        self.phase = Phase::Waiting {
            until: now.plus_ms(in_ms),
        };
        vec![Action::Wake { in_ms }]
    }

    fn tick(&mut self, now: Timestamp, luck: u64) -> Vec<Action> {
        match self.phase {
            Phase::Asleep => Vec::new(),
            Phase::Waiting { until } if now >= until => self.open(now),
            Phase::Waiting { .. } => Vec::new(),
            Phase::Opening { since } if now.ms_since(since) > OPENING_MS => self.give_up(now, luck),
            Phase::Opening { .. } => Vec::new(),
            Phase::Open { heard, .. } if now.ms_since(heard) > SILENT_MS => self.give_up(now, luck),
            Phase::Open { heard, pinged } if now.ms_since(heard.max(pinged)) > PING_MS => {
                self.phase = Phase::Open { heard, pinged: now };
                vec![Action::Send(ClientFrame::Ping)]
            }
            Phase::Open { .. } => Vec::new(),
        }
    }

    fn give_up(&mut self, now: Timestamp, luck: u64) -> Vec<Action> {
        let mut actions = vec![Action::Close];
        actions.extend(self.wait(now, luck));
        actions
    }

    fn heard(&mut self, now: Timestamp) {
        if let Phase::Open { heard, .. } = &mut self.phase {
            *heard = now;
        }
    }

    fn frame(&mut self, frame: Frame, now: Timestamp) -> Vec<Action> {
        match frame {
            Frame::Hello { epoch, head } => self.hello(epoch, head, now),
            Frame::Event(frame) => {
                self.heard(now);
                if frame.seq <= self.cursor {
                    return Vec::new();
                }
                self.reach(frame.seq, now);
                match Event::from_frame(frame) {
                    Ok(event) => vec![Action::Deliver(Box::new(event))],
                    // A newer server writes events that this page cannot read: what they changed, it
                    // can load.
                    Err(_) => vec![Action::Reload],
                }
            }
            Frame::Delta(delta) => {
                self.heard(now);
                vec![Action::Delta(delta)]
            }
            Frame::Metrics { name: _, data } => {
                self.heard(now);
                self.head = self.head.max(data.head);
                self.measure_lag(now);
                vec![Action::Metrics(data)]
            }
            Frame::Snapshot { head } => {
                self.heard(now);
                self.cursor = head;
                self.head = self.head.max(head);
                self.measure_lag(now);
                vec![Action::Reload]
            }
        }
    }

    fn hello(&mut self, epoch: String, head: u64, now: Timestamp) -> Vec<Action> {
        self.phase = Phase::Open {
            heard: now,
            pinged: now,
        };
        self.attempt = 0;
        self.down_since = None;
        let replaced =
            self.epoch.as_ref().is_some_and(|known| *known != epoch) || head < self.cursor;
        self.epoch = Some(epoch);
        self.head = head;
        if replaced {
            self.cursor = head;
            self.lagging_since = None;
            return vec![Action::Reload];
        }
        self.measure_lag(now);
        Vec::new()
    }

    fn reach(&mut self, seq: u64, now: Timestamp) {
        self.cursor = seq;
        self.head = self.head.max(seq);
        self.measure_lag(now);
    }

    fn measure_lag(&mut self, now: Timestamp) {
        if self.cursor >= self.head {
            self.lagging_since = None;
        } else {
            self.lagging_since.get_or_insert(now);
        }
    }

    fn watch(&mut self, topic: String) -> Vec<Action> {
        let watchers = self.topics.entry(topic.clone()).or_insert(0);
        *watchers += 1;
        let first = *watchers == 1;
        match self.phase {
            Phase::Open { .. } if first => {
                vec![Action::Send(ClientFrame::Subscribe {
                    topics: vec![topic],
                    after: None,
                })]
            }
            // An opening socket named its topics before this one.
            Phase::Opening { since: _ } if first => vec![Action::Send(ClientFrame::Subscribe {
                topics: vec![topic],
                after: None,
            })],
            Phase::Open { .. } | Phase::Opening { .. } | Phase::Asleep | Phase::Waiting { .. } => {
                Vec::new()
            }
        }
    }

    fn unwatch(&mut self, topic: String) -> Vec<Action> {
        let Some(watchers) = self.topics.get_mut(&topic) else {
            return Vec::new();
        };
        *watchers -= 1;
        if *watchers > 0 {
            return Vec::new();
        }
        self.topics.remove(&topic);
        match self.phase {
            Phase::Open { .. } => vec![Action::Send(ClientFrame::Unsubscribe {
                topics: vec![topic],
            })],
            Phase::Opening { .. } | Phase::Asleep | Phase::Waiting { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
