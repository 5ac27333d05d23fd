//! The kinds of node, as one table: which keys a kind has, what type each key is, which ports go
//! out. `problems` checks a drawing against it, the editor builds its forms from it, and
//! `ValidGraph` is read by it. A kind that is not in the table is unknown to this version.

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
    /// Yes or no.
    Flag,
    /// One of these words; the first is what a missing key means.
    Choice(&'static [&'static str]),
    /// A list of short words.
    Words,
    /// A model, written `provider:model`.
    Model,
    /// The name of an agent.
    AgentName,
    /// A JSON Schema (an object).
    Schema,
    /// The cases of a branch: `[{"port", "when"}]`.
    Cases,
    /// `{"attempts", "min_wait_ms", "max_wait_ms"}`.
    Retry,
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

const fn key(
    name: &'static str,
    label: &'static str,
    holds: KeyType,
    help: &'static str,
) -> KeySpec {
    KeySpec {
        name,
        label,
        help,
        holds,
        required: false,
    }
}

const fn required(
    name: &'static str,
    label: &'static str,
    holds: KeyType,
    help: &'static str,
) -> KeySpec {
    KeySpec {
        name,
        label,
        help,
        holds,
        required: true,
    }
}

/// The longest a task may be asked to take or to wait, in milliseconds: 7 days.
pub const MAX_WAIT_MS: i64 = 7 * 24 * 3_600_000;

/// Most tries that a task may be given, the first included.
pub const MAX_ATTEMPTS: i64 = 100;

const AGENT_KEYS: &[KeySpec] = &[
    required(
        "prompt",
        "Prompt",
        KeyType::Template,
        "What the agent is asked to do. Use {{ input.name }} and {{ nodes.id.output }}.",
    ),
    key(
        "agent",
        "Agent",
        KeyType::AgentName,
        "A named agent. Empty: any agent that has the capabilities.",
    ),
    key(
        "capabilities",
        "Capabilities",
        KeyType::Words,
        "What the agent must be able to do. One is spawned when none is free.",
    ),
    key(
        "model",
        "Model",
        KeyType::Model,
        "provider:model. Empty: the agent's own model.",
    ),
    key(
        "instructions",
        "Instructions",
        KeyType::Template,
        "Standing orders that go before the prompt. Empty: the agent's own.",
    ),
    key(
        "tools",
        "Tools",
        KeyType::Words,
        "Tools that the agent may use here. Empty: the agent's own.",
    ),
    key(
        "output_schema",
        "Output schema",
        KeyType::Schema,
        "A JSON Schema that the answer must satisfy. Empty: the answer is text.",
    ),
    key(
        "max_turns",
        "Most turns",
        KeyType::Integer {
            min: 1,
            max: 100,
            unit: "turns",
        },
        "Model calls within one attempt. Empty: 20.",
    ),
    key(
        "max_tokens",
        "Most tokens",
        KeyType::Integer {
            min: 16,
            max: 200_000,
            unit: "tokens",
        },
        "Length of one answer. Empty: 2,048.",
    ),
    key(
        "temperature",
        "Temperature",
        KeyType::Number { min: 0.0, max: 2.0 },
        "0 is sober, 2 is wild. Empty: the model's own.",
    ),
];

const TRANSFORM_KEYS: &[KeySpec] = &[
    required(
        "template",
        "Template",
        KeyType::Template,
        "What comes out, with {{ expressions }} filled in.",
    ),
    key(
        "as",
        "Result is",
        KeyType::Choice(&["text", "json"]),
        "Whether the result is text or is read as JSON.",
    ),
];

const BRANCH_KEYS: &[KeySpec] = &[
    key(
        "condition",
        "Condition",
        KeyType::Expression,
        "Goes on at port true or false. Example: 'yes' in nodes.review.output",
    ),
    key(
        "cases",
        "Cases",
        KeyType::Cases,
        "Several ports instead of true and false: the first case that holds is taken.",
    ),
    key(
        "else",
        "Otherwise",
        KeyType::Line,
        "The port taken when no case holds.",
    ),
];

const OUTPUT_KEYS: &[KeySpec] = &[required(
    "value",
    "Value",
    KeyType::Template,
    "The result of the run. A single {{ expression }} keeps its type.",
)];

const NOTE_KEYS: &[KeySpec] = &[key(
    "text",
    "Text",
    KeyType::Text,
    "Markdown, shown on the canvas.",
)];

const TITLE: KeySpec = key(
    "title",
    "Title",
    KeyType::Line,
    "What people call this step. Empty: its id.",
);

const COMMON_KEYS: &[KeySpec] = &[
    TITLE,
    key(
        "join",
        "Starts when",
        KeyType::Choice(&["all", "any"]),
        "all: every way in is decided and at least one was taken. any: the first way in is taken.",
    ),
    key(
        "on_error",
        "When it fails",
        KeyType::Choice(&["fail", "continue", "branch"]),
        "fail: the run fails. continue: goes on without a result. branch: goes on at port error.",
    ),
    key(
        "retry",
        "Retry",
        KeyType::Retry,
        "Tries in all, and the waits between them, for errors that can pass. Empty: 3 tries, 2 s doubling to 10 s.",
    ),
    key(
        "timeout_ms",
        "Time limit",
        KeyType::Integer {
            min: 1,
            max: MAX_WAIT_MS,
            unit: "ms",
        },
        "The longest that one attempt may take. Empty: 10 minutes for agents.",
    ),
    key(
        "disabled",
        "Disabled",
        KeyType::Flag,
        "The step is skipped and the run goes on behind it without its result.",
    ),
];

const NOTE_COMMON_KEYS: &[KeySpec] = &[TITLE];

impl Kind {
    /// Every kind, in the order of the palette.
    pub const ALL: [Kind; 5] = [
        Kind::Agent,
        Kind::Transform,
        Kind::Branch,
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
            Kind::Output => "Names the result of the run",
            Kind::Note => "A remark on the canvas",
        }
    }

    /// Keys of this kind alone, in the order of file and form.
    pub fn own_keys(self) -> &'static [KeySpec] {
        match self {
            Kind::Agent => AGENT_KEYS,
            Kind::Transform => TRANSFORM_KEYS,
            Kind::Branch => BRANCH_KEYS,
            Kind::Output => OUTPUT_KEYS,
            Kind::Note => NOTE_KEYS,
        }
    }

    /// Keys that it shares with other kinds.
    pub fn common_keys(self) -> &'static [KeySpec] {
        match self {
            Kind::Agent | Kind::Transform | Kind::Branch | Kind::Output => COMMON_KEYS,
            Kind::Note => NOTE_COMMON_KEYS,
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
            Kind::Agent | Kind::Transform | Kind::Branch | Kind::Output => true,
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
            Kind::Agent | Kind::Transform | Kind::Output => vec!["out".to_owned()],
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
        .filter_map(|case| case.get("port").and_then(Value::as_str));
    let other = keys.get("else").and_then(Value::as_str);
    for port in named.chain(other) {
        if !port.is_empty() && !ports.iter().any(|known| known == port) {
            ports.push(port.to_owned());
        }
    }
    ports
}
