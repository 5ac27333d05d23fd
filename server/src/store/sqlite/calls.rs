//! Model calls whose cost is not known yet.

use domain::{
    event::{Event, Fact},
    id::TaskName,
    run::{AttemptKey, TaskEvent},
};
use sqlx::{Arguments, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use super::{
    insert::Insert,
    reader::{Columns, unreadable},
    writer::Writer,
};
use crate::store::{StoreError, calls::OpenCall};

static CALLS: Insert = Insert::new(
    "noting calls",
    "INSERT OR ROLLBACK INTO open_calls (generation_id, provider, model, run_id, task, attempt, turn, began_at)",
    8,
    "ON CONFLICT (generation_id) DO NOTHING",
);

static OVER: Insert = Insert::new(
    "forgetting calls",
    "DELETE FROM open_calls WHERE generation_id IN (",
    1,
    ")",
);

pub(super) async fn note(writer: &Mutex<Writer>, calls: &[OpenCall]) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = insert(writer.connection(), calls).await;
    writer.finish(result).await
}

async fn insert(connection: &mut SqliteConnection, calls: &[OpenCall]) -> Result<(), StoreError> {
    let rows = CALLS.rows(connection, calls, |call, to| {
        to.add(call.generation_id.as_str())?;
        to.add(call.provider.as_str())?;
        to.add(call.model.as_str())?;
        to.add(call.key.run.to_string())?;
        to.add(call.key.task.as_str())?;
        to.add(call.key.attempt)?;
        to.add(call.turn)?;
        to.add(call.began_at.0)
    });
    rows.await
}

pub(super) async fn forget(writer: &Mutex<Writer>, id: &str) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let result = remove(writer.connection(), &[id]).await;
    writer.finish(result).await
}

async fn remove(connection: &mut SqliteConnection, ids: &[&str]) -> Result<(), StoreError> {
    OVER.rows(connection, ids, |id, to| to.add(*id)).await
}

/// Notes the calls that begin with these events, and removes those whose cost is in them.
pub(super) async fn store(
    connection: &mut SqliteConnection,
    events: &[Event],
) -> Result<(), StoreError> {
    let began: Vec<OpenCall> = events.iter().filter_map(begun_by).collect();
    insert(connection, &began).await?;
    let known: Vec<&str> = events.iter().filter_map(known_by).collect();
    remove(connection, &known).await
}

fn begun_by(event: &Event) -> Option<OpenCall> {
    let Fact::Task {
        run,
        task,
        event:
            TaskEvent::TurnBegan {
                attempt,
                turn,
                generation_id,
                model,
            },
        ..
    } = &event.fact
    else {
        return None;
    };
    let (provider, model) = model.split_once(':')?;
    Some(OpenCall {
        generation_id: generation_id.clone()?,
        provider: provider.to_owned(),
        model: model.to_owned(),
        key: AttemptKey {
            run: *run,
            task: task.clone(),
            attempt: *attempt,
        },
        turn: *turn,
        began_at: event.at,
    })
}

fn known_by(event: &Event) -> Option<&str> {
    let Fact::Task { event, .. } = &event.fact else {
        return None;
    };
    match event {
        TaskEvent::TurnCompleted { record, .. } if !record.simulated => {
            record.cost_usd?;
            record.generation_id.as_deref()
        }
        TaskEvent::TurnPriced { late, .. } => Some(&late.generation_id),
        TaskEvent::TurnCompleted { .. }
        | TaskEvent::Ready { .. }
        | TaskEvent::Opened { .. }
        | TaskEvent::Assigned { .. }
        | TaskEvent::Started { .. }
        | TaskEvent::TurnStarted { .. }
        | TaskEvent::TurnBegan { .. }
        | TaskEvent::TurnFailed { .. }
        | TaskEvent::ToolCalled { .. }
        | TaskEvent::ToolReturned { .. }
        | TaskEvent::Retrying { .. }
        | TaskEvent::Waiting { .. }
        | TaskEvent::Answered { .. }
        | TaskEvent::Unknown { .. }
        | TaskEvent::Completed { .. }
        | TaskEvent::Failed { .. }
        | TaskEvent::Skipped { .. }
        | TaskEvent::Cancelled { .. } => None,
    }
}

pub(super) async fn list(readers: &SqlitePool) -> Result<Vec<OpenCall>, StoreError> {
    let rows = sqlx::query(
        "SELECT generation_id, provider, model, run_id, task, attempt, turn, began_at
         FROM open_calls ORDER BY began_at, generation_id",
    )
    .fetch_all(readers)
    .await?;
    rows.iter()
        .map(|row| {
            let row = Columns(row);
            Ok(OpenCall {
                generation_id: row.get(0)?,
                provider: row.get(1)?,
                model: row.get(2)?,
                key: AttemptKey {
                    run: row.parsed(3)?,
                    task: TaskName::parse(row.get(4)?).map_err(|error| unreadable(4, error))?,
                    attempt: row.small(5)?,
                },
                turn: row.small(6)?,
                began_at: row.moment(7)?,
            })
        })
        .collect()
}
