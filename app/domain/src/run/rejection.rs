//! Why something that was asked is refused. Nothing changed, and the asker is told what to do.

use crate::{
    agent::IllegalMove,
    id::{AgentId, NodeId, RunId, TaskName},
    run::AttemptKey,
};

/// Why a command is refused. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No live run has this id.
    #[error("there is no live run {0}: it may have ended already")]
    NoSuchRun(RunId),
    /// No live agent has this id.
    #[error("there is no live agent {0}: it may have been terminated already")]
    NoSuchAgent(AgentId),
    /// No live agent has this name.
    #[error("no live agent is called `{0}`")]
    NobodyCalled(String),
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
    /// The call could pass a limit, or nobody knows whether, or its model may not be called now: it is not
    /// made, and its task waits or failed.
    #[error("{0}")]
    CallRefused(String),
    /// The model may not be called now, and another one of the attempt may.
    #[error("{0} is out of order or asked to slow down: another model is asked")]
    ModelShut(String),
    /// Neither this model nor another one may be called now, and what failed before them in this turn has its
    /// next try: the attempt ends as that call did.
    #[error("{0} is out of order or asked to slow down, and the one before it is tried again")]
    NoOther(String),
    /// Budgets of runs are set with the run; a limit of nothing would stop everything at once.
    #[error("{0}")]
    BadBudget(&'static str),
    /// The run came to its end.
    #[error("the run is {0} already: it cannot be held, stopped or answered any more")]
    RunOver(&'static str),
    /// The run is not at its end, so there is nothing to take up again.
    #[error("the run is still {0}: cancel it first, or wait for its end")]
    StillRunning(&'static str),
    /// The run succeeded.
    #[error("nothing in this run failed: run it again from a step, or start a new one")]
    NothingToRetry,
    /// The run went on since it was read.
    #[error("the run went on meanwhile: look at it again, then ask again")]
    Stale,
    /// The run has no such task.
    #[error("the run has no task `{0}`")]
    NoSuchTask(TaskName),
    /// The workflow has no such node.
    #[error("the workflow has no step `{0}`")]
    NoSuchNode(NodeId),
    /// A finished step is not the same any more, so its result may not be kept.
    #[error(
        "step `{0}` was finished and is another one in this version: run it again from there, or from the start"
    )]
    FinishedPartChanged(NodeId),
    /// A person was faster.
    #[error("task `{task}` was answered already, by {by}")]
    AlreadyAnswered {
        /// The task.
        task: TaskName,
        /// Who answered.
        by: String,
    },
    /// The task waits for nobody's answer.
    #[error("task `{task}` is {state} and waits for no answer")]
    NotWaiting {
        /// The task.
        task: TaskName,
        /// What it is.
        state: &'static str,
    },
    /// The answer is none of those that are asked for.
    #[error("`{port}` is no answer to task `{task}`: say one of {known}")]
    NoSuchAnswer {
        /// The task.
        task: TaskName,
        /// What was said.
        port: String,
        /// What can be said.
        known: String,
    },
    /// The agent has more unread messages than it may.
    #[error("{0} has too many unread messages: wait until it has read some")]
    MailboxFull(String),
    /// No live agent listens to the topic.
    #[error("nobody listens to `{0}`: no live agent has that capability")]
    NobodyListens(String),
    /// A message without text, or with too much of it.
    #[error("a message must have 1 to {0} bytes of text")]
    MessageSize(usize),
    /// The engine contradicts itself. What led there was not stored.
    #[error("the engine contradicts itself: {0}")]
    Contradiction(String),
}

impl Rejection {
    /// For programs; never changes its meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Rejection::NoSuchRun(_) => "no_such_run",
            Rejection::NoSuchAgent(_) | Rejection::NobodyCalled(_) => "no_such_agent",
            Rejection::NameTaken(_) => "name_taken",
            Rejection::IllegalMove(_) => "illegal_move",
            Rejection::TooManyAgents(_) => "too_many_agents",
            Rejection::AttemptOver(_) => "attempt_over",
            Rejection::CallRefused(_) => "call_refused",
            Rejection::ModelShut(_) => "model_shut",
            Rejection::NoOther(_) => "no_other_model",
            Rejection::BadBudget(_) => "bad_budget",
            Rejection::RunOver(_) => "run_over",
            Rejection::StillRunning(_) => "still_running",
            Rejection::NothingToRetry => "nothing_to_retry",
            Rejection::Stale => "stale",
            Rejection::NoSuchTask(_) => "no_such_task",
            Rejection::NoSuchNode(_) => "no_such_node",
            Rejection::FinishedPartChanged(_) => "finished_part_changed",
            Rejection::AlreadyAnswered { .. } => "already_answered",
            Rejection::NotWaiting { .. } => "not_waiting",
            Rejection::NoSuchAnswer { .. } => "no_such_answer",
            Rejection::MailboxFull(_) => "mailbox_full",
            Rejection::NobodyListens(_) => "nobody_listens",
            Rejection::MessageSize(_) => "message_size",
            Rejection::Contradiction(_) => "contradiction",
        }
    }
}
