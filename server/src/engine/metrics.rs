//! Figures of the moment, put together every 2 s and sent to every page.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{
    budget::{Amount, Scope},
    frame::{AgentCounts, Frame, Metrics, Unhealthy},
    time::Timestamp,
    troupe::Troupe,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{health::Health, quotas::LowQuotas};
use crate::{
    bus::{Bus, Payload},
    clock::Clock,
    store::Store,
};

/// How often figures are sent.
const EVERY: Duration = Duration::from_secs(2);

/// The topic they go to; every socket hears it.
pub const TOPIC: &str = "broadcast.metrics";

/// What the kernel knows after each turn of its loop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gauges {
    /// `seq` of the newest event.
    pub head: u64,
    /// Runs that are not at their end.
    pub runs_live: u64,
    /// Tasks that an agent is at.
    pub tasks_running: u64,
    /// Tasks that wait for an agent.
    pub tasks_ready: u64,
    /// Agents by state.
    pub agents: AgentCounts,
    /// Models that are out of order.
    pub unhealthy: Vec<Unhealthy>,
    /// What is set aside for calls under way, of everything that has a budget.
    pub reserved: Vec<(Scope, Amount)>,
}

/// Bytes of text that models streamed since the start, for tokens per second.
#[derive(Debug, Clone, Default)]
pub struct Streamed(Arc<AtomicU64>);

impl Streamed {
    /// Counts a piece of text.
    pub fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts what lives.
pub fn gauges(troupe: &Troupe) -> Gauges {
    Gauges {
        head: troupe.head,
        runs_live: troupe.runs.len() as u64,
        tasks_running: troupe.at_work() as u64,
        tasks_ready: troupe.ready() as u64,
        agents: troupe.agent_counts(),
        unhealthy: troupe.unhealthy(),
        reserved: troupe
            .books()
            .budgets()
            .map(|(scope, _)| (scope.clone(), troupe.books().reserved(scope)))
            .filter(|(_, amount)| *amount != Amount::default())
            .collect(),
    }
}

/// What the reporter reads.
pub struct Sources {
    /// From the kernel.
    pub gauges: watch::Receiver<Gauges>,
    /// From the agents.
    pub streamed: Streamed,
    /// From the sockets.
    pub sockets: Arc<AtomicU64>,
    /// From everyone.
    pub health: Health,
    /// From the providers.
    pub low_quotas: watch::Receiver<LowQuotas>,
    /// For money.
    pub store: Arc<dyn Store>,
    /// For midnight.
    pub clock: Arc<dyn Clock>,
}

impl Sources {
    /// The figures now; `streamed_before` is what had been streamed `over` ago.
    async fn read(&self, streamed_before: u64, over: Duration) -> Metrics {
        let gauges = self.gauges.borrow().clone();
        let bytes = self.streamed.total().saturating_sub(streamed_before);
        let midnight = self.clock.now().0.div_euclid(DAY_MS) * DAY_MS;
        let spent = self
            .store
            .spent_since(Timestamp(midnight))
            .await
            .unwrap_or_default();
        Metrics {
            head: gauges.head,
            runs_live: gauges.runs_live,
            tasks_running: gauges.tasks_running,
            tasks_ready: gauges.tasks_ready,
            agents: gauges.agents,
            // Pieces of a stream carry no counts; four bytes a token is the usual rule of thumb.
            tokens_per_second: bytes / 4 / over.as_secs().max(1),
            cost_today_usd: spent.cost,
            sockets: self.sockets.load(Ordering::Relaxed),
            memory_bytes: resident_bytes(),
            degraded: self.health.degraded(),
            unhealthy: gauges.unhealthy,
            low_quotas: self.low_quotas.borrow().values().cloned().collect(),
        }
    }
}

const DAY_MS: i64 = 24 * 3_600_000;

/// Sends figures until shutdown, at once when a part fails or recovers.
pub async fn report(
    sources: Sources,
    bus: Arc<dyn Bus>,
    latest: watch::Sender<Metrics>,
    shutdown: CancellationToken,
) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut health = sources.health.watch();
    let mut streamed = 0;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
            // The sender lives as long as the process: this never fails.
            _ = health.changed() => {}
        }
        let metrics = sources.read(streamed, EVERY).await;
        streamed = sources.streamed.total();
        let frame = Frame::Metrics {
            name: "metrics.updated".to_owned(),
            data: metrics.clone(),
        };
        latest.send_replace(metrics);
        match serde_json::to_string(&frame) {
            Ok(json) => bus.publish(TOPIC, Payload::metrics(json)),
            Err(error) => tracing::error!(%error, "figures cannot be written as JSON"),
        }
    }
}

/// Resident memory of this process, where the system tells.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(4_096)
}
