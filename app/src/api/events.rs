//! The log, read by filters.

use domain::frame::EventFrame;
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{
    api::dto::{EventQuery, Page},
    error::ApiError,
};

/// Stored events. With `before` the newest first, with `after` the oldest first.
#[server(prefix = "/api", endpoint = "events", input = Json)]
pub async fn events(query: EventQuery) -> Result<Page<EventFrame>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.events(&actor, query).await)
}
