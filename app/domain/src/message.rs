//! What agents and people write to agents. A message waits in the receiver's mailbox and is handed
//! to it with its next turn; each copy is an event of its receiver.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, RunId, TaskName};

/// Most unread messages that an agent may have.
pub const MAILBOX: usize = 100;

/// Longest text, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;

/// A message, as one receiver has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same for all copies of one message: `seq` of the first.
    pub id: u64,
    /// Who wrote it.
    pub from: Sender,
    /// The topic that it was written to; `None` when it was written to this agent alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_topic: Option<String>,
    /// What it says. Hostile, as everything that a model wrote.
    pub text: String,
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Sender {
    /// A person.
    Person {
        /// Who.
        name: String,
    },
    /// An agent, at work on a task.
    Agent {
        /// Which.
        agent_id: AgentId,
        /// Its name.
        name: String,
        /// The run that it worked for: agents of other runs do not read what it wrote.
        run_id: RunId,
        /// The task.
        task: TaskName,
    },
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// This agent.
    Agent(AgentId),
    /// The live agent of this name.
    Named(String),
    /// Every live agent that has this capability, but for the one that writes.
    Topic(String),
}

impl Message {
    /// The run that it belongs to; a person's belongs to none.
    pub fn run(&self) -> Option<RunId> {
        match &self.from {
            Sender::Person { .. } => None,
            Sender::Agent { run_id, .. } => Some(*run_id),
        }
    }
}
