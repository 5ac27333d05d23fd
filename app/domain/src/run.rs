//! One execution of one workflow version: plain data, changed by [`Run::apply`] alone.
//!
//! `run/event.rs` lists what can happen, `run/apply.rs` what that does to the data, `run/decide.rs`
//! what follows from a command or an outcome, `run/render.rs` fills templates, `run/again.rs` says
//! which results a new run may take over from an old one, `run/recording.rs` which answers.

pub mod again;
pub mod apply;
pub mod decide;
pub mod event;
pub mod input;
pub mod recording;
pub mod rejection;
pub mod render;
pub mod task;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    event::{CostIs, FinishReason, LateCost, RunEvent, Seed, TaskEvent, ToolCall, TurnRecord},
    recording::{OnChange, Replay},
    task::{
        Answer, Attempt, AttemptState, Began, Sketch, SkipReason, Task, TaskState, ToolOutcome,
        ToolResult, Turn, TurnFailure, Unpriced, Waiting,
    },
};
use crate::{
    budget::{Amount, Budget, Notice, OnBudget, Period},
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
    /// No call is made with which it could cost more than this, its child runs included.
    pub budget_usd: Option<MicroUsd>,
    /// The same in tokens.
    pub budget_tokens: Option<u64>,
    /// What becomes of a task whose next call could pass a limit.
    pub on_budget: OnBudget,
    /// The limit that a call was held back for last; it stands while a task waits for it.
    pub held_by: Option<Notice>,
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
    /// The recorded answers that it is given, where it is played back.
    pub replay: Option<Replay>,
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
    /// What budgets count besides, for calls of unknown cost.
    pub assumed_usd: MicroUsd,
    /// Tokens that budgets count besides, for calls that did not say all of theirs.
    #[serde(default)]
    pub assumed_tokens: u64,
    /// Tokens of all turns.
    pub tokens: Tokens,
    /// Model calls that came to their end.
    pub calls: u64,
    /// Answers that were played back in the place of calls; not part of the sums.
    pub replayed: u64,
    /// Those of them whose cost nobody knows.
    pub calls_unknown: u64,
    /// Whether part of the cost is computed from list prices.
    pub estimated: bool,
    /// What child runs cost that came to their end; not part of the sums above.
    pub children: ChildTotals,
    /// Tasks to which nothing can happen any more.
    pub settled: u32,
    /// Whether any of its text is simulated.
    pub simulated: bool,
}

/// Sums over child runs that came to their end, with all below them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChildTotals {
    /// How many there were.
    pub runs: u32,
    /// What they cost; `None` when nobody knows.
    pub cost_usd: Option<MicroUsd>,
    /// What budgets count besides.
    pub assumed_usd: MicroUsd,
    /// Tokens that budgets count besides.
    #[serde(default)]
    pub assumed_tokens: u64,
    /// Their tokens.
    pub tokens: Tokens,
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
        // Nobody was asked, so nothing was taken.
        if turn.replayed {
            self.replayed += 1;
            return;
        }
        self.calls += 1;
        self.calls_unknown += u64::from(turn.cost_usd.is_none() && !turn.simulated);
        self.estimated |= turn.cost_is == CostIs::Estimated;
        match turn.cost_usd {
            Some(cost) => self.cost_usd = add_cost(self.cost_usd, Some(cost)),
            None => self.assumed_usd = self.assumed_usd + turn.assumed_usd.unwrap_or_default(),
        }
        self.assume(turn.assumed_tokens.unwrap_or_default());
        self.tokens = self.tokens.plus(Tokens {
            prompt: turn.prompt_tokens,
            completion: turn.completion_tokens,
        });
    }

    /// Takes in a call that brought no answer and may have been charged.
    pub(crate) fn add_failed(&mut self, failure: &TurnFailure) {
        if failure.may_cost() {
            self.calls += 1;
            self.calls_unknown += 1;
            let assumed = failure.assumed();
            self.assumed_usd = self.assumed_usd + assumed.usd;
            self.assume(assumed.tokens);
        }
    }

    fn assume(&mut self, tokens: u64) {
        self.assumed_tokens = self.assumed_tokens.saturating_add(tokens);
    }

    /// Takes in what became known later of a call's cost.
    pub(crate) fn price(&mut self, late: &LateCost) {
        match late.counted {
            true => self.calls_unknown = self.calls_unknown.saturating_sub(1),
            false => self.calls += 1,
        }
        self.assumed_usd = MicroUsd(self.assumed_usd.0.saturating_sub(late.assumed_usd.0));
        self.assumed_tokens = self.assumed_tokens.saturating_sub(late.assumed_tokens);
        self.cost_usd = add_cost(self.cost_usd, Some(late.cost_usd));
        self.tokens = self.tokens.plus(Tokens {
            prompt: late.prompt_tokens,
            completion: late.completion_tokens,
        });
    }

    /// What budgets count, child runs included.
    pub fn spent(&self) -> Amount {
        let ChildTotals {
            cost_usd,
            assumed_usd,
            assumed_tokens,
            tokens,
            ..
        } = self.children;
        let usd = |cost: Option<MicroUsd>, assumed| cost.unwrap_or_default() + assumed;
        Amount {
            usd: usd(self.cost_usd, self.assumed_usd) + usd(cost_usd, assumed_usd),
            tokens: [tokens.all(), self.assumed_tokens, assumed_tokens]
                .into_iter()
                .fold(self.tokens.all(), u64::saturating_add),
        }
    }

    /// What it cost with its child runs; `None` when nobody knows.
    pub fn cost_with_children(&self) -> Option<MicroUsd> {
        add_cost(self.cost_usd, self.children.cost_usd)
    }
}

impl Tokens {
    /// The sum of what is known.
    pub fn plus(self, more: Self) -> Self {
        Self {
            prompt: add_known(self.prompt, more.prompt),
            completion: add_known(self.completion, more.completion),
        }
    }

    /// Read and written together, as far as known.
    pub fn all(self) -> u64 {
        let Self { prompt, completion } = self;
        prompt
            .unwrap_or_default()
            .saturating_add(completion.unwrap_or_default())
    }
}

/// The sum of what is known.
pub(crate) fn add_cost(sum: Option<MicroUsd>, more: Option<MicroUsd>) -> Option<MicroUsd> {
    match (sum, more) {
        (Some(sum), Some(more)) => Some(sum + more),
        (known, None) | (None, known) => known,
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

    /// Its limits, if it has any.
    pub fn budget(&self) -> Option<Budget> {
        let budget = Budget {
            usd: self.budget_usd,
            tokens: self.budget_tokens,
            period: Period::Total,
            on_budget: self.on_budget,
        };
        budget.is_some().then_some(budget)
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
