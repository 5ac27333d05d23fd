//! What came back, read to its end and no further than the limit. Refuses bodies that are too large or
//! compressed, and turns a status of 400 and above into an error that says whether waiting helps.

use std::time::Duration;

use domain::time::Timestamp;
use reqwest::{
    Method, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER, SET_COOKIE},
};
use serde_json::{Map, Value};

use super::{Answer, Limits, Wants, ask::Ask, error::OutboundError, excerpt, hop};

/// The most of an explanation that is read.
const MAX_EXPLANATION_BYTES: usize = 64 * 1024;
/// How long an explanation is waited for: the status alone says enough.
const EXPLANATION_MS: u64 = 5_000;

/// Reads the answer to `ask`.
pub async fn read(
    response: Response,
    ask: &Ask,
    limits: &Limits,
    now: Timestamp,
) -> Result<Answer, OutboundError> {
    let status = response.status();
    let origin = ask.target.origin();
    if status.as_u16() < 200 {
        return Err(OutboundError::NoAnswer {
            origin,
            detail: format!("it only sent the interim status {}", status.as_u16()),
        });
    }
    let coding = coding(response.headers());
    if status.as_u16() >= 400 {
        let retry_after_ms = retry_after_ms(response.headers(), now);
        let detail = match coding {
            Some(_) => "(its explanation is compressed)".to_owned(),
            None => explanation(response, ask).await,
        };
        return Err(OutboundError::Status {
            origin,
            status: status.as_u16(),
            detail,
            retry_after_ms,
        });
    }
    let has_body = ask.method != Method::HEAD
        && !matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
    if let Some(coding) = coding.filter(|_| has_body) {
        return Err(OutboundError::Compressed {
            origin,
            status: status.as_u16(),
            coding,
        });
    }
    let headers = response.headers().clone();
    let bytes = if has_body {
        whole(response, &origin, limits.answer_bytes).await?
    } else {
        Vec::new()
    };
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let body = match ask.wants {
        Wants::Text => Value::String(text.to_owned()),
        Wants::Json if !has_body => Value::Null,
        Wants::Json => serde_json::from_str(text).map_err(|error| {
            let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
            OutboundError::NotJson {
                origin,
                status: status.as_u16(),
                content_type: content_type.map_or("of no stated type".to_owned(), |value| {
                    excerpt::clean(&String::from_utf8_lossy(value), 60)
                }),
                detail: error.to_string(),
                begin: excerpt::of(text, &ask.headers),
            }
        })?,
    };
    Ok(Answer {
        status: status.as_u16(),
        headers: table(&headers),
        body,
    })
}

/// Reads everything, or says that it is too much. Counts what comes instead of believing `Content-Length`,
/// and believes it where it is too large already.
async fn whole(
    mut response: Response,
    origin: &str,
    limit: usize,
) -> Result<Vec<u8>, OutboundError> {
    let too_large = || OutboundError::TooLarge {
        origin: origin.to_owned(),
        limit,
    };
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    if response
        .content_length()
        .is_some_and(|length| length > most)
    {
        return Err(too_large());
    }
    let mut read = Vec::new();
    loop {
        let piece = response
            .chunk()
            .await
            .map_err(|error| hop::broken(error, origin.to_owned()))?;
        let Some(piece) = piece else { return Ok(read) };
        if piece.len() > limit - read.len() {
            return Err(too_large());
        }
        read.extend_from_slice(&piece);
    }
}

/// The beginning of what a server says about an error; as much as comes in time.
async fn explanation(mut response: Response, ask: &Ask) -> String {
    let mut read = Vec::new();
    let reading = async {
        // An explanation that breaks off is still one.
        while let Ok(Some(piece)) = response.chunk().await {
            let left = MAX_EXPLANATION_BYTES - read.len();
            read.extend_from_slice(&piece[..piece.len().min(left)]);
            if read.len() == MAX_EXPLANATION_BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(EXPLANATION_MS), reading).await;
    let shown = excerpt::of(&String::from_utf8_lossy(&read), &ask.headers);
    if shown.is_empty() {
        "(no explanation)".to_owned()
    } else {
        shown.trim_end_matches('.').to_owned()
    }
}

/// The compression of a body; `None` when it is plain.
fn coding(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .map(|value| excerpt::clean(&String::from_utf8_lossy(value.as_bytes()), 60))
        .find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

/// `Retry-After`: seconds, or a date.
fn retry_after_ms(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let raw = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(wait_s) = raw.parse::<f64>() {
        // A cast of a float saturates, so an absurd wait stays an absurd wait.
        return (wait_s.is_finite() && wait_s >= 0.0).then(|| (wait_s * 1_000.0).ceil() as u64);
    }
    let date = httpdate::parse_http_date(raw).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let date = Timestamp(i64::try_from(since.as_millis()).ok()?);
    Some(date.ms_since(now))
}

fn table(headers: &HeaderMap) -> Map<String, Value> {
    let mut table = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        // A cookie may hold a comma (in its date), so that cannot divide cookies.
        let between = if *name == SET_COOKIE { "\n" } else { ", " };
        table.insert(name.as_str().to_owned(), values.join(between).into());
    }
    table
}
