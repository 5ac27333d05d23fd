//! What travels between pages and server besides the domain's own types. Units and meaning stand at
//! each field; unknown values are `None`, never 0 or "".

mod asked;
mod found;
mod money;
mod providers;
mod storage;

use domain::{
    agent::Agent,
    budget::OnBudget,
    frame::{Delta, EventFrame, Metrics},
    graph::{Drawing, Problem},
    id::{AgentId, RunId, TaskName, WorkflowId},
    message::Message,
    money::MicroUsd,
    run::Run,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    asked::{GivenAnswer, PlayBack, RetryRun, RunNode},
    found::{AgentQuery, AgentsFound},
    money::{
        BudgetState, SetBudget, SetRunBudget, Split, UsageBy, UsageOverview, UsageQuery,
        UsageRange, UsageRow, UsageSums,
    },
    providers::{
        Catalogue, FoundServer, ModelOffer, ProviderCheck, ProviderForm, ProviderInfo, WrittenKey,
    },
    storage::{CleanEnd, CleanStep, Cleaned, Cleaning, Storage, TableSpace, WorkflowSpace},
};

/// Who asks. Today always the local administrator; login and roles follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Shown beside what they did.
    pub name: String,
}

impl Actor {
    /// The person at the machine that the server runs on.
    pub fn local_admin() -> Self {
        Self {
            name: "admin".into(),
        }
    }
}

/// A part of a list, and where the next part begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// Opaque; `None` at the end of the list.
    pub next: Option<String>,
}

/// Which workflows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkflowQuery {
    /// Text in name or description.
    pub search: Option<String>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 1,000; 100 when missing.
    pub limit: Option<u32>,
}

/// A workflow in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSummary {
    /// Its id.
    pub id: WorkflowId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Newest version.
    pub version: u32,
    /// Steps, notes not counted.
    pub nodes: u32,
    /// Whether its newest version can run.
    pub runnable: bool,
    /// When it was last saved.
    pub updated_at: Timestamp,
    /// Its newest run: id, status, when it was accepted.
    pub last_run: Option<LastRun>,
}

/// The newest run of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its id.
    pub id: RunId,
    /// `queued`, `running`, ...
    pub status: String,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// A workflow in one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowDetail {
    /// Its id.
    pub id: WorkflowId,
    /// The version that this is.
    pub version: u32,
    /// The newest version.
    pub newest: u32,
    /// When this version was saved.
    pub updated_at: Timestamp,
    /// Who saved it.
    pub updated_by: String,
    /// The workflow.
    pub drawing: Drawing,
}

/// What a save brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The workflow.
    pub id: WorkflowId,
    /// The version that now is the newest.
    pub version: u32,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// A version in the list of versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionInfo {
    /// 1, 2, 3, ...
    pub version: u32,
    /// When it was saved.
    pub created_at: Timestamp,
    /// Who saved it.
    pub by: String,
}

/// A run to be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartRun {
    /// What to execute, in its newest version.
    pub workflow: WorkflowId,
    /// An object with a value for each input.
    #[serde(default)]
    pub input: Value,
    /// No call is made with which the run could cost more than this.
    #[serde(default)]
    pub budget_usd: Option<MicroUsd>,
    /// The same in tokens.
    #[serde(default)]
    pub budget_tokens: Option<u64>,
    /// What becomes of a task whose next call could pass a limit.
    #[serde(default)]
    pub on_budget: OnBudget,
    /// Whose recorded answers are given in the place of model calls.
    #[serde(default)]
    pub replay: Option<PlayBack>,
    /// A start with the same key is the same start.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// A run that was accepted and is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The run.
    pub id: RunId,
    /// `seq` of its first event.
    pub seq: u64,
}

/// Which runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunQuery {
    /// `queued`, `running`, ...; `live` for all that are not at their end.
    pub status: Option<String>,
    /// Of this workflow alone.
    pub workflow: Option<WorkflowId>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 1,000; 100 when missing.
    pub limit: Option<u32>,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// What it executes.
    pub workflow_id: WorkflowId,
    /// Which version.
    pub workflow_version: u32,
    /// Its name at the time.
    pub workflow_name: String,
    /// `queued`, `running`, ...
    pub status: String,
    /// Who started it.
    pub started_by: String,
    /// Why it failed.
    pub error: Option<String>,
    /// What it cost so far.
    pub cost_usd: Option<MicroUsd>,
    /// Tokens read by models so far.
    pub prompt_tokens: Option<u64>,
    /// Tokens written by models so far.
    pub completion_tokens: Option<u64>,
    /// Status of each task, in the order of the file (at most the first 200).
    pub ticks: Vec<Tick>,
    /// All tasks.
    pub tasks: u32,
    /// Tasks that can change no more.
    pub tasks_settled: u32,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// `seq` of its last event.
    pub last_seq: u64,
}

/// One task in the strip of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// Its name.
    pub task: String,
    /// `blocked`, `running`, ...
    pub status: String,
}

/// A run with everything that happened in it: apply what comes after `run.last_seq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSnapshot {
    /// Where it stands.
    pub run: Run,
    /// What it executes.
    pub drawing: Drawing,
    /// Newest `seq` of the whole log when this was read.
    pub head: u64,
    /// The server's clock when this was read, for elapsed times.
    pub now: Timestamp,
    /// Names of the agents that took part.
    pub agents: Vec<AgentName>,
    /// What was said so far in answers that are not at their end, each as one piece.
    pub written: Vec<Delta>,
}

/// An agent's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentName {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
}

/// An agent with what it did lately.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    /// The agent.
    pub agent: Agent,
    /// Where it keeps its files.
    pub workspace_path: String,
    /// Its newest events, newest first.
    pub events: Vec<EventFrame>,
}

/// A message that an agent received or sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentMessage {
    /// Its place in the log.
    pub seq: u64,
    /// When it was sent.
    pub at: Timestamp,
    /// Who receives it: this copy of it.
    pub to: AgentName,
    /// What was written, and by whom.
    pub message: Message,
}

/// A task that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PersonWait {
    /// The run.
    pub run: RunId,
    /// Name of its workflow.
    pub workflow_name: String,
    /// The task.
    pub task: TaskName,
    /// What people call the step.
    pub title: String,
    /// `waiting` for an approval, or for what becomes of a prompt that is another one than was recorded;
    /// `unknown` for an end that nobody knows; `budget` for a limit that a
    /// call could pass (one task stands for all of its run).
    pub status: String,
    /// What is asked; `None` for an unknown end.
    pub message: Option<String>,
    /// Until when an answer counts; `None`: for ever.
    pub until: Option<Timestamp>,
}

/// Which events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EventQuery {
    /// Behind this `seq`, oldest first.
    pub after: Option<u64>,
    /// Before this `seq`, newest first. With neither: the newest, newest first.
    pub before: Option<u64>,
    /// 1 to 1,000; 100 when missing.
    pub limit: Option<u32>,
    /// Of this type alone; `task.*` for a family.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Of this run alone.
    pub run: Option<RunId>,
    /// Of this agent alone.
    pub agent: Option<AgentId>,
    /// `info`, `warning` or `error`: this and worse.
    pub severity: Option<String>,
}

/// The control room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Figures of the moment.
    pub metrics: Metrics,
    /// Runs that are not at their end, newest first (at most 50).
    pub live_runs: Vec<RunSummary>,
    /// Tasks of live runs that wait for a person (at most 50).
    pub waiting: Vec<PersonWait>,
    /// Runs that ended lately, newest first (at most 10).
    pub recent_runs: Vec<RunSummary>,
    /// Live agents (at most 200).
    pub agents: Vec<Agent>,
    /// Newest events, newest first (at most 50).
    pub events: Vec<EventFrame>,
    /// Workflows to start from, newest first (at most 6).
    pub workflows: Vec<WorkflowSummary>,
    /// Whether model answers are simulated because no provider has a key.
    pub simulated: bool,
    /// The server's clock.
    pub now: Timestamp,
    /// The server's version.
    pub version: String,
}

/// What every page shows at its top, and where its live stream begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Figures of the moment; `metrics.head` is where the stream begins.
    pub metrics: Metrics,
    /// Whether model answers are simulated because no provider has a key.
    pub simulated: bool,
    /// The server's clock.
    pub now: Timestamp,
    /// The server's version.
    pub version: String,
}

/// What became of a file that was to be imported. Nothing is ever half-saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Imported {
    /// It is stored.
    Saved {
        /// Where, and what is odd about it.
        saved: Saved,
    },
    /// It is not stored.
    Refused {
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
        /// Whether it can be stored all the same, as a draft that cannot run yet.
        draft_possible: bool,
    },
}
