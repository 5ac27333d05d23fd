//! What can come in to the kernel, and what it is asked to do in return. Commands may be refused;
//! outcomes and timers are facts about the world and are at worst too late to matter.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    agent::{AgentSpec, IllegalMove},
    event::SystemEvent,
    graph::ValidGraph,
    id::{AgentId, RunId, WorkflowId},
    money::MicroUsd,
    run::{AttemptKey, TaskError, ToolCall, Turn, TurnRecord},
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
    /// Stop a run.
    CancelRun(RunId),
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
    /// Its limit.
    pub budget_usd: Option<MicroUsd>,
    /// The run that it was made from.
    pub parent: Option<RunId>,
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
        /// Whether the provider only rehearses.
        simulated: bool,
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

/// A moment that matters to somebody. Those that no longer matter are ignored when they come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Timer {
    /// A failed task is tried again.
    Retry(AttemptKey),
    /// An attempt has had its time.
    AttemptTimeout(AttemptKey),
    /// An agent that was spawned on demand has been idle since then for long enough.
    AgentIdle {
        /// The agent.
        agent: AgentId,
        /// When it became idle.
        since: Timestamp,
    },
    /// Agents may be spawned again after some could not be made ready.
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
}

/// Why a command is refused. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No live run has this id.
    #[error("there is no live run {0}: it may have ended already")]
    NoSuchRun(RunId),
    /// No live agent has this id.
    #[error("there is no live agent {0}: it may have been terminated already")]
    NoSuchAgent(AgentId),
    /// A live agent has this name already.
    #[error(
        "an agent called `{0}` is alive already: choose another name, or terminate that one first"
    )]
    NameTaken(String),
    /// The agent cannot go there from where it is.
    #[error(transparent)]
    IllegalMove(#[from] IllegalMove),
    /// As many agents live as may.
    #[error("{0} agents are alive, which is the limit: terminate some, or raise TROUPE_MAX_AGENTS")]
    TooManyAgents(usize),
    /// The attempt is over: whoever works on it stops.
    #[error("attempt {} of task `{}` is over", .0.attempt, .0.task)]
    AttemptOver(AttemptKey),
    /// The run has spent its budget.
    #[error("the run has spent its budget of ${0}: start it again with a higher one")]
    BudgetSpent(MicroUsd),
    /// The engine contradicts itself. What led there was not stored.
    #[error("the engine contradicts itself: {0}")]
    Contradiction(String),
}
