//! Verbs about money: sums, budgets.

use app::{
    api::dto::{
        Actor, BudgetState, SetBudget, SetRunBudget, Split, UsageBy, UsageOverview, UsageQuery,
        UsageRange, UsageRow, UsageSums,
    },
    error::{ApiError, ErrorKind},
};
use domain::{
    budget::{Amount, Budget, Period, Scope, day_of},
    run::input::{Command, Rejection},
};

use super::{
    Product, broken,
    control::{is_gone, set_aside},
    refused, rejected,
};

/// What a page shows where nobody says from when to when, in days.
const DAYS: i64 = 30;

/// Most days of one page: a bar for each has to fit.
const MOST_DAYS: i64 = 366;

impl Product {
    pub(super) async fn read_usage(&self, range: UsageRange) -> Result<UsageOverview, ApiError> {
        let now = self.clock.now();
        let to = range.to.unwrap_or_else(|| day_of(now));
        let from = range.from.unwrap_or(to - (DAYS - 1));
        if from > to || to.saturating_sub(from) >= MOST_DAYS {
            return Err(ApiError::new(
                ErrorKind::BadRequest,
                "bad_range",
                format!(
                    "The first day must not be after the last, and at most {MOST_DAYS} days are shown at once."
                ),
            ));
        }
        let split = match range.split {
            Split::Model => UsageBy::DayAndModel,
            Split::Workflow => UsageBy::DayAndWorkflow,
            Split::Agent => UsageBy::DayAndAgent,
        };
        let days = self.sums(split, from, to).await?;
        let sum = |simulated: bool| {
            let rows = days.iter().filter(|row| row.simulated == simulated);
            rows.fold(UsageSums::default(), |sum, row| sum.plus(row.sums))
        };
        let providers = self.providers.list().into_iter().map(|about| about.name);
        // Those that are set, and what can have one on the page of usage. Others are set where what they
        // limit is: on the agent, on the workflow, on the run.
        let mut budgets = self.read_budgets().await?;
        for scope in std::iter::once(Scope::Day).chain(providers.map(Scope::Provider)) {
            if !budgets.iter().any(|known| known.scope == scope) {
                budgets.push(self.unlimited(scope).await?);
            }
        }
        Ok(UsageOverview {
            from,
            to,
            real: sum(false),
            simulated: sum(true),
            models: self.sums(UsageBy::Model, from, to).await?,
            workflows: self.sums(UsageBy::Workflow, from, to).await?,
            agents: self.sums(UsageBy::Agent, from, to).await?,
            split: range.split,
            days,
            budgets,
            now,
        })
    }

    async fn sums(&self, by: UsageBy, from: i64, to: i64) -> Result<Vec<UsageRow>, ApiError> {
        let query = UsageQuery { by, from, to };
        self.store.usage(&query).await.map_err(broken)
    }

    pub(super) async fn read_budgets(&self) -> Result<Vec<BudgetState>, ApiError> {
        let today = day_of(self.clock.now());
        let mut states = self.store.budgets(today).await.map_err(broken)?;
        let gauges = self.gauges.borrow();
        for state in &mut states {
            let known = gauges
                .reserved
                .iter()
                .find(|(scope, _)| *scope == state.scope);
            state.reserved = known.map(|(_, amount)| *amount).unwrap_or_default();
        }
        Ok(states)
    }

    pub(super) async fn read_budget(&self, scope: Scope) -> Result<BudgetState, ApiError> {
        let known = self.read_budgets().await?;
        if let Some(state) = known.into_iter().find(|state| state.scope == scope) {
            return Ok(state);
        }
        self.unlimited(scope).await
    }

    /// What was spent on something that has no limit.
    async fn unlimited(&self, scope: Scope) -> Result<BudgetState, ApiError> {
        let today = day_of(self.clock.now());
        let period = match scope {
            Scope::Day => Period::Day,
            Scope::Run(_) | Scope::Workflow(_) | Scope::Agent(_) | Scope::Provider(_) => {
                Period::Total
            }
        };
        let spent = self.store.spent_on(&scope, period, today);
        Ok(BudgetState {
            spent: spent.await.map_err(broken)?,
            reserved: Amount::default(),
            name: self.named(&scope).await?,
            scope,
            budget: None,
            by: None,
            at: None,
        })
    }

    /// What people call something that can have a budget; an error where there is no such thing.
    async fn named(&self, scope: &Scope) -> Result<String, ApiError> {
        Ok(match scope {
            Scope::Run(_) => {
                return Err(ApiError::new(
                    ErrorKind::BadRequest,
                    "bad_value",
                    "A run's limits are set on the run itself: POST /runs/{id}/budget.",
                ));
            }
            Scope::Workflow(id) => self.stored(*id, None).await?.drawing.name,
            Scope::Agent(id) => {
                let agent = self.store.agent(*id).await.map_err(broken)?;
                agent.ok_or_else(|| ApiError::not_found("agent"))?.spec.name
            }
            Scope::Provider(name) => match self.providers.get(name) {
                Some(_) => name.clone(),
                None => return Err(ApiError::not_found("provider")),
            },
            Scope::Day => "Each day".to_owned(),
        })
    }

    pub(super) async fn limit(&self, actor: &Actor, request: SetBudget) -> Result<(), ApiError> {
        let SetBudget { scope, budget } = request;
        let is_set = budget.as_ref().is_some_and(Budget::is_some);
        let is_run = matches!(scope, Scope::Run(_));
        // A limit of something that is gone may still be taken away.
        if is_set || is_run {
            self.named(&scope).await?;
        }
        let command = Command::SetBudget { scope, budget };
        self.command(actor, command, None).await.map(|_| ())
    }

    pub(super) async fn limit_run(
        &self,
        actor: &Actor,
        request: SetRunBudget,
    ) -> Result<(), ApiError> {
        let SetRunBudget { run, budget } = request;
        let command = Command::SetRunBudget { run, budget };
        match self.ask(actor, command, None).await? {
            Ok(_) => Ok(()),
            Err(refusal) if is_gone(&refusal) => {
                let live = self.replayed(run).await?;
                match live.run.state.is_final() {
                    true => Err(rejected(&Rejection::RunOver(live.run.state.name()))),
                    false => Err(set_aside()),
                }
            }
            Err(refusal) => Err(refused(&refusal)),
        }
    }
}
