//! What travels between server, browsers and other programs. Numbers of time are milliseconds here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    event::EventSeverity,
    id::{AgentId, RunId, TaskName, WorkflowId},
    money::MicroUsd,
    time::Timestamp,
};

/// From the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Frame {
    /// The first frame of every connection.
    Hello {
        /// Changes when the database was replaced: numbers of before mean nothing then.
        epoch: String,
        /// `seq` of the newest event.
        head: u64,
    },
    /// A stored fact.
    Event(EventFrame),
    /// A piece of streaming text; may be lost.
    Delta(Delta),
    /// Figures of the moment, every 2 s.
    Metrics {
        /// Always `metrics.updated`.
        #[serde(rename = "type")]
        name: String,
        /// The figures.
        data: Metrics,
    },
    /// The client was too far behind: it reloads, and goes on from `head`.
    Snapshot {
        /// `seq` to go on from.
        head: u64,
    },
}

/// From a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ClientFrame {
    /// Send these topics too; with `after`, first what was stored behind it.
    Subscribe {
        /// Patterns of topics.
        topics: Vec<String>,
        /// The last `seq` that the client has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Send these patterns no more.
    Unsubscribe {
        /// Patterns as they were subscribed.
        topics: Vec<String>,
    },
    /// Answered by a `metrics` frame, so that a client can tell a dead connection.
    Ping,
}

/// A stored fact as it travels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventFrame {
    /// Place in the log.
    pub seq: u64,
    /// Place in the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_seq: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// What: `task.completed`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is published.
    pub topic: String,
    /// The workflow it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<WorkflowId>,
    /// The run it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The task it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskName>,
    /// The agent it is about, or that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// How much attention it asks for.
    pub severity: EventSeverity,
    /// The rest, by type.
    pub data: Value,
}

/// A piece of streaming text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The workflow, for the topic.
    pub workflow_id: WorkflowId,
    /// The run.
    pub run_id: RunId,
    /// The task.
    pub task: TaskName,
    /// Which try.
    pub attempt: u32,
    /// Which model call of the try.
    pub turn: u32,
    /// Where the text begins in the answer, in bytes of UTF-8.
    pub offset: u64,
    /// The text.
    pub text: String,
    /// Whether a crash cut the answer behind this: it begins anew, and this is shown until it does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// Figures of the moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// `seq` of the newest event.
    pub head: u64,
    /// Runs that are not at their end.
    pub runs_live: u64,
    /// Tasks that an agent is at.
    pub tasks_running: u64,
    /// Tasks that wait for an agent.
    pub tasks_ready: u64,
    /// Agents by state.
    pub agents: AgentCounts,
    /// Tokens that models wrote in the last 2 s, per second.
    pub tokens_per_second: u64,
    /// What was spent since midnight UTC, as far as known.
    pub cost_today_usd: MicroUsd,
    /// Open WebSockets.
    pub sockets: u64,
    /// Resident memory of the server, in bytes; `None` where the system does not say.
    pub memory_bytes: Option<u64>,
    /// Parts that do not work, one sentence each.
    pub degraded: Vec<String>,
    /// Models that failed so often that nobody calls them for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unhealthy: Vec<Unhealthy>,
    /// Keys that have little left to spend, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub low_quotas: Vec<String>,
}

/// A model that is out of order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unhealthy {
    /// Whose model.
    pub provider: String,
    /// Its name there.
    pub model: String,
    /// What went wrong last.
    pub reason: String,
    /// When one call finds out whether it works again; `None` while that call is made.
    pub until: Option<Timestamp>,
}

/// Agents by state; those that are gone do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentCounts {
    /// Being made.
    pub spawning: u64,
    /// Waiting for work.
    pub idle: u64,
    /// At work.
    pub working: u64,
    /// Held by a person.
    pub paused: u64,
    /// Crashed.
    pub error: u64,
}
