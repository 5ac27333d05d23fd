//! What people are told when a model call goes wrong, from the bytes of the server to the answer of the
//! API: one sentence with what to do on the step and on the run, the server's own words beside it, and the
//! key nowhere.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use crate::{money::until, product::House};

const KEY: &str = "sk-test-fedcba9876543210-in-nobodys-hands";

/// Calls that were made, in order.
type Calls = Arc<Mutex<Vec<Value>>>;

/// A server that answers as the name of the model says.
async fn server() -> (String, Calls) {
    let calls = Calls::default();
    let router = Router::new()
        .route("/v1/chat/completions", post(chat))
        .with_state(Arc::clone(&calls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/v1"), calls)
}

async fn chat(State(calls): State<Calls>, Json(request): Json<Value>) -> Response {
    let model = request["model"].as_str().unwrap_or_default().to_owned();
    let again = {
        let mut calls = calls.lock().expect("not poisoned");
        calls.push(request);
        calls.len() > 1
    };
    let refused = |status: u16, error: Value| {
        let status = StatusCode::from_u16(status).expect("a status");
        (status, Json(json!({ "error": error }))).into_response()
    };
    match model.as_str() {
        "wrong-key" => refused(
            401,
            json!({"code": 401, "message": format!("No auth: {KEY}")}),
        ),
        "no-credit" => refused(
            402,
            json!({"code": 402, "message": "This request requires more credits, or fewer max_tokens. You requested up to 1000 tokens, but can only afford 12"}),
        ),
        "unknown" => refused(
            400,
            json!({"code": 400, "message": "unknown is not a valid model ID"}),
        ),
        "overflow" => refused(
            400,
            json!({"code": 400, "message": "maximum context length is 8192 tokens", "metadata": {"error_type": "context_length_exceeded"}}),
        ),
        "moderated" => refused(
            403,
            json!({"code": 403, "message": "flagged", "metadata": {"reasons": ["violence"], "flagged_input": "go on"}}),
        ),
        "no-model-server" => (
            StatusCode::OK,
            axum::response::Html("<html><h1>It works!</h1></html>"),
        )
            .into_response(),
        "refuses" => says(json!({"refusal": "I cannot help with that."}), "stop"),
        "filtered" => says(json!({"content": "So"}), "content_filter"),
        "no-schema" => says(json!({"content": "Sure, here it is!"}), "stop"),
        "schema-once" if !again => says(json!({"content": "Sure, here it is!"}), "stop"),
        "nameless-call" if !again => says(
            json!({"tool_calls": [{"function": {"name": "note", "arguments": "{\"line\": \"x\"}"}}]}),
            "stop",
        ),
        "never-arguments" => says(
            json!({"tool_calls": [{"index": 0, "id": "call-1", "type": "function", "function": {"name": "note", "arguments": "{\"line\": "}}]}),
            "tool_calls",
        ),
        "down" => refused(503, json!({"code": 503, "message": "Loading model"})),
        "later" => {
            let body = Json(json!({"error": {"code": 429, "message": "slow down"}}));
            (
                StatusCode::TOO_MANY_REQUESTS,
                [("retry-after", "300")],
                body,
            )
                .into_response()
        }
        "no-arguments" if !again => says(
            json!({"tool_calls": [{"index": 0, "id": "call-1", "type": "function", "function": {"name": "note", "arguments": "{\"line\": "}}]}),
            "tool_calls",
        ),
        _ => says(json!({"content": "{\"n\": 1}"}), "stop"),
    }
}

fn says(delta: Value, finish: &str) -> Response {
    let chunk =
        json!({"id": "chat-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    let body = format!("data: {chunk}\n\ndata: [DONE]\n\n");
    ([("content-type", "text/event-stream")], body).into_response()
}

/// Runs one step with this model to its end.
async fn run(house: &House, model: &str) -> Value {
    let path = begin(house, model, json!({})).await;
    let ended = until(house, &path, |run| {
        run["status"] == "failed" || run["status"] == "succeeded"
    })
    .await;
    assert!(!ended.to_string().contains(KEY), "{model} shows the key");
    ended
}

/// Begins a run of one step with this model and whatever else the step says; where it can be looked at.
async fn begin(house: &House, model: &str, more: Value) -> String {
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let mut step = json!({"id": "ask", "kind": "agent", "capabilities": ["work"], "prompt": "go on", "max_tokens": 1000,
        "model": format!("office:{model}"), "tools": ["note"], "output_schema": schema,
        "retry": {"attempts": 2, "min_wait_ms": 1, "max_wait_ms": 1}});
    for (key, value) in more.as_object().into_iter().flatten() {
        step[key] = value.clone();
    }
    let workflow = json!({"troupe": 1, "name": "One step", "nodes": [step], "edges": []});
    let workflow = house.create(workflow).await;
    let (_, begun) = house
        .json(
            "POST",
            &format!("/api/v1/workflows/{workflow}/runs"),
            json!({}),
        )
        .await;
    format!("/api/v1/runs/{}", begun["id"].as_str().expect("an id"))
}

async fn house_with_office(data: &std::path::Path) -> (House, Calls) {
    let (url, calls) = server().await;
    let house = House::open(data).await;
    let wish = json!({"name": "office", "kind": "compatible", "base_url": url, "key": KEY, "private": true});
    let (status, problem) = house.json("POST", "/api/v1/providers", wish).await;
    assert_eq!(status, StatusCode::CREATED, "{problem}");
    (house, calls)
}

#[tokio::test]
async fn each_trouble_of_a_call_is_one_sentence_with_what_to_do() {
    let data = tempfile::tempdir().expect("a directory");
    let (house, calls) = house_with_office(data.path()).await;
    // The model, the name of the trouble, a part of what to do, a part of what the server sent.
    let troubles = [
        ("wrong-key", "bad_key", "Settings", "No auth"),
        ("no-credit", "no_credit", "credit", "can only afford 12"),
        (
            "unknown",
            "no_model",
            "Choose another model",
            "not a valid model ID",
        ),
        ("overflow", "context_too_long", "horten", "8192"),
        ("moderated", "refused", "hange", "violence"),
        ("no-model-server", "garbled_answer", "address", "It works!"),
        ("refuses", "refused", "Change the prompt", "I cannot help"),
        ("filtered", "answer_filtered", "Change the prompt", ""),
        ("no-schema", "output_not_valid", "schema", ""),
    ];
    for (model, code, to_do, sent) in troubles {
        calls.lock().expect("not poisoned").clear();
        let ended = run(&house, model).await;
        let task = &ended["tasks"][0];
        for error in [&ended["error"], &task["error"]] {
            assert_eq!(error["code"], code, "{model}: {ended:#}");
            let message = error["message"].as_str().unwrap_or_default();
            assert!(message.contains(to_do), "{model}: {message}");
        }
        let turns = &task["attempts"][0]["turns"];
        let raw = turns[0]["failures"][0]["raw"].as_str().unwrap_or_default();
        assert!(raw.contains(sent), "{model} sent: {raw}");
        // What lasts is not tried again; a wrong form may be corrected once, and a page may pass.
        let made = calls.lock().expect("not poisoned").len();
        let expected = match model {
            "no-schema" | "no-model-server" => 2,
            _ => 1,
        };
        assert_eq!(made, expected, "calls of {model}");
    }
    house.close().await;
}

#[tokio::test]
async fn arguments_that_are_no_json_are_told_to_the_model_which_goes_on() {
    let data = tempfile::tempdir().expect("a directory");
    let (house, calls) = house_with_office(data.path()).await;
    let ended = run(&house, "no-arguments").await;
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
    assert_eq!(ended["output"], json!({"n": 1}));
    let calls = calls.lock().expect("not poisoned").clone();
    assert_eq!(calls.len(), 2);
    let told = calls[1]["messages"].as_array().and_then(|all| all.last());
    let told = told.expect("a message");
    assert_eq!(
        (&told["role"], &told["tool_call_id"]),
        (&json!("tool"), &json!("call-1"))
    );
    let told = told["content"].as_str().unwrap_or_default();
    assert!(
        told.contains("These arguments cannot be used: not a JSON object"),
        "{told}"
    );
    house.close().await;
}

#[tokio::test]
async fn an_answer_in_a_wrong_form_is_corrected_once() {
    let data = tempfile::tempdir().expect("a directory");
    let (house, calls) = house_with_office(data.path()).await;
    let ended = run(&house, "schema-once").await;
    assert_eq!(ended["output"], json!({"n": 1}), "{ended:#}");
    let calls = calls.lock().expect("not poisoned").clone();
    assert_eq!(calls.len(), 2);
    let asked = calls[1]["messages"].as_array().expect("a conversation");
    let [.., said, told] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (&said["role"], &said["content"], &told["role"]),
        (
            &json!("assistant"),
            &json!("Sure, here it is!"),
            &json!("user")
        )
    );
    house.close().await;
}

#[tokio::test]
async fn what_was_said_in_the_place_of_a_usable_answer_is_in_the_log() {
    let data = tempfile::tempdir().expect("a directory");
    let (house, _) = house_with_office(data.path()).await;
    for (model, said) in [("filtered", "So"), ("no-schema", "Sure, here it is!")] {
        let ended = run(&house, model).await;
        let id = ended["id"].as_str().expect("an id");
        let path = format!("/api/v1/runs/{id}/events");
        let (_, events) = house.json("GET", &path, Value::Null).await;
        let events = events["items"].as_array().expect("a list").clone();
        let texts = events.iter().filter(|it| it["type"] == "turn.completed");
        let texts: Vec<_> = texts.map(|it| it["data"]["text"].clone()).collect();
        assert!(texts.contains(&json!(said)), "{texts:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_call_without_an_id_gets_one_that_its_answer_names() {
    let data = tempfile::tempdir().expect("a directory");
    let (house, calls) = house_with_office(data.path()).await;
    let ended = run(&house, "nameless-call").await;
    assert_eq!(ended["status"], "succeeded", "{ended:#}");
    let calls = calls.lock().expect("not poisoned").clone();
    let asked = calls[1]["messages"].as_array().expect("a conversation");
    let [.., said, told] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let id = &said["tool_calls"][0]["id"];
    assert!(
        id.as_str().is_some_and(|id| id.starts_with("call_")),
        "{said}"
    );
    assert_eq!((&told["role"], &told["tool_call_id"]), (&json!("tool"), id));
    house.close().await;
}

#[tokio::test]
async fn a_model_that_never_writes_json_is_named_as_the_matter() {
    let data = tempfile::tempdir().expect("a directory");
    let (house, calls) = house_with_office(data.path()).await;
    let path = begin(&house, "never-arguments", json!({"max_turns": 3})).await;
    let ended = until(&house, &path, |run| run["status"] == "failed").await;
    assert_eq!(ended["error"]["code"], "bad_tool_arguments", "{ended:#}");
    assert_eq!(calls.lock().expect("not poisoned").len(), 3);
    house.close().await;
}

#[tokio::test]
async fn a_long_wait_parks_the_step_and_says_until_when() {
    let data = tempfile::tempdir().expect("a directory");
    let (house, calls) = house_with_office(data.path()).await;
    let path = begin(&house, "later", json!({})).await;
    let parked = until(&house, &path, |run| {
        run["tasks"][0]["waiting_for"] == "provider"
    })
    .await;
    assert_eq!(parked["status"], "running");
    let (_, events) = house
        .json("GET", &format!("{path}/events"), Value::Null)
        .await;
    let events = events["items"].as_array().expect("a list").clone();
    let waits = events.iter().find(|it| it["type"] == "task.waiting");
    let waits = waits.expect("it is told");
    assert_eq!(waits["data"]["for"], "provider");
    let at =
        |value: &Value| domain::time::Timestamp::parse_rfc3339(value.as_str().unwrap_or_default());
    let (told, until) = (at(&waits["at"]), waits["data"]["until"].as_i64());
    let wait_ms = until.zip(told).map(|(until, told)| until - told.0);
    assert!(
        wait_ms.is_some_and(|ms| (290_000..=300_000).contains(&ms)),
        "{waits}"
    );
    assert_eq!(calls.lock().expect("not poisoned").len(), 1);
    house.close().await;
}

#[tokio::test]
async fn a_model_that_is_down_is_left_alone_and_its_fallback_answers() {
    let data = tempfile::tempdir().expect("a directory");
    let (house, calls) = house_with_office(data.path()).await;
    let more = json!({"models": ["office:good"]});
    for _ in 0..8 {
        let path = begin(&house, "down", more.clone()).await;
        let ended = until(&house, &path, |run| {
            run["status"] == "failed" || run["status"] == "succeeded"
        })
        .await;
        assert_eq!(ended["output"], json!({"n": 1}), "{ended:#}");
    }
    let calls = calls.lock().expect("not poisoned").clone();
    let of = |model: &str| calls.iter().filter(|call| call["model"] == model).count();
    assert_eq!((of("down"), of("good")), (5, 8));
    let (_, events) = house
        .json("GET", "/api/v1/events?type=provider.unhealthy", Value::Null)
        .await;
    let shut = &events["items"][0]["data"];
    assert_eq!(
        (&shut["provider"], &shut["model"]),
        (&json!("office"), &json!("down"))
    );
    assert!(
        shut["reason"]
            .as_str()
            .is_some_and(|why| why.contains("Loading model")),
        "{shut}"
    );
    house.close().await;
}
