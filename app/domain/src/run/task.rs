//! One node inside one run: where it stands, and every try of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{LateCost, TaskError, Tokens, ToolCall, TurnRecord};
use crate::{
    breaker::Trouble,
    budget::Amount,
    id::{AgentId, NodeId, PortName, RunId},
    message::Message,
    money::MicroUsd,
    time::Timestamp,
};

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
    /// The way on: `approved`, `rejected`; `succeeded`, `failed` or `retry` for an unknown end;
    /// `replay`, `live` or `fail` for a changed prompt.
    pub port: PortName,
    /// A remark.
    pub comment: String,
    /// Whatever belongs to it.
    pub data: Value,
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
    /// What a person is asked while it waits for one, where it is not the step's own question.
    pub question: Option<String>,
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
    /// Room in a budget: a person raises it, or other calls cost less than was set aside for them.
    Budget,
    /// A person: its prompt is another one than was recorded, in a run that is played back.
    Replay,
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
    /// What is set aside for it in budgets while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Amount>,
    /// When it was begun (the last time, if a crash cut it).
    pub started_at: Timestamp,
    /// The call that is under way, once it may be charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Began>,
    /// What it brought; `None` while it runs.
    pub done: Option<TurnRecord>,
    /// Results of the tools that it called, in order.
    pub tools: Vec<ToolResult>,
    /// Messages that were handed to the agent with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// Calls under this number that brought no answer, in order: models that were asked before the
    /// one that answers, and the last one, where the attempt failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<TurnFailure>,
    /// Costs that became known later, of calls under this number that brought no answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<LateCost>,
    /// Calls under this number that were counted and whose cost nobody knows yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<Unpriced>,
}

impl Turn {
    /// What its calls cost; `None` when nobody knows.
    pub fn cost(&self) -> Option<MicroUsd> {
        let answered = self.done.as_ref().and_then(|record| record.cost_usd);
        let late = self.late.iter().map(|late| late.cost_usd);
        answered
            .into_iter()
            .chain(late)
            .reduce(|sum, more| sum + more)
    }

    /// Tokens that its calls took, as far as anybody knows.
    pub fn tokens(&self) -> Tokens {
        let done = self.done.as_ref().filter(|record| !record.replayed);
        let answered = done.map(|record| Tokens {
            prompt: record.prompt_tokens,
            completion: record.completion_tokens,
        });
        let late = self.late.iter().map(|late| Tokens {
            prompt: late.prompt_tokens,
            completion: late.completion_tokens,
        });
        late.fold(answered.unwrap_or_default(), Tokens::plus)
    }

    /// What is known of a call that was counted and has no cost yet.
    pub fn without_cost(&self, generation_id: &str) -> Option<&Unpriced> {
        let is_this = |unpriced: &&Unpriced| unpriced.generation_id == generation_id;
        self.unpriced.iter().find(is_this)
    }

    /// Whether anything is known already of what a call cost.
    pub fn is_priced(&self, generation_id: &str) -> bool {
        let answered = self.done.as_ref().is_some_and(|record| {
            record.cost_usd.is_some() && record.generation_id.as_deref() == Some(generation_id)
        });
        let is_this = |late: &LateCost| late.generation_id == generation_id;
        answered || self.late.iter().any(is_this)
    }
}

/// A call whose answer began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// The provider's name for it, where it can say later what it cost.
    pub generation_id: Option<String>,
}

/// A call that was counted and whose cost nobody knows yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpriced {
    /// The provider's name for it.
    pub generation_id: String,
    /// When it was counted.
    pub counted_at: Timestamp,
    /// What budgets count for it until its cost is known.
    pub assumed_usd: MicroUsd,
    /// Tokens that budgets count for it besides those that are known.
    #[serde(default)]
    pub assumed_tokens: u64,
    /// Whether it is known what it read.
    pub prompt_known: bool,
    /// Whether it is known what it wrote.
    pub completion_known: bool,
}

/// A model call that brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnFailure {
    /// `provider:model` that was asked.
    pub model: String,
    /// Whose fault it is.
    pub trouble: Trouble,
    /// What happened, what it means, what to do.
    pub error: TaskError,
    /// What the provider sent, word for word, shortened and without secrets; `None` where it sent
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// Whether an answer had begun: it may have been charged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub began: bool,
    /// The provider's name for such a call, where it can say later what it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<String>,
    /// What budgets count for it for as long as its cost is unknown: what was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed_usd: Option<MicroUsd>,
    /// Tokens that budgets count for it for as long as they are unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed_tokens: Option<u64>,
}

impl TurnFailure {
    /// What budgets count for it.
    pub fn assumed(&self) -> Amount {
        Amount {
            usd: self.assumed_usd.unwrap_or_default(),
            tokens: self.assumed_tokens.unwrap_or_default(),
        }
    }

    /// Whether it may have been charged.
    pub fn may_cost(&self) -> bool {
        self.began || self.generation_id.is_some()
    }

    /// A call of `model` that was stopped while its answer came.
    pub fn cut(model: String, generation_id: Option<String>) -> Self {
        Self {
            model,
            // It says nothing of how the provider does.
            trouble: Trouble::Ours,
            error: TaskError::passing(
                CUT,
                "The call was stopped while its answer came: by a person, a time limit, or the end of the server. \
                 It may be charged all the same: until its cost is known, budgets count what was set aside for it.",
            ),
            raw: None,
            began: true,
            generation_id,
            assumed_usd: None,
            assumed_tokens: None,
        }
    }

    /// Whether it was stopped, and did not fail by itself.
    pub fn is_cut(&self) -> bool {
        self.error.code == CUT
    }
}

const CUT: &str = "call_cut";

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

impl Attempt {
    /// Finished turns, with what they brought.
    pub fn records(&self) -> impl Iterator<Item = &TurnRecord> {
        self.turns.iter().filter_map(|turn| turn.done.as_ref())
    }

    /// What it cost; `None` when no turn knows.
    pub fn cost(&self) -> Option<MicroUsd> {
        let known = self.turns.iter().filter_map(Turn::cost);
        known.reduce(|sum, more| sum + more)
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
        let turns = self.attempts.iter().flat_map(|attempt| &attempt.turns);
        turns
            .map(Turn::tokens)
            .fold(Tokens::default(), Tokens::plus)
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
