//! How the HTTP API says no: RFC 9457 problem details, one form for every refusal and failure.
//! Never a stack, never an inner error text.

use app::error::{ApiError, ErrorKind};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The media type of problem details.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which a client may try again what the server could not do now.
const RETRY_AFTER_S: u32 = 2;

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    more: Map<String, Value>,
}

/// A problem on the wire. Some problems say more: `problems` of a workflow, both versions of a
/// conflict.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// Names the sort of problem: `urn:troupe:problem:` and the code.
    #[schema(example = "urn:troupe:problem:not_found")]
    r#type: String,
    /// The HTTP status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// For people: what happened, what it means, what to do.
    detail: String,
    /// For programs; never changes its meaning.
    #[schema(example = "not_found")]
    code: String,
    /// What programs need to go on.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    more: Map<String, Value>,
}

impl Problem {
    /// A problem of this sort.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            detail: detail.into(),
            more: Map::new(),
        }
    }

    /// The same, with a member that programs need to go on.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    /// 400: it cannot be understood.
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 500: our fault. The log says why, the answer does not.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong inside the server. Its log says what; trying again may help.",
        )
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The form that server functions answer with, for requests of the page's own program.
    pub fn into_api_error(self) -> ApiError {
        let kind = match self.status.as_u16() {
            401 => ErrorKind::Unauthorised,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            413 => ErrorKind::TooLarge,
            422 => ErrorKind::Invalid,
            428 => ErrorKind::PreconditionRequired,
            503 => ErrorKind::Unavailable,
            500..=599 => ErrorKind::Internal,
            _ => ErrorKind::BadRequest,
        };
        ApiError::new(kind, &self.code, self.detail)
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let status =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let more = match error.detail {
            Value::Object(more) => more,
            Value::Null => Map::new(),
            other => Map::from_iter([("more".to_owned(), other)]),
        };
        Self {
            status,
            code: error.code,
            detail: error.message,
            more,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let details = ProblemDetails {
            r#type: format!("urn:troupe:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
            more: self.more,
        };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}
