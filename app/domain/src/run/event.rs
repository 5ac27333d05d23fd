//! What can happen in a run. Facts, not wishes: each was stored before anyone heard of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    budget::{Amount, Notice, OnBudget},
    id::{AgentId, PortName, RunId, TaskName},
    message::Message,
    money::MicroUsd,
    run::{Replay, RunError, SkipReason, TaskError, Tokens, TurnFailure, Waiting},
    time::Timestamp,
};

/// What happened to a run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum RunEvent {
    /// It was accepted.
    #[serde(rename = "workflow.queued")]
    Queued {
        /// The workflow's name at the time.
        workflow_name: String,
        /// The version that is executed.
        workflow_version: u32,
        /// What it was given, defaults filled in.
        input: Value,
        /// Its limit in money.
        budget_usd: Option<MicroUsd>,
        /// Its limit in tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget_tokens: Option<u64>,
        /// What becomes of a task whose next call could pass the limit.
        #[serde(default, skip_serializing_if = "is_default")]
        on_budget: OnBudget,
        /// Who started it.
        by: String,
        /// The run that it was made from.
        parent_run_id: Option<RunId>,
        /// The task of that run which waits for this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_task: Option<TaskName>,
        /// How many runs are above it, for a child.
        #[serde(default, skip_serializing_if = "is_zero")]
        depth: u32,
        /// Results that it begins with: taken over from the other run, or pinned by a person.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        seed: Vec<Seed>,
        /// The one task that is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<TaskName>,
        /// The recorded answers that it is given in the place of model calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replay: Option<Replay>,
    },
    /// Its first tasks may start.
    #[serde(rename = "workflow.started")]
    Started {},
    /// A person holds it: what is under way ends, nothing starts.
    #[serde(rename = "workflow.paused")]
    Paused {
        /// Who.
        by: String,
    },
    /// It goes on: after a pause, or after it had failed or was cancelled.
    #[serde(rename = "workflow.resumed")]
    Resumed {
        /// Who.
        by: String,
        /// Tasks that go back to where they wait for those before them; none after a pause.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        again: Vec<TaskName>,
    },
    /// A person changed its limits.
    #[serde(rename = "budget.set")]
    BudgetSet {
        /// Who.
        by: String,
        /// Its limit in money from now on.
        budget_usd: Option<MicroUsd>,
        /// Its limit in tokens from now on.
        budget_tokens: Option<u64>,
        /// What becomes of a task whose next call could pass the limit.
        on_budget: OnBudget,
    },
    /// Four fifths of its budget are spent.
    #[serde(rename = "budget.warned")]
    BudgetWarned(Notice),
    /// The next call of one of its tasks could pass a limit, so it was not made.
    #[serde(rename = "budget.exceeded")]
    BudgetExceeded(Notice),
    /// A child run came to its end: this is what it cost, with all below it.
    #[serde(rename = "workflow.child_ended")]
    ChildEnded {
        /// The child.
        child_run_id: RunId,
        /// The task that asked for it.
        for_task: TaskName,
        /// What it cost, as far as known.
        cost_usd: Option<MicroUsd>,
        /// What budgets count for it besides, for calls of unknown cost.
        #[serde(default)]
        assumed_usd: MicroUsd,
        /// Tokens that budgets count for it besides those that are known.
        #[serde(default)]
        assumed_tokens: u64,
        /// Its tokens.
        tokens: Tokens,
    },
    /// It came to its end.
    #[serde(rename = "workflow.completed")]
    Completed {
        /// Its result.
        output: Value,
        /// From acceptance to end, in milliseconds.
        duration_ms: u64,
        /// What it cost, as far as known.
        cost_usd: Option<MicroUsd>,
    },
    /// A task failed that it could not go on without.
    #[serde(rename = "workflow.failed")]
    Failed {
        /// Which, and how.
        error: RunError,
    },
    /// A person stopped it.
    #[serde(rename = "workflow.cancelled")]
    Cancelled {
        /// Who.
        by: String,
    },
}

/// What happened to one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum TaskEvent {
    /// All that it needs is there.
    #[serde(rename = "task.ready")]
    Ready {
        /// The coming try.
        attempt: u32,
        /// For an agent `{"prompt", "instructions"}`.
        input: Option<Value>,
    },
    /// A round of its body begins: the tasks of the body come to be.
    #[serde(rename = "task.opened")]
    Opened {
        /// The try of the map or loop.
        attempt: u32,
        /// Which round: the place of the item in its list.
        index: u32,
    },
    /// An agent is told to do it.
    #[serde(rename = "task.assigned")]
    Assigned {
        /// Which try.
        attempt: u32,
        /// Who.
        agent_id: AgentId,
        /// The agent's name.
        agent_name: String,
    },
    /// Work on it began.
    #[serde(rename = "task.started")]
    Started {
        /// Which try.
        attempt: u32,
    },
    /// A model is called, or what it answered once is played back.
    #[serde(rename = "turn.started")]
    TurnStarted {
        /// Which try.
        attempt: u32,
        /// Which call of the try.
        turn: u32,
        /// `provider:model`.
        model: String,
        /// Whether the provider only rehearses.
        simulated: bool,
        /// Whether a crash cut this call before and it is made again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
        /// What is set aside for it in budgets until it ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reserved: Option<Amount>,
        /// Messages that the agent is handed with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        messages: Vec<Message>,
        /// Fingerprint of what is asked, the same in each run that asks the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prompt: Option<String>,
        /// Whether nobody is called: a recorded answer is given.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        replayed: bool,
    },
    /// The model has answered.
    #[serde(rename = "turn.completed")]
    TurnCompleted {
        /// Which try.
        attempt: u32,
        /// Which call of the try.
        turn: u32,
        /// What it brought.
        #[serde(flatten)]
        record: TurnRecord,
    },
    /// The answer began, or the provider said that it took the call: from here on it may be charged. Not of
    /// answers that are simulated.
    #[serde(rename = "turn.began")]
    TurnBegan {
        /// Which try.
        attempt: u32,
        /// Which call of the try.
        turn: u32,
        /// The provider's name for the call, from those that can say later what it cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation_id: Option<String>,
        /// `provider:model` that was asked.
        model: String,
    },
    /// The call brought no answer, or was cut. The attempt fails next, asks another model, or ends.
    #[serde(rename = "turn.failed")]
    TurnFailed {
        /// Which try.
        attempt: u32,
        /// Which call of the try.
        turn: u32,
        /// What happened.
        #[serde(flatten)]
        failure: TurnFailure,
    },
    /// It turned out later what a call cost that had ended without a word about it.
    #[serde(rename = "turn.priced")]
    TurnPriced {
        /// Which try.
        attempt: u32,
        /// Which call of the try.
        turn: u32,
        /// What it cost.
        #[serde(flatten)]
        late: LateCost,
    },
    /// A tool was called.
    #[serde(rename = "tool.called")]
    ToolCalled {
        /// Which try.
        attempt: u32,
        /// The turn that asked for it.
        turn: u32,
        /// What was asked.
        #[serde(flatten)]
        call: ToolCall,
    },
    /// A tool gave back.
    #[serde(rename = "tool.returned")]
    ToolReturned {
        /// Which try.
        attempt: u32,
        /// The turn that asked for it.
        turn: u32,
        /// Which call.
        call_id: String,
        /// What the model is told.
        output: String,
        /// Whether it is an error message.
        failed: bool,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// A try failed; another follows after a wait.
    #[serde(rename = "task.retrying")]
    Retrying {
        /// The coming try.
        attempt: u32,
        /// The wait before it.
        wait_ms: u64,
        /// What happened.
        error: TaskError,
        /// `false` where the try is none of those that its policy allows: its model is out of order.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        counts: bool,
    },
    /// It waits for something named.
    #[serde(rename = "task.waiting")]
    Waiting {
        /// The try that waits.
        attempt: u32,
        /// For what.
        #[serde(rename = "for")]
        reason: Waiting,
        /// Until when at the latest.
        until: Option<Timestamp>,
        /// The child run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        child_run_id: Option<RunId>,
        /// What a person is asked, where it is not the step's own question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
    },
    /// A person answered.
    #[serde(rename = "task.answered")]
    Answered {
        /// The try that waited.
        attempt: u32,
        /// Who.
        by: String,
        /// The way on.
        port: PortName,
        /// A remark.
        comment: String,
        /// Whatever belongs to it.
        data: Value,
    },
    /// It was cut off where it may have happened or not, and must not happen twice.
    #[serde(rename = "task.unknown")]
    Unknown {
        /// Which try.
        attempt: u32,
        /// What cut it off.
        error: TaskError,
    },
    /// It is done.
    #[serde(rename = "task.completed")]
    Completed {
        /// Which try.
        attempt: u32,
        /// Its value.
        output: Value,
        /// The port taken, for a branch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<PortName>,
        /// How long the try took, in milliseconds.
        duration_ms: u64,
        /// What the task cost over all tries, as far as known.
        cost_usd: Option<MicroUsd>,
    },
    /// It failed for good.
    #[serde(rename = "task.failed")]
    Failed {
        /// Which try.
        attempt: u32,
        /// What happened.
        error: TaskError,
    },
    /// It is not needed.
    #[serde(rename = "task.skipped")]
    Skipped {
        /// The try that never was.
        attempt: u32,
        /// Why.
        reason: SkipReason,
    },
    /// It was stopped with its run.
    #[serde(rename = "task.cancelled")]
    Cancelled {
        /// The try that was stopped; 0 when none had begun.
        attempt: u32,
    },
}

/// A result that a run begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// The task.
    pub task: TaskName,
    /// Its value.
    pub output: Value,
    /// The port taken, for a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortName>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What one finished model call brought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// The provider that answered.
    pub provider: String,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// The answer's text.
    pub text: String,
    /// Tools that it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Opaque parts that must go back to the provider unchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasoning_details: Vec<Value>,
    /// Tokens read; `None` when the provider did not say.
    pub prompt_tokens: Option<u64>,
    /// Tokens written; `None` when the provider did not say.
    pub completion_tokens: Option<u64>,
    /// Of those read the ones that the provider had kept; `None` when it did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Of those written the ones that were thought; `None` when the provider did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// What it cost; `None` when unknown.
    pub cost_usd: Option<MicroUsd>,
    /// What budgets count for it for as long as its cost is unknown: what was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed_usd: Option<MicroUsd>,
    /// Tokens that budgets count for it besides those that are known, for as long as not all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assumed_tokens: Option<u64>,
    /// Whether the provider only rehearses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// Whether it was played back from a recording: tokens are those of then, and nothing was spent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// Where the figure of its cost is from.
    pub cost_is: CostIs,
    /// Why the model stopped.
    pub finish_reason: FinishReason,
    /// The provider's name for this call.
    pub generation_id: Option<String>,
    /// From request to the first of the answer, be it text, thought or the wish for a tool, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// From request to end, in milliseconds.
    pub duration_ms: u64,
}

/// What a call cost, known only after its end: its stream broke, nobody waited for it any more, or its
/// answer did not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateCost {
    /// The provider's name for the call.
    pub generation_id: String,
    /// The provider that was asked.
    pub provider: String,
    /// The model that was asked, or that answered, where the provider says so.
    pub model: String,
    /// What it cost.
    pub cost_usd: MicroUsd,
    /// Tokens read, where nobody knew them before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// Tokens written, where nobody knew them before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens: Option<u64>,
    /// What budgets had counted for it until now.
    #[serde(default)]
    pub assumed_usd: MicroUsd,
    /// Tokens that budgets had counted for it until now and do not any more.
    #[serde(default)]
    pub assumed_tokens: u64,
    /// Whether it was counted as a call before.
    #[serde(default)]
    pub counted: bool,
    /// When it was counted; with what was assumed, where it was counted before.
    #[serde(default, alias = "began_at")]
    pub counted_at: Timestamp,
}

impl TaskEvent {
    /// Whether no attempt is under way behind it: a call that was is cut.
    pub fn ends_attempt(&self) -> bool {
        match self {
            TaskEvent::Retrying { .. }
            | TaskEvent::Unknown { .. }
            | TaskEvent::Completed { .. }
            | TaskEvent::Failed { .. }
            | TaskEvent::Cancelled { .. } => true,
            TaskEvent::Ready { .. }
            | TaskEvent::Opened { .. }
            | TaskEvent::Assigned { .. }
            | TaskEvent::Started { .. }
            | TaskEvent::TurnStarted { .. }
            | TaskEvent::TurnBegan { .. }
            | TaskEvent::TurnCompleted { .. }
            | TaskEvent::TurnFailed { .. }
            | TaskEvent::TurnPriced { .. }
            | TaskEvent::ToolCalled { .. }
            | TaskEvent::ToolReturned { .. }
            | TaskEvent::Waiting { .. }
            | TaskEvent::Answered { .. }
            | TaskEvent::Skipped { .. } => false,
        }
    }
}

impl LateCost {
    /// What budgets had counted for it until now.
    pub fn assumed(&self) -> Amount {
        Amount {
            usd: self.assumed_usd,
            tokens: self.assumed_tokens,
        }
    }

    /// What budgets count for it from now on.
    pub fn spent(&self) -> Amount {
        Amount {
            usd: self.cost_usd,
            tokens: self
                .prompt_tokens
                .unwrap_or_default()
                .saturating_add(self.completion_tokens.unwrap_or_default()),
        }
    }
}

impl TurnRecord {
    /// Tokens read and written together, as far as the provider said.
    pub fn known_tokens(&self) -> u64 {
        self.prompt_tokens
            .unwrap_or_default()
            .saturating_add(self.completion_tokens.unwrap_or_default())
    }

    /// What budgets count for it.
    pub fn spent(&self) -> Amount {
        if self.replayed {
            return Amount::default();
        }
        Amount {
            usd: self.cost_usd.or(self.assumed_usd).unwrap_or_default(),
            tokens: self
                .known_tokens()
                .saturating_add(self.assumed_tokens.unwrap_or_default()),
        }
    }
}

/// A tool that a model asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's name for the call.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// Its arguments as the model wrote them: should be JSON, may be anything.
    pub arguments: String,
}

/// Where a cost figure is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CostIs {
    /// The provider said what it charged.
    Charged,
    /// Computed from its price list.
    Estimated,
    /// Nobody knows.
    Unknown,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It had said everything.
    Stop,
    /// It reached the limit of tokens.
    Length,
    /// It asks for tools.
    ToolCalls,
    /// A filter stopped it.
    ContentFilter,
    /// Something that this version does not know.
    Other,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_yes(counts: &bool) -> bool {
    *counts
}
