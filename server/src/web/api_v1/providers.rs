//! Where model calls can go, and what is on offer there. Keys come in and never go out: only whether
//! there is one is told.

use app::api::dto::{ModelOffer, ProviderCheck, ProviderForm, ProviderInfo, WrittenKey};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::quota::{Allowance, AllowanceOf, Quota};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ask::{Ask, Asker, Given, Id, Named, maybe},
    list::Items,
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// A place where model calls can go.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderShape {
    /// `openrouter`, `openai`, `ollama`, `rehearsal`, or what somebody called it.
    name: String,
    /// `openrouter`, `openai`, `compatible`, `rehearsal`.
    kind: String,
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
    /// Whether it can be changed here; the others are set where the server is started.
    editable: bool,
}

/// A provider to be set up or changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderRequest {
    /// The part of a model's name before the colon; in a change the path says it.
    #[serde(default)]
    name: Option<String>,
    /// `openrouter`, `openai` or `compatible`.
    kind: String,
    /// Up to and without `/chat/completions`; null where that kind usually is.
    #[serde(default)]
    base_url: Option<String>,
    /// Its key: null keeps the one that is known, an empty one removes it. It never comes back.
    #[serde(default)]
    key: Option<String>,
    /// The model meant when nobody names one.
    #[serde(default)]
    default_model: Option<String>,
    /// Whether the address may be in the server's machine or its network.
    #[serde(default)]
    private: bool,
}

/// Whether a provider can be used.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckShape {
    /// Whether a call would get through.
    works: bool,
    /// How many models it offers; null where that is not known.
    models: Option<u64>,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// What is well, or what is wrong and what to do.
    message: String,
    /// The stable name of the failure; null where it works.
    code: Option<String>,
}

/// What a key may spend; null where the provider does not say, or where there is no limit.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuotaShape {
    /// All that it may spend.
    limit_usd: Option<String>,
    /// What is left of that.
    remaining_usd: Option<String>,
    /// What it has spent.
    used_usd: Option<String>,
    /// `daily`, `weekly` or `monthly`, where the limit begins anew.
    resets: Option<String>,
    /// What is left of other things that are limited, as the server said with its last answer.
    allowances: Vec<AllowanceShape>,
}

/// What is left of something that a key may have only so much of in a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct AllowanceShape {
    /// `requests`, `tokens` or `free_requests`.
    of: &'static str,
    /// How much it may have.
    limit: u64,
    /// How much is left.
    remaining: u64,
    /// When all of it is there again; null: the provider does not say.
    resets_at: Option<String>,
}

/// A model on offer. Null: not known.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelShape {
    /// `provider:model`, as nodes and agents name it.
    model: String,
    /// What people call it.
    name: String,
    /// How much it can read and write together, in tokens.
    context_tokens: Option<u64>,
    /// Price of a million tokens read.
    prompt_usd_per_million: Option<String>,
    /// Price of a million tokens written.
    completion_usd_per_million: Option<String>,
    /// Whether it can use tools.
    tools: Option<bool>,
    /// Whether it can be held to a JSON Schema.
    json_schema: Option<bool>,
}

/// Which models.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ModelsAsked {
    /// `true`: the providers are asked again.
    #[serde(default, deserialize_with = "maybe")]
    refresh: Option<bool>,
}

/// The name of a provider in a path.
pub struct ProviderName(String);

impl std::str::FromStr for ProviderName {
    type Err = std::convert::Infallible;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        Ok(Self(raw.to_owned()))
    }
}

impl Named for ProviderName {
    const WHAT: &'static str = "provider";
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

/// Sets a provider up; it can be used at once.
#[utoipa::path(post, path = "/api/v1/providers", tag = "providers", request_body = ProviderRequest, responses(
    (status = 201, description = "It is set up", headers(("Location" = String, description = "Where it can be changed"))),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn add(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Given(request): Given<ProviderRequest>,
) -> Result<Response, Problem> {
    let form = ProviderForm::from(request);
    let location = format!("/api/v1/providers/{}", form.name);
    state.backend.save_provider(&actor, None, form).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, location)]).into_response())
}

/// Changes a provider; what is under way keeps the old one.
#[utoipa::path(put, path = "/api/v1/providers/{name}", tag = "providers", request_body = ProviderRequest,
    params(("name" = String, Path, description = "The provider")),
    responses(
        (status = 204, description = "It is changed"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn change(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(ProviderName(name)): Id<ProviderName>,
    Given(request): Given<ProviderRequest>,
) -> Result<StatusCode, Problem> {
    let form = ProviderForm::from(request);
    state
        .backend
        .save_provider(&actor, Some(name), form)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a provider; calls under way go on to their end.
#[utoipa::path(delete, path = "/api/v1/providers/{name}", tag = "providers",
    params(("name" = String, Path, description = "The provider")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn remove(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(ProviderName(name)): Id<ProviderName>,
) -> Result<StatusCode, Problem> {
    state.backend.remove_provider(&actor, name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a provider can be used. Costs nothing.
#[utoipa::path(post, path = "/api/v1/providers/{name}/check", tag = "providers",
    params(("name" = String, Path, description = "The provider")),
    responses(
        (status = 200, body = CheckShape),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn check(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(ProviderName(name)): Id<ProviderName>,
) -> Result<Json<CheckShape>, Problem> {
    let ProviderCheck {
        works,
        models,
        took_ms,
        message,
        code,
    } = state.backend.check_provider(&actor, name).await?;
    Ok(Json(CheckShape {
        works,
        models,
        took_ms,
        message,
        code,
    }))
}

/// What a provider's key may spend.
#[utoipa::path(get, path = "/api/v1/providers/{name}/quota", tag = "providers",
    params(("name" = String, Path, description = "The provider")),
    responses(
        (status = 200, body = QuotaShape),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn quota(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(ProviderName(name)): Id<ProviderName>,
) -> Result<Json<QuotaShape>, Problem> {
    let Quota {
        limit_usd,
        remaining_usd,
        used_usd,
        resets,
        allowances,
    } = state.backend.quota(&actor, name).await?;
    Ok(Json(QuotaShape {
        limit_usd: limit_usd.map(|amount| amount.to_string()),
        remaining_usd: remaining_usd.map(|amount| amount.to_string()),
        used_usd: used_usd.map(|amount| amount.to_string()),
        resets,
        allowances: allowances.into_iter().map(AllowanceShape::from).collect(),
    }))
}

impl From<Allowance> for AllowanceShape {
    fn from(allowance: Allowance) -> Self {
        Self {
            of: match allowance.of {
                AllowanceOf::Requests => "requests",
                AllowanceOf::Tokens => "tokens",
                AllowanceOf::FreeRequests => "free_requests",
            },
            limit: allowance.limit,
            remaining: allowance.remaining,
            resets_at: allowance.resets_at.map(|at| at.rfc3339()),
        }
    }
}

/// All models on offer. Providers that do not answer are left out.
#[utoipa::path(get, path = "/api/v1/models", tag = "providers", params(ModelsAsked), responses(
    (status = 200, body = Items<ModelShape>),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn models(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Ask(asked): Ask<ModelsAsked>,
) -> Result<Json<Items<ModelShape>>, Problem> {
    let refresh = asked.refresh.unwrap_or(false);
    let catalogue = state.backend.models(&actor, refresh).await?;
    Ok(Json(Items::whole(
        catalogue.models.into_iter().map(ModelShape::from),
    )))
}

impl From<ProviderRequest> for ProviderForm {
    fn from(request: ProviderRequest) -> Self {
        let ProviderRequest {
            name,
            kind,
            base_url,
            key,
            default_model,
            private,
        } = request;
        Self {
            name: name.unwrap_or_default(),
            kind,
            base_url,
            key: key.map(WrittenKey),
            default_model,
            private,
        }
    }
}

impl From<ModelOffer> for ModelShape {
    fn from(offer: ModelOffer) -> Self {
        let ModelOffer {
            model,
            name,
            context_tokens,
            prompt_usd_per_million,
            completion_usd_per_million,
            tools,
            json_schema,
        } = offer;
        Self {
            model,
            name,
            context_tokens,
            prompt_usd_per_million: prompt_usd_per_million.map(|price| price.to_string()),
            completion_usd_per_million: completion_usd_per_million.map(|price| price.to_string()),
            tools,
            json_schema,
        }
    }
}

impl From<ProviderInfo> for ProviderShape {
    fn from(provider: ProviderInfo) -> Self {
        let ProviderInfo {
            name,
            kind,
            base_url,
            has_key,
            simulated,
            is_default,
            default_model,
            editable,
        } = provider;
        Self {
            name,
            kind,
            base_url,
            has_key,
            simulated,
            is_default,
            default_model,
            editable,
        }
    }
}
