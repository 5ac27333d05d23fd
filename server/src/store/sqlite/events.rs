//! The log, read. Lists are found in two steps: first the numbers of the events, from an index and
//! without their data; then as many whole events as fit into a part. So one part never loads more
//! than [`PART_BYTES`] (and one event), however long the texts of models are.

use app::api::dto::{EventQuery, Page};
use domain::{
    event::{Event, EventSeverity},
    frame::EventFrame,
    id::{RunId, TaskName},
    topic,
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool, sqlite::SqliteRow};

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

/// Most kinds of event in one family; there are about forty kinds in all.
const MOST_KINDS: u32 = 256;

/// An event that was found: its number, and how long its data is.
#[derive(Clone, Copy)]
struct Found {
    seq: u64,
    bytes: u64,
}

/// `seq` of the newest event.
pub(super) async fn head(readers: &SqlitePool) -> Result<u64, StoreError> {
    let head: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM events")
        .fetch_one(readers)
        .await?;
    Ok(head.and_then(|head| u64::try_from(head).ok()).unwrap_or(0))
}

/// Every event of a run behind the one given, in order.
pub(super) async fn of_run(
    readers: &SqlitePool,
    run: RunId,
    after_run_seq: u64,
) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, run_seq, timestamp, event_type, topic, workflow_id, run_id, task,
                source_agent_id, severity, data
         FROM events INDEXED BY events_by_run
         WHERE run_id = ?1 AND run_seq > ?2 ORDER BY run_seq",
    )
    .bind(run.to_string())
    .bind(int(after_run_seq))
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
    let filter = Filter::read(query)?;
    let mut connection = readers.acquire().await?;
    let found = match (&filter.kind, filter.only_by_kind()) {
        // An index has the events of one kind in order, not those of a family: the kinds are merged.
        (Kind::Family(prefix), true) => {
            let mut found = Vec::new();
            for kind in kinds(&mut connection, prefix).await? {
                let of_kind = Filter {
                    kind: Kind::Exactly(kind),
                    ..filter.clone()
                };
                found.extend(of_kind.find(&mut connection, limit + 1).await?);
            }
            found.sort_by_key(|found| found.seq);
            if filter.newest_first() {
                found.reverse();
            }
            found
        }
        (Kind::Any | Kind::Exactly(_) | Kind::Family(_), _) => {
            filter.find(&mut connection, limit + 1).await?
        }
    };
    let mut part = Part::new(limit);
    let more = found.into_iter().any(|found| !part.take(found));
    let mut items = load(&mut connection, &part.taken).await?;
    if filter.newest_first() {
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

/// What is asked for, read from a query.
#[derive(Clone)]
struct Filter {
    after: Option<u64>,
    before: Option<u64>,
    run: Option<String>,
    agent: Option<String>,
    severity: EventSeverity,
    kind: Kind,
}

/// Which types of event.
#[derive(Clone)]
enum Kind {
    Any,
    Exactly(String),
    /// With the point: `task.`.
    Family(String),
}

impl Filter {
    fn read(query: &EventQuery) -> Result<Self, StoreError> {
        let severity = match query.severity.as_deref() {
            None => EventSeverity::Info,
            Some(raw) => EventSeverity::parse(raw).ok_or_else(|| {
                StoreError::BadQuery("the severity must be `info`, `warning` or `error`".into())
            })?,
        };
        let kind = match query.kind.as_deref() {
            None | Some("*") => Kind::Any,
            Some(raw) => match raw.strip_suffix('*') {
                Some(prefix) if prefix.ends_with('.') => Kind::Family(prefix.to_owned()),
                Some(_) | None => Kind::Exactly(raw.to_owned()),
            },
        };
        Ok(Self {
            after: query.after,
            before: query.before,
            run: query.run.map(|run| run.to_string()),
            agent: query.agent.map(|agent| agent.to_string()),
            severity,
            kind,
        })
    }

    fn newest_first(&self) -> bool {
        self.after.is_none()
    }

    fn only_by_kind(&self) -> bool {
        self.run.is_none() && self.agent.is_none() && self.severity == EventSeverity::Info
    }

    /// The first events that fit, in the order of the list. The index is chosen here: SQLite has no
    /// statistics of a table that only ever grows.
    async fn find(
        &self,
        connection: &mut SqliteConnection,
        limit: usize,
    ) -> Result<Vec<Found>, StoreError> {
        let (index, order) = match (&self.run, &self.agent, self.severity, &self.kind) {
            (Some(_), _, _, _) => ("INDEXED BY events_by_run", "run_seq"),
            (None, Some(_), _, _) => ("INDEXED BY events_by_agent", "seq"),
            (None, None, EventSeverity::Warning | EventSeverity::Error, _) => {
                ("INDEXED BY events_of_note", "seq")
            }
            (None, None, EventSeverity::Info, Kind::Exactly(_)) => {
                ("INDEXED BY events_by_type", "seq")
            }
            (None, None, EventSeverity::Info, Kind::Any | Kind::Family(_)) => {
                ("NOT INDEXED", "seq")
            }
        };
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(format!(
            "SELECT seq, octet_length(data) FROM events {index} WHERE true"
        ));
        if let Some(run) = &self.run {
            sql.push(" AND run_id = ").push_bind(run);
        }
        if let Some(agent) = &self.agent {
            sql.push(" AND source_agent_id = ").push_bind(agent);
        }
        match self.severity {
            EventSeverity::Info => {}
            EventSeverity::Warning => {
                sql.push(" AND severity <> 'info'");
            }
            EventSeverity::Error => {
                sql.push(" AND severity <> 'info' AND severity = 'error'");
            }
        }
        match &self.kind {
            Kind::Any => {}
            Kind::Exactly(kind) => {
                sql.push(" AND event_type = ").push_bind(kind);
            }
            Kind::Family(prefix) => {
                sql.push(" AND event_type >= ").push_bind(prefix);
                sql.push(" AND event_type < ").push_bind(behind(prefix));
            }
        }
        if let Some(after) = self.after {
            sql.push(" AND seq > ").push_bind(int(after));
        }
        if let Some(before) = self.before {
            sql.push(" AND seq < ").push_bind(int(before));
        }
        let direction = if self.newest_first() { "DESC" } else { "ASC" };
        sql.push(format!(" ORDER BY {order} {direction} LIMIT "))
            .push_bind(limit as i64);
        sql.build()
            .fetch_all(connection)
            .await?
            .iter()
            .map(found)
            .collect()
    }
}

/// The first text behind all that begin with `task.`: the point's successor is the slash.
fn behind(prefix: &str) -> String {
    format!("{}/", prefix.strip_suffix('.').unwrap_or(prefix))
}

/// Every type of a family that there is an event of: one look into the index for each.
async fn kinds(connection: &mut SqliteConnection, prefix: &str) -> Result<Vec<String>, StoreError> {
    let kinds = sqlx::query_scalar(
        "WITH RECURSIVE kinds (kind) AS (
            SELECT min(event_type) FROM events WHERE event_type >= ?1 AND event_type < ?2
            UNION ALL
            SELECT (SELECT min(event_type) FROM events WHERE event_type > kind AND event_type < ?2)
            FROM kinds WHERE kind IS NOT NULL
         )
         SELECT kind FROM kinds WHERE kind IS NOT NULL LIMIT ?3",
    )
    .bind(prefix)
    .bind(behind(prefix))
    .bind(MOST_KINDS)
    .fetch_all(connection)
    .await?;
    Ok(kinds)
}

/// Whole events by their numbers, oldest first.
async fn load(
    connection: &mut SqliteConnection,
    numbers: &[u64],
) -> Result<Vec<EventFrame>, StoreError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let numbers =
        serde_json::to_string(numbers).map_err(|error| StoreError::Broken(error.to_string()))?;
    sqlx::query(
        "SELECT seq, run_seq, timestamp, event_type, topic, workflow_id, run_id, task,
                source_agent_id, severity, data
         FROM events NOT INDEXED WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq",
    )
    .bind(numbers)
    .fetch_all(connection)
    .await?
    .iter()
    .map(frame)
    .collect()
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
