//! Money: sums, budgets.

use domain::budget::Scope;
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{
    api::dto::{self, BudgetState, UsageRange},
    error::ApiError,
};

/// All that the page about usage shows.
#[server(prefix = "/api", endpoint = "usage_overview", input = Json)]
pub async fn usage_overview(range: UsageRange) -> Result<dto::UsageOverview, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.usage_overview(&actor, range).await)
}

/// The budget of one thing, with what is used of it.
#[server(prefix = "/api", endpoint = "budget_of", input = Json)]
pub async fn budget_of(scope: Scope) -> Result<BudgetState, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.budget_of(&actor, scope).await)
}

/// Sets the budget of a workflow, an agent, a provider or the day, or takes it away.
#[server(prefix = "/api", endpoint = "set_budget", input = Json)]
pub async fn set_budget(request: dto::SetBudget) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.set_budget(&actor, request).await)
}

/// Sets the limits of a run.
#[server(prefix = "/api", endpoint = "set_run_budget", input = Json)]
pub async fn set_run_budget(request: dto::SetRunBudget) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.set_run_budget(&actor, request).await)
}
