//! The log and the rows beside it. Truth lives here: what `append` has returned `Ok` for survives a
//! crash of the process and of the machine. All SQL of the product stands under this folder.
//!
//! Refused here: deciding anything. Rows other than events are copies of state in memory, written
//! in the same transaction as the events that caused them, for lists and for programs that read the
//! database.

pub mod calls;
pub mod sqlite;
pub mod upkeep;

use std::path::Path;

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
    id::{AgentId, RunId, TaskName, WorkflowId},
    money::MicroUsd,
    run::Run,
    time::Timestamp,
};

/// What one turn of the kernel's loop has to make durable: all or nothing.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// New events, in order of `seq`, without a gap.
    pub events: Vec<Event>,
    /// Runs that changed, as they are now, each with the places of the tasks that changed.
    pub runs: Vec<ChangedRun>,
    /// Agents that changed, as they are now.
    pub agents: Vec<Agent>,
    /// Starts that must stay the same start when they are asked for again.
    pub starts: Vec<Start>,
    /// Text of answers that are not at their end, to be kept until they are.
    pub said: Vec<Delta>,
    /// Tasks whose answers came to an end: nothing is kept of them any more.
    pub unsaid: Vec<(RunId, TaskName)>,
}

/// A run that changed.
#[derive(Debug, Clone)]
pub struct ChangedRun {
    /// Its row.
    pub row: RunRow,
    /// Rows of tasks that changed.
    pub tasks: Vec<TaskRow>,
    /// Rows of attempts that changed.
    pub attempts: Vec<AttemptRow>,
}

/// A run, as lists show it.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// What it executes.
    pub workflow: WorkflowId,
    /// Which version.
    pub version: u32,
    /// The workflow's name at the time.
    pub workflow_name: String,
    /// `queued`, `running`, ...
    pub status: &'static str,
    /// Who started it.
    pub started_by: String,
    /// What it was given (JSON).
    pub input: String,
    /// What came out (JSON).
    pub output: Option<String>,
    /// Why it failed, for people.
    pub error: Option<String>,
    /// Its limit in money.
    pub budget: Option<MicroUsd>,
    /// Its limit in tokens.
    pub budget_tokens: Option<u64>,
    /// The limit that a call of it was held back for last (JSON).
    pub held_by: Option<String>,
    /// What it cost so far.
    pub cost: Option<MicroUsd>,
    /// Tokens read by models.
    pub prompt_tokens: Option<u64>,
    /// Tokens written by models.
    pub completion_tokens: Option<u64>,
    /// All tasks.
    pub tasks: u32,
    /// Tasks that can change no more.
    pub tasks_settled: u32,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its first task could start.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its last event.
    pub last_seq: u64,
    /// Its last event, counted within it.
    pub last_run_seq: u64,
    /// The run that it was made from.
    pub parent: Option<RunId>,
    /// The task of that run which waits for this one.
    pub parent_task: Option<String>,
}

/// A task, as the strip of a run shows it.
#[derive(Debug, Clone)]
pub struct TaskRow {
    /// Its name.
    pub task: String,
    /// Place in the order of the file, from 0.
    pub position: u32,
    /// Its node.
    pub node: String,
    /// The node's kind.
    pub kind: String,
    /// `blocked`, `running`, ...
    pub status: &'static str,
    /// Attempts so far.
    pub attempts: u32,
    /// Why it failed, for people.
    pub error: Option<String>,
    /// What it cost so far.
    pub cost: Option<MicroUsd>,
    /// What people call the step.
    pub title: String,
    /// `approval`, `timer`, `run`, `provider` or `budget`, while it waits.
    pub waiting_for: Option<&'static str>,
    /// Until when it waits at the latest.
    pub waiting_until: Option<Timestamp>,
    /// What a person is asked, while it waits for one.
    pub question: Option<String>,
}

/// One try of a task.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    /// The task.
    pub task: String,
    /// 1, 2, 3, ...
    pub attempt: u32,
    /// Who tries.
    pub agent: Option<AgentId>,
    /// `assigned`, `running`, `succeeded`, `failed`, `cancelled`, `unknown`.
    pub status: &'static str,
    /// Why it failed, for people.
    pub error: Option<String>,
    /// Model calls so far.
    pub turns: u32,
    /// What it cost so far.
    pub cost: Option<MicroUsd>,
    /// When it was given out.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A start with a key: asked for again, it answers with the same run.
#[derive(Debug, Clone)]
pub struct Start {
    /// The key, with whatever it is unique within.
    pub key: String,
    /// What was started.
    pub run: RunId,
    /// `seq` of its first event.
    pub seq: u64,
    /// A digest of what was asked: the same key with something else is refused.
    pub digest: String,
}

/// A workflow in one version.
#[derive(Debug, Clone)]
pub struct StoredWorkflow {
    /// Its id.
    pub id: WorkflowId,
    /// The version.
    pub version: u32,
    /// The newest version.
    pub newest: u32,
    /// When this version was saved.
    pub saved_at: Timestamp,
    /// Who saved it.
    pub saved_by: String,
    /// Whether the workflow was deleted (its runs still show their versions).
    pub deleted: bool,
    /// The workflow.
    pub drawing: Drawing,
}

/// A provider that somebody set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProvider {
    /// The part of a model's name before the colon.
    pub name: String,
    /// `openrouter`, `openai` or `compatible`.
    pub kind: String,
    /// Where it is.
    pub base_url: String,
    /// The model meant when nobody names one.
    pub default_model: Option<String>,
    /// Whether its address may be in this machine or its network.
    pub private_ok: bool,
    /// Counts changes.
    pub version: u64,
    /// Its key, sealed; `None` where it wants none.
    pub sealed_key: Option<Vec<u8>>,
}

/// What a save brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveResult {
    /// It is stored as this version.
    Saved(u32),
    /// Somebody else saved before; this is the newest version.
    Conflict(u32),
    /// There is no such workflow.
    Missing,
}

/// Sums that the product shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Known costs of turns since the given moment.
    pub cost: MicroUsd,
}

/// What was spent on something that can have a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// On what.
    pub scope: Scope,
    /// In all.
    pub total: Amount,
    /// On the day that was asked for.
    pub today: Amount,
}

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Locked, full, or a disk error: it may work later. Nothing was stored.
    #[error("the database cannot be written now: {0}")]
    Busy(String),
    /// It will not work later either.
    #[error("the database refused: {0}")]
    Broken(String),
    /// The database is from a newer version of the product.
    #[error(
        "the database was made by a newer version of Troupe (schema {found}, this one knows {known}): install that version, or use another data directory"
    )]
    Newer {
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// The SQLite library is too old.
    #[error("SQLite {0} is too old: Troupe needs 3.51.3 or newer")]
    OldSqlite(String),
    /// Something that was stored cannot be read.
    #[error("stored data cannot be read: {0}")]
    Unreadable(String),
    /// The file or its directory cannot be used; the text says why and what to do.
    #[error("{0}")]
    CannotOpen(String),
    /// The question cannot be understood: an unknown status, a cursor that is none.
    #[error("{0}")]
    BadQuery(String),
}

/// Where truth is kept. Its twin for tests is the same thing in a temporary directory.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Stores a batch in one transaction. After `Ok` it survives anything.
    async fn append(&self, batch: &Batch) -> Result<(), StoreError>;
    /// `seq` of the newest event, 0 when there never was one.
    async fn head(&self) -> Result<u64, StoreError>;
    /// The highest `seq` that was removed, 0 when none was: who reads from before it has missed something.
    async fn removed_to(&self) -> Result<u64, StoreError>;
    /// Names this database: changes when it is replaced.
    async fn epoch(&self) -> Result<String, StoreError>;

    /// All events of a run, in order.
    async fn run_events(
        &self,
        run: RunId,
        after_run_seq: u64,
        most: u32,
    ) -> Result<Vec<Event>, StoreError>;
    /// At most `limit` frames with `seq > after`, in order, of topics that fit one of the patterns
    /// (none: all), and the last `seq` that was looked at: go on from there. It is `after` again only
    /// at the end of the log. One call looks at some thousands of events and loads some megabytes.
    async fn frames_after(
        &self,
        after: u64,
        limit: u32,
        patterns: &[String],
    ) -> Result<(Vec<EventFrame>, u64), StoreError>;
    /// Events for lists.
    async fn events(&self, query: &EventQuery) -> Result<Page<EventFrame>, StoreError>;

    /// Ids of runs that are not at their end, oldest first, with workflow and version.
    async fn live_runs(&self) -> Result<Vec<(RunId, WorkflowId, u32)>, StoreError>;
    /// What was kept of answers that are not at their end, each as one piece marked as cut.
    async fn said(&self) -> Result<Vec<Delta>, StoreError>;
    /// Tasks of live runs that wait for a person, those of the newest run first.
    async fn waiting(&self, most: u32) -> Result<Vec<PersonWait>, StoreError>;
    /// How often the recovery of each run was cut short in a row, where it was.
    async fn recoveries(&self) -> Result<Vec<(RunId, u32)>, StoreError>;
    /// The recovery of a run was cut short once more.
    async fn count_recovery(&self, run: RunId) -> Result<(), StoreError>;
    /// Forgets how often the recovery of these runs was cut short.
    async fn clear_recoveries(&self, runs: &[RunId]) -> Result<(), StoreError>;
    /// Providers that people set up, by name.
    async fn providers(&self) -> Result<Vec<StoredProvider>, StoreError>;
    /// Stores a provider, in the place of an earlier one of that name.
    async fn save_provider(
        &self,
        provider: &StoredProvider,
        at: Timestamp,
    ) -> Result<(), StoreError>;
    /// Removes a provider.
    async fn remove_provider(&self, name: &str) -> Result<(), StoreError>;
    /// Runs for lists, newest first.
    async fn runs(&self, query: &RunQuery) -> Result<Page<RunSummary>, StoreError>;
    /// Workflow and version that a run executes.
    async fn run_origin(&self, run: RunId) -> Result<Option<(WorkflowId, u32)>, StoreError>;
    /// The start that was stored under this key.
    async fn start(&self, key: &str) -> Result<Option<Start>, StoreError>;

    /// Agents that are not terminated, oldest first; with `gone` also the newest 200 that are.
    async fn agents(&self, gone: bool) -> Result<Vec<Agent>, StoreError>;
    /// One agent, alive or not.
    async fn agent(&self, id: AgentId) -> Result<Option<Agent>, StoreError>;
    /// The newest messages to an agent and from it, oldest first.
    async fn messages(&self, agent: AgentId, most: u32) -> Result<Vec<EventFrame>, StoreError>;

    /// Stores a new workflow as version 1.
    async fn create_workflow(
        &self,
        id: WorkflowId,
        drawing: &Drawing,
        by: &str,
        at: Timestamp,
    ) -> Result<(), StoreError>;
    /// Stores a new version on top of `expected`.
    async fn save_workflow(
        &self,
        id: WorkflowId,
        expected: u32,
        drawing: &Drawing,
        by: &str,
        at: Timestamp,
    ) -> Result<SaveResult, StoreError>;
    /// One workflow in its newest version or in the one named, deleted or not.
    async fn workflow(
        &self,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, StoreError>;
    /// The newest version of a workflow that is not deleted.
    async fn newest_version(&self, id: WorkflowId) -> Result<Option<u32>, StoreError>;
    /// Workflows of exactly this name that are not deleted; two at most, since one too many is
    /// enough to know.
    async fn workflows_named(&self, name: &str) -> Result<Vec<WorkflowId>, StoreError>;
    /// Workflows for lists, newest change first.
    async fn workflows(&self, query: &WorkflowQuery) -> Result<Page<WorkflowSummary>, StoreError>;
    /// Every version, newest first (at most the newest 10,000).
    async fn versions(&self, id: WorkflowId) -> Result<Vec<VersionInfo>, StoreError>;
    /// Hides it from lists, or shows it again; `false` when there is none.
    async fn set_deleted(
        &self,
        id: WorkflowId,
        deleted: bool,
        at: Timestamp,
    ) -> Result<bool, StoreError>;
    /// How many workflows there are or were.
    async fn workflow_count(&self) -> Result<u64, StoreError>;

    /// Sums of what model calls took.
    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageRow>, StoreError>;
    /// What was spent up to this day on everything that can have a budget, and on the day itself.
    async fn carried(&self, today: i64) -> Result<Vec<Carried>, StoreError>;
    /// What was spent on a scope in the period that ends with this day.
    async fn spent_on(
        &self,
        scope: &Scope,
        period: Period,
        today: i64,
    ) -> Result<Amount, StoreError>;
    /// Every budget that was set, with what is used of it on this day.
    async fn budgets(&self, today: i64) -> Result<Vec<BudgetState>, StoreError>;
    /// Known costs of turns that ended since the hour began that `since` lies in: costs are summed by
    /// the hour, so this takes the same time however long the log is.
    async fn spent_since(&self, since: Timestamp) -> Result<Spent, StoreError>;

    /// Writes a copy of everything as it is now into a new file, while others go on.
    async fn backup(&self, file: &Path) -> Result<(), StoreError>;
    /// What is damaged in the file; nothing, where all is well. Reads all of it.
    async fn damage(&self) -> Result<Vec<String>, StoreError>;
}

/// A run rebuilt from its events.
pub fn replayed(
    events: &[Event],
    graph: &domain::graph::ValidGraph,
) -> Result<Option<Run>, StoreError> {
    Run::replay(events, graph).map_err(|misfit| StoreError::Unreadable(misfit.to_string()))
}
