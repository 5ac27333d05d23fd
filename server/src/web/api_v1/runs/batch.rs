//! Many runs of one workflow at once.

use app::{
    api::dto::{Accepted, Actor},
    error::ApiError,
};
use async_trait::async_trait;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use domain::{
    budget::{Budget, OnBudget},
    id::WorkflowId,
    money::MicroUsd,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    super::ask::{Asker, Id, ManyGiven, text_header},
    AcceptedRun,
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// Most runs in one batch: they share one turn of the engine, and others wait meanwhile.
const MAX_RUNS: usize = 1_000;

/// Accepts many runs in one commit: all of them, or none. Programs ask for it and pages do not.
#[async_trait]
pub trait Batches: Send + Sync + 'static {
    /// Accepts a run for each input; answers in their order, once all are durable.
    async fn start_batch(
        &self,
        actor: &Actor,
        workflow: WorkflowId,
        inputs: Vec<Value>,
        budget: Budget,
        idempotency_key: Option<String>,
    ) -> Result<Vec<Accepted>, ApiError>;
}

/// What the runs are given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// For each run an object with a value for each input of the workflow; at most 1,000.
    #[schema(value_type = Vec<Object>)]
    inputs: Vec<Value>,
    /// Each run stops before the next model call once it has spent this, in dollars.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "0.50")]
    budget_usd: Option<MicroUsd>,
    /// The same in tokens, read and written together.
    #[serde(default)]
    budget_tokens: Option<u64>,
    /// What becomes of a task whose next call could pass a limit: `wait` or `fail`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "wait")]
    on_budget: OnBudget,
}

/// Runs that were accepted and are durable.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedRuns {
    /// In the order of the inputs.
    items: Vec<AcceptedRun>,
}

/// Accepts many runs of the newest version in one commit: after a crash all of them are there, or
/// none. A batch with the same `Idempotency-Key` is the same batch.
#[utoipa::path(post, path = "/api/v1/workflows/{id}/runs/batch", tag = "runs",
    operation_id = "start_batch",
    params(
        ("id" = String, Path, format = "uuid", description = "The workflow"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 250 ASCII characters"),
    ),
    request_body = BatchRequest,
    responses(
        (status = 202, body = AcceptedRuns),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn start(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(workflow): Id<WorkflowId>,
    headers: HeaderMap,
    ManyGiven(request): ManyGiven<BatchRequest>,
) -> Result<(StatusCode, Json<AcceptedRuns>), Problem> {
    let BatchRequest {
        inputs,
        budget_usd,
        budget_tokens,
        on_budget,
    } = request;
    if inputs.len() > MAX_RUNS {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_runs",
            format!(
                "A batch may have {MAX_RUNS} runs; this one has {}. Send it in parts.",
                inputs.len()
            ),
        ));
    }
    let key = text_header(&headers, "idempotency-key")?;
    let budget = Budget {
        usd: budget_usd,
        tokens: budget_tokens,
        on_budget,
        ..Budget::default()
    };
    let accepted = state
        .batches
        .start_batch(&actor, workflow, inputs, budget, key)
        .await?;
    let items = accepted.into_iter().map(AcceptedRun::from).collect();
    Ok((StatusCode::ACCEPTED, Json(AcceptedRuns { items })))
}
