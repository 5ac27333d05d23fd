//! What keeps the database small and sound: which runs may go, taking them away bit by bit, giving
//! pages back, sizes. Each call is short and does a bounded piece; who calls, and how often, is the
//! engine's matter (`engine/upkeep.rs`).

use std::time::SystemTime;

use app::api::dto::{TableSpace, WorkflowSpace};
use async_trait::async_trait;
use domain::{id::RunId, retention::Retention, time::Timestamp};

use super::StoreError;

/// What an event takes besides its data, about, in bytes: its other columns and its place in indexes.
pub const EVENT_OVERHEAD: u64 = 320;

/// Why runs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// They ended longer ago than they are kept.
    Age,
    /// The database is too large.
    Size,
}

/// A finished run that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The run.
    pub run: RunId,
    /// When it ended: the oldest come first.
    pub ended_at: Timestamp,
    /// About what its events take.
    pub bytes: u64,
}

/// What one step took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Rows of any table.
    pub rows: u64,
    /// Runs that are gone now.
    pub runs: u64,
    /// Events among the rows.
    pub events: u64,
}

/// The file, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// The database file, in bytes.
    pub file: u64,
    /// The part of it that holds nothing.
    pub free: u64,
    /// The write-ahead log beside it.
    pub wal: u64,
    /// When that was last written, where the system tells.
    pub wal_written: Option<SystemTime>,
    /// One page.
    pub page: u64,
    /// Whether what is free can be given back to the disk.
    pub gives_back: bool,
}

impl Sizes {
    /// What the database holds.
    pub fn used(&self) -> u64 {
        self.file.saturating_sub(self.free)
    }
}

/// What takes the space.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    /// The largest first.
    pub workflows: Vec<WorkflowSpace>,
    /// The largest first; empty where measuring them would read too much.
    pub tables: Vec<TableSpace>,
}

/// Whether a checkpoint may make others wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// Nobody waits; what readers still need stays in the log.
    Passive,
    /// Writers wait for a moment; the log is empty then.
    Truncate,
}

/// The upkeep of what [`super::Store`] keeps.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// How long what is kept.
    async fn retention(&self) -> Result<Retention, StoreError>;
    /// Changes that. A rule for a workflow that is not there is a `BadQuery`.
    async fn set_retention(&self, rules: &Retention) -> Result<(), StoreError>;

    /// Runs that may go, oldest end first, behind the one given. Nothing that lives is among them,
    /// nor any kin of it.
    async fn candidates(
        &self,
        rules: &Retention,
        reason: Reason,
        now: Timestamp,
        after: Option<Candidate>,
        most: u32,
    ) -> Result<Vec<Candidate>, StoreError>;
    /// Marks runs: from now on they are in no list. Those that live again by now, or have kin that
    /// does, are left out. How many there are marked then.
    async fn mark(&self, runs: &[RunId], now: Timestamp) -> Result<u64, StoreError>;
    /// Takes the mark from so many runs whose removal has not begun; how many had one.
    async fn spare(&self, most: u32) -> Result<u64, StoreError>;
    /// Runs that are marked.
    async fn marked(&self) -> Result<u64, StoreError>;
    /// Removes at most so many rows of runs that were marked before `before`; none when there are
    /// none left.
    async fn remove(&self, before: Timestamp, most: u32) -> Result<Removed, StoreError>;
    /// Removes at most so many events of no run older than `before`, then rows of agents that ended
    /// before it and that no event names.
    async fn remove_old(&self, before: Timestamp, most: u32) -> Result<Removed, StoreError>;

    /// The file, measured. Takes no time.
    async fn sizes(&self) -> Result<Sizes, StoreError>;
    /// What takes the space. Reads much: it is asked for now and then, never for a page.
    async fn space(&self) -> Result<Space, StoreError>;
    /// Gives at most so many free pages back to the disk.
    async fn shrink(&self, pages: u32) -> Result<(), StoreError>;
    /// Moves the write-ahead log into the file.
    async fn checkpoint(&self, how: Checkpoint) -> Result<(), StoreError>;
    /// Lets an older database give pages back, once, when it is small. Nobody else may use the file.
    async fn modernise(&self) -> Result<(), StoreError>;

    /// What was remembered under a name.
    async fn remembered(&self, name: &str) -> Result<Option<String>, StoreError>;
    /// Remembers a text under a name.
    async fn remember(&self, name: &str, text: &str) -> Result<(), StoreError>;
}
