//! After a start: what the log says is taken back into memory, and the kernel is told to go on. This
//! is no mode of its own; the first inputs are all there is to it.

use std::{collections::VecDeque, sync::Arc};

use domain::{
    graph::{ValidGraph, check::check},
    id::{RunId, WorkflowId},
    run::{decide::LiveRun, input::Input},
    troupe::{Limits, Troupe},
};

use crate::store::{Store, StoreError, replayed};

/// What was found in the log.
pub struct Recovered {
    /// Everything that lives.
    pub troupe: Troupe,
    /// What makes it go on.
    pub inputs: VecDeque<Input>,
    /// Runs that could not be read, with the reason; they stay as they are.
    pub unreadable: Vec<(RunId, String)>,
}

/// Reads what lives from the store.
pub async fn recover(
    store: &dyn Store,
    limits: Limits,
    version: &str,
) -> Result<Recovered, StoreError> {
    let mut troupe = Troupe::new(store.head().await?, limits);
    let mut inputs = VecDeque::new();
    let mut unreadable = Vec::new();
    for agent in store.agents(false).await? {
        inputs.push_back(Input::AgentRecovered(agent.id));
        troupe.adopt_agent(agent);
    }
    let mut runs = Vec::new();
    for (id, workflow, version) in store.live_runs().await? {
        match read_run(store, id, workflow, version).await {
            Ok(live) => {
                runs.push(Input::Recovered(id));
                troupe.adopt_run(live);
            }
            Err(StoreError::Unreadable(reason)) => {
                tracing::error!(run = %id, %reason, "a run cannot be taken up again");
                unreadable.push((id, reason));
            }
            Err(error) => return Err(error),
        }
    }
    let runs_recovered = runs.len() as u64;
    // Runs first: agents are then asked whether their attempt still stands.
    let mut first = VecDeque::from(runs);
    first.push_front(Input::ServerStarted {
        version: version.to_owned(),
        runs_recovered,
    });
    first.append(&mut inputs);
    Ok(Recovered {
        troupe,
        inputs: first,
        unreadable,
    })
}

async fn read_run(
    store: &dyn Store,
    id: RunId,
    workflow: WorkflowId,
    version: u32,
) -> Result<LiveRun, StoreError> {
    let graph = graph_of(store, workflow, version).await?;
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
