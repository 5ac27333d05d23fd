//! The kernel over a real store: commits, crashes, restarts, two people at once.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use app::api::dto::{
    BudgetState, EventQuery, Page, PersonWait, RunQuery, RunSummary, UsageQuery, UsageRow,
    VersionInfo, WorkflowQuery, WorkflowSummary,
};
use async_trait::async_trait;
use domain::{
    agent::{Agent, Phase},
    budget::{Amount, Period, Scope},
    event::Event,
    frame::{Delta, EventFrame},
    graph::Drawing,
    id::{AgentId, RunId, WorkflowId},
    run::{
        RunState,
        input::{Command, Input},
    },
    time::Timestamp,
};
use server::{
    engine::kernel::{Refusal, StartKey},
    store::{
        Batch, Carried, SaveResult, Spent, Start, Store, StoreError, StoredProvider,
        StoredWorkflow, sqlite::SqliteStore,
    },
};

use crate::tester::{Act, Tester, event_of};

async fn store() -> Arc<dyn Store> {
    Arc::new(SqliteStore::temporary().await.expect("a store"))
}

#[tokio::test]
async fn a_run_goes_to_its_end_and_is_published_as_it_is_stored() {
    let tester = Tester::start(store().await, "a > b; a > c; b > d; c > d", &[]).await;
    let mut events = tester.bus.subscribe(vec!["*".into()]);
    let id = tester.run().await;
    let run = tester.end(id).await;
    assert_eq!(
        run.state,
        RunState::Succeeded {
            output: "done".into()
        }
    );
    let (stored, _) = tester
        .store
        .frames_after(0, 1_000, &[])
        .await
        .expect("readable");
    let first = stored
        .iter()
        .find(|frame| frame.run_id == Some(id))
        .expect("it began")
        .seq;
    // What the start itself has to tell may come to this subscription or have gone before it.
    let mut heard = Vec::new();
    while heard
        .last()
        .is_none_or(|&(seq, _)| seq < stored.len() as u64)
    {
        heard.push(event_of(events.recv().await).expect("an event"));
    }
    heard.retain(|&(seq, _)| seq >= first);
    let stored: Vec<_> = stored
        .into_iter()
        .filter(|frame| frame.seq >= first)
        .map(|frame| (frame.seq, frame.data))
        .collect();
    assert_eq!(heard, stored);
}

#[tokio::test]
async fn a_panic_fails_one_attempt_and_nothing_else() {
    let tester = Tester::start(
        store().await,
        "a > b; c",
        &[("a", &[Act::Panic, Act::Say("after all")])],
    )
    .await;
    let (one, two) = (tester.run().await, tester.run().await);
    for id in [one, two] {
        assert_eq!(tester.end(id).await.state.name(), "succeeded");
    }
    let crashed = tester.store.agents(true).await.expect("readable");
    let crashed: Vec<&Agent> = crashed
        .iter()
        .filter(|agent| agent.state.phase() == Phase::Terminated)
        .collect();
    assert_eq!(
        crashed.len(),
        1,
        "the agent whose work crashed is not trusted any more"
    );
    let tries: Vec<usize> = [tester.read(one).await, tester.read(two).await]
        .iter()
        .map(|run| run.tasks["a"].attempts.len())
        .collect();
    assert!(tries.contains(&2) && tries.contains(&1), "{tries:?}");
}

#[tokio::test]
async fn what_fails_in_a_way_that_passes_is_tried_again() {
    let acts: &[Act] = &[Act::FailForNow, Act::FailForNow, Act::Say("at last")];
    let tester = Tester::start(store().await, "a", &[("a", acts)]).await;
    let id = tester.run().await;
    let run = tester.end(id).await;
    assert_eq!(run.tasks["a"].attempts.len(), 3);
    assert_eq!(
        run.state,
        RunState::Succeeded {
            output: "at last".into()
        }
    );
}

#[tokio::test]
async fn cancel_stops_the_work() {
    let tester = Tester::start(store().await, "a > b", &[("a", &[Act::Hang])]).await;
    let id = tester.run().await;
    tester.until(id, "turn.started").await;
    let cancel = Input::Command {
        by: "tester".into(),
        command: Command::CancelRun(id),
    };
    tester
        .kernel
        .submit(cancel.clone())
        .await
        .expect("a live run can be cancelled");
    let run = tester.end(id).await;
    assert_eq!(
        run.state,
        RunState::Cancelled {
            by: "tester".into()
        }
    );
    assert!(
        matches!(
            tester.kernel.submit(cancel).await,
            Err(Refusal::Rejected(_))
        ),
        "it is over"
    );
}

#[tokio::test]
async fn after_a_kill_runs_go_on_and_finished_turns_are_not_repeated() {
    let tester = Tester::start(store().await, "a > b", &[("a", &[Act::HangInSecondTurn])]).await;
    let id = tester.run().await;
    let second = |tester: &Tester| {
        tester
            .script
            .calls
            .lock()
            .expect("not poisoned")
            .contains(&"a#1:2".to_owned())
    };
    while !second(&tester) {
        tokio::task::yield_now().await;
    }
    let tester = tester.killed_and_started(&[]).await;
    let run = tester.end(id).await;
    assert_eq!(run.state.name(), "succeeded");
    assert_eq!(run.tasks["a"].attempts.len(), 1, "the same attempt went on");
    let begun = tester.script.begun.lock().expect("not poisoned")[0].clone();
    assert_eq!(
        begun.turns[0].done.as_ref().map(|done| done.text.as_str()),
        Some("paid for")
    );
    let calls = tester.script.calls.lock().expect("not poisoned").clone();
    assert_eq!(
        calls,
        ["a#1:2", "b#1:1"],
        "only the cut call was made again"
    );
}

#[tokio::test]
async fn kills_in_a_row_lose_nothing() {
    let mut tester = Tester::start(store().await, "a > b > c; a > d", &[("b", &[Act::Hang])]).await;
    let id = tester.run().await;
    for _ in 0..5 {
        tester.until(id, "turn.started").await;
        tester = tester.killed_and_started(&[("b", &[Act::Hang])]).await;
    }
    tester = tester.killed_and_started(&[]).await;
    let run = tester.end(id).await;
    assert_eq!(run.state.name(), "succeeded");
    assert_eq!(run.tasks["b"].attempts.len(), 1);
    let events = tester
        .store
        .run_events(id, 0, u32::MAX)
        .await
        .expect("readable");
    let numbers: Vec<u64> = events.iter().filter_map(|event| event.run_seq).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_key_is_one_run_whoever_asks_and_whenever() {
    let tester = Tester::start(store().await, "a", &[]).await;
    let key = |digest: &str| {
        Some(StartKey {
            key: "k".into(),
            digest: digest.into(),
        })
    };
    let (one, two) = tokio::join!(tester.run_with(key("x")), tester.run_with(key("x")));
    let (one, two) = (one.expect("accepted"), two.expect("accepted"));
    assert_eq!(one, two);
    assert_eq!(tester.run_with(key("y")).await, Err(Refusal::KeyReused));
    let stored = tester
        .store
        .start("k")
        .await
        .expect("readable")
        .expect("stored");
    assert_eq!(Some(stored.run), one.run);
}

#[tokio::test]
async fn a_busy_store_holds_everything_back_until_it_is_free() {
    let store = Arc::new(Faulty::over(store().await));
    let tester = Tester::start(store.clone(), "a", &[]).await;
    tester.until_idle().await;
    let mut events = tester.bus.subscribe(vec!["*".into()]);
    store.busy_for.store(2, Ordering::SeqCst);
    let health = tester.health.clone();
    let mut seen = health.watch();
    let (receipt, ()) = tokio::join!(tester.run_with(None), async {
        seen.changed().await.expect("the health lives");
        assert!(
            health.degraded()[0].contains("cannot be written"),
            "{:?}",
            health.degraded()
        );
        assert!(
            events.try_recv().is_none(),
            "nobody hears of what is not stored"
        );
    });
    let id = receipt.expect("accepted in the end").run.expect("a run");
    assert_eq!(tester.end(id).await.state.name(), "succeeded");
    assert!(tester.health.degraded().is_empty());
    let (frames, _) = tester
        .store
        .frames_after(0, 1_000, &["broadcast.system".into()])
        .await
        .expect("readable");
    let kinds: Vec<&str> = frames.iter().map(|frame| frame.kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["system.started", "system.degraded", "system.recovered"]
    );
}

#[tokio::test]
async fn inputs_that_come_together_share_a_commit() {
    let store = Arc::new(Faulty::over(store().await));
    let tester = Tester::start(store.clone(), "a", &[("a", &[Act::Hang])]).await;
    tester.until_idle().await;
    let before = store.appends.load(Ordering::SeqCst);
    let starts = (0..200).map(|_| tester.run_with(None));
    for receipt in futures::future::join_all(starts).await {
        receipt.expect("accepted");
    }
    let appends = store.appends.load(Ordering::SeqCst) - before;
    assert!(appends < 100, "200 starts took {appends} commits");
}

impl Tester {
    /// Waits until the first commit of the start is done and published.
    async fn until_idle(&self) {
        while self.store.head().await.expect("readable") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Whatever is asked now is answered behind that.
        let (by, command) = (
            "test".to_owned(),
            Command::CancelRun(RunId(uuid::Uuid::nil())),
        );
        let nobody = self.kernel.submit(Input::Command { by, command }).await;
        assert!(nobody.is_err(), "there is no such run");
    }
}

/// A store that counts commits and can be told to be busy.
struct Faulty {
    inner: Arc<dyn Store>,
    appends: AtomicU32,
    busy_for: AtomicU32,
}

impl Faulty {
    fn over(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            appends: AtomicU32::new(0),
            busy_for: AtomicU32::new(0),
        }
    }
}

#[async_trait]
impl Store for Faulty {
    async fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        let left = self.busy_for.load(Ordering::SeqCst);
        if left > 0 {
            self.busy_for.store(left - 1, Ordering::SeqCst);
            return Err(StoreError::Busy("a test says so".into()));
        }
        self.appends.fetch_add(1, Ordering::SeqCst);
        self.inner.append(batch).await
    }
    async fn head(&self) -> Result<u64, StoreError> {
        self.inner.head().await
    }
    async fn removed_to(&self) -> Result<u64, StoreError> {
        self.inner.removed_to().await
    }
    async fn epoch(&self) -> Result<String, StoreError> {
        self.inner.epoch().await
    }
    async fn providers(&self) -> Result<Vec<StoredProvider>, StoreError> {
        self.inner.providers().await
    }
    async fn save_provider(
        &self,
        provider: &StoredProvider,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.save_provider(provider, at).await
    }
    async fn remove_provider(&self, name: &str) -> Result<(), StoreError> {
        self.inner.remove_provider(name).await
    }
    async fn run_events(
        &self,
        run: RunId,
        after: u64,
        most: u32,
    ) -> Result<Vec<Event>, StoreError> {
        self.inner.run_events(run, after, most).await
    }
    async fn frames_after(
        &self,
        after: u64,
        limit: u32,
        patterns: &[String],
    ) -> Result<(Vec<EventFrame>, u64), StoreError> {
        self.inner.frames_after(after, limit, patterns).await
    }
    async fn events(&self, query: &EventQuery) -> Result<Page<EventFrame>, StoreError> {
        self.inner.events(query).await
    }
    async fn live_runs(&self) -> Result<Vec<(RunId, WorkflowId, u32)>, StoreError> {
        self.inner.live_runs().await
    }
    async fn said(&self) -> Result<Vec<Delta>, StoreError> {
        self.inner.said().await
    }
    async fn waiting(&self, most: u32) -> Result<Vec<PersonWait>, StoreError> {
        self.inner.waiting(most).await
    }
    async fn recoveries(&self) -> Result<Vec<(RunId, u32)>, StoreError> {
        self.inner.recoveries().await
    }
    async fn count_recovery(&self, run: RunId) -> Result<(), StoreError> {
        self.inner.count_recovery(run).await
    }
    async fn clear_recoveries(&self, runs: &[RunId]) -> Result<(), StoreError> {
        self.inner.clear_recoveries(runs).await
    }
    async fn messages(&self, agent: AgentId, most: u32) -> Result<Vec<EventFrame>, StoreError> {
        self.inner.messages(agent, most).await
    }
    async fn workflows_named(&self, name: &str) -> Result<Vec<WorkflowId>, StoreError> {
        self.inner.workflows_named(name).await
    }
    async fn backup(&self, file: &Path) -> Result<(), StoreError> {
        self.inner.backup(file).await
    }
    async fn damage(&self) -> Result<Vec<String>, StoreError> {
        self.inner.damage().await
    }
    async fn runs(&self, query: &RunQuery) -> Result<Page<RunSummary>, StoreError> {
        self.inner.runs(query).await
    }
    async fn run_origin(&self, run: RunId) -> Result<Option<(WorkflowId, u32)>, StoreError> {
        self.inner.run_origin(run).await
    }
    async fn start(&self, key: &str) -> Result<Option<Start>, StoreError> {
        self.inner.start(key).await
    }
    async fn agents(&self, gone: bool) -> Result<Vec<Agent>, StoreError> {
        self.inner.agents(gone).await
    }
    async fn agent(&self, id: AgentId) -> Result<Option<Agent>, StoreError> {
        self.inner.agent(id).await
    }
    async fn create_workflow(
        &self,
        id: WorkflowId,
        drawing: &Drawing,
        by: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.create_workflow(id, drawing, by, at).await
    }
    async fn save_workflow(
        &self,
        id: WorkflowId,
        expected: u32,
        drawing: &Drawing,
        by: &str,
        at: Timestamp,
    ) -> Result<SaveResult, StoreError> {
        self.inner
            .save_workflow(id, expected, drawing, by, at)
            .await
    }
    async fn workflow(
        &self,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, StoreError> {
        self.inner.workflow(id, version).await
    }
    async fn newest_version(&self, id: WorkflowId) -> Result<Option<u32>, StoreError> {
        self.inner.newest_version(id).await
    }
    async fn workflows(&self, query: &WorkflowQuery) -> Result<Page<WorkflowSummary>, StoreError> {
        self.inner.workflows(query).await
    }
    async fn versions(&self, id: WorkflowId) -> Result<Vec<VersionInfo>, StoreError> {
        self.inner.versions(id).await
    }
    async fn set_deleted(
        &self,
        id: WorkflowId,
        deleted: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.inner.set_deleted(id, deleted, at).await
    }
    async fn workflow_count(&self) -> Result<u64, StoreError> {
        self.inner.workflow_count().await
    }
    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageRow>, StoreError> {
        self.inner.usage(query).await
    }
    async fn carried(&self, today: i64) -> Result<Vec<Carried>, StoreError> {
        self.inner.carried(today).await
    }
    async fn spent_on(
        &self,
        scope: &Scope,
        period: Period,
        today: i64,
    ) -> Result<Amount, StoreError> {
        self.inner.spent_on(scope, period, today).await
    }
    async fn budgets(&self, today: i64) -> Result<Vec<BudgetState>, StoreError> {
        self.inner.budgets(today).await
    }
    async fn spent_since(&self, since: Timestamp) -> Result<Spent, StoreError> {
        self.inner.spent_since(since).await
    }
}
