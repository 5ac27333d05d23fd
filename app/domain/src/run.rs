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

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::event::{CostIs, FinishReason, RunEvent, Seed, TaskEvent, ToolCall, TurnRecord};
use crate::{
    id::{AgentId, NodeId, PortName, RunId, TaskName, WorkflowId},
    message::Message,
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

/// A node of a body, from which its tasks are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// The node.
    pub node: NodeId,
    /// Name of its kind.
    pub kind: String,
    /// What people call it.
    pub title: String,
    /// The nodes of its own body, for a map or a loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Arc<[Sketch]>>,
}

/// What a person answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The way on: `approved`, `rejected`; `succeeded`, `failed` or `retry` for an unknown end.
    pub port: PortName,
    /// A remark.
    pub comment: String,
    /// Whatever belongs to it.
    pub data: Value,
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

/// One node inside one run, or inside one round of a map or loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The node.
    pub node: NodeId,
    /// Name of the node's kind.
    pub kind: String,
    /// What people call the step.
    pub title: String,
    /// What it was given: for an agent `{"prompt", "instructions"}`; `None` for other kinds and
    /// before the task is ready.
    pub input: Option<Value>,
    /// Where it stands.
    pub state: TaskState,
    /// Every try.
    pub attempts: Vec<Attempt>,
    /// Tries of before the run was taken up again; they do not count towards the limit.
    pub counted_from: u32,
    /// What a person answered last.
    pub answer: Option<Answer>,
    /// The child run that it waits for, or waited for last.
    pub child: Option<RunId>,
    /// Rounds of its body that were begun, for a map or a loop.
    pub rounds: u32,
    /// The nodes of its body, for a map or a loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Arc<[Sketch]>>,
    /// Whether its result was taken over from another run.
    pub reused: bool,
}

/// Where a task stands, with the data of that state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum TaskState {
    /// Waits for tasks before it.
    Blocked,
    /// Could start; waits for an agent.
    Ready {
        /// Since when.
        since: Timestamp,
    },
    /// An agent was told to do it.
    Assigned {
        /// Which try.
        attempt: u32,
    },
    /// An agent is at it.
    Running {
        /// Which try.
        attempt: u32,
    },
    /// Waits for something named.
    Waiting {
        /// For what.
        reason: Waiting,
        /// Until when at the latest.
        until: Option<Timestamp>,
    },
    /// Done.
    Succeeded {
        /// Its value.
        output: Value,
        /// The port taken, for a branch.
        port: Option<PortName>,
        /// When.
        at: Timestamp,
    },
    /// Failed for good.
    Failed {
        /// What happened.
        error: TaskError,
        /// When.
        at: Timestamp,
    },
    /// Never needed.
    Skipped {
        /// Why.
        reason: SkipReason,
    },
    /// Stopped because the run was stopped or failed elsewhere.
    Cancelled,
    /// It may have happened or not, and must not happen twice: a person decides.
    Unknown {
        /// The try that was cut off.
        attempt: u32,
        /// What cut it off.
        error: TaskError,
        /// When.
        at: Timestamp,
    },
}

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// A moment: the end of a wait, or its next try.
    Timer,
    /// A person.
    Approval,
    /// The end of its child run.
    Run,
    /// A provider that asked for a long wait; then comes its next try.
    Provider,
}

/// Why a task was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// No way into it was taken.
    NotTaken,
    /// The node is disabled; the run goes on behind it.
    Disabled,
    /// The run is one of a single task, and this is another one.
    NotAsked,
}

/// One try of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1, 2, 3, ...
    pub number: u32,
    /// Who tries; `None` for work that needs no agent.
    pub agent: Option<AgentId>,
    /// How it went.
    pub state: AttemptState,
    /// When it was given out.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its model calls.
    pub turns: Vec<Turn>,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum AttemptState {
    /// Given to an agent.
    Assigned,
    /// Under way.
    Running,
    /// Brought the task's output.
    Succeeded,
    /// Did not.
    Failed {
        /// What happened.
        error: TaskError,
    },
    /// Stopped from outside.
    Cancelled,
    /// Nobody knows how far it came.
    Unknown {
        /// What cut it off.
        error: TaskError,
    },
}

/// One model call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// 1, 2, 3, ... within the attempt.
    pub number: u32,
    /// `provider:model` asked for.
    pub model: String,
    /// Whether the provider only rehearses: its text is simulated.
    pub simulated: bool,
    /// When it was begun (the last time, if a crash cut it).
    pub started_at: Timestamp,
    /// What it brought; `None` while it runs.
    pub done: Option<TurnRecord>,
    /// Results of the tools that it called, in order.
    pub tools: Vec<ToolResult>,
    /// Messages that were handed to the agent with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
}

/// A tool call and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Which call of the turn.
    pub call: ToolCall,
    /// When it began.
    pub started_at: Timestamp,
    /// What came back; `None` while it runs.
    pub outcome: Option<ToolOutcome>,
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolOutcome {
    /// What the model is told.
    pub output: String,
    /// Whether it is an error message.
    pub failed: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
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

impl TaskState {
    /// Its name in API, events and `data-status`.
    pub fn name(&self) -> &'static str {
        match self {
            TaskState::Blocked => "blocked",
            TaskState::Ready { .. } => "ready",
            TaskState::Assigned { .. } => "assigned",
            TaskState::Running { .. } => "running",
            TaskState::Waiting { .. } => "waiting",
            TaskState::Succeeded { .. } => "succeeded",
            TaskState::Failed { .. } => "failed",
            TaskState::Skipped { .. } => "skipped",
            TaskState::Cancelled => "cancelled",
            TaskState::Unknown { .. } => "unknown",
        }
    }

    /// Whether nothing can happen to it any more.
    pub fn is_settled(&self) -> bool {
        match self {
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Unknown { .. } => false,
            TaskState::Succeeded { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Cancelled => true,
        }
    }

    /// The attempt that an agent is at.
    pub fn attempt(&self) -> Option<u32> {
        match self {
            TaskState::Assigned { attempt } | TaskState::Running { attempt } => Some(*attempt),
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Waiting { .. }
            | TaskState::Succeeded { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Cancelled
            | TaskState::Unknown { .. } => None,
        }
    }

    /// The value that it brought.
    pub fn output(&self) -> Option<&Value> {
        match self {
            TaskState::Succeeded { output, .. } => Some(output),
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Cancelled
            | TaskState::Unknown { .. } => None,
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

impl Attempt {
    /// Finished turns, with what they brought.
    pub fn records(&self) -> impl Iterator<Item = &TurnRecord> {
        self.turns.iter().filter_map(|turn| turn.done.as_ref())
    }

    /// What it cost; `None` when no finished turn knows.
    pub fn cost(&self) -> Option<MicroUsd> {
        let known: Vec<MicroUsd> = self.records().filter_map(|turn| turn.cost_usd).collect();
        if known.is_empty() {
            None
        } else {
            Some(known.into_iter().sum())
        }
    }
}

impl Task {
    /// What it cost over all attempts; `None` when unknown.
    pub fn cost(&self) -> Option<MicroUsd> {
        let known: Vec<MicroUsd> = self.attempts.iter().filter_map(Attempt::cost).collect();
        if known.is_empty() {
            None
        } else {
            Some(known.into_iter().sum())
        }
    }

    /// Its tokens over all attempts.
    pub fn tokens(&self) -> Tokens {
        self.attempts
            .iter()
            .flat_map(Attempt::records)
            .fold(Tokens::default(), |sum, turn| Tokens {
                prompt: add_known(sum.prompt, turn.prompt_tokens),
                completion: add_known(sum.completion, turn.completion_tokens),
            })
    }

    /// The attempt that has not ended, if there is one.
    pub fn open_attempt(&self) -> Option<&Attempt> {
        self.attempts
            .last()
            .filter(|attempt| attempt.ended_at.is_none())
    }

    /// The attempt of this number.
    pub fn attempt(&self, number: u32) -> Option<&Attempt> {
        self.attempts
            .iter()
            .find(|attempt| attempt.number == number)
    }

    /// Milliseconds from the first attempt's begin to the end, or to `now` while it goes on.
    pub fn duration_ms(&self, now: Timestamp) -> Option<u64> {
        let begin = self.attempts.first()?.started_at;
        let end = if self.state.is_settled() {
            self.attempts.last()?.ended_at?
        } else {
            now
        };
        Some(end.ms_since(begin))
    }
}

impl Attempt {
    /// Whether a model call or a tool was begun and has not come back.
    pub fn is_in_flight(&self) -> bool {
        self.ended_at.is_none()
            && self.turns.iter().any(|turn| {
                turn.done.is_none() || turn.tools.iter().any(|tool| tool.outcome.is_none())
            })
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
