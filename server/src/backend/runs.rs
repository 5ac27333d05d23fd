//! Verbs about runs.

use std::{collections::BTreeSet, sync::Arc};

use app::{
    api::dto::{Accepted, Actor, AgentName, PlayBack, RunSnapshot, StartRun},
    error::{ApiError, ErrorKind},
};
use domain::{
    budget::{Budget, OnBudget},
    event::{Event, Fact},
    graph::{ValidGraph, check::check},
    id::{RunId, WorkflowId},
    run::{Replay, TaskEvent, decide::LiveRun, input, recording::Recording},
};
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) use super::known::Runnable;
use super::{Product, broken};
use crate::{
    engine::{
        kernel::{Refusal, StartKey},
        recordings::recording,
        recovery::{graph_of, live_run},
        run_input::{BadInput, complete_input},
    },
    store::replayed,
};

/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 255;

impl Product {
    pub(super) async fn begin_run(
        &self,
        actor: &Actor,
        request: StartRun,
    ) -> Result<Accepted, ApiError> {
        let budget = Budget {
            usd: request.budget_usd,
            tokens: request.budget_tokens,
            on_budget: request.on_budget,
            ..Budget::default()
        };
        let mut asked = start_digest(&request.input, &budget);
        if let Some(replay) = &request.replay {
            asked["replay"] = json!(replay);
        }
        let place = request.workflow.to_string();
        let key = start_key(actor, &place, request.idempotency_key.as_deref(), &asked)?;
        if let Some(accepted) = self.known_start(key.as_ref()).await? {
            return Ok(accepted);
        }
        if let Some(PlayBack { run, .. }) = request.replay {
            self.known(run).await?;
        }
        let workflow = self.runnable(request.workflow).await?;
        let start = input::StartRun {
            budget_usd: request.budget_usd,
            budget_tokens: request.budget_tokens,
            on_budget: request.on_budget,
            replay: request.replay.map(|PlayBack { run, on_change }| Replay {
                run,
                within: Vec::new(),
                on_change,
            }),
            ..workflow.start(request.input)?
        };
        self.accept(actor, start, key).await
    }

    pub(super) async fn recorded(&self, id: RunId) -> Result<Recording, ApiError> {
        let found = recording(&*self.store, id).await.map_err(broken)?;
        found.ok_or_else(|| ApiError::not_found("run"))
    }

    /// The start that was made under this key before, if it is the same.
    pub(super) async fn known_start(
        &self,
        key: Option<&StartKey>,
    ) -> Result<Option<Accepted>, ApiError> {
        let Some(key) = key else { return Ok(None) };
        match self.store.start(&key.key).await.map_err(broken)? {
            None => Ok(None),
            Some(known) if known.digest == key.digest => Ok(Some(Accepted {
                id: known.run,
                seq: known.seq,
            })),
            Some(_) => Err(super::refused(&Refusal::KeyReused)),
        }
    }

    /// Hands in a start; returns once it is durable.
    pub(super) async fn accept(
        &self,
        actor: &Actor,
        start: input::StartRun,
        key: Option<StartKey>,
    ) -> Result<Accepted, ApiError> {
        let id = start.run;
        let receipt = self
            .command(actor, input::Command::StartRun(Box::new(start)), key)
            .await?;
        Ok(Accepted {
            id: receipt.run.unwrap_or(id),
            seq: receipt.seq,
        })
    }

    /// A workflow in its newest version, if that can run.
    pub(super) async fn runnable(&self, id: WorkflowId) -> Result<Runnable, ApiError> {
        let newest = self.store.newest_version(id).await.map_err(broken)?;
        let newest = newest.ok_or_else(|| ApiError::not_found("workflow"))?;
        if let Some(known) = self.known.get(id, newest) {
            return Ok(known);
        }
        let stored = self.stored(id, None).await?;
        let (graph, problems) = check(&stored.drawing);
        let graph = graph.ok_or_else(|| {
            let first = problems.first().map(|problem| problem.message.as_str());
            ApiError::new(
                ErrorKind::Invalid,
                "workflow_has_problems",
                format!("The workflow cannot run: {}", first.unwrap_or_default()),
            )
            .with_detail(json!({ "problems": problems }))
        })?;
        let runnable = Runnable {
            id,
            version: stored.version,
            name: stored.drawing.name,
            graph: Arc::new(graph),
        };
        self.known.keep(&runnable);
        Ok(runnable)
    }

    pub(super) async fn read_run(&self, id: RunId) -> Result<RunSnapshot, ApiError> {
        let missing = || ApiError::not_found("run");
        let (workflow, version) = self
            .store
            .run_origin(id)
            .await
            .map_err(broken)?
            .ok_or_else(missing)?;
        // The head is read first: what is newer than it may be in the run already, never the reverse.
        let head = self.store.head().await.map_err(broken)?;
        let graph = self.graph(workflow, version).await?;
        let events = self
            .store
            .run_events(id, 0, u32::MAX)
            .await
            .map_err(broken)?;
        let run = replayed(&events, &graph)
            .map_err(broken)?
            .ok_or_else(missing)?;
        let stored = self.stored(workflow, Some(version)).await?;
        Ok(RunSnapshot {
            run,
            drawing: stored.drawing,
            head,
            now: self.clock.now(),
            agents: names(&events),
            written: self.open.of(id),
        })
    }

    /// The graph of a version that was run.
    async fn graph(&self, workflow: WorkflowId, version: u32) -> Result<Arc<ValidGraph>, ApiError> {
        match self.known.get(workflow, version) {
            Some(known) => Ok(known.graph),
            None => graph_of(&*self.store, workflow, version)
                .await
                .map_err(broken),
        }
    }

    /// A run as its log tells it, with the graph that it executes.
    pub(super) async fn replayed(&self, id: RunId) -> Result<LiveRun, ApiError> {
        let origin = self.store.run_origin(id).await.map_err(broken)?;
        let (workflow, version) = origin.ok_or_else(|| ApiError::not_found("run"))?;
        let graph = self.graph(workflow, version).await?;
        live_run(&*self.store, id, graph).await.map_err(broken)
    }
}

impl Runnable {
    /// The version that a run executes.
    pub(super) fn of(live: &LiveRun) -> Self {
        Self {
            id: live.run.workflow_id,
            version: live.run.workflow_version,
            name: live.run.workflow_name.clone(),
            graph: Arc::clone(&live.graph),
        }
    }

    pub(super) fn is_version(&self, version: u32) -> bool {
        self.version == version
    }

    /// A run to be of it, with a new id.
    pub(super) fn start(&self, given: Value) -> Result<input::StartRun, ApiError> {
        Ok(input::StartRun {
            run: RunId(Uuid::now_v7()),
            workflow: self.id,
            version: self.version,
            workflow_name: self.name.clone(),
            graph: Arc::clone(&self.graph),
            input: complete_input(&self.graph.inputs, given).map_err(bad_input)?,
            budget_usd: None,
            budget_tokens: None,
            on_budget: OnBudget::Wait,
            parent: None,
            seed: Vec::new(),
            only: None,
            replay: None,
        })
    }
}

/// What a run cannot be given, as people and programs are told.
pub(super) fn bad_input(bad: BadInput) -> ApiError {
    ApiError::new(ErrorKind::Invalid, "bad_input", bad.to_string())
        .with_detail(json!({ "problems": bad.0 }))
}

/// Agents that took part, by the names they had.
fn names(events: &[Event]) -> Vec<AgentName> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for event in events {
        if let Fact::Task {
            event:
                TaskEvent::Assigned {
                    agent_id,
                    agent_name,
                    ..
                },
            ..
        } = &event.fact
            && seen.insert(*agent_id)
        {
            names.push(AgentName {
                id: *agent_id,
                name: agent_name.clone(),
            });
        }
    }
    names
}

/// What a start asks for, as its key is bound to it. What an older version asked for is the same as long as
/// nothing new is asked.
pub(super) fn start_digest(input: &Value, budget: &Budget) -> Value {
    let mut asked = json!({ "input": input, "budget_usd": budget.usd });
    if budget.tokens.is_some() || budget.on_budget != OnBudget::Wait {
        asked["budget_tokens"] = json!(budget.tokens);
        asked["on_budget"] = json!(budget.on_budget);
    }
    asked
}

/// The key of a start: unique for actor and place, bound to what is asked.
pub(super) fn start_key(
    actor: &Actor,
    place: &str,
    key: Option<&str>,
    asked: &Value,
) -> Result<Option<StartKey>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() || key.len() > MAX_KEY || !key.is_ascii() {
        return Err(ApiError::new(
            ErrorKind::BadRequest,
            "bad_idempotency_key",
            format!("An Idempotency-Key has 1 to {MAX_KEY} ASCII characters."),
        ));
    }
    Ok(Some(StartKey {
        key: format!("{}/{place}/{key}", actor.name),
        digest: asked.to_string(),
    }))
}
