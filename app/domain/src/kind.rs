//! The kinds of node, as one table: which keys a kind has, what type each key is, which ports go
//! out. `problems` checks a drawing against it, the editor builds its forms from it, and
//! `ValidGraph` is read by it. A kind that is not in the table is unknown to this version.

mod keys;

use serde_json::{Map, Value};

/// A kind of node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A model works on a prompt, with tools where it may.
    Agent,
    /// A template makes a new value from what is there.
    Transform,
    /// Chooses the way on.
    Branch,
    /// Does its body once for each item of a list, several at a time.
    Map,
    /// Does its body again and again.
    Loop,
    /// Sends a request to another server.
    Http,
    /// Asks a person.
    Approval,
    /// Lets time pass.
    Wait,
    /// Runs another workflow as one step.
    Workflow,
    /// Names the result of the run.
    Output,
    /// A remark on the canvas. Never runs.
    Note,
}

/// What a key of a node holds; decides how it is checked and which field the form shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeyType {
    /// One line of text.
    Line,
    /// Text of several lines, as it is.
    Text,
    /// Text of several lines with `{{ expressions }}` inside.
    Template,
    /// One expression, without braces.
    Expression,
    /// A whole number within bounds (inclusive).
    Integer {
        /// Smallest legal value.
        min: i64,
        /// Largest legal value.
        max: i64,
        /// What one step counts, in words ("ms", "tokens").
        unit: &'static str,
    },
    /// A number within bounds (inclusive).
    Number {
        /// Smallest legal value.
        min: f64,
        /// Largest legal value.
        max: f64,
    },
    /// Yes or no; a missing key means no.
    Flag,
    /// Yes or no; a missing key means yes.
    FlagOn,
    /// One of these words; the first is what a missing key means.
    Choice(&'static [&'static str]),
    /// A list of short words.
    Words,
    /// Models, in the order in which they are asked.
    Models,
    /// A model, written `provider:model`.
    Model,
    /// The name of an agent.
    AgentName,
    /// A JSON Schema (an object).
    Schema,
    /// What is wanted of the servers behind a provider (an object, see `graph::Preferences`).
    Preferences,
    /// The cases of a branch: `[{"port", "when"}]`.
    Cases,
    /// `{"attempts", "min_wait_ms", "max_wait_ms"}`.
    Retry,
    /// A graph in the form of the file: `{"nodes", "edges", "layout"}`.
    Body,
    /// Values by name, each a template (or plain JSON, which stays as it is).
    Fields,
    /// The name or id of a workflow.
    Workflow,
}

/// One key of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeySpec {
    /// The key in the workflow file.
    pub name: &'static str,
    /// What the form calls it.
    pub label: &'static str,
    /// One sentence for people: what it does, and what a missing key means.
    pub help: &'static str,
    /// What it holds.
    pub holds: KeyType,
    /// Whether a node without it cannot run.
    pub required: bool,
}

/// The longest a task may be asked to take or to wait, in milliseconds: 7 days.
pub const MAX_WAIT_MS: i64 = 7 * 24 * 3_600_000;

/// Most cases of a branch.
pub const MAX_CASES: usize = 100;

/// Most words in one list of a node, and most values by name.
pub const MAX_WORDS: usize = 100;

/// Most tries that a task may be given, the first included.
pub const MAX_ATTEMPTS: i64 = 100;

impl Kind {
    /// Every kind, in the order of the palette.
    pub const ALL: [Kind; 11] = [
        Kind::Agent,
        Kind::Transform,
        Kind::Branch,
        Kind::Map,
        Kind::Loop,
        Kind::Http,
        Kind::Approval,
        Kind::Wait,
        Kind::Workflow,
        Kind::Output,
        Kind::Note,
    ];

    /// The kind that the workflow file calls `raw`.
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == raw)
    }

    /// What the workflow file calls it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Agent => "agent",
            Kind::Transform => "transform",
            Kind::Branch => "branch",
            Kind::Map => "map",
            Kind::Loop => "loop",
            Kind::Http => "http",
            Kind::Approval => "approval",
            Kind::Wait => "wait",
            Kind::Workflow => "workflow",
            Kind::Output => "output",
            Kind::Note => "note",
        }
    }

    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Kind::Agent => "Agent",
            Kind::Transform => "Transform",
            Kind::Branch => "Branch",
            Kind::Map => "For each",
            Kind::Loop => "Loop",
            Kind::Http => "HTTP",
            Kind::Approval => "Approval",
            Kind::Wait => "Wait",
            Kind::Workflow => "Workflow",
            Kind::Output => "Output",
            Kind::Note => "Note",
        }
    }

    /// One line for the palette.
    pub fn summary(self) -> &'static str {
        match self {
            Kind::Agent => "A model works on a prompt",
            Kind::Transform => "A template makes a new value",
            Kind::Branch => "A condition chooses the way on",
            Kind::Map => "Does the same for each item of a list",
            Kind::Loop => "Does the same until it is good",
            Kind::Http => "Sends a request to another server",
            Kind::Approval => "Asks a person and waits for the answer",
            Kind::Wait => "Lets time pass",
            Kind::Workflow => "Runs another workflow as one step",
            Kind::Output => "Names the result of the run",
            Kind::Note => "A remark on the canvas",
        }
    }

    /// Keys of this kind alone, in the order of file and form.
    pub fn own_keys(self) -> &'static [KeySpec] {
        match self {
            Kind::Agent => keys::AGENT_KEYS,
            Kind::Transform => keys::TRANSFORM_KEYS,
            Kind::Branch => keys::BRANCH_KEYS,
            Kind::Map => keys::MAP_KEYS,
            Kind::Loop => keys::LOOP_KEYS,
            Kind::Http => keys::HTTP_KEYS,
            Kind::Approval => keys::APPROVAL_KEYS,
            Kind::Wait => keys::WAIT_KEYS,
            Kind::Workflow => keys::WORKFLOW_KEYS,
            Kind::Output => keys::OUTPUT_KEYS,
            Kind::Note => keys::NOTE_KEYS,
        }
    }

    /// Keys that it shares with other kinds.
    pub fn common_keys(self) -> &'static [KeySpec] {
        match self {
            Kind::Agent
            | Kind::Transform
            | Kind::Branch
            | Kind::Loop
            | Kind::Http
            | Kind::Wait
            | Kind::Workflow
            | Kind::Output => keys::COMMON_KEYS,
            Kind::Map => keys::MAP_COMMON_KEYS,
            Kind::Approval => keys::APPROVAL_COMMON_KEYS,
            Kind::Note => keys::NOTE_COMMON_KEYS,
        }
    }

    /// The spec of one key, own or common.
    pub fn key(self, name: &str) -> Option<&'static KeySpec> {
        self.own_keys()
            .iter()
            .chain(self.common_keys())
            .find(|key| key.name == name)
    }

    /// Whether it takes part in a run at all.
    pub fn runs(self) -> bool {
        match self {
            Kind::Agent
            | Kind::Transform
            | Kind::Branch
            | Kind::Map
            | Kind::Loop
            | Kind::Http
            | Kind::Approval
            | Kind::Wait
            | Kind::Workflow
            | Kind::Output => true,
            Kind::Note => false,
        }
    }

    /// Ports that things come in by.
    pub fn ports_in(self) -> &'static [&'static str] {
        if self.runs() { &["in"] } else { &[] }
    }

    /// Ports that things go out by, for a node of this kind with these keys. A branch names its own;
    /// `on_error: branch` adds `error`.
    pub fn ports_out(self, keys: &Map<String, Value>) -> Vec<String> {
        let mut ports = match self {
            Kind::Agent
            | Kind::Transform
            | Kind::Map
            | Kind::Loop
            | Kind::Http
            | Kind::Wait
            | Kind::Workflow
            | Kind::Output => vec!["out".to_owned()],
            Kind::Approval => ["approved", "rejected", "timeout"]
                .map(str::to_owned)
                .to_vec(),
            Kind::Branch => branch_ports(keys),
            Kind::Note => return Vec::new(),
        };
        if keys.get("on_error").and_then(Value::as_str) == Some("branch") {
            ports.push("error".to_owned());
        }
        ports
    }
}

fn branch_ports(keys: &Map<String, Value>) -> Vec<String> {
    let cases = keys
        .get("cases")
        .and_then(Value::as_array)
        .filter(|cases| !cases.is_empty());
    let Some(cases) = cases else {
        return vec!["true".to_owned(), "false".to_owned()];
    };
    let mut ports: Vec<String> = Vec::new();
    let named = cases
        .iter()
        // More cannot run; who only looks at a drawing need not go through all of them.
        .take(MAX_CASES)
        .filter_map(|case| case.get("port").and_then(Value::as_str));
    let other = keys.get("else").and_then(Value::as_str);
    for port in named.chain(other) {
        if !port.is_empty() && !ports.iter().any(|known| known == port) {
            ports.push(port.to_owned());
        }
    }
    ports
}
