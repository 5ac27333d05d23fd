//! Names of things. Every raw string or number from outside is parsed into one of these at the
//! door; beyond it only the newtype travels. Nothing here makes new ids: randomness is passed in.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a raw value is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{raw}` is no {what}: {rule}")]
pub struct BadId {
    /// What was expected, in words for people ("node id").
    pub what: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What came instead, cut to 80 characters.
    pub raw: String,
}

impl BadId {
    fn new(what: &'static str, rule: &'static str, raw: &str) -> Self {
        Self {
            what,
            rule,
            raw: raw.chars().take(80).collect(),
        }
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(raw: &str) -> Result<Self, BadId> {
                Uuid::parse_str(raw)
                    .map(Self)
                    .map_err(|_| BadId::new($what, "ids look like 01890a5d-ac96-774b-bcce-b302099a8057", raw))
            }
        }
    };
}

uuid_id!(
    /// A workflow, over all of its versions.
    WorkflowId,
    "workflow id"
);
uuid_id!(
    /// One execution of one workflow version.
    RunId,
    "run id"
);
uuid_id!(
    /// A long-lived worker.
    AgentId,
    "agent id"
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// A node inside one workflow: `[a-z0-9_-]{1,64}`, unique there.
    NodeId
);
text_id!(
    /// A connection point of a node: `in`, `out`, `true`, `false`, or a case of a branch.
    PortName
);
text_id!(
    /// A task inside one run: the id of its node; inside a map or a loop `each[3].draft`.
    TaskName
);

impl NodeId {
    /// Parses `[a-z0-9_-]{1,64}`.
    pub fn parse(raw: &str) -> Result<Self, BadId> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if !raw.is_empty() && raw.len() <= 64 && raw.chars().all(legal) {
            Ok(Self(raw.into()))
        } else {
            Err(BadId::new("node id", "1 to 64 of a-z, 0-9, _ and -", raw))
        }
    }
}

impl PortName {
    /// The port that every node has for what comes in.
    pub const IN: &'static str = "in";
    /// The port of most nodes for what goes out.
    pub const OUT: &'static str = "out";
    /// The port taken when a node with `on_error: branch` fails.
    pub const ERROR: &'static str = "error";

    /// Parses 1 to 64 of `A-Z a-z 0-9 _ -` and space.
    pub fn parse(raw: &str) -> Result<Self, BadId> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == ' ';
        if !raw.trim().is_empty() && raw.len() <= 64 && raw.chars().all(legal) {
            Ok(Self(raw.into()))
        } else {
            Err(BadId::new(
                "port name",
                "1 to 64 letters, digits, spaces, _ and -",
                raw,
            ))
        }
    }

    /// The port `out`.
    pub fn out() -> Self {
        Self(Self::OUT.into())
    }
}

impl TaskName {
    /// The task of a node at the top level of the workflow.
    pub fn of(node: &NodeId) -> Self {
        Self(node.0.clone())
    }

    /// The task of a node inside a round of a map or loop: `each[3].draft`.
    pub fn inside(owner: &TaskName, round: u32, node: &NodeId) -> Self {
        Self(format!("{owner}[{round}].{node}").into())
    }

    /// Parses a task name as it stands in a URL; 1 to 1,024 printable ASCII characters.
    pub fn parse(raw: &str) -> Result<Self, BadId> {
        if !raw.is_empty() && raw.len() <= 1_024 && raw.chars().all(|c| c.is_ascii_graphic()) {
            Ok(Self(raw.into()))
        } else {
            Err(BadId::new(
                "task name",
                "1 to 1,024 printable characters",
                raw,
            ))
        }
    }
}

/// Where new ids come from. The server draws them at random (UUID version 7); tests count.
pub trait IdSource {
    /// A fresh id for an agent that is spawned on demand.
    fn agent_id(&mut self) -> AgentId;
}
