//! Agents as they were when the last commit was made.

use std::cmp::Reverse;

use domain::{
    agent::{Agent, AgentSpec, Phase},
    graph::Preferences,
    id::AgentId,
    money::MicroUsd,
};
use serde::Deserialize;
use sqlx::{SqlitePool, sqlite::SqliteRow};

use super::reader::Columns;
use crate::store::StoreError;

/// Most agents that are gone in a list.
const GONE: i64 = 200;

/// What is kept in `provider_config`.
#[derive(Deserialize)]
struct ProviderConfig {
    model: Option<String>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    provider: Preferences,
    instructions: String,
    tools: Vec<String>,
    #[serde(default)]
    max_tasks: u32,
    #[serde(default)]
    memory: bool,
}

/// Agents that are alive, oldest first; then, if asked for, the newest of those that are gone.
pub(super) async fn list(readers: &SqlitePool, gone: bool) -> Result<Vec<Agent>, StoreError> {
    // One statement, so that an agent which ends meanwhile is not in both halves.
    let rows = sqlx::query(
        "SELECT id, name, capabilities, provider_config, on_demand, state_detail, created_at,
                updated_at, attempts_done, cost_micro_usd, also, mailbox
         FROM agents INDEXED BY agents_alive WHERE state <> 'terminated'
         UNION ALL SELECT * FROM (
            SELECT id, name, capabilities, provider_config, on_demand, state_detail, created_at,
                   updated_at, attempts_done, cost_micro_usd, also, mailbox
            FROM agents INDEXED BY agents_gone WHERE state = 'terminated'
            ORDER BY updated_at DESC, id DESC LIMIT ?1)",
    )
    .bind(if gone { GONE } else { 0 })
    .fetch_all(readers)
    .await?;
    let agents = rows.iter().map(agent).collect::<Result<Vec<_>, _>>()?;
    let (mut gone, mut alive): (Vec<_>, Vec<_>) = agents
        .into_iter()
        .partition(|agent| agent.state.phase() == Phase::Terminated);
    alive.sort_by_key(|agent| (agent.created_at, agent.id));
    gone.sort_by_key(|agent| Reverse((agent.updated_at, agent.id)));
    alive.extend(gone);
    Ok(alive)
}

/// One agent, alive or not.
pub(super) async fn one(readers: &SqlitePool, id: AgentId) -> Result<Option<Agent>, StoreError> {
    let row = sqlx::query(
        "SELECT id, name, capabilities, provider_config, on_demand, state_detail, created_at,
                updated_at, attempts_done, cost_micro_usd, also, mailbox
         FROM agents WHERE id = ?1",
    )
    .bind(id.to_string())
    .fetch_optional(readers)
    .await?;
    row.as_ref().map(agent).transpose()
}

fn agent(row: &SqliteRow) -> Result<Agent, StoreError> {
    let row = Columns(row);
    let ProviderConfig {
        model,
        models,
        provider,
        instructions,
        tools,
        max_tasks,
        memory,
    } = row.json(3)?;
    Ok(Agent {
        id: row.parsed(0)?,
        spec: AgentSpec {
            name: row.get(1)?,
            capabilities: row.json(2)?,
            model,
            models,
            provider,
            instructions,
            tools,
            max_tasks,
            memory,
        },
        on_demand: row.get(4)?,
        state: row.json(5)?,
        created_at: row.moment(6)?,
        updated_at: row.moment(7)?,
        attempts_done: row.count(8)?,
        cost_usd: MicroUsd(row.count(9)?),
        also: row.json(10)?,
        mailbox: row.json(11)?,
    })
}
