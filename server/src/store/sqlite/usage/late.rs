//! A call that was counted without a cost gets one: in the sums of the day on which it ended.

use domain::{
    budget::day_of,
    id::{AgentId, RunId},
    run::LateCost,
    time::Timestamp,
};
use serde_json::Value;
use sqlx::SqliteConnection;

use super::super::{insert::int, reader::Columns};
use super::bounded;
use crate::store::StoreError;

/// Where a call was counted.
struct Counted {
    day: i64,
    workflow: String,
    agent: String,
    provider: String,
    model: String,
}

/// Moves a call from those of unknown cost to those that were charged.
pub(super) async fn price(
    connection: &mut SqliteConnection,
    run: RunId,
    late: &LateCost,
) -> Result<(), StoreError> {
    // The event may be gone with its run, or by age: then its day keeps what it said.
    let Some(counted) = counted(connection, run, &late.generation_id).await? else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE usage_sums SET
            calls_unknown = max(calls_unknown - 1, 0),
            calls_charged = calls_charged + 1,
            charged_micro_usd = min(coalesce(charged_micro_usd, 0) + ?1, 1000000000000000),
            assumed_micro_usd = max(assumed_micro_usd - ?2, 0),
            assumed_tokens = max(assumed_tokens - ?10, 0),
            prompt_tokens = CASE WHEN ?3 IS NULL THEN prompt_tokens
                ELSE min(coalesce(prompt_tokens, 0) + ?3, 1000000000000000) END,
            completion_tokens = CASE WHEN ?4 IS NULL THEN completion_tokens
                ELSE min(coalesce(completion_tokens, 0) + ?4, 1000000000000000) END
         WHERE day = ?5 AND workflow_id = ?6 AND agent_id = ?7 AND provider = ?8 AND model = ?9
            AND simulated = 0",
    )
    .bind(bounded(late.cost_usd.0))
    .bind(int(late.assumed_usd.0))
    .bind(late.prompt_tokens.map(bounded))
    .bind(late.completion_tokens.map(bounded))
    .bind(counted.day)
    .bind(counted.workflow)
    .bind(counted.agent)
    .bind(counted.provider)
    .bind(counted.model)
    .bind(bounded(late.assumed_tokens))
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds it to what an agent cost that is gone; one that lives is told by an event of its own.
pub(super) async fn charge(
    connection: &mut SqliteConnection,
    agent: AgentId,
    late: &LateCost,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE agents SET cost_micro_usd = min(cost_micro_usd + ?1, 1000000000000000)
         WHERE id = ?2 AND state = 'terminated'",
    )
    .bind(bounded(late.cost_usd.0))
    .bind(agent.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// The event that counted it says where.
async fn counted(
    connection: &mut SqliteConnection,
    run: RunId,
    generation_id: &str,
) -> Result<Option<Counted>, StoreError> {
    let row = sqlx::query(
        "SELECT timestamp, workflow_id, coalesce(source_agent_id, ''), data FROM events
         WHERE run_id = ?1 AND event_type IN ('turn.completed', 'turn.failed')
            AND json_extract(data, '$.generation_id') = ?2
         ORDER BY run_seq DESC LIMIT 1",
    )
    .bind(run.to_string())
    .bind(generation_id)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns(&row);
    let data: Value = row.json(3)?;
    let word = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    // A failure names `provider:model` in one word.
    let (provider, model) = match word("provider") {
        "" => word("model").split_once(':').unwrap_or_default(),
        provider => (provider, word("model")),
    };
    Ok(Some(Counted {
        day: day_of(Timestamp(row.get(0)?)),
        workflow: row.get(1)?,
        agent: row.get(2)?,
        provider: provider.to_owned(),
        model: model.to_owned(),
    }))
}
