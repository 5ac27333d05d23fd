//! Which events a list shows. A list is merged from lanes; each lane is a stretch of one index in
//! the order of the log, so a search takes the same time however long the log is.

use app::api::dto::EventQuery;
use domain::event::EventSeverity;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::super::{insert::int, reader::Columns};
use crate::store::StoreError;

/// Most kinds of event that one search merges; there are about forty in all.
const MOST_KINDS: u32 = 256;

/// What is asked for.
pub(super) struct Search {
    after: Option<u64>,
    before: Option<u64>,
    run: Option<String>,
    agent: Option<String>,
    severity: EventSeverity,
    kind: Kind,
}

/// Which types of event.
enum Kind {
    Any,
    Exactly(String),
    /// With the point: `task.`.
    Family(String),
}

/// A stretch of one index.
enum Lane<'a> {
    /// The log itself.
    Log,
    Run(&'a str),
    Agent(&'a str),
    Severity(EventSeverity),
    Kind(String),
}

impl Search {
    /// Reads a query; what it names may be unknown, and then nothing is found.
    pub(super) fn read(query: &EventQuery) -> Result<Self, StoreError> {
        let severity = match query.severity.as_deref() {
            None => EventSeverity::Info,
            Some(raw) => EventSeverity::parse(raw).ok_or_else(|| {
                StoreError::BadQuery("The severity must be `info`, `warning` or `error`.".into())
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

    pub(super) fn newest_first(&self) -> bool {
        self.after.is_none()
    }

    /// The first `limit` events that fit, in the order of the list.
    pub(super) async fn numbers(
        &self,
        connection: &mut SqliteConnection,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let mut numbers = Vec::new();
        for lane in self.lanes(connection).await? {
            numbers.extend(self.walk(connection, &lane, limit).await?);
        }
        numbers.sort_unstable();
        if self.newest_first() {
            numbers.reverse();
        }
        numbers.truncate(limit);
        Ok(numbers)
    }

    /// The lanes with the fewest events to look at.
    async fn lanes(&self, connection: &mut SqliteConnection) -> Result<Vec<Lane<'_>>, StoreError> {
        Ok(match (&self.run, &self.agent, self.severity, &self.kind) {
            (Some(run), _, _, _) => vec![Lane::Run(run)],
            (None, Some(agent), _, _) => vec![Lane::Agent(agent)],
            (None, None, EventSeverity::Warning, _) => {
                vec![
                    Lane::Severity(EventSeverity::Warning),
                    Lane::Severity(EventSeverity::Error),
                ]
            }
            (None, None, EventSeverity::Error, _) => vec![Lane::Severity(EventSeverity::Error)],
            (None, None, EventSeverity::Info, Kind::Exactly(kind)) => {
                vec![Lane::Kind(kind.clone())]
            }
            (None, None, EventSeverity::Info, Kind::Family(prefix)) => kinds(connection, prefix)
                .await?
                .into_iter()
                .map(Lane::Kind)
                .collect(),
            (None, None, EventSeverity::Info, Kind::Any) => vec![Lane::Log],
        })
    }

    /// The first events of a lane that fit.
    async fn walk(
        &self,
        connection: &mut SqliteConnection,
        lane: &Lane<'_>,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        // Named, because SQLite would have to guess: it keeps no statistics of this table.
        let (index, order) = match lane {
            Lane::Log => ("NOT INDEXED", "seq"),
            Lane::Run(_) => ("INDEXED BY events_by_run", "run_seq"),
            Lane::Agent(_) => ("INDEXED BY events_by_agent", "seq"),
            Lane::Severity(_) => ("INDEXED BY events_of_note", "seq"),
            Lane::Kind(_) => ("INDEXED BY events_by_type", "seq"),
        };
        let mut sql: QueryBuilder<Sqlite> =
            QueryBuilder::new(format!("SELECT seq FROM events {index} WHERE true"));
        self.narrow(&mut sql);
        match lane {
            Lane::Log => {}
            Lane::Run(run) => {
                sql.push(" AND run_id = ").push_bind(*run);
            }
            Lane::Agent(agent) => {
                sql.push(" AND source_agent_id = ").push_bind(*agent);
            }
            Lane::Severity(severity) => {
                sql.push(" AND severity <> 'info' AND severity = ")
                    .push_bind(severity.name());
            }
            Lane::Kind(kind) => {
                sql.push(" AND event_type = ").push_bind(kind);
            }
        }
        let direction = if self.newest_first() { "DESC" } else { "ASC" };
        sql.push(format!(" ORDER BY {order} {direction} LIMIT "))
            .push_bind(limit as i64);
        let rows = sql.build().fetch_all(connection).await?;
        rows.iter().map(|row| Columns(row).count(0)).collect()
    }

    /// Everything that is asked for, whichever part of it the lane has answered already. The plus
    /// keeps SQLite from looking for an index.
    fn narrow(&self, sql: &mut QueryBuilder<Sqlite>) {
        if let Some(agent) = &self.agent {
            sql.push(" AND +source_agent_id = ").push_bind(agent);
        }
        match self.severity {
            EventSeverity::Info => {}
            EventSeverity::Warning => {
                sql.push(" AND +severity <> 'info'");
            }
            EventSeverity::Error => {
                sql.push(" AND +severity = 'error'");
            }
        }
        match &self.kind {
            Kind::Any => {}
            Kind::Exactly(kind) => {
                sql.push(" AND +event_type = ").push_bind(kind);
            }
            Kind::Family(prefix) => {
                sql.push(" AND substr(event_type, 1, length(")
                    .push_bind(prefix);
                sql.push(")) = ").push_bind(prefix);
            }
        }
        if let Some(after) = self.after {
            sql.push(" AND seq > ").push_bind(int(after));
        }
        if let Some(before) = self.before {
            sql.push(" AND seq < ").push_bind(int(before));
        }
    }
}

/// Every kind of a family that there is an event of: one look into the index for each.
async fn kinds(connection: &mut SqliteConnection, prefix: &str) -> Result<Vec<String>, StoreError> {
    let kinds = sqlx::query_scalar(
        "WITH RECURSIVE kinds (kind) AS (
            SELECT min(event_type) FROM events INDEXED BY events_by_type
            WHERE event_type >= ?1 AND event_type < ?2
            UNION ALL
            SELECT (SELECT min(event_type) FROM events INDEXED BY events_by_type
                    WHERE event_type > kind AND event_type < ?2)
            FROM kinds WHERE kind IS NOT NULL
         )
         SELECT kind FROM kinds WHERE kind IS NOT NULL LIMIT ?3",
    )
    .bind(prefix)
    // The successor of the point is the slash.
    .bind(format!("{}/", prefix.strip_suffix('.').unwrap_or(prefix)))
    .bind(MOST_KINDS)
    .fetch_all(connection)
    .await?;
    Ok(kinds)
}
