//! The doorbell: tells whoever listens what was just stored or streamed. Publishing never waits and
//! never fails; a listener that cannot keep up is told so and reads the log instead.
//!
//! Refused here: keeping anything. What matters is in the log before it comes here, and losing the
//! bus costs latency, never data.

pub mod memory;
pub mod redis;
pub mod subscription;

use bytes::Bytes;

pub use self::{
    memory::MemoryBus,
    redis::RedisBus,
    subscription::{MAX_BYTES, MAX_MESSAGES, Received, Subscription, Switched},
};

/// Carries payloads from one publisher to every subscription whose patterns fit the topic.
pub trait Bus: Send + Sync + 'static {
    /// Hands the payload to everyone who listens on `topic`. Returns at once, whoever is slow.
    /// Events are published in order of `seq`, by one publisher.
    fn publish(&self, topic: &str, payload: Payload);
    /// Listens on every topic that fits one of the patterns (those of Redis); none fits nothing.
    fn subscribe(&self, patterns: Vec<String>) -> Subscription;
}

/// A frame as it goes over the wire: written as JSON once, shared by all who get it.
#[derive(Debug, Clone)]
pub struct Payload {
    class: Class,
    json: Bytes,
}

/// What a payload is worth when there is no room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A stored fact: never dropped without a word.
    Event {
        /// Its place in the log.
        seq: u64,
    },
    /// A piece of streaming text: put together with its neighbour, or dropped, when there is no room.
    Delta,
    /// Figures of the moment: only the newest counts.
    Metrics,
}

impl Payload {
    /// A stored fact.
    pub fn event(seq: u64, json: String) -> Self {
        Self {
            class: Class::Event { seq },
            json: json.into(),
        }
    }

    /// A piece of streaming text.
    pub fn delta(json: String) -> Self {
        Self {
            class: Class::Delta,
            json: json.into(),
        }
    }

    /// Figures of the moment.
    pub fn metrics(json: String) -> Self {
        Self {
            class: Class::Metrics,
            json: json.into(),
        }
    }

    /// What it is.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The frame.
    pub fn json(&self) -> &str {
        // Payloads are made from strings alone.
        std::str::from_utf8(&self.json).unwrap_or_default()
    }

    /// The frame's bytes, shared.
    pub fn bytes(&self) -> Bytes {
        self.json.clone()
    }

    fn len(&self) -> usize {
        self.json.len()
    }
}
