//! Runs: start, look, stop.

use domain::{frame::Delta, id::RunId};
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{
    api::dto::{self, Accepted, Page, RunQuery, RunSnapshot, RunSummary},
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
