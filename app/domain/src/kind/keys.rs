//! The keys of each kind: what people call them, what they hold, what a missing one means.

use super::{KeySpec, KeyType, MAX_WAIT_MS};

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

pub(super) const AGENT_KEYS: &[KeySpec] = &[
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
        "models",
        "Fallback models",
        KeyType::Models,
        "Asked in this order when the model brings no answer: provider:model. Empty: the agent's own.",
    ),
    key(
        "provider",
        "Provider preferences",
        KeyType::Preferences,
        "For OpenRouter: which of the servers behind it are asked. Empty: the agent's own.",
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

pub(super) const TRANSFORM_KEYS: &[KeySpec] = &[
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

pub(super) const BRANCH_KEYS: &[KeySpec] = &[
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

pub(super) const MAP_KEYS: &[KeySpec] = &[
    required(
        "items",
        "Items",
        KeyType::Expression,
        "A list. The body runs once for each of its items. Example: nodes.plan.output",
    ),
    key(
        "concurrency",
        "At the same time",
        KeyType::Integer {
            min: 1,
            max: 10_000,
            unit: "items",
        },
        "How many items are worked on at once. Empty: 10.",
    ),
    required(
        "body",
        "Body",
        KeyType::Body,
        "The steps done for each item. They see `item` and `index`.",
    ),
    key(
        "on_error",
        "When an item fails",
        KeyType::Choice(&["stop", "continue", "branch"]),
        "stop: the run fails. continue: the item has no result, the others go on. branch: goes on at port error.",
    ),
];

pub(super) const LOOP_KEYS: &[KeySpec] = &[
    required(
        "body",
        "Body",
        KeyType::Body,
        "The steps done again and again. They see `index`, and outputs of the round before until they have new ones.",
    ),
    key(
        "until",
        "Until",
        KeyType::Expression,
        "Asked after each round; the loop ends when it holds. Empty: all rounds are done.",
    ),
    key(
        "max_iterations",
        "Most rounds",
        KeyType::Integer {
            min: 1,
            max: 1_000,
            unit: "rounds",
        },
        "The loop ends after so many rounds in any case. Empty: 10.",
    ),
];

pub(super) const HTTP_KEYS: &[KeySpec] = &[
    key(
        "method",
        "Method",
        KeyType::Choice(&["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
        "What is asked of the other side.",
    ),
    required(
        "url",
        "URL",
        KeyType::Template,
        "Where the request goes: http or https. Use {{ input.name }} and {{ nodes.id.output }}.",
    ),
    key(
        "headers",
        "Headers",
        KeyType::Fields,
        "Names and values that go with the request. Never put a secret here.",
    ),
    key(
        "body",
        "Body",
        KeyType::Template,
        "What is sent. Empty: nothing.",
    ),
    key(
        "output",
        "Answer is",
        KeyType::Choice(&["text", "json"]),
        "Whether the body of the answer stays text or is read as JSON.",
    ),
];

pub(super) const APPROVAL_KEYS: &[KeySpec] = &[
    required(
        "message",
        "Message",
        KeyType::Template,
        "What a person is asked. The run waits for the answer.",
    ),
    key(
        "timeout_ms",
        "Time limit",
        KeyType::Integer {
            min: 1,
            max: MAX_WAIT_MS,
            unit: "ms",
        },
        "Without an answer by then the run goes on at port timeout. Empty: it waits for ever.",
    ),
];

pub(super) const WAIT_KEYS: &[KeySpec] = &[
    key(
        "duration_ms",
        "For",
        KeyType::Integer {
            min: 0,
            max: MAX_WAIT_MS,
            unit: "ms",
        },
        "How long the run waits here.",
    ),
    key(
        "until",
        "Until",
        KeyType::Template,
        "A moment instead, like 2030-01-31T09:00:00Z. One that is over is not waited for.",
    ),
];

pub(super) const WORKFLOW_KEYS: &[KeySpec] = &[
    required(
        "workflow",
        "Workflow",
        KeyType::Workflow,
        "The workflow that is run as one step, by its name or id.",
    ),
    key(
        "input",
        "Input",
        KeyType::Fields,
        "What it is given, by name. A single {{ expression }} keeps its type.",
    ),
];

pub(super) const OUTPUT_KEYS: &[KeySpec] = &[required(
    "value",
    "Value",
    KeyType::Template,
    "The result of the run. A single {{ expression }} keeps its type.",
)];

pub(super) const NOTE_KEYS: &[KeySpec] = &[key(
    "text",
    "Text",
    KeyType::Text,
    "Markdown, shown on the canvas.",
)];

pub(super) const TITLE: KeySpec = key(
    "title",
    "Title",
    KeyType::Line,
    "What people call this step. Empty: its id.",
);

const JOIN: KeySpec = key(
    "join",
    "Starts when",
    KeyType::Choice(&["all", "any"]),
    "all: every way in is decided and at least one was taken. any: the first way in is taken.",
);

const ON_ERROR: KeySpec = key(
    "on_error",
    "When it fails",
    KeyType::Choice(&["fail", "continue", "branch"]),
    "fail: the run fails. continue: goes on without a result. branch: goes on at port error.",
);

const RETRY: KeySpec = key(
    "retry",
    "Retry",
    KeyType::Retry,
    "Tries in all, and the waits between them, for errors that can pass. Empty: 3 tries, 2 s doubling to 10 s.",
);

const TIMEOUT: KeySpec = key(
    "timeout_ms",
    "Time limit",
    KeyType::Integer {
        min: 1,
        max: MAX_WAIT_MS,
        unit: "ms",
    },
    "The longest that one attempt may take. Empty: 10 minutes for agents, 1 minute for HTTP.",
);

const REPEATABLE: KeySpec = key(
    "repeatable",
    "May be repeated",
    KeyType::FlagOn,
    "No: it is never done twice. When it is cut off, a person says whether it happened.",
);

const DISABLED: KeySpec = key(
    "disabled",
    "Disabled",
    KeyType::Flag,
    "The step is skipped and the run goes on behind it without its result.",
);

pub(super) const COMMON_KEYS: &[KeySpec] =
    &[TITLE, JOIN, ON_ERROR, RETRY, TIMEOUT, REPEATABLE, DISABLED];

/// A map says by `on_error` what the failure of an item means.
pub(super) const MAP_COMMON_KEYS: &[KeySpec] = &[TITLE, JOIN, RETRY, TIMEOUT, REPEATABLE, DISABLED];

/// An approval says by `timeout_ms` how long it waits for a person.
pub(super) const APPROVAL_COMMON_KEYS: &[KeySpec] =
    &[TITLE, JOIN, ON_ERROR, RETRY, REPEATABLE, DISABLED];

pub(super) const NOTE_COMMON_KEYS: &[KeySpec] = &[TITLE];
