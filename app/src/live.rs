//! How pages stay current: one WebSocket per tab, its events as typed values, its state as signals.
//! On the server all this is silent. `live/session.rs` holds the rules, `live/wire.rs` the socket.
//!
//! The promise to pages: load a snapshot that says at which `head` it was read, register `on_event`,
//! call [`Live::catch_up`] with that head, pass over events up to it, and no event is missed.

#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
mod kept;
pub mod session;
#[cfg(feature = "hydrate")]
mod wire;

use domain::{
    event::Event,
    frame::{Delta, Metrics},
    id::WorkflowId,
    time::Timestamp,
};
use leptos::prelude::*;

use crate::{api::dto::Status, error::ApiError};

/// How the stream is, in truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// The page has just come; nothing is known yet.
    Connecting,
    /// What is on screen is what is stored.
    Current,
    /// Open, but this many events are still on their way.
    Behind {
        /// How many.
        events: u64,
    },
    /// Lost; another try is under way or comes soon.
    Reconnecting {
        /// When it was lost, by this browser's clock.
        since: Timestamp,
        /// Tries that failed since.
        attempt: u32,
    },
    /// Several tries in a row failed.
    Unreachable {
        /// When it was lost, by this browser's clock.
        since: Timestamp,
        /// Tries that failed since.
        attempt: u32,
    },
}

impl Connection {
    /// Its name in `data-status`.
    pub fn name(&self) -> &'static str {
        match self {
            Connection::Connecting => "connecting",
            Connection::Current => "current",
            Connection::Behind { .. } => "behind",
            Connection::Reconnecting { .. } => "reconnecting",
            Connection::Unreachable { .. } => "unreachable",
        }
    }

    /// Whether what is on screen may be older than what is stored.
    pub fn is_lost(&self) -> bool {
        match self {
            Connection::Connecting | Connection::Current | Connection::Behind { .. } => false,
            Connection::Reconnecting { .. } | Connection::Unreachable { .. } => true,
        }
    }
}

/// The live stream of this tab; a context of every page.
#[derive(Clone, Copy)]
pub struct Live {
    /// How the stream is.
    pub connection: ReadSignal<Connection>,
    /// Newest figures that came by the stream; `None` before the first.
    pub metrics: ReadSignal<Option<Metrics>>,
    /// The server's clock: stands still while a page is rendered and taken over, then ticks each second.
    pub now: Signal<Timestamp>,
    #[cfg(feature = "hydrate")]
    wire: wire::Wire,
}

/// The live stream of this tab.
pub fn use_live() -> Live {
    expect_context::<Live>()
}

/// Makes the live stream a context; it begins where `status` says.
pub fn provide_live(status: Resource<Result<Status, ApiError>>) -> Live {
    let (connection, set_connection) = signal(Connection::Connecting);
    let (metrics, set_metrics) = signal(None);
    // Rendered with the server's clock and taken over with the same value: times read alike on both sides.
    let (now, set_now) = signal(SharedValue::new(local_now).into_inner());
    #[cfg(feature = "hydrate")]
    let wire = wire::Wire::new(set_connection, set_metrics, set_now);
    #[cfg(not(feature = "hydrate"))]
    let _ = (set_connection, set_metrics, set_now);
    let live = Live {
        connection,
        metrics,
        now: now.into(),
        #[cfg(feature = "hydrate")]
        wire,
    };
    provide_context(live);
    Effect::new(move |_| {
        if let Some(Ok(status)) = status.get() {
            live.start(&status);
        }
    });
    live
}

/// This machine's clock. The only place in the pages that reads one.
#[cfg_attr(not(feature = "hydrate"), allow(clippy::disallowed_methods))]
pub fn local_now() -> Timestamp {
    #[cfg(feature = "hydrate")]
    let ms = js_sys::Date::now() as i64;
    #[cfg(not(feature = "hydrate"))]
    let ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        .unwrap_or(0);
    Timestamp(ms)
}

#[cfg(feature = "hydrate")]
impl Live {
    fn start(self, status: &Status) {
        self.wire.start(status.metrics.head, status.now);
    }

    /// `seq` of the last event that pages were given.
    pub fn last_seq(self) -> u64 {
        self.wire.last_seq()
    }

    /// Calls `handle` with every event from now on, until the owner is cleaned up.
    pub fn on_event(self, handle: impl Fn(&Event) + 'static) {
        self.wire.on_event(handle);
    }

    /// Calls `handle` with every piece of streaming text of this workflow's runs, until the owner is
    /// cleaned up. Text may be lost; the whole comes with `turn.completed`.
    pub fn on_delta(self, workflow: WorkflowId, handle: impl Fn(&Delta) + 'static) {
        self.wire.on_delta(workflow, handle);
    }

    /// Calls `handle` when events were passed over and what is on screen must be loaded again.
    pub fn on_reload(self, handle: impl Fn() + 'static) {
        self.wire.on_reload(handle);
    }

    /// Hands over, in order, the events behind `head` that already came by. `false` when the stream
    /// began later than that, so that some are missing: load the snapshot again.
    pub fn catch_up(self, head: u64, handle: impl FnMut(&Event)) -> bool {
        self.wire.catch_up(head, handle)
    }

    /// Reconnects at once instead of waiting for the next try.
    pub fn nudge(self) {
        self.wire.nudge();
    }
}

/// On the server a page is rendered once: nothing ever comes.
#[cfg(not(feature = "hydrate"))]
impl Live {
    fn start(self, _status: &Status) {}

    /// `seq` of the last event that pages were given.
    pub fn last_seq(self) -> u64 {
        0
    }

    /// Calls `handle` with every event from now on, until the owner is cleaned up.
    pub fn on_event(self, _handle: impl Fn(&Event) + 'static) {}

    /// Calls `handle` with every piece of streaming text of this workflow's runs.
    pub fn on_delta(self, _workflow: WorkflowId, _handle: impl Fn(&Delta) + 'static) {}

    /// Calls `handle` when events were passed over and what is on screen must be loaded again.
    pub fn on_reload(self, _handle: impl Fn() + 'static) {}

    /// Hands over, in order, the events behind `head` that already came by.
    pub fn catch_up(self, _head: u64, _handle: impl FnMut(&Event)) -> bool {
        true
    }

    /// Reconnects at once instead of waiting for the next try.
    pub fn nudge(self) {}
}
