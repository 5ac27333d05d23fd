//! The work behind the bus: keeps a connection, sends what waits, tells when that does not work.
//!
//! It knows the last event that arrived (the cursor). What comes behind it waits in the outbox, or is
//! read from the log. The stream itself says where to go on after anything went wrong, so no reply
//! that was lost costs an event or doubles one.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use domain::frame::{EventFrame, Frame};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    EventLog, Parts, Report, Server,
    fault::Fault,
    link::{Link, Pushed, Tail},
    outbox::{Item, MAX_BATCH, MAX_BATCH_BYTES, Next, Outbox},
};

/// How long nothing is said before Redis is asked whether it is still there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A reply that takes longer is told, even if it comes.
const SLOW: Duration = Duration::from_millis(750);

/// How long what waits at the end is still sent.
const FAREWELL: Duration = Duration::from_secs(1);

/// The first wait before another connection; it doubles.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// The longest wait before another connection: whatever was wrong, Redis is found again that soon.
const MAX_PAUSE: Duration = Duration::from_millis(800);

/// Copies events to Redis until shutdown.
pub struct Mirror {
    server: Server,
    outbox: Arc<Outbox>,
    log: Arc<dyn EventLog>,
    report: Arc<dyn Report>,
    shutdown: CancellationToken,
    place: Place,
    pause: Duration,
    /// Whether the last reply took too long.
    slow: bool,
    /// What people were told last; `None` while it works.
    told: Option<String>,
    /// Whether anyone was told that it works.
    began: bool,
}

/// How far the mirror is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The last event that need not be sent any more.
    cursor: u64,
    /// The last event in the stream, 0 when there is no stream.
    tail: u64,
    /// The last event that channels have heard. Larger than the cursor after a Redis that forgot the
    /// end of its stream: those events go into the stream again, but are not heard twice.
    heard: u64,
}

impl Mirror {
    pub(super) fn new(server: Server, outbox: Arc<Outbox>, parts: Parts) -> Self {
        Self {
            server,
            outbox,
            log: parts.log,
            report: parts.report,
            shutdown: parts.shutdown,
            place: Place {
                cursor: parts.head,
                tail: 0,
                heard: 0,
            },
            pause: MIN_PAUSE,
            slow: false,
            told: None,
            began: false,
        }
    }

    /// Works until shutdown.
    pub async fn run(mut self) {
        let shutdown = self.shutdown.clone();
        loop {
            let fault = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                fault = self.serve() => fault,
            };
            self.failed(&fault);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = sleep(jittered(self.pause)) => {}
            }
            self.pause = (self.pause * 2).min(MAX_PAUSE);
        }
        if self.told.is_none() && timeout(FAREWELL, self.send_rest()).await.is_err() {
            tracing::info!("what Redis has not received yet follows at the next start");
        }
    }

    /// One connection for as long as it works.
    async fn serve(&mut self) -> Fault {
        let result: Result<std::convert::Infallible, Fault> = async {
            let mut link = Link::open(&self.server).await?;
            self.find_place(&mut link).await?;
            let mut heartbeat = Instant::now();
            loop {
                if !self.send_some(&mut link).await? {
                    tokio::select! {
                        biased;
                        () = self.outbox.more() => continue,
                        () = sleep_until(heartbeat) => self.push(&mut link, &[]).await?,
                    };
                }
                heartbeat = Instant::now() + HEARTBEAT;
                self.pause = MIN_PAUSE;
                if self.slow {
                    self.failed(&Fault::Slow);
                } else {
                    self.works();
                }
            }
        }
        .await;
        match result {
            Err(fault) => fault,
        }
    }

    /// A connection for what still waits.
    async fn send_rest(&mut self) -> Result<(), Fault> {
        let mut link = Link::open(&self.server).await?;
        self.find_place(&mut link).await?;
        while self.send_some(&mut link).await? {}
        Ok(())
    }

    /// Sends a batch from the outbox or a page from the log; whether there was any.
    async fn send_some(&mut self, link: &mut Link) -> Result<bool, Fault> {
        match self.outbox.next(self.place.cursor) {
            Next::Send(items) => {
                self.push(link, &items).await?;
            }
            Next::Behind { to } => self.catch_up(link, to).await?,
            Next::Nothing => return Ok(false),
        }
        Ok(true)
    }

    /// Sends one page of the log.
    async fn catch_up(&mut self, link: &mut Link, to: u64) -> Result<(), Fault> {
        let logged = self
            .log
            .frames_after(self.place.cursor, MAX_BATCH as u32)
            .await?;
        if logged.is_empty() {
            // All up to there were stored before they were published: they are not kept any more.
            self.place.cursor = to;
            return Ok(());
        }
        let upto = logged.last().map_or(0, |last| last.seq);
        let lost = (upto - self.place.cursor).saturating_sub(logged.len() as u64);
        if lost > 0 {
            tracing::warn!(
                lost,
                upto,
                "events that were old were removed before Redis received them: readers of the stream see a gap in `seq`"
            );
        }
        let items: Vec<Item> = logged.into_iter().map(Item::from).collect();
        for batch in batches(&items) {
            if self.push(link, batch).await? == Pushed::Moved {
                break;
            }
        }
        Ok(())
    }

    /// Sends a batch. When the stream is not where it was thought to be, the place is found anew, and
    /// what was in the batch waits where it was.
    async fn push(&mut self, link: &mut Link, items: &[Item]) -> Result<Pushed, Fault> {
        let Place { tail, heard, .. } = self.place;
        let asked = Instant::now();
        let pushed = link.push(tail, heard, items).await?;
        self.slow = asked.elapsed() > SLOW;
        match pushed {
            Pushed::Done => {
                if let Some(last) = items
                    .iter()
                    .map(|item| item.seq)
                    .max()
                    .filter(|&seq| seq > 0)
                {
                    self.place = Place {
                        cursor: last,
                        tail: last,
                        heard: heard.max(last),
                    };
                }
            }
            Pushed::Moved => self.find_place(link).await?,
        }
        Ok(pushed)
    }

    /// Goes on behind the end of the stream. Without a stream (a Redis that came back empty, or a
    /// first start) the cursor stays: what was before it is for those who were there.
    async fn find_place(&mut self, link: &mut Link) -> Result<(), Fault> {
        match link.tail().await? {
            None => self.place.tail = 0,
            Some(tail) => {
                self.check_ours(&tail).await?;
                self.place.tail = tail.seq;
                self.place.cursor = tail.seq;
            }
        }
        Ok(())
    }

    /// A stream that goes further than our log, or that ends with another event than our log has at
    /// that place, was written from another database.
    async fn check_ours(&self, tail: &Tail) -> Result<(), Fault> {
        if tail.seq > self.outbox.head() {
            return Err(Fault::Foreign);
        }
        let Some(theirs) = &tail.json else {
            return Ok(());
        };
        let ours = self.log.frames_after(tail.seq - 1, 1).await?;
        match ours.first().filter(|ours| ours.seq == tail.seq) {
            Some(ours) if !same_event(&ours.json, theirs) => Err(Fault::Foreign),
            // The log may have forgotten it: then the number has to do.
            Some(_) | None => Ok(()),
        }
    }

    fn works(&mut self) {
        if self.began && self.told.is_none() {
            return;
        }
        self.began = true;
        self.told = None;
        self.outbox.set_open(true);
        self.report.recover();
        tracing::info!(
            redis = self.server.at(),
            cursor = self.place.cursor,
            "events are copied to Redis"
        );
    }

    fn failed(&mut self, fault: &Fault) {
        self.outbox.set_open(false);
        let reason = fault.told(&self.server);
        if self.told.as_ref() != Some(&reason) {
            tracing::warn!(
                redis = self.server.at(),
                "events are not copied: Redis {fault}"
            );
            self.report.degrade(reason.clone());
            self.told = Some(reason);
        }
    }
}

/// Parts that fit into one batch each.
fn batches(mut items: &[Item]) -> impl Iterator<Item = &[Item]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = items
            .iter()
            .take(MAX_BATCH)
            .take_while(|item| {
                bytes += item.json.len();
                bytes <= MAX_BATCH_BYTES
            })
            .count();
        let (batch, rest) = items.split_at(fits.max(1).min(items.len()));
        items = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Whether two frames are about the same event. Not by their bytes: another version of the product
/// may have written more or fewer fields.
fn same_event(one: &str, other: &str) -> bool {
    let read = |json| match serde_json::from_str(json) {
        Ok(Frame::Event(EventFrame {
            seq,
            run_seq,
            at,
            kind,
            run_id,
            ..
        })) => Some((seq, run_seq, at, kind, run_id)),
        Ok(
            Frame::Hello { .. } | Frame::Delta(_) | Frame::Metrics { .. } | Frame::Snapshot { .. },
        )
        | Err(_) => None,
    };
    one == other || read(one).is_some_and(|one| Some(one) == read(other))
}

/// Between a half and the whole of it, so that many servers do not come back in the same moment.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) as u32;
    pause / 2 + pause.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
}
