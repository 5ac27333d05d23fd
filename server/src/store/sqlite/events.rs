//! The log, read. Lists are found in two steps: first the numbers of the events, from an index
//! (`events/search.rs`); then as many whole events as fit into a part. So one part never loads more
//! than [`PART_BYTES`] (and one event), however long the texts of models are.

mod search;

use app::api::dto::{EventQuery, Page};
use domain::{
    event::{Event, EventSeverity},
    frame::EventFrame,
    id::{RunId, TaskName},
    topic,
};
use sqlx::{SqliteConnection, SqlitePool, sqlite::SqliteRow};

use self::search::Search;
use super::{
    cursor,
    insert::int,
    reader::{Columns, unreadable},
};
use crate::store::StoreError;

/// Most data in one part, in bytes.
const PART_BYTES: u64 = 8 * 1024 * 1024;

/// Most events whose topics are compared with patterns for one part.
const WINDOW: u32 = 4_096;

/// An event that was found: its number, and how long its data is.
#[derive(Clone, Copy)]
struct Found {
    seq: u64,
    bytes: u64,
}

/// `seq` of the newest event, be it gone or not: a number is never given twice.
pub(super) async fn head(connection: &mut SqliteConnection) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT max(coalesce((SELECT max(seq) FROM events), 0),
                    coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'removed_to'), 0))",
    )
    .fetch_one(connection)
    .await?;
    Columns(&row).count(0)
}

/// The highest `seq` that was removed, 0 when none ever was.
pub(super) async fn removed_to(readers: &SqlitePool) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT CAST(max(value) AS INTEGER) FROM meta WHERE key = 'removed_to'")
        .fetch_one(readers)
        .await?;
    Ok(Columns(&row).maybe_count(0)?.unwrap_or(0))
}

/// At most so many events of a run behind the one given, in order; none of one that is being removed,
/// or it would be read in part.
pub(super) async fn of_run(
    readers: &SqlitePool,
    run: RunId,
    after_run_seq: u64,
    most: u32,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, run_seq, timestamp, event_type, topic, workflow_id, run_id, task,
                source_agent_id, severity, data
         FROM events INDEXED BY events_by_run
         WHERE run_id = ?1 AND run_seq > ?2
           AND (SELECT removing_at FROM runs WHERE id = ?1) IS NULL
         ORDER BY run_seq LIMIT ?3",
    )
    .bind(run.to_string())
    .bind(int(after_run_seq))
    .bind(i64::from(most))
    .fetch_all(readers)
    .await?;
    rows.iter()
        .map(|row| {
            Event::from_frame(frame(row)?)
                .map_err(|error| StoreError::Unreadable(error.to_string()))
        })
        .collect()
}

/// Frames behind `after` whose topics fit, and the last number that was looked at.
pub(super) async fn frames_after(
    readers: &SqlitePool,
    after: u64,
    limit: u32,
    patterns: &[String],
) -> Result<(Vec<EventFrame>, u64), StoreError> {
    let window = if patterns.is_empty() {
        limit.min(WINDOW)
    } else {
        WINDOW
    };
    let mut connection = readers.acquire().await?;
    let rows = sqlx::query(
        "SELECT seq, octet_length(data), topic FROM events NOT INDEXED
         WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )
    .bind(int(after))
    .bind(window)
    .fetch_all(&mut *connection)
    .await?;
    let mut part = Part::new(limit as usize);
    let mut looked_at = after;
    for row in &rows {
        let found = found(row)?;
        let topic = Columns(row).get::<&str>(2)?;
        let fits =
            patterns.is_empty() || patterns.iter().any(|pattern| topic::fits(pattern, topic));
        if fits && !part.take(found) {
            break;
        }
        looked_at = found.seq;
    }
    Ok((load(&mut connection, &part.taken).await?, looked_at))
}

/// A part of the list of events.
pub(super) async fn page(
    readers: &SqlitePool,
    query: &EventQuery,
) -> Result<Page<EventFrame>, StoreError> {
    let limit = cursor::size(query.limit);
    let search = Search::read(query)?;
    let mut connection = readers.acquire().await?;
    let mut numbers = search.numbers(&mut connection, limit + 1).await?;
    let mut more = numbers.len() > limit;
    numbers.truncate(limit);
    let mut part = Part::new(limit);
    for found in measure(&mut connection, &numbers, search.newest_first()).await? {
        if !part.take(found) {
            more = true;
            break;
        }
    }
    let mut items = load(&mut connection, &part.taken).await?;
    if search.newest_first() {
        items.reverse();
    }
    let next = items
        .last()
        .filter(|_| more)
        .map(|last| last.seq.to_string());
    Ok(Page { items, next })
}

/// What one part holds.
struct Part {
    limit: usize,
    bytes: u64,
    taken: Vec<u64>,
}

impl Part {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: 0,
            taken: Vec::new(),
        }
    }

    /// Takes the event if there is room; the first always fits.
    fn take(&mut self, found: Found) -> bool {
        let bytes = self.bytes.saturating_add(found.bytes);
        if self.taken.len() >= self.limit || (!self.taken.is_empty() && bytes > PART_BYTES) {
            return false;
        }
        self.bytes = bytes;
        self.taken.push(found.seq);
        true
    }
}

/// How long the data of these events is, in the order of the list.
async fn measure(
    connection: &mut SqliteConnection,
    numbers: &[u64],
    newest_first: bool,
) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, octet_length(data) FROM events NOT INDEXED
         WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq",
    )
    .bind(list(numbers)?)
    .fetch_all(connection)
    .await?;
    let mut found = rows.iter().map(found).collect::<Result<Vec<_>, _>>()?;
    if newest_first {
        found.reverse();
    }
    Ok(found)
}

/// Whole events by their numbers, oldest first.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    numbers: &[u64],
) -> Result<Vec<EventFrame>, StoreError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(
        "SELECT seq, run_seq, timestamp, event_type, topic, workflow_id, run_id, task,
                source_agent_id, severity, data
         FROM events NOT INDEXED WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq",
    )
    .bind(list(numbers)?)
    .fetch_all(connection)
    .await?
    .iter()
    .map(frame)
    .collect()
}

/// Numbers as one value that SQLite takes apart again.
fn list(numbers: &[u64]) -> Result<String, StoreError> {
    serde_json::to_string(numbers).map_err(|error| StoreError::Broken(error.to_string()))
}

fn found(row: &SqliteRow) -> Result<Found, StoreError> {
    let row = Columns(row);
    Ok(Found {
        seq: row.count(0)?,
        bytes: row.count(1)?,
    })
}

fn frame(row: &SqliteRow) -> Result<EventFrame, StoreError> {
    let row = Columns(row);
    let severity = row.get::<&str>(9)?;
    Ok(EventFrame {
        seq: row.count(0)?,
        run_seq: row.maybe_count(1)?,
        at: row.moment(2)?,
        kind: row.get(3)?,
        topic: row.get(4)?,
        workflow_id: row.maybe_parsed(5)?,
        run_id: row.maybe_parsed(6)?,
        task: row
            .get::<Option<&str>>(7)?
            .map(|task| TaskName::parse(task).map_err(|error| unreadable(7, error)))
            .transpose()?,
        agent_id: row.maybe_parsed(8)?,
        severity: EventSeverity::parse(severity)
            .ok_or_else(|| unreadable(9, format!("`{severity}` is no severity")))?,
        data: row.json(10)?,
    })
}
