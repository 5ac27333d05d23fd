//! Agents: list, make, read, hold, end. `agents/messages` is what they write and are written.

pub mod messages;

use app::api::dto::AgentDetail;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    agent::{Agent, AgentSpec, AgentState},
    graph::Preferences,
    id::AgentId,
    run::AttemptKey,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ask::{Ask, Asker, Given, Id, maybe},
    events::EventItem,
    list::Items,
    runs::shape::ErrorShape,
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// Which agents.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgentsAsked {
    /// `true`: also those that were terminated (the newest 200).
    #[serde(default, deserialize_with = "maybe")]
    gone: Option<bool>,
}

/// What an agent is made from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRequest {
    /// What people and nodes call it; unique among live agents.
    name: String,
    /// What it can do; nodes ask for these words.
    #[serde(default)]
    capabilities: Vec<String>,
    /// `provider:model`; the server's default when missing.
    #[serde(default)]
    model: Option<String>,
    /// Models that are asked, in order, when that one brings no answer.
    #[serde(default)]
    models: Vec<String>,
    /// What is wanted of the servers behind OpenRouter: `sort`, `max_price`, `data_collection` and the
    /// other keys of its `provider` object.
    #[serde(default)]
    #[schema(value_type = Object)]
    provider: Preferences,
    /// Standing orders that go before every prompt.
    #[serde(default)]
    instructions: Option<String>,
    /// Tools that it may use.
    #[serde(default)]
    tools: Vec<String>,
    /// How many tasks it does at a time; 1 when missing.
    #[serde(default)]
    max_tasks: u32,
    /// Whether it remembers other runs: what it noted, and what was written to it there.
    #[serde(default)]
    memory: bool,
}

/// An agent that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeAgent {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentShape {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// What people and nodes call it.
    name: String,
    /// What it can do.
    capabilities: Vec<String>,
    /// `provider:model`; null for the server's default.
    model: Option<String>,
    /// Models that are asked, in order, when that one brings no answer.
    models: Vec<String>,
    /// What is wanted of the servers behind OpenRouter.
    #[schema(value_type = Object)]
    provider: Preferences,
    /// Standing orders that go before every prompt.
    instructions: String,
    /// Tools that it may use.
    tools: Vec<String>,
    /// How many tasks it does at a time.
    max_tasks: u32,
    /// Whether it remembers other runs.
    memory: bool,
    /// Messages that it has not read.
    unread: usize,
    /// `spawning`, `idle`, `working`, `paused`, `error`, `terminated`.
    state: &'static str,
    /// The attempt that it is at.
    working_on: Option<AttemptName>,
    /// What happened, when it is in error.
    error: Option<ErrorShape>,
    /// Why it is gone, when it is terminated.
    reason: Option<String>,
    /// Spawned because a task needed it.
    on_demand: bool,
    /// When it was spawned.
    #[schema(format = "date-time")]
    created_at: String,
    /// When its state last changed.
    #[schema(format = "date-time")]
    updated_at: String,
    /// Attempts that it finished, well or not.
    attempts_done: u64,
    /// What its model calls cost so far, as far as known.
    cost_usd: String,
}

/// An agent with what it did lately.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentInFull {
    /// The agent.
    #[serde(flatten)]
    agent: AgentShape,
    /// Where it keeps its files.
    workspace_path: String,
    /// Its newest events, newest first.
    events: Vec<EventItem>,
}

/// Which attempt of which task of which run.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptName {
    /// The run.
    #[schema(format = "uuid")]
    run_id: String,
    /// The task.
    task: String,
    /// 1, 2, 3, ...
    attempt: u32,
}

/// Live agents, oldest first.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", params(AgentsAsked), responses(
    (status = 200, body = Items<AgentShape>),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn list(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Ask(asked): Ask<AgentsAsked>,
) -> Result<Json<Items<AgentShape>>, Problem> {
    let agents = state
        .backend
        .agents(&actor, asked.gone.unwrap_or(false))
        .await?;
    Ok(Json(Items::whole(agents.into_iter().map(AgentShape::from))))
}

/// Makes an agent; answers once that is durable.
#[utoipa::path(post, path = "/api/v1/agents", tag = "agents", request_body = AgentRequest, responses(
    (status = 201, body = MadeAgent, headers(("Location" = String, description = "Where the agent is"))),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn spawn(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Given(request): Given<AgentRequest>,
) -> Result<Response, Problem> {
    let id = state
        .backend
        .spawn_agent(&actor, AgentSpec::from(request))
        .await?;
    let location = format!("/api/v1/agents/{id}");
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(MadeAgent { id: id.to_string() }),
    )
        .into_response())
}

/// One agent with what it did lately.
#[utoipa::path(get, path = "/api/v1/agents/{id}", tag = "agents",
    params(("id" = String, Path, format = "uuid", description = "The agent")),
    responses(
        (status = 200, body = AgentInFull),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn read(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<AgentId>,
) -> Result<Json<AgentInFull>, Problem> {
    Ok(Json(AgentInFull::from(
        state.backend.agent(&actor, id).await?,
    )))
}

/// Gives an agent no more work; what it is at goes on to its end.
#[utoipa::path(post, path = "/api/v1/agents/{id}/pause", tag = "agents",
    params(("id" = String, Path, format = "uuid", description = "The agent")),
    responses(
        (status = 200, body = AgentShape),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn pause(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<AgentId>,
) -> Result<Json<AgentShape>, Problem> {
    state.backend.pause_agent(&actor, id).await?;
    Ok(Json(AgentShape::from(
        state.backend.agent(&actor, id).await?.agent,
    )))
}

/// Gives an agent work again; also brings back one that is in error.
#[utoipa::path(post, path = "/api/v1/agents/{id}/resume", tag = "agents",
    params(("id" = String, Path, format = "uuid", description = "The agent")),
    responses(
        (status = 200, body = AgentShape),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn resume(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<AgentId>,
) -> Result<Json<AgentShape>, Problem> {
    state.backend.resume_agent(&actor, id).await?;
    Ok(Json(AgentShape::from(
        state.backend.agent(&actor, id).await?.agent,
    )))
}

/// Ends an agent.
#[utoipa::path(post, path = "/api/v1/agents/{id}/terminate", tag = "agents",
    params(("id" = String, Path, format = "uuid", description = "The agent")),
    responses(
        (status = 200, body = AgentShape),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn terminate(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<AgentId>,
) -> Result<Json<AgentShape>, Problem> {
    state.backend.terminate_agent(&actor, id).await?;
    Ok(Json(AgentShape::from(
        state.backend.agent(&actor, id).await?.agent,
    )))
}

impl From<AgentRequest> for AgentSpec {
    fn from(request: AgentRequest) -> Self {
        let AgentRequest {
            name,
            capabilities,
            model,
            models,
            provider,
            instructions,
            tools,
            max_tasks,
            memory,
        } = request;
        Self {
            name,
            capabilities,
            model,
            models,
            provider,
            instructions: instructions.unwrap_or_default(),
            tools,
            max_tasks,
            memory,
        }
    }
}

impl From<Agent> for AgentShape {
    fn from(agent: Agent) -> Self {
        let state = agent.state.phase().name();
        let working_on = agent.working_on().map(AttemptName::from);
        let (error, reason) = match agent.state {
            AgentState::Error { error } => (Some(ErrorShape::of(&error)), None),
            AgentState::Terminated { reason } => (None, Some(reason)),
            AgentState::Spawning
            | AgentState::Idle
            | AgentState::Working { .. }
            | AgentState::Paused { .. } => (None, None),
        };
        let AgentSpec {
            name,
            capabilities,
            model,
            models,
            provider,
            instructions,
            tools,
            max_tasks,
            memory,
        } = agent.spec;
        Self {
            id: agent.id.to_string(),
            name,
            capabilities,
            model,
            models,
            provider,
            instructions,
            tools,
            max_tasks: max_tasks.max(1),
            memory,
            unread: agent.mailbox.len(),
            state,
            working_on,
            error,
            reason,
            on_demand: agent.on_demand,
            created_at: agent.created_at.rfc3339(),
            updated_at: agent.updated_at.rfc3339(),
            attempts_done: agent.attempts_done,
            cost_usd: agent.cost_usd.to_string(),
        }
    }
}

impl From<&AttemptKey> for AttemptName {
    fn from(key: &AttemptKey) -> Self {
        Self {
            run_id: key.run.to_string(),
            task: key.task.to_string(),
            attempt: key.attempt,
        }
    }
}

impl From<AgentDetail> for AgentInFull {
    fn from(detail: AgentDetail) -> Self {
        Self {
            agent: AgentShape::from(detail.agent),
            workspace_path: detail.workspace_path,
            events: detail.events.into_iter().map(EventItem::from).collect(),
        }
    }
}
