//! Runs whose recovery was cut short, and how often in a row.

use domain::id::RunId;
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::{reader::Columns, writer::Writer};
use crate::store::StoreError;

/// All that there are: few, and mostly none.
pub(super) async fn list(readers: &SqlitePool) -> Result<Vec<(RunId, u32)>, StoreError> {
    let rows = sqlx::query("SELECT run_id, tries FROM recoveries")
        .fetch_all(readers)
        .await?;
    rows.iter()
        .map(|row| Ok((Columns(row).parsed(0)?, Columns(row).small(1)?)))
        .collect()
}

/// One more for this run.
pub(super) async fn count(writer: &Mutex<Writer>, run: RunId) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let counted = sqlx::query(
        "INSERT INTO recoveries (run_id, tries) VALUES (?1, 1)
         ON CONFLICT (run_id) DO UPDATE SET tries = tries + 1",
    )
    .bind(run.to_string())
    .execute(writer.connection())
    .await;
    let result = counted.map(|_| ()).map_err(StoreError::from);
    writer.finish(result).await
}

/// None for these runs.
pub(super) async fn clear(writer: &Mutex<Writer>, runs: &[RunId]) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = delete(writer.connection(), runs).await;
    writer.finish(result).await
}

async fn delete(connection: &mut SqliteConnection, runs: &[RunId]) -> Result<(), StoreError> {
    for run in runs {
        sqlx::query("DELETE FROM recoveries WHERE run_id = ?1")
            .bind(run.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
