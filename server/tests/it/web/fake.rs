//! What stands behind the doors here: small, in memory, and honest about what it was asked.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use app::{
    api::dto::{
        Accepted, Actor, AgentDetail, AgentMessage, AgentName, BudgetState, Catalogue, CleanStep,
        Cleaning, EventQuery, FoundServer, GivenAnswer, Overview, Page, ProviderCheck,
        ProviderForm, ProviderInfo, RetryRun, RunNode, RunQuery, RunSnapshot, RunSummary, Saved,
        SetBudget, SetRunBudget, StartRun, Storage, TableSpace, UsageOverview, UsageQuery,
        UsageRange, UsageRow, UsageSums, VersionInfo, WorkflowDetail, WorkflowQuery, WorkflowSpace,
        WorkflowSummary,
    },
    backend::Backend,
    error::{ApiError, ErrorKind},
};
use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use domain::{
    agent::{Agent, AgentEvent, AgentSpec},
    budget::{Amount, Budget, Scope},
    event::EventSeverity,
    frame::{Delta, EventFrame, Frame, Metrics},
    graph::{Drawing, problems::problems},
    id::{AgentId, NodeId, RunId, TaskName, WorkflowId},
    message::{Message, Sender},
    money::MicroUsd,
    quota::Quota,
    retention::Retention,
    run::{Run, RunState, recording::Recording},
    time::Timestamp,
    topic,
};
use leptos::config::LeptosOptions;
use serde_json::{Value, json};
use server::{
    bus::{Bus, MemoryBus, Payload},
    engine::health::Health,
    store::StoreError,
    web::{Batches, Entrance, LogReader, SocketRules, WebConfig, WebState, router},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// The one run that there is.
pub const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
/// The workflow that it executes.
pub const FLOW: &str = "01890a5d-ac96-774b-bcce-b302099a8058";
/// Another workflow.
pub const OTHER: &str = "01890a5d-ac96-774b-bcce-b302099a8059";

pub fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(raw: &str) -> T {
    raw.parse().expect("it parses")
}

/// A backend that keeps workflows and agents, and knows one run.
#[derive(Default)]
pub struct FakeBackend {
    pub workflows: Mutex<BTreeMap<WorkflowId, Vec<Drawing>>>,
    pub agents: Mutex<Vec<Agent>>,
    pub starts: Mutex<Vec<StartRun>>,
    pub retries: Mutex<Vec<RetryRun>>,
    pub alone: Mutex<Vec<RunNode>>,
    pub answers: Mutex<Vec<GivenAnswer>>,
    pub run_queries: Mutex<Vec<RunQuery>>,
    pub event_queries: Mutex<Vec<EventQuery>>,
    pub run: Mutex<Option<Run>>,
    pub retention: Mutex<Retention>,
    /// Whether a clean-up is under way.
    pub cleaning: Mutex<bool>,
    pub budgets: Mutex<Vec<BudgetState>>,
    pub run_budgets: Mutex<Vec<(RunId, Budget)>>,
    /// What every verb answers with, once set.
    pub broken: Mutex<Option<ApiError>>,
}

impl FakeBackend {
    fn works(&self) -> Result<(), ApiError> {
        self.broken
            .lock()
            .expect("lock")
            .clone()
            .map_or(Ok(()), Err)
    }

    fn agent_of(&self, id: AgentId) -> Result<Agent, ApiError> {
        let agents = self.agents.lock().expect("lock");
        agents
            .iter()
            .find(|agent| agent.id == id)
            .cloned()
            .ok_or_else(|| ApiError::not_found("agent"))
    }

    fn tell(&self, id: AgentId, event: &AgentEvent) -> Result<(), ApiError> {
        let mut agents = self.agents.lock().expect("lock");
        let agent = agents
            .iter_mut()
            .find(|agent| agent.id == id)
            .ok_or_else(|| ApiError::not_found("agent"))?;
        agent.apply(Timestamp(2_000), event).map_err(|illegal| {
            ApiError::new(ErrorKind::Conflict, "illegal_move", illegal.to_string())
        })
    }
}

#[async_trait]
impl Backend for FakeBackend {
    async fn overview(&self, _: &Actor) -> Result<Overview, ApiError> {
        self.works()?;
        Ok(Overview {
            metrics: Metrics::default(),
            live_runs: vec![],
            waiting: vec![],
            recent_runs: vec![],
            agents: vec![],
            events: vec![],
            workflows: vec![],
            simulated: true,
            now: Timestamp(1_000),
            version: "0.0.0".into(),
        })
    }

    async fn workflows(
        &self,
        _: &Actor,
        query: WorkflowQuery,
    ) -> Result<Page<WorkflowSummary>, ApiError> {
        self.works()?;
        assert_ne!(
            query.search.as_deref(),
            Some("panic"),
            "a secret that no answer may hold"
        );
        let workflows = self.workflows.lock().expect("lock");
        let items = workflows.iter().map(|(id, versions)| {
            let drawing = versions.last().expect("a version");
            WorkflowSummary {
                id: *id,
                name: drawing.name.clone(),
                description: drawing.description.clone(),
                version: versions.len() as u32,
                nodes: drawing.nodes.len() as u32,
                runnable: true,
                updated_at: Timestamp(1_790_000_000_000),
                last_run: None,
            }
        });
        Ok(Page {
            items: items.collect(),
            next: None,
        })
    }

    async fn workflow(
        &self,
        _: &Actor,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<WorkflowDetail, ApiError> {
        self.works()?;
        let workflows = self.workflows.lock().expect("lock");
        let versions = workflows
            .get(&id)
            .ok_or_else(|| ApiError::not_found("workflow"))?;
        let newest = versions.len() as u32;
        let version = version.unwrap_or(newest);
        let drawing = versions
            .get(version.wrapping_sub(1) as usize)
            .ok_or_else(|| ApiError::not_found("version"))?;
        Ok(WorkflowDetail {
            id,
            version,
            newest,
            updated_at: Timestamp(1_790_000_000_000),
            updated_by: "admin".into(),
            drawing: drawing.clone(),
        })
    }

    async fn create_workflow(&self, _: &Actor, drawing: Drawing) -> Result<Saved, ApiError> {
        self.works()?;
        let id = WorkflowId(uuid::Uuid::now_v7());
        let problems = problems(&drawing);
        self.workflows
            .lock()
            .expect("lock")
            .insert(id, vec![drawing]);
        Ok(Saved {
            id,
            version: 1,
            problems,
        })
    }

    async fn save_workflow(
        &self,
        _: &Actor,
        id: WorkflowId,
        expected: u32,
        drawing: Drawing,
    ) -> Result<Saved, ApiError> {
        self.works()?;
        let mut workflows = self.workflows.lock().expect("lock");
        let versions = workflows
            .get_mut(&id)
            .ok_or_else(|| ApiError::not_found("workflow"))?;
        let newest = versions.len() as u32;
        if newest != expected {
            return Err(ApiError::new(
                ErrorKind::Conflict,
                "version_conflict",
                "Somebody saved before.",
            )
            .with_detail(json!({ "expected": expected, "newest": newest })));
        }
        versions.push(drawing.clone());
        Ok(Saved {
            id,
            version: newest + 1,
            problems: problems(&drawing),
        })
    }

    async fn duplicate_workflow(&self, _: &Actor, _: WorkflowId) -> Result<Saved, ApiError> {
        Err(ApiError::internal("not here"))
    }

    async fn delete_workflow(&self, _: &Actor, id: WorkflowId) -> Result<(), ApiError> {
        self.works()?;
        self.workflows
            .lock()
            .expect("lock")
            .remove(&id)
            .map(|_| ())
            .ok_or_else(|| ApiError::not_found("workflow"))
    }

    async fn restore_workflow(&self, _: &Actor, _: WorkflowId) -> Result<(), ApiError> {
        Err(ApiError::internal("not here"))
    }

    async fn versions(&self, _: &Actor, id: WorkflowId) -> Result<Vec<VersionInfo>, ApiError> {
        self.works()?;
        let workflows = self.workflows.lock().expect("lock");
        let versions = workflows
            .get(&id)
            .ok_or_else(|| ApiError::not_found("workflow"))?;
        let info = |version| VersionInfo {
            version,
            created_at: Timestamp(1_790_000_000_000),
            by: "admin".into(),
        };
        Ok((1..=versions.len() as u32).rev().map(info).collect())
    }

    async fn start_run(&self, _: &Actor, request: StartRun) -> Result<Accepted, ApiError> {
        self.works()?;
        self.starts.lock().expect("lock").push(request);
        Ok(Accepted {
            id: parsed(RUN),
            seq: 7,
        })
    }

    async fn runs(&self, _: &Actor, query: RunQuery) -> Result<Page<RunSummary>, ApiError> {
        self.works()?;
        self.run_queries.lock().expect("lock").push(query);
        Ok(Page {
            items: vec![],
            next: Some("more".into()),
        })
    }

    async fn run(&self, _: &Actor, id: RunId) -> Result<RunSnapshot, ApiError> {
        self.works()?;
        let run = self
            .run
            .lock()
            .expect("lock")
            .clone()
            .filter(|run| run.id == id);
        Ok(RunSnapshot {
            run: run.ok_or_else(|| ApiError::not_found("run"))?,
            drawing: Drawing::default(),
            head: 9,
            now: Timestamp(1_000),
            agents: vec![],
            written: vec![],
        })
    }

    async fn recording(&self, _: &Actor, id: RunId) -> Result<Recording, ApiError> {
        self.works()?;
        Ok(Recording {
            troupe_recording: 1,
            workflow: "one".into(),
            run: id,
            calls: Vec::new(),
        })
    }
    async fn written(&self, _: &Actor, _: RunId) -> Result<Vec<Delta>, ApiError> {
        self.works()?;
        Ok(vec![])
    }

    async fn cancel_run(&self, _: &Actor, id: RunId) -> Result<(), ApiError> {
        self.works()?;
        let mut run = self.run.lock().expect("lock");
        let run = run
            .as_mut()
            .filter(|run| run.id == id)
            .ok_or_else(|| ApiError::not_found("run"))?;
        if run.state.is_final() {
            return Err(ApiError::new(
                ErrorKind::Conflict,
                "run_ended",
                "The run has ended.",
            ));
        }
        run.state = RunState::Cancelled { by: "admin".into() };
        Ok(())
    }

    async fn pause_run(&self, _: &Actor, id: RunId) -> Result<(), ApiError> {
        self.works()?;
        let mut run = self.run.lock().expect("lock");
        let run = run.as_mut().filter(|run| run.id == id);
        let run = run.ok_or_else(|| ApiError::not_found("run"))?;
        run.state = RunState::Paused { by: "admin".into() };
        Ok(())
    }

    async fn resume_run(&self, _: &Actor, id: RunId) -> Result<(), ApiError> {
        self.works()?;
        let mut run = self.run.lock().expect("lock");
        let run = run.as_mut().filter(|run| run.id == id);
        run.ok_or_else(|| ApiError::not_found("run"))?.state = RunState::Running;
        Ok(())
    }

    async fn retry_run(&self, _: &Actor, request: RetryRun) -> Result<Accepted, ApiError> {
        self.works()?;
        let id = request.run;
        self.retries.lock().expect("lock").push(request);
        Ok(Accepted { id, seq: 8 })
    }

    async fn run_node(&self, _: &Actor, request: RunNode) -> Result<Accepted, ApiError> {
        self.works()?;
        self.alone.lock().expect("lock").push(request);
        Ok(Accepted {
            id: parsed(RUN),
            seq: 9,
        })
    }

    async fn answer(&self, _: &Actor, given: GivenAnswer) -> Result<(), ApiError> {
        self.works()?;
        self.answers.lock().expect("lock").push(given);
        Ok(())
    }

    async fn agents(&self, _: &Actor, _: bool) -> Result<Vec<Agent>, ApiError> {
        self.works()?;
        Ok(self.agents.lock().expect("lock").clone())
    }

    async fn agent(&self, _: &Actor, id: AgentId) -> Result<AgentDetail, ApiError> {
        self.works()?;
        Ok(AgentDetail {
            agent: self.agent_of(id)?,
            workspace_path: "/data/agents/x".into(),
            events: vec![],
        })
    }

    async fn spawn_agent(&self, _: &Actor, spec: AgentSpec) -> Result<AgentId, ApiError> {
        self.works()?;
        let id = AgentId(uuid::Uuid::now_v7());
        let born = AgentEvent::Spawned {
            spec,
            on_demand: false,
            by: None,
        };
        let mut agent = Agent::spawned(id, Timestamp(1_000), &born).expect("born");
        agent
            .apply(Timestamp(1_000), &AgentEvent::Idle { cost_usd: None })
            .expect("a legal move");
        self.agents.lock().expect("lock").push(agent);
        Ok(id)
    }

    async fn pause_agent(&self, _: &Actor, id: AgentId) -> Result<(), ApiError> {
        self.tell(id, &AgentEvent::Paused { by: "admin".into() })
    }

    async fn resume_agent(&self, _: &Actor, id: AgentId) -> Result<(), ApiError> {
        self.tell(id, &AgentEvent::Resumed { by: "admin".into() })
    }

    async fn terminate_agent(&self, _: &Actor, id: AgentId) -> Result<(), ApiError> {
        self.tell(
            id,
            &AgentEvent::Terminated {
                reason: "asked to".into(),
            },
        )
    }

    async fn agent_messages(&self, _: &Actor, id: AgentId) -> Result<Vec<AgentMessage>, ApiError> {
        self.works()?;
        let agent = self.agent_of(id)?;
        let to = AgentName {
            id,
            name: agent.spec.name,
        };
        let shown = |message| AgentMessage {
            seq: 5,
            at: Timestamp(1_790_000_000_000),
            to: to.clone(),
            message,
        };
        Ok(agent.mailbox.into_iter().map(shown).collect())
    }

    async fn send_message(&self, _: &Actor, to: AgentId, text: String) -> Result<(), ApiError> {
        let from = Sender::Person {
            name: "admin".into(),
        };
        let message = Message {
            id: 5,
            from,
            to_topic: None,
            text,
        };
        self.tell(to, &AgentEvent::Message(message))
    }

    async fn events(&self, _: &Actor, query: EventQuery) -> Result<Page<EventFrame>, ApiError> {
        self.works()?;
        self.event_queries.lock().expect("lock").push(query);
        Ok(Page {
            items: vec![event(1, FLOW)],
            next: None,
        })
    }

    async fn storage(&self, _: &Actor) -> Result<Storage, ApiError> {
        self.works()?;
        Ok(Storage {
            file_bytes: 4_096_000,
            used_bytes: 4_000_000,
            free_bytes: 96_000,
            wal_bytes: 32,
            gives_back: true,
            workflows: vec![WorkflowSpace {
                workflow: parsed(FLOW),
                name: "One".into(),
                runs: 3,
                bytes: 2_000_000,
            }],
            tables: vec![TableSpace {
                name: "events".into(),
                bytes: 3_000_000,
                index_bytes: 500_000,
            }],
            measured_at: Some(Timestamp(1_790_000_000_000)),
            retention: self.retention.lock().expect("lock").clone(),
            cleaning: self.cleaning.lock().expect("lock").then_some(Cleaning {
                since: Timestamp(1_790_000_000_000),
                step: CleanStep::Removing,
                chosen: 9,
                runs: 4,
                events: 400,
            }),
            last: None,
        })
    }

    async fn set_retention(&self, _: &Actor, rules: Retention) -> Result<(), ApiError> {
        self.works()?;
        rules
            .check()
            .map_err(|bad| ApiError::new(ErrorKind::Invalid, "bad_retention", bad.to_string()))?;
        *self.retention.lock().expect("lock") = rules;
        Ok(())
    }

    async fn clean_up(&self, _: &Actor) -> Result<(), ApiError> {
        self.works()?;
        *self.cleaning.lock().expect("lock") = true;
        Ok(())
    }

    async fn stop_clean_up(&self, _: &Actor) -> Result<(), ApiError> {
        self.works()?;
        *self.cleaning.lock().expect("lock") = false;
        Ok(())
    }

    async fn providers(&self, _: &Actor) -> Result<Vec<ProviderInfo>, ApiError> {
        self.works()?;
        Ok(vec![ProviderInfo {
            name: "rehearsal".into(),
            base_url: None,
            has_key: false,
            simulated: true,
            is_default: true,
            default_model: Some("rehearsal:default".into()),
            kind: "rehearsal".into(),
            editable: false,
        }])
    }

    async fn save_provider(
        &self,
        _: &Actor,
        _: Option<String>,
        _: ProviderForm,
    ) -> Result<(), ApiError> {
        self.works()
    }

    async fn remove_provider(&self, _: &Actor, _: String) -> Result<(), ApiError> {
        self.works()
    }

    async fn check_provider(&self, _: &Actor, _: String) -> Result<ProviderCheck, ApiError> {
        self.works()?;
        Ok(ProviderCheck {
            works: true,
            models: Some(1),
            took_ms: 1,
            message: "Works: 1 model.".into(),
            code: None,
        })
    }

    async fn quota(&self, _: &Actor, _: String) -> Result<Quota, ApiError> {
        self.works()?;
        Ok(Quota::default())
    }

    async fn find_servers(&self, _: &Actor) -> Result<Vec<FoundServer>, ApiError> {
        self.works()?;
        Ok(Vec::new())
    }

    async fn models(&self, _: &Actor, _: bool) -> Result<Catalogue, ApiError> {
        self.works()?;
        Ok(Catalogue::default())
    }

    async fn usage(&self, _: &Actor, query: UsageQuery) -> Result<Vec<UsageRow>, ApiError> {
        self.works()?;
        Ok(vec![UsageRow {
            day: Some(query.from.max(0)),
            key: None,
            name: "one, \"two\"".into(),
            simulated: false,
            sums: UsageSums {
                calls: 3,
                calls_unknown: 1,
                charged_usd: Some(MicroUsd(1_500)),
                ..UsageSums::default()
            },
        }])
    }
    async fn usage_overview(&self, _: &Actor, _: UsageRange) -> Result<UsageOverview, ApiError> {
        Err(ApiError::not_found("usage"))
    }
    async fn budgets(&self, _: &Actor) -> Result<Vec<BudgetState>, ApiError> {
        self.works()?;
        Ok(self.budgets.lock().expect("lock").clone())
    }
    async fn budget_of(&self, actor: &Actor, scope: Scope) -> Result<BudgetState, ApiError> {
        let mut known = self.budgets(actor).await?.into_iter();
        known
            .find(|state| state.scope == scope)
            .ok_or_else(|| ApiError::not_found("budget"))
    }
    async fn set_budget(&self, actor: &Actor, request: SetBudget) -> Result<(), ApiError> {
        self.works()?;
        self.budgets.lock().expect("lock").push(BudgetState {
            name: "a name".into(),
            scope: request.scope,
            budget: request.budget,
            spent: Amount {
                usd: MicroUsd(7),
                tokens: 8,
            },
            reserved: Amount::default(),
            by: Some(actor.name.clone()),
            at: Some(Timestamp(1_000)),
        });
        Ok(())
    }
    async fn set_run_budget(&self, _: &Actor, request: SetRunBudget) -> Result<(), ApiError> {
        self.works()?;
        self.run_budgets
            .lock()
            .expect("lock")
            .push((request.run, request.budget));
        Ok(())
    }
}

#[async_trait]
impl Batches for FakeBackend {
    async fn start_batch(
        &self,
        _: &Actor,
        workflow: WorkflowId,
        inputs: Vec<Value>,
        budget: Budget,
        idempotency_key: Option<String>,
    ) -> Result<Vec<Accepted>, ApiError> {
        self.works()?;
        let accepted = inputs.into_iter().map(|input| {
            let mut starts = self.starts.lock().expect("lock");
            starts.push(StartRun {
                workflow,
                input,
                budget_usd: budget.usd,
                budget_tokens: budget.tokens,
                on_budget: budget.on_budget,
                replay: None,
                idempotency_key: idempotency_key.clone(),
            });
            let seq = starts.len() as u64;
            Accepted {
                id: parsed(RUN),
                seq,
            }
        });
        Ok(accepted.collect())
    }
}

/// A log in memory.
#[derive(Default)]
pub struct FakeLog {
    frames: Mutex<Vec<EventFrame>>,
    /// The highest number that was removed.
    pub removed_to: std::sync::atomic::AtomicU64,
    /// Whether it answers.
    pub locked: std::sync::atomic::AtomicBool,
}

impl FakeLog {
    fn works(&self) -> Result<(), StoreError> {
        if self.locked.load(std::sync::atomic::Ordering::Relaxed) {
            Err(StoreError::Busy("locked".into()))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl LogReader for FakeLog {
    async fn head(&self) -> Result<u64, StoreError> {
        self.works()?;
        Ok(self
            .frames
            .lock()
            .expect("lock")
            .last()
            .map_or(0, |frame| frame.seq))
    }

    async fn removed_to(&self) -> Result<u64, StoreError> {
        self.works()?;
        Ok(self.removed_to.load(std::sync::atomic::Ordering::Relaxed))
    }

    async fn epoch(&self) -> Result<String, StoreError> {
        self.works()?;
        Ok("first".into())
    }

    async fn frames_after(
        &self,
        after: u64,
        limit: u32,
        patterns: &[String],
    ) -> Result<(Vec<EventFrame>, u64), StoreError> {
        self.works()?;
        // As slow as a disk, so that events come in between.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let frames = self.frames.lock().expect("lock");
        let fits = |frame: &&EventFrame| {
            patterns.is_empty()
                || patterns
                    .iter()
                    .any(|pattern| topic::fits(pattern, &frame.topic))
        };
        let found: Vec<EventFrame> = frames
            .iter()
            .filter(|frame| frame.seq > after)
            .filter(fits)
            .take(limit as usize)
            .cloned()
            .collect();
        let looked_at = if found.len() == limit as usize {
            found.last().map_or(after, |frame| frame.seq)
        } else {
            frames.last().map_or(after, |frame| frame.seq)
        };
        Ok((found, looked_at))
    }

    async fn run_events(
        &self,
        run: RunId,
        after_run_seq: u64,
        most: u32,
    ) -> Result<Option<Vec<EventFrame>>, StoreError> {
        self.works()?;
        let frames = self.frames.lock().expect("lock");
        let of_run: Vec<&EventFrame> = frames
            .iter()
            .filter(|frame| frame.run_id == Some(run))
            .collect();
        if of_run.is_empty() {
            return Ok(None);
        }
        Ok(Some(
            of_run
                .into_iter()
                .filter(|frame| frame.run_seq > Some(after_run_seq))
                .take(most as usize)
                .cloned()
                .collect(),
        ))
    }
}

/// An event of a run of this workflow.
pub fn event(seq: u64, workflow: &str) -> EventFrame {
    let workflow: WorkflowId = parsed(workflow);
    EventFrame {
        seq,
        run_seq: Some(seq),
        at: Timestamp(1_790_000_000_123),
        kind: "task.started".into(),
        topic: topic::workflow_events(workflow),
        workflow_id: Some(workflow),
        run_id: Some(parsed(RUN)),
        task: Some(TaskName::of(&NodeId::parse("plan").expect("an id"))),
        agent_id: None,
        severity: EventSeverity::Info,
        data: json!({ "attempt": 1 }),
    }
}

/// A delta of a run of this workflow.
pub fn delta(workflow: &str, offset: u64, text: &str) -> Delta {
    Delta {
        workflow_id: parsed(workflow),
        run_id: parsed(RUN),
        task: TaskName::of(&NodeId::parse("plan").expect("an id")),
        attempt: 1,
        turn: 1,
        offset,
        text: text.to_owned(),
        cut: false,
    }
}

/// Everything behind and in front of the doors.
pub struct House {
    pub backend: Arc<FakeBackend>,
    pub log: Arc<FakeLog>,
    pub bus: Arc<MemoryBus>,
    pub metrics: watch::Sender<Metrics>,
    pub state: WebState,
    site: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// The code of the problem that it is; checks that it is one in every way.
    pub fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        let problem = self.json();
        let code = problem["code"].as_str().expect("a code");
        assert_eq!(problem["type"], format!("urn:troupe:problem:{code}"));
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty()),
            "{problem}"
        );
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.len() > 10),
            "{problem}"
        );
        code.to_owned()
    }
}

impl House {
    pub fn new() -> Self {
        Self::with_rules(SocketRules::default())
    }

    pub fn with_rules(sockets: SocketRules) -> Self {
        let backend = Arc::new(FakeBackend::default());
        let log = Arc::new(FakeLog::default());
        let bus = Arc::new(MemoryBus::default());
        let site = tempfile::tempdir().expect("a directory");
        let metrics = watch::Sender::new(Metrics::default());
        let state = WebState {
            backend: backend.clone(),
            batches: backend.clone(),
            bus: bus.clone(),
            log: log.clone(),
            config: Arc::new(config("127.0.0.1:3000", site.path().to_owned(), sockets)),
            leptos: LeptosOptions::builder()
                .output_name("troupe")
                .site_root(site.path().display().to_string())
                .build(),
            health: Health::default(),
            metrics: metrics.subscribe(),
            sockets: Arc::new(AtomicU64::new(0)),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        };
        Self {
            backend,
            log,
            bus,
            metrics,
            state,
            site,
        }
    }

    pub fn router(&self) -> Router {
        router(self.state.clone())
    }

    /// Puts a file into the site.
    pub fn put_file(&self, path: &str, bytes: &[u8]) {
        let path = self.site.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, bytes).expect("a file");
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .expect("a body");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path).body(Body::empty()).expect("a request"))
            .await
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send_text(method, path, body.to_string()).await
    }

    pub async fn send_text(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = request(method, path).header(header::CONTENT_TYPE, "application/json");
        self.ask(request.body(body.into()).expect("a request"))
            .await
    }

    /// Stores an event as the kernel does: first the log, then the bus.
    pub fn append(&self, frame: EventFrame) {
        let (topic, seq) = (frame.topic.clone(), frame.seq);
        self.log.frames.lock().expect("lock").push(frame.clone());
        let json = serde_json::to_string(&Frame::Event(frame)).expect("JSON");
        self.bus.publish(&topic, Payload::event(seq, json));
    }

    /// Streams a piece of text.
    pub fn stream(&self, delta: Delta) {
        let topic = topic::workflow_deltas(delta.workflow_id);
        self.bus.publish(
            &topic,
            Payload::delta(serde_json::to_string(&Frame::Delta(delta)).expect("JSON")),
        );
    }
}

pub fn config(address: &str, site: PathBuf, sockets: SocketRules) -> WebConfig {
    WebConfig {
        entrance: Entrance::new(parsed(address), None).expect("an entrance"),
        site,
        version: "9.9.9".into(),
        sockets,
        reload_port: None,
    }
}

/// A request to the host that the server is.
pub fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1:3000")
}
