//! How long what is kept, and texts that are remembered under a name.

use domain::{
    id::WorkflowId,
    retention::{Keep, Retention},
};
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::super::{
    insert::int,
    reader::{Columns, unreadable},
    writer::Writer,
};
use crate::store::StoreError;

const KEEP_DAYS: &str = "keep_days";
const MAX_BYTES: &str = "max_bytes";

/// The rules; the defaults where nobody said anything.
pub(in super::super) async fn retention(readers: &SqlitePool) -> Result<Retention, StoreError> {
    let mut connection = readers.acquire().await?;
    let mut rules = Retention::default();
    if let Some(days) = text(&mut connection, KEEP_DAYS).await? {
        rules.keep = match days.as_str() {
            "forever" => Keep::Forever,
            days => Keep::Days(days.parse().map_err(|error| unreadable(0, error))?),
        };
    }
    if let Some(bytes) = text(&mut connection, MAX_BYTES).await? {
        rules.max_bytes = match bytes.as_str() {
            "none" => None,
            bytes => Some(bytes.parse().map_err(|error| unreadable(0, error))?),
        };
    }
    let rows = sqlx::query("SELECT workflow_id, keep_days FROM retention")
        .fetch_all(&mut *connection)
        .await?;
    for row in &rows {
        let row = Columns(row);
        let keep = match row.get::<Option<u32>>(1)? {
            Some(days) => Keep::Days(days),
            None => Keep::Forever,
        };
        rules.workflows.insert(row.parsed(0)?, keep);
    }
    Ok(rules)
}

/// Changes the rules, all at once.
pub(in super::super) async fn set_retention(
    writer: &Mutex<Writer>,
    rules: &Retention,
) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = set_in(writer.connection(), rules).await;
    writer.finish(result).await
}

async fn set_in(connection: &mut SqliteConnection, rules: &Retention) -> Result<(), StoreError> {
    let days = match rules.keep {
        Keep::Days(days) => days.to_string(),
        Keep::Forever => "forever".to_owned(),
    };
    let bytes = rules
        .max_bytes
        .map_or_else(|| "none".to_owned(), |bytes| int(bytes).to_string());
    set_text(connection, KEEP_DAYS, &days).await?;
    set_text(connection, MAX_BYTES, &bytes).await?;
    sqlx::query("DELETE FROM retention")
        .execute(&mut *connection)
        .await?;
    for (workflow, keep) in &rules.workflows {
        set_rule(connection, *workflow, *keep).await?;
    }
    Ok(())
}

async fn set_rule(
    connection: &mut SqliteConnection,
    workflow: WorkflowId,
    keep: Keep,
) -> Result<(), StoreError> {
    let days = match keep {
        Keep::Days(days) => Some(days),
        Keep::Forever => None,
    };
    let stored = sqlx::query(
        "INSERT INTO retention (workflow_id, keep_days) SELECT id, ?2 FROM workflows WHERE id = ?1",
    )
    .bind(workflow.to_string())
    .bind(days)
    .execute(connection)
    .await?;
    if stored.rows_affected() == 0 {
        return Err(StoreError::BadQuery(format!(
            "There is no workflow {workflow}, so it can have no rule."
        )));
    }
    Ok(())
}

/// What was remembered under a name.
pub(in super::super) async fn remembered(
    readers: &SqlitePool,
    name: &str,
) -> Result<Option<String>, StoreError> {
    text(&mut *readers.acquire().await?, name).await
}

/// Remembers a text.
pub(in super::super) async fn remember(
    writer: &Mutex<Writer>,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = set_text(writer.connection(), name, value).await;
    writer.finish(result).await
}

async fn text(connection: &mut SqliteConnection, key: &str) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = ?1")
        .bind(key)
        .fetch_optional(connection)
        .await?)
}

async fn set_text(
    connection: &mut SqliteConnection,
    key: &str,
    value: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(connection)
    .await?;
    Ok(())
}
