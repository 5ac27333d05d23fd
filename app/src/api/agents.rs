//! Agents: spawn, look, hold, end, write to.

use domain::{
    agent::{self, AgentSpec},
    id::AgentId,
};
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{
    api::dto::{AgentDetail, AgentMessage, AgentQuery, AgentsFound},
    error::ApiError,
};

/// Every live agent, and with `gone` also those that were terminated.
#[server(prefix = "/api", endpoint = "agents", input = Json)]
pub async fn agents(gone: bool) -> Result<Vec<agent::Agent>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.agents(&actor, gone).await)
}

/// Agents that fit a search.
#[server(prefix = "/api", endpoint = "find_agents", input = Json)]
pub async fn find_agents(query: AgentQuery) -> Result<AgentsFound, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.find_agents(&actor, query).await)
}

/// One agent with what it did lately.
#[server(prefix = "/api", endpoint = "agent", input = Json)]
pub async fn agent(id: AgentId) -> Result<AgentDetail, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.agent(&actor, id).await)
}

/// Makes an agent.
#[server(prefix = "/api", endpoint = "spawn_agent", input = Json)]
pub async fn spawn_agent(spec: AgentSpec) -> Result<AgentId, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.spawn_agent(&actor, spec).await)
}

/// Gives it no more work.
#[server(prefix = "/api", endpoint = "pause_agent", input = Json)]
pub async fn pause_agent(id: AgentId) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.pause_agent(&actor, id).await)
}

/// Gives it work again.
#[server(prefix = "/api", endpoint = "resume_agent", input = Json)]
pub async fn resume_agent(id: AgentId) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.resume_agent(&actor, id).await)
}

/// Ends it.
#[server(prefix = "/api", endpoint = "terminate_agent", input = Json)]
pub async fn terminate_agent(id: AgentId) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.terminate_agent(&actor, id).await)
}

/// What was written to it and by it, oldest first.
#[server(prefix = "/api", endpoint = "agent_messages", input = Json)]
pub async fn agent_messages(id: AgentId) -> Result<Vec<AgentMessage>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.agent_messages(&actor, id).await)
}

/// Writes to an agent.
#[server(prefix = "/api", endpoint = "send_message", input = Json)]
pub async fn send_message(to: AgentId, text: String) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.send_message(&actor, to, text).await)
}
