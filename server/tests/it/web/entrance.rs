//! Who may come in, and what every answer says about safety.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use leptos::server_fn::axum::server_fn_paths;
use serde_json::{Value, json};

use super::fake::{FLOW, House, request};

/// Server functions that answer GET. None does: a link must not be able to call one.
const READ_BY_LINK: [&str; 0] = [];

#[test]
fn no_server_function_that_changes_something_answers_a_link() {
    let functions: BTreeSet<(&str, String)> = server_fn_paths()
        .map(|(path, method)| (path, method.to_string()))
        .collect();
    assert!(functions.len() > 10, "they are all there: {functions:?}");
    for (path, method) in functions {
        assert!(
            method == "POST" || READ_BY_LINK.contains(&path),
            "{path} answers {method}"
        );
        assert!(
            path.starts_with("/api/") && !path.starts_with("/api/v1"),
            "{path} is in the way of the API"
        );
        assert_ne!(path, "/api/openapi.json");
    }
}

#[tokio::test]
async fn foreign_names_are_answered_nowhere_but_at_the_health() {
    let house = House::new();
    house.put_file("favicon.svg", b"<svg/>");
    for path in [
        "/",
        "/workflows",
        "/favicon.svg",
        "/api/v1/workflows",
        "/api/openapi.json",
        "/metrics",
        "/ws/events",
        "/nothing",
    ] {
        let ask = Request::get(path)
            .header(header::HOST, "rebound.example:3000")
            .body(Body::empty())
            .expect("a request");
        let answer = house.ask(ask).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::FORBIDDEN, "host_not_allowed"),
            "{path}"
        );
    }
    for path in ["/healthz", "/readyz"] {
        let ask = Request::get(path)
            .header(header::HOST, "rebound.example:3000")
            .body(Body::empty())
            .expect("a request");
        assert_eq!(house.ask(ask).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn foreign_pages_change_nothing() {
    let house = House::new();
    let foreign = [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    let doors = [
        (Method::POST, "/api/v1/agents".to_owned()),
        (Method::POST, "/api/v1/workflows".to_owned()),
        (Method::PUT, format!("/api/v1/workflows/{FLOW}")),
        (Method::DELETE, format!("/api/v1/workflows/{FLOW}")),
        (Method::POST, format!("/api/v1/workflows/{FLOW}/runs")),
    ];
    for (method, path) in &doors {
        for (name, value) in foreign {
            let ask = request(method.as_str(), path)
                .header(name, value)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from("{\"name\":\"a\"}"))
                .expect("a request");
            let answer = house.ask(ask).await;
            assert_eq!(
                answer.status,
                StatusCode::FORBIDDEN,
                "{method} {path} {name}: {value}"
            );
            assert!(["origin_not_allowed", "cross_site"].contains(&answer.problem().as_str()));
        }
    }
    assert!(house.backend.agents.lock().expect("lock").is_empty());
    let own = request("POST", "/api/v1/agents")
        .header("origin", "http://127.0.0.1:3000")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json");
    let answer = house
        .ask(own.body(Body::from("{\"name\":\"a\"}")).expect("a request"))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_pages_own_program_is_refused_in_its_own_words() {
    let house = House::new();
    let call = |origin: &str, length: usize| {
        request("POST", "/api/spawn_agent")
            .header("origin", origin)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(
                json!({ "spec": { "name": "x".repeat(length) } }).to_string(),
            ))
            .expect("a request")
    };
    let answer = house.ask(call("http://evil.example", 1)).await;
    assert_eq!(
        (answer.status, &answer.json()["kind"]),
        (StatusCode::FORBIDDEN, &json!("forbidden"))
    );
    let answer = house.ask(call("http://127.0.0.1:3000", 300 << 10)).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large"))
    );
    let answer = house.ask(call("http://127.0.0.1:3000", 1)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(
        matches!(answer.json(), Value::String(_)),
        "the id of the agent"
    );
    let by_link = house.get("/api/spawn_agent?spec[name]=x").await;
    assert_eq!(by_link.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn every_answer_is_safe_to_look_at() {
    let house = House::new();
    house.put_file("favicon.svg", b"<svg/>");
    for path in [
        "/api/v1/workflows",
        "/api/v1/nothing",
        "/favicon.svg",
        "/healthz",
        "/api/openapi.json",
        "/pkg/nothing.js",
    ] {
        let answer = house.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path} {name}");
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path} {policy}"
        );
        assert!(
            !policy.contains("script-src"),
            "{path} runs nothing: {policy}"
        );
        assert!(
            answer.header("permissions-policy").contains("camera=()"),
            "{path}"
        );
        assert!(
            !answer.headers.contains_key("access-control-allow-origin"),
            "{path}"
        );
    }
}
