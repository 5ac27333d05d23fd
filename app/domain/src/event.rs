//! The log: every fact that was stored, numbered, never changed. A [`Fact`] is the typed form,
//! [`EventFrame`](crate::frame::EventFrame) the form on the wire and in the database.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    agent::AgentEvent,
    budget::{Budget, Notice, Scope},
    frame::EventFrame,
    id::{AgentId, RunId, TaskName, WorkflowId},
    run::{RunEvent, TaskEvent},
    time::Timestamp,
};

/// A stored fact with its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Global, strictly increasing, gapless in one database.
    pub seq: u64,
    /// 1, 2, 3, ... within a run; `None` for what belongs to none.
    pub run_seq: Option<u64>,
    /// When the kernel decided it.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
}

/// What happened, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// To a run as a whole.
    Run {
        /// The run.
        run: RunId,
        /// Its workflow.
        workflow: WorkflowId,
        /// What.
        event: RunEvent,
    },
    /// To one task of a run.
    Task {
        /// The run.
        run: RunId,
        /// Its workflow.
        workflow: WorkflowId,
        /// The task.
        task: TaskName,
        /// The agent that is at it.
        agent: Option<AgentId>,
        /// What.
        event: TaskEvent,
    },
    /// To an agent.
    Agent {
        /// The agent.
        agent: AgentId,
        /// What.
        event: AgentEvent,
    },
    /// To the server.
    System(SystemEvent),
}

/// What happened to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum SystemEvent {
    /// It started.
    #[serde(rename = "system.started")]
    Started {
        /// Its version.
        version: String,
        /// Runs that go on from where they were.
        runs_recovered: u64,
    },
    /// A part stopped working; the rest goes on.
    #[serde(rename = "system.degraded")]
    Degraded {
        /// Which part: `store`, `bus`, ...
        part: String,
        /// What happened, what it means, what to do.
        message: String,
    },
    /// A person set the budget of a workflow, an agent, a provider or the day, or took it away.
    #[serde(rename = "budget.set")]
    BudgetSet {
        /// What is limited.
        #[serde(flatten)]
        scope: Scope,
        /// The limit; `None`: there is none any more.
        budget: Option<Budget>,
        /// Who.
        by: String,
    },
    /// Four fifths of such a budget are spent.
    #[serde(rename = "budget.warned")]
    BudgetWarned(Notice),
    /// The part works again.
    #[serde(rename = "system.recovered")]
    Recovered {
        /// Which part.
        part: String,
    },
    /// A model failed so often that nobody calls it for a while.
    #[serde(rename = "provider.unhealthy")]
    ProviderUnhealthy {
        /// Whose model.
        provider: String,
        /// Its name there.
        model: String,
        /// What went wrong last.
        reason: String,
        /// When one call finds out whether it works again.
        until: Timestamp,
    },
    /// What a provider's key may still spend comes to its end.
    #[serde(rename = "provider.quota_low")]
    QuotaLow {
        /// Whose key.
        provider: String,
        /// What is left, what happens when it is gone, what to do.
        message: String,
    },
    /// It answers again.
    #[serde(rename = "provider.recovered")]
    ProviderRecovered {
        /// Whose model.
        provider: String,
        /// Its name there.
        model: String,
    },
}

/// How much attention an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventSeverity {
    /// As it should be.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
}

impl EventSeverity {
    /// Its name in API, database and pages.
    pub fn name(self) -> &'static str {
        match self {
            EventSeverity::Info => "info",
            EventSeverity::Warning => "warning",
            EventSeverity::Error => "error",
        }
    }

    /// Reads what `name` wrote.
    pub fn parse(raw: &str) -> Option<Self> {
        [
            EventSeverity::Info,
            EventSeverity::Warning,
            EventSeverity::Error,
        ]
        .into_iter()
        .find(|severity| severity.name() == raw)
    }
}

/// A stored event that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("event {seq} (`{kind}`) cannot be read: {reason}")]
pub struct UnreadableEvent {
    /// Its place in the log.
    pub seq: u64,
    /// Its type.
    pub kind: String,
    /// What is wrong with it.
    pub reason: String,
}

/// `{"type": ..., "data": ...}`, the form that the event enums are written in.
#[derive(Serialize, Deserialize)]
struct Tagged {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
}

impl Fact {
    /// The run that it belongs to.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Fact::Run { run, .. } | Fact::Task { run, .. } => Some(*run),
            Fact::Agent { .. } | Fact::System(_) => None,
        }
    }

    /// How much attention it asks for.
    pub fn severity(&self) -> EventSeverity {
        match self {
            Fact::Run { event, .. } => match event {
                RunEvent::Failed { .. } => EventSeverity::Error,
                RunEvent::Cancelled { .. }
                | RunEvent::BudgetWarned(_)
                | RunEvent::BudgetExceeded(_) => EventSeverity::Warning,
                RunEvent::Queued { .. }
                | RunEvent::Started {}
                | RunEvent::Paused { .. }
                | RunEvent::Resumed { .. }
                | RunEvent::BudgetSet { .. }
                | RunEvent::ChildEnded { .. }
                | RunEvent::Completed { .. } => EventSeverity::Info,
            },
            Fact::Task { event, .. } => match event {
                TaskEvent::Failed { .. } => EventSeverity::Error,
                TaskEvent::Retrying { .. }
                | TaskEvent::Unknown { .. }
                | TaskEvent::TurnFailed { .. } => EventSeverity::Warning,
                TaskEvent::Ready { .. }
                | TaskEvent::Opened { .. }
                | TaskEvent::Answered { .. }
                | TaskEvent::Assigned { .. }
                | TaskEvent::Started { .. }
                | TaskEvent::TurnStarted { .. }
                | TaskEvent::TurnBegan { .. }
                | TaskEvent::TurnCompleted { .. }
                | TaskEvent::TurnPriced { .. }
                | TaskEvent::ToolCalled { .. }
                | TaskEvent::ToolReturned { .. }
                | TaskEvent::Waiting { .. }
                | TaskEvent::Completed { .. }
                | TaskEvent::Skipped { .. }
                | TaskEvent::Cancelled { .. } => EventSeverity::Info,
            },
            Fact::Agent { event, .. } => match event {
                AgentEvent::Error { .. } => EventSeverity::Error,
                AgentEvent::Spawned { .. }
                | AgentEvent::Idle { .. }
                | AgentEvent::Working { .. }
                | AgentEvent::Freed { .. }
                | AgentEvent::Charged { .. }
                | AgentEvent::Message(_)
                | AgentEvent::Read { .. }
                | AgentEvent::Paused { .. }
                | AgentEvent::Resumed { .. }
                | AgentEvent::Terminated { .. } => EventSeverity::Info,
            },
            Fact::System(event) => match event {
                SystemEvent::Degraded { .. } => EventSeverity::Error,
                SystemEvent::ProviderUnhealthy { .. }
                | SystemEvent::QuotaLow { .. }
                | SystemEvent::BudgetWarned(_) => EventSeverity::Warning,
                SystemEvent::Started { .. }
                | SystemEvent::BudgetSet { .. }
                | SystemEvent::Recovered { .. }
                | SystemEvent::ProviderRecovered { .. } => EventSeverity::Info,
            },
        }
    }

    fn tagged(&self) -> Tagged {
        let value = match self {
            Fact::Run { event, .. } => serde_json::to_value(event),
            Fact::Task { event, .. } => serde_json::to_value(event),
            Fact::Agent { event, .. } => serde_json::to_value(event),
            Fact::System(event) => serde_json::to_value(event),
        };
        // The enums hold only strings, numbers and JSON values: they always can be written.
        value.and_then(serde_json::from_value).unwrap_or(Tagged {
            kind: String::new(),
            data: Value::Null,
        })
    }
}

impl Event {
    /// The form on the wire and in the database.
    pub fn to_frame(&self) -> EventFrame {
        let Tagged { kind, data } = self.fact.tagged();
        let (workflow_id, run_id, task, agent_id) = match &self.fact {
            Fact::Run { run, workflow, .. } => (Some(*workflow), Some(*run), None, None),
            Fact::Task {
                run,
                workflow,
                task,
                agent,
                ..
            } => (Some(*workflow), Some(*run), Some(task.clone()), *agent),
            Fact::Agent { agent, .. } => (None, None, None, Some(*agent)),
            Fact::System(_) => (None, None, None, None),
        };
        EventFrame {
            seq: self.seq,
            run_seq: self.run_seq,
            at: self.at,
            kind,
            topic: crate::topic::of_fact(&self.fact),
            workflow_id,
            run_id,
            task,
            agent_id,
            severity: self.fact.severity(),
            data,
        }
    }

    /// Reads what `to_frame` wrote.
    pub fn from_frame(frame: EventFrame) -> Result<Self, UnreadableEvent> {
        let EventFrame {
            seq,
            run_seq,
            at,
            kind,
            workflow_id,
            run_id,
            task,
            agent_id,
            data,
            ..
        } = frame;
        let unreadable = |reason: String| UnreadableEvent {
            seq,
            kind: kind.clone(),
            reason,
        };
        let mut tagged = serde_json::Map::new();
        tagged.insert("type".into(), kind.clone().into());
        tagged.insert("data".into(), data);
        let tagged = Value::Object(tagged);
        let fact = match (run_id, workflow_id, task, agent_id) {
            (Some(run), Some(workflow), Some(task), agent) => Fact::Task {
                run,
                workflow,
                task,
                agent,
                event: serde_json::from_value(tagged)
                    .map_err(|error| unreadable(error.to_string()))?,
            },
            (Some(run), Some(workflow), None, _) => Fact::Run {
                run,
                workflow,
                event: serde_json::from_value(tagged)
                    .map_err(|error| unreadable(error.to_string()))?,
            },
            (None, None, None, Some(agent)) => Fact::Agent {
                agent,
                event: serde_json::from_value(tagged)
                    .map_err(|error| unreadable(error.to_string()))?,
            },
            (None, None, None, None) => Fact::System(
                serde_json::from_value(tagged).map_err(|error| unreadable(error.to_string()))?,
            ),
            _ => {
                return Err(unreadable(
                    "its run, workflow, task and agent do not fit together".into(),
                ));
            }
        };
        Ok(Self {
            seq,
            run_seq,
            at,
            fact,
        })
    }
}
