//! From what a server complained about to what it means (`LlmError`). Servers complain in many shapes:
//! an object, a string, a list, a bare `detail`, a number or a word as code, a web page. One reader takes
//! them all.

mod complaint;
mod hints;
mod page;

use serde_json::Value;

use self::complaint::Complaint;
pub use self::{complaint::complaint_in, hints::Hints};
use super::{LlmError, key::ApiKey, raw};

/// The most of a foreign text that is shown.
const MAX_DETAIL_CHARS: usize = 500;
/// The wait where other calls hold the credit for the moment and nobody says for how long.
const IN_FLIGHT_MS: u64 = 5_000;

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
    /// What stands in a body that is no answer, fit for an error.
    pub fn detail_of_body(&self, body: &str) -> String {
        self.detail(&page::words(body))
    }

    /// `text` fit for an error: without secrets, on one line, not too long.
    pub fn detail(&self, text: &str) -> String {
        let clean = raw::clean(text, self.key.as_ref());
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

/// A response whose status is an error.
pub fn of_response(asked: &Asked, status: u16, body: &str, hints: Hints) -> LlmError {
    match serde_json::from_str::<Value>(body.trim()) {
        Ok(value) => {
            let complaint = complaint_in(&value).unwrap_or(&value);
            of_complaint(asked, Some(status), complaint, hints)
        }
        Err(_) => {
            let detail = match body.trim() {
                "" => "no explanation".to_owned(),
                _ => asked.detail_of_body(body),
            };
            // A model server says in JSON that it lacks a model; whoever does not is something else.
            match status {
                404 | 405 => wrong_address(asked, status, detail),
                _ => meaning(asked, status, detail, hints),
            }
        }
    }
}

/// A complaint as an error. `status` is that of the response; without one (HTTP said 200) the
/// complaint's own code decides.
pub fn of_complaint(
    asked: &Asked,
    status: Option<u16>,
    complaint: &Value,
    hints: Hints,
) -> LlmError {
    let read = Complaint::of(complaint);
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

    if let Some(error) = by_name(asked, &read.name(), &detail, hints) {
        return error;
    }
    // A limit of the account that is kept like a rule.
    if status == 403 && read.is_spending_limit() {
        return LlmError::NoCredit {
            provider,
            detail,
            retry_after_ms: None,
        };
    }
    if let Some(error) = by_availability(asked, read.availability(), status, &detail, hints) {
        return error;
    }
    if matches!(status, 404 | 405) && read.is_about_the_path() {
        return wrong_address(asked, status, detail);
    }
    if status == 429 && read.is_daily() {
        return LlmError::DailyLimit {
            provider,
            detail,
            resets_at: hints.comes_back_at(),
        };
    }
    if status == 402 && hints.retry_after_ms.is_none() && read.is_in_flight() {
        return LlmError::NoCredit {
            provider,
            detail,
            retry_after_ms: Some(IN_FLIGHT_MS),
        };
    }
    if status == 429 && hints.should_retry != Some(false) && read.is_upstream() {
        return LlmError::RateLimited {
            provider,
            detail,
            retry_after_ms: hints.wait_ms(),
            of_model: true,
        };
    }
    // Many servers say only in words what the matter is.
    if matches!(status, 400 | 413 | 422) && read.is_about_length() {
        return LlmError::TooLong {
            provider,
            model,
            detail,
        };
    }
    if status == 400 && read.is_about_the_key() {
        return LlmError::BadKey { provider, detail };
    }
    if status == 400 && read.is_about_the_model() {
        return LlmError::NoModel {
            provider,
            model,
            detail,
        };
    }
    meaning(asked, status, detail, hints)
}

/// What the complaint's own word for it means, where that is more exact than a status.
fn by_name(asked: &Asked, name: &str, detail: &str, hints: Hints) -> Option<LlmError> {
    let Asked {
        provider, model, ..
    } = asked.clone();
    let detail = detail.to_owned();
    Some(match name {
        "context_length_exceeded"
        | "exceed_context_size_error"
        | "token_limit_exceeded"
        | "string_too_long" => LlmError::TooLong {
            provider,
            model,
            detail,
        },
        "insufficient_quota" => LlmError::NoCredit {
            provider,
            detail,
            retry_after_ms: None,
        },
        "payment_required" => LlmError::NoCredit {
            provider,
            detail,
            retry_after_ms: hints.retry_after_ms,
        },
        "max_tokens_exceeded" => LlmError::BadRequest {
            provider,
            status: 400,
            detail,
        },
        "content_policy_violation" | "content_filter" | "refusal" => {
            LlmError::Refused { provider, detail }
        }
        "authentication" | "authentication_error" | "invalid_api_key" => {
            LlmError::BadKey { provider, detail }
        }
        "model_not_found" => LlmError::NoModel {
            provider,
            model,
            detail,
        },
        _ => return None,
    })
}

/// What a complaint about availability means. It says itself whether another try helps.
fn by_availability(
    asked: &Asked,
    code: &str,
    status: u16,
    detail: &str,
    hints: Hints,
) -> Option<LlmError> {
    let Asked {
        provider, model, ..
    } = asked.clone();
    let detail = detail.to_owned();
    let gone = matches!(
        code,
        "model_not_found"
            | "wrong_endpoint"
            | "no_endpoints"
            | "model_deprecated"
            | "model_unavailable_upstream"
            | "privacy_restricted"
            | "constraint_filtered"
            | "free_variant_ended"
            | "region_restricted"
    );
    Some(match code {
        _ if gone && hints.should_retry != Some(true) => LlmError::NoModel {
            provider,
            model,
            detail,
        },
        "capacity_exhausted" if hints.should_retry != Some(false) => LlmError::RateLimited {
            provider,
            detail,
            retry_after_ms: hints.wait_ms(),
            of_model: true,
        },
        "temporarily_unavailable" if hints.should_retry != Some(false) => LlmError::Failed {
            provider,
            status,
            detail,
            retry_after_ms: hints.wait_ms(),
        },
        _ => return None,
    })
}

fn wrong_address(asked: &Asked, status: u16, detail: String) -> LlmError {
    LlmError::WrongAddress {
        provider: asked.provider.clone(),
        status,
        detail,
    }
}

/// What a status means, unless the server itself says whether another try helps.
fn meaning(asked: &Asked, status: u16, detail: String, hints: Hints) -> LlmError {
    let meant = of_status(asked, status, detail.clone(), hints);
    let provider = asked.provider.clone();
    match (hints.should_retry, &meant) {
        (Some(false), LlmError::Failed { .. } | LlmError::RateLimited { .. }) => {
            LlmError::Declined {
                provider,
                status,
                detail,
            }
        }
        (
            Some(true),
            LlmError::BadRequest { .. } | LlmError::NoModel { .. } | LlmError::Refused { .. },
        ) => LlmError::Failed {
            provider,
            status,
            detail,
            retry_after_ms: hints.retry_after_ms,
        },
        (Some(_) | None, _) => meant,
    }
}

/// What a status alone means.
fn of_status(asked: &Asked, status: u16, detail: String, hints: Hints) -> LlmError {
    let Asked {
        provider, model, ..
    } = asked.clone();
    match status {
        401 | 407 => LlmError::BadKey { provider, detail },
        402 => LlmError::NoCredit {
            provider,
            detail,
            retry_after_ms: hints.retry_after_ms,
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
            retry_after_ms: hints.wait_ms(),
            of_model: false,
        },
        408 | 409 | 425 | 500.. => LlmError::Failed {
            provider,
            status,
            detail,
            // Some send the end of their limits with every answer: only where it is full that is a wait.
            retry_after_ms: match status {
                503 => hints.wait_ms(),
                _ => hints.retry_after_ms,
            },
        },
        300..400 => LlmError::WrongAddress {
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

#[cfg(test)]
mod tests;
