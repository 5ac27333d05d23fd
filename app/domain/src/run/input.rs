//! What can come in to the kernel, and what it is asked to do in return. Commands may be refused;
//! outcomes and timers are facts about the world and are at worst too late to matter.

use std::sync::Arc;

use serde_json::Value;

pub use super::rejection::Rejection;
use crate::{
    agent::AgentSpec,
    budget::{Budget, OnBudget, Quote, Scope},
    event::SystemEvent,
    graph::{Preferences, ValidGraph},
    id::{AgentId, NodeId, PortName, RunId, TaskName, WorkflowId},
    message::Recipient,
    money::MicroUsd,
    run::{
        AttemptKey, LateCost, Replay, Seed, TaskError, ToolCall, Turn, TurnFailure, TurnRecord,
        decide::LiveRun,
    },
    time::Timestamp,
};

/// Everything that can happen to the kernel.
#[derive(Debug, Clone)]
pub enum Input {
    /// Somebody asks for something.
    Command {
        /// Who.
        by: String,
        /// What.
        command: Command,
    },
    /// Something that was begun came to a result.
    Outcome(Outcome),
    /// A moment came.
    Timer(Timer),
    /// A run was rebuilt from the log after a start of the server.
    Recovered(RunId),
    /// An agent was rebuilt after a start of the server.
    AgentRecovered(AgentId),
    /// The server is up.
    ServerStarted {
        /// Its version.
        version: String,
        /// Runs that go on.
        runs_recovered: u64,
    },
    /// A part of the server stopped or works again.
    System(SystemEvent),
}

/// What a person or program may ask for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Accept and begin a run.
    StartRun(Box<StartRun>),
    /// Stop a run, and the children that it waits for.
    CancelRun(RunId),
    /// Let a run finish what is under way and start nothing.
    PauseRun(RunId),
    /// Let it go on.
    ResumeRun(RunId),
    /// Take up a run again that failed or was cancelled, keeping what was finished.
    RetryRun(Box<RetryRun>),
    /// Set the limits of a run.
    SetRunBudget {
        /// Which.
        run: RunId,
        /// Its limits from now on, in place of those before.
        budget: Budget,
    },
    /// Set the budget of a workflow, an agent, a provider or the day, or take it away.
    SetBudget {
        /// What is limited.
        scope: Scope,
        /// The limit.
        budget: Option<Budget>,
    },
    /// Answer a task that waits for a person.
    Answer(Box<GivenAnswer>),
    /// Write to an agent, or to all who listen to a topic.
    SendMessage {
        /// To whom.
        to: Recipient,
        /// What.
        text: String,
    },
    /// Make an agent.
    SpawnAgent {
        /// The id it will have.
        agent: AgentId,
        /// What it is made from.
        spec: AgentSpec,
    },
    /// Give it no more work.
    PauseAgent(AgentId),
    /// Give it work again; also brings back one that is in error.
    ResumeAgent(AgentId),
    /// End it.
    TerminateAgent(AgentId),
}

/// A run to be accepted.
#[derive(Debug, Clone)]
pub struct StartRun {
    /// The id it will have.
    pub run: RunId,
    /// What is executed.
    pub workflow: WorkflowId,
    /// Which version.
    pub version: u32,
    /// Its name.
    pub workflow_name: String,
    /// The version's graph.
    pub graph: Arc<ValidGraph>,
    /// What it is given, defaults filled in.
    pub input: Value,
    /// Its limit in money.
    pub budget_usd: Option<MicroUsd>,
    /// Its limit in tokens.
    pub budget_tokens: Option<u64>,
    /// What becomes of a task whose next call could pass the limit.
    pub on_budget: OnBudget,
    /// The run that it was made from.
    pub parent: Option<RunId>,
    /// Results that it begins with (see `run::again`).
    pub seed: Vec<Seed>,
    /// The one node that is asked for; all others are left out.
    pub only: Option<NodeId>,
    /// The recorded answers that it is given in the place of model calls.
    pub replay: Option<Replay>,
}

/// A run to be taken up again.
#[derive(Debug, Clone)]
pub struct RetryRun {
    /// Which.
    pub run: RunId,
    /// The run as it ended, replayed from its log: ended runs are not kept in memory.
    pub ended: Option<Box<LiveRun>>,
}

/// What a person answers.
#[derive(Debug, Clone)]
pub struct GivenAnswer {
    /// The run.
    pub run: RunId,
    /// The task that waits.
    pub task: TaskName,
    /// The way on.
    pub port: PortName,
    /// A remark.
    pub comment: String,
    /// Whatever belongs to it; the output, where an unknown end is said to have succeeded.
    pub data: Value,
}

/// What came of something that was begun.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The agent's workspace is there.
    AgentReady(AgentId),
    /// The agent's workspace cannot be made.
    AgentBroken {
        /// The agent.
        agent: AgentId,
        /// Why.
        error: TaskError,
    },
    /// A model is about to be called.
    TurnStarted {
        /// By whom.
        key: AttemptKey,
        /// Which call.
        turn: u32,
        /// `provider:model`.
        model: String,
        /// Models that are asked in its place, in order, where it may not be called now.
        others: Vec<String>,
        /// Whether the provider only rehearses.
        simulated: bool,
        /// What it can cost at most.
        quote: Quote,
        /// Fingerprint of what is asked.
        prompt: String,
    },
    /// A recorded answer is given in the place of a call.
    PlayedBack {
        /// To whom.
        key: AttemptKey,
        /// In the place of which call.
        turn: u32,
        /// Fingerprint of what is asked.
        prompt: String,
        /// What.
        record: Box<TurnRecord>,
    },
    /// The attempt asks something else than was recorded: a person says what becomes of it.
    PromptChanged {
        /// Which.
        key: AttemptKey,
        /// What the person is asked.
        question: String,
    },
    /// The model has answered.
    TurnCompleted {
        /// Whom.
        key: AttemptKey,
        /// Which call.
        turn: u32,
        /// What.
        record: Box<TurnRecord>,
    },
    /// The answer began, or the provider said that it took the call: it may be charged from here on.
    CallBegan {
        /// Whose.
        key: AttemptKey,
        /// Which call.
        turn: u32,
        /// The provider's name for it, from those that can say later what it cost.
        generation_id: Option<String>,
        /// `provider:model` that was asked.
        model: String,
    },
    /// The call brought no answer.
    TurnFailed {
        /// Whom.
        key: AttemptKey,
        /// Which call.
        turn: u32,
        /// What happened.
        failure: Box<TurnFailure>,
    },
    /// It turned out what a call cost that had ended without a word about it.
    CallPriced(Box<CallPriced>),
    /// A tool is about to be used.
    ToolCalled {
        /// By whom.
        key: AttemptKey,
        /// In which turn.
        turn: u32,
        /// What.
        call: ToolCall,
    },
    /// A tool gave back.
    ToolReturned {
        /// To whom.
        key: AttemptKey,
        /// In which turn.
        turn: u32,
        /// Which call.
        call_id: String,
        /// What the model is told.
        output: String,
        /// Whether that is an error message.
        failed: bool,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// An agent writes to another, or to a topic.
    MessageSent {
        /// The attempt that it writes from.
        key: AttemptKey,
        /// To whom.
        to: Recipient,
        /// What.
        text: String,
    },
    /// The workflow that a task asked for is there: this is its run to be.
    ChildFound {
        /// The attempt that asked.
        key: AttemptKey,
        /// The child, with an id of its own and the task's input, defaults filled in.
        start: Box<StartRun>,
    },
    /// The attempt brought its output.
    Succeeded {
        /// Which.
        key: AttemptKey,
        /// What.
        output: Value,
    },
    /// The attempt failed in an orderly way.
    Failed {
        /// Which.
        key: AttemptKey,
        /// How.
        error: TaskError,
    },
    /// The agent's work crashed (it panicked): the attempt failed, and the agent is not trusted any
    /// more.
    Crashed {
        /// Which.
        key: AttemptKey,
        /// What is known.
        error: TaskError,
    },
}

/// What a call cost, known after its end.
#[derive(Debug, Clone)]
pub struct CallPriced {
    /// Whose call it was.
    pub key: AttemptKey,
    /// Which.
    pub turn: u32,
    /// What it cost, as the provider says. What is in our books decides what is taken over.
    pub late: LateCost,
    /// The run as it ended, replayed from its log: ended runs are not kept in memory.
    pub ended: Option<Box<LiveRun>>,
}

/// A moment that matters to somebody. Those that no longer matter are ignored when they come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Timer {
    /// A failed task is tried again.
    Retry(AttemptKey),
    /// A wait is over, or nobody answered in time.
    WaitOver(AttemptKey),
    /// A run has had its time.
    RunTimeout(RunId),
    /// A run that did much at once goes on, now that others had their turn.
    GoOn(AttemptKey),
    /// An attempt has had its time.
    AttemptTimeout(AttemptKey),
    /// An agent that was spawned on demand has been idle since then for long enough.
    AgentIdle {
        /// The agent.
        agent: AgentId,
        /// When it became idle.
        since: Timestamp,
    },
    /// What waits in the middle of its work may go on: a day began, so what is limited by the day has room
    /// again, or a model may be called again.
    LookAtHeld,
    /// A pass of dispatch looks again: agents may be spawned again after some could not be made ready,
    /// or it left something for later.
    SpawnAgain,
}

/// What follows from events, for the effects to perform after they were stored.
#[derive(Debug, Clone)]
pub enum Action {
    /// Make the agent's workspace; the outcome is `AgentReady` or `AgentBroken`.
    PrepareAgent(AgentId),
    /// Remove what the agent leaves behind once nothing needs it.
    ReleaseAgent(AgentId),
    /// Begin, or take up again, an attempt.
    StartAttempt(Box<AttemptSpec>),
    /// Send a request; the outcome is `Succeeded` with `{"status", "headers", "body"}`, or `Failed`.
    StartHttp(Box<HttpSpec>),
    /// Find the workflow of a child run; the outcome is `ChildFound`, or `Failed`.
    FindWorkflow(Box<ChildSpec>),
    /// Stop an attempt: whatever it brings later is ignored.
    StopAttempt(AttemptKey),
    /// Send the timer back when its moment has come.
    SetTimer {
        /// When.
        at: Timestamp,
        /// What.
        timer: Timer,
    },
}

/// All that an agent needs to work on one attempt.
#[derive(Debug, Clone)]
pub struct AttemptSpec {
    /// Which attempt.
    pub key: AttemptKey,
    /// The workflow, for topics.
    pub workflow: WorkflowId,
    /// Who works.
    pub agent: AgentId,
    /// The worker's name.
    pub agent_name: String,
    /// The task, filled in.
    pub prompt: String,
    /// Standing orders, filled in; may be empty.
    pub instructions: String,
    /// `provider:model`; `None` means the server's default.
    pub model: Option<String>,
    /// Models that are asked, in order, when that one brings no answer.
    pub models: Vec<String>,
    /// What the step wants of the servers behind its provider.
    pub preferences: Preferences,
    /// Tools that it may use.
    pub tools: Vec<String>,
    /// JSON Schema that the answer must satisfy.
    pub output_schema: Option<Value>,
    /// Most model calls.
    pub max_turns: u32,
    /// Longest answer, in tokens.
    pub max_tokens: u32,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Turns that this attempt finished before a crash: none of them is paid for again.
    pub turns: Vec<Turn>,
    /// Whether the agent is shown what it noted in other runs.
    pub memory: bool,
    /// The recorded answers that it is given in the place of model calls.
    pub replay: Option<Replay>,
}

/// All that is needed to send a request.
#[derive(Debug, Clone)]
pub struct HttpSpec {
    /// Which attempt.
    pub key: AttemptKey,
    /// The workflow, for topics.
    pub workflow: WorkflowId,
    /// Goes with every repeat of the same request: `{run}:{task}:{turn}`.
    pub idempotency_key: String,
    /// What is sent.
    pub request: HttpRequest,
    /// Whether the answer's body is read as JSON.
    pub json: bool,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
}

/// A request, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Option<String>,
}

/// A child run that is asked for.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    /// The attempt that asks.
    pub key: AttemptKey,
    /// Name or id of the workflow.
    pub workflow: String,
    /// What the child is given; defaults are not filled in.
    pub input: Value,
}
