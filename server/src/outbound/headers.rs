//! Headers of a request: which ones a workflow may set, which ones it always has, and which ones do not go
//! along to another server. Refuses headers of the connection and headers that the server sets itself. Values
//! are marked as sensitive, so that nothing prints them.

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};

use super::{Wants, error::OutboundError, excerpt};

/// The most headers a workflow may send, and the most that are read from an answer.
pub const MAX_HEADERS: usize = 100;
/// The most bytes of them together.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Tells a server that it has seen this request before.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers that are about one connection (RFC 9110, 7.6.1), and those that steer it.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Parts of names under which secrets travel.
const SECRET_PARTS: [&str; 8] = [
    "auth",
    "cookie",
    "credential",
    "key",
    "password",
    "secret",
    "session",
    "token",
];

/// Reads the headers of a workflow and adds those that every request has.
pub fn read(
    given: &[(String, String)],
    body: Option<&str>,
    wants: Wants,
    idempotency_key: &str,
) -> Result<HeaderMap, OutboundError> {
    if given.len() > MAX_HEADERS {
        let rule = format!(
            "there are {}, and at most {MAX_HEADERS} are sent",
            given.len()
        );
        return Err(OutboundError::HeadersTooLarge { rule });
    }
    let bytes: usize = given
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > MAX_HEADER_BYTES {
        let rule = format!("they have {bytes} bytes, and at most {MAX_HEADER_BYTES} are sent");
        return Err(OutboundError::HeadersTooLarge { rule });
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let bad = |rule: &str| OutboundError::BadHeader {
            name: excerpt::clean(name, 60),
            rule: rule.to_owned(),
        };
        let parsed = HeaderName::from_bytes(name.trim_matches(' ').as_bytes())
            .map_err(|_| bad("its name holds characters that no header name has"))?;
        if let Some(rule) = refusal(&parsed) {
            return Err(bad(rule));
        }
        headers.append(parsed, sensitive(value).ok_or_else(|| bad(NO_VALUE))?);
    }
    let accept = match wants {
        Wants::Text => "*/*",
        Wants::Json => "application/json",
    };
    default(&mut headers, ACCEPT, accept);
    let agent = concat!("troupe/", env!("CARGO_PKG_VERSION"));
    default(&mut headers, USER_AGENT, agent);
    if let Some(body) = body {
        default(&mut headers, CONTENT_TYPE, content_type(body));
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let key = sensitive(idempotency_key).ok_or_else(|| OutboundError::BadHeader {
        name: IDEMPOTENCY_KEY.to_string(),
        rule: NO_VALUE.to_owned(),
    })?;
    headers.insert(IDEMPOTENCY_KEY, key);
    Ok(headers)
}

/// Takes out what is about a body that is no longer sent.
pub fn drop_content(headers: &mut HeaderMap) {
    for name in [
        CONTENT_TYPE,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_LOCATION,
    ] {
        headers.remove(name);
    }
}

/// Takes out what was meant for one server only: `Authorization`, `Cookie`, and everything whose name sounds
/// like them (`X-Api-Key`). The idempotency key goes along; it opens nothing.
pub fn drop_secrets(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    headers.remove(COOKIE);
    let secret: Vec<HeaderName> = headers
        .keys()
        .filter(|name| **name != IDEMPOTENCY_KEY)
        .filter(|name| SECRET_PARTS.iter().any(|part| name.as_str().contains(part)))
        .cloned()
        .collect();
    for name in secret {
        headers.remove(name);
    }
}

const NO_VALUE: &str = "its value holds a line break or another control character";

/// Why a workflow may not set this header.
fn refusal(name: &HeaderName) -> Option<&'static str> {
    if HOP_BY_HOP.contains(&name.as_str()) {
        Some("it is about the connection, which belongs to the server")
    } else if *name == HOST {
        Some("the host comes from the URL")
    } else if *name == CONTENT_LENGTH {
        Some("the length is counted from the body")
    } else if *name == EXPECT {
        Some("the body is always sent at once")
    } else if *name == ACCEPT_ENCODING {
        Some("answers are not unpacked, so only plain ones are asked for")
    } else if *name == IDEMPOTENCY_KEY {
        Some("the server sets it, the same on every repeat of this step")
    } else {
        None
    }
}

/// A value that nothing prints; `None` for what cannot stand in a header.
fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers
        .entry(name)
        .or_insert(HeaderValue::from_static(value));
}

/// Most http steps talk to JSON services, and those refuse JSON that is not declared.
fn content_type(body: &str) -> &'static str {
    let may_be_json = body.trim_start().starts_with(['{', '[']);
    if may_be_json && serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok() {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    }
}

#[cfg(test)]
mod tests;
