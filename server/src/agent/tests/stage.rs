//! Twins around an attempt: a provider with a script, a desk that writes everything down.

use std::sync::{Arc, Mutex, PoisonError};

use domain::{
    frame::Delta,
    id::{AgentId, RunId, TaskName, WorkflowId},
    message::{Message, Recipient},
    run::{
        AttemptKey, TaskError, ToolOutcome, ToolResult, Turn,
        input::{AttemptSpec, Outcome},
        recording::{Playback, Recording},
    },
    time::Timestamp,
};
use futures::{FutureExt, future::BoxFuture};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    agent::{AttemptContext, Desk, NoCall, NotSent, Over, Recordings, Tools, attempt},
    clock::SystemClock,
    llm::{
        Providers,
        rehearsal::Rehearsal,
        scripted::{Script, Scripted},
    },
    store::calls::OpenCall,
};

/// Writes down what is handed in; refuses everything from report number `over_at` on.
#[derive(Default)]
pub struct Notebook {
    pub outcomes: Mutex<Vec<Outcome>>,
    pub shown: Mutex<Vec<Delta>>,
    /// Messages that were sent.
    pub sent: Mutex<Vec<(Recipient, String)>>,
    /// Messages that are handed to the agent with its next turn.
    pub mailbox: Mutex<Vec<Message>>,
    /// Calls that are over and whose cost nobody knows.
    pub calls: Mutex<Vec<String>>,
    pub over_at: Option<usize>,
    /// Models that may not be called.
    pub shut: Vec<&'static str>,
    /// Stops the attempt right behind this many reports.
    pub stop_at: Option<(usize, CancellationToken)>,
}

impl Desk for Notebook {
    fn call_over(&self, call: OpenCall) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(call.generation_id);
    }

    fn report(&self, outcome: Outcome) -> BoxFuture<'_, Result<Vec<Message>, Over>> {
        async move {
            let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            if self.over_at.is_some_and(|at| outcomes.len() >= at) {
                return Err(Over);
            }
            // Every answer begins; that of one whose name is known is worth a line.
            if matches!(
                &outcome,
                Outcome::CallBegan {
                    generation_id: None,
                    ..
                }
            ) {
                return Ok(Vec::new());
            }
            let begins = matches!(outcome, Outcome::TurnStarted { .. });
            outcomes.push(outcome);
            if let Some((at, stop)) = &self.stop_at
                && outcomes.len() == *at
            {
                stop.cancel();
            }
            let mut mailbox = self.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(match begins {
                true => std::mem::take(&mut *mailbox),
                false => Vec::new(),
            })
        }
        .boxed()
    }

    fn ask(&self, call: Outcome) -> BoxFuture<'_, Result<Vec<Message>, NoCall>> {
        let shut = matches!(&call, Outcome::TurnStarted { model, .. } if self.shut.contains(&model.as_str()));
        match shut {
            true => async { Err(NoCall::Shut) }.boxed(),
            false => self
                .report(call)
                .map(|stored| stored.map_err(|Over| NoCall::Over))
                .boxed(),
        }
    }

    fn send(
        &self,
        _: AttemptKey,
        to: Recipient,
        text: String,
    ) -> BoxFuture<'_, Result<(), NotSent>> {
        async move {
            if to == Recipient::Named("nobody".into()) {
                let refused = "no live agent is called `nobody`";
                return Err(NotSent::Refused(refused.into()));
            }
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            sent.push((to, text));
            Ok(())
        }
        .boxed()
    }

    fn show(&self, delta: Delta) {
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(delta);
    }
}

impl Notebook {
    fn lines(&self) -> String {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::TurnStarted {
            turn,
            model,
            simulated,
            ..
        } => {
            format!(
                "turn {turn} started: {model}{}",
                if *simulated { " (simulated)" } else { "" }
            )
        }
        Outcome::TurnCompleted { turn, record, .. } => {
            format!(
                "turn {turn} completed: {:?}, {:?}, {} calls",
                record.text,
                record.finish_reason,
                record.tool_calls.len()
            )
        }
        Outcome::CallBegan {
            turn,
            generation_id,
            model,
            ..
        } => format!("turn {turn} began: {generation_id:?} of {model}"),
        Outcome::CallPriced(priced) => format!("turn {} priced", priced.turn),
        Outcome::TurnFailed { turn, failure, .. } => {
            let raw = failure.raw.as_deref().unwrap_or("nothing");
            format!(
                "turn {turn} failed: {}, {:?}, {}, sent {raw:?}",
                failure.model, failure.trouble, failure.error.code
            )
        }
        Outcome::PlayedBack { turn, record, .. } => {
            format!(
                "turn {turn} played back: {:?}, {:?}, {} calls",
                record.text,
                record.finish_reason,
                record.tool_calls.len()
            )
        }
        Outcome::PromptChanged { question, .. } => format!("asks: {question}"),
        Outcome::ToolCalled { turn, call, .. } => {
            format!("tool called in {turn}: {} {}", call.name, call.arguments)
        }
        Outcome::ToolReturned {
            turn,
            call_id,
            output,
            failed,
            ..
        } => {
            let failed = if *failed { "failed" } else { "returned" };
            format!("tool {failed} in {turn}: {call_id} {output:?}")
        }
        Outcome::Succeeded { output, .. } => format!("succeeded: {output}"),
        Outcome::Failed { error, .. } => {
            let retry = if error.retryable { "may pass" } else { "lasts" };
            format!("failed, {retry}: {}: {}", error.code, error.message)
        }
        Outcome::AgentReady(_)
        | Outcome::AgentBroken { .. }
        | Outcome::MessageSent { .. }
        | Outcome::ChildFound { .. }
        | Outcome::Crashed { .. } => {
            panic!("no attempt reports this: {outcome:?}")
        }
    }
}

pub fn spec() -> AttemptSpec {
    AttemptSpec {
        key: AttemptKey {
            run: RunId(Uuid::nil()),
            task: TaskName::parse("plan").expect("a name"),
            attempt: 1,
        },
        workflow: WorkflowId(Uuid::nil()),
        agent: AgentId(Uuid::nil()),
        agent_name: "Ada".into(),
        prompt: "Plan it.".into(),
        instructions: "Be brief.".into(),
        model: None,
        models: Vec::new(),
        preferences: domain::graph::Preferences::default(),
        tools: Vec::new(),
        output_schema: None,
        max_turns: 3,
        max_tokens: 100,
        temperature: None,
        turns: Vec::new(),
        memory: true,
        replay: None,
    }
}

/// One recording, whatever is asked for.
struct Shelf(Option<Arc<Playback>>);

impl Recordings for Shelf {
    fn playback(&self, _: RunId, _: RunId) -> BoxFuture<'_, Result<Arc<Playback>, TaskError>> {
        let gone = || TaskError::lasting("recording_gone", "It is gone.");
        let found = self.0.clone().ok_or_else(gone);
        async { found }.boxed()
    }
}

pub struct Stage {
    pub llm: Scripted,
    pub notebook: Arc<Notebook>,
    recording: Option<Arc<Playback>>,
    workspace: tempfile::TempDir,
    pub stop: CancellationToken,
}

impl Stage {
    pub fn new(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self::with(scripts, Notebook::default())
    }

    pub fn with(scripts: impl IntoIterator<Item = Script>, notebook: Notebook) -> Self {
        let stop = notebook
            .stop_at
            .as_ref()
            .map(|(_, stop)| stop.clone())
            .unwrap_or_default();
        Self {
            llm: Scripted::new(scripts),
            notebook: Arc::new(notebook),
            recording: None,
            workspace: tempfile::tempdir().expect("a directory"),
            stop,
        }
    }

    /// The same with recorded answers.
    pub fn playing(mut self, recording: Recording) -> Self {
        self.recording = Some(Arc::new(Playback::new(recording)));
        self
    }

    pub async fn run(&self, spec: AttemptSpec) -> String {
        let providers = Providers::default();
        providers.add(Arc::new(self.llm.clone()));
        providers.add(Arc::new(Rehearsal::new(60)));
        let context = AttemptContext {
            desk: self.notebook.clone(),
            providers: Arc::new(providers),
            clock: Arc::new(SystemClock),
            tools: Arc::new(Tools::default()),
            recordings: Arc::new(Shelf(self.recording.clone())),
            workspace: self.workspace.path().to_owned(),
            stop: self.stop.clone(),
        };
        attempt(spec, context).await;
        self.notebook.lines()
    }

    /// The turns that a log of this attempt would hold.
    pub fn turns(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        for outcome in self.notebook.outcomes.lock().expect("not poisoned").iter() {
            match outcome.clone() {
                Outcome::TurnStarted {
                    turn,
                    model,
                    simulated,
                    ..
                } => turns.push(Turn {
                    number: turn,
                    model,
                    simulated,
                    reserved: None,
                    started_at: Timestamp(0),
                    began: None,
                    done: None,
                    tools: Vec::new(),
                    messages: Vec::new(),
                    failures: Vec::new(),
                    late: Vec::new(),
                    unpriced: Vec::new(),
                }),
                Outcome::TurnCompleted { record, .. } => {
                    turns.last_mut().expect("a turn").done = Some(*record);
                }
                Outcome::CallBegan { .. }
                | Outcome::CallPriced(_)
                | Outcome::PromptChanged { .. } => {}
                Outcome::PlayedBack { turn, record, .. } => turns.push(Turn {
                    number: turn,
                    model: format!("{}:{}", record.provider, record.model),
                    simulated: record.simulated,
                    reserved: None,
                    started_at: Timestamp(0),
                    began: None,
                    done: Some(*record),
                    tools: Vec::new(),
                    messages: Vec::new(),
                    failures: Vec::new(),
                    late: Vec::new(),
                    unpriced: Vec::new(),
                }),
                Outcome::TurnFailed { failure, .. } => {
                    turns.last_mut().expect("a turn").failures.push(*failure);
                }
                Outcome::ToolCalled { call, .. } => {
                    let begun = ToolResult {
                        call,
                        started_at: Timestamp(0),
                        outcome: None,
                    };
                    turns.last_mut().expect("a turn").tools.push(begun);
                }
                Outcome::ToolReturned {
                    output,
                    failed,
                    duration_ms,
                    ..
                } => {
                    let tool = turns
                        .last_mut()
                        .expect("a turn")
                        .tools
                        .last_mut()
                        .expect("a call");
                    tool.outcome = Some(ToolOutcome {
                        output,
                        failed,
                        duration_ms,
                    });
                }
                Outcome::AgentReady(_)
                | Outcome::AgentBroken { .. }
                | Outcome::MessageSent { .. }
                | Outcome::ChildFound { .. }
                | Outcome::Succeeded { .. }
                | Outcome::Failed { .. }
                | Outcome::Crashed { .. } => {}
            }
        }
        turns
    }
}
