//! The store in one SQLite file: one connection writes, a few read. SQLite keeps a write-ahead log,
//! so readers never wait for the writer nor the writer for them.
//!
//! Refused here: text of anybody inside SQL (it is bound, always), lists without an end, and a
//! database that this version does not understand.

mod agents;
mod append;
mod calls;
mod cursor;
mod events;
mod failure;
mod insert;
mod messages;
mod open;
mod providers;
mod reader;
mod recoveries;
mod runs;
mod said;
mod upkeep;
mod usage;
mod waiting;
mod workflows;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use app::api::dto::{
    BudgetState, EventQuery, Page, PersonWait, RunQuery, RunSummary, UsageQuery, UsageRow,
    VersionInfo, WorkflowQuery, WorkflowSummary,
};
use async_trait::async_trait;
use domain::{
    agent::Agent,
    budget::{Amount, Period, Scope},
    event::Event,
    frame::{Delta, EventFrame},
    graph::Drawing,
    id::{AgentId, RunId, WorkflowId},
    retention::Retention,
    time::Timestamp,
};
use sqlx::SqlitePool;
use tokio::sync::Mutex;

pub use self::open::{DATABASE_FILE, SqliteOptions};
use self::{
    open::Scratch,
    upkeep::{removal, rules, space},
    writer::Writer,
};
use super::{
    Batch, Carried, SaveResult, Spent, Start, Store, StoreError, StoredProvider, StoredWorkflow,
    calls::{OpenCall, OpenCalls},
    upkeep::{Candidate, Checkpoint, Reason, Removed, Sizes, Space, Upkeep},
};

/// Truth in a SQLite file.
pub struct SqliteStore {
    writer: Mutex<Writer>,
    readers: SqlitePool,
    epoch: String,
    file: PathBuf,
    /// Removes the files of a temporary store, after the connections above are closed.
    _scratch: Option<Scratch>,
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        append::append(&self.writer, batch).await
    }

    async fn head(&self) -> Result<u64, StoreError> {
        events::head(&mut *self.readers.acquire().await?).await
    }

    async fn removed_to(&self) -> Result<u64, StoreError> {
        events::removed_to(&self.readers).await
    }

    async fn epoch(&self) -> Result<String, StoreError> {
        Ok(self.epoch.clone())
    }

    async fn run_events(
        &self,
        run: RunId,
        after_run_seq: u64,
        most: u32,
    ) -> Result<Vec<Event>, StoreError> {
        events::of_run(&self.readers, run, after_run_seq, most).await
    }

    async fn frames_after(
        &self,
        after: u64,
        limit: u32,
        patterns: &[String],
    ) -> Result<(Vec<EventFrame>, u64), StoreError> {
        events::frames_after(&self.readers, after, limit, patterns).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Page<EventFrame>, StoreError> {
        events::page(&self.readers, query).await
    }

    async fn live_runs(&self) -> Result<Vec<(RunId, WorkflowId, u32)>, StoreError> {
        runs::alive(&self.readers).await
    }

    async fn said(&self) -> Result<Vec<Delta>, StoreError> {
        said::list(&self.readers).await
    }

    async fn waiting(&self, most: u32) -> Result<Vec<PersonWait>, StoreError> {
        waiting::list(&self.readers, most).await
    }

    async fn recoveries(&self) -> Result<Vec<(RunId, u32)>, StoreError> {
        recoveries::list(&self.readers).await
    }

    async fn count_recovery(&self, run: RunId) -> Result<(), StoreError> {
        recoveries::count(&self.writer, run).await
    }

    async fn clear_recoveries(&self, runs: &[RunId]) -> Result<(), StoreError> {
        recoveries::clear(&self.writer, runs).await
    }

    async fn providers(&self) -> Result<Vec<StoredProvider>, StoreError> {
        providers::list(&self.readers).await
    }

    async fn save_provider(
        &self,
        provider: &StoredProvider,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        providers::save(&self.writer, provider, at.0).await
    }

    async fn remove_provider(&self, name: &str) -> Result<(), StoreError> {
        providers::remove(&self.writer, name).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<Page<RunSummary>, StoreError> {
        runs::page(&self.readers, query).await
    }

    async fn run_origin(&self, run: RunId) -> Result<Option<(WorkflowId, u32)>, StoreError> {
        runs::origin(&self.readers, run).await
    }

    async fn start(&self, key: &str) -> Result<Option<Start>, StoreError> {
        runs::start(&self.readers, key).await
    }

    async fn agents(&self, gone: bool) -> Result<Vec<Agent>, StoreError> {
        agents::list(&self.readers, gone).await
    }

    async fn agent(&self, id: AgentId) -> Result<Option<Agent>, StoreError> {
        agents::one(&self.readers, id).await
    }

    async fn messages(&self, agent: AgentId, most: u32) -> Result<Vec<EventFrame>, StoreError> {
        messages::of(&self.readers, agent, most).await
    }

    async fn create_workflow(
        &self,
        id: WorkflowId,
        drawing: &Drawing,
        by: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        workflows::create(&self.writer, id, drawing, by, at).await
    }

    async fn save_workflow(
        &self,
        id: WorkflowId,
        expected: u32,
        drawing: &Drawing,
        by: &str,
        at: Timestamp,
    ) -> Result<SaveResult, StoreError> {
        workflows::save(&self.writer, id, expected, drawing, by, at).await
    }

    async fn workflow(
        &self,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, StoreError> {
        workflows::one(&self.readers, id, version).await
    }

    async fn newest_version(&self, id: WorkflowId) -> Result<Option<u32>, StoreError> {
        workflows::newest(&self.readers, id).await
    }

    async fn workflows_named(&self, name: &str) -> Result<Vec<WorkflowId>, StoreError> {
        workflows::named(&self.readers, name).await
    }

    async fn workflows(&self, query: &WorkflowQuery) -> Result<Page<WorkflowSummary>, StoreError> {
        workflows::page(&self.readers, query).await
    }

    async fn versions(&self, id: WorkflowId) -> Result<Vec<VersionInfo>, StoreError> {
        workflows::versions(&self.readers, id).await
    }

    async fn set_deleted(
        &self,
        id: WorkflowId,
        deleted: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        workflows::set_deleted(&self.writer, id, deleted, at).await
    }

    async fn workflow_count(&self) -> Result<u64, StoreError> {
        workflows::count(&self.readers).await
    }

    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageRow>, StoreError> {
        usage::page(&self.readers, query).await
    }

    async fn carried(&self, today: i64) -> Result<Vec<Carried>, StoreError> {
        usage::carried(&self.readers, today).await
    }

    async fn spent_on(
        &self,
        scope: &Scope,
        period: Period,
        today: i64,
    ) -> Result<Amount, StoreError> {
        usage::spent(&self.readers, scope, period, today).await
    }

    async fn budgets(&self, today: i64) -> Result<Vec<BudgetState>, StoreError> {
        usage::budgets(&self.readers, today).await
    }

    async fn spent_since(&self, since: Timestamp) -> Result<Spent, StoreError> {
        runs::spent_since(&self.readers, since).await
    }

    async fn backup(&self, file: &Path) -> Result<(), StoreError> {
        upkeep::backup(&self.readers, file).await
    }

    async fn damage(&self) -> Result<Vec<String>, StoreError> {
        upkeep::damage(&self.readers).await
    }
}

#[async_trait]
impl OpenCalls for SqliteStore {
    async fn note_calls(&self, calls: &[OpenCall]) -> Result<(), StoreError> {
        calls::note(&self.writer, calls).await
    }

    async fn open_calls(&self) -> Result<Vec<OpenCall>, StoreError> {
        calls::list(&self.readers).await
    }

    async fn forget_call(&self, generation_id: &str) -> Result<(), StoreError> {
        calls::forget(&self.writer, generation_id).await
    }
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn retention(&self) -> Result<Retention, StoreError> {
        rules::retention(&self.readers).await
    }

    async fn set_retention(&self, rules: &Retention) -> Result<(), StoreError> {
        rules::set_retention(&self.writer, rules).await
    }

    async fn candidates(
        &self,
        rules: &Retention,
        reason: Reason,
        now: Timestamp,
        after: Option<Candidate>,
        most: u32,
    ) -> Result<Vec<Candidate>, StoreError> {
        removal::candidates(&self.readers, rules, reason, now, after, most).await
    }

    async fn mark(&self, runs: &[RunId], now: Timestamp) -> Result<u64, StoreError> {
        removal::mark(&self.writer, runs, now).await
    }

    async fn spare(&self, most: u32) -> Result<u64, StoreError> {
        removal::spare(&self.writer, most).await
    }

    async fn marked(&self) -> Result<u64, StoreError> {
        removal::marked(&self.readers).await
    }

    async fn remove(&self, before: Timestamp, most: u32) -> Result<Removed, StoreError> {
        removal::remove(&self.writer, before, most).await
    }

    async fn remove_old(&self, before: Timestamp, most: u32) -> Result<Removed, StoreError> {
        removal::remove_old(&self.readers, &self.writer, before, most).await
    }

    async fn sizes(&self) -> Result<Sizes, StoreError> {
        space::sizes(&self.readers, &self.file).await
    }

    async fn space(&self) -> Result<Space, StoreError> {
        space::space(&self.readers, &self.file).await
    }

    async fn shrink(&self, pages: u32) -> Result<(), StoreError> {
        space::shrink(&self.writer, pages).await
    }

    async fn checkpoint(&self, how: Checkpoint) -> Result<(), StoreError> {
        space::checkpoint(&self.writer, how).await
    }

    async fn modernise(&self) -> Result<(), StoreError> {
        space::modernise(&self.writer, &self.file).await
    }

    async fn remembered(&self, name: &str) -> Result<Option<String>, StoreError> {
        rules::remembered(&self.readers, name).await
    }

    async fn remember(&self, name: &str, text: &str) -> Result<(), StoreError> {
        rules::remember(&self.writer, name, text).await
    }
}
