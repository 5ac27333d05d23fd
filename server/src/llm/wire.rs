//! What chunks and answers of a `/chat/completions` server say. Every field may be missing, null or of
//! another type than it should be; whatever can be understood is taken, the rest is passed over.
//! Streams and whole answers are read by the same code, because servers mix them up.

use serde_json::Value;

use super::cost::Dollars;

pub mod collect;

/// One chunk of a stream, or one whole answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// The provider's name for the call.
    pub id: Option<String>,
    /// The model that answers.
    pub model: Option<String>,
    /// More text.
    pub text: String,
    /// More reasoning, as text.
    pub reasoning: String,
    /// More reasoning, raw.
    pub reasoning_details: Vec<Value>,
    /// More of the words with which the model itself refuses.
    pub refusal: String,
    /// Pieces of tool calls.
    pub calls: Vec<CallPiece>,
    /// Why it ended; `Some("")` is a reason that says nothing.
    pub finish: Option<String>,
    /// Tokens and cost.
    pub usage: Option<UsagePiece>,
    /// It came as one whole message, so nothing in it continues anything else.
    pub whole: bool,
}

/// A piece of a tool call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallPiece {
    /// Which of the calls it belongs to.
    pub index: Option<u64>,
    /// The call's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// More of the arguments.
    pub arguments: String,
}

/// Tokens and cost as far as one chunk says them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsagePiece {
    /// Tokens read.
    pub prompt_tokens: Option<u64>,
    /// Tokens written.
    pub completion_tokens: Option<u64>,
    /// Of those read the ones that the provider had kept from before.
    pub cached_tokens: Option<u64>,
    /// Of those written the ones that were thought.
    pub reasoning_tokens: Option<u64>,
    /// What was charged.
    pub cost: Option<Dollars>,
}

impl Piece {
    /// Reads a chunk or an answer.
    pub fn read(value: &Value) -> Self {
        let choice = value.get("choices").and_then(|choices| choices.get(0));
        let part = |name: &str| {
            choice
                .and_then(|it| it.get(name))
                .filter(|it| it.is_object())
        };
        let (said, whole) = match (part("delta"), part("message")) {
            (Some(delta), _) => (delta, false),
            (None, Some(message)) => (message, true),
            (None, None) => (&Value::Null, false),
        };
        let details = said.get("reasoning_details").and_then(Value::as_array);
        let details = details.cloned().unwrap_or_default();
        Self {
            id: named(value.get("id")),
            model: named(value.get("model")),
            text: said.get("content").map(text_of).unwrap_or_default(),
            reasoning: reasoning_of(said, &details),
            reasoning_details: details,
            refusal: said.get("refusal").map(text_of).unwrap_or_default(),
            calls: said
                .get("tool_calls")
                .and_then(Value::as_array)
                .map(|calls| calls.iter().map(CallPiece::read).collect())
                .unwrap_or_default(),
            finish: choice
                .and_then(|choice| choice.get("finish_reason"))
                .and_then(Value::as_str)
                .map(str::to_owned),
            usage: value
                .get("usage")
                .filter(|usage| usage.is_object())
                .map(UsagePiece::read),
            whole,
        }
    }
}

impl CallPiece {
    fn read(value: &Value) -> Self {
        let function = value.get("function").unwrap_or(&Value::Null);
        let arguments = match function.get("arguments") {
            Some(Value::String(text)) => text.clone(),
            Some(object @ (Value::Object(_) | Value::Array(_))) => object.to_string(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => String::new(),
        };
        Self {
            index: value.get("index").and_then(count),
            id: named(value.get("id")).unwrap_or_default(),
            name: named(function.get("name")).unwrap_or_default(),
            arguments,
        }
    }
}

impl UsagePiece {
    fn read(usage: &Value) -> Self {
        let cost = |path: &str| {
            usage
                .pointer(path)
                .and_then(number)
                .and_then(|raw| Dollars::parse(&raw))
        };
        // With a key of one's own at the provider behind, `cost` is the fee alone.
        let own_key = usage.get("is_byok").and_then(Value::as_bool) == Some(true);
        let upstream = if own_key {
            cost("/cost_details/upstream_inference_cost")
        } else {
            None
        };
        Self {
            prompt_tokens: usage.get("prompt_tokens").and_then(count),
            completion_tokens: usage.get("completion_tokens").and_then(count),
            cached_tokens: usage
                .pointer("/prompt_tokens_details/cached_tokens")
                .and_then(count),
            reasoning_tokens: usage
                .pointer("/completion_tokens_details/reasoning_tokens")
                .and_then(count),
            cost: match (cost("/cost"), upstream) {
                (Some(fee), Some(upstream)) => Some(fee.plus(upstream)),
                (fee, upstream) => fee.or(upstream),
            },
        }
    }
}

/// The text in a content field: a text, a list of parts, or nothing.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text_of).collect(),
        Value::Object(part) => ["text", "msg", "message"]
            .iter()
            .find_map(|name| part.get(*name).and_then(Value::as_str))
            .unwrap_or_default()
            .to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

/// The digits of a number, whether it came as a number or as a text.
pub fn number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A count, however it is written. Negative counts are unknown.
pub fn count(value: &Value) -> Option<u64> {
    let raw = number(value)?;
    raw.parse().ok().or_else(|| {
        let float: f64 = raw.parse().ok()?;
        (float.is_finite() && float >= 0.0).then(|| float.round() as u64)
    })
}

/// The longest name or id that is one.
const MAX_NAME_BYTES: usize = 512;

/// A name or an id; a text of any length is neither.
fn named(value: Option<&Value>) -> Option<String> {
    filled(value).filter(|name| name.len() <= MAX_NAME_BYTES)
}

fn filled(value: Option<&Value>) -> Option<String> {
    value
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// Reasoning comes as text, as details, or as both with the same words: taken once.
fn reasoning_of(said: &Value, details: &[Value]) -> String {
    let plain = ["reasoning", "reasoning_content"]
        .iter()
        .find_map(|name| said.get(*name).map(text_of).filter(|text| !text.is_empty()));
    plain.unwrap_or_else(|| {
        let words = |detail: &Value| {
            filled(detail.get("text"))
                .or_else(|| filled(detail.get("summary")))
                .unwrap_or_default()
        };
        details.iter().map(words).collect()
    })
}
