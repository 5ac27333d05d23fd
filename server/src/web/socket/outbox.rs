//! The writing side of one conversation, and that of a socket. It knows the difference between a busy moment and a reader that
//! has stopped reading, and says goodbye with a reason.

use std::{future::Future, time::Duration};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};

use super::SocketRules;
use crate::bus::{Payload, Subscription};

/// Frames that are written together at most, in bytes.
pub const BATCH: usize = 64 << 10;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long a goodbye to a stalled reader may take: it reads what was written before first.
const LONG_GOODBYE: Duration = Duration::from_secs(30);

/// Longest reason in a close frame, in bytes.
const MAX_REASON: usize = 120;

/// Why a conversation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The client left, or the connection broke.
    Gone,
    /// The client was not heard for too long.
    Silent,
    /// The client does not read what it is sent.
    TooSlow,
    /// The server goes down.
    Restart,
    /// The log could not be read.
    NoLog,
    /// The client sent something that is no frame, or not one for here.
    BadFrame(String),
    /// The client sent bytes where text belongs.
    NoText,
    /// The client sent too much at once.
    TooLarge,
}

impl End {
    fn close_frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            End::Gone | End::Silent => return None,
            End::TooSlow => (4008, "too slow: resume from your last seq"),
            End::Restart => (1012, "the server restarts: resume from your last seq"),
            End::NoLog => (1013, "the log cannot be read now: try again"),
            End::BadFrame(reason) => (1008, reason.as_str()),
            End::NoText => (1003, "only text frames are understood"),
            End::TooLarge => (1009, "a frame is larger than 64 KiB"),
        };
        Some(CloseFrame {
            code,
            reason: shorten(reason).into(),
        })
    }

    fn goodbye(&self) -> Duration {
        match self {
            End::TooSlow => LONG_GOODBYE,
            End::Gone
            | End::Silent
            | End::Restart
            | End::NoLog
            | End::BadFrame(_)
            | End::NoText
            | End::TooLarge => GOODBYE,
        }
    }
}

fn shorten(reason: &str) -> &str {
    let end = (0..=MAX_REASON.min(reason.len()))
        .rev()
        .find(|end| reason.is_char_boundary(*end));
    &reason[..end.unwrap_or(0)]
}

/// A frame on its way.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its text.
    pub json: Utf8Bytes,
    /// Where a client that has read this can go on from.
    pub seq: Option<u64>,
}

impl Written {
    /// The frame of a payload, sharing its bytes.
    pub fn of(payload: &Payload, seq: Option<u64>) -> Self {
        let json = match Utf8Bytes::try_from(payload.bytes()) {
            Ok(text) => text,
            Err(_) => payload.json().into(),
        };
        Self { json, seq }
    }
}

/// Where a conversation is written to. An end of the subscription while the reader stalls is its end.
pub trait Out: Send {
    /// Says what comes before the first frame, if anything does.
    fn greet(&mut self, on: &Subscription) -> impl Future<Output = Result<(), End>> + Send;
    /// Writes frames and waits until they are under way.
    fn send(
        &mut self,
        batch: Vec<Written>,
        on: &Subscription,
    ) -> impl Future<Output = Result<(), End>> + Send;
    /// Asks whether the other side is still there, or lets it know that this one is.
    fn knock(&mut self, on: &Subscription) -> impl Future<Output = Result<(), End>> + Send;
}

/// The writing side.
pub struct Outbox {
    sink: SplitSink<WebSocket, Message>,
    rules: SocketRules,
}

impl Outbox {
    /// Writes to this socket.
    pub fn new(sink: SplitSink<WebSocket, Message>, rules: SocketRules) -> Self {
        Self { sink, rules }
    }

    /// Writes the messages and waits until they are under way. While the reader stalls, the end of
    /// its subscription is its end.
    async fn write(
        &mut self,
        messages: Vec<Message>,
        subscription: &Subscription,
    ) -> Result<(), End> {
        let sink = &mut self.sink;
        let write = async move {
            for message in messages {
                sink.feed(message).await?;
            }
            sink.flush().await
        };
        tokio::pin!(write);
        let written = match tokio::time::timeout(self.rules.patience, &mut write).await {
            Ok(written) => written,
            Err(_) => tokio::select! {
                biased;
                written = &mut write => written,
                () = subscription.ended() => return Err(End::TooSlow),
                () = tokio::time::sleep(2 * self.rules.heartbeat) => return Err(End::Silent),
            },
        };
        written.map_err(|_| End::Gone)
    }

    /// Says goodbye and waits for the client to hang up.
    pub async fn close(mut self, mut stream: SplitStream<WebSocket>, end: &End) {
        let Some(frame) = end.close_frame() else {
            return;
        };
        let goodbye = async {
            if self.sink.send(Message::Close(Some(frame))).await.is_ok() {
                // Hanging up on a client that still sends would take the goodbye away from it.
                while let Some(Ok(_)) = stream.next().await {}
            }
        };
        // Whoever does not take leave in time is left.
        let _ = tokio::time::timeout(end.goodbye(), goodbye).await;
    }
}

impl Out for Outbox {
    async fn greet(&mut self, _: &Subscription) -> Result<(), End> {
        Ok(())
    }

    async fn send(&mut self, batch: Vec<Written>, on: &Subscription) -> Result<(), End> {
        let messages = batch.into_iter().map(|frame| Message::Text(frame.json));
        self.write(messages.collect(), on).await
    }

    async fn knock(&mut self, on: &Subscription) -> Result<(), End> {
        let ping = Message::Ping(bytes::Bytes::new());
        self.write(vec![ping], on).await
    }
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn reasons_fit_into_a_close_frame() {
        assert_eq!(shorten("short"), "short");
        assert_eq!(shorten(&"ä".repeat(100)).len(), 120);
        assert_eq!(shorten(&format!("x{}", "ä".repeat(100))).len(), 119);
    }
}
