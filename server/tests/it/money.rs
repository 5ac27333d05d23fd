//! Money through the doors, against a model server with prices: budgets that stop, and costs that
//! nobody told at the end of a call.

use std::{
    collections::HashMap,
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tokio::time::Instant;

use crate::product::House;

/// What a call costs that comes to its end.
const COST: &str = "0.0025";
/// What a call costs that does not.
const BROKEN: &str = "0.0042";

/// A model server with prices. What becomes of a call is in the name of its model.
#[derive(Clone, Default)]
struct Seller {
    /// Models that were called, in order.
    calls: Arc<Mutex<Vec<String>>>,
    /// What was sent, in order.
    bodies: Arc<Mutex<Vec<Value>>>,
    /// How often its books were asked for each call.
    asked: Arc<Mutex<HashMap<String, u32>>>,
}

impl Seller {
    async fn open() -> (String, Self) {
        let seller = Self::default();
        let router = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/generation", get(generation))
            .route("/v1/chat/completions", post(chat))
            .with_state(seller.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        (format!("http://{address}/v1"), seller)
    }

    fn calls(&self) -> usize {
        self.calls.lock().expect("not poisoned").len()
    }
}

async fn models() -> Json<Value> {
    let model =
        |id: &str| json!({"id": id, "pricing": {"prompt": "0.000001", "completion": "0.00001"}});
    Json(json!({"data": [model("echo"), model("cut"), model("hang-once")]}))
}

/// The books are written with a delay: the first question is too early.
async fn generation(
    State(seller): State<Seller>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = query.get("id").cloned().unwrap_or_default();
    let mut asked = seller.asked.lock().expect("not poisoned");
    let times = asked.entry(id.clone()).or_default();
    *times += 1;
    if *times == 1 {
        let nothing = json!({"error": {"code": 404, "message": "not found"}});
        return (StatusCode::NOT_FOUND, Json(nothing)).into_response();
    }
    Json(json!({"data": {"id": id, "total_cost": 0.0042, "native_tokens_prompt": 30, "native_tokens_completion": 9}}))
        .into_response()
}

async fn chat(State(seller): State<Seller>, Json(request): Json<Value>) -> Response {
    let model = request["model"].as_str().unwrap_or_default().to_owned();
    seller.bodies.lock().expect("not poisoned").push(request);
    let (number, again) = {
        let mut calls = seller.calls.lock().expect("not poisoned");
        let again = calls.contains(&model);
        calls.push(model.clone());
        (calls.len(), again)
    };
    let id = format!("gen-{number}");
    let chunk = |choice: Value, usage: Value| {
        let chunk = json!({"id": id, "model": model, "choices": [choice], "usage": usage});
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let begin = chunk(
        json!({"index": 0, "delta": {"content": "so far "}}),
        Value::Null,
    );
    let end = chunk(
        json!({"index": 0, "delta": {"content": "so good"}, "finish_reason": "stop"}),
        json!({"prompt_tokens": 40, "completion_tokens": 20, "cost": 0.0025}),
    );
    let done = Bytes::from("data: [DONE]\n\n");
    let body = match (model.as_str(), again) {
        ("cut", _) => Body::from(begin),
        ("hang-once", false) => {
            let begun = stream::once(async move { Ok::<_, Infallible>(begin) });
            Body::from_stream(begun.chain(stream::pending()))
        }
        (_, _) => Body::from([begin, end, done].concat()),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        "text/event-stream".parse().expect("a value"),
    );
    headers.insert("x-generation-id", id.parse().expect("a value"));
    response
}

async fn open_with(data: &Path, url: &str) -> House {
    let house = House::open(data).await;
    let wish = json!({"name": "seller", "kind": "openrouter", "base_url": url, "key": "sk-test-of-money", "default_model": "echo", "private": true});
    let (status, _) = house.json("POST", "/api/v1/providers", wish).await;
    assert_eq!(status, StatusCode::CREATED);
    house
}

fn two_steps(model: &str) -> Value {
    let step = |id: &str| {
        json!({"id": id, "kind": "agent", "capabilities": ["work"], "prompt": "go on", "max_tokens": 1000,
            "model": format!("seller:{model}"), "retry": {"attempts": 1}})
    };
    json!({"troupe": 1, "name": "Two steps", "nodes": [step("one"), step("two")],
        "edges": [{"from": "one", "to": "two"}]})
}

/// Asks until the answer fits; how it is then.
pub async fn until(house: &House, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, found) = house.json("GET", path, Value::Null).await;
        if fits(&found) {
            return found;
        }
        assert!(Instant::now() < patience, "{path} stays so: {found:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn start(house: &House, workflow: Value, request: Value) -> String {
    let workflow = house.create(workflow).await;
    let path = format!("/api/v1/workflows/{workflow}/runs");
    let (status, run) = house.json("POST", &path, request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{run}");
    format!("/api/v1/runs/{}", run["id"].as_str().unwrap_or_default())
}

async fn usage(house: &House) -> Value {
    let (_, usage) = house
        .json("GET", "/api/v1/usage?by=workflow", Value::Null)
        .await;
    usage["items"][0].clone()
}

#[tokio::test]
async fn what_a_broken_call_cost_is_found_out_after_its_run() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, _) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let run = start(&house, two_steps("cut"), json!({"budget_usd": "1"})).await;
    let failed = until(&house, &run, |run| run["status"] == "failed").await;
    assert_eq!(failed["error"]["code"], "cut_off", "{failed}");
    // Until it is known, budgets count what was set aside, and nobody says that it was nothing.
    if failed["cost_usd"].is_null() {
        let unknown = usage(&house).await;
        assert_eq!(unknown["calls_unknown"], 1, "{unknown}");
    }
    let paid = until(&house, &run, |run| run["cost_usd"] == BROKEN).await;
    let turn = &paid["tasks"][0]["attempts"][0]["turns"][0];
    assert_eq!(turn["cost_usd"], BROKEN);
    assert_eq!(turn["cost_is"], "charged");
    assert_eq!(turn["failures"][0]["generation_id"], "gen-1");
    assert!(
        turn["failures"][0]["raw"]
            .as_str()
            .is_some_and(|raw| raw.contains("so far"))
    );
    assert_eq!(paid["tokens"], json!({"prompt": 30, "completion": 9}));
    let known = usage(&house).await;
    assert_eq!(
        (
            &known["calls"],
            &known["calls_unknown"],
            &known["charged_usd"]
        ),
        (&json!(1), &json!(0), &json!(BROKEN)),
        "{known}"
    );
    // What ended can be taken up again, and goes on behind what became known.
    let (status, _) = house.json("POST", &format!("{run}/retry"), json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    until(&house, &run, |run| run["cost_usd"] == "0.0084").await;
    house.close().await;
}

#[tokio::test]
async fn a_call_that_a_crash_cut_is_paid_for_all_the_same() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, seller) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let run = start(&house, two_steps("hang-once"), json!({})).await;
    // As soon as the answer began it is written down under whose name the provider keeps it.
    let file = SqliteConnectOptions::new()
        .filename(data.path().join("troupe.db"))
        .read_only(true);
    let database = SqlitePool::connect_with(file).await.expect("readable");
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let noted: i64 = sqlx::query_scalar("SELECT count(*) FROM open_calls")
            .fetch_one(&database)
            .await
            .expect("readable");
        if noted == 1 {
            break;
        }
        assert!(Instant::now() < patience, "the call is not noted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    database.close().await;
    house.killed().await;

    let house = House::open(data.path()).await;
    until(&house, &run, |run| run["status"] == "succeeded").await;
    let paid = until(&house, &run, |run| run["cost_usd"] == "0.0092").await;
    let turn = &paid["tasks"][0]["attempts"][0]["turns"][0];
    assert_eq!(turn["late_costs"][0]["generation_id"], "gen-1", "{turn}");
    assert_eq!(turn["late_costs"][0]["cost_usd"], BROKEN);
    assert_eq!(seller.calls(), 3, "two steps, one of them twice");
    let known = usage(&house).await;
    assert_eq!(
        (&known["calls"], &known["calls_charged"]),
        (&json!(3), &json!(3)),
        "{known}"
    );
    house.close().await;
}

#[tokio::test]
async fn a_call_that_a_person_stopped_counts_until_its_cost_is_known() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, seller) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let run = start(&house, two_steps("hang-once"), json!({})).await;
    until(&house, "/api/v1/events?type=turn.began", |found| {
        found["items"][0]["data"]["generation_id"] == "gen-1"
    })
    .await;
    let (status, _) = house
        .json("POST", &format!("{run}/cancel"), json!({}))
        .await;
    assert!(status.is_success());
    let stopped = until(&house, &run, |run| run["status"] == "cancelled").await;
    let failure = &stopped["tasks"][0]["attempts"][0]["turns"][0]["failures"][0];
    assert_eq!(
        (&failure["error"]["code"], &failure["generation_id"]),
        (&json!("call_cut"), &json!("gen-1")),
        "{stopped:#}"
    );
    until(&house, &run, |run| run["cost_usd"] == BROKEN).await;
    let known = usage(&house).await;
    assert_eq!(
        (&known["calls"], &known["charged_usd"]),
        (&json!(1), &json!(BROKEN)),
        "{known}"
    );
    assert_eq!(seller.calls(), 1);
    house.close().await;
}

#[tokio::test]
async fn a_run_waits_at_its_limit_until_a_person_raises_it() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, seller) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    // Room for one call of 1,000 tokens at $10 a million, and not for a second one behind it.
    let limit = json!({"budget_usd": "0.0115"});
    let run = start(&house, two_steps("echo"), limit).await;
    let held = until(&house, &run, |run| {
        run["tasks"][1]["waiting_for"] == "budget"
    })
    .await;
    assert_eq!(
        (&held["status"], &held["cost_usd"]),
        (&json!("running"), &json!(COST))
    );
    assert_eq!(seller.calls(), 1, "the second call was not made");
    let (_, events) = house
        .json("GET", "/api/v1/events?type=budget.*", Value::Null)
        .await;
    assert_eq!(events["items"][0]["type"], "budget.exceeded", "{events}");

    let path = format!("{run}/budget");
    let (status, _) = house
        .json("POST", &path, json!({"budget_usd": "0.0116"}))
        .await;
    assert!(status.is_success());
    let still = until(&house, &run, |run| run["budget_usd"] == "0.0116").await;
    assert_eq!(
        still["tasks"][1]["waiting_for"], "budget",
        "that is not enough"
    );
    let (status, _) = house.json("POST", &path, json!({"budget_usd": "1"})).await;
    assert!(status.is_success());
    let done = until(&house, &run, |run| run["status"] == "succeeded").await;
    assert_eq!(done["cost_usd"], "0.005");
    assert_eq!(seller.calls(), 2);
    house.close().await;
}

#[tokio::test]
async fn where_a_limit_is_to_fail_the_run_fails_with_what_to_do() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, seller) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let limit =
        json!({"scope": "provider", "of": "seller", "budget_tokens": 1_200, "on_budget": "fail"});
    let (status, problem) = house.json("PUT", "/api/v1/budgets", limit).await;
    assert!(status.is_success(), "{problem}");
    // Each call takes 60 tokens of the limit, and asks for room for a thousand and more.
    let mut ended = Value::Null;
    for _ in 0..4 {
        let run = start(&house, two_steps("echo"), json!({})).await;
        let is_over = |run: &Value| run["status"] == "succeeded" || run["status"] == "failed";
        ended = until(&house, &run, is_over).await;
        if ended["status"] == "failed" {
            break;
        }
    }
    let failed = ended;
    assert_eq!(failed["error"]["code"], "budget_exceeded", "{failed}");
    let message = failed["error"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("provider seller") && message.contains("Raise"),
        "{message}"
    );
    let made = seller.calls();
    assert!((1..5).contains(&made), "{made} calls were made");
    house.close().await;
}

#[tokio::test]
async fn a_run_is_played_back_without_a_call_and_asks_about_what_changed() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, seller) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let workflow = house.create(two_steps("echo")).await;
    let runs = format!("/api/v1/workflows/{workflow}/runs");
    let (_, first) = house.json("POST", &runs, json!({})).await;
    let first = first["id"].as_str().expect("an id").to_owned();
    let path = |run: &Value| format!("/api/v1/runs/{}", run["id"].as_str().unwrap_or_default());
    until(&house, &format!("/api/v1/runs/{first}"), |run| {
        run["status"] == "succeeded"
    })
    .await;
    assert_eq!(seller.calls(), 2);

    let again = json!({"replay": {"run": first}});
    let (status, played) = house.json("POST", &runs, again.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{played}");
    let done = until(&house, &path(&played), |run| run["status"] == "succeeded").await;
    assert_eq!(done["output"], "so far so good");
    assert_eq!(seller.calls(), 2, "nobody was called");
    let paid = usage(&house).await;
    assert_eq!(
        (&paid["calls"], &paid["cost_usd"]),
        (&json!(2), &json!("0.005")),
        "{paid}"
    );

    // The second step asks something else now: it says so and waits for a person.
    let mut changed = two_steps("echo");
    changed["nodes"][1]["prompt"] = json!("go on otherwise");
    let path_of_workflow = format!("/api/v1/workflows/{workflow}");
    let (status, problem) = house.json("PUT", &path_of_workflow, changed).await;
    assert!(status.is_success(), "{problem}");
    let (_, asked) = house.json("POST", &runs, again).await;
    let waits = until(&house, &path(&asked), |run| {
        run["tasks"][1]["status"] == "waiting"
    })
    .await;
    assert_eq!(waits["tasks"][0]["status"], "succeeded");
    let (_, overview) = house.json("POST", "/api/overview", json!({})).await;
    let waiting = &overview["waiting"][0];
    assert_eq!(waiting["task"], "two", "it waits for a person: {overview}");
    assert!(
        waiting["message"]
            .as_str()
            .is_some_and(|asked| asked.contains("prompt")),
        "{waiting}"
    );
    let answer = format!("{}/tasks/two/answer", path(&asked));
    let (status, problem) = house.json("POST", &answer, json!({"port": "live"})).await;
    assert!(status.is_success(), "{problem}");
    until(&house, &path(&asked), |run| run["status"] == "succeeded").await;
    assert_eq!(seller.calls(), 3, "one step was really asked");

    let fail = json!({"replay": {"run": first, "on_change": "fail"}});
    let (_, refused) = house.json("POST", &runs, fail).await;
    let failed = until(&house, &path(&refused), |run| run["status"] == "failed").await;
    assert_eq!(failed["error"]["code"], "prompt_changed", "{failed}");
    let message = failed["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("two"), "the node is named: {message}");

    let (status, file) = house
        .json(
            "GET",
            &format!("/api/v1/runs/{first}/recording"),
            Value::Null,
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(file["calls"].as_array().map(Vec::len), Some(2), "{file}");
    let nobody = json!({"replay": {"run": "01a20803-0000-7000-8000-000000000000"}});
    let (status, _) = house.json("POST", &runs, nobody).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    house.close().await;
}

#[tokio::test]
async fn fallbacks_and_wishes_of_a_step_stand_in_what_is_sent() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, seller) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let mut workflow = two_steps("echo");
    workflow["nodes"][0]["models"] = json!(["seller:cut", "rehearsal:default", "seller:third"]);
    workflow["nodes"][0]["provider"] = json!({"sort": "price", "max_price": {"prompt": 2, "completion": 20}, "data_collection": "deny"});
    let run = start(&house, workflow, json!({})).await;
    until(&house, &run, |run| run["status"] == "succeeded").await;
    let bodies = seller.bodies.lock().expect("not poisoned").clone();
    let [first, second] = bodies.as_slice() else {
        panic!("{bodies:?}");
    };
    // Those of the same provider are its own matter; the one behind another comes after it.
    assert_eq!(
        first["models"],
        json!(["echo", "cut", "third"]),
        "{first:#}"
    );
    assert_eq!(
        first["provider"],
        json!({"sort": "price", "max_price": {"prompt": 2, "completion": 20}, "data_collection": "deny"})
    );
    for absent in ["models", "provider"] {
        assert_eq!(second.get(absent), None, "{second:#}");
    }
    assert_eq!(
        (&first["max_tokens"], &first["stream"]),
        (&json!(1_000), &json!(true))
    );
    house.close().await;
}

#[tokio::test]
async fn each_kind_of_budget_warns_and_then_stops() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, seller) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let (status, agent) = house
        .json(
            "POST",
            "/api/v1/agents",
            json!({"name": "Ada", "capabilities": ["work"]}),
        )
        .await;
    assert!(status.is_success(), "{agent}");
    let mut workflow = two_steps("echo");
    for node in 0..2 {
        workflow["nodes"][node]["agent"] = json!("Ada");
        // Less than a call costs: the first one passes four fifths of the limit by itself.
        workflow["nodes"][node]["max_tokens"] = json!(50);
        workflow["nodes"][node]
            .as_object_mut()
            .expect("a step")
            .remove("capabilities");
    }
    let workflow = house.create(workflow).await;
    let scopes = [
        json!({"scope": "workflow", "of": workflow}),
        json!({"scope": "agent", "of": agent["id"]}),
        json!({"scope": "provider", "of": "seller"}),
        json!({"scope": "day"}),
    ];
    let mut spent = 0.0;
    for scope in scopes {
        let mut limit = scope.clone();
        limit["budget_usd"] = json!(format!("{:.4}", spent + 0.003));
        limit["on_budget"] = json!("fail");
        let (status, problem) = house.json("PUT", "/api/v1/budgets", limit).await;
        assert!(status.is_success(), "{problem}");
        let path = format!("/api/v1/workflows/{workflow}/runs");
        let (_, run) = house.json("POST", &path, json!({})).await;
        let run = format!("/api/v1/runs/{}", run["id"].as_str().unwrap_or_default());
        let failed = until(&house, &run, |run| run["status"] == "failed").await;
        assert_eq!(failed["error"]["code"], "budget_exceeded", "{failed:#}");
        assert_eq!(failed["tasks"][0]["status"], "succeeded");
        spent += 0.0025;
        let (_, told) = house
            .json(
                "GET",
                "/api/v1/events?type=budget.*&limit=1000",
                Value::Null,
            )
            .await;
        let told = told["items"].as_array().expect("a list").clone();
        for kind in ["budget.warned", "budget.exceeded"] {
            let of_scope = told
                .iter()
                .filter(|event| event["type"] == kind && event["data"]["scope"] == scope["scope"]);
            assert_eq!(of_scope.count(), 1, "{kind} of {scope}: {told:#?}");
        }
        let gone = json!({"scope": scope["scope"], "of": scope["of"]});
        let (status, problem) = house.json("PUT", "/api/v1/budgets", gone).await;
        assert!(status.is_success(), "{problem}");
    }
    assert_eq!(seller.calls(), 4, "one for each, and none behind a limit");
    house.close().await;
}

#[tokio::test]
async fn usage_is_there_as_a_file_of_commas() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, _) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let run = start(&house, two_steps("echo"), json!({})).await;
    until(&house, &run, |run| run["status"] == "succeeded").await;
    for by in ["model", "workflow", "agent", "day"] {
        let path = format!("/api/v1/usage?by={by}&format=csv");
        let (status, file) = house.call("GET", &path, String::new()).await;
        assert_eq!(status, StatusCode::OK);
        let mut lines = file.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let head = lines.next().expect("a head");
        let row = lines.next().expect("a row");
        assert_eq!(head.len(), row.len(), "{file}");
        let of = |name: &str| {
            let at = head.iter().position(|known| *known == name);
            row[at.unwrap_or_else(|| panic!("no {name} in {head:?}"))]
        };
        // Each step had an agent of its own, or one had both.
        let calls: u64 = of("calls").parse().expect("a number");
        let cost = format!("0.00{}", 25 * calls);
        assert_eq!(
            of("cost_usd").trim_end_matches('0'),
            cost.trim_end_matches('0'),
            "{file}"
        );
        if by == "model" {
            assert!(row.contains(&"seller:echo"), "{file}");
        }
    }
    house.close().await;
}

#[tokio::test]
async fn a_run_is_played_back_also_where_its_provider_is_gone() {
    let data = tempfile::tempdir().expect("a directory");
    let (url, seller) = Seller::open().await;
    let house = open_with(data.path(), &url).await;
    let workflow = house.create(two_steps("echo")).await;
    let runs = format!("/api/v1/workflows/{workflow}/runs");
    let (_, first) = house.json("POST", &runs, json!({})).await;
    let path = |run: &Value| format!("/api/v1/runs/{}", run["id"].as_str().unwrap_or_default());
    until(&house, &path(&first), |run| run["status"] == "succeeded").await;
    let (status, _) = house
        .json("DELETE", "/api/v1/providers/seller", Value::Null)
        .await;
    assert!(status.is_success());
    let again = json!({"replay": {"run": first["id"]}});
    let (_, played) = house.json("POST", &runs, again).await;
    let done = until(&house, &path(&played), |run| run["status"] == "succeeded").await;
    assert_eq!(done["output"], "so far so good");
    assert_eq!(seller.calls(), 2, "nobody was called");
    house.close().await;
}
