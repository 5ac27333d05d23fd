//! After a start: what the log says is taken back into memory, and the kernel is told to go on. This
//! is no mode of its own; the first inputs are all there is to it.
//!
//! A run that stops the server while it is taken up again is left out at the third time, and the
//! others go on: [`Marker`] names the run, the store counts.

mod marker;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use app::api::dto::EventQuery;
use domain::{
    event::{Event, Fact, SystemEvent},
    frame::Delta,
    graph::{ValidGraph, check::check},
    id::{RunId, WorkflowId},
    run::{decide::LiveRun, input::Input},
    troupe::{Limits, Troupe},
};
use tokio_util::sync::CancellationToken;

pub use self::marker::Marker;
use crate::store::{Store, StoreError, replayed};

/// A run that stopped the server so many times is left out.
const MOST_TRIES: u32 = 3;

/// A server that lived so long was not stopped by a run that it took up.
const PROVEN_AFTER: Duration = Duration::from_secs(30);

/// What was found in the log.
pub struct Recovered {
    /// Everything that lives.
    pub troupe: Troupe,
    /// What makes it go on.
    pub inputs: VecDeque<Input>,
    /// Runs that do not go on, with the reason; they stay as they are.
    pub left_out: Vec<(RunId, String)>,
    /// What had been said in answers that are begun anew.
    pub said: Vec<Delta>,
    /// Runs that go on although they may have stopped the server before.
    pub suspects: Vec<RunId>,
}

/// Reads what lives from the store.
pub async fn recover(
    store: &dyn Store,
    limits: Limits,
    version: &str,
    marker: &mut Marker,
    today: i64,
) -> Result<Recovered, StoreError> {
    match marker.left() {
        Some(run) => {
            tracing::warn!(%run, "the last start ended while this run was taken up again");
            store.count_recovery(run).await?;
        }
        None => forgive(store).await?,
    }
    marker.clear();
    let tries: HashMap<RunId, u32> = store.recoveries().await?.into_iter().collect();
    let mut troupe = Troupe::new(store.head().await?, limits);
    carry_money(store, &mut troupe, today).await?;
    let mut agents = Vec::new();
    for agent in store.agents(false).await? {
        agents.push(Input::AgentRecovered(agent.id));
        troupe.adopt_agent(agent);
    }
    for event in out_of_order(store).await? {
        troupe.recall(&event);
    }
    let mut runs = Vec::new();
    let mut left_out = Vec::new();
    let mut graphs = Graphs::default();
    for (id, workflow, version) in store.live_runs().await? {
        if tries.get(&id).is_some_and(|tries| *tries >= MOST_TRIES) {
            tracing::error!(run = %id, "a run that stopped the server three times is left out");
            left_out.push((
                id,
                format!("taking it up again stopped the server {MOST_TRIES} times"),
            ));
            continue;
        }
        marker.at(id);
        match graphs.read_run(store, id, workflow, version).await {
            Ok(live) => {
                runs.push(id);
                troupe.adopt_run(live);
            }
            Err(StoreError::Unreadable(reason)) => {
                tracing::error!(run = %id, %reason, "a run cannot be taken up again");
                left_out.push((id, reason));
            }
            Err(error) => return Err(error),
        }
    }
    marker.clear();
    let started = Input::ServerStarted {
        version: version.to_owned(),
        runs_recovered: runs.len() as u64,
    };
    // Every run is there before the first goes on: a parent finds its children. Agents come last:
    // they are asked whether their attempt still stands.
    let inputs = std::iter::once(started)
        .chain(runs.iter().copied().map(Input::Recovered))
        .chain(agents)
        .collect();
    let mut said = store.said().await?;
    said.retain(|cut| is_under_way(&troupe, cut));
    let suspects = runs.into_iter().filter(|run| tries.contains_key(run));
    Ok(Recovered {
        troupe,
        inputs,
        left_out,
        said,
        suspects: suspects.collect(),
    })
}

/// The last start got past every run that it took up: only deaths in a row count against one. Those that
/// are left out already were not taken up, so nothing speaks for them.
async fn forgive(store: &dyn Store) -> Result<(), StoreError> {
    let suspects = store.recoveries().await?.into_iter();
    let past: Vec<RunId> = suspects
        .filter(|(_, tries)| *tries < MOST_TRIES)
        .map(|(run, _)| run)
        .collect();
    if past.is_empty() {
        return Ok(());
    }
    store.clear_recoveries(&past).await
}

/// Whether this is of an answer that is not at its end, or was not when a crash cut it.
pub fn is_under_way(troupe: &Troupe, cut: &Delta) -> bool {
    let run = troupe.runs.get(&cut.run_id).map(|live| &live.run);
    let attempt = run.and_then(|run| run.tasks.get(&cut.task)?.attempt(cut.attempt));
    attempt.is_some_and(|attempt| {
        let mut turns = attempt.turns.iter();
        attempt.ended_at.is_none()
            && turns.any(|turn| turn.number == cut.turn && turn.done.is_none())
    })
}

/// Events about models that were out of order lately, oldest first.
async fn out_of_order(store: &dyn Store) -> Result<Vec<SystemEvent>, StoreError> {
    let query = EventQuery {
        kind: Some("provider.*".to_owned()),
        limit: Some(1_000),
        ..EventQuery::default()
    };
    let mut frames = store.events(&query).await?.items;
    frames.sort_by_key(|frame| frame.seq);
    let events = frames
        .into_iter()
        .filter_map(|frame| match Event::from_frame(frame).ok()?.fact {
            Fact::System(event) => Some(event),
            Fact::Run { .. } | Fact::Task { .. } | Fact::Agent { .. } => None,
        });
    Ok(events.collect())
}

/// What was spent before, and what may be spent.
async fn carry_money(store: &dyn Store, troupe: &mut Troupe, today: i64) -> Result<(), StoreError> {
    for budget in store.budgets(today).await? {
        if let Some(limit) = budget.budget {
            troupe.adopt_budget(budget.scope, limit);
        }
    }
    for sums in store.carried(today).await? {
        troupe.carry_spent(sums.scope, sums.total, sums.today, today);
    }
    Ok(())
}

/// Clears the names of runs that went on, once the server has lived for a while.
pub async fn trust(store: Arc<dyn Store>, suspects: Vec<RunId>, shutdown: CancellationToken) {
    if suspects.is_empty() {
        return;
    }
    tokio::select! {
        () = shutdown.cancelled() => return,
        () = tokio::time::sleep(PROVEN_AFTER) => {}
    }
    if let Err(error) = store.clear_recoveries(&suspects).await {
        tracing::warn!(%error, "runs stay under suspicion until the next start");
    }
}

/// Graphs that were read: many runs share one.
#[derive(Default)]
struct Graphs(HashMap<(WorkflowId, u32), Arc<ValidGraph>>);

impl Graphs {
    async fn read_run(
        &mut self,
        store: &dyn Store,
        id: RunId,
        workflow: WorkflowId,
        version: u32,
    ) -> Result<LiveRun, StoreError> {
        let graph = match self.0.get(&(workflow, version)) {
            Some(graph) => Arc::clone(graph),
            None => {
                let graph = graph_of(store, workflow, version).await?;
                self.0.insert((workflow, version), Arc::clone(&graph));
                graph
            }
        };
        live_run(store, id, graph).await
    }
}

/// A run as its log tells it, be it at its end or not.
pub async fn live_run(
    store: &dyn Store,
    id: RunId,
    graph: Arc<ValidGraph>,
) -> Result<LiveRun, StoreError> {
    let events = store.run_events(id, 0, u32::MAX).await?;
    let run = replayed(&events, &graph)?
        .ok_or_else(|| StoreError::Unreadable("its log is empty".to_owned()))?;
    Ok(LiveRun::new(run, graph))
}

/// The graph of a workflow version that was runnable when it was stored.
pub async fn graph_of(
    store: &dyn Store,
    workflow: WorkflowId,
    version: u32,
) -> Result<Arc<ValidGraph>, StoreError> {
    let stored = store
        .workflow(workflow, Some(version))
        .await?
        .ok_or_else(|| {
            StoreError::Unreadable(format!(
                "version {version} of workflow {workflow} is missing"
            ))
        })?;
    match check(&stored.drawing) {
        (Some(graph), _) => Ok(Arc::new(graph)),
        (None, problems) => Err(StoreError::Unreadable(format!(
            "version {version} of workflow {workflow} can no longer run: {}",
            problems
                .first()
                .map(|problem| problem.message.as_str())
                .unwrap_or_default()
        ))),
    }
}
