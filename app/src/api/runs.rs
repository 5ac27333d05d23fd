//! Runs: start, look, hold, stop, take up again, answer.

use domain::{frame::Delta, id::RunId};
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{
    api::dto::{self, Accepted, GivenAnswer, Page, RunQuery, RunSnapshot, RunSummary},
    error::ApiError,
};

/// Accepts a run; answers after it is durable.
#[server(prefix = "/api", endpoint = "start_run", input = Json)]
pub async fn start_run(request: dto::StartRun) -> Result<Accepted, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.start_run(&actor, request).await)
}

/// Runs, newest first.
#[server(prefix = "/api", endpoint = "runs", input = Json)]
pub async fn runs(query: RunQuery) -> Result<Page<RunSummary>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.runs(&actor, query).await)
}

/// One run with everything that happened in it.
#[server(prefix = "/api", endpoint = "run", input = Json)]
pub async fn run(id: RunId) -> Result<RunSnapshot, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.run(&actor, id).await)
}

/// What was said so far in a run's answers that are not at their end, each as one piece.
#[server(prefix = "/api", endpoint = "written", input = Json)]
pub async fn written(id: RunId) -> Result<Vec<Delta>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.written(&actor, id).await)
}

/// Stops a run at once.
#[server(prefix = "/api", endpoint = "cancel_run", input = Json)]
pub async fn cancel_run(id: RunId) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.cancel_run(&actor, id).await)
}

/// Holds a run: what is under way ends, nothing starts.
#[server(prefix = "/api", endpoint = "pause_run", input = Json)]
pub async fn pause_run(id: RunId) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.pause_run(&actor, id).await)
}

/// Lets a held run go on.
#[server(prefix = "/api", endpoint = "resume_run", input = Json)]
pub async fn resume_run(id: RunId) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.resume_run(&actor, id).await)
}

/// Takes up a run again, or begins one that keeps what is finished in it.
#[server(prefix = "/api", endpoint = "retry_run", input = Json)]
pub async fn retry_run(request: dto::RetryRun) -> Result<Accepted, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.retry_run(&actor, request).await)
}

/// Begins a run of one step alone.
#[server(prefix = "/api", endpoint = "run_node", input = Json)]
pub async fn run_node(request: dto::RunNode) -> Result<Accepted, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.run_node(&actor, request).await)
}

/// Answers a task that waits for a person.
#[server(prefix = "/api", endpoint = "answer_task", input = Json)]
pub async fn answer_task(given: GivenAnswer) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.answer(&actor, given).await)
}
