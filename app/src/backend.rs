//! What the pages ask of the server: the product's verb list. The server implements it and puts an
//! `Arc<dyn Backend>` into the context; the pages never learn what stands behind it. Every verb
//! takes the actor who asks.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    agent::{Agent, AgentSpec},
    budget::Scope,
    frame::{Delta, EventFrame},
    graph::Drawing,
    id::{AgentId, RunId, WorkflowId},
    quota::Quota,
    retention::Retention,
    run::recording::Recording,
};
use leptos::prelude::use_context;

use crate::{
    api::dto::{
        Accepted, Actor, AgentDetail, AgentMessage, AgentQuery, AgentsFound, BudgetState,
        Catalogue, EventQuery, FoundServer, GivenAnswer, Overview, Page, ProviderCheck,
        ProviderForm, ProviderInfo, RetryRun, RunNode, RunQuery, RunSnapshot, RunSummary, Saved,
        SetBudget, SetRunBudget, StartRun, Storage, UsageOverview, UsageQuery, UsageRange,
        UsageRow, VersionInfo, WorkflowDetail, WorkflowQuery, WorkflowSummary,
    },
    error::ApiError,
};

/// Every verb of the product.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Figures and live runs for the control room.
    async fn overview(&self, actor: &Actor) -> Result<Overview, ApiError>;

    /// Workflows, newest change first.
    async fn workflows(
        &self,
        actor: &Actor,
        query: WorkflowQuery,
    ) -> Result<Page<WorkflowSummary>, ApiError>;
    /// One workflow in its newest version, or in the one named.
    async fn workflow(
        &self,
        actor: &Actor,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<WorkflowDetail, ApiError>;
    /// Stores a new workflow. A drawing with problems may be stored, not run.
    async fn create_workflow(&self, actor: &Actor, drawing: Drawing) -> Result<Saved, ApiError>;
    /// Stores a new version on top of `expected`; `Conflict` when somebody else was faster.
    async fn save_workflow(
        &self,
        actor: &Actor,
        id: WorkflowId,
        expected: u32,
        drawing: Drawing,
    ) -> Result<Saved, ApiError>;
    /// A copy under a new name.
    async fn duplicate_workflow(&self, actor: &Actor, id: WorkflowId) -> Result<Saved, ApiError>;
    /// Hides a workflow from every list; its runs stay. `restore_workflow` takes that back.
    async fn delete_workflow(&self, actor: &Actor, id: WorkflowId) -> Result<(), ApiError>;
    /// Takes a deletion back.
    async fn restore_workflow(&self, actor: &Actor, id: WorkflowId) -> Result<(), ApiError>;
    /// Every version, newest first.
    async fn versions(&self, actor: &Actor, id: WorkflowId) -> Result<Vec<VersionInfo>, ApiError>;

    /// Accepts a run; returns after it is durable.
    async fn start_run(&self, actor: &Actor, request: StartRun) -> Result<Accepted, ApiError>;
    /// Runs, newest first.
    async fn runs(&self, actor: &Actor, query: RunQuery) -> Result<Page<RunSummary>, ApiError>;
    /// One run with everything that happened in it, and the drawing it executes.
    async fn run(&self, actor: &Actor, id: RunId) -> Result<RunSnapshot, ApiError>;
    /// What models answered in a run and in its child runs.
    async fn recording(&self, actor: &Actor, id: RunId) -> Result<Recording, ApiError>;
    /// What was said so far in its answers that are not at their end, each as one piece.
    async fn written(&self, actor: &Actor, id: RunId) -> Result<Vec<Delta>, ApiError>;
    /// Stops a run at once, with the children that it waits for.
    async fn cancel_run(&self, actor: &Actor, id: RunId) -> Result<(), ApiError>;
    /// Holds a run: what is under way ends, nothing starts.
    async fn pause_run(&self, actor: &Actor, id: RunId) -> Result<(), ApiError>;
    /// Lets a held run go on.
    async fn resume_run(&self, actor: &Actor, id: RunId) -> Result<(), ApiError>;
    /// Takes up a failed or cancelled run again, keeping what was finished; or, where the request
    /// names a step, an input or the newest version, begins a new run that names this one.
    async fn retry_run(&self, actor: &Actor, request: RetryRun) -> Result<Accepted, ApiError>;
    /// Begins a new run of one step alone.
    async fn run_node(&self, actor: &Actor, request: RunNode) -> Result<Accepted, ApiError>;
    /// Answers a task that waits for a person. A second answer is a `Conflict`, `already_answered`.
    async fn answer(&self, actor: &Actor, given: GivenAnswer) -> Result<(), ApiError>;

    /// Every live agent, and with `gone` also those that were terminated (newest 200).
    async fn agents(&self, actor: &Actor, gone: bool) -> Result<Vec<Agent>, ApiError>;
    /// Agents that fit a search, as many as asked for, and how many there are in all.
    async fn find_agents(&self, actor: &Actor, query: AgentQuery) -> Result<AgentsFound, ApiError> {
        Ok(query.find(self.agents(actor, query.gone).await?))
    }
    /// One agent with what it did lately.
    async fn agent(&self, actor: &Actor, id: AgentId) -> Result<AgentDetail, ApiError>;
    /// Makes an agent; returns once that is durable.
    async fn spawn_agent(&self, actor: &Actor, spec: AgentSpec) -> Result<AgentId, ApiError>;
    /// Gives it no more work.
    async fn pause_agent(&self, actor: &Actor, id: AgentId) -> Result<(), ApiError>;
    /// Gives it work again.
    async fn resume_agent(&self, actor: &Actor, id: AgentId) -> Result<(), ApiError>;
    /// Ends it.
    async fn terminate_agent(&self, actor: &Actor, id: AgentId) -> Result<(), ApiError>;
    /// What was written to it and by it, oldest first (the newest 200).
    async fn agent_messages(
        &self,
        actor: &Actor,
        id: AgentId,
    ) -> Result<Vec<AgentMessage>, ApiError>;
    /// Writes to an agent: it reads that with its next turn. Returns once that is durable.
    async fn send_message(&self, actor: &Actor, to: AgentId, text: String) -> Result<(), ApiError>;

    /// Sums of what model calls took.
    async fn usage(&self, actor: &Actor, query: UsageQuery) -> Result<Vec<UsageRow>, ApiError>;
    /// All that the page about usage shows.
    async fn usage_overview(
        &self,
        actor: &Actor,
        range: UsageRange,
    ) -> Result<UsageOverview, ApiError>;
    /// Every budget of workflows, agents, providers and the day, with what is used of it.
    async fn budgets(&self, actor: &Actor) -> Result<Vec<BudgetState>, ApiError>;
    /// The budget of one of them; with what was spent where there is none.
    async fn budget_of(&self, actor: &Actor, scope: Scope) -> Result<BudgetState, ApiError>;
    /// Sets such a budget, or takes it away.
    async fn set_budget(&self, actor: &Actor, request: SetBudget) -> Result<(), ApiError>;
    /// Sets the limits of a run that is not at its end.
    async fn set_run_budget(&self, actor: &Actor, request: SetRunBudget) -> Result<(), ApiError>;

    /// Stored events. With `before` the newest first, with `after` the oldest first.
    async fn events(&self, actor: &Actor, query: EventQuery) -> Result<Page<EventFrame>, ApiError>;
    /// Where model calls can go.
    async fn providers(&self, actor: &Actor) -> Result<Vec<ProviderInfo>, ApiError>;

    /// What takes the space, how long what is kept, and the clean-up that follows from that.
    async fn storage(&self, actor: &Actor) -> Result<Storage, ApiError>;
    /// Changes how long what is kept. It holds from the next clean-up on, which comes within the hour.
    async fn set_retention(&self, actor: &Actor, rules: Retention) -> Result<(), ApiError>;
    /// Cleans up now; returns once that is under way.
    async fn clean_up(&self, actor: &Actor) -> Result<(), ApiError>;
    /// Stops a clean-up. What is gone is gone; what has not begun to go stays.
    async fn stop_clean_up(&self, actor: &Actor) -> Result<(), ApiError>;
    /// Sets a provider up, or changes the one called `known`.
    async fn save_provider(
        &self,
        actor: &Actor,
        known: Option<String>,
        form: ProviderForm,
    ) -> Result<(), ApiError>;
    /// Removes a provider that was set up in Settings; calls under way go on.
    async fn remove_provider(&self, actor: &Actor, name: String) -> Result<(), ApiError>;
    /// Whether a provider can be used.
    async fn check_provider(&self, actor: &Actor, name: String) -> Result<ProviderCheck, ApiError>;
    /// What a provider's key may spend.
    async fn quota(&self, actor: &Actor, name: String) -> Result<Quota, ApiError>;
    /// Model servers on this machine that are not set up yet.
    async fn find_servers(&self, actor: &Actor) -> Result<Vec<FoundServer>, ApiError>;
    /// All models on offer; `refresh` asks the providers again.
    async fn models(&self, actor: &Actor, refresh: bool) -> Result<Catalogue, ApiError>;
}

/// The backend and the actor of the request that is being answered.
pub fn backend() -> Result<(Arc<dyn Backend>, Actor), ApiError> {
    match (use_context::<Arc<dyn Backend>>(), use_context::<Actor>()) {
        (Some(backend), Some(actor)) => Ok((backend, actor)),
        (None, _) | (_, None) => Err(ApiError::internal(
            "The page was asked for outside the server.",
        )),
    }
}
