//! The file: how large it is, what takes the space, and giving back what is free.

use std::path::Path;

use app::api::dto::{TableSpace, WorkflowSpace};
use sqlx::{SqliteConnection, SqlitePool, sqlite::SqliteAutoVacuum};
use tokio::sync::Mutex;

use super::super::{
    reader::Columns,
    writer::{self, Writer},
};
use crate::store::{
    StoreError,
    upkeep::{Checkpoint, Sizes, Space},
};

/// A database that holds more than this is not read page by page to see what its tables take.
const MOST_MEASURED: u64 = 256 << 20;

/// A database larger than this is not written anew at a start.
const MOST_REWRITTEN: u64 = 256 << 20;

/// Most workflows that are told apart; who has more has other worries.
const MOST_WORKFLOWS: u32 = 1_000;

/// The file, measured.
pub(in super::super) async fn sizes(
    readers: &SqlitePool,
    file: &Path,
) -> Result<Sizes, StoreError> {
    let mut connection = readers.acquire().await?;
    sizes_of(&mut connection, file).await
}

async fn sizes_of(connection: &mut SqliteConnection, file: &Path) -> Result<Sizes, StoreError> {
    let mut numbers = [0; 4];
    for (number, pragma) in numbers.iter_mut().zip([
        "PRAGMA page_size",
        "PRAGMA page_count",
        "PRAGMA freelist_count",
        "PRAGMA auto_vacuum",
    ]) {
        let row = sqlx::query(pragma).fetch_one(&mut *connection).await?;
        *number = Columns(&row).count(0)?;
    }
    let [page, pages, free, auto_vacuum] = numbers;
    let wal = writer::wal(file);
    Ok(Sizes {
        file: page.saturating_mul(pages),
        free: page.saturating_mul(free),
        wal: wal.as_ref().map_or(0, |about| about.len()),
        wal_written: wal.and_then(|about| about.modified().ok()),
        page,
        gives_back: auto_vacuum == SqliteAutoVacuum::Incremental as u64,
    })
}

/// What takes the space.
pub(in super::super) async fn space(
    readers: &SqlitePool,
    file: &Path,
) -> Result<Space, StoreError> {
    let mut connection = readers.acquire().await?;
    let workflows = sqlx::query(
        "SELECT workflow_id, coalesce(max(workflows.name), max(runs.workflow_name)), count(*),
                sum(event_bytes)
         FROM runs LEFT JOIN workflows ON workflows.id = workflow_id
         GROUP BY workflow_id ORDER BY 4 DESC, 1 LIMIT ?1",
    )
    .bind(MOST_WORKFLOWS)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(|row| {
        let row = Columns(row);
        Ok(WorkflowSpace {
            workflow: row.parsed(0)?,
            name: row.get(1)?,
            runs: row.count(2)?,
            bytes: row.count(3)?,
        })
    })
    .collect::<Result<_, StoreError>>()?;
    let tables = match sizes_of(&mut connection, file).await?.used() <= MOST_MEASURED {
        true => tables(&mut connection).await?,
        false => Vec::new(),
    };
    Ok(Space { workflows, tables })
}

async fn tables(connection: &mut SqliteConnection) -> Result<Vec<TableSpace>, StoreError> {
    sqlx::query(
        "SELECT coalesce(tbl_name, 'sqlite_schema'),
                sum(iif(type = 'index', 0, pgsize)), sum(iif(type = 'index', pgsize, 0))
         FROM dbstat LEFT JOIN sqlite_schema ON sqlite_schema.name = dbstat.name
         WHERE aggregate = TRUE GROUP BY 1 ORDER BY sum(pgsize) DESC",
    )
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| {
        let row = Columns(row);
        Ok(TableSpace {
            name: row.get(0)?,
            bytes: row.count(1)?,
            index_bytes: row.count(2)?,
        })
    })
    .collect()
}

/// Gives at most so many pages back.
pub(in super::super) async fn shrink(writer: &Mutex<Writer>, pages: u32) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    // A number, not a text of anybody: a pragma takes no bound value.
    let given = sqlx::query(sqlx::AssertSqlSafe(format!(
        "PRAGMA incremental_vacuum({pages})"
    )))
    .fetch_all(writer.connection())
    .await;
    let result = given.map(|_| ()).map_err(StoreError::from);
    writer.finish(result).await
}

/// Moves the write-ahead log into the file.
pub(in super::super) async fn checkpoint(
    writer: &Mutex<Writer>,
    how: Checkpoint,
) -> Result<(), StoreError> {
    writer.lock().await.checkpoint(how).await
}

/// Writes an older database anew, so that it can give pages back.
pub(in super::super) async fn modernise(
    writer: &Mutex<Writer>,
    file: &Path,
) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    let sizes = sizes_of(writer.idle().await?, file).await?;
    if sizes.gives_back || sizes.file > MOST_REWRITTEN {
        return Ok(());
    }
    let connection = writer.idle().await?;
    for sql in ["PRAGMA auto_vacuum = INCREMENTAL", "VACUUM"] {
        sqlx::query(sql)
            .execute(&mut *connection)
            .await
            .map_err(|error| StoreError::from(error).while_doing("writing the database anew"))?;
    }
    writer.checkpoint(Checkpoint::Truncate).await
}
