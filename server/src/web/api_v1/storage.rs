//! What takes the space, how long runs are kept, and cleaning up.

use app::api::dto::{CleanEnd, CleanStep, Cleaned, Cleaning, Storage, TableSpace, WorkflowSpace};
use axum::{Json, extract::State, http::StatusCode};
use domain::{
    id::WorkflowId,
    retention::{Keep, Retention},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::{Asker, Given};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// The database, measured. Sizes are in bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct StorageShape {
    /// The database file.
    file_bytes: u64,
    /// What it holds.
    used_bytes: u64,
    /// The part of it that holds nothing.
    free_bytes: u64,
    /// The write-ahead log beside it.
    wal_bytes: u64,
    /// Whether what is free can be given back to the disk.
    gives_back: bool,
    /// When `workflows` and `tables` were measured; null while they have not been.
    #[schema(format = "date-time")]
    measured_at: Option<String>,
    /// What the runs of each workflow take; the largest first, at most 1,000.
    workflows: Vec<WorkflowShape>,
    /// What each table takes; empty for a database that is too large to be measured so.
    tables: Vec<TableShape>,
    /// How long what is kept.
    retention: RetentionShape,
    /// The clean-up that is under way.
    cleaning: Option<CleaningShape>,
    /// The last one that came to an end.
    last: Option<CleanedShape>,
}

/// What the runs of a workflow take.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkflowShape {
    /// The workflow.
    #[schema(format = "uuid")]
    workflow_id: String,
    /// Its name.
    name: String,
    /// Its runs.
    runs: u64,
    /// About what their events take.
    bytes: u64,
}

/// What a table takes.
#[derive(Debug, Serialize, ToSchema)]
pub struct TableShape {
    /// Its name.
    table: String,
    /// Its rows.
    bytes: u64,
    /// Its indexes.
    index_bytes: u64,
}

/// How long what is kept. Every key must be there: what is missing by mistake must not mean "for ever".
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionShape {
    /// Finished runs, and events of no run, stay so many days; null for ever.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, minimum = 1, maximum = 3650)]
    keep_days: Option<u32>,
    /// A database that holds more loses its oldest finished runs first; null for no limit.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, minimum = 67108864)]
    max_bytes: Option<u64>,
    /// Workflows with a rule of their own.
    workflows: Vec<RuleShape>,
}

/// The rule of one workflow.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleShape {
    /// The workflow.
    #[schema(value_type = String, format = "uuid")]
    workflow_id: WorkflowId,
    /// Its finished runs stay so many days; null for ever, whatever the size of the database.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required, minimum = 1, maximum = 3650)]
    keep_days: Option<u32>,
}

/// A clean-up that is under way.
#[derive(Debug, Serialize, ToSchema)]
pub struct CleaningShape {
    /// When it began.
    #[schema(format = "date-time")]
    since: String,
    /// `choosing`, `waiting`, `removing` or `giving_back`.
    step: &'static str,
    /// Runs that were chosen to go.
    chosen: u64,
    /// Runs that are gone.
    runs: u64,
    /// Events that are gone.
    events: u64,
}

/// A clean-up that came to an end.
#[derive(Debug, Serialize, ToSchema)]
pub struct CleanedShape {
    /// When it began.
    #[schema(format = "date-time")]
    began_at: String,
    /// When it ended.
    #[schema(format = "date-time")]
    ended_at: String,
    /// `done`, `stopped` or `failed`.
    status: &'static str,
    /// Why it failed, and what to do.
    error: Option<String>,
    /// Runs that are gone.
    runs: u64,
    /// Events that are gone.
    events: u64,
    /// By how much the file became smaller.
    given_back_bytes: u64,
    /// By how much the database still holds more than its limit, because all else must stay.
    still_over_bytes: u64,
}

/// What takes the space, how long what is kept, and the clean-up that follows from that.
#[utoipa::path(get, path = "/api/v1/storage", tag = "server", responses(
    (status = 200, body = StorageShape),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn read(
    State(state): State<WebState>,
    Asker(actor): Asker,
) -> Result<Json<StorageShape>, Problem> {
    Ok(Json(state.backend.storage(&actor).await?.into()))
}

/// Changes how long what is kept. It holds from the next clean-up on, which comes within the hour.
#[utoipa::path(put, path = "/api/v1/storage/retention", tag = "server",
    request_body = RetentionShape,
    responses(
        (status = 200, description = "As it is now", body = RetentionShape),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn keep(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Given(asked): Given<RetentionShape>,
) -> Result<Json<RetentionShape>, Problem> {
    let rules = asked.rules()?;
    state.backend.set_retention(&actor, rules.clone()).await?;
    Ok(Json(rules.into()))
}

/// Cleans up now; answers once that is under way, or found nothing to do. `GET /storage` tells how far
/// it is.
#[utoipa::path(post, path = "/api/v1/storage/clean", tag = "server", responses(
    (status = 202, body = StorageShape),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn clean(
    State(state): State<WebState>,
    Asker(actor): Asker,
) -> Result<(StatusCode, Json<StorageShape>), Problem> {
    state.backend.clean_up(&actor).await?;
    let storage = state.backend.storage(&actor).await?;
    Ok((StatusCode::ACCEPTED, Json(storage.into())))
}

/// Stops a clean-up. What is gone is gone; what has not begun to go stays.
#[utoipa::path(delete, path = "/api/v1/storage/clean", tag = "server", responses(
    (status = 204, description = "Nothing is under way any more"),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn stop(
    State(state): State<WebState>,
    Asker(actor): Asker,
) -> Result<StatusCode, Problem> {
    state.backend.stop_clean_up(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn days(keep: Keep) -> Option<u32> {
    match keep {
        Keep::Days(days) => Some(days),
        Keep::Forever => None,
    }
}

impl RetentionShape {
    fn rules(self) -> Result<Retention, Problem> {
        let keep = |days: Option<u32>| days.map_or(Keep::Forever, Keep::Days);
        let named = self.workflows.len();
        let rules = Retention {
            keep: keep(self.keep_days),
            max_bytes: self.max_bytes,
            workflows: self
                .workflows
                .into_iter()
                .map(|rule| (rule.workflow_id, keep(rule.keep_days)))
                .collect(),
        };
        if rules.workflows.len() < named {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_retention",
                "A workflow is named twice in `workflows`; nobody could tell which rule holds.",
            ));
        }
        Ok(rules)
    }
}

impl From<Retention> for RetentionShape {
    fn from(rules: Retention) -> Self {
        let rule = |(workflow_id, keep)| RuleShape {
            workflow_id,
            keep_days: days(keep),
        };
        Self {
            keep_days: days(rules.keep),
            max_bytes: rules.max_bytes,
            workflows: rules.workflows.into_iter().map(rule).collect(),
        }
    }
}

impl From<Storage> for StorageShape {
    fn from(storage: Storage) -> Self {
        Self {
            file_bytes: storage.file_bytes,
            used_bytes: storage.used_bytes,
            free_bytes: storage.free_bytes,
            wal_bytes: storage.wal_bytes,
            gives_back: storage.gives_back,
            measured_at: storage.measured_at.map(|at| at.rfc3339()),
            workflows: storage.workflows.into_iter().map(Into::into).collect(),
            tables: storage.tables.into_iter().map(Into::into).collect(),
            retention: storage.retention.into(),
            cleaning: storage.cleaning.map(Into::into),
            last: storage.last.map(Into::into),
        }
    }
}

impl From<WorkflowSpace> for WorkflowShape {
    fn from(space: WorkflowSpace) -> Self {
        Self {
            workflow_id: space.workflow.to_string(),
            name: space.name,
            runs: space.runs,
            bytes: space.bytes,
        }
    }
}

impl From<TableSpace> for TableShape {
    fn from(space: TableSpace) -> Self {
        Self {
            table: space.name,
            bytes: space.bytes,
            index_bytes: space.index_bytes,
        }
    }
}

impl From<Cleaning> for CleaningShape {
    fn from(cleaning: Cleaning) -> Self {
        Self {
            since: cleaning.since.rfc3339(),
            step: match cleaning.step {
                CleanStep::Choosing => "choosing",
                CleanStep::Waiting => "waiting",
                CleanStep::Removing => "removing",
                CleanStep::GivingBack => "giving_back",
            },
            chosen: cleaning.chosen,
            runs: cleaning.runs,
            events: cleaning.events,
        }
    }
}

impl From<Cleaned> for CleanedShape {
    fn from(cleaned: Cleaned) -> Self {
        let (status, error) = match cleaned.end {
            CleanEnd::Done => ("done", None),
            CleanEnd::Stopped => ("stopped", None),
            CleanEnd::Failed(message) => ("failed", Some(message)),
        };
        Self {
            began_at: cleaned.began_at.rfc3339(),
            ended_at: cleaned.ended_at.rfc3339(),
            status,
            error,
            runs: cleaned.runs,
            events: cleaned.events,
            given_back_bytes: cleaned.given_back_bytes,
            still_over_bytes: cleaned.still_over_bytes,
        }
    }
}
