//! What a person or program may be told when something does not work: what happened, what it means,
//! what to do. Never a secret, never a stack.

use leptos::{
    prelude::{FromServerFnError, ServerFnErrorErr},
    server_fn::codec::JsonEncoding,
};
use serde::{Deserialize, Serialize};

/// A refusal or failure that may be shown. Its JSON is what server functions answer with; the HTTP
/// API writes the same as problem details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Decides the HTTP status.
    pub kind: ErrorKind,
    /// For programs; never changes its meaning: `not_found`, `version_conflict`, ...
    pub code: String,
    /// For people: what happened, what it means, what to do.
    pub message: String,
    /// What programs need to go on, e.g. both versions of a conflict; `null` for nothing.
    #[serde(default)]
    pub detail: serde_json::Value,
}

/// What sort of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// 400: it cannot be understood.
    BadRequest,
    /// 401: nobody is logged in.
    Unauthorised,
    /// 403: this actor may not.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
    /// 409: it does not fit what is there now.
    Conflict,
    /// 413: too much at once.
    TooLarge,
    /// 422: understood, but wrong.
    Invalid,
    /// 428: it must say what it is based on.
    PreconditionRequired,
    /// 503: not now; try again.
    Unavailable,
    /// 500: our fault.
    Internal,
    /// The server could not be reached; only ever made in the browser.
    Unreachable,
}

impl ApiError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            detail: serde_json::Value::Null,
        }
    }

    /// The same, with what programs need to go on.
    pub fn with_detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(
            ErrorKind::NotFound,
            "not_found",
            format!("There is no such {what}. It may have been deleted, or the address is wrong."),
        )
    }

    /// Our fault; `message` says what did not work, the log says why.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, "internal", message)
    }

    fn bad_arguments(reason: &str) -> Self {
        Self::new(
            ErrorKind::BadRequest,
            "bad_arguments",
            format!("The request could not be read: {reason}."),
        )
    }

    /// The HTTP status of its kind.
    pub fn status(&self) -> u16 {
        match self.kind {
            ErrorKind::BadRequest => 400,
            ErrorKind::Unauthorised => 401,
            ErrorKind::Forbidden => 403,
            ErrorKind::NotFound => 404,
            ErrorKind::Conflict => 409,
            ErrorKind::TooLarge => 413,
            ErrorKind::Invalid => 422,
            ErrorKind::PreconditionRequired => 428,
            ErrorKind::Unavailable | ErrorKind::Unreachable => 503,
            ErrorKind::Internal => 500,
        }
    }
}

impl FromServerFnError for ApiError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) => Self::new(
                ErrorKind::Unreachable,
                "unreachable",
                "The server does not answer. Nothing was changed; try again when the light is green.",
            ),
            ServerFnErrorErr::Args(reason) | ServerFnErrorErr::MissingArg(reason) => {
                Self::bad_arguments(&reason)
            }
            // In the server this is the request's body; in the browser it would be the answer's.
            ServerFnErrorErr::Deserialization(reason) if cfg!(feature = "ssr") => {
                Self::bad_arguments(&reason)
            }
            other => Self::internal(format!(
                "Something went wrong between page and server: {other}."
            )),
        }
    }
}
