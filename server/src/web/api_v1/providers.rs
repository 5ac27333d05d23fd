//! Where model calls can go. Keys are never shown, only whether there is one.

use app::api::dto::ProviderInfo;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ask::Asker, list::Items};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// A place where model calls can go.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderShape {
    /// `openrouter`, `openai`, `ollama`, `rehearsal`.
    name: String,
    /// Where it is; null for the one built in.
    base_url: Option<String>,
    /// Whether a key is known.
    has_key: bool,
    /// Whether its answers are simulated.
    simulated: bool,
    /// Whether tasks that name no model go here.
    is_default: bool,
    /// `provider:model` that such tasks use.
    default_model: Option<String>,
}

/// Where model calls can go.
#[utoipa::path(get, path = "/api/v1/providers", tag = "providers", responses(
    (status = 200, body = Items<ProviderShape>),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn list(
    State(state): State<WebState>,
    Asker(actor): Asker,
) -> Result<Json<Items<ProviderShape>>, Problem> {
    let providers = state.backend.providers(&actor).await?;
    Ok(Json(Items::whole(
        providers.into_iter().map(ProviderShape::from),
    )))
}

impl From<ProviderInfo> for ProviderShape {
    fn from(provider: ProviderInfo) -> Self {
        let ProviderInfo {
            name,
            base_url,
            has_key,
            simulated,
            is_default,
            default_model,
        } = provider;
        Self {
            name,
            base_url,
            has_key,
            simulated,
            is_default,
            default_model,
        }
    }
}
