//! From what a server complained about to what it means (`LlmError`). Servers complain in many shapes:
//! an object, a string, a bare `detail`, a number or a word as code, a web page. One reader takes them all.

use domain::time::Timestamp;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{
    LlmError,
    key::ApiKey,
    wire::{number, text_of},
};

/// The most of a foreign text that is shown.
const MAX_DETAIL_CHARS: usize = 500;

/// Who was asked for what; goes into every error of a call.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The provider's name.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// The key in use, to be cut out of complaints.
    pub key: Option<ApiKey>,
}

impl Asked {
    /// `text` fit for an error: without the key, on one line, not too long.
    pub fn detail(&self, text: &str) -> String {
        let clean = match &self.key {
            Some(key) => key.redact(text),
            None => text.to_owned(),
        };
        let mut words = String::new();
        for word in clean.split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
            if words.len() > 4 * MAX_DETAIL_CHARS {
                break;
            }
        }
        let cut = words.char_indices().nth(MAX_DETAIL_CHARS).map(|(at, _)| at);
        if let Some(at) = cut {
            words.truncate(at);
            words.push('…');
        }
        words.trim_end_matches('.').to_owned()
    }
}

/// What the response says besides its body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints {
    /// How long to wait, from `Retry-After` and its kin.
    pub retry_after_ms: Option<u64>,
    /// When the limit ends.
    pub resets_at: Option<Timestamp>,
    /// The moment of the response.
    pub now: Timestamp,
}

impl Hints {
    /// Reads the headers of a response that came at `now`.
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let in_ms = header("retry-after-ms").and_then(|raw| ms(raw, 1.0));
        let in_s = header("retry-after").and_then(|raw| wait_ms(raw, now));
        let resets_at = header("x-ratelimit-reset").and_then(|raw| moment(raw, now));
        Self {
            retry_after_ms: in_ms.or(in_s),
            resets_at,
            now,
        }
    }
}

/// `Retry-After`: seconds, or a date.
fn wait_ms(raw: &str, now: Timestamp) -> Option<u64> {
    ms(raw, 1_000.0).or_else(|| {
        let date = httpdate::parse_http_date(raw.trim()).ok()?;
        let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        let date = Timestamp(i64::try_from(since.as_millis()).ok()?);
        Some(date.ms_since(now))
    })
}

fn ms(raw: &str, unit_ms: f64) -> Option<u64> {
    let value: f64 = raw.trim().parse().ok()?;
    // A cast of a float saturates, so an absurd wait stays an absurd wait.
    (value.is_finite() && value >= 0.0).then(|| (value * unit_ms).ceil() as u64)
}

/// A reset time: milliseconds or seconds since 1970, or seconds from now.
fn moment(raw: &str, now: Timestamp) -> Option<Timestamp> {
    let value = ms(raw, 1.0)?;
    let value_ms = i64::try_from(value).ok()?;
    Some(match value {
        1_000_000_000_000.. => Timestamp(value_ms),
        1_000_000_000.. => Timestamp(value_ms.saturating_mul(1_000)),
        0.. => now.plus_ms(value.saturating_mul(1_000)),
    })
}

/// A response whose status is an error.
pub fn of_response(asked: &Asked, status: u16, body: &str, hints: Hints) -> LlmError {
    match serde_json::from_str::<Value>(body.trim()) {
        Ok(value) => {
            let complaint = complaint_in(&value).unwrap_or(&value);
            of_complaint(asked, Some(status), complaint, hints)
        }
        Err(_) if body.trim().is_empty() => meaning(asked, status, "no explanation".into(), hints),
        Err(_) => meaning(asked, status, asked.detail(body), hints),
    }
}

/// Where an answer or a chunk holds a complaint; `None` when it holds none.
pub fn complaint_in(value: &Value) -> Option<&Value> {
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

/// A complaint as an error. `status` is that of the response; without one (HTTP said 200) the
/// complaint's own code decides.
pub fn of_complaint(
    asked: &Asked,
    status: Option<u16>,
    complaint: &Value,
    hints: Hints,
) -> LlmError {
    let read = Complaint { value: complaint };
    let detail = asked.detail(&read.words());
    let detail = if detail.is_empty() {
        "no explanation".to_owned()
    } else {
        detail
    };
    let status = status
        .filter(|status| *status >= 400)
        .unwrap_or_else(|| read.status());
    let hints = read.hints(hints);
    let Asked {
        provider, model, ..
    } = asked.clone();

    let name = read.name();
    match name.as_str() {
        "context_length_exceeded"
        | "exceed_context_size_error"
        | "token_limit_exceeded"
        | "string_too_long" => {
            return LlmError::TooLong {
                provider,
                model,
                detail,
            };
        }
        "insufficient_quota" => {
            return LlmError::NoCredit {
                provider,
                detail,
                retry_after_ms: None,
            };
        }
        "content_policy_violation" | "content_filter" | "refusal" => {
            return LlmError::Refused { provider, detail };
        }
        _ => {}
    }
    // Newer complaints about availability say themselves whether waiting helps.
    match read.availability_retryable() {
        Some(true) if status != 429 => LlmError::Failed {
            provider,
            status,
            detail,
            retry_after_ms: hints.retry_after_ms,
        },
        Some(false) if status >= 429 => LlmError::BadRequest {
            provider,
            status,
            detail,
        },
        Some(_) | None if status == 429 && read.is_daily() => LlmError::DailyLimit {
            provider,
            detail,
            resets_at: hints.resets_at,
        },
        Some(_) | None => meaning(asked, status, detail, hints),
    }
}

/// What a status alone means.
fn meaning(asked: &Asked, status: u16, detail: String, hints: Hints) -> LlmError {
    let Asked {
        provider, model, ..
    } = asked.clone();
    let until_reset = hints.resets_at.map(|moment| moment.ms_since(hints.now));
    let retry_after_ms = hints.retry_after_ms;
    match status {
        401 => LlmError::BadKey { provider, detail },
        402 => LlmError::NoCredit {
            provider,
            detail,
            retry_after_ms,
        },
        403 => LlmError::Refused { provider, detail },
        404 => LlmError::NoModel {
            provider,
            model,
            detail,
        },
        429 => LlmError::RateLimited {
            provider,
            detail,
            retry_after_ms: retry_after_ms.or(until_reset),
        },
        408 | 409 | 425 | 500.. => LlmError::Failed {
            provider,
            status,
            detail,
            retry_after_ms,
        },
        300..400 => LlmError::BadRequest {
            provider,
            status,
            detail: "it answered with a redirect, so its address is not the real one".into(),
        },
        0..300 | 400..500 => LlmError::BadRequest {
            provider,
            status,
            detail,
        },
    }
}

struct Complaint<'a> {
    value: &'a Value,
}

impl Complaint<'_> {
    fn at(&self, path: &str) -> Option<&Value> {
        self.value.pointer(path).filter(|found| !found.is_null())
    }

    fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    }

    /// Message, and behind it what the provider behind the provider said: the message alone is often
    /// only "provider returned error".
    fn words(&self) -> String {
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
        let reasons = self
            .at("/metadata/reasons")
            .map(|reasons| format!("reasons {reasons}"));
        let mut words = message;
        for more in [Some(raw), reasons].into_iter().flatten() {
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

    /// The most exact word for what happened, where there is one.
    fn name(&self) -> String {
        let code = self
            .text_at("/code")
            .filter(|code| code.parse::<f64>().is_err());
        self.text_at("/metadata/error_type")
            .or(code)
            .or_else(|| self.text_at("/type"))
            .unwrap_or_default()
            .to_lowercase()
    }

    /// The status that the complaint stands for when HTTP itself said 200. A failure nobody explains
    /// counts as the provider's own, which may be tried again.
    fn status(&self) -> u16 {
        let code = self.at("/code").and_then(number);
        let code = code.and_then(|code| code.parse::<u16>().ok());
        if let Some(code) = code.filter(|code| (400..600).contains(code)) {
            return code;
        }
        match self.name().as_str() {
            "invalid_request" | "invalid_request_error" | "invalid_prompt" | "bad_request" => 400,
            "authentication" | "authentication_error" | "invalid_api_key" => 401,
            "payment_required" => 402,
            "permission_denied" | "permission_error" => 403,
            "not_found" | "not_found_error" | "model_not_found" => 404,
            "payload_too_large" => 413,
            "unprocessable" => 422,
            "rate_limit_exceeded" | "rate_limit_error" => 429,
            "server_error" | "internalservererror" | "server" | "unmapped" | "api_error" => 500,
            "provider_overloaded" | "unavailable_error" | "overloaded_error" => 503,
            "timeout" => 504,
            _ => 502,
        }
    }

    fn hints(&self, known: Hints) -> Hints {
        let reset = self
            .at("/metadata/headers/X-RateLimit-Reset")
            .and_then(number);
        let wait = self
            .at("/availability/retry_after")
            .or_else(|| self.at("/metadata/headers/Retry-After"))
            .and_then(number);
        Hints {
            retry_after_ms: known
                .retry_after_ms
                .or_else(|| wait.and_then(|raw| wait_ms(&raw, known.now))),
            resets_at: known
                .resets_at
                .or_else(|| reset.and_then(|raw| moment(&raw, known.now))),
            now: known.now,
        }
    }

    fn availability_retryable(&self) -> Option<bool> {
        self.at("/availability/retryable").and_then(Value::as_bool)
    }

    fn is_daily(&self) -> bool {
        let source = self.text_at("/metadata/limit_source").unwrap_or_default();
        let words = self.words();
        source.contains("daily") || words.contains("per-day") || words.contains("limit_rpd")
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

#[cfg(test)]
mod tests;
