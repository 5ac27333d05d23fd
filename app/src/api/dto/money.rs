//! Money as it travels: sums, budgets, and who asks for them.

use domain::{
    budget::{Amount, Budget, Scope},
    id::RunId,
    money::MicroUsd,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// By what usage is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageBy {
    /// By provider and model.
    #[default]
    Model,
    /// By agent.
    Agent,
    /// By workflow.
    Workflow,
    /// By day (UTC).
    Day,
    /// By day and model: what a chart of days is made of.
    DayAndModel,
    /// By day and workflow.
    DayAndWorkflow,
    /// By day and agent.
    DayAndAgent,
}

/// What the bars of days are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Of models.
    #[default]
    Model,
    /// Of workflows.
    Workflow,
    /// Of agents.
    Agent,
}

impl Split {
    /// All of them.
    pub const ALL: [Self; 3] = [Split::Model, Split::Workflow, Split::Agent];

    /// As it stands in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Split::Model => "model",
            Split::Workflow => "workflow",
            Split::Agent => "agent",
        }
    }

    /// Reads what [`Split::name`] wrote.
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|split| split.name() == raw)
    }
}

/// Which usage. Days are counted from 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageQuery {
    /// By what it is summed.
    pub by: UsageBy,
    /// The first day.
    pub from: i64,
    /// The last day.
    pub to: i64,
}

/// Sums over model calls. What nobody knows is `None`, and the calls without it are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageSums {
    /// Model calls that came to their end.
    pub calls: u64,
    /// Those whose provider said what it charged.
    pub calls_charged: u64,
    /// Those whose cost is computed from list prices.
    pub calls_estimated: u64,
    /// Those whose cost nobody knows.
    pub calls_unknown: u64,
    /// What was charged; `None` where no call knows.
    pub charged_usd: Option<MicroUsd>,
    /// What was computed from list prices; `None` where that was done for no call.
    pub estimated_usd: Option<MicroUsd>,
    /// What budgets count for calls of unknown cost.
    pub assumed_usd: MicroUsd,
    /// Tokens that budgets count besides, for calls that did not say all of theirs.
    pub assumed_tokens: u64,
    /// Tokens read; `None` where no call knows.
    pub prompt_tokens: Option<u64>,
    /// Tokens written; `None` where no call knows.
    pub completion_tokens: Option<u64>,
    /// Of those read the ones that the provider had kept.
    pub cached_tokens: Option<u64>,
    /// Of those written the ones that were thought.
    pub reasoning_tokens: Option<u64>,
}

impl UsageSums {
    /// Charged and estimated together; `None` where no call knows.
    pub fn cost_usd(&self) -> Option<MicroUsd> {
        match (self.charged_usd, self.estimated_usd) {
            (Some(charged), Some(estimated)) => Some(charged + estimated),
            (known, None) | (None, known) => known,
        }
    }

    /// Tokens read and written together, as far as known.
    pub fn tokens(&self) -> u64 {
        self.prompt_tokens
            .unwrap_or_default()
            .saturating_add(self.completion_tokens.unwrap_or_default())
    }

    /// Both together.
    pub fn plus(self, more: Self) -> Self {
        let add = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (known, None) | (None, known) => known,
        };
        let money = |one: Option<MicroUsd>, other: Option<MicroUsd>| {
            add(one.map(|it| it.0), other.map(|it| it.0)).map(MicroUsd)
        };
        Self {
            calls: self.calls.saturating_add(more.calls),
            calls_charged: self.calls_charged.saturating_add(more.calls_charged),
            calls_estimated: self.calls_estimated.saturating_add(more.calls_estimated),
            calls_unknown: self.calls_unknown.saturating_add(more.calls_unknown),
            charged_usd: money(self.charged_usd, more.charged_usd),
            estimated_usd: money(self.estimated_usd, more.estimated_usd),
            assumed_usd: self.assumed_usd + more.assumed_usd,
            assumed_tokens: self.assumed_tokens.saturating_add(more.assumed_tokens),
            prompt_tokens: add(self.prompt_tokens, more.prompt_tokens),
            completion_tokens: add(self.completion_tokens, more.completion_tokens),
            cached_tokens: add(self.cached_tokens, more.cached_tokens),
            reasoning_tokens: add(self.reasoning_tokens, more.reasoning_tokens),
        }
    }
}

/// One sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    /// The first day that it covers, where it is of one.
    pub day: Option<i64>,
    /// `provider:model`, or the id of the agent or workflow; nothing for a day.
    pub key: Option<String>,
    /// What people call it.
    pub name: String,
    /// Whether these calls were only rehearsed: nothing of it was ever charged.
    pub simulated: bool,
    /// The sums.
    pub sums: UsageSums,
}

/// All that the page about usage shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageOverview {
    /// The first day.
    pub from: i64,
    /// The last day.
    pub to: i64,
    /// What was really called.
    pub real: UsageSums,
    /// What was only rehearsed.
    pub simulated: UsageSums,
    /// What the days are made of.
    pub split: Split,
    /// By day and that, in order of days.
    pub days: Vec<UsageRow>,
    /// By model, dearest first.
    pub models: Vec<UsageRow>,
    /// By workflow, dearest first.
    pub workflows: Vec<UsageRow>,
    /// By agent, dearest first.
    pub agents: Vec<UsageRow>,
    /// Every budget that was set, and those of the day and of providers, set or not.
    pub budgets: Vec<BudgetState>,
    /// The server's clock.
    pub now: Timestamp,
}

/// From when to when; the last 30 days where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UsageRange {
    /// The first day.
    pub from: Option<i64>,
    /// The last day.
    pub to: Option<i64>,
    /// What the bars of days are made of.
    #[serde(default)]
    pub split: Split,
}

/// A budget, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetState {
    /// What is limited.
    pub scope: Scope,
    /// What people call that.
    pub name: String,
    /// The limit; `None` where none is set.
    pub budget: Option<Budget>,
    /// What was spent in its period: in all, where there is none.
    pub spent: Amount,
    /// What is set aside at this moment for calls that are under way.
    pub reserved: Amount,
    /// Who set it.
    pub by: Option<String>,
    /// When.
    pub at: Option<Timestamp>,
}

/// New limits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRunBudget {
    /// The run.
    pub run: RunId,
    /// Its limits from now on, in place of those before.
    pub budget: Budget,
}

/// A new budget of something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetBudget {
    /// What is limited.
    pub scope: Scope,
    /// The limit; `None` takes it away.
    pub budget: Option<Budget>,
}
