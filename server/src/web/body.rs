//! Reads the body of a request whole, within a limit of size and time.
//!
//! A body that is too large is read to its end and thrown away, within reason: a client that is
//! still sending would otherwise find a broken connection instead of the answer.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::problem::Problem;

/// How long a body may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// How much of a body that is too large is read and thrown away.
const MAX_THROWN_AWAY: usize = 64 << 20;

/// The whole body, or why there is none.
pub async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    // Such a client has not begun to send.
    if announced.is_some_and(|length| length > limit) && headers.contains_key(header::EXPECT) {
        return Err(too_large(limit));
    }
    match tokio::time::timeout(ARRIVES_WITHIN, collect(body, limit, announced)).await {
        Ok(read) => read,
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!(
                "The body did not arrive within {} s.",
                ARRIVES_WITHIN.as_secs()
            ),
        )),
    }
}

async fn collect(body: Body, limit: usize, announced: Option<usize>) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut whole = BytesMut::with_capacity(announced.unwrap_or_default().min(limit));
    let mut length = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|_| Problem::bad_request("body_cut", "The body broke off before its end."))?;
        length = length.saturating_add(chunk.len());
        if length <= limit {
            whole.extend_from_slice(&chunk);
        } else if length > limit + MAX_THROWN_AWAY {
            break;
        } else {
            whole = BytesMut::new();
        }
    }
    if length > limit {
        Err(too_large(limit))
    } else {
        Ok(whole.freeze())
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!(
            "The body is larger than {} KiB, which is the limit here.",
            limit >> 10
        ),
    )
}
