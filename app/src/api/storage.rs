//! What takes the space, and what goes.

use domain::retention::Retention;
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{api::dto, error::ApiError};

/// What takes the space, how long what is kept, and the clean-up that follows from that.
#[server(prefix = "/api", endpoint = "storage", input = Json)]
pub async fn storage() -> Result<dto::Storage, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.storage(&actor).await)
}

/// Changes how long what is kept.
#[server(prefix = "/api", endpoint = "set_retention", input = Json)]
pub async fn set_retention(rules: Retention) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.set_retention(&actor, rules).await)
}

/// Cleans up now.
#[server(prefix = "/api", endpoint = "clean_up", input = Json)]
pub async fn clean_up() -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.clean_up(&actor).await)
}

/// Stops a clean-up.
#[server(prefix = "/api", endpoint = "stop_clean_up", input = Json)]
pub async fn stop_clean_up() -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.stop_clean_up(&actor).await)
}
