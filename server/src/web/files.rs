//! The site's files: the page's program, styles, icons. Compressed twins (`.br`, `.gz`) beside a file
//! go out in its place; names that hold a hash of the content may be kept for ever, all others are
//! asked for again each time and mostly answered with 304.
//!
//! Refused here: everything outside of the site directory, and listing it.

use std::{convert::Infallible, path::Path};

use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower::ServiceExt;
use tower_http::services::ServeDir;

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// Shortest hash that counts as one: shorter words of these letters occur in plain names.
const SHORTEST_HASH: usize = 12;

/// Reads files below one directory.
#[derive(Debug, Clone)]
pub struct Files(ServeDir);

impl Files {
    /// Files below `site`.
    pub fn below(site: &Path) -> Self {
        Self(
            ServeDir::new(site)
                .append_index_html_on_directories(false)
                .precompressed_br()
                .precompressed_gzip(),
        )
    }

    /// The file that the request names; `None` where there is none.
    pub async fn get(&self, request: Request<Body>) -> Option<Response> {
        let hashed = has_hash(request.uri().path());
        let found: Result<_, Infallible> = self.0.clone().oneshot(request).await;
        let mut response = match found {
            Ok(response) => response.into_response(),
            Err(never) => match never {},
        };
        if response.status() == StatusCode::NOT_FOUND
            || response.status() == StatusCode::METHOD_NOT_ALLOWED
        {
            return None;
        }
        let keep = if hashed { FOR_EVER } else { ASK_AGAIN };
        response.headers_mut().insert(header::CACHE_CONTROL, keep);
        Some(response)
    }
}

/// Whether a file below `/pkg/` is named by its content: `/pkg/troupe.0123456789abcdef.js`.
fn has_hash(path: &str) -> bool {
    let Some((_, name)) = path
        .strip_prefix("/pkg/")
        .and_then(|path| path.rsplit_once('/').or(Some(("", path))))
    else {
        return false;
    };
    let parts: Vec<&str> = name.split('.').collect();
    let inner = parts
        .get(1..parts.len().saturating_sub(1))
        .unwrap_or_default();
    inner.iter().any(|part| {
        part.len() >= SHORTEST_HASH && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::has_hash;

    #[test]
    fn only_names_by_content_are_kept_for_ever() {
        for path in [
            "/pkg/troupe.0123456789abcdef.js",
            "/pkg/troupe.0123456789abcdef.wasm",
            "/pkg/snippets/a.0123456789ab.js",
        ] {
            assert!(has_hash(path), "{path}");
        }
        for path in [
            "/pkg/troupe.js",
            "/pkg/troupe_bg.wasm",
            "/favicon.svg",
            "/troupe.0123456789abcdef.js",
            "/pkg/",
            "/pkg/a.bad.js",
            "/pkg/0123456789abcdef.js",
        ] {
            assert!(!has_hash(path), "{path}");
        }
    }
}
