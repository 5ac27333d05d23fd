//! When what happens; time stands still but where something waits. The store is a script.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use app::api::dto::{CleanEnd, CleanStep};
use async_trait::async_trait;
use domain::{id::RunId, retention::Keep};
use tokio::{
    task::JoinHandle,
    time::{Instant, advance},
};
use uuid::Uuid;

use super::{cleaner::GRACE, *};
use crate::store::upkeep::{Candidate, Checkpoint, Reason, Removed};

/// A store of runs that take 1,000 bytes and 10 rows each.
#[derive(Default)]
struct Fake {
    runs: Mutex<Vec<RunId>>,
    marked: Mutex<VecDeque<(RunId, Timestamp)>>,
    rules: Mutex<Retention>,
    remembered: Mutex<Option<String>>,
    /// Runs that may go by age.
    aged: Mutex<usize>,
    wal: Mutex<u64>,
    free: Mutex<u64>,
    checkpoints: Mutex<Vec<Checkpoint>>,
    /// Largest step.
    largest: Mutex<u32>,
    broken: Mutex<Option<&'static str>>,
    measured: Mutex<u32>,
}

const RUN_BYTES: u64 = 1_000;

impl Fake {
    fn with(runs: u128, aged: usize) -> Arc<Self> {
        Arc::new(Self {
            runs: Mutex::new((0..runs).map(|run| RunId(Uuid::from_u128(run))).collect()),
            aged: Mutex::new(aged),
            ..Self::default()
        })
    }

    fn left(&self) -> usize {
        self.runs.lock().expect("lock").len()
    }

    fn works(&self, what: &str) -> Result<(), StoreError> {
        match *self.broken.lock().expect("lock") {
            Some(broken) if broken == what => Err(StoreError::Busy("a test says so".into())),
            Some(_) | None => Ok(()),
        }
    }
}

#[async_trait]
impl Upkeep for Fake {
    async fn retention(&self) -> Result<Retention, StoreError> {
        Ok(self.rules.lock().expect("lock").clone())
    }
    async fn set_retention(&self, rules: &Retention) -> Result<(), StoreError> {
        *self.rules.lock().expect("lock") = rules.clone();
        Ok(())
    }
    async fn candidates(
        &self,
        rules: &Retention,
        reason: Reason,
        _now: Timestamp,
        after: Option<Candidate>,
        most: u32,
    ) -> Result<Vec<Candidate>, StoreError> {
        let runs = self.runs.lock().expect("lock").clone();
        let marked = self.marked.lock().expect("lock");
        let may_go = match (rules.keep, reason) {
            (Keep::Forever, _) => 0,
            (Keep::Days(_), Reason::Age) => *self.aged.lock().expect("lock"),
            (Keep::Days(_), Reason::Size) => runs.len(),
        };
        Ok(runs
            .into_iter()
            .take(may_go)
            .filter(|run| after.is_none_or(|after| *run > after.run))
            .filter(|run| marked.iter().all(|(known, _)| known != run))
            .take(most as usize)
            .map(|run| Candidate {
                run,
                ended_at: Timestamp(0),
                bytes: RUN_BYTES,
            })
            .collect())
    }
    async fn mark(&self, runs: &[RunId], now: Timestamp) -> Result<u64, StoreError> {
        let mut marked = self.marked.lock().expect("lock");
        marked.extend(runs.iter().map(|run| (*run, now)));
        Ok(marked.len() as u64)
    }
    async fn spare(&self, most: u32) -> Result<u64, StoreError> {
        let mut marked = self.marked.lock().expect("lock");
        let spared = marked.len().min(most as usize);
        marked.drain(..spared);
        Ok(spared as u64)
    }
    async fn marked(&self) -> Result<u64, StoreError> {
        Ok(self.marked.lock().expect("lock").len() as u64)
    }
    async fn remove(&self, before: Timestamp, most: u32) -> Result<Removed, StoreError> {
        self.works("remove")?;
        let mut largest = self.largest.lock().expect("lock");
        *largest = most.max(*largest);
        let mut marked = self.marked.lock().expect("lock");
        let Some((run, _)) = marked.pop_front().filter(|(_, at)| *at <= before) else {
            return Ok(Removed::default());
        };
        let mut runs = self.runs.lock().expect("lock");
        runs.retain(|known| *known != run);
        let mut aged = self.aged.lock().expect("lock");
        *aged = aged.saturating_sub(1);
        *self.free.lock().expect("lock") += 300;
        Ok(Removed {
            rows: 10,
            runs: 1,
            events: 7,
        })
    }
    async fn remove_old(&self, _: Timestamp, _: u32) -> Result<Removed, StoreError> {
        Ok(Removed::default())
    }
    async fn sizes(&self) -> Result<Sizes, StoreError> {
        let free = *self.free.lock().expect("lock");
        Ok(Sizes {
            file: self.left() as u64 * RUN_BYTES + free,
            free,
            wal: *self.wal.lock().expect("lock"),
            wal_written: None,
            page: 1,
            gives_back: true,
        })
    }
    async fn space(&self) -> Result<Space, StoreError> {
        *self.measured.lock().expect("lock") += 1;
        Ok(Space::default())
    }
    async fn shrink(&self, pages: u32) -> Result<(), StoreError> {
        let mut free = self.free.lock().expect("lock");
        *free = free.saturating_sub(u64::from(pages));
        Ok(())
    }
    async fn checkpoint(&self, how: Checkpoint) -> Result<(), StoreError> {
        self.checkpoints.lock().expect("lock").push(how);
        Ok(())
    }
    async fn modernise(&self) -> Result<(), StoreError> {
        Ok(())
    }
    async fn remembered(&self, _: &str) -> Result<Option<String>, StoreError> {
        Ok(self.remembered.lock().expect("lock").clone())
    }
    async fn remember(&self, _: &str, text: &str) -> Result<(), StoreError> {
        *self.remembered.lock().expect("lock") = Some(text.to_owned());
        Ok(())
    }
}

/// A clock that moves with the paused one of tokio.
struct Paused {
    began: Instant,
    offset: AtomicI64,
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        let passed = self.began.elapsed().as_millis() as i64;
        Timestamp(1_790_000_000_000 + passed + self.offset.load(Ordering::Relaxed))
    }
}

struct Stage {
    fake: Arc<Fake>,
    handle: Handle,
    shutdown: CancellationToken,
    work: JoinHandle<()>,
}

impl Stage {
    fn of(fake: Arc<Fake>) -> Self {
        let shutdown = CancellationToken::new();
        let clock = Arc::new(Paused {
            began: Instant::now(),
            offset: AtomicI64::new(0),
        });
        let (handle, work) = upkeep(fake.clone(), clock, shutdown.clone());
        Self {
            fake,
            handle,
            shutdown,
            work: tokio::spawn(work.run()),
        }
    }

    async fn until(&self, what: impl FnMut(&State) -> bool) -> State {
        let mut state = self.handle.state.clone();
        state.wait_for(what).await.expect("it works").clone()
    }

    /// The result of the next clean-up to end.
    async fn ended(&self) -> Cleaned {
        let known = self.handle.state.borrow().last.clone();
        let state = self.until(|state| state.last != known).await;
        state.last.expect("there is one")
    }

    async fn ends(self) {
        self.shutdown.cancel();
        self.work.await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_clean_up_comes_after_a_minute_and_the_next_after_an_hour() {
    let stage = Stage::of(Fake::with(10, 4));
    let began = Instant::now();
    let first = stage.ended().await;
    assert_eq!(
        (first.runs, first.events, &first.end),
        (4, 28, &CleanEnd::Done)
    );
    assert_eq!(stage.fake.left(), 6);
    let passed = began.elapsed();
    assert!(passed >= Duration::from_secs(60) + GRACE, "{passed:?}");
    assert!(passed < Duration::from_secs(90), "{passed:?}");
    let began = Instant::now();
    *stage.fake.aged.lock().expect("lock") = 1;
    assert_eq!(stage.ended().await.runs, 1);
    assert!(began.elapsed() >= Duration::from_secs(3_500));
    assert!(*stage.fake.largest.lock().expect("lock") <= 500);
    // Free pages went back, but for those that are kept for what comes next.
    assert!(*stage.fake.free.lock().expect("lock") <= 256);
    stage.ends().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_before_a_moment_has_passed() {
    let stage = Stage::of(Fake::with(3, 3));
    stage.handle.clean().await;
    stage
        .until(|state| {
            state
                .cleaning
                .is_some_and(|cleaning| cleaning.step == CleanStep::Waiting)
        })
        .await;
    advance(GRACE - Duration::from_secs(1)).await;
    assert_eq!(stage.fake.left(), 3);
    assert_eq!(stage.ended().await.runs, 3);
    stage.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_too_large_loses_its_oldest_runs_and_no_more_than_needed() {
    let fake = Fake::with(100_000, 0);
    fake.rules.lock().expect("lock").max_bytes = Some(100_000 * RUN_BYTES - 7_500);
    let stage = Stage::of(fake);
    stage.handle.clean().await;
    let ended = stage.ended().await;
    assert_eq!((ended.runs, ended.still_over_bytes), (8, 0));
    let oldest = stage.fake.runs.lock().expect("lock")[0];
    assert_eq!(oldest, RunId(Uuid::from_u128(8)));
    // Where nothing may go, that is said.
    *stage.fake.rules.lock().expect("lock") = Retention {
        keep: Keep::Forever,
        max_bytes: Some(1_000),
        ..Retention::default()
    };
    stage.handle.clean().await;
    let ended = stage.ended().await;
    assert_eq!(ended.runs, 0);
    assert!(ended.still_over_bytes > 99_000_000, "{ended:?}");
    stage.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_clean_up_can_be_stopped_between_two_steps() {
    let stage = Stage::of(Fake::with(1_000, 1_000));
    stage.handle.clean().await;
    stage
        .until(|state| state.cleaning.is_some_and(|cleaning| cleaning.runs >= 5))
        .await;
    stage.handle.stop().await;
    let last = stage.handle.state.borrow().last.clone().expect("ended");
    assert_eq!(last.end, CleanEnd::Stopped);
    assert!(last.runs >= 5 && last.runs < 1_000, "{last:?}");
    assert_eq!(stage.fake.left() as u64, 1_000 - last.runs);
    assert!(
        stage.fake.marked.lock().expect("lock").is_empty(),
        "the others stay"
    );
    // The next server knows how it ended.
    let fake = stage.fake.clone();
    stage.ends().await;
    let next = Stage::of(fake);
    assert_eq!(
        next.until(|state| state.last.is_some()).await.last,
        Some(last)
    );
    next.ends().await;
}

#[tokio::test(start_paused = true)]
async fn other_rules_hold_at_once() {
    let stage = Stage::of(Fake::with(1_000, 1_000));
    stage.handle.clean().await;
    stage
        .until(|state| state.cleaning.is_some_and(|cleaning| cleaning.runs >= 5))
        .await;
    let forever = Retention {
        keep: Keep::Forever,
        ..Retention::default()
    };
    stage.handle.set_retention(&forever).await.expect("stored");
    let state = stage.until(|state| state.cleaning.is_none()).await;
    let left = stage.fake.left();
    assert!(left > 900, "{left} {state:?}");
    stage.ended().await;
    assert_eq!(stage.fake.left(), left, "nothing went by the new rules");
    stage.ends().await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_told_and_tried_again() {
    let fake = Fake::with(10, 10);
    *fake.broken.lock().expect("lock") = Some("remove");
    let stage = Stage::of(fake);
    let began = Instant::now();
    let failed = stage.ended().await;
    assert!(
        matches!(&failed.end, CleanEnd::Failed(message) if message.contains("a test says so")),
        "{failed:?}"
    );
    assert!(stage.fake.marked.lock().expect("lock").is_empty());
    *stage.fake.broken.lock().expect("lock") = None;
    assert_eq!(stage.ended().await.runs, 10);
    assert!(began.elapsed() < Duration::from_secs(600));
    stage.ends().await;
}

#[tokio::test(start_paused = true)]
async fn runs_that_were_chosen_before_a_crash_are_shown_again() {
    let fake = Fake::with(3, 0);
    let marked = (RunId(Uuid::from_u128(1)), Timestamp(0));
    fake.marked.lock().expect("lock").push_back(marked);
    let stage = Stage::of(fake);
    stage.handle.clean().await;
    stage.ended().await;
    assert_eq!(stage.fake.left(), 3);
    stage.ends().await;
}

#[tokio::test(start_paused = true)]
async fn the_log_is_moved_gently_under_load_and_emptied_at_rest() {
    let fake = Fake::with(0, 0);
    *fake.wal.lock().expect("lock") = 5 << 20;
    let stage = Stage::of(fake);
    // Two looks: it has grown since the first (from nothing), and rests at the second.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(
        *stage.fake.checkpoints.lock().expect("lock"),
        [Checkpoint::Passive, Checkpoint::Truncate]
    );
    *stage.fake.wal.lock().expect("lock") = 100;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.fake.checkpoints.lock().expect("lock").len(), 2);
    stage.ends().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_measured_when_somebody_looks_and_not_more_often() {
    let stage = Stage::of(Fake::with(0, 0));
    assert!(stage.handle.state().await.measured.is_some());
    for _ in 0..10 {
        stage.handle.state().await;
    }
    assert_eq!(*stage.fake.measured.lock().expect("lock"), 1);
    advance(Duration::from_secs(70)).await;
    stage.until(|state| state.cleaning.is_none()).await;
    stage.handle.state().await;
    assert!(*stage.fake.measured.lock().expect("lock") >= 2);
    stage.ends().await;
}
