//! Runs: start, list, read, follow. `runs/shape` is what a run looks like here, `runs/control` what can
//! be asked of it, `runs/batch` starts many.

pub mod batch;
pub mod control;
pub mod shape;

use std::str::FromStr;

use app::api::dto::{Accepted, PlayBack, RunQuery, StartRun};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    budget::OnBudget,
    id::{RunId, WorkflowId},
    money::MicroUsd,
    run::OnChange,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use self::shape::{RunItem, RunShape};
use super::{
    ask::{Ask, Asker, Id, MaybeGiven, maybe, text_header},
    events::EventItem,
    list::{Items, Limit, Seq},
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
    socket::log,
};

/// What a run is given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunRequest {
    /// A value for each input of the workflow.
    #[schema(value_type = Object)]
    input: Value,
    /// No call is made with which the run could cost more than this, in dollars.
    #[schema(value_type = Option<String>, example = "0.50")]
    budget_usd: Option<MicroUsd>,
    /// The same in tokens, read and written together.
    budget_tokens: Option<u64>,
    /// What becomes of a task whose next call could pass a limit: `wait` (for a person, who raises it
    /// or stops the run) or `fail`.
    #[schema(value_type = Option<String>, example = "wait")]
    on_budget: OnBudget,
    /// Gives the recorded answers of another run in the place of model calls, at no cost.
    replay: Option<ReplayRequest>,
}

/// A run to be played back.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// The run whose answers are given again.
    #[schema(value_type = String, format = "uuid")]
    run: RunId,
    /// What becomes of a call whose prompt is another one than that which was recorded: `ask` (a person,
    /// who answers with one of the others), `replay` (the recorded answer all the same), `live` (the
    /// model is called) or `fail`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "ask")]
    on_change: OnChange,
}

/// A run that was accepted and is durable.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedRun {
    /// The run.
    #[schema(format = "uuid")]
    id: String,
    /// Number of its first event: follow the stream from before it.
    seq: u64,
}

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunsAsked {
    /// `queued`, `running`, `paused`, `succeeded`, `failed`, `cancelled`; `live` for all that are not
    /// at their end.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>)]
    status: Option<RunStatus>,
    /// Of this workflow alone.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>, format = "uuid")]
    workflow: Option<WorkflowId>,
    /// `next` of the part before.
    #[serde(default, deserialize_with = "maybe")]
    cursor: Option<String>,
    /// 1 to 1,000; 100 when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
}

/// Which events of the run.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunEventsAsked {
    /// Behind this `run_seq`; from the first when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<u64>)]
    after: Option<Seq>,
    /// 1 to 1,000; 100 when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
}

/// The name of a status by which runs can be chosen.
#[derive(Debug)]
struct RunStatus(String);

impl FromStr for RunStatus {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        const KNOWN: [&str; 7] = [
            "queued",
            "running",
            "paused",
            "succeeded",
            "failed",
            "cancelled",
            "live",
        ];
        if KNOWN.contains(&raw) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(format!("write one of {}", KNOWN.join(", ")))
        }
    }
}

/// Accepts a run of the newest version; answers once that is durable. A start with the same
/// `Idempotency-Key` is the same start.
#[utoipa::path(post, path = "/api/v1/workflows/{id}/runs", tag = "runs",
    params(
        ("id" = String, Path, format = "uuid", description = "The workflow"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 ASCII characters"),
    ),
    request_body(content = Option<RunRequest>, description = "May be left out"),
    responses(
        (status = 202, body = AcceptedRun, headers(("Location" = String, description = "Where the run is"))),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn start(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(workflow): Id<WorkflowId>,
    headers: HeaderMap,
    MaybeGiven(request): MaybeGiven<RunRequest>,
) -> Result<Response, Problem> {
    let RunRequest {
        input,
        budget_usd,
        budget_tokens,
        on_budget,
        replay,
    } = request.unwrap_or_default();
    let idempotency_key = text_header(&headers, "idempotency-key")?;
    let accepted = state
        .backend
        .start_run(
            &actor,
            StartRun {
                workflow,
                input,
                budget_usd,
                budget_tokens,
                on_budget,
                replay: replay.map(|replay| PlayBack {
                    run: replay.run,
                    on_change: replay.on_change,
                }),
                idempotency_key,
            },
        )
        .await?;
    let location = format!("/api/v1/runs/{}", accepted.id);
    let body = Json(AcceptedRun::from(accepted));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], body).into_response())
}

/// What models answered in a run and in its child runs, as a file: `troupe run --replay` plays it back.
#[utoipa::path(get, path = "/api/v1/runs/{id}/recording", tag = "runs",
    params(("id" = String, Path, format = "uuid", description = "The run")),
    responses(
        (status = 200, body = Value, description = "A recording"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn recording(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(run): Id<RunId>,
) -> Result<Response, Problem> {
    let recording = state.backend.recording(&actor, run).await?;
    let name = format!("attachment; filename=\"recording-{run}.json\"");
    Ok(([(header::CONTENT_DISPOSITION, name)], Json(recording)).into_response())
}

/// Runs, newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(RunsAsked), responses(
    (status = 200, body = Items<RunItem>),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn list(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Ask(asked): Ask<RunsAsked>,
) -> Result<Json<Items<RunItem>>, Problem> {
    let query = RunQuery {
        status: asked.status.map(|status| status.0),
        workflow: asked.workflow,
        cursor: asked.cursor,
        limit: asked.limit.map(|limit| limit.0),
    };
    let page = state.backend.runs(&actor, query).await?;
    Ok(Json(Items::part(page, RunItem::from)))
}

/// One run with all of its tasks and attempts.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs",
    params(("id" = String, Path, format = "uuid", description = "The run")),
    responses(
        (status = 200, body = RunShape),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn read(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<RunId>,
) -> Result<Json<RunShape>, Problem> {
    let snapshot = state.backend.run(&actor, id).await?;
    Ok(Json(RunShape::of(&snapshot.run)))
}

/// Events of one run, oldest first; `next` is the `after` of the next part.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "runs",
    params(("id" = String, Path, format = "uuid", description = "The run"), RunEventsAsked),
    responses(
        (status = 200, body = Items<EventItem>),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn events(
    State(state): State<WebState>,
    _: Asker,
    Id(id): Id<RunId>,
    Ask(asked): Ask<RunEventsAsked>,
) -> Result<Json<Items<EventItem>>, Problem> {
    let after = asked.after.map_or(0, |after| after.0);
    let limit = asked.limit.unwrap_or(Limit::DEFAULT).0 as usize;
    let found = state
        .log
        .run_events(id, after, limit as u32 + 1)
        .await
        .map_err(log::problem)?;
    let mut frames = found.ok_or_else(|| Problem::not_found("There is no such run."))?;
    let more = frames.len() > limit;
    frames.truncate(limit);
    let next = frames
        .last()
        .filter(|_| more)
        .and_then(|frame| frame.run_seq)
        .map(|run_seq| run_seq.to_string());
    Ok(Json(Items {
        items: frames.into_iter().map(EventItem::from).collect(),
        next,
    }))
}

impl From<Accepted> for AcceptedRun {
    fn from(accepted: Accepted) -> Self {
        Self {
            id: accepted.id.to_string(),
            seq: accepted.seq,
        }
    }
}
