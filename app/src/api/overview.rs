//! The state of the whole: figures, live runs, providers.

use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{
    api::dto::{self, ProviderInfo},
    error::ApiError,
};

/// Figures and live runs for the control room.
#[server(prefix = "/api", endpoint = "overview", input = Json)]
pub async fn overview() -> Result<dto::Overview, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.overview(&actor).await)
}

/// What every page shows at its top.
#[server(prefix = "/api", endpoint = "status", input = Json)]
pub async fn status() -> Result<dto::Status, ApiError> {
    let (backend, actor) = backend()?;
    let dto::Overview {
        metrics,
        simulated,
        now,
        version,
        ..
    } = backend.overview(&actor).await?;
    Ok(dto::Status {
        metrics,
        simulated,
        now,
        version,
    })
}

/// Where model calls can go.
#[server(prefix = "/api", endpoint = "providers", input = Json)]
pub async fn providers() -> Result<Vec<ProviderInfo>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.providers(&actor).await)
}
