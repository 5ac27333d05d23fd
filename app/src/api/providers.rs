//! Providers and their models.

use domain::quota::Quota;
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{
    api::dto::{Catalogue, FoundServer, ProviderCheck, ProviderForm},
    error::ApiError,
};

/// Sets a provider up, or changes the one called `known`.
#[server(prefix = "/api", endpoint = "save_provider", input = Json)]
pub async fn save_provider(known: Option<String>, form: ProviderForm) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.save_provider(&actor, known, form).await)
}

/// Removes a provider that was set up in Settings.
#[server(prefix = "/api", endpoint = "remove_provider", input = Json)]
pub async fn remove_provider(name: String) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.remove_provider(&actor, name).await)
}

/// Whether a provider can be used.
#[server(prefix = "/api", endpoint = "check_provider", input = Json)]
pub async fn check_provider(name: String) -> Result<ProviderCheck, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.check_provider(&actor, name).await)
}

/// What a provider's key may spend.
#[server(prefix = "/api", endpoint = "provider_quota", input = Json)]
pub async fn provider_quota(name: String) -> Result<Quota, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.quota(&actor, name).await)
}

/// Model servers on this machine that are not set up yet.
#[server(prefix = "/api", endpoint = "find_servers", input = Json)]
pub async fn find_servers() -> Result<Vec<FoundServer>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.find_servers(&actor).await)
}

/// All models on offer; `refresh` asks the providers again.
#[server(prefix = "/api", endpoint = "models", input = Json)]
pub async fn models(refresh: bool) -> Result<Catalogue, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.models(&actor, refresh).await)
}
