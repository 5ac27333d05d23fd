//! What can go wrong with a call. Each text says what happened and what to do about it; `code` is for
//! programs and never changes. No variant holds a key: texts from outside are cleaned before they get here.

use domain::{breaker::Trouble, time::Timestamp};

/// Which patience ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// No connection was made in time.
    Connect,
    /// Connected, and then not one byte for too long.
    Idle,
    /// The whole call took too long.
    Total,
}

impl Patience {
    fn words(self) -> &'static str {
        match self {
            Patience::Connect => "no connection was made",
            Patience::Idle => "nothing was heard",
            Patience::Total => "the answer was not finished",
        }
    }
}

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LlmError {
    /// It was asked to stop.
    #[error("The call was stopped before its answer was finished.")]
    Cancelled,

    /// No way to the server, or it closed the door before answering.
    #[error("{provider} could not be reached: {detail}. Check its address and the network.")]
    Unreachable {
        /// Who.
        provider: String,
        /// What the network said.
        detail: String,
    },

    /// Too slow.
    #[error("{provider} was too slow: {} within {after_ms} ms. It may be overloaded; a retry often helps.", .waited_for.words())]
    TimedOut {
        /// Who.
        provider: String,
        /// Which limit.
        waited_for: Patience,
        /// That limit, in milliseconds.
        after_ms: u64,
    },

    /// 401.
    #[error(
        "{provider} does not accept the key: {detail}. Set a valid key in Settings, under Providers."
    )]
    BadKey {
        /// Who.
        provider: String,
        /// What it said.
        detail: String,
    },

    /// 402, or a quota that is used up.
    #[error("{provider} says that the credit is short: {detail}. {}", credit_words(*.retry_after_ms))]
    NoCredit {
        /// Who.
        provider: String,
        /// What it said.
        detail: String,
        /// Set when the shortage passes by itself (other calls hold the credit for the moment).
        retry_after_ms: Option<u64>,
    },

    /// 403: moderation, a guardrail, a region, a spending rule.
    #[error("{provider} refused the request: {detail}. Change the prompt or the provider's rules.")]
    Refused {
        /// Who.
        provider: String,
        /// What it said.
        detail: String,
    },

    /// 404, or no endpoint left for the model.
    #[error("{provider} has no model {model} for this request: {detail}. Choose another model.")]
    NoModel {
        /// Who.
        provider: String,
        /// The model asked for.
        model: String,
        /// What it said.
        detail: String,
    },

    /// A way that leads nowhere: a web page's 404, a redirect.
    #[error(
        "{provider} answers no chats at its address (status {status}): {detail}. Correct the address in Settings, under Providers; it often ends with /v1."
    )]
    WrongAddress {
        /// Who.
        provider: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        detail: String,
    },

    /// 429 that passes.
    #[error(
        "{provider} asks to slow down: {detail}. A later try helps; if this goes on, let fewer agents call it at once or use another model."
    )]
    RateLimited {
        /// Who.
        provider: String,
        /// What it said.
        detail: String,
        /// How long to wait, where it said so.
        retry_after_ms: Option<u64>,
        /// Whether it says so of this model alone: others of it may be called.
        of_model: bool,
    },

    /// 429 that does not pass today.
    #[error("{provider} allows no more calls today: {detail}. {}", reset_words(*.resets_at))]
    DailyLimit {
        /// Who.
        provider: String,
        /// What it said.
        detail: String,
        /// When calls are allowed again, where it said so.
        resets_at: Option<Timestamp>,
    },

    /// The conversation is longer than the model can read.
    #[error(
        "The conversation is too long for {model} at {provider}: {detail}. Shorten the prompt or choose a model with a larger context."
    )]
    TooLong {
        /// Who.
        provider: String,
        /// The model asked for.
        model: String,
        /// What it said.
        detail: String,
    },

    /// Any other 4xx: the request itself is wrong.
    #[error(
        "{provider} did not understand the request (status {status}): {detail}. Check model, tools and limits of this step."
    )]
    BadRequest {
        /// Who.
        provider: String,
        /// HTTP status, or the number in the error.
        status: u16,
        /// What it said.
        detail: String,
    },

    /// 408, 409 and 5xx: the server or the provider behind it failed.
    #[error("{provider} failed (status {status}): {detail}. A retry often helps.")]
    Failed {
        /// Who.
        provider: String,
        /// HTTP status, or the number in the error.
        status: u16,
        /// What it said.
        detail: String,
        /// How long to wait, where it said so.
        retry_after_ms: Option<u64>,
    },

    /// Any failure of which the server itself says that it does not pass.
    #[error(
        "{provider} failed (status {status}) and says that another try does not help: {detail}. Use another model or provider, or ask {provider}."
    )]
    Declined {
        /// Who.
        provider: String,
        /// HTTP status, or the number in the error.
        status: u16,
        /// What it said.
        detail: String,
    },

    /// The answer began and then broke off.
    #[error("The answer from {provider} broke off: {detail}. A retry starts it again.")]
    CutOff {
        /// Who.
        provider: String,
        /// What happened.
        detail: String,
        /// The provider's name for the broken call, which may have been billed.
        generation_id: Option<String>,
    },

    /// A well-formed answer without anything in it.
    #[error("{provider} answered with nothing. A retry often helps.")]
    Empty {
        /// Who.
        provider: String,
    },

    /// An answer that is no answer: a web page, broken JSON.
    #[error(
        "{provider} sent something that is no answer: {detail}. Check its address; if that is right, a retry may help."
    )]
    Garbled {
        /// Who.
        provider: String,
        /// The beginning of it.
        detail: String,
    },

    /// More than anybody can want to read.
    #[error(
        "The answer from {provider} passed {limit_mib} MiB and was stopped. Ask for fewer tokens."
    )]
    TooMuch {
        /// Who.
        provider: String,
        /// The limit.
        limit_mib: usize,
    },
}

fn credit_words(retry_after_ms: Option<u64>) -> &'static str {
    match retry_after_ms {
        Some(_) => "Other calls hold it for the moment; a later try helps, and so does a top-up.",
        None => "Top up, raise the key's limit or ask for fewer tokens.",
    }
}

fn reset_words(resets_at: Option<Timestamp>) -> String {
    match resets_at {
        Some(moment) => format!("Calls are allowed again at {}.", moment.rfc3339()),
        None => "Try again tomorrow or use another model.".to_owned(),
    }
}

impl LlmError {
    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            LlmError::Cancelled => "cancelled",
            LlmError::Unreachable { .. } => "provider_unreachable",
            LlmError::TimedOut { .. } => "provider_timeout",
            LlmError::BadKey { .. } => "bad_key",
            LlmError::NoCredit { .. } => "no_credit",
            LlmError::Refused { .. } => "refused",
            LlmError::NoModel { .. } => "no_model",
            LlmError::WrongAddress { .. } => "wrong_address",
            LlmError::RateLimited { .. } => "rate_limited",
            LlmError::DailyLimit { .. } => "daily_limit",
            LlmError::TooLong { .. } => "context_too_long",
            LlmError::BadRequest { .. } => "bad_request",
            LlmError::Failed { .. } => "provider_failed",
            LlmError::Declined { .. } => "provider_declined",
            LlmError::CutOff { .. } => "cut_off",
            LlmError::Empty { .. } => "empty_answer",
            LlmError::Garbled { .. } => "garbled_answer",
            LlmError::TooMuch { .. } => "answer_too_large",
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match self {
            LlmError::Unreachable { .. }
            | LlmError::TimedOut { .. }
            | LlmError::RateLimited { .. }
            | LlmError::Failed { .. }
            | LlmError::CutOff { .. }
            | LlmError::Empty { .. }
            | LlmError::Garbled { .. } => true,
            LlmError::NoCredit { retry_after_ms, .. } => retry_after_ms.is_some(),
            LlmError::Cancelled
            | LlmError::BadKey { .. }
            | LlmError::Refused { .. }
            | LlmError::NoModel { .. }
            | LlmError::WrongAddress { .. }
            | LlmError::DailyLimit { .. }
            | LlmError::TooLong { .. }
            | LlmError::BadRequest { .. }
            | LlmError::Declined { .. }
            | LlmError::TooMuch { .. } => false,
        }
    }

    /// Whose fault it is.
    pub fn trouble(&self) -> Trouble {
        match self {
            LlmError::Unreachable { .. }
            | LlmError::TimedOut { .. }
            | LlmError::Failed { .. }
            | LlmError::CutOff { .. }
            | LlmError::Empty { .. }
            | LlmError::Garbled { .. }
            | LlmError::TooMuch { .. } => Trouble::Theirs,
            LlmError::RateLimited { of_model, .. } => match of_model {
                true => Trouble::Crowded,
                false => Trouble::Busy,
            },
            LlmError::NoCredit { retry_after_ms, .. } => match retry_after_ms {
                Some(_) => Trouble::Busy,
                None => Trouble::Ours,
            },
            LlmError::Cancelled
            | LlmError::BadKey { .. }
            | LlmError::Refused { .. }
            | LlmError::NoModel { .. }
            | LlmError::WrongAddress { .. }
            | LlmError::DailyLimit { .. }
            | LlmError::TooLong { .. }
            | LlmError::BadRequest { .. } => Trouble::Ours,
            LlmError::Declined { status, .. } => match status {
                500.. => Trouble::Theirs,
                0..500 => Trouble::Ours,
            },
        }
    }

    /// How long the provider asked to wait before the next try.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            LlmError::NoCredit { retry_after_ms, .. }
            | LlmError::RateLimited { retry_after_ms, .. }
            | LlmError::Failed { retry_after_ms, .. } => *retry_after_ms,
            LlmError::Cancelled
            | LlmError::Unreachable { .. }
            | LlmError::TimedOut { .. }
            | LlmError::BadKey { .. }
            | LlmError::Refused { .. }
            | LlmError::NoModel { .. }
            | LlmError::WrongAddress { .. }
            | LlmError::DailyLimit { .. }
            | LlmError::TooLong { .. }
            | LlmError::BadRequest { .. }
            | LlmError::Declined { .. }
            | LlmError::CutOff { .. }
            | LlmError::Empty { .. }
            | LlmError::Garbled { .. }
            | LlmError::TooMuch { .. } => None,
        }
    }
}
