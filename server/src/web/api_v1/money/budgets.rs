//! What model calls may take: limits of runs, workflows, agents, providers and days.

use app::api::dto::{BudgetState, SetBudget, SetRunBudget};
use axum::{Json, extract::State, http::StatusCode};
use domain::{
    budget::{Budget, OnBudget, Period, Scope},
    id::RunId,
    money::MicroUsd,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{
    ask::{Asker, Given, Id},
    list::Items,
};
use crate::web::{
    WebState,
    problem::{Problem, ProblemDetails},
};

/// New limits of a run, in place of those before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunBudgetRequest {
    /// Most money, in dollars; null or missing: no limit.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "1.50")]
    budget_usd: Option<MicroUsd>,
    /// Most tokens, read and written together; null or missing: no limit.
    #[serde(default)]
    budget_tokens: Option<u64>,
    /// What becomes of a task whose next call could pass a limit: `wait` or `fail`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "wait")]
    on_budget: OnBudget,
}

/// A run whose limits were set.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunBudget {
    /// The run.
    #[schema(format = "uuid")]
    id: String,
    /// Most money, in dollars.
    budget_usd: Option<String>,
    /// Most tokens.
    budget_tokens: Option<u64>,
}

/// A new budget of something else; without any limit it is taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetRequest {
    /// `workflow`, `agent`, `provider` or `day`.
    scope: String,
    /// The id of the workflow or agent, or the provider's name; left out for the day.
    #[serde(default)]
    of: Option<String>,
    /// Most money, in dollars.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "5")]
    budget_usd: Option<MicroUsd>,
    /// Most tokens, read and written together.
    #[serde(default)]
    budget_tokens: Option<u64>,
    /// `total`, or `day`: from midnight to midnight UTC.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "day")]
    period: Period,
    /// What becomes of a task whose next call could pass a limit: `wait` or `fail`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "wait")]
    on_budget: OnBudget,
}

/// A budget, and how much of it is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetShape {
    /// `workflow`, `agent`, `provider` or `day`.
    scope: &'static str,
    /// The id of the workflow or agent, or the provider's name; null for the day.
    of: Option<String>,
    /// What people call that.
    name: String,
    /// Most money, in dollars.
    budget_usd: Option<String>,
    /// Most tokens.
    budget_tokens: Option<u64>,
    /// `total` or `day`.
    period: &'static str,
    /// `wait` or `fail`.
    on_budget: &'static str,
    /// What was spent in that time, in dollars: what was charged, else estimated, else set aside.
    spent_usd: String,
    /// Tokens of that time.
    spent_tokens: u64,
    /// What is set aside at this moment for calls that are under way, in dollars.
    reserved_usd: String,
    /// The same in tokens.
    reserved_tokens: u64,
    /// Who set it.
    by: Option<String>,
    /// When.
    #[schema(format = "date-time")]
    at: Option<String>,
}

/// Sets the limits of a run that is not at its end. Tasks that waited for room go on if there is any
/// now.
#[utoipa::path(post, path = "/api/v1/runs/{id}/budget", tag = "money",
    params(("id" = String, Path, format = "uuid", description = "The run")),
    request_body = RunBudgetRequest,
    responses(
        (status = 200, body = RunBudget),
        (status = 409, description = "It has ended already", body = ProblemDetails, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn set_of_run(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Id(run): Id<RunId>,
    Given(request): Given<RunBudgetRequest>,
) -> Result<Json<RunBudget>, Problem> {
    let RunBudgetRequest {
        budget_usd,
        budget_tokens,
        on_budget,
    } = request;
    let budget = Budget {
        usd: budget_usd,
        tokens: budget_tokens,
        period: Period::Total,
        on_budget,
    };
    let request = SetRunBudget { run, budget };
    state.backend.set_run_budget(&actor, request).await?;
    Ok(Json(RunBudget {
        id: run.to_string(),
        budget_usd: budget_usd.map(|usd| usd.to_string()),
        budget_tokens,
    }))
}

/// Every budget of workflows, agents, providers and the day, with what is used of it.
#[utoipa::path(get, path = "/api/v1/budgets", tag = "money", operation_id = "list_budgets", responses(
    (status = 200, body = Items<BudgetShape>),
    (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn list(
    State(state): State<WebState>,
    Asker(actor): Asker,
) -> Result<Json<Items<BudgetShape>>, Problem> {
    let budgets = state.backend.budgets(&actor).await?;
    Ok(Json(Items::whole(budgets.into_iter().map(BudgetShape::of))))
}

/// Sets the budget of a workflow, an agent, a provider or the day; one without any limit takes it
/// away.
#[utoipa::path(put, path = "/api/v1/budgets", tag = "money", operation_id = "set_budget",
    request_body = BudgetRequest,
    responses(
        (status = 200, body = BudgetShape),
        (status = "default", description = "A problem", body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn set(
    State(state): State<WebState>,
    Asker(actor): Asker,
    Given(request): Given<BudgetRequest>,
) -> Result<Json<BudgetShape>, Problem> {
    let scope = scope(&request.scope, request.of.as_deref())?;
    let budget = Budget {
        usd: request.budget_usd,
        tokens: request.budget_tokens,
        period: request.period,
        on_budget: request.on_budget,
    };
    let set = SetBudget {
        scope: scope.clone(),
        budget: budget.is_some().then_some(budget),
    };
    state.backend.set_budget(&actor, set).await?;
    let now = state.backend.budget_of(&actor, scope).await?;
    Ok(Json(BudgetShape::of(now)))
}

fn scope(kind: &str, of: Option<&str>) -> Result<Scope, Problem> {
    let unfit = |rule: String| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_value",
            format!("The body does not fit: {rule}."),
        )
    };
    let named = of.filter(|of| !of.trim().is_empty());
    let needed = || {
        let rule = format!("`of` says which {kind} is meant");
        named.ok_or_else(|| unfit(rule))
    };
    let id = |error: domain::id::BadId| unfit(error.to_string());
    match kind {
        "workflow" => Ok(Scope::Workflow(needed()?.parse().map_err(id)?)),
        "agent" => Ok(Scope::Agent(needed()?.parse().map_err(id)?)),
        "provider" => Ok(Scope::Provider(needed()?.to_owned())),
        "day" if named.is_none() => Ok(Scope::Day),
        "day" => Err(unfit("a day needs no `of`".to_owned())),
        _ => Err(unfit(
            "`scope` is one of workflow, agent, provider, day".to_owned(),
        )),
    }
}

impl BudgetShape {
    fn of(state: BudgetState) -> Self {
        let BudgetState {
            scope,
            name,
            budget,
            spent,
            reserved,
            by,
            at,
        } = state;
        let (scope, of) = match scope {
            Scope::Run(id) => ("run", Some(id.to_string())),
            Scope::Workflow(id) => ("workflow", Some(id.to_string())),
            Scope::Agent(id) => ("agent", Some(id.to_string())),
            Scope::Provider(name) => ("provider", Some(name)),
            Scope::Day => ("day", None),
        };
        let budget = budget.unwrap_or_default();
        Self {
            scope,
            of,
            name,
            budget_usd: budget.usd.map(|usd| usd.to_string()),
            budget_tokens: budget.tokens,
            period: match budget.period {
                Period::Total => "total",
                Period::Day => "day",
            },
            on_budget: match budget.on_budget {
                OnBudget::Wait => "wait",
                OnBudget::Fail => "fail",
            },
            spent_usd: spent.usd.to_string(),
            spent_tokens: spent.tokens,
            reserved_usd: reserved.usd.to_string(),
            reserved_tokens: reserved.tokens,
            by,
            at: at.map(|at| at.rfc3339()),
        }
    }
}
