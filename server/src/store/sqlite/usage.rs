//! Sums of what model calls took, and budgets. Sums are added to in the transaction that stores the
//! events they come from, so that both are there after a crash or neither is.

mod late;

use std::collections::BTreeMap;

use app::api::dto::{BudgetState, UsageBy, UsageQuery, UsageRow, UsageSums};
use domain::{
    budget::{Amount, Budget, OnBudget, Period, Scope, day_of},
    event::{Event, Fact, SystemEvent},
    money::MicroUsd,
    run::{CostIs, TaskEvent},
    time::Timestamp,
};
use sqlx::{
    Arguments, SqliteConnection, SqlitePool,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{
    insert::{Insert, int},
    reader::Columns,
};
use crate::store::{Carried, StoreError};

/// Most rows of one answer, dearest first: a chart of more could not be read.
const MOST_ROWS: i64 = 10_000;

// What nobody knows stays NULL until somebody does. A row stays below a billion dollars, whatever a
// server claims, so that thousands of rows can be summed.
static SUMS: Insert = Insert::new(
    "storing usage",
    "INSERT OR ROLLBACK INTO usage_sums (day, workflow_id, agent_id, provider, model, simulated, calls,
        calls_charged, calls_estimated, calls_unknown, charged_micro_usd, estimated_micro_usd,
        assumed_micro_usd, assumed_tokens, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens)",
    18,
    "ON CONFLICT (day, workflow_id, agent_id, provider, model, simulated) DO UPDATE SET
        calls = calls + excluded.calls,
        calls_charged = calls_charged + excluded.calls_charged,
        calls_estimated = calls_estimated + excluded.calls_estimated,
        calls_unknown = calls_unknown + excluded.calls_unknown,
        charged_micro_usd = CASE WHEN excluded.charged_micro_usd IS NULL THEN charged_micro_usd
            ELSE min(coalesce(charged_micro_usd, 0) + min(excluded.charged_micro_usd, 1000000000000000), 1000000000000000) END,
        estimated_micro_usd = CASE WHEN excluded.estimated_micro_usd IS NULL THEN estimated_micro_usd
            ELSE min(coalesce(estimated_micro_usd, 0) + min(excluded.estimated_micro_usd, 1000000000000000), 1000000000000000) END,
        assumed_micro_usd =
            min(assumed_micro_usd + min(excluded.assumed_micro_usd, 1000000000000000), 1000000000000000),
        assumed_tokens =
            min(assumed_tokens + min(excluded.assumed_tokens, 1000000000000000), 1000000000000000),
        prompt_tokens = CASE WHEN excluded.prompt_tokens IS NULL THEN prompt_tokens
            ELSE min(coalesce(prompt_tokens, 0) + min(excluded.prompt_tokens, 1000000000000000), 1000000000000000) END,
        completion_tokens = CASE WHEN excluded.completion_tokens IS NULL THEN completion_tokens
            ELSE min(coalesce(completion_tokens, 0) + min(excluded.completion_tokens, 1000000000000000), 1000000000000000) END,
        cached_tokens = CASE WHEN excluded.cached_tokens IS NULL THEN cached_tokens
            ELSE min(coalesce(cached_tokens, 0) + min(excluded.cached_tokens, 1000000000000000), 1000000000000000) END,
        reasoning_tokens = CASE WHEN excluded.reasoning_tokens IS NULL THEN reasoning_tokens
            ELSE min(coalesce(reasoning_tokens, 0) + min(excluded.reasoning_tokens, 1000000000000000), 1000000000000000) END",
);

/// What a sum is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    day: i64,
    workflow: String,
    agent: String,
    provider: String,
    model: String,
    simulated: bool,
}

/// Adds what the events of a batch took, and stores the budgets that were set in it.
pub(super) async fn store(
    connection: &mut SqliteConnection,
    events: &[Event],
) -> Result<(), StoreError> {
    let sums: Vec<(Key, UsageSums)> = sums(events).into_iter().collect();
    SUMS.rows(connection, &sums, |(key, sums), to| bind(key, sums, to))
        .await?;
    for event in events {
        match &event.fact {
            Fact::System(SystemEvent::BudgetSet { scope, budget, by }) => {
                set(connection, scope, budget.as_ref(), by, event.at).await?;
            }
            Fact::Task {
                run,
                agent,
                event: TaskEvent::TurnPriced { late, .. },
                ..
            } => {
                if late.counted {
                    late::price(connection, *run, late).await?;
                }
                if let Some(agent) = agent {
                    late::charge(connection, *agent, late).await?;
                }
            }
            Fact::System(_) | Fact::Task { .. } | Fact::Run { .. } | Fact::Agent { .. } => {}
        }
    }
    Ok(())
}

fn sums(events: &[Event]) -> BTreeMap<Key, UsageSums> {
    let mut sums: BTreeMap<Key, UsageSums> = BTreeMap::new();
    for event in events {
        let Fact::Task {
            workflow,
            agent,
            event: what,
            ..
        } = &event.fact
        else {
            continue;
        };
        let Some((provider, model, simulated, one)) = took(what) else {
            continue;
        };
        let key = Key {
            day: day_of(event.at),
            workflow: workflow.to_string(),
            agent: agent.map(|agent| agent.to_string()).unwrap_or_default(),
            provider: provider.to_owned(),
            model: model.to_owned(),
            simulated,
        };
        let sum = sums.entry(key).or_default();
        *sum = sum.plus(one);
    }
    sums
}

/// What a call took: at which provider, with which model, whether it was only rehearsed.
fn took(event: &TaskEvent) -> Option<(&str, &str, bool, UsageSums)> {
    match event {
        // Nobody was asked: it was paid for when it was recorded.
        TaskEvent::TurnCompleted { record, .. } if record.replayed => None,
        TaskEvent::TurnCompleted { record, .. } => {
            // A cost that is said to be known and is not there is not known.
            let is = match record.cost_usd {
                Some(_) => record.cost_is,
                None => CostIs::Unknown,
            };
            let sums = UsageSums {
                calls: 1,
                calls_charged: u64::from(is == CostIs::Charged),
                calls_estimated: u64::from(is == CostIs::Estimated),
                calls_unknown: u64::from(is == CostIs::Unknown),
                charged_usd: record.cost_usd.filter(|_| is == CostIs::Charged),
                estimated_usd: record.cost_usd.filter(|_| is == CostIs::Estimated),
                assumed_usd: record.assumed_usd.unwrap_or_default(),
                assumed_tokens: record.assumed_tokens.unwrap_or_default(),
                prompt_tokens: record.prompt_tokens,
                completion_tokens: record.completion_tokens,
                cached_tokens: record.cached_tokens,
                reasoning_tokens: record.reasoning_tokens,
            };
            Some((&record.provider, &record.model, record.simulated, sums))
        }
        // Only what had begun to answer may be charged.
        TaskEvent::TurnFailed { failure, .. } => {
            if !failure.may_cost() {
                return None;
            }
            let (provider, model) = failure
                .model
                .split_once(':')
                .unwrap_or(("", &failure.model));
            let sums = UsageSums {
                calls: 1,
                calls_unknown: 1,
                assumed_usd: failure.assumed().usd,
                assumed_tokens: failure.assumed().tokens,
                ..UsageSums::default()
            };
            Some((provider, model, false, sums))
        }
        TaskEvent::TurnPriced { late, .. } if !late.counted => {
            let sums = UsageSums {
                calls: 1,
                calls_charged: 1,
                charged_usd: Some(late.cost_usd),
                prompt_tokens: late.prompt_tokens,
                completion_tokens: late.completion_tokens,
                ..UsageSums::default()
            };
            Some((&late.provider, &late.model, false, sums))
        }
        TaskEvent::TurnPriced { .. }
        | TaskEvent::Ready { .. }
        | TaskEvent::Opened { .. }
        | TaskEvent::Assigned { .. }
        | TaskEvent::Started { .. }
        | TaskEvent::TurnStarted { .. }
        | TaskEvent::TurnBegan { .. }
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

fn bind(key: &Key, sums: &UsageSums, to: &mut SqliteArguments) -> Result<(), BoxDynError> {
    to.add(key.day)?;
    to.add(key.workflow.as_str())?;
    to.add(key.agent.as_str())?;
    to.add(key.provider.as_str())?;
    to.add(key.model.as_str())?;
    to.add(key.simulated)?;
    to.add(int(sums.calls))?;
    to.add(int(sums.calls_charged))?;
    to.add(int(sums.calls_estimated))?;
    to.add(int(sums.calls_unknown))?;
    to.add(sums.charged_usd.map(|usd| bounded(usd.0)))?;
    to.add(sums.estimated_usd.map(|usd| bounded(usd.0)))?;
    to.add(bounded(sums.assumed_usd.0))?;
    to.add(bounded(sums.assumed_tokens))?;
    to.add(sums.prompt_tokens.map(bounded))?;
    to.add(sums.completion_tokens.map(bounded))?;
    to.add(sums.cached_tokens.map(bounded))?;
    to.add(sums.reasoning_tokens.map(bounded))
}

/// See above: the most that a row holds.
fn bounded(number: u64) -> i64 {
    int(number.min(1_000_000_000_000_000))
}

async fn set(
    connection: &mut SqliteConnection,
    scope: &Scope,
    budget: Option<&Budget>,
    by: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some((scope, of)) = place(scope) else {
        return Ok(());
    };
    match budget {
        Some(budget) => {
            sqlx::query(
                "INSERT INTO budgets (scope, of_id, limit_micro_usd, limit_tokens, period, on_budget, set_by, set_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (scope, of_id) DO UPDATE SET limit_micro_usd = excluded.limit_micro_usd,
                    limit_tokens = excluded.limit_tokens, period = excluded.period,
                    on_budget = excluded.on_budget, set_by = excluded.set_by, set_at = excluded.set_at",
            )
            .bind(scope)
            .bind(of)
            .bind(budget.usd.map(|usd| int(usd.0)))
            .bind(budget.tokens.map(int))
            .bind(match budget.period {
                Period::Total => "total",
                Period::Day => "day",
            })
            .bind(match budget.on_budget {
                OnBudget::Wait => "wait",
                OnBudget::Fail => "fail",
            })
            .bind(by)
            .bind(at.0)
            .execute(connection)
            .await?;
        }
        None => {
            sqlx::query("DELETE FROM budgets WHERE scope = ?1 AND of_id = ?2")
                .bind(scope)
                .bind(of)
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}

/// How a scope is written in a row; `None` for a run, whose limits stand in its own log.
fn place(scope: &Scope) -> Option<(&'static str, String)> {
    match scope {
        Scope::Run(_) => None,
        Scope::Workflow(id) => Some(("workflow", id.to_string())),
        Scope::Agent(id) => Some(("agent", id.to_string())),
        Scope::Provider(name) => Some(("provider", name.clone())),
        Scope::Day => Some(("day", String::new())),
    }
}

fn scope_of(row: &Columns<'_>, kind: usize, of: usize) -> Result<Scope, StoreError> {
    let kind: String = row.get(kind)?;
    Ok(match kind.as_str() {
        "workflow" => Scope::Workflow(row.parsed(of)?),
        "agent" => Scope::Agent(row.parsed(of)?),
        "provider" => Scope::Provider(row.get(of)?),
        "day" => Scope::Day,
        other => {
            return Err(StoreError::Unreadable(format!(
                "a budget is of `{other}`, which is nothing"
            )));
        }
    })
}

/// Sums for lists and charts.
pub(super) async fn page(
    readers: &SqlitePool,
    query: &UsageQuery,
) -> Result<Vec<UsageRow>, StoreError> {
    let sql = match query.by {
        UsageBy::Model => by_model(),
        UsageBy::Agent => by_agent(),
        UsageBy::Workflow => by_workflow(),
        UsageBy::Day => by_day(),
        UsageBy::DayAndModel => by_day_and_model(),
        UsageBy::DayAndWorkflow => by_day_and_workflow(),
        UsageBy::DayAndAgent => by_day_and_agent(),
    };
    let rows = sqlx::query(sql)
        .bind(query.from)
        .bind(query.to)
        .bind(MOST_ROWS)
        .fetch_all(readers)
        .await?;
    rows.iter().map(read).collect()
}

macro_rules! grouped {
    ($function:ident, $day:literal, $key:literal, $name:literal, $group:literal, $order:literal) => {
        fn $function() -> &'static str {
            concat!(
                "SELECT ",
                $day,
                ", ",
                $key,
                ", ",
                $name,
                ", simulated, sum(calls), sum(calls_charged),
                    sum(calls_estimated), sum(calls_unknown), sum(charged_micro_usd),
                    sum(estimated_micro_usd), sum(assumed_micro_usd), sum(assumed_tokens), sum(prompt_tokens),
                    sum(completion_tokens), sum(cached_tokens), sum(reasoning_tokens)
                 FROM usage_sums WHERE day BETWEEN ?1 AND ?2 GROUP BY ",
                $group,
                ", simulated
                 ORDER BY ",
                $order,
                " LIMIT ?3"
            )
        }
    };
}

grouped!(
    by_model,
    "NULL",
    "provider || ':' || model",
    "provider || ':' || model",
    "provider, model",
    "coalesce(sum(charged_micro_usd), 0) + coalesce(sum(estimated_micro_usd), 0) DESC, sum(calls) DESC, provider, model"
);
grouped!(
    by_agent,
    "NULL",
    "nullif(agent_id, '')",
    "coalesce((SELECT name FROM agents WHERE id = agent_id), 'unknown agent')",
    "agent_id",
    "coalesce(sum(charged_micro_usd), 0) + coalesce(sum(estimated_micro_usd), 0) DESC, sum(calls) DESC, agent_id"
);
grouped!(
    by_workflow,
    "NULL",
    "workflow_id",
    "coalesce((SELECT name FROM workflows WHERE id = workflow_id), 'unknown workflow')",
    "workflow_id",
    "coalesce(sum(charged_micro_usd), 0) + coalesce(sum(estimated_micro_usd), 0) DESC, sum(calls) DESC, workflow_id"
);
grouped!(
    by_day,
    "day",
    "NULL",
    "date(day * 86400, 'unixepoch')",
    "day",
    "day, simulated"
);
grouped!(
    by_day_and_model,
    "day",
    "provider || ':' || model",
    "provider || ':' || model",
    "day, provider, model",
    "day, provider, model, simulated"
);
grouped!(
    by_day_and_workflow,
    "day",
    "workflow_id",
    "coalesce((SELECT name FROM workflows WHERE id = workflow_id), 'unknown workflow')",
    "day, workflow_id",
    "day, workflow_id, simulated"
);
grouped!(
    by_day_and_agent,
    "day",
    "nullif(agent_id, '')",
    "coalesce((SELECT name FROM agents WHERE id = agent_id), 'unknown agent')",
    "day, agent_id",
    "day, agent_id, simulated"
);

fn read(row: &SqliteRow) -> Result<UsageRow, StoreError> {
    let row = Columns(row);
    Ok(UsageRow {
        day: row.get(0)?,
        key: row.get(1)?,
        name: row.get(2)?,
        simulated: row.get(3)?,
        sums: UsageSums {
            calls: row.count(4)?,
            calls_charged: row.count(5)?,
            calls_estimated: row.count(6)?,
            calls_unknown: row.count(7)?,
            charged_usd: row.maybe_money(8)?,
            estimated_usd: row.maybe_money(9)?,
            assumed_usd: MicroUsd(row.count(10)?),
            assumed_tokens: row.count(11)?,
            prompt_tokens: row.maybe_count(12)?,
            completion_tokens: row.maybe_count(13)?,
            cached_tokens: row.maybe_count(14)?,
            reasoning_tokens: row.maybe_count(15)?,
        },
    })
}

/// Every budget with what is used of it on this day.
pub(super) async fn budgets(
    readers: &SqlitePool,
    today: i64,
) -> Result<Vec<BudgetState>, StoreError> {
    let rows = sqlx::query(
        "SELECT scope, of_id, limit_micro_usd, limit_tokens, period, on_budget, set_by, set_at,
                CASE scope WHEN 'workflow' THEN coalesce((SELECT name FROM workflows WHERE id = of_id), of_id)
                           WHEN 'agent' THEN coalesce((SELECT name FROM agents WHERE id = of_id), of_id)
                           WHEN 'provider' THEN of_id ELSE 'Each day' END
         FROM budgets ORDER BY scope, of_id",
    )
    .fetch_all(readers)
    .await?;
    let mut states = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Columns(row);
        let scope = scope_of(&row, 0, 1)?;
        let period = match row.get::<String>(4)?.as_str() {
            "day" => Period::Day,
            _ => Period::Total,
        };
        let on_budget = match row.get::<String>(5)?.as_str() {
            "fail" => OnBudget::Fail,
            _ => OnBudget::Wait,
        };
        states.push(BudgetState {
            spent: spent(readers, &scope, period, today).await?,
            // The kernel alone knows.
            reserved: Amount::default(),
            scope,
            name: row.get(8)?,
            budget: Some(Budget {
                usd: row.maybe_money(2)?,
                tokens: row.maybe_count(3)?,
                period,
                on_budget,
            }),
            by: row.get(6)?,
            at: row.maybe_moment(7)?,
        });
    }
    Ok(states)
}

/// What budgets count for a scope: rehearsed calls cost nothing, and their tokens count.
const SPENT: &str = "coalesce(sum(coalesce(charged_micro_usd, 0) + coalesce(estimated_micro_usd, 0) + assumed_micro_usd), 0),
    coalesce(sum(coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) + assumed_tokens), 0)";

/// What was spent on a scope.
pub(super) async fn spent(
    readers: &SqlitePool,
    scope: &Scope,
    period: Period,
    today: i64,
) -> Result<Amount, StoreError> {
    let column = match scope {
        Scope::Run(_) => return Ok(Amount::default()),
        Scope::Workflow(_) => "workflow_id",
        Scope::Agent(_) => "agent_id",
        Scope::Provider(_) => "provider",
        Scope::Day => "''",
    };
    let of = place(scope).map(|(_, of)| of).unwrap_or_default();
    let from = match period {
        Period::Total => i64::MIN,
        Period::Day => today,
    };
    let sql = format!("SELECT {SPENT} FROM usage_sums WHERE {column} = ?1 AND day >= ?2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(of)
        .bind(from)
        .fetch_one(readers)
        .await?;
    let row = Columns(&row);
    Ok(Amount {
        usd: MicroUsd(row.count(0)?),
        tokens: row.count(1)?,
    })
}

/// What was spent on everything that can have a budget: in all, and on this day. Agents that are gone
/// spend nothing any more.
pub(super) async fn carried(readers: &SqlitePool, today: i64) -> Result<Vec<Carried>, StoreError> {
    let parts = [
        ("'workflow', workflow_id", "GROUP BY workflow_id"),
        (
            "'agent', agent_id",
            "AND agent_id IN (SELECT id FROM agents WHERE state <> 'terminated') GROUP BY agent_id",
        ),
        ("'provider', provider", "GROUP BY provider"),
        ("'day', ''", ""),
    ];
    let mut found = Vec::new();
    for (columns, group) in parts {
        let all = format!("SELECT {columns}, {SPENT} FROM usage_sums WHERE day <= ?1 {group}");
        let of_today = format!("SELECT {columns}, {SPENT} FROM usage_sums WHERE day = ?1 {group}");
        for (sql, is_today) in [(all, false), (of_today, true)] {
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(today)
                .fetch_all(readers)
                .await?;
            for row in &rows {
                let row = Columns(row);
                let amount = Amount {
                    usd: MicroUsd(row.count(2)?),
                    tokens: row.count(3)?,
                };
                let none = Amount::default();
                let (total, today) = if is_today {
                    (none, amount)
                } else {
                    (amount, none)
                };
                found.push(Carried {
                    scope: scope_of(&row, 0, 1)?,
                    total,
                    today,
                });
            }
        }
    }
    Ok(found)
}
