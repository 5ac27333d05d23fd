//! The one who cleans up: by the clock, and whenever somebody asks.

use std::{sync::Arc, time::Duration};

use app::api::dto::{CleanEnd, CleanStep, Cleaned, Cleaning};
use domain::retention::Retention;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Ask, State, pace::Pace};
use crate::{
    clock::Clock,
    store::{
        StoreError,
        upkeep::{Candidate, Checkpoint, Reason, Sizes, Upkeep},
    },
};

/// How long after a start the first clean-up begins: recovery comes first.
const FIRST: Duration = Duration::from_secs(60);

/// How often there is one.
const EVERY: Duration = Duration::from_secs(3_600);

/// When there is another after one that did not work.
const AFTER_FAILURE: Duration = Duration::from_secs(300);

/// Between the choice of a run and its removal. Who took it up again has been answered by then.
pub(super) const GRACE: Duration = Duration::from_secs(15);

/// How often the write-ahead log is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A smaller write-ahead log is left alone.
const SMALL_WAL: u64 = 1 << 20;

/// Runs that are chosen in one transaction.
const CHOICE: u32 = 500;

/// Pages that are given back at once.
const PAGES: u32 = 64;

/// Free pages that stay for what comes next.
const KEPT_FREE: u64 = 256;

/// Rounds of choosing by size: what a run takes is an estimate.
const ROUNDS: u32 = 8;

/// Where the last result is remembered.
pub(super) const LAST: &str = "last_clean_up";

/// Whether the work goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

/// Goes back where the work does not go on.
macro_rules! on {
    ($flow:expr) => {
        if $flow == Flow::Stop {
            return Ok(Flow::Stop);
        }
    };
}

pub(super) struct Cleaner {
    pub(super) store: Arc<dyn Upkeep>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) state: Arc<watch::Sender<State>>,
    pub(super) asked: mpsc::Receiver<Ask>,
    pub(super) shutdown: CancellationToken,
    pub(super) looked: Arc<Notify>,
    /// Stopped only to begin again with other rules.
    pub(super) begin_anew: bool,
}

impl Cleaner {
    /// Works until shutdown.
    pub(super) async fn run(mut self) {
        self.recall().await;
        let mut next = Instant::now() + FIRST;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut wal_before = Sizes::default();
        let shutdown = self.shutdown.clone();
        loop {
            let clean = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                ask = self.asked.recv() => match ask {
                    Some(Ask::Clean) => true,
                    // There is nothing under way.
                    Some(Ask::Stop | Ask::Again) => false,
                    None => return,
                },
                () = sleep_until(next) => true,
                _ = look.tick() => {
                    self.move_log(&mut wal_before).await;
                    false
                }
            };
            if clean {
                next = Instant::now() + self.clean_up().await;
            }
        }
    }

    /// What the last server left: its last result, and runs that it had chosen.
    async fn recall(&mut self) {
        match self.store.remembered(LAST).await {
            Ok(Some(text)) => match serde_json::from_str(&text) {
                Ok(last) => self.state.send_modify(|state| state.last = Some(last)),
                Err(error) => tracing::warn!(%error, "the last clean-up cannot be read"),
            },
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the last clean-up cannot be read"),
        }
        if let Err(error) = self.spare().await {
            tracing::warn!(%error, "runs stay chosen to go until the next clean-up");
        }
    }

    /// Moves the write-ahead log into the file: while much happens without making anybody wait, once it
    /// has come to rest to its end.
    async fn move_log(&self, before: &mut Sizes) {
        let moved = async {
            let now = self.store.sizes().await?;
            let rests = (now.wal, now.wal_written) == (before.wal, before.wal_written);
            *before = now;
            if now.wal > SMALL_WAL {
                let how = match rests {
                    true => Checkpoint::Truncate,
                    false => Checkpoint::Passive,
                };
                self.store.checkpoint(how).await?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = moved.await {
            tracing::warn!(%error, "the write-ahead log stays as it is for now");
        }
    }

    /// One clean-up; how long until the next.
    async fn clean_up(&mut self) -> Duration {
        loop {
            self.begin_anew = false;
            let pause = self.clean_once().await;
            if !self.begin_anew {
                return pause;
            }
        }
    }

    async fn clean_once(&mut self) -> Duration {
        let began_at = self.clock.now();
        self.show(Cleaning {
            since: began_at,
            step: CleanStep::Choosing,
            chosen: 0,
            runs: 0,
            events: 0,
        });
        let before = self.store.sizes().await.map(|sizes| sizes.file);
        let mut result = self.clean().await;
        if !matches!(result, Ok(Flow::On))
            && !self.shutdown.is_cancelled()
            && let Err(error) = self.spare().await
            && result.is_ok()
        {
            result = Err(error);
        }
        let after = self.store.sizes().await;
        let rules = self.store.retention().await;
        let (end, pause) = match result {
            Ok(Flow::On) => (CleanEnd::Done, EVERY),
            Ok(Flow::Stop) => (CleanEnd::Stopped, EVERY),
            Err(error) => {
                tracing::warn!(%error, "a clean-up did not come to its end");
                let message = format!(
                    "The database did not take it ({error}). What is gone is gone whole, all else is as it was; the next try comes by itself in five minutes."
                );
                (CleanEnd::Failed(message), AFTER_FAILURE)
            }
        };
        let given_back = match (&before, &after) {
            (Ok(before), Ok(after)) => before.saturating_sub(after.file),
            (Err(_), _) | (_, Err(_)) => 0,
        };
        let still_over = match (&end, &after, &rules) {
            (CleanEnd::Done, Ok(after), Ok(rules)) => rules.excess(after.used()),
            (CleanEnd::Done | CleanEnd::Stopped | CleanEnd::Failed(_), _, _) => 0,
        };
        let (runs, events) = {
            let state = self.state.borrow();
            state
                .cleaning
                .map_or((0, 0), |cleaning| (cleaning.runs, cleaning.events))
        };
        let last = Cleaned {
            began_at,
            ended_at: self.clock.now(),
            end,
            runs,
            events,
            given_back_bytes: given_back,
            still_over_bytes: still_over,
        };
        if runs + events > 0 {
            tracing::info!(runs, events, given_back, "cleaned up");
        }
        self.keep(&last).await;
        self.state.send_modify(|state| {
            state.cleaning = None;
            state.last = Some(last);
        });
        self.looked.notify_one();
        pause
    }

    async fn keep(&self, last: &Cleaned) {
        let kept = match serde_json::to_string(last) {
            Ok(text) => self.store.remember(LAST, &text).await,
            Err(error) => Err(StoreError::Broken(error.to_string())),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "the result of a clean-up is not remembered");
        }
    }

    async fn clean(&mut self) -> Result<Flow, StoreError> {
        // The rules may have changed since somebody chose.
        self.spare().await?;
        let rules = self.store.retention().await?;
        on!(self.choose(&rules, Reason::Age, u64::MAX).await?);
        on!(self.remove_chosen().await?);
        for _ in 0..ROUNDS {
            let excess = rules.excess(self.store.sizes().await?.used());
            if excess == 0 {
                break;
            }
            self.step(CleanStep::Choosing);
            on!(self.choose(&rules, Reason::Size, excess).await?);
            if self.store.marked().await? == 0 {
                break;
            }
            on!(self.remove_chosen().await?);
        }
        if let Some(before) = rules.keep.cutoff(self.clock.now()) {
            self.step(CleanStep::Removing);
            let mut pace = Pace::default();
            loop {
                let begun = Instant::now();
                let removed = self.store.remove_old(before, pace.rows()).await?;
                if removed.rows == 0 {
                    break;
                }
                self.count(0, removed.events);
                on!(self.pause(pace.took(begun.elapsed())).await);
            }
        }
        self.give_back().await
    }

    /// Marks runs until they take so many bytes.
    async fn choose(
        &mut self,
        rules: &Retention,
        reason: Reason,
        bytes: u64,
    ) -> Result<Flow, StoreError> {
        let mut after: Option<Candidate> = None;
        let mut chosen = 0_u64;
        while chosen < bytes {
            let now = self.clock.now();
            let mut found = self
                .store
                .candidates(rules, reason, now, after, CHOICE)
                .await?;
            let Some(last) = found.last().copied() else {
                break;
            };
            after = Some(last);
            found.retain(|candidate| {
                let wanted = chosen < bytes;
                if wanted {
                    chosen = chosen.saturating_add(candidate.bytes.max(1));
                }
                wanted
            });
            let runs: Vec<_> = found.iter().map(|candidate| candidate.run).collect();
            self.store.mark(&runs, now).await?;
            on!(self.pause(Duration::from_millis(5)).await);
        }
        Ok(Flow::On)
    }

    /// Removes what is marked, a moment later.
    async fn remove_chosen(&mut self) -> Result<Flow, StoreError> {
        let marked = self.store.marked().await?;
        if marked == 0 {
            return Ok(Flow::On);
        }
        let before = self.clock.now();
        self.change(|cleaning| {
            cleaning.chosen += marked;
            cleaning.step = CleanStep::Waiting;
        });
        on!(self.pause(GRACE).await);
        self.step(CleanStep::Removing);
        let mut pace = Pace::default();
        loop {
            let begun = Instant::now();
            let removed = self.store.remove(before, pace.rows()).await?;
            if removed.rows == 0 {
                return Ok(Flow::On);
            }
            self.count(removed.runs, removed.events);
            on!(self.pause(pace.took(begun.elapsed())).await);
        }
    }

    async fn give_back(&mut self) -> Result<Flow, StoreError> {
        self.step(CleanStep::GivingBack);
        let mut sizes = self.store.sizes().await?;
        while sizes.gives_back && sizes.free > KEPT_FREE * sizes.page {
            let begun = Instant::now();
            self.store.shrink(PAGES).await?;
            on!(self
                .pause(begun.elapsed().max(Duration::from_millis(2)))
                .await);
            let now = self.store.sizes().await?;
            if now.free >= sizes.free {
                break;
            }
            sizes = now;
        }
        // The file itself becomes shorter when the log is moved into it.
        self.store.checkpoint(Checkpoint::Truncate).await?;
        Ok(Flow::On)
    }

    /// Takes the mark from everything whose removal has not begun.
    async fn spare(&self) -> Result<(), StoreError> {
        while self.store.spare(CHOICE).await? > 0 {}
        Ok(())
    }

    /// Lets others write; whether to go on.
    async fn pause(&mut self, long: Duration) -> Flow {
        let over = sleep(long);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Flow::Stop,
                ask = self.asked.recv() => match ask {
                    // That is what is being done.
                    Some(Ask::Clean) => {}
                    Some(Ask::Stop) | None => return Flow::Stop,
                    Some(Ask::Again) => {
                        self.begin_anew = true;
                        return Flow::Stop;
                    }
                },
                () = &mut over => return Flow::On,
            }
        }
    }

    fn show(&self, cleaning: Cleaning) {
        self.state
            .send_modify(|state| state.cleaning = Some(cleaning));
    }

    fn change(&self, change: impl FnOnce(&mut Cleaning)) {
        self.state.send_modify(|state| {
            if let Some(cleaning) = &mut state.cleaning {
                change(cleaning);
            }
        });
    }

    fn step(&self, step: CleanStep) {
        self.change(|cleaning| cleaning.step = step);
    }

    fn count(&self, runs: u64, events: u64) {
        self.change(|cleaning| {
            cleaning.runs += runs;
            cleaning.events += events;
        });
    }
}
