//! One conversation over the live stream.
//!
//! Nothing is missed and nothing comes twice: the socket listens to the bus first, then reads the
//! log up to the head, then forwards what is newer, dropping what it has sent. The same is done
//! again when the bus was faster than this task. Where events behind the client's last `seq` are too
//! many or were removed, a snapshot frame says so instead. A reader that has stopped reading is told so
//! (4008) and comes back with its last `seq`.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::extract::ws::{Message, WebSocket};
use domain::frame::{ClientFrame, Frame, Metrics};
use futures::{StreamExt, stream::SplitStream};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{
    MAX_IN,
    asked::{StreamAsked, Topics},
    log::LogReader,
    outbox::{BATCH, End, Out, Outbox, Written},
};
use crate::{
    bus::{Bus, Class, Payload, Received, Subscription, Switched},
    store::StoreError,
    web::WebState,
};

/// Client frames that wait for an answer; whoever asks faster waits.
const ASKS: usize = 8;

/// More events behind than this, and a client reloads instead.
const MAX_BEHIND: u64 = 1_000;

/// Further behind than this, nobody counts how many of the events are wanted.
const MAX_COUNTED: u64 = 50_000;

/// Frames that are read from the log at once.
const PAGE: u32 = 64;

/// Pings that may stay unanswered.
const MISSED: u32 = 2;

/// Talks until one side ends it.
pub async fn converse(socket: WebSocket, state: WebState, asked: StreamAsked) {
    let (sink, mut stream) = socket.split();
    let after = asked.after.map(|after| after.0);
    let heartbeat = heartbeat(&state);
    let shutdown = state.shutdown.clone();
    let (asks, to_answer) = mpsc::channel(ASKS);
    let unanswered = AtomicU32::new(0);
    let out = Outbox::new(sink, state.config.sockets);
    let mut session = Session::new(out, state, asked);
    let end = tokio::select! {
        end = session.talk(after, to_answer, heartbeat, Some(&unanswered)) => end,
        end = listen(&mut stream, asks, &unanswered) => end,
        () = shutdown.cancelled() => End::Restart,
    };
    tracing::debug!(?end, "a socket ended");
    let Session {
        outbox,
        subscription,
        ..
    } = session;
    drop(subscription);
    outbox.close(stream, &end).await;
}

/// Talks to one who only listens, until one side ends it.
pub async fn tell(out: impl Out, state: WebState, asked: StreamAsked) -> End {
    let after = asked.after.map(|after| after.0);
    let heartbeat = heartbeat(&state);
    let shutdown = state.shutdown.clone();
    let (_nobody_asks, to_answer) = mpsc::channel(1);
    let mut session = Session::new(out, state, asked);
    tokio::select! {
        end = session.talk(after, to_answer, heartbeat, None) => end,
        () = shutdown.cancelled() => End::Restart,
    }
}

fn heartbeat(state: &WebState) -> Interval {
    let every = state.config.sockets.heartbeat;
    let mut heartbeat = interval_at(Instant::now() + every, every);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat
}

/// Reads what the client sends until it leaves or sends what it must not.
async fn listen(
    stream: &mut SplitStream<WebSocket>,
    asks: mpsc::Sender<ClientFrame>,
    unanswered: &AtomicU32,
) -> End {
    loop {
        let heard = match stream.next().await {
            Some(Ok(heard)) => heard,
            Some(Err(error)) => return broken(&error),
            None => return End::Gone,
        };
        unanswered.store(0, Ordering::Relaxed);
        match heard {
            Message::Text(text) if text.len() > MAX_IN => return End::TooLarge,
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(frame) => {
                    if asks.send(frame).await.is_err() {
                        return End::Gone;
                    }
                }
                Err(error) => return End::BadFrame(format!("this is no frame: {error}")),
            },
            Message::Binary(_) => return End::NoText,
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return End::Gone,
        }
    }
}

/// What a failed read means. The error's type belongs to a crate that axum does not show, so its
/// text has to do; a test holds on to it.
fn broken(error: &axum::Error) -> End {
    let text = error.to_string();
    if text.starts_with("Space limit exceeded") {
        End::TooLarge
    } else if text.starts_with("UTF-8") {
        End::NoText
    } else {
        End::Gone
    }
}

struct Session<O> {
    log: Arc<dyn LogReader>,
    bus: Arc<dyn Bus>,
    metrics: Option<watch::Receiver<Metrics>>,
    outbox: O,
    topics: Topics,
    subscription: Subscription,
    /// Everything up to here was sent or is not wanted.
    last: u64,
}

impl<O: Out> Session<O> {
    fn new(outbox: O, state: WebState, asked: StreamAsked) -> Self {
        let topics = asked.topics.unwrap_or_else(Topics::all);
        Self {
            subscription: state.bus.subscribe(topics.patterns().to_vec()),
            bus: state.bus,
            log: state.log,
            metrics: Some(state.metrics),
            outbox,
            topics,
            last: 0,
        }
    }

    /// `unanswered` counts knocks; without it nobody is expected to answer.
    async fn talk(
        &mut self,
        after: Option<u64>,
        mut asks: mpsc::Receiver<ClientFrame>,
        mut heartbeat: Interval,
        unanswered: Option<&AtomicU32>,
    ) -> End {
        if let Err(end) = self.begin(after).await {
            return end;
        }
        loop {
            let done = tokio::select! {
                biased;
                _ = heartbeat.tick() => self.knock(unanswered).await,
                known = news(&mut self.metrics) => match known {
                    Some(figures) => self.send(vec![figures]).await,
                    None => {
                        self.metrics = None;
                        Ok(())
                    }
                },
                Some(frame) = asks.recv() => self.answer(frame).await,
                received = self.subscription.recv() => match received {
                    Received::Message(payload) => self.forward(payload).await,
                    Received::TooSlow => self.catch_up().await,
                    Received::Closed => Err(End::Restart),
                },
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Greets, and sends what the client missed.
    async fn begin(&mut self, after: Option<u64>) -> Result<(), End> {
        let head = self.log.head().await.map_err(no_log)?;
        let epoch = self.log.epoch().await.map_err(no_log)?;
        self.outbox.greet(&self.subscription).await?;
        // Who only begins now has everything up to the head; others have not read that far yet.
        let seq = after.is_none().then_some(head);
        let hello = write(&Frame::Hello { epoch, head });
        self.send(vec![Written { seq, ..hello }]).await?;
        if let Some(after) = after {
            let topics = self.topics.clone();
            self.replay(after, head, &topics).await?;
        }
        self.last = head;
        Ok(())
    }

    /// Sends what the bus had no room for.
    async fn catch_up(&mut self) -> Result<(), End> {
        self.subscription = self.bus.subscribe(self.topics.patterns().to_vec());
        let head = self.log.head().await.map_err(no_log)?;
        let topics = self.topics.clone();
        self.replay(self.last, head, &topics).await?;
        self.last = self.last.max(head);
        Ok(())
    }

    /// Sends stored events in `(after, upto]`, or says that there are too many.
    async fn replay(&mut self, after: u64, upto: u64, topics: &Topics) -> Result<(), End> {
        if after == upto || topics.patterns().is_empty() {
            return Ok(());
        }
        // Ahead of the log: its numbers are those of another database.
        if after > upto
            || self.is_removed(after).await?
            || self.is_too_far(after, upto, topics).await?
        {
            return self.reload(upto).await;
        }
        let mut at = after;
        while at < upto {
            let (frames, looked_at) = self
                .log
                .frames_after(at, PAGE, topics.patterns())
                .await
                .map_err(no_log)?;
            // Asked behind the look: what was removed before it is known by now.
            if self.is_removed(at).await? {
                return self.reload(upto).await;
            }
            let wanted = frames.into_iter().filter(|frame| frame.seq <= upto);
            self.send(wanted.map(|frame| write(&Frame::Event(frame))).collect())
                .await?;
            if looked_at <= at {
                break;
            }
            at = looked_at;
        }
        Ok(())
    }

    /// Tells the client that events are missing: it loads what they led to, and goes on from there.
    async fn reload(&mut self, head: u64) -> Result<(), End> {
        self.send(vec![write(&Frame::Snapshot { head })]).await
    }

    /// Whether events behind `after` are gone, and nobody can tell which of them were wanted.
    async fn is_removed(&self, after: u64) -> Result<bool, End> {
        Ok(after < self.log.removed_to().await.map_err(no_log)?)
    }

    async fn is_too_far(&self, after: u64, upto: u64, topics: &Topics) -> Result<bool, End> {
        let behind = upto - after;
        if behind <= MAX_BEHIND || behind > MAX_COUNTED {
            return Ok(behind > MAX_BEHIND);
        }
        let (mut at, mut wanted) = (after, 0);
        while at < upto && wanted <= MAX_BEHIND {
            let (frames, looked_at) = self
                .log
                .frames_after(at, PAGE, topics.patterns())
                .await
                .map_err(no_log)?;
            wanted += frames.len() as u64;
            if looked_at <= at {
                break;
            }
            at = looked_at;
        }
        Ok(wanted > MAX_BEHIND)
    }

    /// Sends a frame from the bus, and those that wait behind it.
    async fn forward(&mut self, first: Payload) -> Result<(), End> {
        let mut batch = Vec::new();
        let mut bytes = first.json().len();
        self.add(&first, &mut batch);
        while bytes < BATCH {
            // An end is found again by the next look.
            let Some(Received::Message(payload)) = self.subscription.try_recv() else {
                break;
            };
            bytes += payload.json().len();
            self.add(&payload, &mut batch);
        }
        self.send(batch).await
    }

    fn add(&mut self, payload: &Payload, batch: &mut Vec<Written>) {
        match payload.class() {
            Class::Event { seq } if seq <= self.last => {}
            Class::Event { seq } => {
                self.last = seq;
                batch.push(Written::of(payload, Some(seq)));
            }
            Class::Delta => batch.push(Written::of(payload, None)),
            // Every socket gets the figures, whatever it listens to: they come by another way.
            Class::Metrics => {}
        }
    }

    async fn answer(&mut self, frame: ClientFrame) -> Result<(), End> {
        match frame {
            ClientFrame::Ping => match self
                .metrics
                .as_mut()
                .map(|metrics| figures(&metrics.borrow_and_update()))
            {
                Some(figures) => self.send(vec![figures]).await,
                None => Ok(()),
            },
            ClientFrame::Subscribe { topics, after } => {
                let refused = |error: super::asked::BadTopics| End::BadFrame(error.to_string());
                let more = if topics.is_empty() {
                    Topics::all()
                } else {
                    Topics::new(topics).map_err(refused)?
                };
                self.topics = self.topics.with(&more).map_err(refused)?;
                self.switch().await?;
                match after {
                    Some(after) => self.replay(after, self.last, &more).await,
                    None => Ok(()),
                }
            }
            ClientFrame::Unsubscribe { topics } => {
                let less = Topics::new(topics).map_err(|error| End::BadFrame(error.to_string()))?;
                self.topics = self.topics.without(&less);
                self.switch().await
            }
        }
    }

    /// Listens to the topics as they are now, from between two events on.
    async fn switch(&mut self) -> Result<(), End> {
        match self.subscription.switch(self.topics.patterns().to_vec()) {
            Switched::Listening { queued, newest } => {
                let mut batch = Vec::new();
                for payload in &queued {
                    self.add(payload, &mut batch);
                }
                self.last = self.last.max(newest);
                self.send(batch).await
            }
            Switched::Ended => self.catch_up().await,
        }
    }

    async fn knock(&mut self, unanswered: Option<&AtomicU32>) -> Result<(), End> {
        if unanswered.is_some_and(|count| count.fetch_add(1, Ordering::Relaxed) >= MISSED) {
            return Err(End::Silent);
        }
        self.outbox.knock(&self.subscription).await
    }

    async fn send(&mut self, batch: Vec<Written>) -> Result<(), End> {
        if batch.is_empty() {
            Ok(())
        } else {
            self.outbox.send(batch, &self.subscription).await
        }
    }
}

/// The next figures; `None` once there will be no more, and never again after that.
async fn news(metrics: &mut Option<watch::Receiver<Metrics>>) -> Option<Written> {
    match metrics {
        Some(receiver) => match receiver.changed().await {
            Ok(()) => Some(figures(&receiver.borrow_and_update())),
            Err(_) => None,
        },
        None => std::future::pending().await,
    }
}

fn figures(metrics: &Metrics) -> Written {
    write(&Frame::Metrics {
        name: "metrics.updated".to_owned(),
        data: metrics.clone(),
    })
}

fn write(frame: &Frame) -> Written {
    let json = serde_json::to_string(frame).unwrap_or_else(|error| {
        // Frames hold only strings, numbers and JSON values: they always can be written.
        tracing::error!(%error, "a frame cannot be written as JSON");
        "{}".to_owned()
    });
    let seq = match frame {
        Frame::Event(event) => Some(event.seq),
        Frame::Snapshot { head } => Some(*head),
        Frame::Hello { .. } | Frame::Delta(_) | Frame::Metrics { .. } => None,
    };
    Written {
        json: json.into(),
        seq,
    }
}

fn no_log(error: StoreError) -> End {
    tracing::warn!(%error, "a socket ends: the log cannot be read");
    End::NoLog
}
