//! What takes the space, how long what is kept, and the clean-up that follows from that.

use domain::{id::WorkflowId, retention::Retention, time::Timestamp};
use serde::{Deserialize, Serialize};

/// The database, measured, and its upkeep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Storage {
    /// The database file, in bytes.
    pub file_bytes: u64,
    /// What it holds of that.
    pub used_bytes: u64,
    /// The part of it that holds nothing and is filled again or given back.
    pub free_bytes: u64,
    /// The write-ahead log beside it.
    pub wal_bytes: u64,
    /// Whether what is free can be given back to the disk.
    pub gives_back: bool,
    /// What takes the space, as it was at `measured_at`.
    pub workflows: Vec<WorkflowSpace>,
    /// The same by table; empty where the database is too large to be measured so.
    pub tables: Vec<TableSpace>,
    /// When that was; `None` while it has never been.
    pub measured_at: Option<Timestamp>,
    /// How long what is kept.
    pub retention: Retention,
    /// The clean-up that is under way.
    pub cleaning: Option<Cleaning>,
    /// The last one that came to an end.
    pub last: Option<Cleaned>,
}

/// What the runs of a workflow take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSpace {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its name.
    pub name: String,
    /// Its runs.
    pub runs: u64,
    /// About what their events take, in bytes.
    pub bytes: u64,
}

/// What a table takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableSpace {
    /// Its name.
    pub name: String,
    /// Its rows, in bytes.
    pub bytes: u64,
    /// Its indexes, in bytes.
    pub index_bytes: u64,
}

/// A clean-up that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaning {
    /// When it began.
    pub since: Timestamp,
    /// What it is at.
    pub step: CleanStep,
    /// Runs that were chosen to go.
    pub chosen: u64,
    /// Runs that are gone.
    pub runs: u64,
    /// Events that are gone.
    pub events: u64,
}

/// What a clean-up is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanStep {
    /// Choosing runs that may go.
    Choosing,
    /// Waiting a moment, so that a run that somebody has just taken up again stays.
    Waiting,
    /// Taking them away.
    Removing,
    /// Giving the space back to the disk.
    GivingBack,
}

/// A clean-up that came to an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaned {
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub end: CleanEnd,
    /// Runs that are gone.
    pub runs: u64,
    /// Events that are gone.
    pub events: u64,
    /// By how much the file became smaller, in bytes.
    pub given_back_bytes: u64,
    /// By how much the database still holds more than its limit, because all else must stay.
    pub still_over_bytes: u64,
}

/// How a clean-up ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "message")]
pub enum CleanEnd {
    /// Nothing more may go.
    Done,
    /// Somebody stopped it, or the server was stopped.
    Stopped,
    /// The database did not take it; what this means and what to do.
    Failed(String),
}
