//! The live stream for plain HTTP: server-sent events, the twin of the WebSocket. The same frames in the
//! same order, each as one `data:`; those that were stored carry their `seq` as `id:`, so a client that
//! comes back says it as `Last-Event-ID` and misses nothing.
//!
//! Refused here: what the WebSocket refuses. A reader that stalls is hung up on; it comes back by itself.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequestParts, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use super::super::{
    ask::{parameters, text_header},
    list::Seq,
};
use crate::{
    bus::Subscription,
    web::{
        WebState,
        problem::{Problem, ProblemDetails},
        socket::{
            Place,
            asked::StreamAsked,
            outbox::{End, Out, Written},
            session,
        },
    },
};

/// Batches that wait for the connection: the one behind that which is being written.
const WAITING: usize = 1;

/// What a client is told first: when to come back after the stream was cut.
const GREETING: &[u8] = b"retry: 1000\n\n";

/// What keeps a silent connection open.
const KNOCK: &[u8] = b": still here\n\n";

/// The live stream as server-sent events: the frames of the WebSocket, one JSON object each. Stored
/// events carry their `seq` as id; with `Last-Event-ID` (or `after`) the stream goes on behind it, with
/// neither it begins now.
#[utoipa::path(get, path = "/api/v1/events/stream", tag = "events",
    params(
        ("after" = Option<u64>, Query, description = "The last `seq` that the client has"),
        ("topics" = Option<String>, Query, description = "Patterns of topics with commas between them; everything when missing"),
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`; wins over it"),
    ),
    responses(
        (status = 200, description = "Frames, until one side ends it", body = String, content_type = "text/event-stream"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn open(State(state): State<WebState>, Asked(asked): Asked) -> Result<Response, Problem> {
    let place = Place::of(&state)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let out = Lines {
        sender,
        patience: state.config.sockets.patience,
        silence: 2 * state.config.sockets.heartbeat,
    };
    let tasks = state.tasks.clone();
    tasks.spawn(async move {
        let _place = place;
        let end = session::tell(out, state, asked).await;
        tracing::debug!(?end, "a stream ended");
    });
    let lines = futures::stream::unfold(receiver, |mut receiver| async move {
        let bytes: Bytes = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), receiver))
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The parameters, and what the client read last.
pub struct Asked(StreamAsked);

impl FromRequestParts<WebState> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &WebState) -> Result<Self, Problem> {
        let asked: StreamAsked = parameters(parts)?;
        let last = text_header(&parts.headers, "last-event-id")?;
        let last = last.filter(|last| !last.is_empty());
        let last: Option<Seq> = last.map(|last| last.parse()).transpose().map_err(|_| {
            let message = "The header Last-Event-ID must hold the number of an event.";
            Problem::bad_request("bad_last_event_id", message)
        })?;
        Ok(Self(StreamAsked {
            after: last.or(asked.after),
            ..asked
        }))
    }
}

/// Frames as lines of text.
struct Lines {
    sender: mpsc::Sender<Bytes>,
    patience: Duration,
    silence: Duration,
}

impl Lines {
    async fn write(&self, bytes: Bytes, subscription: &Subscription) -> Result<(), End> {
        let write = self.sender.send(bytes);
        tokio::pin!(write);
        let written = match tokio::time::timeout(self.patience, &mut write).await {
            Ok(written) => written,
            Err(_) => tokio::select! {
                biased;
                written = &mut write => written,
                () = subscription.ended() => return Err(End::TooSlow),
                () = tokio::time::sleep(self.silence) => return Err(End::Silent),
            },
        };
        written.map_err(|_| End::Gone)
    }
}

impl Out for Lines {
    async fn greet(&mut self, subscription: &Subscription) -> Result<(), End> {
        self.write(Bytes::from_static(GREETING), subscription).await
    }

    async fn send(&mut self, batch: Vec<Written>, subscription: &Subscription) -> Result<(), End> {
        let mut lines = BytesMut::new();
        for frame in batch {
            if let Some(seq) = frame.seq {
                lines.extend_from_slice(format!("id: {seq}\n").as_bytes());
            }
            // JSON as it is written here holds no line break.
            lines.extend_from_slice(b"data: ");
            lines.extend_from_slice(frame.json.as_bytes());
            lines.extend_from_slice(b"\n\n");
        }
        self.write(lines.freeze(), subscription).await
    }

    async fn knock(&mut self, subscription: &Subscription) -> Result<(), End> {
        self.write(Bytes::from_static(KNOCK), subscription).await
    }
}
