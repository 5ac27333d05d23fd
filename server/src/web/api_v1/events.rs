//! The log, for programs that read it piece by piece. `events/stream` sends it as it grows.

pub mod stream;

use std::str::FromStr;

use app::api::dto::EventQuery;
use axum::{Json, extract::State};
use domain::{
    event::EventSeverity,
    frame::EventFrame,
    id::{AgentId, RunId},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    ask::{Ask, Asker, maybe},
    list::{Items, Limit, Seq},
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
    socket::log,
};

/// Longest name of a type of event.
const MAX_TYPE: usize = 64;

/// A stored fact: the frame of the stream, with its time in RFC 3339.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventItem {
    /// Always `event`.
    kind: &'static str,
    /// Place in the log.
    seq: u64,
    /// Place in the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    run_seq: Option<u64>,
    /// When.
    #[schema(format = "date-time")]
    at: String,
    /// What: `task.completed`, ...
    r#type: String,
    /// Where it is published.
    topic: String,
    /// The workflow it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uuid")]
    workflow_id: Option<String>,
    /// The run it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uuid")]
    run_id: Option<String>,
    /// The task it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    task: Option<String>,
    /// The agent it is about, or that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uuid")]
    agent_id: Option<String>,
    /// `info`, `warning` or `error`.
    severity: &'static str,
    /// The rest, by type.
    data: Value,
}

/// A part of the log, and where the next part begins.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventItems {
    /// The part.
    items: Vec<EventItem>,
    /// Ask for the next part with this; null at the end of the list.
    next: Option<String>,
    /// Only there when the part reaches back to where events were removed because they were old: the
    /// highest `seq` that was. Some below it are missing; from there on the log is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    removed_to: Option<u64>,
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsAsked {
    /// Behind this `seq`, oldest first; from the first event when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<u64>)]
    after: Option<Seq>,
    /// Before this `seq`, newest first, instead of `after`.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<u64>)]
    before: Option<Seq>,
    /// 1 to 1,000; 100 when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// Of this type alone; `task.*` for a family.
    #[serde(default, deserialize_with = "maybe", rename = "type")]
    #[param(value_type = Option<String>)]
    kind: Option<EventType>,
    /// Of this run alone.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>, format = "uuid")]
    run: Option<RunId>,
    /// Of this agent alone.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>, format = "uuid")]
    agent: Option<AgentId>,
    /// `info`, `warning` or `error`: this and worse.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<String>)]
    severity: Option<Worse>,
}

/// A type of event, or a family of them.
#[derive(Debug)]
struct EventType(String);

impl FromStr for EventType {
    type Err = &'static str;

    fn from_str(raw: &str) -> Result<Self, &'static str> {
        let word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        match raw.split_once('.') {
            Some((family, name))
                if raw.len() <= MAX_TYPE && word(family) && (name == "*" || word(name)) =>
            {
                Ok(Self(raw.to_owned()))
            }
            Some(_) | None => Err("write a type like task.completed, or a family like task.*"),
        }
    }
}

/// A severity that also stands for all that are worse.
#[derive(Debug)]
struct Worse(EventSeverity);

impl FromStr for Worse {
    type Err = &'static str;

    fn from_str(raw: &str) -> Result<Self, &'static str> {
        EventSeverity::parse(raw)
            .map(Self)
            .ok_or("write info, warning or error")
    }
}

/// Stored events. `next` is the `after` (or `before`) of the next part.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventsAsked), responses(
    (status = 200, body = EventItems),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn list(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Ask(asked): Ask<EventsAsked>,
) -> Result<Json<EventItems>, Problem> {
    let (after, before) = match (asked.after, asked.before) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request(
                "bad_query",
                "Ask for events `after` a number or `before` one, not both.",
            ));
        }
        (None, Some(before)) => (None, Some(before.0)),
        (after, None) => (Some(after.map_or(0, |after| after.0)), None),
    };
    let query = EventQuery {
        after,
        before,
        limit: asked.limit.map(|limit| limit.0),
        kind: asked.kind.map(|kind| kind.0),
        run: asked.run,
        agent: asked.agent,
        severity: asked.severity.map(|severity| severity.0.name().to_owned()),
    };
    let Items { items, next } =
        Items::part(state.backend.events(&actor, query).await?, EventItem::from);
    // Asked behind the look: what was removed before it is known by now.
    let removed_to = state.log.removed_to().await.map_err(log::problem)?;
    let from = match (after, &next, items.last()) {
        (Some(after), _, _) => after,
        (None, Some(_), Some(last)) => last.seq,
        (None, _, _) => 0,
    };
    Ok(Json(EventItems {
        items,
        next,
        removed_to: (from < removed_to).then_some(removed_to),
    }))
}

impl From<EventFrame> for EventItem {
    fn from(frame: EventFrame) -> Self {
        Self {
            kind: "event",
            seq: frame.seq,
            run_seq: frame.run_seq,
            at: frame.at.rfc3339(),
            r#type: frame.kind,
            topic: frame.topic,
            workflow_id: frame.workflow_id.map(|id| id.to_string()),
            run_id: frame.run_id.map(|id| id.to_string()),
            task: frame.task.map(|task| task.to_string()),
            agent_id: frame.agent_id.map(|id| id.to_string()),
            severity: frame.severity.name(),
            data: frame.data,
        }
    }
}
