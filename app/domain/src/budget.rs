//! Budgets: what may be spent on a run, a workflow, an agent, a provider and a day, in money and in
//! tokens. A call is reserved before it is made and settled after it; one that could pass a limit is
//! not made. [`Ledger`] does the sums, as a fold over what is recorded: kernel and recovery both
//! feed it the same facts.
//!
//! Refused here: guessing. A price that is not known is not zero: under a limit in money such a call
//! is not made at all.

pub mod ledger;

use serde::{Deserialize, Serialize};

pub use self::ledger::{Crossed, Ledger, Verdict};
use crate::{
    id::{AgentId, RunId, WorkflowId},
    money::MicroUsd,
    time::Timestamp,
};

/// What a budget limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "scope", content = "of", rename_all = "snake_case")]
pub enum Scope {
    /// One run, with the child runs below it.
    Run(RunId),
    /// All runs of a workflow.
    Workflow(WorkflowId),
    /// All calls of an agent.
    Agent(AgentId),
    /// All calls to a provider, which is to say: with its key.
    Provider(String),
    /// Everything, each day (UTC).
    Day,
}

/// Over what time a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From the beginning, without an end.
    #[default]
    Total,
    /// From midnight to midnight, UTC.
    Day,
}

/// What becomes of a task whose next call could pass the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBudget {
    /// It waits for a person, who raises the limit or stops the run.
    #[default]
    Wait,
    /// It fails.
    Fail,
}

/// A limit on money, on tokens, or on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Most money; `None`: no limit.
    pub usd: Option<MicroUsd>,
    /// Most tokens, read and written together; `None`: no limit.
    pub tokens: Option<u64>,
    /// Over what time.
    pub period: Period,
    /// What becomes of a task that would pass it.
    pub on_budget: OnBudget,
}

/// A sum of money and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amount {
    /// Money.
    pub usd: MicroUsd,
    /// Tokens, read and written together.
    pub tokens: u64,
}

/// What a call can cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Price {
    /// Nothing: it is rehearsed, or a server of one's own answers.
    #[default]
    Free,
    /// This much, at list price.
    AtMost(MicroUsd),
    /// Its provider charges, and nobody knows how much.
    Unknown,
}

/// What is asked for one call before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quote {
    /// Money.
    pub price: Price,
    /// Tokens, what is sent and the longest answer together.
    pub tokens: u64,
}

/// A limit that a call would pass, or that is used up to four fifths: what events and pages show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What is limited.
    #[serde(flatten)]
    pub scope: Scope,
    /// The limit.
    pub budget: Budget,
    /// What was spent of it.
    pub spent: Amount,
    /// What the next call may take; nothing in a warning.
    pub needed: Amount,
}

impl Budget {
    /// Whether it limits anything at all.
    pub fn is_some(&self) -> bool {
        self.usd.is_some() || self.tokens.is_some()
    }

    /// The share of the limit that is used, in thousandths; the larger one of money and tokens.
    pub fn used_permille(&self, spent: Amount) -> u64 {
        let share = |spent: u64, limit: Option<u64>| match limit {
            Some(0) => 1_000,
            Some(limit) => {
                let permille = u128::from(spent) * 1_000 / u128::from(limit);
                u64::try_from(permille).unwrap_or(u64::MAX)
            }
            None => 0,
        };
        share(spent.usd.0, self.usd.map(|usd| usd.0)).max(share(spent.tokens, self.tokens))
    }

    /// Whether so much is within the limit.
    pub(crate) fn holds(&self, amount: Amount) -> bool {
        self.usd.is_none_or(|limit| amount.usd <= limit)
            && self.tokens.is_none_or(|limit| amount.tokens <= limit)
    }
}

impl Amount {
    /// The sum, or the largest there is.
    pub fn plus(self, more: Self) -> Self {
        Self {
            usd: self.usd + more.usd,
            tokens: self.tokens.saturating_add(more.tokens),
        }
    }

    /// Of each the larger.
    #[must_use]
    pub fn larger(self, other: Self) -> Self {
        Self {
            usd: self.usd.max(other.usd),
            tokens: self.tokens.max(other.tokens),
        }
    }

    /// What is left; nothing where `less` is more.
    pub fn minus(self, less: Self) -> Self {
        Self {
            usd: MicroUsd(self.usd.0.saturating_sub(less.usd.0)),
            tokens: self.tokens.saturating_sub(less.tokens),
        }
    }
}

impl Quote {
    /// The larger one, where nobody knows which of two calls it will be.
    #[must_use]
    pub fn or_dearer(self, other: Self) -> Self {
        let price = match (self.price, other.price) {
            (Price::Unknown, _) | (_, Price::Unknown) => Price::Unknown,
            (Price::Free, price) | (price, Price::Free) => price,
            (Price::AtMost(one), Price::AtMost(other)) => Price::AtMost(one.max(other)),
        };
        Self {
            price,
            tokens: self.tokens.max(other.tokens),
        }
    }

    /// What is set aside for it.
    pub fn amount(&self) -> Amount {
        let usd = match self.price {
            Price::AtMost(usd) => usd,
            Price::Free | Price::Unknown => MicroUsd(0),
        };
        Amount {
            usd,
            tokens: self.tokens,
        }
    }
}

impl Notice {
    /// What is limited, in words: "this run", "the provider openrouter".
    pub fn whose(&self) -> String {
        self.scope.words()
    }
}

impl Scope {
    /// In words that fit behind "the budget of".
    pub fn words(&self) -> String {
        match self {
            Scope::Run(_) => "this run".to_owned(),
            Scope::Workflow(_) => "this workflow".to_owned(),
            Scope::Agent(_) => "this agent".to_owned(),
            Scope::Provider(name) => format!("the provider {name}"),
            Scope::Day => "the day".to_owned(),
        }
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { budget, spent, .. } = self;
        let mut parts = Vec::new();
        if let Some(limit) = budget.usd {
            parts.push(format!("${} of ${limit}", spent.usd));
        }
        if let Some(limit) = budget.tokens {
            parts.push(format!("{} of {limit} tokens", spent.tokens));
        }
        let spent = parts.join(" and ");
        write!(f, "the budget of {}: {spent} spent", self.whose())
    }
}

/// The day of a moment, in UTC: days since 1970-01-01.
pub fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// The moment at which a day begins.
pub fn begin_of(day: i64) -> Timestamp {
    Timestamp(day.saturating_mul(DAY_MS))
}

const DAY_MS: i64 = 24 * 3_600_000;
