//! Tasks that a person has to decide about.

use app::api::dto::PersonWait;
use domain::{budget::Notice, id::TaskName};
use sqlx::SqlitePool;

use super::reader::{Columns, unreadable};
use crate::store::StoreError;

/// Those of live runs; the newest run first, in it in the order of the file.
pub(super) async fn list(readers: &SqlitePool, most: u32) -> Result<Vec<PersonWait>, StoreError> {
    let rows = sqlx::query(
        "SELECT run_id, workflow_name, task, coalesce(title, node), tasks.status, question,
                waiting_until, created_at, position
         FROM tasks INDEXED BY tasks_for_people JOIN runs ON runs.id = run_id
         WHERE (waiting_for = 'approval' OR waiting_for = 'replay' OR tasks.status = 'unknown')
           AND runs.status IN ('queued', 'running', 'paused')
         UNION ALL
         SELECT run_id, workflow_name, task, coalesce(title, node), 'budget', held_by, NULL,
                created_at, min(position)
         FROM tasks INDEXED BY tasks_for_budgets JOIN runs ON runs.id = run_id
         WHERE waiting_for = 'budget' AND held_by IS NOT NULL
           AND runs.status IN ('queued', 'running', 'paused')
         GROUP BY run_id
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
                message: match row.get::<String>(4)?.as_str() {
                    "budget" => Some(held(row.get(5)?)),
                    _ => row.get(5)?,
                },
                until: row.maybe_moment(6)?,
            })
        })
        .collect()
}

/// What a run is held back by, as a sentence.
fn held(json: Option<&str>) -> String {
    let notice = json.and_then(|json| serde_json::from_str::<Notice>(json).ok());
    match notice {
        Some(notice) => format!("The next call could pass {notice}. Raise it, or stop the run."),
        None => "The next call could pass a budget. Raise it, or stop the run.".to_owned(),
    }
}
