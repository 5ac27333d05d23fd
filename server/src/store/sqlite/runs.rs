//! Runs for lists: their rows, the strips of their tasks, the starts that made them, what they cost.

use app::api::dto::{Page, RunQuery, RunSummary, Tick};
use domain::{
    id::{RunId, WorkflowId},
    money::MicroUsd,
    time::Timestamp,
};
use sqlx::{QueryBuilder, Sqlite, SqlitePool, sqlite::SqliteRow};

use super::{
    append::hour_of,
    cursor::{self, Cursor},
    reader::Columns,
};
use crate::store::{Spent, Start, StoreError};

/// Most tasks in the strip of a run.
const TICKS: u32 = 200;

/// Every status of a run.
const STATUSES: [&str; 6] = [
    "queued",
    "running",
    "paused",
    "succeeded",
    "failed",
    "cancelled",
];

/// Runs that are not at their end, oldest first.
pub(super) async fn alive(
    readers: &SqlitePool,
) -> Result<Vec<(RunId, WorkflowId, u32)>, StoreError> {
    sqlx::query(
        "SELECT id, workflow_id, workflow_version FROM runs INDEXED BY runs_alive
         WHERE status IN ('queued', 'running', 'paused') ORDER BY created_at, id",
    )
    .fetch_all(readers)
    .await?
    .iter()
    .map(|row| {
        let row = Columns(row);
        Ok((row.parsed(0)?, row.parsed(1)?, row.small(2)?))
    })
    .collect()
}

/// Workflow and version that a run executes; nothing when it is being removed.
pub(super) async fn origin(
    readers: &SqlitePool,
    run: RunId,
) -> Result<Option<(WorkflowId, u32)>, StoreError> {
    let row = sqlx::query(
        "SELECT workflow_id, workflow_version FROM runs WHERE id = ?1 AND removing_at IS NULL",
    )
    .bind(run.to_string())
    .fetch_optional(readers)
    .await?;
    row.as_ref()
        .map(|row| Ok((Columns(row).parsed(0)?, Columns(row).small(1)?)))
        .transpose()
}

/// The start that was stored under a key.
pub(super) async fn start(readers: &SqlitePool, key: &str) -> Result<Option<Start>, StoreError> {
    let row = sqlx::query("SELECT key, run_id, seq, digest FROM starts WHERE key = ?1")
        .bind(key)
        .fetch_optional(readers)
        .await?;
    row.as_ref()
        .map(|row| {
            let row = Columns(row);
            Ok(Start {
                key: row.get(0)?,
                run: row.parsed(1)?,
                seq: row.count(2)?,
                digest: row.get(3)?,
            })
        })
        .transpose()
}

/// Known costs of turns since the hour that holds `since` began.
pub(super) async fn spent_since(
    readers: &SqlitePool,
    since: Timestamp,
) -> Result<Spent, StoreError> {
    let rows = sqlx::query("SELECT cost_micro_usd FROM spending WHERE hour >= ?1")
        .bind(hour_of(since.0))
        .fetch_all(readers)
        .await?;
    let mut cost = MicroUsd::default();
    for row in &rows {
        cost = cost + MicroUsd(Columns(row).count(0)?);
    }
    Ok(Spent { cost })
}

/// A part of the list of runs, newest first.
pub(super) async fn page(
    readers: &SqlitePool,
    query: &RunQuery,
) -> Result<Page<RunSummary>, StoreError> {
    let limit = cursor::size(query.limit);
    let mut sql = filtered(query)?;
    sql.push(" ORDER BY created_at DESC, id DESC LIMIT ")
        .push_bind(limit as i64 + 1);
    let mut rows = sql.build().fetch_all(readers).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let items = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::text(last.created_at.0, last.id));
    Ok(Page { items, next })
}

fn filtered(query: &RunQuery) -> Result<QueryBuilder<Sqlite>, StoreError> {
    let index = match (&query.workflow, query.status.as_deref()) {
        (Some(_), _) => "runs_by_workflow",
        (None, Some("live")) => "runs_alive",
        (None, Some(_)) => "runs_by_status",
        (None, None) => "runs_by_time",
    };
    // The strip comes in the same statement: it must not know of a task that finished behind the
    // `last_seq` beside it.
    let mut sql = QueryBuilder::new(format!(
        "SELECT id, workflow_id, workflow_version, workflow_name, status, started_by, error,
                cost_micro_usd, prompt_tokens, completion_tokens, tasks, tasks_settled, created_at,
                ended_at, last_seq,
                (SELECT json_group_array(json_array(task, status)) FROM (
                    SELECT task, status FROM tasks NOT INDEXED
                    WHERE run_id = runs.id ORDER BY position LIMIT {TICKS}))
         FROM runs INDEXED BY {index} WHERE removing_at IS NULL"
    ));
    if let Some(workflow) = query.workflow {
        sql.push(" AND workflow_id = ")
            .push_bind(workflow.to_string());
    }
    match query.status.as_deref() {
        None => {}
        Some("live") => {
            sql.push(" AND status IN ('queued', 'running', 'paused')");
        }
        Some(status) if STATUSES.contains(&status) => {
            sql.push(" AND status = ").push_bind(status);
        }
        Some(_) => {
            return Err(StoreError::BadQuery(format!(
                "The status must be `live`, `{}`.",
                STATUSES.join("`, `")
            )));
        }
    }
    if let Some(cursor) = &query.cursor {
        let Cursor { at, id } = Cursor::parse(cursor)?;
        sql.push(" AND (created_at, id) < (")
            .push_bind(at)
            .push(", ")
            .push_bind(id)
            .push(")");
    }
    Ok(sql)
}

fn summary(row: &SqliteRow) -> Result<RunSummary, StoreError> {
    let row = Columns(row);
    Ok(RunSummary {
        id: row.parsed(0)?,
        workflow_id: row.parsed(1)?,
        workflow_version: row.small(2)?,
        workflow_name: row.get(3)?,
        status: row.get(4)?,
        started_by: row.get(5)?,
        error: row.get(6)?,
        cost_usd: row.maybe_money(7)?,
        prompt_tokens: row.maybe_count(8)?,
        completion_tokens: row.maybe_count(9)?,
        ticks: row
            .json::<Vec<(String, String)>>(15)?
            .into_iter()
            .map(|(task, status)| Tick { task, status })
            .collect(),
        tasks: row.small(10)?,
        tasks_settled: row.small(11)?,
        created_at: row.moment(12)?,
        ended_at: row.maybe_moment(13)?,
        last_seq: row.count(14)?,
    })
}
