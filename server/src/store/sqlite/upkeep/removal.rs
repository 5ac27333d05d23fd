//! Runs that go, and events of no run that are old: found with a reader, marked, and taken away in
//! small transactions, so that no commit of the kernel waits long for one.
//!
//! A marked run is in no list and cannot be read; once its removal has begun (`removing_at` is 0) it
//! is taken away to the end, at the next start if need be. A run that goes on loses its mark with the
//! row that says so (`append.rs`).

use domain::{
    id::RunId,
    retention::{FRESH_MS, Retention},
    time::Timestamp,
};
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::super::{insert::int, reader::Columns, writer::Writer};
use crate::store::{
    StoreError,
    upkeep::{Candidate, EVENT_OVERHEAD, Reason, Removed},
};

/// Most data that goes in one transaction, in bytes: the pages of long texts are read to be freed.
const MOST_BYTES: u64 = 4 << 20;

/// Finished runs that may go, oldest end first.
pub(in super::super) async fn candidates(
    readers: &SqlitePool,
    rules: &Retention,
    reason: Reason,
    now: Timestamp,
    after: Option<Candidate>,
    most: u32,
) -> Result<Vec<Candidate>, StoreError> {
    let fresh = now.0.saturating_sub(int(FRESH_MS));
    let general = rules.keep.cutoff(now).map(|cutoff| match reason {
        Reason::Age => cutoff.0,
        Reason::Size => fresh,
    });
    let (after_at, after_id) = after.map_or((i64::MIN, String::new()), |after| {
        (after.ended_at.0, after.run.to_string())
    });
    // Kin of what lives: its ancestors, and all that came from any of them.
    sqlx::query(
        "WITH RECURSIVE kin (id, parent) AS (
            SELECT id, parent_run_id FROM runs INDEXED BY runs_alive
            WHERE status IN ('queued', 'running', 'paused')
            UNION
            SELECT runs.id, runs.parent_run_id FROM kin JOIN runs ON runs.id = kin.parent
            UNION
            SELECT runs.id, runs.parent_run_id FROM kin
            JOIN runs INDEXED BY runs_by_parent ON runs.parent_run_id = kin.id
         )
         SELECT runs.id, ended_at, event_bytes
         FROM runs INDEXED BY runs_ended
         LEFT JOIN retention AS own ON own.workflow_id = runs.workflow_id
         WHERE ended_at IS NOT NULL AND (ended_at, runs.id) > (?1, ?2)
           AND status IN ('succeeded', 'failed', 'cancelled') AND removing_at IS NULL
           AND ended_at < CASE
                WHEN own.workflow_id IS NULL THEN ?3
                WHEN own.keep_days IS NULL THEN NULL
                WHEN ?4 IS NOT NULL THEN ?4
                ELSE ?5 - own.keep_days * 86400000 END
           AND runs.id NOT IN (SELECT id FROM kin)
         ORDER BY ended_at, runs.id LIMIT ?6",
    )
    .bind(after_at)
    .bind(after_id)
    .bind(general)
    .bind((reason == Reason::Size).then_some(fresh))
    .bind(now.0)
    .bind(most)
    .fetch_all(readers)
    .await?
    .iter()
    .map(|row| {
        let row = Columns(row);
        Ok(Candidate {
            run: row.parsed(0)?,
            ended_at: row.moment(1)?,
            bytes: row.count(2)?,
        })
    })
    .collect()
}

/// Marks those of the runs that still may go; how many are marked then.
pub(in super::super) async fn mark(
    writer: &Mutex<Writer>,
    runs: &[RunId],
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = mark_in(writer.connection(), runs, now).await;
    writer.finish(result).await
}

async fn mark_in(
    connection: &mut SqliteConnection,
    runs: &[RunId],
    now: Timestamp,
) -> Result<u64, StoreError> {
    // Looked at once more, because this comes later than the look that found them.
    sqlx::query(
        "UPDATE runs SET removing_at = ?2
         WHERE id IN (SELECT value FROM json_each(?1)) AND removing_at IS NULL
           AND status IN ('succeeded', 'failed', 'cancelled')
           AND NOT EXISTS (SELECT 1 FROM runs AS child INDEXED BY runs_by_parent
                           WHERE child.parent_run_id = runs.id
                             AND child.status IN ('queued', 'running', 'paused'))
           AND NOT EXISTS (SELECT 1 FROM runs AS parent WHERE parent.id = runs.parent_run_id
                             AND parent.status IN ('queued', 'running', 'paused'))",
    )
    .bind(json(runs)?)
    // 0 means that the removal has begun.
    .bind(now.0.max(1))
    .execute(&mut *connection)
    .await?;
    count_marked(connection).await
}

async fn count_marked(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let marked = sqlx::query(
        "SELECT count(*) FROM runs INDEXED BY runs_removing WHERE removing_at IS NOT NULL",
    )
    .fetch_one(connection)
    .await?;
    Columns(&marked).count(0)
}

/// How many runs are marked.
pub(in super::super) async fn marked(readers: &SqlitePool) -> Result<u64, StoreError> {
    count_marked(&mut *readers.acquire().await?).await
}

/// Takes the mark from runs whose removal has not begun.
pub(in super::super) async fn spare(writer: &Mutex<Writer>, most: u32) -> Result<u64, StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let spared = sqlx::query(
        "UPDATE runs SET removing_at = NULL WHERE id IN (
            SELECT id FROM runs INDEXED BY runs_removing WHERE removing_at > 0 LIMIT ?1)",
    )
    .bind(most)
    .execute(writer.connection())
    .await;
    let result = spared
        .map(|done| done.rows_affected())
        .map_err(StoreError::from);
    writer.finish(result).await
}

/// Removes at most so many rows of runs that were marked before `before`.
pub(in super::super) async fn remove(
    writer: &Mutex<Writer>,
    before: Timestamp,
    most: u32,
) -> Result<Removed, StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = remove_in(writer.connection(), before, u64::from(most)).await;
    writer.finish(result).await
}

async fn remove_in(
    connection: &mut SqliteConnection,
    before: Timestamp,
    most: u64,
) -> Result<Removed, StoreError> {
    let mut removed = Removed::default();
    let mut bytes = 0;
    while removed.rows < most && bytes < MOST_BYTES {
        let Some(run) = begun(connection, before).await? else {
            break;
        };
        let found = sqlx::query(
            "SELECT seq, octet_length(data) FROM events INDEXED BY events_by_run
             WHERE run_id = ?1 ORDER BY run_seq LIMIT ?2",
        )
        .bind(&run)
        .bind(int(most - removed.rows))
        .fetch_all(&mut *connection)
        .await?;
        if !found.is_empty() {
            let (events, length) = delete_events(connection, &found, MOST_BYTES - bytes).await?;
            removed.events += events;
            removed.rows += events;
            bytes += length;
            continue;
        }
        // What points to a row goes before it.
        let mut gone = 0;
        for sql in [
            "DELETE FROM attempts WHERE (run_id, task, attempt) IN (
                SELECT run_id, task, attempt FROM attempts WHERE run_id = ?1 LIMIT ?2)",
            "DELETE FROM tasks WHERE (run_id, position, task) IN (
                SELECT run_id, position, task FROM tasks WHERE run_id = ?1 LIMIT ?2)",
            "DELETE FROM starts WHERE key IN (
                SELECT key FROM starts INDEXED BY starts_by_run WHERE run_id = ?1 LIMIT ?2)",
        ] {
            let left = most.saturating_sub(removed.rows + gone);
            if left == 0 {
                break;
            }
            gone += sqlx::query(sql)
                .bind(&run)
                .bind(int(left))
                .execute(&mut *connection)
                .await?
                .rows_affected();
        }
        removed.rows += gone;
        if removed.rows >= most {
            break;
        }
        for sql in [
            "DELETE FROM recoveries WHERE run_id = ?1",
            "DELETE FROM runs WHERE id = ?1",
        ] {
            removed.rows += sqlx::query(sql)
                .bind(&run)
                .execute(&mut *connection)
                .await?
                .rows_affected();
        }
        removed.runs += 1;
    }
    Ok(removed)
}

/// The run whose removal has begun; else the next begins.
async fn begun(
    connection: &mut SqliteConnection,
    before: Timestamp,
) -> Result<Option<String>, StoreError> {
    let next = sqlx::query(
        "SELECT id, removing_at FROM runs INDEXED BY runs_removing
         WHERE removing_at IS NOT NULL AND removing_at <= ?1 ORDER BY removing_at LIMIT 1",
    )
    .bind(before.0.max(0))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(next) = next else { return Ok(None) };
    let run: String = Columns(&next).get(0)?;
    if Columns(&next).get::<i64>(1)? != 0 {
        sqlx::query("UPDATE runs SET removing_at = 0 WHERE id = ?1")
            .bind(&run)
            .execute(connection)
            .await?;
    }
    Ok(Some(run))
}

/// Removes events (`seq`, length of the data) up to some length, at least one; how many, and how long
/// they were. The highest number that ever went is kept.
async fn delete_events(
    connection: &mut SqliteConnection,
    found: &[sqlx::sqlite::SqliteRow],
    most_bytes: u64,
) -> Result<(u64, u64), StoreError> {
    let (mut numbers, mut bytes) = (Vec::with_capacity(found.len()), 0);
    for row in found {
        numbers.push(Columns(row).count(0)?);
        bytes += Columns(row).count(1)? + EVENT_OVERHEAD;
        if bytes >= most_bytes {
            break;
        }
    }
    let Some(highest) = numbers.iter().max() else {
        return Ok((0, 0));
    };
    let gone = sqlx::query("DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?1))")
        .bind(json(&numbers)?)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ('removed_to', CAST(?1 AS TEXT))
         ON CONFLICT (key) DO UPDATE SET value = excluded.value
         WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)",
    )
    .bind(int(*highest))
    .execute(connection)
    .await?;
    Ok((gone, bytes))
}

/// Removes events of no run and agents, both older than `before`.
pub(in super::super) async fn remove_old(
    readers: &SqlitePool,
    writer: &Mutex<Writer>,
    before: Timestamp,
    most: u32,
) -> Result<Removed, StoreError> {
    let events = remove_old_events(writer, before, most).await?;
    if events.rows > 0 {
        return Ok(events);
    }
    // Found with a reader: most of those that are looked at stay while their runs do.
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM agents INDEXED BY agents_gone
         WHERE state = 'terminated' AND updated_at < ?1
           AND NOT EXISTS (SELECT 1 FROM events INDEXED BY events_by_agent
                           WHERE source_agent_id = agents.id)
         ORDER BY updated_at LIMIT ?2",
    )
    .bind(before.0)
    .bind(most)
    .fetch_all(readers)
    .await?;
    if ids.is_empty() {
        return Ok(Removed::default());
    }
    let ids = json(&ids)?;
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let gone = sqlx::query(
        "DELETE FROM agents WHERE state = 'terminated'
           AND id IN (SELECT value FROM json_each(?1))",
    )
    .bind(ids)
    .execute(writer.connection())
    .await;
    let result = gone
        .map(|done| Removed {
            rows: done.rows_affected(),
            ..Removed::default()
        })
        .map_err(StoreError::from);
    writer.finish(result).await
}

async fn remove_old_events(
    writer: &Mutex<Writer>,
    before: Timestamp,
    most: u32,
) -> Result<Removed, StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = old_events_in(writer.connection(), before, most).await;
    writer.finish(result).await
}

async fn old_events_in(
    connection: &mut SqliteConnection,
    before: Timestamp,
    most: u32,
) -> Result<Removed, StoreError> {
    let found = sqlx::query(
        "SELECT seq, octet_length(data) FROM events INDEXED BY events_of_no_run
         WHERE run_id IS NULL AND timestamp < ?1 ORDER BY timestamp LIMIT ?2",
    )
    .bind(before.0)
    .bind(most)
    .fetch_all(&mut *connection)
    .await?;
    if found.is_empty() {
        return Ok(Removed::default());
    }
    // The log lets go of what is older than this, and of nothing else.
    sqlx::query(
        "INSERT INTO meta (key, value) VALUES ('removable_before', CAST(?1 AS TEXT))
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(before.0)
    .execute(&mut *connection)
    .await?;
    let (events, _) = delete_events(connection, &found, MOST_BYTES).await?;
    Ok(Removed {
        rows: events,
        events,
        ..Removed::default()
    })
}

/// Values as one that SQLite takes apart again.
fn json<T: serde::Serialize>(values: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(values).map_err(|error| StoreError::Broken(error.to_string()))
}
