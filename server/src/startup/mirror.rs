//! Which bus there is: the one in memory alone, or also its mirror in Redis.

use std::sync::Arc;

use async_trait::async_trait;
use domain::frame::Frame;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bus::{
        Bus, MemoryBus, RedisBus,
        redis::{EventLog, LogError, Logged, Parts, Report, Server},
    },
    engine::health::Health,
    store::{Store, StoreError},
};

/// The part of the product that does not work when Redis does not.
const PART: &str = "redis";

/// The bus, with its mirror at work where there is a Redis. Before anything is published.
pub(super) async fn bus(
    redis: Option<Server>,
    store: &Arc<dyn Store>,
    health: &Health,
    tracker: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<Arc<dyn Bus>, StoreError> {
    let Some(redis) = redis else {
        return Ok(Arc::new(MemoryBus::default()));
    };
    let parts = Parts {
        head: store.head().await?,
        log: Arc::new(StoredEvents(Arc::clone(store))),
        report: Arc::new(Told(health.clone())),
        shutdown: shutdown.child_token(),
    };
    let (bus, mirror) = RedisBus::new(redis, parts);
    let health = health.clone();
    tracker.spawn(async move {
        if let Err(crash) = tokio::spawn(mirror.run()).await {
            tracing::error!(%crash, "events are not copied to Redis any more");
            health.degrade(
                PART,
                "What copies events to Redis crashed. Runs and pages go on; other programs get their events after a restart of Troupe."
                    .to_owned(),
            );
        }
    });
    Ok(Arc::new(bus))
}

struct StoredEvents(Arc<dyn Store>);

#[async_trait]
impl EventLog for StoredEvents {
    async fn frames_after(&self, after: u64, limit: u32) -> Result<Vec<Logged>, LogError> {
        let (frames, _) = self
            .0
            .frames_after(after, limit, &[])
            .await
            .map_err(|error| LogError(error.to_string()))?;
        frames
            .into_iter()
            .map(|frame| {
                let (seq, topic) = (frame.seq, frame.topic.clone());
                let json = serde_json::to_string(&Frame::Event(frame))
                    .map_err(|error| LogError(error.to_string()))?;
                Ok(Logged { seq, topic, json })
            })
            .collect()
    }
}

struct Told(Health);

impl Report for Told {
    fn degrade(&self, reason: String) {
        self.0.degrade(PART, reason);
    }

    fn recover(&self) {
        self.0.recover(PART);
    }
}
