//! What a run looks like in the API: names and nulls as the contract has them, times in RFC 3339,
//! money as a decimal string. What is not known is null, never 0 or "". `shape/attempt` is one try.

mod attempt;

use app::api::dto::RunSummary;
use domain::{
    budget::{Notice, OnBudget, Scope},
    id::TaskName,
    money::MicroUsd,
    run::{Answer, Run, RunState, Task, TaskError, TaskState, Tokens},
    time::Timestamp,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use self::attempt::AttemptShape;
use crate::engine::rows::waiting_for;

/// A run with all of its tasks.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunShape {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// What it executes.
    #[schema(format = "uuid")]
    workflow_id: String,
    /// Which version.
    workflow_version: u32,
    /// The workflow's name at the time.
    workflow_name: String,
    /// `queued`, `running`, `paused`, `succeeded`, `failed`, `cancelled`.
    status: &'static str,
    /// Who started it.
    started_by: String,
    /// What it was given, defaults filled in.
    input: Value,
    /// Its result.
    output: Option<Value>,
    /// Why it failed.
    error: Option<RunErrorShape>,
    /// What it cost so far.
    cost_usd: Option<String>,
    /// Tokens so far.
    tokens: TokensShape,
    /// Its limit in money.
    budget_usd: Option<String>,
    /// Its limit in tokens.
    budget_tokens: Option<u64>,
    /// What becomes of a task whose next call could pass a limit: `wait` or `fail`.
    on_budget: &'static str,
    /// The limit that a call was held back for last; it stands while tasks wait for `budget`.
    held_by: Option<HeldShape>,
    /// What its child runs took that came to their end; they are not part of its own sums.
    child_runs: ChildrenShape,
    /// Whether any of its text is simulated.
    simulated: bool,
    /// The run that it was made from.
    #[schema(format = "uuid")]
    parent_run_id: Option<String>,
    /// The task of that run which waits for this one.
    parent_task: Option<String>,
    /// When it was accepted.
    #[schema(format = "date-time")]
    created_at: String,
    /// When its first task could start.
    #[schema(format = "date-time")]
    started_at: Option<String>,
    /// When it came to its end.
    #[schema(format = "date-time")]
    ended_at: Option<String>,
    /// `seq` of its last event.
    last_seq: u64,
    /// `run_seq` of its last event.
    last_run_seq: u64,
    /// Its tasks, in the order of the file.
    tasks: Vec<TaskShape>,
}

/// A limit that a call could pass.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldShape {
    /// `run`, `workflow`, `agent`, `provider` or `day`.
    scope: &'static str,
    /// What happened and what to do.
    message: String,
}

/// What child runs took.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChildrenShape {
    /// How many came to their end.
    runs: u32,
    /// What they cost.
    cost_usd: Option<String>,
    /// Their tokens.
    tokens: TokensShape,
}

/// A run in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunItem {
    /// Its id.
    #[schema(format = "uuid")]
    id: String,
    /// What it executes.
    #[schema(format = "uuid")]
    workflow_id: String,
    /// Which version.
    workflow_version: u32,
    /// The workflow's name at the time.
    workflow_name: String,
    /// `queued`, `running`, `paused`, `succeeded`, `failed`, `cancelled`.
    status: String,
    /// Who started it.
    started_by: String,
    /// Why it failed, for people; the run itself says more.
    error_message: Option<String>,
    /// What it cost so far.
    cost_usd: Option<String>,
    /// Tokens so far.
    tokens: TokensShape,
    /// All tasks.
    task_count: u32,
    /// Tasks that can change no more.
    tasks_settled: u32,
    /// When it was accepted.
    #[schema(format = "date-time")]
    created_at: String,
    /// When it came to its end.
    #[schema(format = "date-time")]
    ended_at: Option<String>,
    /// `seq` of its last event.
    last_seq: u64,
}

/// Tokens, as far as they are known.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensShape {
    /// Read by models.
    prompt: Option<u64>,
    /// Written by models.
    completion: Option<u64>,
}

/// Why a run failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunErrorShape {
    /// The task that failed.
    task: Option<String>,
    /// For programs; never changes its meaning.
    code: String,
    /// For people: what happened, what it means, what to do.
    message: String,
    /// Whether another try may go better.
    retryable: bool,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorShape {
    /// For programs; never changes its meaning.
    code: String,
    /// For people: what happened, what it means, what to do.
    message: String,
    /// Whether another try may go better.
    retryable: bool,
}

/// One node inside the run.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskShape {
    /// Its name.
    task: String,
    /// The node.
    node: String,
    /// The node's kind.
    kind: String,
    /// What people call the step.
    title: String,
    /// `blocked`, `ready`, `assigned`, `running`, `waiting`, `succeeded`, `failed`, `skipped`,
    /// `cancelled`, `unknown`.
    status: &'static str,
    /// What a waiting task waits for: `approval`, `timer`, `run` or `provider`.
    waiting_for: Option<&'static str>,
    /// Until when it waits at the latest.
    #[schema(format = "date-time")]
    waiting_until: Option<String>,
    /// What a person answered last.
    answer: Option<AnswerShape>,
    /// The child run that it waits for, or waited for last.
    #[schema(format = "uuid")]
    child_run_id: Option<String>,
    /// Rounds of its body that were begun, for a map or a loop.
    rounds: u32,
    /// Whether its result was taken over from another run, or pinned.
    reused: bool,
    /// The agent that is or was last at it.
    #[schema(format = "uuid")]
    agent_id: Option<String>,
    /// What it was given.
    input: Option<Value>,
    /// Its value.
    output: Option<Value>,
    /// Why it failed.
    error: Option<ErrorShape>,
    /// What it cost over all attempts.
    cost_usd: Option<String>,
    /// Every try.
    attempts: Vec<AttemptShape>,
}

/// What a person answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnswerShape {
    /// Who.
    by: String,
    /// When.
    #[schema(format = "date-time")]
    at: String,
    /// The way on.
    port: String,
    /// A remark.
    comment: String,
    /// Whatever belongs to it.
    data: Value,
}

impl RunShape {
    /// The run as it stands.
    pub fn of(run: &Run) -> Self {
        let (output, error) = match &run.state {
            RunState::Succeeded { output } => (Some(output.clone()), None),
            RunState::Failed { error } => (
                None,
                Some(RunErrorShape::of(error.task.as_ref(), &error.error)),
            ),
            RunState::Queued
            | RunState::Running
            | RunState::Paused { .. }
            | RunState::Cancelled { .. } => (None, None),
        };
        Self {
            id: run.id.to_string(),
            workflow_id: run.workflow_id.to_string(),
            workflow_version: run.workflow_version,
            workflow_name: run.workflow_name.clone(),
            status: run.state.name(),
            started_by: run.started_by.clone(),
            input: run.input.clone(),
            output,
            error,
            cost_usd: money(run.cost()),
            tokens: TokensShape::of(run.tokens()),
            budget_usd: money(run.budget_usd),
            budget_tokens: run.budget_tokens,
            on_budget: match run.on_budget {
                OnBudget::Wait => "wait",
                OnBudget::Fail => "fail",
            },
            held_by: run.held_by.as_ref().map(HeldShape::of),
            child_runs: ChildrenShape {
                runs: run.totals.children.runs,
                cost_usd: money(run.totals.children.cost_usd),
                tokens: TokensShape::of(run.totals.children.tokens),
            },
            simulated: run.is_simulated(),
            parent_run_id: run.parent.as_ref().map(|parent| parent.run.to_string()),
            parent_task: run
                .parent
                .as_ref()
                .and_then(|parent| Some(parent.task.as_ref()?.to_string())),
            created_at: run.created_at.rfc3339(),
            started_at: time(run.started_at),
            ended_at: time(run.ended_at),
            last_seq: run.last_seq,
            last_run_seq: run.last_run_seq,
            tasks: run
                .tasks
                .iter()
                .map(|(name, task)| TaskShape::of(name, task))
                .collect(),
        }
    }
}

impl HeldShape {
    fn of(notice: &Notice) -> Self {
        Self {
            scope: match notice.scope {
                Scope::Run(_) => "run",
                Scope::Workflow(_) => "workflow",
                Scope::Agent(_) => "agent",
                Scope::Provider(_) => "provider",
                Scope::Day => "day",
            },
            message: format!("The next call could pass {notice}. Raise it, or cancel the run."),
        }
    }
}

impl From<RunSummary> for RunItem {
    fn from(run: RunSummary) -> Self {
        Self {
            id: run.id.to_string(),
            workflow_id: run.workflow_id.to_string(),
            workflow_version: run.workflow_version,
            workflow_name: run.workflow_name,
            status: run.status,
            started_by: run.started_by,
            error_message: run.error,
            cost_usd: money(run.cost_usd),
            tokens: TokensShape {
                prompt: run.prompt_tokens,
                completion: run.completion_tokens,
            },
            task_count: run.tasks,
            tasks_settled: run.tasks_settled,
            created_at: run.created_at.rfc3339(),
            ended_at: time(run.ended_at),
            last_seq: run.last_seq,
        }
    }
}

impl TokensShape {
    fn of(tokens: Tokens) -> Self {
        Self {
            prompt: tokens.prompt,
            completion: tokens.completion,
        }
    }
}

impl RunErrorShape {
    fn of(task: Option<&TaskName>, error: &TaskError) -> Self {
        let ErrorShape {
            code,
            message,
            retryable,
        } = ErrorShape::of(error);
        Self {
            task: task.map(TaskName::to_string),
            code,
            message,
            retryable,
        }
    }
}

impl ErrorShape {
    /// The error as it stands.
    pub fn of(error: &TaskError) -> Self {
        Self {
            code: error.code.clone(),
            message: error.message.clone(),
            retryable: error.retryable,
        }
    }
}

impl TaskShape {
    fn of(name: &TaskName, task: &Task) -> Self {
        let (waits, error) = match &task.state {
            TaskState::Waiting { reason, until } => (Some((*reason, *until)), None),
            TaskState::Failed { error, .. } | TaskState::Unknown { error, .. } => {
                (None, Some(ErrorShape::of(error)))
            }
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Succeeded { .. }
            | TaskState::Skipped { .. }
            | TaskState::Cancelled => (None, None),
        };
        Self {
            task: name.to_string(),
            node: task.node.to_string(),
            kind: task.kind.clone(),
            title: task.title.clone(),
            status: task.state.name(),
            waiting_for: waits.map(|(reason, _)| waiting_for(reason)),
            waiting_until: waits.and_then(|(_, until)| time(until)),
            answer: task.answer.as_ref().map(AnswerShape::of),
            child_run_id: task.child.map(|child| child.to_string()),
            rounds: task.rounds,
            reused: task.reused,
            agent_id: task
                .attempts
                .last()
                .and_then(|attempt| attempt.agent)
                .map(|agent| agent.to_string()),
            input: task.input.clone(),
            output: task.state.output().cloned(),
            error,
            cost_usd: money(task.cost()),
            attempts: task.attempts.iter().map(AttemptShape::of).collect(),
        }
    }
}

impl AnswerShape {
    fn of(answer: &Answer) -> Self {
        Self {
            by: answer.by.clone(),
            at: answer.at.rfc3339(),
            port: answer.port.to_string(),
            comment: answer.comment.clone(),
            data: answer.data.clone(),
        }
    }
}

fn money(amount: Option<MicroUsd>) -> Option<String> {
    amount.map(|amount| amount.to_string())
}

fn time(moment: Option<Timestamp>) -> Option<String> {
    moment.map(Timestamp::rfc3339)
}
