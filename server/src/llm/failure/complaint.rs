//! A complaint as a server wrote it, whatever its shape: where it is, what it says, and what it says
//! about coming back.

use serde_json::Value;

use super::hints::Hints;
use crate::llm::wire::{number, text_of};

/// What older and smaller servers say when a conversation is too long for the model.
const LENGTH_WORDS: [&str; 7] = [
    "maximum context length",
    "context length exceeded",
    "context window",
    "context_length",
    "context size",
    "prompt is too long",
    "input is too long",
];
/// What servers say of a key that they do not know, with the status of a wrong request.
const KEY_WORDS: [&str; 4] = [
    "api key not valid",
    "invalid api key",
    "incorrect api key",
    "api key is invalid",
];
/// What servers say of a model that they do not have, with the status of a wrong request.
const MODEL_WORDS: [&str; 5] = [
    "not a valid model",
    "invalid model name",
    "model not found",
    "model_not_found",
    "unknown model",
];

/// Where an answer or a chunk holds a complaint; `None` when it holds none.
pub fn complaint_in(value: &Value) -> Option<&Value> {
    // Some servers put the complaint into a list.
    let value = value
        .as_array()
        .and_then(|list| list.first())
        .unwrap_or(value);
    let set = |value: &&Value| !value.is_null() && **value != Value::Bool(false);
    let choice = value.get("choices").and_then(|choices| choices.get(0));
    let in_choice = || choice.and_then(|choice| choice.get("error")).filter(set);
    // Old vLLM puts the complaint at the top, FastAPI says `detail`.
    let flat = || {
        let is_answer = choice.is_some() || value.get("usage").is_some();
        let complains = value.get("object").and_then(Value::as_str) == Some("error")
            || value.get("detail").is_some()
            || value.get("message").is_some();
        (complains && !is_answer).then_some(value)
    };
    value
        .get("error")
        .filter(set)
        .or_else(in_choice)
        .or_else(flat)
}

/// A complaint, to be asked what it says.
pub struct Complaint<'a> {
    value: &'a Value,
}

impl<'a> Complaint<'a> {
    /// `value` as a complaint; everything is one.
    pub fn of(value: &'a Value) -> Self {
        Self { value }
    }

    fn at(&self, path: &str) -> Option<&'a Value> {
        self.value.pointer(path).filter(|found| !found.is_null())
    }

    fn text_at(&self, path: &str) -> Option<&'a str> {
        self.at(path)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    }

    /// Message, and behind it what the provider behind the provider said: the message alone is often
    /// only "provider returned error".
    pub fn words(&self) -> String {
        if let Value::String(text) = self.value {
            return text.clone();
        }
        let message = self
            .text_at("/message")
            .map(str::to_owned)
            .or_else(|| self.at("/detail").map(text_of))
            .or_else(|| self.at("/error").map(text_of))
            .unwrap_or_default();
        let raw = self.at("/metadata/raw").map(raw_words).unwrap_or_default();
        let listed = |name: &str, path: &str| {
            let found = self.at(path).filter(|found| found.is_array())?;
            Some(format!("{name} {found}"))
        };
        let reasons = listed("reasons", "/metadata/reasons");
        let patterns = listed("patterns", "/metadata/patterns");
        let constraint = self
            .text_at("/availability/constraint/detail")
            .map(str::to_owned);
        let mut words = message;
        let remedy = self.text_at("/metadata/remedy_hint").map(str::to_owned);
        for more in [
            Some(raw),
            reasons,
            patterns,
            constraint,
            self.spending(),
            remedy,
        ]
        .into_iter()
        .flatten()
        {
            if !more.is_empty() && !words.contains(&more) {
                words = if words.is_empty() {
                    more
                } else {
                    format!("{words} ({more})")
                };
            }
        }
        if words.is_empty() {
            self.value.to_string()
        } else {
            words
        }
    }

    /// A spending limit in words, where the complaint is about one.
    fn spending(&self) -> Option<String> {
        let amount = |path: &str| self.at(path).and_then(number);
        let limit = amount("/metadata/limit_usd")?;
        let mut words = format!("limit ${limit}");
        if let Some(spent) = amount("/metadata/spend_usd") {
            words = format!("{words}, spent ${spent}");
        }
        if let Some(moment) = self.text_at("/metadata/resets_at") {
            words = format!("{words}, room again at {moment}");
        }
        Some(words)
    }

    /// Whether a limit of spending is passed.
    pub fn is_spending_limit(&self) -> bool {
        ["/metadata/limit_usd", "/metadata/spend_usd"]
            .iter()
            .any(|path| self.at(path).is_some())
    }

    /// The code of a complaint about availability; empty where it is about something else.
    pub fn availability(&self) -> &'a str {
        self.text_at("/availability/code").unwrap_or_default()
    }

    /// The most exact word for what happened, where there is one.
    pub fn name(&self) -> String {
        let code = self
            .text_at("/code")
            .filter(|code| code.parse::<f64>().is_err());
        self.text_at("/metadata/error_type")
            .or(code)
            .or_else(|| self.text_at("/availability/code"))
            .or_else(|| self.text_at("/type"))
            .unwrap_or_default()
            .to_lowercase()
    }

    /// The status that the complaint stands for when HTTP itself said 200. A failure nobody explains
    /// counts as the provider's own, which may be tried again.
    pub fn status(&self) -> u16 {
        let code = self.at("/code").and_then(number);
        let code = code.and_then(|code| code.parse::<u16>().ok());
        if let Some(code) = code.filter(|code| (400..600).contains(code)) {
            return code;
        }
        match self.name().as_str() {
            "invalid_request"
            | "invalid_request_error"
            | "invalid_prompt"
            | "bad_request"
            | "badrequesterror" => 400,
            "authentication" | "authentication_error" | "invalid_api_key" => 401,
            "payment_required" => 402,
            "permission_denied" | "permission_error" => 403,
            "not_found" | "not_found_error" | "model_not_found" | "notfounderror" => 404,
            "precondition_failed" => 412,
            "payload_too_large" => 413,
            "unprocessable" => 422,
            "rate_limit_exceeded" | "rate_limit_error" | "capacity_exhausted" => 429,
            "server_error" | "internalservererror" | "server" | "unmapped" | "api_error" => 500,
            "provider_overloaded"
            | "unavailable_error"
            | "overloaded_error"
            | "temporarily_unavailable" => 503,
            "timeout" => 504,
            _ => 502,
        }
    }

    /// What it says about coming back, where the response itself did not. A complaint about
    /// availability knows better than anything else whether waiting helps.
    pub fn hints(&self, known: Hints) -> Hints {
        let headers = self.at("/metadata/headers").and_then(Value::as_object);
        let texts: Vec<(String, String)> = headers
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.to_lowercase(), number(value)?)))
            .collect();
        let own_wait = self.at("/availability/retry_after").and_then(number);
        let said = Hints::read(known.now, |name| {
            let wait = own_wait.as_deref().filter(|_| name == "retry-after");
            wait.or_else(|| {
                let found = texts.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.as_str())
            })
        });
        let retryable = self.at("/availability/retryable").and_then(Value::as_bool);
        Hints {
            should_retry: retryable.or(known.should_retry).or(said.should_retry),
            ..known.or(said)
        }
    }

    /// Whether the limit is one of the day.
    pub fn is_daily(&self) -> bool {
        let source = self.text_at("/metadata/limit_source").unwrap_or_default();
        let words = self.words();
        source.contains("daily") || words.contains("per-day") || words.contains("limit_rpd")
    }

    /// Whether the limit is one of the server behind the provider, so that other models are not concerned.
    pub fn is_upstream(&self) -> bool {
        let source = self.text_at("/metadata/limit_source").unwrap_or_default();
        let named = ["/metadata/provider_name", "/metadata/raw"]
            .iter()
            .any(|path| self.at(path).is_some());
        source.starts_with("upstream_") || source.contains("shared_capacity") || named
    }

    /// Whether the credit is only held by other calls, and comes back.
    pub fn is_in_flight(&self) -> bool {
        ["/metadata/reason", "/metadata/limit_source"]
            .iter()
            .filter_map(|path| self.text_at(path))
            .any(|word| word.contains("in_flight"))
    }

    /// Whether its words are about a conversation that is too long.
    pub fn is_about_length(&self) -> bool {
        self.says(&LENGTH_WORDS)
    }

    /// Whether its words are about a key that is not known.
    pub fn is_about_the_key(&self) -> bool {
        self.says(&KEY_WORDS)
    }

    /// Whether its words are about a model that is not there.
    pub fn is_about_the_model(&self) -> bool {
        self.says(&MODEL_WORDS)
    }

    /// Whether nothing was found at the address, whatever was asked for.
    pub fn is_about_the_path(&self) -> bool {
        let said = self.words().to_lowercase();
        let said = said.trim().trim_end_matches('.');
        [
            "not found",
            "file not found",
            "page not found",
            "404 page not found",
            "method not allowed",
        ]
        .contains(&said)
    }

    fn says(&self, words: &[&str]) -> bool {
        let said = self.words().to_lowercase();
        words.iter().any(|word| said.contains(word))
    }
}

/// What the provider behind the provider said: a text, JSON inside a text, or an object.
fn raw_words(raw: &Value) -> String {
    let parsed = raw
        .as_str()
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let value = parsed.as_ref().unwrap_or(raw);
    let inner = value
        .pointer("/error/message")
        .or_else(|| value.get("message"));
    inner
        .and_then(Value::as_str)
        .map_or_else(|| text_of(value), str::to_owned)
}
