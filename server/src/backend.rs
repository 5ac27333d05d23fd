//! `impl Backend`: translate, call the engine or the store, translate. No rule of the product stands
//! here, and nothing is cached: what the pages see was read from the log.

mod again;
mod agents;
mod batches;
mod control;
mod known;
mod messages;
mod money;
mod providers;
mod runs;
mod storage;
mod workflows;

use std::{future::Future, sync::Arc, time::Duration};

use app::{
    api::dto::{
        Accepted, Actor, AgentDetail, AgentMessage, BudgetState, Catalogue, EventQuery,
        FoundServer, GivenAnswer, Overview, Page, ProviderCheck, ProviderForm, ProviderInfo,
        RetryRun, RunNode, RunQuery, RunSnapshot, RunSummary, Saved, SetBudget, SetRunBudget,
        StartRun, Storage, UsageOverview, UsageQuery, UsageRange, UsageRow, VersionInfo,
        WorkflowDetail, WorkflowQuery, WorkflowSummary,
    },
    backend::Backend,
    error::{ApiError, ErrorKind},
};
use async_trait::async_trait;
use domain::{
    agent::{Agent, AgentSpec},
    budget::Scope,
    frame::{Delta, EventFrame, Metrics},
    graph::Drawing,
    id::{AgentId, RunId, WorkflowId},
    quota::Quota,
    retention::Retention,
    run::{
        decide::Control,
        input::{Command, Input, Rejection},
        recording::Recording,
    },
};
use tokio::sync::watch;

use crate::{
    clock::Clock,
    engine::{
        kernel::{Handle, Receipt, Refusal, StartKey},
        metrics::Gauges,
        open_turns::OpenTurns,
        upkeep,
    },
    llm::{Providers, desk::ProviderDesk},
    store::{Store, StoreError},
    workspace::Workspaces,
};

pub use self::known::Known;

/// How long a command may wait for its commit before the person is told to try again.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);

/// The product behind the pages.
pub struct Product {
    /// The engine.
    pub kernel: Handle,
    /// Truth.
    pub store: Arc<dyn Store>,
    /// Where model calls go.
    pub providers: Arc<Providers>,
    /// Where they are set up.
    pub desk: Arc<ProviderDesk>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is being said.
    pub open: OpenTurns,
    /// What the kernel knows.
    pub gauges: watch::Receiver<Gauges>,
    /// Figures of the moment.
    pub metrics: watch::Receiver<Metrics>,
    /// Agents' directories.
    pub workspaces: Workspaces,
    /// Workflows that were run lately.
    pub known: Known,
    /// What keeps the database small.
    pub upkeep: upkeep::Handle,
}

impl Product {
    /// Asks the kernel for something and waits until that is durable.
    async fn command(
        &self,
        actor: &Actor,
        command: Command,
        key: Option<StartKey>,
    ) -> Result<Receipt, ApiError> {
        let answer = self.ask(actor, command, key).await?;
        answer.map_err(|refusal| refused(&refusal))
    }

    /// The same, for whoever can do something about a refusal.
    async fn ask(
        &self,
        actor: &Actor,
        command: Command,
        key: Option<StartKey>,
    ) -> Result<Result<Receipt, Refusal>, ApiError> {
        let input = Input::Command {
            by: actor.name.clone(),
            command,
        };
        let submitted = self.kernel.submit_with(input, key);
        in_time(submitted).await
    }
}

/// What comes of something that waits for a commit, if that comes in time.
async fn in_time<T>(commit: impl Future<Output = T>) -> Result<T, ApiError> {
    tokio::time::timeout(COMMIT_WITHIN, commit)
        .await
        .map_err(|_| {
            ApiError::new(
                ErrorKind::Unavailable,
                "not_durable_yet",
                "The database did not take this within 10 s, so it is not certain whether it will happen. Look again when the light is green; with an Idempotency-Key a repeat is safe.",
            )
        })
}

fn refused(refusal: &Refusal) -> ApiError {
    let (kind, code) = match refusal {
        Refusal::Rejected(rejection) => return rejected(rejection),
        Refusal::KeyReused => (ErrorKind::Invalid, "idempotency_key_reused"),
        Refusal::Closing => (ErrorKind::Unavailable, "closing"),
    };
    ApiError::new(kind, code, sentence(&refusal.to_string()))
}

fn rejected(rejection: &Rejection) -> ApiError {
    let (kind, code) = match rejection {
        Rejection::NoSuchRun(_) => (ErrorKind::Conflict, "run_ended"),
        Rejection::NoSuchAgent(_) | Rejection::NobodyCalled(_) => {
            (ErrorKind::Conflict, "agent_gone")
        }
        Rejection::Contradiction(_) => (ErrorKind::Internal, "internal"),
        Rejection::NoSuchTask(_) => (ErrorKind::NotFound, rejection.code()),
        Rejection::NoSuchNode(_)
        | Rejection::NoSuchAnswer { .. }
        | Rejection::BadBudget(_)
        | Rejection::MessageSize(_) => (ErrorKind::Invalid, rejection.code()),
        Rejection::NameTaken(_)
        | Rejection::IllegalMove(_)
        | Rejection::AttemptOver(_)
        | Rejection::TooManyAgents(_)
        | Rejection::CallRefused(_)
        | Rejection::ModelShut(_)
        | Rejection::NoOther(_)
        | Rejection::RunOver(_)
        | Rejection::StillRunning(_)
        | Rejection::NothingToRetry
        | Rejection::Stale
        | Rejection::FinishedPartChanged(_)
        | Rejection::AlreadyAnswered { .. }
        | Rejection::NotWaiting { .. }
        | Rejection::MailboxFull(_)
        | Rejection::NobodyListens(_) => (ErrorKind::Conflict, rejection.code()),
    };
    ApiError::new(kind, code, sentence(&rejection.to_string()))
}

/// An error text as a sentence: a capital first, a point last.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// What a failed look into the store means to people; the log has the reason.
fn broken(error: StoreError) -> ApiError {
    if let StoreError::BadQuery(reason) = error {
        return ApiError::new(ErrorKind::BadRequest, "bad_query", sentence(&reason));
    }
    tracing::error!(%error, "store");
    match error {
        StoreError::Busy(_) => ApiError::new(
            ErrorKind::Unavailable,
            "store_busy",
            "The database is busy or its disk is full. Nothing was changed; try again in a moment.",
        ),
        StoreError::Broken(_)
        | StoreError::Newer { .. }
        | StoreError::OldSqlite(_)
        | StoreError::CannotOpen(_)
        | StoreError::BadQuery(_) => ApiError::internal(
            "The database refused. Nothing was changed; the server's log says why.",
        ),
        StoreError::Unreadable(_) => ApiError::internal(
            "What was stored cannot be read by this version. The server's log says what.",
        ),
    }
}

#[async_trait]
impl Backend for Product {
    async fn overview(&self, actor: &Actor) -> Result<Overview, ApiError> {
        let query = |status: Option<&str>, limit| RunQuery {
            status: status.map(str::to_owned),
            limit: Some(limit),
            ..RunQuery::default()
        };
        let live_runs = self.runs(actor, query(Some("live"), 50)).await?.items;
        let mut recent_runs = self.runs(actor, query(None, 60)).await?.items;
        recent_runs.retain(|run| run.ended_at.is_some());
        recent_runs.truncate(10);
        let mut agents = self.agents(actor, false).await?;
        agents.truncate(200);
        let events = EventQuery {
            limit: Some(50),
            ..EventQuery::default()
        };
        let workflows = WorkflowQuery {
            limit: Some(6),
            ..WorkflowQuery::default()
        };
        let metrics = self.metrics.borrow().clone();
        Ok(Overview {
            metrics: Metrics {
                head: self.store.head().await.map_err(broken)?,
                ..metrics
            },
            live_runs,
            waiting: self.store.waiting(50).await.map_err(broken)?,
            recent_runs,
            agents,
            events: self.events(actor, events).await?.items,
            workflows: self.workflows(actor, workflows).await?.items,
            simulated: self.providers.only_simulated(),
            now: self.clock.now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    async fn workflows(
        &self,
        _actor: &Actor,
        query: WorkflowQuery,
    ) -> Result<Page<WorkflowSummary>, ApiError> {
        self.store.workflows(&query).await.map_err(broken)
    }

    async fn workflow(
        &self,
        _actor: &Actor,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<WorkflowDetail, ApiError> {
        self.read_workflow(id, version).await
    }

    async fn create_workflow(&self, actor: &Actor, drawing: Drawing) -> Result<Saved, ApiError> {
        self.store_workflow(actor, drawing).await
    }

    async fn save_workflow(
        &self,
        actor: &Actor,
        id: WorkflowId,
        expected: u32,
        drawing: Drawing,
    ) -> Result<Saved, ApiError> {
        self.store_version(actor, id, expected, drawing).await
    }

    async fn duplicate_workflow(&self, actor: &Actor, id: WorkflowId) -> Result<Saved, ApiError> {
        let mut drawing = self.read_workflow(id, None).await?.drawing;
        drawing.name = format!("{} (copy)", drawing.name);
        self.store_workflow(actor, drawing).await
    }

    async fn delete_workflow(&self, _actor: &Actor, id: WorkflowId) -> Result<(), ApiError> {
        self.mark_deleted(id, true).await
    }

    async fn restore_workflow(&self, _actor: &Actor, id: WorkflowId) -> Result<(), ApiError> {
        self.mark_deleted(id, false).await
    }

    async fn versions(&self, _actor: &Actor, id: WorkflowId) -> Result<Vec<VersionInfo>, ApiError> {
        self.read_workflow(id, None).await?;
        self.store.versions(id).await.map_err(broken)
    }

    async fn start_run(&self, actor: &Actor, request: StartRun) -> Result<Accepted, ApiError> {
        self.begin_run(actor, request).await
    }

    async fn runs(&self, _actor: &Actor, query: RunQuery) -> Result<Page<RunSummary>, ApiError> {
        self.store.runs(&query).await.map_err(broken)
    }

    async fn run(&self, _actor: &Actor, id: RunId) -> Result<RunSnapshot, ApiError> {
        self.read_run(id).await
    }

    async fn recording(&self, _actor: &Actor, id: RunId) -> Result<Recording, ApiError> {
        self.recorded(id).await
    }

    async fn written(&self, _actor: &Actor, id: RunId) -> Result<Vec<Delta>, ApiError> {
        Ok(self.open.of(id))
    }

    async fn cancel_run(&self, actor: &Actor, id: RunId) -> Result<(), ApiError> {
        self.control(actor, id, Control::Cancel).await
    }

    async fn pause_run(&self, actor: &Actor, id: RunId) -> Result<(), ApiError> {
        self.control(actor, id, Control::Pause).await
    }

    async fn resume_run(&self, actor: &Actor, id: RunId) -> Result<(), ApiError> {
        self.control(actor, id, Control::Resume).await
    }

    async fn retry_run(&self, actor: &Actor, request: RetryRun) -> Result<Accepted, ApiError> {
        self.take_up_again(actor, request).await
    }

    async fn run_node(&self, actor: &Actor, request: RunNode) -> Result<Accepted, ApiError> {
        self.run_alone(actor, request).await
    }

    async fn answer(&self, actor: &Actor, given: GivenAnswer) -> Result<(), ApiError> {
        self.take_answer(actor, given).await
    }

    async fn agents(&self, _actor: &Actor, gone: bool) -> Result<Vec<Agent>, ApiError> {
        self.store.agents(gone).await.map_err(broken)
    }

    async fn agent(&self, _actor: &Actor, id: AgentId) -> Result<AgentDetail, ApiError> {
        self.read_agent(id).await
    }

    async fn spawn_agent(&self, actor: &Actor, spec: AgentSpec) -> Result<AgentId, ApiError> {
        self.make_agent(actor, spec).await
    }

    async fn pause_agent(&self, actor: &Actor, id: AgentId) -> Result<(), ApiError> {
        self.move_agent(actor, id, Command::PauseAgent(id)).await
    }

    async fn resume_agent(&self, actor: &Actor, id: AgentId) -> Result<(), ApiError> {
        self.move_agent(actor, id, Command::ResumeAgent(id)).await
    }

    async fn terminate_agent(&self, actor: &Actor, id: AgentId) -> Result<(), ApiError> {
        self.move_agent(actor, id, Command::TerminateAgent(id))
            .await
    }

    async fn agent_messages(
        &self,
        _actor: &Actor,
        id: AgentId,
    ) -> Result<Vec<AgentMessage>, ApiError> {
        self.messages_of(id).await
    }

    async fn send_message(&self, actor: &Actor, to: AgentId, text: String) -> Result<(), ApiError> {
        self.write_to(actor, to, text).await
    }

    async fn usage(&self, _actor: &Actor, query: UsageQuery) -> Result<Vec<UsageRow>, ApiError> {
        self.store.usage(&query).await.map_err(broken)
    }

    async fn usage_overview(
        &self,
        _actor: &Actor,
        range: UsageRange,
    ) -> Result<UsageOverview, ApiError> {
        self.read_usage(range).await
    }

    async fn budgets(&self, _actor: &Actor) -> Result<Vec<BudgetState>, ApiError> {
        self.read_budgets().await
    }

    async fn budget_of(&self, _actor: &Actor, scope: Scope) -> Result<BudgetState, ApiError> {
        self.read_budget(scope).await
    }

    async fn set_budget(&self, actor: &Actor, request: SetBudget) -> Result<(), ApiError> {
        self.limit(actor, request).await
    }

    async fn set_run_budget(&self, actor: &Actor, request: SetRunBudget) -> Result<(), ApiError> {
        self.limit_run(actor, request).await
    }

    async fn events(
        &self,
        _actor: &Actor,
        query: EventQuery,
    ) -> Result<Page<EventFrame>, ApiError> {
        self.store.events(&query).await.map_err(broken)
    }

    async fn providers(&self, _actor: &Actor) -> Result<Vec<ProviderInfo>, ApiError> {
        Ok(self.known_providers())
    }

    async fn save_provider(
        &self,
        _actor: &Actor,
        known: Option<String>,
        form: ProviderForm,
    ) -> Result<(), ApiError> {
        self.set_up(known, form).await
    }

    async fn remove_provider(&self, _actor: &Actor, name: String) -> Result<(), ApiError> {
        self.take_out(&name).await
    }

    async fn check_provider(
        &self,
        _actor: &Actor,
        name: String,
    ) -> Result<ProviderCheck, ApiError> {
        self.try_provider(&name).await
    }

    async fn quota(&self, _actor: &Actor, name: String) -> Result<Quota, ApiError> {
        self.quota_of(&name).await
    }

    async fn find_servers(&self, _actor: &Actor) -> Result<Vec<FoundServer>, ApiError> {
        Ok(self.look_around().await)
    }

    async fn models(&self, _actor: &Actor, refresh: bool) -> Result<Catalogue, ApiError> {
        Ok(self.catalogue(refresh).await)
    }

    async fn storage(&self, _actor: &Actor) -> Result<Storage, ApiError> {
        self.read_storage().await
    }

    async fn set_retention(&self, _actor: &Actor, rules: Retention) -> Result<(), ApiError> {
        self.change_retention(rules).await
    }

    async fn clean_up(&self, _actor: &Actor) -> Result<(), ApiError> {
        self.upkeep.clean().await;
        Ok(())
    }

    async fn stop_clean_up(&self, _actor: &Actor) -> Result<(), ApiError> {
        self.upkeep.stop().await;
        Ok(())
    }
}
