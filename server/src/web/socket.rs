//! The live stream, `/ws/events`: what was stored, in order and without a gap from wherever the
//! client was, and what is streamed on top. `log` is where what was missed is read from, `asked`
//! what a client may ask, `session` one conversation, `outbox` its writing side.
//!
//! Refused here: more sockets than `TROUPE_MAX_SOCKETS`, frames past 64 KiB, what is no frame, and
//! whoever does not read. One stalled reader costs its own queue and nobody else's time.

pub mod asked;
pub mod log;
pub mod outbox;
pub mod session;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{
        FromRequestParts, Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};

use self::{asked::StreamAsked, session::converse};
use super::{WebState, api_v1::ask::parameters, problem::Problem};

/// Largest frame from a client, in bytes.
const MAX_IN: usize = 64 << 10;

/// Largest frame that is read at all: up to here the client is told properly that it is too large.
const MAX_READ: usize = 256 << 10;

/// What a socket reads at once. Clients say little, and every open socket holds this much.
const READ_BUFFER: usize = 4 << 10;

/// What may wait in a socket's own buffer: frames are handed to it one small batch at a time, so
/// this bounds the size of one frame.
const WRITE_BUFFER: usize = 64 << 20;

/// Bounds of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketRules {
    /// Most open at once.
    pub most: u64,
    /// How often each is asked whether it is still there; the second silence ends it.
    pub heartbeat: Duration,
    /// A write that takes longer is the reader's fault: events that find no room then end the socket.
    pub patience: Duration,
}

impl Default for SocketRules {
    fn default() -> Self {
        Self {
            most: 2_000,
            heartbeat: Duration::from_secs(20),
            patience: Duration::from_secs(1),
        }
    }
}

/// Opens the stream.
pub async fn connect(State(state): State<WebState>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let asked: StreamAsked = parameters(&parts)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &state)
        .await
        .map_err(no_socket)?;
    let place = Place::of(&state)?;
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MAX_READ)
        .max_frame_size(MAX_READ)
        .max_write_buffer_size(WRITE_BUFFER);
    let tasks = state.tasks.clone();
    Ok(upgrade.on_upgrade(move |socket| {
        tasks.track_future(async move {
            let _place = place;
            converse(socket, state, asked).await;
        })
    }))
}

fn no_socket(rejection: WebSocketUpgradeRejection) -> Problem {
    let status = match rejection.into_response().status() {
        StatusCode::UPGRADE_REQUIRED => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(
        status,
        "no_websocket",
        "This path speaks WebSocket (RFC 6455, version 13) and nothing else.",
    )
}

/// One of the sockets that may be open.
pub struct Place(Arc<AtomicU64>);

impl Place {
    /// A place, while the server stays up and there is one.
    pub fn of(state: &WebState) -> Result<Self, Problem> {
        let refused =
            |code: &str, detail: &str| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        if state.shutdown.is_cancelled() {
            return Err(refused("closing", "The server is shutting down."));
        }
        Self::take(&state.sockets, state.config.sockets.most).ok_or_else(|| {
            refused(
                "too_many_sockets",
                "As many sockets are open as may be. Close some, or raise TROUPE_MAX_SOCKETS.",
            )
        })
    }

    fn take(open: &Arc<AtomicU64>, most: u64) -> Option<Self> {
        let next = |open: u64| (open < most).then_some(open + 1);
        open.fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
            .ok()?;
        Some(Self(open.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
