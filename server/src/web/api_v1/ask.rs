//! Reads what a client asks: the actor, ids in paths, parameters, JSON bodies, workflow files. What
//! cannot be read becomes a problem that says how it should have been written.

use std::{fmt::Display, str::FromStr, sync::LazyLock};

use app::api::dto::Actor;
use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use bytes::Bytes;
use domain::{
    graph::{Drawing, MAX_NODES, Problem as DrawingProblem, Severity, problems::problems},
    id::{AgentId, RunId, TaskName, WorkflowId},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::web::{WebState, body, problem::Problem};

/// Largest body that is no workflow, in bytes.
const MAX_BODY: usize = 256 << 10;

/// Largest body with the inputs of many runs, in bytes.
const MAX_MANY: usize = 8 << 20;

/// Largest workflow file, in bytes.
const MAX_WORKFLOW: usize = 32 << 20;

/// How deep JSON may be nested.
const MAX_DEPTH: usize = 64;

/// From this size on a workflow is read on a thread where it keeps nobody waiting.
const LARGE_WORKFLOW: usize = 128 << 10;

/// Large workflows that are read at the same time: each takes many times its size in memory.
static LARGE_AT_ONCE: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2));

/// Who asks. Today always the local administrator.
pub struct Asker(pub Actor);

impl FromRequestParts<WebState> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &WebState) -> Result<Self, Problem> {
        Ok(Self(Actor::local_admin()))
    }
}

/// An id in a path and what it names, in a word for people.
pub trait Named: FromStr<Err: Display> {
    /// `workflow`, `run`, ...
    const WHAT: &'static str;
}

impl Named for WorkflowId {
    const WHAT: &'static str = "workflow";
}

impl Named for RunId {
    const WHAT: &'static str = "run";
}

impl Named for AgentId {
    const WHAT: &'static str = "agent";
}

/// The id in the path. What is no id names nothing: 404.
pub struct Id<T>(pub T);

impl<T: Named> FromRequestParts<WebState> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Problem> {
        let raw = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found(format!("There is no such {}.", T::WHAT)))?;
        raw.parse()
            .map(Self)
            .map_err(|error| Problem::not_found(format!("There is no such {}: {error}.", T::WHAT)))
    }
}

/// The parameters behind the `?`.
pub struct Ask<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<WebState> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &WebState) -> Result<Self, Problem> {
        parameters(parts).map(Self)
    }
}

/// The parameters behind the `?`.
pub fn parameters<T: DeserializeOwned>(parts: &Parts) -> Result<T, Problem> {
    Query::try_from_uri(&parts.uri)
        .map(|Query(asked)| asked)
        .map_err(|rejection| {
            let text = rejection.body_text();
            let reason = text
                .strip_prefix("Failed to deserialize query string: ")
                .unwrap_or(&text);
            Problem::bad_request(
                "bad_query",
                format!("The parameters cannot be read: {reason}."),
            )
        })
}

/// For fields of parameters: empty means missing.
pub fn maybe<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let raw = String::deserialize(deserializer)?;
    if raw.is_empty() {
        return Ok(None);
    }
    raw.parse().map(Some).map_err(serde::de::Error::custom)
}

/// A JSON body.
pub struct Given<T>(pub T);

impl<T: DeserializeOwned> FromRequest<WebState> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &WebState) -> Result<Self, Problem> {
        let bytes = json_body(request, MAX_BODY).await?;
        if bytes.is_empty() {
            return Err(Problem::bad_request(
                "bad_json",
                "The body is empty; JSON is expected.",
            ));
        }
        read_json(&bytes).map(Self)
    }
}

/// A JSON body that may be large: the inputs of many runs.
pub struct ManyGiven<T>(pub T);

impl<T: DeserializeOwned> FromRequest<WebState> for ManyGiven<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &WebState) -> Result<Self, Problem> {
        let bytes = json_body(request, MAX_MANY).await?;
        read_json(&bytes).map(Self)
    }
}

/// The run and the task in the path. What is no name of a task names nothing: 404.
pub struct TaskOf(pub RunId, pub TaskName);

impl FromRequestParts<WebState> for TaskOf {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &WebState) -> Result<Self, Problem> {
        let missing = || Problem::not_found("There is no such task.");
        let Path((run, task)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| missing())?;
        let run = run.parse().map_err(|_| missing())?;
        let task = TaskName::parse(&task).map_err(|_| missing())?;
        Ok(Self(run, task))
    }
}

/// A JSON body, or none.
pub struct MaybeGiven<T>(pub Option<T>);

impl<T: DeserializeOwned> FromRequest<WebState> for MaybeGiven<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &WebState) -> Result<Self, Problem> {
        let bytes = json_body(request, MAX_BODY).await?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            Ok(Self(None))
        } else {
            read_json(&bytes).map(|given| Self(Some(given)))
        }
    }
}

/// A workflow file that may be stored: every part of it could be read. It may still be unable to run.
pub struct WorkflowFile {
    /// The workflow.
    pub drawing: Drawing,
    /// What reading it found, nothing that loses a part of the file.
    pub oddities: Vec<DrawingProblem>,
}

impl FromRequest<WebState> for WorkflowFile {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &WebState) -> Result<Self, Problem> {
        read_file(request, |bytes| {
            let (drawing, oddities) = read_drawing(bytes)?;
            if oddities.iter().any(|problem| problem.severity == Severity::Error) {
                // To store what could be read would lose the rest: that is no draft, that is damage.
                return Err(Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "unreadable_workflow",
                    "Parts of the file cannot be read, so nothing was stored. `problems` lists everything that is wrong.",
                )
                .with("problems", json!(all_problems(&drawing, oddities))));
            }
            Ok(Self { drawing, oddities })
        })
        .await
    }
}

/// Everything that is wrong with a workflow file, in whatever state it is.
pub struct Findings(pub Vec<DrawingProblem>);

impl FromRequest<WebState> for Findings {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &WebState) -> Result<Self, Problem> {
        read_file(request, |bytes| {
            let (drawing, oddities) = read_drawing(bytes)?;
            Ok(Self(all_problems(&drawing, oddities)))
        })
        .await
    }
}

/// The version that a change is based on, from `If-Match`: `3`, `"3"` or `W/"3"`.
pub fn if_match(headers: &HeaderMap) -> Result<u32, Problem> {
    let raw = headers.get(header::IF_MATCH).ok_or_else(|| {
        Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "if_match_required",
            "Say which version the change is based on: the header If-Match with the version that you read.",
        )
    })?;
    let version = raw
        .to_str()
        .ok()
        .map(str::trim)
        .map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
    version
        .and_then(|tag| tag.trim_matches('"').parse().ok())
        .ok_or_else(|| {
            Problem::bad_request(
                "bad_if_match",
                "The header If-Match must hold one version number, as in If-Match: \"3\".",
            )
        })
}

/// The text of a header; `None` where there is none.
pub fn text_header(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let text = headers
        .get(name)
        .map(|value| value.to_str().map(str::to_owned))
        .transpose();
    text.map_err(|_| {
        Problem::bad_request(
            "bad_header",
            format!("The header {name} must be plain ASCII text."),
        )
    })
}

async fn read_file<T: Send + 'static>(
    request: Request,
    read: fn(&[u8]) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let bytes = json_body(request, MAX_WORKFLOW).await?;
    if bytes.len() < LARGE_WORKFLOW {
        return read(&bytes);
    }
    let _turn = LARGE_AT_ONCE
        .acquire()
        .await
        .map_err(|_| Problem::internal())?;
    tokio::task::spawn_blocking(move || read(&bytes))
        .await
        .map_err(|_| Problem::internal())?
}

fn read_drawing(bytes: &[u8]) -> Result<(Drawing, Vec<DrawingProblem>), Problem> {
    let refused = |problem: DrawingProblem| {
        Problem::bad_request(&problem.code, problem.message.clone())
            .with("problems", json!([problem]))
    };
    let text = std::str::from_utf8(bytes).map_err(|_| {
        refused(DrawingProblem::file(
            "bad_json",
            "This is no JSON: it is not even UTF-8 text.".into(),
        ))
    })?;
    shallow(bytes)?;
    let (drawing, oddities) = Drawing::parse(text).map_err(refused)?;
    if drawing.nodes.len() > MAX_NODES {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too_many_nodes",
            format!(
                "A workflow may have {MAX_NODES} nodes; this one has {}. Split it.",
                drawing.nodes.len()
            ),
        ));
    }
    Ok((drawing, oddities))
}

fn all_problems(drawing: &Drawing, oddities: Vec<DrawingProblem>) -> Vec<DrawingProblem> {
    let mut all = oddities;
    all.extend(problems(drawing));
    all
}

async fn json_body(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body, limit).await?;
    if !bytes.is_empty() && !is_json(&parts.headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send JSON, with the header Content-Type: application/json.",
        ));
    }
    Ok(bytes)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    shallow(bytes)?;
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Problem::bad_request("bad_json", format!("This is no JSON: {error}.")))?;
    serde_json::from_value(value).map_err(|error| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_value",
            format!("The body does not fit: {error}."),
        )
    })
}

/// Refuses JSON that is nested too deeply, before anything walks down into it.
fn shallow(bytes: &[u8]) -> Result<(), Problem> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Problem::bad_request(
                "too_deep",
                format!("The JSON is nested deeper than {MAX_DEPTH} levels."),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_but_not_those_in_text() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(shallow(nested(64).as_bytes()).is_ok());
        assert!(shallow(nested(65).as_bytes()).is_err());
        assert!(shallow(format!("\"{}\"", "[".repeat(99)).as_bytes()).is_ok());
        assert!(shallow(format!("\"\\\"{}\"", "[".repeat(99)).as_bytes()).is_ok());
        assert!(shallow(format!("\"\\\\\"{}", "[".repeat(99)).as_bytes()).is_err());
        assert!(shallow("[],".repeat(99).as_bytes()).is_ok());
    }

    #[test]
    fn a_version_is_read_in_each_of_its_forms() {
        let read = |raw: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, raw.parse().expect("a value"));
            if_match(&headers).ok()
        };
        for raw in ["3", "\"3\"", "W/\"3\"", " 3 "] {
            assert_eq!(read(raw), Some(3), "{raw}");
        }
        for raw in ["*", "", "x", "-1", "\"1\", \"2\"", "99999999999"] {
            assert_eq!(read(raw), None, "{raw}");
        }
    }
}
