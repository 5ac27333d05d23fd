//! One execution of one workflow version: plain data, changed by [`Run::apply`] alone.
//!
//! `run/event.rs` lists what can happen, `run/apply.rs` what that does to the data, `run/decide.rs`
//! what follows from a command or an outcome, `run/render.rs` fills templates, `run/again.rs` says
//! which results a new run may take over from an old one.

pub mod again;
pub mod apply;
pub mod decide;
pub mod event;
pub mod input;
pub mod rejection;
pub mod render;
pub mod task;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    event::{CostIs, FinishReason, RunEvent, Seed, TaskEvent, ToolCall, TurnRecord},
    task::{
        Answer, Attempt, AttemptState, Sketch, SkipReason, Task, TaskState, ToolOutcome,
        ToolResult, Turn, TurnFailure, Waiting,
    },
};
use crate::{
    id::{RunId, TaskName, WorkflowId},
    money::MicroUsd,
    time::Timestamp,
};

/// One execution of one workflow version with one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What is executed.
    pub workflow_id: WorkflowId,
    /// Which version of it.
    pub workflow_version: u32,
    /// Its name at the time.
    pub workflow_name: String,
    /// What it was given, defaults filled in.
    pub input: Value,
    /// Who started it.
    pub started_by: String,
    /// The run stops before the next model call once it has spent this.
    pub budget_usd: Option<MicroUsd>,
    /// Where it stands.
    pub state: RunState,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its first task could start.
    pub started_at: Option<Timestamp>,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
    /// When it began, or was taken up again after it had ended: its time limit counts from here.
    pub active_since: Option<Timestamp>,
    /// The run that it was made from.
    pub parent: Option<Parent>,
    /// How many runs are above it, for a child.
    pub depth: u32,
    /// The one task that is asked for; the others are left out.
    pub only: Option<TaskName>,
    /// Sums over its tasks.
    pub totals: Totals,
    /// `seq` of its last event.
    pub last_seq: u64,
    /// `run_seq` of its last event.
    pub last_run_seq: u64,
    /// A task for each node that runs, in the order of the file; behind them those of rounds of maps
    /// and loops, in the order in which they came to be.
    pub tasks: IndexMap<TaskName, Task>,
}

/// The run that another was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The run.
    pub run: RunId,
    /// The task that waits for this one; `None` where this run only repeats the other in part.
    pub task: Option<TaskName>,
}

/// Sums over the tasks of a run, kept so that nobody has to walk all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// What it cost; `None` when no turn knows.
    pub cost_usd: Option<MicroUsd>,
    /// Tokens of all turns.
    pub tokens: Tokens,
    /// Tasks to which nothing can happen any more.
    pub settled: u32,
    /// Whether any of its text is simulated.
    pub simulated: bool,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RunState {
    /// Accepted, not begun.
    Queued,
    /// At work, or waiting for something named.
    Running,
    /// Held by a person: what is under way ends, nothing starts.
    Paused {
        /// Who holds it.
        by: String,
    },
    /// Came to its end.
    Succeeded {
        /// Its result.
        output: Value,
    },
    /// A task failed that it could not go on without.
    Failed {
        /// What happened.
        error: RunError,
    },
    /// Stopped by a person.
    Cancelled {
        /// Who stopped it.
        by: String,
    },
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The task that failed.
    pub task: Option<TaskName>,
    /// How.
    #[serde(flatten)]
    pub error: TaskError,
}

/// Which attempt of which task of which run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The run.
    #[serde(rename = "run_id")]
    pub run: RunId,
    /// The task.
    pub task: TaskName,
    /// 1, 2, 3, ...
    pub attempt: u32,
}

/// What went wrong with a task, in words for people and a code for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// Never changes its meaning: `provider_refused`, `expression_failed`, ...
    pub code: String,
    /// What happened, what it means, what to do. Holds no secret.
    pub message: String,
    /// Whether another try may go better.
    pub retryable: bool,
    /// The wait that the other side asked for, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl TaskError {
    /// An error that another try would only repeat.
    pub fn lasting(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            retryable: false,
            retry_after_ms: None,
        }
    }

    /// An error that can pass.
    pub fn passing(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            retryable: true,
            retry_after_ms: None,
        }
    }
}

impl RunState {
    /// Its name in API, events and `data-status`.
    pub fn name(&self) -> &'static str {
        match self {
            RunState::Queued => "queued",
            RunState::Running => "running",
            RunState::Paused { .. } => "paused",
            RunState::Succeeded { .. } => "succeeded",
            RunState::Failed { .. } => "failed",
            RunState::Cancelled { .. } => "cancelled",
        }
    }

    /// Whether nothing can happen to it any more.
    pub fn is_final(&self) -> bool {
        match self {
            RunState::Queued | RunState::Running | RunState::Paused { .. } => false,
            RunState::Succeeded { .. } | RunState::Failed { .. } | RunState::Cancelled { .. } => {
                true
            }
        }
    }
}

/// Tokens, as far as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Read by models; `None` when no turn said.
    pub prompt: Option<u64>,
    /// Written by models; `None` when no turn said.
    pub completion: Option<u64>,
}

fn add_known(sum: Option<u64>, more: Option<u64>) -> Option<u64> {
    match (sum, more) {
        (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
        (known, None) | (None, known) => known,
    }
}

impl Totals {
    /// Takes in what a model call brought.
    pub(crate) fn add(&mut self, turn: &TurnRecord) {
        if let Some(cost) = turn.cost_usd {
            self.cost_usd = Some(self.cost_usd.unwrap_or_default() + cost);
        }
        self.tokens.prompt = add_known(self.tokens.prompt, turn.prompt_tokens);
        self.tokens.completion = add_known(self.tokens.completion, turn.completion_tokens);
    }
}

impl Run {
    /// What it cost so far; `None` when no turn knows.
    pub fn cost(&self) -> Option<MicroUsd> {
        self.totals.cost_usd
    }

    /// Tokens so far.
    pub fn tokens(&self) -> Tokens {
        self.totals.tokens
    }

    /// Whether any of its text is simulated.
    pub fn is_simulated(&self) -> bool {
        self.totals.simulated
    }

    /// Whether a person holds it.
    pub fn is_paused(&self) -> bool {
        matches!(self.state, RunState::Paused { .. })
    }
}
