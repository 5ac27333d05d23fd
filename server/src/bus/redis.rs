//! The bus with a mirror in Redis. Listeners of this process are served from memory, whatever Redis
//! does; other programs find each event once in the stream `events`, and hear it and the streaming
//! text on channels with the names of the topics.
//!
//! Refused here: taking anything from Redis that this process needs. One process owns one database,
//! so copies go outward only, and an outage delays other programs and nobody else.

mod fault;
mod link;
mod mirror;
mod outbox;
mod server;

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use self::outbox::Outbox;
pub use self::{
    mirror::Mirror,
    server::{BadUrl, Server},
};
use super::{Bus, MemoryBus, Payload, Subscription};

/// Where events are read that no longer wait in memory.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// At most `limit` events with `seq > after`, in order; none only at the end of the log.
    async fn frames_after(&self, after: u64, limit: u32) -> Result<Vec<Logged>, LogError>;
}

/// An event as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the log.
    pub seq: u64,
    /// Where it is published.
    pub topic: String,
    /// Its frame.
    pub json: String,
}

/// The log could not be read now; the text says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LogError(pub String);

/// Who is told whether the mirror works.
pub trait Report: Send + Sync + 'static {
    /// It does not; the sentences say what happened, what it means, what to do.
    fn degrade(&self, reason: String);
    /// It does.
    fn recover(&self);
}

/// What the mirror needs besides Redis.
pub struct Parts {
    /// `seq` of the newest event in the log, before anything is published.
    pub head: u64,
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Who is told.
    pub report: Arc<dyn Report>,
    /// Ends the mirror: it sends what waits, for at most a second, and whatever is left at the next start.
    pub shutdown: CancellationToken,
}

/// Hands payloads to the listeners of this process at once and leaves a copy for the mirror.
pub struct RedisBus {
    memory: MemoryBus,
    outbox: Arc<Outbox>,
}

impl RedisBus {
    /// The bus, and the work behind it, which is the caller's to spawn.
    pub fn new(server: Server, parts: Parts) -> (Self, Mirror) {
        let outbox = Arc::new(Outbox::new(parts.head));
        let bus = Self {
            memory: MemoryBus::default(),
            outbox: Arc::clone(&outbox),
        };
        (bus, Mirror::new(server, outbox, parts))
    }
}

impl Bus for RedisBus {
    fn publish(&self, topic: &str, payload: Payload) {
        self.memory.publish(topic, payload.clone());
        self.outbox.offer(topic, &payload);
    }

    fn subscribe(&self, patterns: Vec<String>) -> Subscription {
        self.memory.subscribe(patterns)
    }
}
