//! What can go wrong with a request of a workflow. Each text says what happened, what it means and what to do;
//! `code` is for programs and never changes. No text holds a header's value or more of a URL than its origin.

use std::net::{IpAddr, SocketAddr};

use domain::run::TaskError;

use super::{address::Kind, patience::Patience};

/// Why a request brought no answer that a workflow can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// It was asked to stop.
    #[error(
        "The request was stopped before its answer was finished. It may have had its effect all the same; look there before running the step again."
    )]
    Stopped,

    /// Not one of the seven methods.
    #[error(
        "{method:?} is no method that an http step sends, so nothing was sent. Use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS."
    )]
    BadMethod {
        /// The method, cleaned.
        method: String,
    },

    /// No URL for a request.
    #[error(
        "The URL of this step cannot be used: {rule}. Nothing was sent. Write one like https://api.example.com/path."
    )]
    BadUrl {
        /// What is wrong with it.
        rule: String,
    },

    /// A header that a workflow may not set, or that is none.
    #[error(
        "The header {name:?} cannot be sent: {rule}. Nothing was sent. Change or remove it in the step's headers."
    )]
    BadHeader {
        /// Its name, cleaned.
        name: String,
        /// What is wrong with it.
        rule: String,
    },

    /// Too many headers, or too long ones.
    #[error(
        "The headers of this step are too large: {rule}. Nothing was sent. Send such data in the body."
    )]
    HeadersTooLarge {
        /// Which limit.
        rule: String,
    },

    /// More than is sent at once.
    #[error(
        "The body of this step has {bytes} bytes and at most {limit} are sent, so nothing was sent. Send it in parts."
    )]
    BodyTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },

    /// The guard said no.
    #[error(
        "{host} leads to {address}, {}. Workflows may not call such addresses, so nothing was sent there. \
         If it is meant, whoever runs the server can add {} to TROUPE_HTTP_ALLOW and restart it.",
        .kind.words(), allow_words(.host, *.port, *.address, *.kind)
    )]
    Refused {
        /// The host of the URL.
        host: String,
        /// The port of the URL.
        port: u16,
        /// What it leads to.
        address: IpAddr,
        /// What is against that.
        kind: Kind,
    },

    /// A redirect to nowhere or into the clear.
    #[error(
        "{origin} redirected the request to an address that is not followed: {rule}. The request did reach {origin}. \
         Check what that server answers, or call the final address directly."
    )]
    BadRedirect {
        /// Who redirected.
        origin: String,
        /// What is wrong with the target.
        rule: String,
    },

    /// Round and round.
    #[error(
        "The request was redirected more than {limit} times, last by {origin}, and given up. It probably goes in a circle; \
         call the final address directly, or send the login it asks for."
    )]
    TooManyRedirects {
        /// The last to redirect.
        origin: String,
        /// The limit.
        limit: usize,
    },

    /// No address for the name.
    #[error(
        "{host} could not be found: {detail}. Nothing was sent. Check the name and the network's DNS; a retry helps when DNS was only busy."
    )]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        detail: String,
    },

    /// Nobody there.
    #[error(
        "{origin} could not be reached: {detail}. Nothing was sent. Check the address and the network; a retry helps when it was only away."
    )]
    Unreachable {
        /// Who.
        origin: String,
        /// What the network said.
        detail: String,
    },

    /// Not who it says it is.
    #[error(
        "{origin} could not prove who it is: {detail}. Nothing was sent. Its certificate has to be renewed there, or trusted by this machine."
    )]
    Untrusted {
        /// Who.
        origin: String,
        /// What is wrong with the certificate.
        detail: String,
    },

    /// This machine cannot make secure connections.
    #[error(
        "No HTTP client could be set up: {detail}. Nothing was sent. Check the certificates that are installed on the server."
    )]
    NoClient {
        /// What went wrong.
        detail: String,
    },

    /// Too slow.
    #[error("{origin} was too slow: {} within {after_ms} ms. {}", .waited_for.words(), .waited_for.meaning())]
    TimedOut {
        /// Who.
        origin: String,
        /// Which limit.
        waited_for: Patience,
        /// That limit, in milliseconds.
        after_ms: u64,
    },

    /// It broke off, or it is no HTTP.
    #[error(
        "{origin} gave no whole answer: {detail}. The request may have had its effect there; a retry carries the same Idempotency-Key."
    )]
    NoAnswer {
        /// Who.
        origin: String,
        /// What happened.
        detail: String,
    },

    /// More than a workflow holds.
    #[error(
        "The answer from {origin} is larger than {limit} bytes and was not kept. The request did have its effect there. \
         Ask for less: a page, a filter, fewer fields."
    )]
    TooLarge {
        /// Who.
        origin: String,
        /// The limit.
        limit: usize,
    },

    /// Compressed although nobody asked for it.
    #[error(
        "{origin} answered with status {status} in the form {coding:?}, which is not unpacked here because its real size cannot be known beforehand. \
         Have that server obey `Accept-Encoding: identity`."
    )]
    Compressed {
        /// Who.
        origin: String,
        /// What it answered.
        status: u16,
        /// The `Content-Encoding`, cleaned.
        coding: String,
    },

    /// JSON was wanted.
    #[error(
        "{origin} answered with status {status}, but what it sent ({content_type}) is no JSON: {detail}. It begins: {begin:?}. \
         Set the step's output to text, or ask that server for JSON."
    )]
    NotJson {
        /// Who.
        origin: String,
        /// What it answered.
        status: u16,
        /// What it says it sent.
        content_type: String,
        /// What the parser said.
        detail: String,
        /// The beginning of it, cleaned.
        begin: String,
    },

    /// 400 and above.
    #[error("{origin} answered with status {status}: {detail}. {}", status_words(*.status))]
    Status {
        /// Who.
        origin: String,
        /// What it answered.
        status: u16,
        /// The beginning of its explanation, cleaned.
        detail: String,
        /// How long to wait, where it said so.
        retry_after_ms: Option<u64>,
    },

    /// Any of these, somewhere else than the step said.
    #[error("{origin} redirected this request. {error}")]
    Redirected {
        /// Who sent the request on.
        origin: String,
        /// What went wrong then.
        error: Box<OutboundError>,
    },
}

impl OutboundError {
    /// The same, told as what came of a redirect by `origin`.
    pub fn after_redirect(self, origin: Option<&str>) -> Self {
        match origin {
            None => self,
            Some(origin) => Self::Redirected {
                origin: origin.to_owned(),
                error: Box::new(self),
            },
        }
    }

    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stopped => "cancelled",
            Self::BadMethod { .. } => "http_bad_method",
            Self::BadUrl { .. } => "http_bad_url",
            Self::BadHeader { .. } | Self::HeadersTooLarge { .. } => "http_bad_header",
            Self::BodyTooLarge { .. } => "http_body_too_large",
            Self::Refused { .. } => "http_address_refused",
            Self::BadRedirect { .. } | Self::TooManyRedirects { .. } => "http_bad_redirect",
            Self::Unresolved { .. } => "http_name_not_found",
            Self::Unreachable { .. } => "http_unreachable",
            Self::Untrusted { .. } => "http_untrusted",
            Self::NoClient { .. } => "http_no_client",
            Self::TimedOut { .. } => "http_timeout",
            Self::NoAnswer { .. } => "http_no_answer",
            Self::TooLarge { .. } => "http_answer_too_large",
            Self::Compressed { .. } => "http_answer_compressed",
            Self::NotJson { .. } => "http_answer_not_json",
            Self::Status { .. } => "http_status",
            Self::Redirected { error, .. } => error.code(),
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unresolved { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::NoAnswer { .. } => true,
            Self::Status { status, .. } => passes(*status),
            Self::Redirected { error, .. } => error.retryable(),
            Self::Stopped
            | Self::BadMethod { .. }
            | Self::BadUrl { .. }
            | Self::BadHeader { .. }
            | Self::HeadersTooLarge { .. }
            | Self::BodyTooLarge { .. }
            | Self::Refused { .. }
            | Self::BadRedirect { .. }
            | Self::TooManyRedirects { .. }
            | Self::Untrusted { .. }
            | Self::NoClient { .. }
            | Self::TooLarge { .. }
            | Self::Compressed { .. }
            | Self::NotJson { .. } => false,
        }
    }

    /// How long the other side asked to wait before the next try.
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Status {
                status,
                retry_after_ms,
                ..
            } => retry_after_ms.filter(|_| passes(*status)),
            Self::Redirected { error, .. } => error.retry_after_ms(),
            Self::Stopped
            | Self::BadMethod { .. }
            | Self::BadUrl { .. }
            | Self::BadHeader { .. }
            | Self::HeadersTooLarge { .. }
            | Self::BodyTooLarge { .. }
            | Self::Refused { .. }
            | Self::BadRedirect { .. }
            | Self::TooManyRedirects { .. }
            | Self::Unresolved { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::NoClient { .. }
            | Self::TimedOut { .. }
            | Self::NoAnswer { .. }
            | Self::TooLarge { .. }
            | Self::Compressed { .. }
            | Self::NotJson { .. } => None,
        }
    }
}

impl From<OutboundError> for TaskError {
    fn from(error: OutboundError) -> Self {
        Self {
            code: error.code().to_owned(),
            message: error.to_string(),
            retryable: error.retryable(),
            retry_after_ms: error.retry_after_ms(),
        }
    }
}

/// 408, 425 and 429 are about the moment, and so is a server that fails; other 4xx are about the request.
fn passes(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..)
}

fn status_words(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "It does not let this request in; check the step's Authorization header and the rights behind it."
        }
        404 | 410 => "There is nothing at this address; check the step's URL.",
        408 | 425 | 429 => "It asks to come later; a retry usually helps.",
        500.. => "That server failed; a retry often helps.",
        _ => "It does not accept the request; change the step's method, URL, headers or body.",
    }
}

/// The narrowest entry that would let the request through.
fn allow_words(host: &str, port: u16, address: IpAddr, kind: Kind) -> String {
    if kind.may_serve() || kind == Kind::Ourselves {
        format!("{host}:{port}")
    } else {
        SocketAddr::new(address, port).to_string()
    }
}
