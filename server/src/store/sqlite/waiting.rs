//! Tasks that a person has to decide about.

use app::api::dto::PersonWait;
use domain::id::TaskName;
use sqlx::SqlitePool;

use super::reader::{Columns, unreadable};
use crate::store::StoreError;

/// Those of live runs; the newest run first, in it in the order of the file.
pub(super) async fn list(readers: &SqlitePool, most: u32) -> Result<Vec<PersonWait>, StoreError> {
    let rows = sqlx::query(
        "SELECT run_id, workflow_name, task, coalesce(title, node), tasks.status, question,
                waiting_until
         FROM tasks INDEXED BY tasks_for_people JOIN runs ON runs.id = run_id
         WHERE (waiting_for = 'approval' OR tasks.status = 'unknown')
           AND runs.status IN ('queued', 'running', 'paused')
         ORDER BY created_at DESC, run_id DESC, position LIMIT ?1",
    )
    .bind(most)
    .fetch_all(readers)
    .await?;
    rows.iter()
        .map(|row| {
            let row = Columns(row);
            Ok(PersonWait {
                run: row.parsed(0)?,
                workflow_name: row.get(1)?,
                task: TaskName::parse(row.get(2)?).map_err(|error| unreadable(2, error))?,
                title: row.get(3)?,
                status: row.get(4)?,
                message: row.get(5)?,
                until: row.maybe_moment(6)?,
            })
        })
        .collect()
}
