//! Verbs about runs.

use std::collections::BTreeSet;

use app::{
    api::dto::{Accepted, Actor, AgentName, RunSnapshot, StartRun},
    error::{ApiError, ErrorKind},
};
use domain::{
    event::{Event, Fact},
    graph::check::check,
    id::RunId,
    run::{TaskEvent, input},
};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

use super::{Product, broken, input::complete_input};
use crate::{
    engine::{kernel::StartKey, recovery::graph_of},
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
        let key = request
            .idempotency_key
            .as_deref()
            .map(|key| start_key(actor, key, &request))
            .transpose()?;
        if let Some(key) = &key
            && let Some(known) = self.store.start(&key.key).await.map_err(broken)?
        {
            return if known.digest == key.digest {
                Ok(Accepted {
                    id: known.run,
                    seq: known.seq,
                })
            } else {
                Err(super::refused(&crate::engine::kernel::Refusal::KeyReused))
            };
        }
        let stored = self.stored(request.workflow, None).await?;
        let (graph, problems) = check(&stored.drawing);
        let graph = graph.ok_or_else(|| {
            ApiError::new(
                ErrorKind::Invalid,
                "workflow_has_problems",
                format!(
                    "The workflow cannot run: {}",
                    problems
                        .first()
                        .map(|problem| problem.message.as_str())
                        .unwrap_or_default()
                ),
            )
            .with_detail(json!({ "problems": problems }))
        })?;
        let input = complete_input(&graph.inputs, request.input)?;
        let id = RunId(Uuid::now_v7());
        let start = input::StartRun {
            run: id,
            workflow: request.workflow,
            version: stored.version,
            workflow_name: stored.drawing.name,
            graph: Arc::new(graph),
            input,
            budget_usd: request.budget_usd,
            parent: None,
        };
        let receipt = self
            .command(actor, input::Command::StartRun(Box::new(start)), key)
            .await?;
        Ok(Accepted {
            id: receipt.run.unwrap_or(id),
            seq: receipt.seq,
        })
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
        let graph = graph_of(&*self.store, workflow, version)
            .await
            .map_err(broken)?;
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

    pub(super) async fn stop_run(&self, actor: &Actor, id: RunId) -> Result<(), ApiError> {
        if self.store.run_origin(id).await.map_err(broken)?.is_none() {
            return Err(ApiError::not_found("run"));
        }
        self.command(actor, input::Command::CancelRun(id), None)
            .await
            .map(|_| ())
    }
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

/// The key of a start: unique for actor and workflow, bound to what is asked.
fn start_key(actor: &Actor, key: &str, request: &StartRun) -> Result<StartKey, ApiError> {
    if key.is_empty() || key.len() > MAX_KEY || !key.is_ascii() {
        return Err(ApiError::new(
            ErrorKind::BadRequest,
            "bad_idempotency_key",
            format!("An Idempotency-Key has 1 to {MAX_KEY} ASCII characters."),
        ));
    }
    let digest = json!({ "input": request.input, "budget_usd": request.budget_usd }).to_string();
    Ok(StartKey {
        key: format!("{}/{}/{key}", actor.name, request.workflow),
        digest,
    })
}
