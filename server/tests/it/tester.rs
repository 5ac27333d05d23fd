//! A server without a network: the real kernel, store and bus, and agents that do what a test says.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    event::Event,
    frame::Frame,
    graph::{Drawing, check::check},
    id::{RunId, WorkflowId},
    run::{
        CostIs, FinishReason, Run, TaskError, TurnRecord,
        input::{AttemptSpec, Command, Input, Outcome, StartRun},
    },
    troupe::Limits,
};
use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use server::{
    bus::{Bus, Received, memory::MemoryBus},
    clock::{Clock, SystemClock},
    engine::{
        effects::{Effects, Means},
        health::Health,
        kernel::{self, Handle, Kernel, Receipt, Refusal, StartKey},
        metrics::Gauges,
        open_turns::OpenTurns,
        recovery::{Marker, recover},
        worker::Worker,
    },
    outbound::{self, AllowList, Guard, Outbound, SystemResolver},
    store::{Store, StoreError, replayed},
    workspace::Workspaces,
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// What an agent does with an attempt.
#[derive(Debug, Clone)]
pub enum Act {
    /// One turn with this text, which is the output.
    Say(&'static str),
    /// Fails in a way that passes.
    FailForNow,
    /// Panics.
    Panic,
    /// Begins a turn and waits until it is stopped.
    Hang,
    /// Finishes one turn, begins a second, and waits until it is stopped.
    HangInSecondTurn,
}

/// Agents that act by a script: for each task a list of acts, the last one for ever.
#[derive(Clone)]
pub struct Script {
    kernel: Handle,
    acts: Arc<Mutex<HashMap<String, VecDeque<Act>>>>,
    /// Every attempt that was begun.
    pub begun: Arc<Mutex<Vec<AttemptSpec>>>,
    /// Every model call that was made.
    pub calls: Arc<Mutex<Vec<String>>>,
}

impl Script {
    fn next(&self, task: &str) -> Act {
        let mut acts = self.acts.lock().expect("not poisoned");
        let Some(acts) = acts.get_mut(task) else {
            return Act::Say("done");
        };
        if acts.len() > 1 {
            acts.pop_front().expect("not empty")
        } else {
            acts[0].clone()
        }
    }

    async fn tell(&self, outcome: Outcome) -> bool {
        self.kernel.submit(Input::Outcome(outcome)).await.is_ok()
    }

    async fn turn(&self, spec: &AttemptSpec, turn: u32, text: Option<&str>) -> bool {
        let key = spec.key.clone();
        let started = Outcome::TurnStarted {
            key: key.clone(),
            turn,
            model: "test:test".into(),
            others: Vec::new(),
            simulated: true,
            quote: domain::budget::Quote::default(),
            prompt: String::new(),
        };
        if !self.tell(started).await {
            return false;
        }
        self.calls
            .lock()
            .expect("not poisoned")
            .push(format!("{}#{}:{turn}", key.task, key.attempt));
        let Some(text) = text else { return true };
        self.tell(Outcome::TurnCompleted {
            key,
            turn,
            record: Box::new(record(text)),
        })
        .await
    }
}

impl Worker for Script {
    fn attempt(&self, spec: AttemptSpec, stop: CancellationToken) -> BoxFuture<'static, ()> {
        let script = self.clone();
        async move {
            script
                .begun
                .lock()
                .expect("not poisoned")
                .push(spec.clone());
            let done = spec.turns.iter().filter(|turn| turn.done.is_some()).count() as u32;
            match script.next(spec.key.task.as_str()) {
                Act::Say(text) => {
                    if script.turn(&spec, done + 1, Some(text)).await {
                        script
                            .tell(Outcome::Succeeded {
                                key: spec.key,
                                output: json!(text),
                            })
                            .await;
                    }
                }
                Act::FailForNow => {
                    let error = TaskError::passing("busy", "Try again.");
                    script
                        .tell(Outcome::Failed {
                            key: spec.key,
                            error,
                        })
                        .await;
                }
                Act::Panic => panic!("a bug in an agent's work"),
                Act::Hang => {
                    script.turn(&spec, done + 1, None).await;
                    stop.cancelled().await;
                }
                Act::HangInSecondTurn => {
                    script.turn(&spec, 1, Some("paid for")).await;
                    script.turn(&spec, 2, None).await;
                    stop.cancelled().await;
                }
            }
        }
        .boxed()
    }
}

fn record(text: &str) -> TurnRecord {
    TurnRecord {
        provider: "test".into(),
        model: "test".into(),
        text: text.into(),
        tool_calls: Vec::new(),
        reasoning_details: Vec::new(),
        prompt_tokens: Some(3),
        completion_tokens: Some(4),
        cached_tokens: None,
        reasoning_tokens: None,
        assumed_usd: None,
        assumed_tokens: None,
        simulated: false,
        cost_usd: None,
        replayed: false,
        cost_is: CostIs::Unknown,
        finish_reason: FinishReason::Stop,
        generation_id: None,
        first_token_ms: None,
        duration_ms: 1,
    }
}

/// A running engine.
pub struct Tester {
    pub store: Arc<dyn Store>,
    pub bus: Arc<dyn Bus>,
    pub kernel: Handle,
    pub script: Script,
    pub health: Health,
    pub workflow: WorkflowId,
    stop: CancellationToken,
    task: JoinHandle<Result<(), StoreError>>,
    pub home: Arc<tempfile::TempDir>,
}

impl Tester {
    /// An engine over a store, with one workflow in it.
    pub async fn start(
        store: Arc<dyn Store>,
        graph: &str,
        acts: &[(&'static str, &[Act])],
    ) -> Self {
        let workflow = WorkflowId(Uuid::now_v7());
        let drawing = drawing(graph);
        store
            .create_workflow(workflow, &drawing, "tester", SystemClock.now())
            .await
            .expect("a workflow can be stored");
        let home = Arc::new(tempfile::tempdir().expect("a directory"));
        Self::over(store, workflow, home, acts).await
    }

    async fn over(
        store: Arc<dyn Store>,
        workflow: WorkflowId,
        home: Arc<tempfile::TempDir>,
        acts: &[(&'static str, &[Act])],
    ) -> Self {
        let mut marker = Marker::below(home.path());
        let recovered = recover(&*store, Limits::default(), "test", &mut marker, 0)
            .await
            .expect("the log can be read");
        let (kernel, inbox) = kernel::inbox();
        let acts = acts
            .iter()
            .map(|(task, acts)| ((*task).to_owned(), acts.iter().cloned().collect()))
            .collect();
        let script = Script {
            kernel: kernel.clone(),
            acts: Arc::new(Mutex::new(acts)),
            begun: Arc::default(),
            calls: Arc::default(),
        };
        let stop = CancellationToken::new();
        let health = Health::default();
        let bus: Arc<dyn Bus> = Arc::new(MemoryBus::default());
        let guard = Guard::new(Arc::new(SystemResolver), AllowList::default());
        let limits = outbound::Limits::default();
        let effects = Effects::new(Means {
            kernel: kernel.clone(),
            worker: Arc::new(script.clone()),
            workspaces: Workspaces::below(home.path()),
            outbound: Outbound::new(guard, limits, Arc::new(SystemClock)),
            store: Arc::clone(&store),
            health: health.clone(),
            tracker: TaskTracker::new(),
        });
        let parts = kernel::Parts {
            store: Arc::clone(&store),
            bus: Arc::clone(&bus),
            clock: Arc::new(SystemClock),
            health: health.clone(),
            gauges: watch::Sender::new(Gauges::default()),
            open: OpenTurns::default(),
            marker,
            patience: Duration::ZERO,
            shutdown: stop.child_token(),
        };
        let task = tokio::spawn(
            Kernel::new(parts, recovered.troupe, recovered.inputs, effects, inbox).run(),
        );
        Self {
            store,
            bus,
            kernel,
            script,
            health,
            workflow,
            stop,
            task,
            home,
        }
    }

    /// As after a `kill -9`: what was in memory is gone, and a new engine starts over the same store.
    pub async fn killed_and_started(self, acts: &[(&'static str, &[Act])]) -> Self {
        self.task.abort();
        let _aborted = self.task.await;
        self.stop.cancel();
        Self::over(self.store, self.workflow, self.home, acts).await
    }

    /// Starts a run.
    pub async fn run(&self) -> RunId {
        self.run_with(None)
            .await
            .expect("a run can start")
            .run
            .expect("a start has a run")
    }

    /// Starts a run under a key.
    pub async fn run_with(&self, key: Option<StartKey>) -> Result<Receipt, Refusal> {
        let stored = self
            .store
            .workflow(self.workflow, None)
            .await
            .expect("readable")
            .expect("stored");
        let (graph, problems) = check(&stored.drawing);
        let start = StartRun {
            run: RunId(Uuid::now_v7()),
            workflow: self.workflow,
            version: stored.version,
            workflow_name: stored.drawing.name.clone(),
            graph: Arc::new(graph.unwrap_or_else(|| panic!("{problems:#?}"))),
            input: json!({}),
            budget_usd: None,
            budget_tokens: None,
            on_budget: domain::budget::OnBudget::Wait,
            parent: None,
            seed: Vec::new(),
            only: None,
            replay: None,
        };
        let command = Command::StartRun(Box::new(start));
        self.kernel
            .submit_with(
                Input::Command {
                    by: "tester".into(),
                    command,
                },
                key,
            )
            .await
    }

    /// The run as the log tells it.
    pub async fn read(&self, id: RunId) -> Run {
        let stored = self
            .store
            .workflow(self.workflow, None)
            .await
            .expect("readable")
            .expect("stored");
        let (graph, _) = check(&stored.drawing);
        let events = self
            .store
            .run_events(id, 0, u32::MAX)
            .await
            .expect("readable");
        replayed(&events, &graph.expect("valid"))
            .expect("sound")
            .expect("there is one")
    }

    /// Waits until the log says that the run has an event of this type.
    pub async fn until(&self, id: RunId, kind: &str) -> Event {
        let mut events = self.bus.subscribe(vec!["*".into()]);
        let wait = async {
            loop {
                let log = self
                    .store
                    .run_events(id, 0, u32::MAX)
                    .await
                    .expect("readable");
                if let Some(event) = log.into_iter().find(|event| event.to_frame().kind == kind) {
                    return event;
                }
                if let Received::Message(_) = events.recv().await {}
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .unwrap_or_else(|_| panic!("{kind} never came"))
    }

    /// Waits until the run is at its end, and reads it.
    pub async fn end(&self, id: RunId) -> Run {
        let mut events = self.bus.subscribe(vec!["*".into()]);
        let wait = async {
            loop {
                let run = self.read(id).await;
                if run.state.is_final() {
                    return run;
                }
                let _more = events.recv().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .expect("the run never ended")
    }
}

/// What was published, as typed frames.
pub fn event_of(received: Received) -> Option<(u64, Value)> {
    let Received::Message(payload) = received else {
        return None;
    };
    match serde_json::from_str(payload.json()).expect("frames are JSON") {
        Frame::Event(frame) => Some((frame.seq, frame.data)),
        Frame::Hello { .. } | Frame::Delta(_) | Frame::Metrics { .. } | Frame::Snapshot { .. } => {
            None
        }
    }
}

/// `a > b; c` : agents by name, connected; retries come at once.
fn drawing(graph: &str) -> Drawing {
    let mut nodes: Vec<Value> = Vec::new();
    let mut edges = Vec::new();
    for chain in graph.split(';') {
        let names: Vec<&str> = chain.split('>').map(str::trim).collect();
        for name in &names {
            if nodes.iter().all(|node| node["id"] != **name) {
                nodes.push(
                    json!({ "id": name, "kind": "agent", "prompt": "work", "capabilities": [name],
                    "retry": { "attempts": 3, "min_wait_ms": 1, "max_wait_ms": 1 } }),
                );
            }
        }
        edges.extend(
            names
                .windows(2)
                .map(|pair| json!({ "from": pair[0], "to": pair[1] })),
        );
    }
    let file = json!({ "troupe": 1, "name": "test", "nodes": nodes, "edges": edges });
    Drawing::from_value(file).expect("an object").0
}
