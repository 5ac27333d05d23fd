//! Messages of one agent: read, write.

use app::api::dto::AgentMessage;
use axum::{Json, extract::State, http::StatusCode};
use domain::{id::AgentId, message::Sender};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{
    ask::{Asker, Given, Id},
    list::Items,
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// What is written to an agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageRequest {
    /// 1 to 16,384 bytes.
    text: String,
}

/// A message that waits in the agent's mailbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct SentMessage {
    /// The agent that reads it with its next turn.
    #[schema(format = "uuid")]
    to: String,
}

/// A message that an agent received or sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageItem {
    /// Its place in the log.
    seq: u64,
    /// The same for all copies of a message that went to several.
    id: u64,
    /// When it was sent.
    #[schema(format = "date-time")]
    at: String,
    /// Who wrote it.
    from: Correspondent,
    /// Who received it.
    to: Correspondent,
    /// The topic that it was written to; null where it was written to one agent.
    to_topic: Option<String>,
    /// The run that the writer worked for; null for a person.
    #[schema(format = "uuid")]
    run_id: Option<String>,
    /// The task that the writer worked on; null for a person.
    task: Option<String>,
    /// What it says.
    text: String,
}

/// Who writes or receives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Correspondent {
    /// `person` or `agent`.
    kind: &'static str,
    /// The agent; null for a person.
    #[schema(format = "uuid")]
    agent_id: Option<String>,
    /// The name.
    name: String,
}

/// What was written to the agent and by it, oldest first: the newest 200.
#[utoipa::path(get, path = "/api/v1/agents/{id}/messages", tag = "agents",
    operation_id = "read_messages",
    params(("id" = String, Path, format = "uuid", description = "The agent")),
    responses(
        (status = 200, body = Items<MessageItem>),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn read(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<AgentId>,
) -> Result<Json<Items<MessageItem>>, Problem> {
    let messages = state.backend.agent_messages(&actor, id).await?;
    Ok(Json(Items::whole(
        messages.into_iter().map(MessageItem::from),
    )))
}

/// Writes to an agent: it reads that with its next turn.
#[utoipa::path(post, path = "/api/v1/agents/{id}/messages", tag = "agents",
    operation_id = "send_message",
    params(("id" = String, Path, format = "uuid", description = "The agent")),
    request_body = MessageRequest,
    responses(
        (status = 202, body = SentMessage),
        (status = 409, description = "The agent is gone, or its mailbox is full", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn send(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<AgentId>,
    Given(request): Given<MessageRequest>,
) -> Result<(StatusCode, Json<SentMessage>), Problem> {
    state.backend.send_message(&actor, id, request.text).await?;
    let to = id.to_string();
    Ok((StatusCode::ACCEPTED, Json(SentMessage { to })))
}

impl From<AgentMessage> for MessageItem {
    fn from(sent: AgentMessage) -> Self {
        let AgentMessage {
            seq,
            at,
            to,
            message,
        } = sent;
        let run_id = message.run().map(|run| run.to_string());
        let (from, task) = match message.from {
            Sender::Person { name } => {
                let (kind, agent_id) = ("person", None);
                (
                    Correspondent {
                        kind,
                        agent_id,
                        name,
                    },
                    None,
                )
            }
            Sender::Agent {
                agent_id,
                name,
                run_id: _,
                task,
            } => (Correspondent::agent(agent_id, name), Some(task.to_string())),
        };
        Self {
            seq,
            id: message.id,
            at: at.rfc3339(),
            from,
            to: Correspondent::agent(to.id, to.name),
            to_topic: message.to_topic,
            run_id,
            task,
            text: message.text,
        }
    }
}

impl Correspondent {
    fn agent(id: AgentId, name: String) -> Self {
        Self {
            kind: "agent",
            agent_id: Some(id.to_string()),
            name,
        }
    }
}
