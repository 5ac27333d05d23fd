//! Pages as they come from the server, and the files that belong to them.

use axum::{
    body::Body,
    http::{StatusCode, header},
};

use super::fake::{House, request};

#[tokio::test]
async fn a_page_runs_its_own_scripts_and_no_others() {
    let house = House::new();
    let (one, other) = (house.get("/").await, house.get("/").await);
    assert_eq!(one.status, StatusCode::OK);
    assert!(
        one.header("content-type").starts_with("text/html"),
        "{:?}",
        one.headers
    );
    let policy = one.header("content-security-policy").to_owned();
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .expect("a nonce")
        .to_owned();
    assert!(nonce.len() >= 22, "{nonce}");
    assert!(
        policy.contains("'strict-dynamic' 'wasm-unsafe-eval'")
            && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(
        !policy.contains("'unsafe-eval'") && !policy.contains("script-src 'self'"),
        "{policy}"
    );
    assert!(
        !other.header("content-security-policy").contains(&nonce),
        "a nonce is used once"
    );
    let scripts = one.body.matches("<script").count();
    assert!(scripts > 0, "{}", one.body);
    assert_eq!(
        one.body.matches(&format!("nonce=\"{nonce}\"")).count(),
        scripts,
        "{}",
        one.body
    );
    assert!(!one.body.contains(" onclick="), "no inline handlers");
    assert_eq!(one.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn what_is_not_there_is_a_page_that_says_so() {
    let house = House::new();
    let answer = house.get("/no/such/page").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.header("content-type").starts_with("text/html"));
    assert!(answer.header("content-security-policy").contains("nonce-"));
}

#[tokio::test]
async fn files_are_kept_for_as_long_as_their_names_promise() {
    let house = House::new();
    house.put_file("pkg/troupe.0123456789abcdef.js", b"let x;");
    house.put_file("pkg/troupe.js", b"let x;");
    house.put_file("favicon.svg", b"<svg/>");
    assert_eq!(
        house
            .get("/pkg/troupe.0123456789abcdef.js")
            .await
            .header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    for path in ["/pkg/troupe.js", "/favicon.svg"] {
        let answer = house.get(path).await;
        assert_eq!(
            (answer.status, answer.header("cache-control")),
            (StatusCode::OK, "no-cache"),
            "{path}"
        );
        let modified = answer.header("last-modified").to_owned();
        let again = request("GET", path)
            .header(header::IF_MODIFIED_SINCE, modified)
            .body(Body::empty())
            .expect("a request");
        assert_eq!(
            house.ask(again).await.status,
            StatusCode::NOT_MODIFIED,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_compressed_twin_goes_in_place_of_the_file() {
    let house = House::new();
    house.put_file("pkg/troupe_bg.wasm", b"plain");
    house.put_file("pkg/troupe_bg.wasm.br", b"brotli");
    house.put_file("pkg/troupe_bg.wasm.gz", b"gzip");
    for (accepts, encoding, bytes) in [
        ("br, gzip", "br", "brotli"),
        ("gzip", "gzip", "gzip"),
        ("identity", "", "plain"),
    ] {
        let ask = request("GET", "/pkg/troupe_bg.wasm").header(header::ACCEPT_ENCODING, accepts);
        let answer = house.ask(ask.body(Body::empty()).expect("a request")).await;
        assert_eq!(
            (answer.header("content-encoding"), answer.body.as_str()),
            (encoding, bytes),
            "{accepts}"
        );
        assert_eq!(answer.header("content-type"), "application/wasm");
    }
}

#[tokio::test]
async fn pages_and_answers_are_compressed_on_the_way() {
    let house = House::new();
    for path in ["/", "/api/openapi.json"] {
        let ask = request("GET", path).header(header::ACCEPT_ENCODING, "gzip");
        let answer = house.ask(ask.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
    }
}

#[tokio::test]
async fn nothing_outside_of_the_site_is_a_file() {
    let house = House::new();
    house.put_file("pkg/troupe.js", b"let x;");
    for path in [
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/pkg/..%2f..%2fetc/passwd",
        "/pkg//etc/passwd",
        "/pkg/%00",
        "/pkg/",
        "/pkg",
    ] {
        let answer = house.get(path).await;
        assert!(answer.status.is_client_error(), "{path} {}", answer.status);
    }
}
