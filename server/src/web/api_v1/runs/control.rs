//! What can be asked of a run that exists: stop, hold, go on, do again, take an answer.

use std::collections::BTreeMap;

use app::api::dto::{GivenAnswer, RetryRun, RunNode};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::id::{NodeId, PortName, RunId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    super::ask::{Asker, Given, Id, MaybeGiven, TaskOf, text_header},
    AcceptedRun,
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// A run that was told something.
#[derive(Debug, Serialize, ToSchema)]
pub struct ControlledRun {
    /// The run.
    #[schema(format = "uuid")]
    id: String,
    /// What it is now: `cancelled`, `paused` or `running`.
    status: &'static str,
}

/// How a run is done again. With nothing in it, the same run goes on from what failed; with anything
/// a new run begins that names this one as its parent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryRequest {
    /// Do this step and all behind it again, keeping the results of the others.
    from: Option<String>,
    /// What the new run is given; what this one was given when missing.
    #[schema(value_type = Option<Object>)]
    input: Option<Value>,
    /// In the newest version of the workflow; refused where a finished step that is kept has changed.
    newest: bool,
    /// Do this step alone.
    only: Option<String>,
    /// With `only`: values in place of what other steps brought, by the steps' ids.
    #[schema(value_type = Object)]
    pins: BTreeMap<String, Value>,
}

/// What a person says to a task that waits for one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// `approved` or `rejected`; for an unknown end `succeeded`, `retry` or `failed`.
    port: String,
    /// A remark.
    #[serde(default)]
    comment: Option<String>,
    /// Whatever belongs to it; the output, where an unknown end is said to have succeeded.
    #[serde(default)]
    data: Value,
}

/// A task that was answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnsweredTask {
    /// The run.
    #[schema(format = "uuid")]
    run_id: String,
    /// The task.
    task: String,
    /// What was said.
    port: String,
}

/// Stops a run at once, with the children that it waits for. One that is cancelled already stays so.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs",
    params(("id" = String, Path, format = "uuid", description = "The run")),
    responses(
        (status = 200, body = ControlledRun),
        (status = 409, description = "It has ended already", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn cancel(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<RunId>,
) -> Result<Json<ControlledRun>, Problem> {
    state.backend.cancel_run(&actor, id).await?;
    Ok(controlled(id, "cancelled"))
}

/// Holds a run: what is under way ends, nothing starts. One that is held already stays so.
#[utoipa::path(post, path = "/api/v1/runs/{id}/pause", tag = "runs", operation_id = "pause_run",
    params(("id" = String, Path, format = "uuid", description = "The run")),
    responses(
        (status = 200, body = ControlledRun),
        (status = 409, description = "It has ended already", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn pause(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<RunId>,
) -> Result<Json<ControlledRun>, Problem> {
    state.backend.pause_run(&actor, id).await?;
    Ok(controlled(id, "paused"))
}

/// Lets a held run go on. One that is not held stays so.
#[utoipa::path(post, path = "/api/v1/runs/{id}/resume", tag = "runs", operation_id = "resume_run",
    params(("id" = String, Path, format = "uuid", description = "The run")),
    responses(
        (status = 200, body = ControlledRun),
        (status = 409, description = "It has ended already", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn resume(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<RunId>,
) -> Result<Json<ControlledRun>, Problem> {
    state.backend.resume_run(&actor, id).await?;
    Ok(controlled(id, "running"))
}

/// Does a run again, keeping what was finished: the same run where nothing is asked in particular,
/// else a new one. The answer names the run that goes on.
#[utoipa::path(post, path = "/api/v1/runs/{id}/retry", tag = "runs",
    params(
        ("id" = String, Path, format = "uuid", description = "The run"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 ASCII characters; for a new run"),
    ),
    request_body(content = Option<RetryRequest>, description = "May be left out"),
    responses(
        (status = 202, body = AcceptedRun, headers(("Location" = String, description = "Where the run is"))),
        (status = 409, description = "It makes no sense: the code says why", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn retry(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(run): Id<RunId>,
    headers: HeaderMap,
    MaybeGiven(request): MaybeGiven<RetryRequest>,
) -> Result<Response, Problem> {
    let RetryRequest {
        from,
        input,
        newest,
        only,
        pins,
    } = request.unwrap_or_default();
    let idempotency_key = text_header(&headers, "idempotency-key")?;
    let accepted = match only {
        Some(only) => {
            if from.is_some() || input.is_some() || newest {
                return Err(Problem::bad_request(
                    "bad_value",
                    "With `only` a step is done in the version and with the input of this run: leave `from`, `input` and `newest` out.",
                ));
            }
            let node = step(&only)?;
            let pins = pins.into_iter().map(|(id, value)| Ok((step(&id)?, value)));
            let pins = pins.collect::<Result<_, Problem>>()?;
            let request = RunNode {
                run,
                node,
                pins,
                idempotency_key,
            };
            state.backend.run_node(&actor, request).await?
        }
        None if !pins.is_empty() => {
            return Err(Problem::bad_request(
                "bad_value",
                "`pins` go with `only`: name the step that is done alone.",
            ));
        }
        None => {
            let request = RetryRun {
                run,
                from: from.as_deref().map(step).transpose()?,
                input,
                newest,
                idempotency_key,
            };
            state.backend.retry_run(&actor, request).await?
        }
    };
    let location = format!("/api/v1/runs/{}", accepted.id);
    let body = Json(AcceptedRun::from(accepted));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], body).into_response())
}

/// Answers a task that waits for a person. The first answer counts; a second one is refused.
#[utoipa::path(post, path = "/api/v1/runs/{id}/tasks/{task}/answer", tag = "runs",
    params(
        ("id" = String, Path, format = "uuid", description = "The run"),
        ("task" = String, Path, description = "The task's name"),
    ),
    request_body = AnswerRequest,
    responses(
        (status = 200, body = AnsweredTask),
        (status = 409, description = "`already_answered`, or it waits for no answer", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn answer(
    State(state): State<WebState>,
    Asker(actor): Asker,
    TaskOf(run, task): TaskOf,
    Given(request): Given<AnswerRequest>,
) -> Result<Json<AnsweredTask>, Problem> {
    let AnswerRequest {
        port,
        comment,
        data,
    } = request;
    let given = GivenAnswer {
        run,
        task: task.clone(),
        port: PortName::parse(&port).map_err(|error| unfit(&error))?,
        comment: comment.unwrap_or_default(),
        data,
    };
    state.backend.answer(&actor, given).await?;
    Ok(Json(AnsweredTask {
        run_id: run.to_string(),
        task: task.to_string(),
        port,
    }))
}

fn controlled(id: RunId, status: &'static str) -> Json<ControlledRun> {
    let id = id.to_string();
    Json(ControlledRun { id, status })
}

fn step(raw: &str) -> Result<NodeId, Problem> {
    NodeId::parse(raw).map_err(|error| unfit(&error))
}

fn unfit(error: &domain::id::BadId) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "bad_value",
        format!("The body does not fit: {error}."),
    )
}
