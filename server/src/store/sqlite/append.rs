//! The group commit: everything that one turn of the kernel's loop changed, in one transaction.

use std::collections::{BTreeMap, HashMap};

use domain::{
    agent::Agent,
    event::{Event, Fact},
    frame::EventFrame,
    id::RunId,
    money::MicroUsd,
    run::TaskEvent,
    time::Timestamp,
};
use serde_json::json;
use sqlx::{Arguments, SqliteConnection, error::BoxDynError, sqlite::SqliteArguments};
use tokio::sync::Mutex;

use super::{
    calls,
    insert::{Insert, int},
    said, usage,
    writer::Writer,
};
use crate::store::{AttemptRow, Batch, RunRow, Start, StoreError, TaskRow, upkeep::EVENT_OVERHEAD};

static AGENTS: Insert = Insert::new(
    "storing agents",
    "INSERT OR ROLLBACK INTO agents (id, name, capabilities, state, state_detail, provider_config, on_demand,
        attempts_done, cost_micro_usd, created_at, updated_at, also, mailbox)",
    13,
    "ON CONFLICT (id) DO UPDATE SET name = excluded.name, capabilities = excluded.capabilities,
        state = excluded.state, state_detail = excluded.state_detail,
        provider_config = excluded.provider_config, attempts_done = excluded.attempts_done,
        cost_micro_usd = excluded.cost_micro_usd, updated_at = excluded.updated_at,
        also = excluded.also, mailbox = excluded.mailbox",
);

static RUNS: Insert = Insert::new(
    "storing runs",
    "INSERT OR ROLLBACK INTO runs (id, workflow_id, workflow_version, workflow_name, status, started_by, input,
        output, error, budget_micro_usd, cost_micro_usd, prompt_tokens, completion_tokens, tasks,
        tasks_settled, created_at, started_at, ended_at, last_seq, last_run_seq, parent_run_id,
        parent_task, budget_tokens, held_by, event_bytes)",
    25,
    "ON CONFLICT (id) DO UPDATE SET status = excluded.status, output = excluded.output,
        error = excluded.error, budget_micro_usd = excluded.budget_micro_usd,
        budget_tokens = excluded.budget_tokens, held_by = excluded.held_by,
        cost_micro_usd = excluded.cost_micro_usd,
        prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
        tasks = excluded.tasks, tasks_settled = excluded.tasks_settled,
        started_at = excluded.started_at, ended_at = excluded.ended_at,
        last_seq = excluded.last_seq, last_run_seq = excluded.last_run_seq,
        event_bytes = event_bytes + excluded.event_bytes, removing_at = NULL",
);

static TASKS: Insert = Insert::new(
    "storing tasks",
    "INSERT OR ROLLBACK INTO tasks (run_id, task, position, node, kind, status, attempts, error, cost_micro_usd,
        title, waiting_for, waiting_until, question)",
    13,
    "ON CONFLICT (run_id, task) DO UPDATE SET position = excluded.position,
        status = excluded.status, attempts = excluded.attempts, error = excluded.error,
        cost_micro_usd = excluded.cost_micro_usd, waiting_for = excluded.waiting_for,
        waiting_until = excluded.waiting_until, question = excluded.question",
);

static ATTEMPTS: Insert = Insert::new(
    "storing attempts",
    "INSERT OR ROLLBACK INTO attempts (run_id, task, attempt, agent_id, status, error, turns, cost_micro_usd,
        started_at, ended_at)",
    10,
    "ON CONFLICT (run_id, task, attempt) DO UPDATE SET agent_id = excluded.agent_id,
        status = excluded.status, error = excluded.error, turns = excluded.turns,
        cost_micro_usd = excluded.cost_micro_usd, ended_at = excluded.ended_at",
);

static STARTS: Insert = Insert::new(
    "storing starts",
    "INSERT OR ROLLBACK INTO starts (key, run_id, seq, digest)",
    4,
    "",
);

static EVENTS: Insert = Insert::new(
    "storing events",
    "INSERT OR ROLLBACK INTO events (seq, event_type, source_agent_id, workflow_id, run_id, run_seq, task,
        topic, severity, timestamp, data)",
    11,
    "",
);

// A sum stays at the largest number that SQLite knows, instead of becoming a fraction.
static SPENDING: Insert = Insert::new(
    "storing costs",
    "INSERT OR ROLLBACK INTO spending (hour, cost_micro_usd)",
    2,
    "ON CONFLICT (hour) DO UPDATE SET cost_micro_usd =
        CASE WHEN cost_micro_usd > 9223372036854775807 - excluded.cost_micro_usd
             THEN 9223372036854775807
             ELSE cost_micro_usd + excluded.cost_micro_usd END",
);

/// Stores the batch, all or nothing.
pub(super) async fn append(writer: &Mutex<Writer>, batch: &Batch) -> Result<(), StoreError> {
    if is_empty(batch) {
        return Ok(());
    }
    // Before the lock: this is work of the processor alone.
    let frames: Vec<(EventFrame, String)> = batch
        .events
        .iter()
        .map(|event| {
            let frame = event.to_frame();
            let data = frame.data.to_string();
            (frame, data)
        })
        .collect();
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let head = writer.head().await;
    writer.remember_head(None);
    let result = match head.and_then(|head| continued(head, &frames)) {
        Ok(head) => rows(writer.connection(), batch, &frames)
            .await
            .map(|()| head),
        Err(error) => Err(error),
    };
    let head = writer.finish(result).await?;
    writer.remember_head(Some(head));
    Ok(())
}

/// Where a program reads the sum of an hour.
pub(super) fn hour_of(moment_ms: i64) -> i64 {
    const HOUR_MS: i64 = 3_600_000;
    moment_ms.div_euclid(HOUR_MS).saturating_mul(HOUR_MS)
}

fn is_empty(batch: &Batch) -> bool {
    let Batch {
        events,
        runs,
        agents,
        starts,
        said,
        unsaid,
    } = batch;
    events.is_empty()
        && runs.is_empty()
        && agents.is_empty()
        && starts.is_empty()
        && said.is_empty()
        && unsaid.is_empty()
}

/// The new head, if the events follow the old one without a gap.
fn continued(head: u64, frames: &[(EventFrame, String)]) -> Result<u64, StoreError> {
    frames.iter().try_fold(head, |head, (frame, _)| {
        if frame.seq == head + 1 {
            Ok(frame.seq)
        } else {
            Err(StoreError::Broken(format!(
                "event {} came where {} was due: another server may be using this database",
                frame.seq,
                head + 1
            )))
        }
    })
}

async fn rows(
    connection: &mut SqliteConnection,
    batch: &Batch,
    frames: &[(EventFrame, String)],
) -> Result<(), StoreError> {
    let mut lengths = lengths(frames);
    // A run may come more than once: its first row takes them all.
    let runs: Vec<(&RunRow, u64)> = batch
        .runs
        .iter()
        .map(|run| (&run.row, lengths.remove(&run.row.id).unwrap_or(0)))
        .collect();
    let tasks: Vec<(String, &TaskRow)> = batch
        .runs
        .iter()
        .flat_map(|run| run.tasks.iter().map(|task| (run.row.id.to_string(), task)))
        .collect();
    let attempts: Vec<(String, &AttemptRow)> = batch
        .runs
        .iter()
        .flat_map(|run| {
            run.attempts
                .iter()
                .map(|attempt| (run.row.id.to_string(), attempt))
        })
        .collect();
    let spending: Vec<(i64, MicroUsd)> = spending(&batch.events).into_iter().collect();

    AGENTS.rows(connection, &batch.agents, bind_agent).await?;
    RUNS.rows(connection, &runs, |(run, bytes), to| {
        bind_run(run, to)?;
        to.add(int(*bytes))
    })
    .await?;
    TASKS
        .rows(connection, &tasks, |(run, task), to| {
            bind_task(run, task, to)
        })
        .await?;
    ATTEMPTS
        .rows(connection, &attempts, |(run, attempt), to| {
            bind_attempt(run, attempt, to)
        })
        .await?;
    STARTS.rows(connection, &batch.starts, bind_start).await?;
    EVENTS
        .rows(connection, frames, |(frame, data), to| {
            bind_event(frame, data, to)
        })
        .await?;
    said::store(connection, batch).await?;
    SPENDING
        .rows(connection, &spending, |(hour, cost), to| {
            to.add(*hour)?;
            to.add(int(cost.0))
        })
        .await?;
    usage::store(connection, &batch.events).await?;
    calls::store(connection, &batch.events).await
}

/// About what the events of each run take, in bytes.
fn lengths(frames: &[(EventFrame, String)]) -> HashMap<RunId, u64> {
    let mut lengths = HashMap::new();
    for (frame, data) in frames {
        if let Some(run) = frame.run_id {
            *lengths.entry(run).or_insert(0) += data.len() as u64 + EVENT_OVERHEAD;
        }
    }
    lengths
}

/// Known costs of the turns that ended, by hour.
fn spending(events: &[Event]) -> BTreeMap<i64, MicroUsd> {
    let mut sums: BTreeMap<i64, MicroUsd> = BTreeMap::new();
    for event in events {
        if let Some((at, cost)) = became_known(event) {
            let sum = sums.entry(hour_of(at.0)).or_default();
            *sum = *sum + cost;
        }
    }
    sums
}

/// The cost that an event tells of, and when the call was counted.
fn became_known(event: &Event) -> Option<(Timestamp, MicroUsd)> {
    match &event.fact {
        Fact::Task {
            event: TaskEvent::TurnCompleted { record, .. },
            ..
        } => Some((event.at, record.cost_usd?)),
        Fact::Task {
            event: TaskEvent::TurnPriced { late, .. },
            ..
        } => Some((late.counted_at, late.cost_usd)),
        Fact::Task { .. } | Fact::Run { .. } | Fact::Agent { .. } | Fact::System(_) => None,
    }
}

fn bind_agent(agent: &Agent, to: &mut SqliteArguments) -> Result<(), BoxDynError> {
    let spec = &agent.spec;
    to.add(agent.id.to_string())?;
    to.add(spec.name.as_str())?;
    to.add(serde_json::to_string(&spec.capabilities)?)?;
    to.add(agent.state.phase().name())?;
    to.add(serde_json::to_string(&agent.state)?)?;
    to.add(
        json!({
            "model": spec.model,
            "models": spec.models,
            "provider": spec.provider,
            "instructions": spec.instructions,
            "tools": spec.tools,
            "max_tasks": spec.max_tasks,
            "memory": spec.memory,
        })
        .to_string(),
    )?;
    to.add(agent.on_demand)?;
    to.add(int(agent.attempts_done))?;
    to.add(int(agent.cost_usd.0))?;
    to.add(agent.created_at.0)?;
    to.add(agent.updated_at.0)?;
    to.add(serde_json::to_string(&agent.also)?)?;
    to.add(serde_json::to_string(&agent.mailbox)?)
}

fn bind_run(run: &RunRow, to: &mut SqliteArguments) -> Result<(), BoxDynError> {
    to.add(run.id.to_string())?;
    to.add(run.workflow.to_string())?;
    to.add(run.version)?;
    to.add(run.workflow_name.as_str())?;
    to.add(run.status)?;
    to.add(run.started_by.as_str())?;
    to.add(run.input.as_str())?;
    to.add(run.output.as_deref())?;
    to.add(run.error.as_deref())?;
    to.add(run.budget.map(|budget| int(budget.0)))?;
    to.add(run.cost.map(|cost| int(cost.0)))?;
    to.add(run.prompt_tokens.map(int))?;
    to.add(run.completion_tokens.map(int))?;
    to.add(run.tasks)?;
    to.add(run.tasks_settled)?;
    to.add(run.created_at.0)?;
    to.add(run.started_at.map(|at| at.0))?;
    to.add(run.ended_at.map(|at| at.0))?;
    to.add(int(run.last_seq))?;
    to.add(int(run.last_run_seq))?;
    to.add(run.parent.map(|parent| parent.to_string()))?;
    to.add(run.parent_task.as_deref())?;
    to.add(run.budget_tokens.map(int))?;
    to.add(run.held_by.as_deref())
}

fn bind_task(run: &str, task: &TaskRow, to: &mut SqliteArguments) -> Result<(), BoxDynError> {
    to.add(run)?;
    to.add(task.task.as_str())?;
    to.add(task.position)?;
    to.add(task.node.as_str())?;
    to.add(task.kind.as_str())?;
    to.add(task.status)?;
    to.add(task.attempts)?;
    to.add(task.error.as_deref())?;
    to.add(task.cost.map(|cost| int(cost.0)))?;
    to.add(task.title.as_str())?;
    to.add(task.waiting_for)?;
    to.add(task.waiting_until.map(|until| until.0))?;
    to.add(task.question.as_deref())
}

fn bind_attempt(
    run: &str,
    attempt: &AttemptRow,
    to: &mut SqliteArguments,
) -> Result<(), BoxDynError> {
    to.add(run)?;
    to.add(attempt.task.as_str())?;
    to.add(attempt.attempt)?;
    to.add(attempt.agent.map(|agent| agent.to_string()))?;
    to.add(attempt.status)?;
    to.add(attempt.error.as_deref())?;
    to.add(attempt.turns)?;
    to.add(attempt.cost.map(|cost| int(cost.0)))?;
    to.add(attempt.started_at.0)?;
    to.add(attempt.ended_at.map(|at| at.0))
}

fn bind_start(start: &Start, to: &mut SqliteArguments) -> Result<(), BoxDynError> {
    to.add(start.key.as_str())?;
    to.add(start.run.to_string())?;
    to.add(int(start.seq))?;
    to.add(start.digest.as_str())
}

fn bind_event(frame: &EventFrame, data: &str, to: &mut SqliteArguments) -> Result<(), BoxDynError> {
    to.add(int(frame.seq))?;
    to.add(frame.kind.as_str())?;
    to.add(frame.agent_id.map(|agent| agent.to_string()))?;
    to.add(frame.workflow_id.map(|workflow| workflow.to_string()))?;
    to.add(frame.run_id.map(|run| run.to_string()))?;
    to.add(frame.run_seq.map(int))?;
    to.add(frame.task.as_ref().map(|task| task.as_str()))?;
    to.add(frame.topic.as_str())?;
    to.add(frame.severity.name())?;
    to.add(frame.at.0)?;
    to.add(data)
}
