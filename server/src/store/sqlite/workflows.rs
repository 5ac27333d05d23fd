//! Workflows and their versions. These are not made from events: here the rows are the truth.

use app::api::dto::{LastRun, Page, VersionInfo, WorkflowQuery, WorkflowSummary};
use domain::{graph::Drawing, id::WorkflowId, kind::Kind, time::Timestamp};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use tokio::sync::Mutex;

use super::{
    cursor::{self, Cursor},
    reader::Columns,
    writer::Writer,
};
use crate::store::{SaveResult, StoreError, StoredWorkflow};

/// Most versions in the list of a workflow's versions.
const VERSIONS: i64 = 10_000;

/// What lists show of a drawing, and its text.
struct Abstract {
    name: String,
    description: String,
    search_text: String,
    nodes: i64,
    runnable: bool,
    text: String,
}

impl Abstract {
    /// Checks the drawing as a run would, away from the threads that serve requests: a large one
    /// takes a while.
    async fn of(drawing: &Drawing) -> Result<Self, StoreError> {
        let drawing = drawing.clone();
        tokio::task::spawn_blocking(move || Self::read(drawing))
            .await
            .map_err(|error| StoreError::Broken(format!("checking the drawing: {error}")))?
    }

    fn read(drawing: Drawing) -> Result<Self, StoreError> {
        let text = serde_json::to_string(&drawing)
            .map_err(|error| StoreError::Broken(error.to_string()))?;
        let steps = drawing
            .nodes
            .iter()
            .filter(|node| node.known_kind() != Some(Kind::Note))
            .count();
        let (graph, _) = domain::graph::check::check(&drawing);
        Ok(Self {
            search_text: format!("{}\n{}", drawing.name, drawing.description).to_lowercase(),
            nodes: i64::try_from(steps).unwrap_or(i64::MAX),
            runnable: graph.is_some(),
            text,
            name: drawing.name,
            description: drawing.description,
        })
    }
}

/// Stores a new workflow as version 1.
pub(super) async fn create(
    writer: &Mutex<Writer>,
    id: WorkflowId,
    drawing: &Drawing,
    by: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let of = Abstract::of(drawing).await?;
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = insert(writer.connection(), id, &of, by, at).await;
    writer.finish(result).await
}

/// Workflows of exactly this name; one too many is enough to know.
pub(super) async fn named(readers: &SqlitePool, name: &str) -> Result<Vec<WorkflowId>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM workflows WHERE deleted_at IS NULL AND name = ?1
         ORDER BY updated_at DESC, id DESC LIMIT 2",
    )
    .bind(name)
    .fetch_all(readers)
    .await?;
    rows.iter().map(|row| Columns(row).parsed(0)).collect()
}

async fn insert(
    connection: &mut SqliteConnection,
    id: WorkflowId,
    of: &Abstract,
    by: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO workflows (id, name, description, search_text, newest_version, nodes, runnable,
                created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?7)",
    )
    .bind(id.to_string())
    .bind(&of.name)
    .bind(&of.description)
    .bind(&of.search_text)
    .bind(of.nodes)
    .bind(of.runnable)
    .bind(at.0)
    .execute(&mut *connection)
    .await?;
    insert_version(connection, id, 1, of, by, at).await
}

async fn insert_version(
    connection: &mut SqliteConnection,
    id: WorkflowId,
    version: u32,
    of: &Abstract,
    by: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO workflow_versions (workflow_id, version, saved_at, saved_by, drawing)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(id.to_string())
    .bind(version)
    .bind(at.0)
    .bind(by)
    .bind(&of.text)
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores a new version if `expected` still is the newest.
pub(super) async fn save(
    writer: &Mutex<Writer>,
    id: WorkflowId,
    expected: u32,
    drawing: &Drawing,
    by: &str,
    at: Timestamp,
) -> Result<SaveResult, StoreError> {
    let of = Abstract::of(drawing).await?;
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = update(writer.connection(), id, expected, &of, by, at).await;
    writer.finish(result).await
}

async fn update(
    connection: &mut SqliteConnection,
    id: WorkflowId,
    expected: u32,
    of: &Abstract,
    by: &str,
    at: Timestamp,
) -> Result<SaveResult, StoreError> {
    let newest: Option<i64> = sqlx::query_scalar(
        "SELECT newest_version FROM workflows WHERE id = ?1 AND deleted_at IS NULL",
    )
    .bind(id.to_string())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(newest) = newest else {
        return Ok(SaveResult::Missing);
    };
    let newest =
        u32::try_from(newest).map_err(|error| StoreError::Unreadable(error.to_string()))?;
    if newest != expected {
        return Ok(SaveResult::Conflict(newest));
    }
    let version = newest
        .checked_add(1)
        .ok_or_else(|| StoreError::Broken("there are too many versions".into()))?;
    insert_version(connection, id, version, of, by, at).await?;
    sqlx::query(
        "UPDATE workflows SET name = ?2, description = ?3, search_text = ?4, newest_version = ?5,
                nodes = ?6, runnable = ?7, updated_at = ?8
         WHERE id = ?1",
    )
    .bind(id.to_string())
    .bind(&of.name)
    .bind(&of.description)
    .bind(&of.search_text)
    .bind(version)
    .bind(of.nodes)
    .bind(of.runnable)
    .bind(at.0)
    .execute(connection)
    .await?;
    Ok(SaveResult::Saved(version))
}

/// Hides a workflow or shows it again; `false` when there is none.
pub(super) async fn set_deleted(
    writer: &Mutex<Writer>,
    id: WorkflowId,
    deleted: bool,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = sqlx::query("UPDATE workflows SET deleted_at = ?2 WHERE id = ?1")
        .bind(id.to_string())
        .bind(deleted.then_some(at.0))
        .execute(writer.connection())
        .await
        .map(|done| done.rows_affected() > 0)
        .map_err(StoreError::from);
    writer.finish(result).await
}

/// One workflow in its newest version or in the one named, deleted or not.
pub(super) async fn one(
    readers: &SqlitePool,
    id: WorkflowId,
    version: Option<u32>,
) -> Result<Option<StoredWorkflow>, StoreError> {
    let row = sqlx::query(
        "SELECT version, newest_version, saved_at, saved_by, deleted_at IS NOT NULL, drawing
         FROM workflows JOIN workflow_versions ON workflow_id = id
         WHERE id = ?1 AND version = coalesce(?2, newest_version)",
    )
    .bind(id.to_string())
    .bind(version)
    .fetch_optional(readers)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let columns = Columns(&row);
    Ok(Some(StoredWorkflow {
        id,
        version: columns.small(0)?,
        newest: columns.small(1)?,
        saved_at: columns.moment(2)?,
        saved_by: columns.get(3)?,
        deleted: columns.get(4)?,
        drawing: columns.json(5)?,
    }))
}

/// The newest version of a workflow that is not deleted.
pub(super) async fn newest(
    readers: &SqlitePool,
    id: WorkflowId,
) -> Result<Option<u32>, StoreError> {
    let newest = sqlx::query_scalar(
        "SELECT newest_version FROM workflows WHERE id = ?1 AND deleted_at IS NULL",
    )
    .bind(id.to_string())
    .fetch_optional(readers)
    .await?;
    Ok(newest)
}

/// The newest versions, newest first.
pub(super) async fn versions(
    readers: &SqlitePool,
    id: WorkflowId,
) -> Result<Vec<VersionInfo>, StoreError> {
    sqlx::query(
        "SELECT version, saved_at, saved_by FROM workflow_versions
         WHERE workflow_id = ?1 ORDER BY version DESC LIMIT ?2",
    )
    .bind(id.to_string())
    .bind(VERSIONS)
    .fetch_all(readers)
    .await?
    .iter()
    .map(|row| {
        let row = Columns(row);
        Ok(VersionInfo {
            version: row.small(0)?,
            created_at: row.moment(1)?,
            by: row.get(2)?,
        })
    })
    .collect()
}

/// How many workflows there are or were.
pub(super) async fn count(readers: &SqlitePool) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT count(*) FROM workflows")
        .fetch_one(readers)
        .await?;
    Columns(&row).count(0)
}

/// A part of the list of workflows, newest change first.
pub(super) async fn page(
    readers: &SqlitePool,
    query: &WorkflowQuery,
) -> Result<Page<WorkflowSummary>, StoreError> {
    let limit = cursor::size(query.limit);
    let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(
        "SELECT w.id, w.name, w.description, w.newest_version, w.nodes, w.runnable, w.updated_at,
                r.id, r.status, r.created_at
         FROM workflows AS w INDEXED BY workflows_listed
         LEFT JOIN runs AS r ON r.id = (
            SELECT id FROM runs INDEXED BY runs_by_workflow
            WHERE workflow_id = w.id ORDER BY created_at DESC, id DESC LIMIT 1)
         WHERE w.deleted_at IS NULL",
    );
    if let Some(text) = query
        .search
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        sql.push(" AND instr(w.search_text, ")
            .push_bind(text.to_lowercase())
            .push(") > 0");
    }
    if let Some(cursor) = &query.cursor {
        let Cursor { at, id } = Cursor::parse(cursor)?;
        sql.push(" AND (w.updated_at, w.id) < (")
            .push_bind(at)
            .push(", ")
            .push_bind(id)
            .push(")");
    }
    sql.push(" ORDER BY w.updated_at DESC, w.id DESC LIMIT ")
        .push_bind(limit as i64 + 1);
    let mut rows = sql.build().fetch_all(readers).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let items = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| Cursor::text(last.updated_at.0, last.id));
    Ok(Page { items, next })
}

fn summary(row: &SqliteRow) -> Result<WorkflowSummary, StoreError> {
    let row = Columns(row);
    let last_run = match row.maybe_parsed(7)? {
        Some(id) => Some(LastRun {
            id,
            status: row.get(8)?,
            created_at: row.moment(9)?,
        }),
        None => None,
    };
    Ok(WorkflowSummary {
        id: row.parsed(0)?,
        name: row.get(1)?,
        description: row.get(2)?,
        version: row.small(3)?,
        nodes: row.small(4)?,
        runnable: row.get(5)?,
        updated_at: row.moment(6)?,
        last_run,
    })
}
