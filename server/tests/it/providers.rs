//! Providers through the doors: set up, tested, used, kept over a restart, removed; their keys nowhere
//! but in the request that they are for.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use serde_json::{Value, json};

use crate::product::House;

const KEY: &str = "sk-test-0123456789abcdef-in-nobodys-hands";

/// A model server on a port of its own that takes one key; what it was shown, in order.
async fn model_server() -> (String, Arc<Mutex<Vec<String>>>) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&shown);
    let models = move |headers: HeaderMap| async move {
        let key = headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        seen.lock().expect("not poisoned").push(key.clone());
        match key == format!("Bearer {KEY}") {
            true => (
                StatusCode::OK,
                Json(json!({"object": "list", "data": [{"id": "small"}, {"id": "large"}]})),
            ),
            false => (
                StatusCode::UNAUTHORIZED,
                Json(json!({"error": {"code": 401, "message": format!("no such key: {key}")}})),
            ),
        }
    };
    let router = Router::new().route("/v1/models", get(models));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/v1"), shown)
}

async fn ask(house: &House, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let (status, text) = house.call(method, path, body.to_string()).await;
    assert!(!text.contains(KEY), "{method} {path} shows the key: {text}");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

async fn office(house: &House) -> Option<Value> {
    let (_, list) = ask(house, "GET", "/api/v1/providers", Value::Null).await;
    let items = list["items"].as_array().expect("a list").clone();
    items.into_iter().find(|item| item["name"] == "office")
}

#[tokio::test]
async fn a_provider_is_set_up_tested_kept_and_removed() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, shown) = model_server().await;
    let house = House::open(data.path()).await;
    let wish = |private: bool, key: Option<&str>| json!({"name": "office", "kind": "compatible", "base_url": url, "key": key, "default_model": "small", "private": private});

    let (status, problem) = ask(&house, "POST", "/api/v1/providers", wish(false, Some(KEY))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert!(
        shown.lock().expect("not poisoned").is_empty(),
        "nobody was called"
    );

    let (status, _) = ask(
        &house,
        "POST",
        "/api/v1/providers",
        wish(true, Some("wrong")),
    )
    .await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, check) = ask(
        &house,
        "POST",
        "/api/v1/providers/office/check",
        Value::Null,
    )
    .await;
    assert_eq!(
        (&check["works"], &check["code"]),
        (&json!(false), &json!("bad_key"))
    );

    let (status, _) = ask(
        &house,
        "PUT",
        "/api/v1/providers/office",
        wish(true, Some(KEY)),
    )
    .await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (_, check) = ask(
        &house,
        "POST",
        "/api/v1/providers/office/check",
        Value::Null,
    )
    .await;
    assert_eq!(
        (&check["works"], &check["models"]),
        (&json!(true), &json!(2)),
        "{check}"
    );
    let (_, models) = ask(&house, "GET", "/api/v1/models", Value::Null).await;
    assert!(models.to_string().contains("office:large"), "{models}");

    let elsewhere = json!({"kind": "compatible", "base_url": "https://elsewhere.example/v1"});
    let (status, _) = ask(&house, "PUT", "/api/v1/providers/office", elsewhere).await;
    assert_eq!(
        status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the key stays at its address"
    );
    let (status, _) = ask(&house, "DELETE", "/api/v1/providers/rehearsal", Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT);
    house.close().await;

    for file in std::fs::read_dir(data.path()).expect("readable") {
        let file = file.expect("an entry").path();
        if file.is_file() {
            let bytes = std::fs::read(&file).expect("readable");
            let holds = bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes());
            assert!(!holds, "{} holds the key", file.display());
        }
    }

    let house = House::open(data.path()).await;
    let known = office(&house).await.expect("it was kept");
    assert_eq!(
        (&known["has_key"], &known["is_default"]),
        (&json!(true), &json!(true))
    );
    let (_, check) = ask(
        &house,
        "POST",
        "/api/v1/providers/office/check",
        Value::Null,
    )
    .await;
    assert_eq!(check["works"], json!(true), "{check}");
    let (status, _) = ask(&house, "DELETE", "/api/v1/providers/office", Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(office(&house).await.is_none());
    house.close().await;
}

#[tokio::test]
async fn a_server_that_is_none_is_said_to_be_none() {
    let data = tempfile::tempdir().expect("a directory");
    let router = Router::new().fallback(|| async { "<html>hello</html>" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let house = House::open(data.path()).await;
    let wish = json!({"name": "site", "kind": "compatible", "base_url": url, "private": true});
    let (status, _) = ask(&house, "POST", "/api/v1/providers", wish).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, check) = ask(&house, "POST", "/api/v1/providers/site/check", Value::Null).await;
    assert_eq!(check["works"], json!(false));
    let message = check["message"].as_str().unwrap_or_default();
    assert!(message.contains("/v1"), "{message}");
    house.close().await;
}

#[tokio::test]
async fn servers_nearby_are_found_also_those_that_ask_for_a_key() {
    let (url, _) = model_server().await;
    let port = |url: &str| -> u16 {
        let port = url
            .rsplit(':')
            .next()
            .and_then(|rest| rest.split('/').next());
        port.and_then(|port| port.parse().ok()).expect("a port")
    };
    let open = Router::new().route(
        "/v1/models",
        get(|| async { Json(json!({"object": "list", "data": [{"id": "small"}]})) }),
    );
    let page = Router::new().route(
        "/v1/models",
        get(|| async {
            (
                StatusCode::UNAUTHORIZED,
                axum::response::Html("<html><title>Log in</title></html>"),
            )
        }),
    );
    let mut ports = vec![port(&url)];
    for router in [open, page] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        ports.push(listener.local_addr().expect("an address").port());
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    let asked = [
        ("locked", "Locked", ports[0]),
        ("open", "Open", ports[1]),
        ("page", "Page", ports[2]),
    ];
    let clock: Arc<dyn server::clock::Clock> = Arc::new(server::clock::SystemClock);
    let found = server::llm::nearby::look(&asked, &clock).await;
    let found: Vec<_> = found
        .iter()
        .map(|it| (it.name, it.needs_key, it.models.len()))
        .collect();
    assert_eq!(found, [("locked", true, 0), ("open", false, 1)]);
}
