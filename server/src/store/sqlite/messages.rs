//! What was written to an agent and by it, found in the log.

use domain::{frame::EventFrame, id::AgentId};
use sqlx::SqlitePool;

use super::{events, reader::Columns};
use crate::store::StoreError;

/// The newest, oldest first.
pub(super) async fn of(
    readers: &SqlitePool,
    agent: AgentId,
    most: u32,
) -> Result<Vec<EventFrame>, StoreError> {
    let mut connection = readers.acquire().await?;
    let rows = sqlx::query(
        "SELECT seq FROM (
            SELECT seq FROM events INDEXED BY messages_by_sender
            WHERE event_type = 'message.sent' AND json_extract(data, '$.from.agent_id') = ?1
            UNION SELECT seq FROM events INDEXED BY events_by_agent
            WHERE source_agent_id = ?1 AND event_type = 'message.sent')
         ORDER BY seq DESC LIMIT ?2",
    )
    .bind(agent.to_string())
    .bind(most)
    .fetch_all(&mut *connection)
    .await?;
    let numbers = rows
        .iter()
        .map(|row| Columns(row).count(0))
        .collect::<Result<Vec<_>, _>>()?;
    events::load(&mut connection, &numbers).await
}
