//! Where a socket reads what it missed.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{event::Event, frame::EventFrame, id::RunId};

use crate::{
    store::{Store, StoreError},
    web::problem::Problem,
};

/// The reading side of the log.
#[async_trait]
pub trait LogReader: Send + Sync + 'static {
    /// `seq` of the newest event, 0 when there never was one.
    async fn head(&self) -> Result<u64, StoreError>;
    /// The highest `seq` that was removed, 0 when none was.
    async fn removed_to(&self) -> Result<u64, StoreError>;
    /// Names the database: changes when it is replaced.
    async fn epoch(&self) -> Result<String, StoreError>;
    /// At most `limit` frames with `seq > after`, in order, of topics that fit one of the patterns
    /// (none: all), and the last `seq` that was looked at.
    async fn frames_after(
        &self,
        after: u64,
        limit: u32,
        patterns: &[String],
    ) -> Result<(Vec<EventFrame>, u64), StoreError>;
    /// At most so many events of a run behind `after_run_seq`, in order; `None` when there is no such run.
    async fn run_events(
        &self,
        run: RunId,
        after_run_seq: u64,
        most: u32,
    ) -> Result<Option<Vec<EventFrame>>, StoreError>;
}

/// The log in the store.
pub struct StoredLog(pub Arc<dyn Store>);

#[async_trait]
impl LogReader for StoredLog {
    async fn head(&self) -> Result<u64, StoreError> {
        self.0.head().await
    }

    async fn removed_to(&self) -> Result<u64, StoreError> {
        self.0.removed_to().await
    }

    async fn epoch(&self) -> Result<String, StoreError> {
        self.0.epoch().await
    }

    async fn frames_after(
        &self,
        after: u64,
        limit: u32,
        patterns: &[String],
    ) -> Result<(Vec<EventFrame>, u64), StoreError> {
        self.0.frames_after(after, limit, patterns).await
    }

    async fn run_events(
        &self,
        run: RunId,
        after_run_seq: u64,
        most: u32,
    ) -> Result<Option<Vec<EventFrame>>, StoreError> {
        let events = self.0.run_events(run, after_run_seq, most).await?;
        // Asked behind the look: a run that was removed meanwhile is gone, not at its end.
        if self.0.run_origin(run).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(events.iter().map(Event::to_frame).collect()))
    }
}

/// What a failed look into the log means to a client; the log of the server has the reason.
pub fn problem(error: StoreError) -> Problem {
    tracing::error!(%error, "the log cannot be read");
    match error {
        StoreError::BadQuery(reason) => Problem::bad_request("bad_query", reason),
        StoreError::Busy(_) => Problem::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "store_busy",
            "The database is busy or its disk is full. Try again in a moment.",
        ),
        StoreError::Broken(_)
        | StoreError::Newer { .. }
        | StoreError::OldSqlite(_)
        | StoreError::Unreadable(_)
        | StoreError::CannotOpen(_) => Problem::internal(),
    }
}
