//! Text of answers that are not at their end.

use domain::{
    frame::Delta,
    id::{RunId, TaskName},
};
use sqlx::{Arguments, SqliteConnection, SqlitePool};

use super::{
    insert::{Insert, int},
    reader::{Columns, unreadable},
};
use crate::store::{Batch, StoreError};

static PIECES: Insert = Insert::new(
    "storing what was said",
    "INSERT OR ROLLBACK INTO said (run_id, task, attempt, turn, at_byte, text)",
    6,
    "",
);

static OVER: Insert = Insert::new(
    "removing what was said",
    "DELETE FROM said WHERE (run_id, task) IN (",
    2,
    ")",
);

/// Adds the pieces of a batch, then removes those of turns that it ends.
pub(super) async fn store(
    connection: &mut SqliteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    // An answer that begins anew takes the place of the one that a crash cut.
    let anew: Vec<(RunId, TaskName)> = batch
        .said
        .iter()
        .filter(|piece| piece.offset == 0)
        .map(|piece| (piece.run_id, piece.task.clone()))
        .collect();
    remove(connection, &anew).await?;
    PIECES
        .rows(connection, &batch.said, |piece, to| {
            to.add(piece.run_id.to_string())?;
            to.add(piece.task.as_str())?;
            to.add(piece.attempt)?;
            to.add(piece.turn)?;
            to.add(int(piece.offset))?;
            to.add(piece.text.as_str())
        })
        .await?;
    remove(connection, &batch.unsaid).await
}

async fn remove(
    connection: &mut SqliteConnection,
    tasks: &[(RunId, TaskName)],
) -> Result<(), StoreError> {
    OVER.rows(connection, tasks, |(run, task), to| {
        to.add(run.to_string())?;
        to.add(task.as_str())
    })
    .await
}

/// Everything, each answer as one piece from its beginning, marked as cut.
pub(super) async fn list(readers: &SqlitePool) -> Result<Vec<Delta>, StoreError> {
    let rows = sqlx::query(
        "SELECT workflow_id, run_id, task, attempt, turn, at_byte, text
         FROM said JOIN runs ON runs.id = said.run_id ORDER BY run_id, task, at_byte",
    )
    .fetch_all(readers)
    .await?;
    let mut all: Vec<Delta> = Vec::new();
    for row in &rows {
        let row = Columns(row);
        let piece = Delta {
            workflow_id: row.parsed(0)?,
            run_id: row.parsed(1)?,
            task: TaskName::parse(row.get(2)?).map_err(|error| unreadable(2, error))?,
            attempt: row.small(3)?,
            turn: row.small(4)?,
            offset: row.count(5)?,
            text: row.get::<String>(6)?,
            cut: true,
        };
        match all.last_mut() {
            Some(last)
                if (last.run_id, &last.task) == (piece.run_id, &piece.task)
                    && last.text.len() as u64 == piece.offset =>
            {
                last.text.push_str(&piece.text);
            }
            Some(_) | None if piece.offset == 0 => all.push(piece),
            // What does not follow is not made up.
            Some(_) | None => {}
        }
    }
    Ok(all)
}
