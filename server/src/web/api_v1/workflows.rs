//! Workflows: list, store, read, change, hide, check.

use app::api::dto::{LastRun, Saved, VersionInfo, WorkflowQuery, WorkflowSummary};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    graph::{Problem as DrawingProblem, Severity},
    id::WorkflowId,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    ask::{Ask, Asker, Findings, Id, WorkflowFile, if_match, maybe},
    list::{Items, Limit},
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// Which workflows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorkflowsAsked {
    /// Text in name or description.
    #[serde(default, deserialize_with = "maybe")]
    search: Option<String>,
    /// `next` of the part before.
    #[serde(default, deserialize_with = "maybe")]
    cursor: Option<String>,
    /// 1 to 1,000; 100 when missing.
    #[serde(default, deserialize_with = "maybe")]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
}

/// Which version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionAsked {
    /// The newest when missing.
    #[serde(default, deserialize_with = "maybe")]
    version: Option<u32>,
}

/// A workflow in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowItem {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// Newest version.
    version: u32,
    /// Steps, notes not counted.
    nodes: u32,
    /// Whether its newest version can run.
    runnable: bool,
    /// When it was last saved.
    #[schema(format = "date-time")]
    updated_at: String,
    /// Its newest run.
    last_run: Option<NewestRun>,
}

/// The newest run of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewestRun {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// `queued`, `running`, ...
    status: String,
    /// When it was accepted.
    #[schema(format = "date-time")]
    created_at: String,
}

/// A workflow in one version.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowInFull {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// The version that this is.
    version: u32,
    /// The newest version.
    newest: u32,
    /// When this version was saved.
    #[schema(format = "date-time")]
    updated_at: String,
    /// Who saved it.
    updated_by: String,
    /// The workflow file, as it can be sent back.
    #[schema(value_type = Object)]
    workflow: Value,
}

/// A workflow that was stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stored {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// The version that now is the newest.
    version: u32,
    /// What is wrong with it; with an `error` among them it cannot run.
    problems: Vec<Finding>,
}

/// What a check found.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckResult {
    /// Whether it can run.
    runnable: bool,
    /// What is wrong with it.
    problems: Vec<Finding>,
}

/// Something that is wrong, or odd, about a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub struct Finding {
    /// `error`: it cannot run; `warning`: it may not do what was meant.
    severity: &'static str,
    /// For programs; never changes its meaning.
    code: String,
    /// The node it is about.
    node: Option<String>,
    /// The edge it is about, `from.port->to.port`.
    edge: Option<String>,
    /// The key of the node it is about.
    key: Option<String>,
    /// One sentence for people.
    message: String,
}

/// A version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionItem {
    /// 1, 2, 3, ...
    version: u32,
    /// When it was saved.
    #[schema(format = "date-time")]
    created_at: String,
    /// Who saved it.
    by: String,
}

/// Workflows, newest change first.
#[utoipa::path(get, path = "/api/v1/workflows", tag = "workflows", params(WorkflowsAsked), responses(
    (status = 200, body = Items<WorkflowItem>),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn list(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Ask(asked): Ask<WorkflowsAsked>,
) -> Result<Json<Items<WorkflowItem>>, Problem> {
    let query = WorkflowQuery {
        search: asked.search,
        cursor: asked.cursor,
        limit: asked.limit.map(|limit| limit.0),
    };
    let page = state.backend.workflows(&actor, query).await?;
    Ok(Json(Items::part(page, WorkflowItem::from)))
}

/// Stores a new workflow. One that cannot run yet may be stored.
#[utoipa::path(post, path = "/api/v1/workflows", tag = "workflows",
    request_body(content = Object, description = "The bare workflow file, at most 32 MiB and 100,000 nodes"),
    responses(
        (status = 201, body = Stored, headers(("Location" = String, description = "Where the workflow is"), ("ETag" = String, description = "Its version"))),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn create(
    State(state): State<WebState>,
    Asker(actor): Asker,
    file: WorkflowFile,
) -> Result<Response, Problem> {
    let saved = state.backend.create_workflow(&actor, file.drawing).await?;
    let location = format!("/api/v1/workflows/{}", saved.id);
    let tag = etag(saved.version);
    let body = Json(Stored::new(file.oddities, saved));
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location), (header::ETAG, tag)],
        body,
    )
        .into_response())
}

/// One workflow, in its newest version or in the one named.
#[utoipa::path(get, path = "/api/v1/workflows/{id}", tag = "workflows",
    params(("id" = String, Path, format = "uuid", description = "The workflow"), VersionAsked),
    responses(
        (status = 200, body = WorkflowInFull, headers(("ETag" = String, description = "The version, for If-Match"))),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn read(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<WorkflowId>,
    Ask(asked): Ask<VersionAsked>,
) -> Result<Response, Problem> {
    let found = state.backend.workflow(&actor, id, asked.version).await?;
    let tag = etag(found.version);
    let body = Json(WorkflowInFull {
        id: found.id.to_string(),
        name: found.drawing.name.clone(),
        description: found.drawing.description.clone(),
        version: found.version,
        newest: found.newest,
        updated_at: found.updated_at.rfc3339(),
        updated_by: found.updated_by,
        workflow: found.drawing.to_value(),
    });
    Ok(([(header::ETAG, tag)], body).into_response())
}

/// Stores a new version on top of the one that the client read.
#[utoipa::path(put, path = "/api/v1/workflows/{id}", tag = "workflows",
    params(
        ("id" = String, Path, format = "uuid", description = "The workflow"),
        ("If-Match" = String, Header, description = "The version that the change is based on; 428 without it"),
    ),
    request_body(content = Object, description = "The bare workflow file, at most 32 MiB and 100,000 nodes"),
    responses(
        (status = 200, body = Stored, headers(("ETag" = String, description = "The new version"))),
        (status = 409, description = "Somebody else saved before: `expected` and `newest` are the versions", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn save(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<WorkflowId>,
    headers: HeaderMap,
    file: WorkflowFile,
) -> Result<Response, Problem> {
    let expected = if_match(&headers)?;
    let saved = state
        .backend
        .save_workflow(&actor, id, expected, file.drawing)
        .await?;
    let tag = etag(saved.version);
    Ok((
        [(header::ETAG, tag)],
        Json(Stored::new(file.oddities, saved)),
    )
        .into_response())
}

/// Hides a workflow from every list; its runs stay.
#[utoipa::path(delete, path = "/api/v1/workflows/{id}", tag = "workflows",
    params(("id" = String, Path, format = "uuid", description = "The workflow")),
    responses(
        (status = 204, description = "It is hidden"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn delete(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<WorkflowId>,
) -> Result<StatusCode, Problem> {
    state.backend.delete_workflow(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every version, newest first.
#[utoipa::path(get, path = "/api/v1/workflows/{id}/versions", tag = "workflows",
    params(("id" = String, Path, format = "uuid", description = "The workflow")),
    responses(
        (status = 200, body = Items<VersionItem>),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn versions(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(id): Id<WorkflowId>,
) -> Result<Json<Items<VersionItem>>, Problem> {
    let versions = state.backend.versions(&actor, id).await?;
    Ok(Json(Items::whole(
        versions.into_iter().map(VersionItem::from),
    )))
}

/// Everything that is wrong with a workflow file. Stores nothing.
#[utoipa::path(post, path = "/api/v1/workflows/check", tag = "workflows",
    request_body(content = Object, description = "The bare workflow file, at most 32 MiB and 100,000 nodes"),
    responses(
        (status = 200, body = CheckResult),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn check(_: Asker, Findings(problems): Findings) -> Json<CheckResult> {
    let runnable = problems
        .iter()
        .all(|problem| problem.severity != Severity::Error);
    Json(CheckResult {
        runnable,
        problems: problems.into_iter().map(Finding::from).collect(),
    })
}

fn etag(version: u32) -> String {
    format!("\"{version}\"")
}

impl Stored {
    fn new(oddities: Vec<DrawingProblem>, saved: Saved) -> Self {
        Self {
            id: saved.id.to_string(),
            version: saved.version,
            problems: oddities
                .into_iter()
                .chain(saved.problems)
                .map(Finding::from)
                .collect(),
        }
    }
}

impl From<WorkflowSummary> for WorkflowItem {
    fn from(workflow: WorkflowSummary) -> Self {
        Self {
            id: workflow.id.to_string(),
            name: workflow.name,
            description: workflow.description,
            version: workflow.version,
            nodes: workflow.nodes,
            runnable: workflow.runnable,
            updated_at: workflow.updated_at.rfc3339(),
            last_run: workflow.last_run.map(NewestRun::from),
        }
    }
}

impl From<LastRun> for NewestRun {
    fn from(run: LastRun) -> Self {
        Self {
            id: run.id.to_string(),
            status: run.status,
            created_at: run.created_at.rfc3339(),
        }
    }
}

impl From<DrawingProblem> for Finding {
    fn from(problem: DrawingProblem) -> Self {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let DrawingProblem {
            severity: _,
            code,
            node,
            edge,
            key,
            message,
        } = problem;
        Self {
            severity,
            code,
            node,
            edge,
            key,
            message,
        }
    }
}

impl From<VersionInfo> for VersionItem {
    fn from(version: VersionInfo) -> Self {
        Self {
            version: version.version,
            created_at: version.created_at.rfc3339(),
            by: version.by,
        }
    }
}
