//! The HTTP API: shapes, versions, limits, and every way of being told no.

use app::error::{ApiError, ErrorKind};
use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
};
use domain::{
    id::{NodeId, TaskName},
    money::MicroUsd,
    run::{
        Attempt, AttemptState, CostIs, FinishReason, Run, RunState, Task, TaskError, TaskState,
        Tokens, Totals, Turn, TurnRecord,
    },
    time::Timestamp,
};
use futures::stream;
use serde_json::{Value, json};

use super::fake::{FLOW, House, OTHER, RUN, event, parsed, request};

fn flow(nodes: usize) -> Value {
    let nodes: Vec<Value> = (0..nodes)
        .map(|at| json!({ "id": format!("n{at}"), "kind": "transform", "template": "x" }))
        .collect();
    json!({ "troupe": 1, "name": "A flow", "description": "", "inputs": [], "nodes": nodes, "edges": [], "layout": { "nodes": {} } })
}

#[tokio::test]
async fn a_workflow_lives_through_its_versions() {
    let house = House::new();
    let created = house.send("POST", "/api/v1/workflows", &flow(1)).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/workflows/{id}");
    assert_eq!(
        (created.header("location"), created.header("etag")),
        (path.as_str(), "\"1\"")
    );
    assert_eq!(created.json()["version"], 1);

    let read = house.get(&path).await;
    assert_eq!(read.header("etag"), "\"1\"");
    let read = read.json();
    assert_eq!(
        (&read["id"], &read["name"], &read["newest"]),
        (&json!(id), &json!("A flow"), &json!(1))
    );
    assert_eq!(read["updated_at"], "2026-09-21T14:13:20Z");
    assert_eq!(read["workflow"], flow(1), "what comes out can be sent back");

    let save = |based_on: &str| {
        request("PUT", &path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::IF_MATCH, based_on)
            .body(Body::from(flow(2).to_string()))
            .expect("a request")
    };
    assert_eq!(
        house.send("PUT", &path, &flow(2)).await.problem(),
        "if_match_required"
    );
    assert_eq!(house.ask(save("*")).await.problem(), "bad_if_match");
    let saved = house.ask(save("\"1\"")).await;
    assert_eq!(
        (saved.status, saved.header("etag")),
        (StatusCode::OK, "\"2\"")
    );
    let late = house.ask(save("1")).await;
    assert_eq!(
        (late.status, late.problem()),
        (StatusCode::CONFLICT, "version_conflict".into())
    );
    assert_eq!(
        (&late.json()["expected"], &late.json()["newest"]),
        (&json!(1), &json!(2)),
        "both versions are named"
    );

    assert_eq!(
        house.get(&format!("{path}?version=1")).await.json()["workflow"],
        flow(1)
    );
    let versions = house.get(&format!("{path}/versions")).await.json();
    assert_eq!(
        versions["items"][0],
        json!({ "version": 2, "created_at": "2026-09-21T14:13:20Z", "by": "admin" })
    );
    assert_eq!(versions["next"], Value::Null);
    let list = house.get("/api/v1/workflows?search=&limit=5").await.json();
    assert_eq!(
        (&list["items"][0]["name"], &list["items"][0]["version"]),
        (&json!("A flow"), &json!(2))
    );

    let gone = house
        .ask(
            request("DELETE", &path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await;
    assert_eq!(
        (gone.status, gone.body.as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    assert_eq!(house.get(&path).await.problem(), "not_found");
}

#[tokio::test]
async fn what_is_wrong_with_a_workflow_is_listed_and_stored_as_a_draft() {
    let house = House::new();
    let mut drawing = flow(1);
    drawing["nodes"][0]["kind"] = json!("mystery");
    drawing["edges"] = json!([{ "from": "n0", "to": "nowhere" }]);
    for path in ["/api/v1/workflows/check", "/api/v1/workflows"] {
        let answer = house.send("POST", path, &drawing).await;
        assert!(answer.status.is_success(), "{answer:?}");
        let problems = answer.json()["problems"]
            .as_array()
            .expect("problems")
            .clone();
        let codes: Vec<&str> = problems
            .iter()
            .filter_map(|problem| problem["code"].as_str())
            .collect();
        assert!(
            codes.contains(&"unknown_kind") && codes.contains(&"dangling_edge"),
            "{path} {codes:?}"
        );
        for key in ["severity", "code", "node", "edge", "message"] {
            assert!(
                problems.iter().all(|problem| problem.get(key).is_some()),
                "{key}"
            );
        }
    }
    assert_eq!(
        house
            .send("POST", "/api/v1/workflows/check", &drawing)
            .await
            .json()["runnable"],
        false
    );
    assert_eq!(
        house
            .send("POST", "/api/v1/workflows/check", &flow(1))
            .await
            .json()["runnable"],
        true
    );
}

#[tokio::test]
async fn a_damaged_file_is_not_half_saved() {
    let house = House::new();
    for damage in [
        json!({ "nodes": "none" }),
        json!({ "nodes": [7] }),
        json!({ "edges": [[]] }),
        json!({ "troupe": 99 }),
    ] {
        let mut drawing = flow(1);
        drawing
            .as_object_mut()
            .expect("an object")
            .extend(damage.as_object().expect("an object").clone());
        let answer = house.send("POST", "/api/v1/workflows", &drawing).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                "unreadable_workflow".into()
            ),
            "{damage}"
        );
        assert!(
            answer.json()["problems"]
                .as_array()
                .is_some_and(|problems| !problems.is_empty())
        );
        let checked = house
            .send("POST", "/api/v1/workflows/check", &drawing)
            .await;
        assert_eq!(
            (checked.status, &checked.json()["runnable"]),
            (StatusCode::OK, &json!(false)),
            "{damage}"
        );
    }
    assert_eq!(
        house.get("/api/v1/workflows").await.json()["items"],
        json!([])
    );
}

#[tokio::test]
async fn ten_thousand_nodes_work_and_more_than_a_hundred_thousand_do_not() {
    let house = House::new();
    let created = house.send("POST", "/api/v1/workflows", &flow(10_000)).await;
    assert_eq!(created.status, StatusCode::CREATED);
    for path in ["/api/v1/workflows", "/api/v1/workflows/check"] {
        let refused = house.send("POST", path, &flow(100_001)).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (StatusCode::UNPROCESSABLE_ENTITY, "too_many_nodes".into())
        );
    }
}

#[tokio::test]
async fn bodies_have_limits() {
    let house = House::new();
    let text = |kib: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(kib << 10));
    for (method, path, kib) in [
        ("POST", "/api/v1/workflows".to_owned(), 33 << 10),
        ("PUT", format!("/api/v1/workflows/{FLOW}"), 33 << 10),
        ("POST", "/api/v1/workflows/check".to_owned(), 33 << 10),
        ("POST", "/api/v1/agents".to_owned(), 257),
        ("POST", format!("/api/v1/workflows/{FLOW}/runs"), 257),
    ] {
        let answer = house.send_text(method, &path, text(kib)).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (StatusCode::PAYLOAD_TOO_LARGE, "too_large".into()),
            "{path}"
        );
        // The same, without saying beforehand how long it is.
        let chunks = text(kib)
            .into_bytes()
            .chunks(1 << 16)
            .map(Bytes::copy_from_slice)
            .map(Ok::<_, std::io::Error>)
            .collect::<Vec<_>>();
        let answer = house
            .send_text(method, &path, Body::from_stream(stream::iter(chunks)))
            .await;
        assert_eq!(answer.problem(), "too_large", "{path}");
    }
    let broken = stream::iter([
        Ok(Bytes::from_static(b"{")),
        Err(std::io::Error::other("cut")),
    ]);
    assert_eq!(
        house
            .send_text("POST", "/api/v1/agents", Body::from_stream(broken))
            .await
            .problem(),
        "body_cut"
    );
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_problem() {
    let house = House::new();
    let missing = format!("/api/v1/workflows/{OTHER}");
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let very_deep = "[".repeat(100_000);
    let cases = [
        ("GET", "/api/v1/nothing", "", 404, "not_found"),
        ("GET", "/api/v1", "", 404, "not_found"),
        ("GET", "/api/v2/workflows", "", 404, "not_found"),
        ("POST", "/api/v1/nothing", "{}", 404, "not_found"),
        ("POST", "/nothing", "{}", 404, "not_found"),
        ("GET", "/ws/nothing", "", 404, "not_found"),
        ("GET", "/pkg/nothing.js", "", 404, "not_found"),
        (
            "PATCH",
            "/api/v1/workflows",
            "{}",
            405,
            "method_not_allowed",
        ),
        ("DELETE", "/api/v1/runs", "", 405, "method_not_allowed"),
        ("POST", "/healthz", "", 405, "method_not_allowed"),
        (
            "GET",
            "/api/v1/workflows/check",
            "",
            405,
            "method_not_allowed",
        ),
        ("GET", &missing, "", 404, "not_found"),
        ("DELETE", &missing, "", 404, "not_found"),
        ("GET", "/api/v1/workflows/no-id", "", 404, "not_found"),
        ("GET", "/api/v1/workflows/%00", "", 404, "not_found"),
        ("GET", "/api/v1/workflows/%ff", "", 404, "not_found"),
        (
            "GET",
            "/api/v1/workflows/..%2f..%2fetc%2fpasswd",
            "",
            404,
            "not_found",
        ),
        ("GET", "/api/v1/runs/no-id", "", 404, "not_found"),
        (
            "GET",
            "/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a80ff",
            "",
            404,
            "not_found",
        ),
        (
            "GET",
            "/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a80ff/events",
            "",
            404,
            "not_found",
        ),
        (
            "POST",
            "/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a80ff/cancel",
            "",
            404,
            "not_found",
        ),
        (
            "GET",
            "/api/v1/agents/01890a5d-ac96-774b-bcce-b302099a80ff",
            "",
            404,
            "not_found",
        ),
        ("POST", "/api/v1/agents/7/pause", "", 404, "not_found"),
        ("GET", "/api/v1/runs?status=happy", "", 400, "bad_query"),
        ("GET", "/api/v1/runs?workflow=7", "", 400, "bad_query"),
        ("GET", "/api/v1/runs?limit=0", "", 400, "bad_query"),
        ("GET", "/api/v1/runs?limit=1001", "", 400, "bad_query"),
        ("GET", "/api/v1/runs?limit=-1", "", 400, "bad_query"),
        ("GET", "/api/v1/runs?limit=many", "", 400, "bad_query"),
        ("GET", "/api/v1/runs?limit=1&limit=2", "", 400, "bad_query"),
        ("GET", "/api/v1/runs?stauts=failed", "", 400, "bad_query"),
        ("GET", "/api/v1/events?after=-1", "", 400, "bad_query"),
        (
            "GET",
            "/api/v1/events?after=99999999999999999999",
            "",
            400,
            "bad_query",
        ),
        (
            "GET",
            "/api/v1/events?after=18446744073709551615",
            "",
            400,
            "bad_query",
        ),
        (
            "GET",
            "/api/v1/events?after=1&before=2",
            "",
            400,
            "bad_query",
        ),
        ("GET", "/api/v1/events?severity=loud", "", 400, "bad_query"),
        ("GET", "/api/v1/events?type=%27%3B", "", 400, "bad_query"),
        ("GET", "/api/v1/events?type=task", "", 400, "bad_query"),
        ("GET", "/api/v1/events?run=x", "", 400, "bad_query"),
        ("GET", "/api/v1/agents?gone=perhaps", "", 400, "bad_query"),
        ("GET", "/api/v1/workflows?limit=x", "", 400, "bad_query"),
        ("POST", "/api/v1/agents", "", 400, "bad_json"),
        ("POST", "/api/v1/agents", "{", 400, "bad_json"),
        ("POST", "/api/v1/agents", "{} {}", 400, "bad_json"),
        ("POST", "/api/v1/agents", "\u{0}", 400, "bad_json"),
        ("POST", "/api/v1/agents", &deep, 400, "too_deep"),
        ("POST", "/api/v1/agents", &very_deep, 400, "too_deep"),
        ("POST", "/api/v1/agents", "[]", 422, "bad_value"),
        ("POST", "/api/v1/agents", "{}", 422, "bad_value"),
        ("POST", "/api/v1/agents", "{\"name\":7}", 422, "bad_value"),
        (
            "POST",
            "/api/v1/agents",
            "{\"name\":\"a\",\"colour\":\"red\"}",
            422,
            "bad_value",
        ),
        ("POST", "/api/v1/workflows", "", 400, "bad_json"),
        ("POST", "/api/v1/workflows", "nope", 400, "bad_json"),
        ("POST", "/api/v1/workflows", "[]", 400, "not_an_object"),
        ("POST", "/api/v1/workflows", &deep, 400, "too_deep"),
        ("POST", "/api/v1/workflows", &very_deep, 400, "too_deep"),
        ("POST", "/api/v1/workflows/check", "7", 400, "not_an_object"),
        ("POST", "/api/v1/workflows/x/runs", "{}", 404, "not_found"),
        (
            "POST",
            "/api/v1/workflows/01890a5d-ac96-774b-bcce-b302099a8058/runs",
            "{\"budget_usd\":0.5}",
            422,
            "bad_value",
        ),
        (
            "POST",
            "/api/v1/workflows/01890a5d-ac96-774b-bcce-b302099a8058/runs",
            "{\"budget_usd\":\"-1\"}",
            422,
            "bad_value",
        ),
        (
            "POST",
            "/api/v1/workflows/01890a5d-ac96-774b-bcce-b302099a8058/runs",
            "{\"inputs\":{}}",
            422,
            "bad_value",
        ),
    ];
    for (method, path, body, status, code) in cases {
        let answer = house.send_text(method, path, body.to_owned()).await;
        let shown: String = body.chars().take(40).collect();
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (status, code),
            "{method} {path} {shown}"
        );
        if status == 405 {
            assert_ne!(answer.header("allow"), "", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn only_json_is_read() {
    let house = House::new();
    for media in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
    ] {
        let ask = request("POST", "/api/v1/agents").header(header::CONTENT_TYPE, media);
        let answer = house
            .ask(ask.body(Body::from("{\"name\":\"a\"}")).expect("a request"))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (415, "unsupported_media_type"),
            "{media}"
        );
    }
    for media in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.troupe+json",
    ] {
        let ask = request("POST", "/api/v1/agents").header(header::CONTENT_TYPE, media);
        let answer = house
            .ask(ask.body(Body::from("{\"name\":\"a\"}")).expect("a request"))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{media}");
    }
    let invalid = house
        .send_text("POST", "/api/v1/workflows", vec![0xff, 0xfe, b'{'])
        .await;
    assert_eq!(invalid.problem(), "bad_json");
}

#[tokio::test]
async fn a_start_carries_what_it_was_given() {
    let house = House::new();
    let path = format!("/api/v1/workflows/{FLOW}/runs");
    let ask = request("POST", &path)
        .header(header::CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", "once");
    let body = json!({ "input": { "topic": "tea" }, "budget_usd": "0.50" }).to_string();
    let accepted = house
        .ask(ask.body(Body::from(body)).expect("a request"))
        .await;
    assert_eq!(
        (accepted.status, accepted.json()),
        (StatusCode::ACCEPTED, json!({ "id": RUN, "seq": 7 }))
    );
    assert_eq!(accepted.header("location"), format!("/api/v1/runs/{RUN}"));
    let bare = house
        .ask(
            request("POST", &path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await;
    assert_eq!(bare.status, StatusCode::ACCEPTED, "nothing to say is fine");
    let starts = house.backend.starts.lock().expect("lock").clone();
    assert_eq!(starts[0].input, json!({ "topic": "tea" }));
    assert_eq!(
        (starts[0].budget_usd, starts[0].idempotency_key.as_deref()),
        (Some(MicroUsd(500_000)), Some("once"))
    );
    assert_eq!(
        (
            &starts[1].input,
            starts[1].budget_usd,
            &starts[1].idempotency_key
        ),
        (&Value::Null, None, &None)
    );
    let odd = request("POST", &path)
        .header("Idempotency-Key", vec![0xe4])
        .body(Body::empty())
        .expect("a request");
    assert_eq!(house.ask(odd).await.problem(), "bad_header");
}

fn a_run() -> Run {
    let agent = parsed(OTHER);
    let record = TurnRecord {
        provider: "openrouter".into(),
        model: "anthropic/claude".into(),
        text: "done".into(),
        tool_calls: vec![],
        reasoning_details: vec![],
        prompt_tokens: Some(10),
        completion_tokens: None,
        cached_tokens: None,
        reasoning_tokens: None,
        assumed_usd: None,
        assumed_tokens: None,
        simulated: false,
        cost_usd: Some(MicroUsd(4_200)),
        replayed: false,
        cost_is: CostIs::Charged,
        finish_reason: FinishReason::Stop,
        generation_id: Some("gen-1".into()),
        first_token_ms: None,
        duration_ms: 12,
    };
    let turn = |number, model: &str, done| Turn {
        reserved: None,
        number,
        model: model.into(),
        simulated: false,
        started_at: Timestamp(1_790_000_000_000),
        began: None,
        done,
        tools: vec![],
        failures: Vec::new(),
        late: Vec::new(),
        unpriced: Vec::new(),
        messages: vec![],
    };
    let error = TaskError::lasting("provider_refused", "The provider refused.");
    let task = |node: &str, state, attempts| Task {
        node: NodeId::parse(node).expect("an id"),
        kind: "agent".into(),
        title: "A step".into(),
        input: None,
        state,
        attempts,
        counted_from: 0,
        question: None,
        answer: None,
        child: None,
        rounds: 0,
        body: None,
        reused: false,
    };
    let attempt = Attempt {
        number: 1,
        agent: Some(agent),
        state: AttemptState::Failed {
            error: error.clone(),
        },
        started_at: Timestamp(1_790_000_000_000),
        ended_at: Some(Timestamp(1_790_000_001_500)),
        turns: vec![
            turn(1, "openrouter:anthropic/claude", Some(record)),
            turn(2, "openrouter:a:b", None),
        ],
    };
    let name = |node: &str| TaskName::of(&NodeId::parse(node).expect("an id"));
    let waiting = TaskState::Waiting {
        reason: domain::run::Waiting::Timer,
        until: None,
    };
    Run {
        id: parsed(RUN),
        workflow_id: parsed(FLOW),
        workflow_version: 3,
        workflow_name: "A flow".into(),
        input: json!({ "topic": "tea" }),
        started_by: "admin".into(),
        budget_usd: Some(MicroUsd(500_000)),
        budget_tokens: None,
        on_budget: domain::budget::OnBudget::Wait,
        state: RunState::Running,
        created_at: Timestamp(1_790_000_000_000),
        started_at: None,
        ended_at: None,
        active_since: None,
        parent: None,
        depth: 0,
        only: None,
        replay: None,
        held_by: None,
        totals: Totals {
            cost_usd: Some(MicroUsd(4_200)),
            tokens: Tokens {
                prompt: Some(10),
                completion: None,
            },
            settled: 1,
            simulated: false,
            ..Totals::default()
        },
        last_seq: 9,
        last_run_seq: 4,
        tasks: [
            (name("plan"), task("plan", waiting, vec![attempt])),
            (
                name("build"),
                task(
                    "build",
                    TaskState::Failed {
                        error,
                        at: Timestamp(0),
                    },
                    vec![],
                ),
            ),
        ]
        .into_iter()
        .collect(),
    }
}

#[tokio::test]
async fn a_run_looks_as_the_contract_says() {
    let house = House::new();
    *house.backend.run.lock().expect("lock") = Some(a_run());
    let run = house.get(&format!("/api/v1/runs/{RUN}")).await.json();
    expect_test::expect![[r#"
        {
          "id": "01890a5d-ac96-774b-bcce-b302099a8057",
          "workflow_id": "01890a5d-ac96-774b-bcce-b302099a8058",
          "workflow_version": 3,
          "workflow_name": "A flow",
          "status": "running",
          "started_by": "admin",
          "input": {
            "topic": "tea"
          },
          "output": null,
          "error": null,
          "cost_usd": "0.0042",
          "tokens": {
            "prompt": 10,
            "completion": null
          },
          "budget_usd": "0.5",
          "budget_tokens": null,
          "on_budget": "wait",
          "held_by": null,
          "child_runs": {
            "runs": 0,
            "cost_usd": null,
            "tokens": {
              "prompt": null,
              "completion": null
            }
          },
          "simulated": false,
          "parent_run_id": null,
          "parent_task": null,
          "created_at": "2026-09-21T14:13:20Z",
          "started_at": null,
          "ended_at": null,
          "last_seq": 9,
          "last_run_seq": 4,
          "tasks": [
            {
              "task": "plan",
              "node": "plan",
              "kind": "agent",
              "title": "A step",
              "status": "waiting",
              "waiting_for": "timer",
              "waiting_until": null,
              "answer": null,
              "child_run_id": null,
              "rounds": 0,
              "reused": false,
              "agent_id": "01890a5d-ac96-774b-bcce-b302099a8059",
              "input": null,
              "output": null,
              "error": null,
              "cost_usd": "0.0042",
              "attempts": [
                {
                  "attempt": 1,
                  "status": "failed",
                  "agent_id": "01890a5d-ac96-774b-bcce-b302099a8059",
                  "started_at": "2026-09-21T14:13:20Z",
                  "ended_at": "2026-09-21T14:13:21.5Z",
                  "error": {
                    "code": "provider_refused",
                    "message": "The provider refused.",
                    "retryable": false
                  },
                  "turns": [
                    {
                      "turn": 1,
                      "provider": "openrouter",
                      "model": "anthropic/claude",
                      "prompt_tokens": 10,
                      "completion_tokens": null,
                      "cached_tokens": null,
                      "reasoning_tokens": null,
                      "latency_ms": 12,
                      "ttft_ms": null,
                      "simulated": false,
                      "cost_usd": "0.0042",
                      "cost_is": "charged",
                      "finish_reason": "stop",
                      "generation_id": "gen-1",
                      "failures": [],
                      "late_costs": []
                    },
                    {
                      "turn": 2,
                      "provider": "openrouter",
                      "model": "a:b",
                      "prompt_tokens": null,
                      "completion_tokens": null,
                      "cached_tokens": null,
                      "reasoning_tokens": null,
                      "latency_ms": null,
                      "ttft_ms": null,
                      "simulated": false,
                      "cost_usd": null,
                      "cost_is": "unknown",
                      "finish_reason": null,
                      "generation_id": null,
                      "failures": [],
                      "late_costs": []
                    }
                  ]
                }
              ]
            },
            {
              "task": "build",
              "node": "build",
              "kind": "agent",
              "title": "A step",
              "status": "failed",
              "waiting_for": null,
              "waiting_until": null,
              "answer": null,
              "child_run_id": null,
              "rounds": 0,
              "reused": false,
              "agent_id": null,
              "input": null,
              "output": null,
              "error": {
                "code": "provider_refused",
                "message": "The provider refused.",
                "retryable": false
              },
              "cost_usd": null,
              "attempts": []
            }
          ]
        }"#]]
    .assert_eq(&format!("{run:#}"));
}

#[tokio::test]
async fn a_run_is_stopped_once() {
    let house = House::new();
    *house.backend.run.lock().expect("lock") = Some(a_run());
    let path = format!("/api/v1/runs/{RUN}/cancel");
    let stopped = house.send_text("POST", &path, "").await;
    assert_eq!(
        (stopped.status, stopped.json()),
        (StatusCode::OK, json!({ "id": RUN, "status": "cancelled" }))
    );
    assert_eq!(
        house.send_text("POST", &path, "").await.problem(),
        "run_ended"
    );
}

#[tokio::test]
async fn lists_pass_on_what_is_asked() {
    let house = House::new();
    let runs = house
        .get(&format!(
            "/api/v1/runs?status=live&workflow={FLOW}&cursor=abc&limit=7"
        ))
        .await;
    assert_eq!(runs.json(), json!({ "items": [], "next": "more" }));
    house
        .get("/api/v1/runs?status=&workflow=&cursor=&limit=")
        .await
        .json();
    let queries = house.backend.run_queries.lock().expect("lock").clone();
    assert_eq!(
        (queries[0].status.as_deref(), queries[0].workflow),
        (Some("live"), Some(parsed(FLOW)))
    );
    assert_eq!(
        (queries[0].cursor.as_deref(), queries[0].limit),
        (Some("abc"), Some(7))
    );
    assert_eq!(queries[1], Default::default(), "empty means missing");

    house
        .get(&format!(
            "/api/v1/events?after=5&type=task.*&run={RUN}&agent={OTHER}&severity=warning&limit=3"
        ))
        .await
        .json();
    house.get("/api/v1/events").await.json();
    house.get("/api/v1/events?before=9").await.json();
    let queries = house.backend.event_queries.lock().expect("lock").clone();
    assert_eq!(
        (
            queries[0].after,
            queries[0].kind.as_deref(),
            queries[0].limit
        ),
        (Some(5), Some("task.*"), Some(3))
    );
    assert_eq!(
        (queries[0].run, queries[0].agent),
        (Some(parsed(RUN)), Some(parsed(OTHER)))
    );
    assert_eq!(queries[0].severity.as_deref(), Some("warning"));
    assert_eq!(
        (queries[1].after, queries[1].before),
        (Some(0), None),
        "from the first event"
    );
    assert_eq!((queries[2].after, queries[2].before), (None, Some(9)));
}

#[tokio::test]
async fn events_are_frames_with_readable_times() {
    let house = House::new();
    let events = house.get("/api/v1/events").await.json();
    assert_eq!(
        events["items"][0],
        json!({
            "kind": "event", "seq": 1, "run_seq": 1, "at": "2026-09-21T14:13:20.123Z", "type": "task.started",
            "topic": format!("workflow.{FLOW}.events"), "workflow_id": FLOW, "run_id": RUN, "task": "plan",
            "severity": "info", "data": { "attempt": 1 },
        })
    );
}

#[tokio::test]
async fn events_of_a_run_come_in_parts() {
    let house = House::new();
    for seq in 1..=5 {
        house.append(event(seq, FLOW));
    }
    let path = format!("/api/v1/runs/{RUN}/events");
    let part = house.get(&format!("{path}?after=1&limit=2")).await.json();
    let numbers: Vec<&Value> = part["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| &item["run_seq"])
        .collect();
    assert_eq!(
        (numbers, &part["next"]),
        (vec![&json!(2), &json!(3)], &json!("3"))
    );
    let rest = house.get(&format!("{path}?after=3")).await.json();
    assert_eq!(
        (rest["items"].as_array().map(Vec::len), &rest["next"]),
        (Some(2), &Value::Null)
    );
    let nothing = house.get(&format!("{path}?after=5")).await.json();
    assert_eq!(nothing["items"], json!([]));
    house
        .log
        .locked
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let busy = house.get(&path).await;
    assert_eq!(
        (
            busy.status.as_u16(),
            busy.problem().as_str(),
            busy.header("retry-after")
        ),
        (503, "store_busy", "2")
    );
}

#[tokio::test]
async fn agents_are_made_held_and_ended() {
    let house = House::new();
    let spec = json!({ "name": "Ada", "capabilities": ["planning"], "model": null, "instructions": "Be brief.", "tools": [] });
    let made = house.send("POST", "/api/v1/agents", &spec).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let path = made.header("location").to_owned();
    assert_eq!(path, format!("/api/v1/agents/{id}"));
    let full = house.get(&path).await.json();
    assert_eq!(
        (&full["name"], &full["state"], &full["workspace_path"]),
        (&json!("Ada"), &json!("idle"), &json!("/data/agents/x"))
    );
    let act = async |verb: &str| house.send_text("POST", &format!("{path}/{verb}"), "").await;
    assert_eq!(act("pause").await.json()["state"], "paused");
    assert_eq!(act("resume").await.json()["state"], "idle");
    assert_eq!(act("terminate").await.json()["reason"], "asked to");
    let refused = act("pause").await;
    assert_eq!(
        (refused.status, refused.problem()),
        (StatusCode::CONFLICT, "illegal_move".into())
    );
    assert!(
        refused.json()["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("terminated") && detail.contains("paused"))
    );
    assert_eq!(
        house.get("/api/v1/agents?gone=true").await.json()["items"][0]["id"],
        id.as_str()
    );
    assert_eq!(
        house.get("/api/v1/providers").await.json()["items"][0]["simulated"],
        true
    );
}

#[tokio::test]
async fn every_refusal_of_the_backend_keeps_its_status() {
    let house = House::new();
    for (kind, status) in [
        (ErrorKind::BadRequest, 400),
        (ErrorKind::Unauthorised, 401),
        (ErrorKind::Forbidden, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::Conflict, 409),
        (ErrorKind::TooLarge, 413),
        (ErrorKind::Invalid, 422),
        (ErrorKind::PreconditionRequired, 428),
        (ErrorKind::Unavailable, 503),
        (ErrorKind::Internal, 500),
    ] {
        let error = ApiError::new(kind, "some_code", "A sentence for people.")
            .with_detail(json!({ "more": [1] }));
        *house.backend.broken.lock().expect("lock") = Some(error);
        let answer = house.get("/api/v1/agents").await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (status, "some_code")
        );
        assert_eq!(answer.json()["more"], json!([1]));
        assert_eq!(
            answer.header("retry-after"),
            if status == 503 { "2" } else { "" }
        );
    }
}

#[tokio::test]
async fn a_crash_tells_nothing_of_the_inside() {
    let house = House::new();
    let crashed = house.get("/api/v1/workflows?search=panic").await;
    assert_eq!(
        (crashed.status.as_u16(), crashed.problem().as_str()),
        (500, "internal")
    );
    assert!(!crashed.body.contains("secret"), "{}", crashed.body);
    assert_eq!(
        crashed.header("x-content-type-options"),
        "nosniff",
        "and is as safe as any answer"
    );
    assert_eq!(
        house.get("/api/v1/workflows").await.status,
        StatusCode::OK,
        "the next one is fine"
    );
}

#[tokio::test]
async fn the_description_is_served() {
    let house = House::new();
    let document = house.get("/api/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    assert!(document.json()["paths"]["/api/v1/runs/{id}"]["get"].is_object());
}

#[tokio::test]
async fn health_tells_what_does_not_work() {
    let house = House::new();
    let healthy = house.get("/healthz").await;
    assert_eq!(
        healthy.json(),
        json!({ "status": "ok", "version": "9.9.9", "degraded": [] })
    );
    house
        .state
        .health
        .degrade("store", "The disk is full.".into());
    let degraded = house.get("/healthz").await;
    assert_eq!(degraded.status, StatusCode::OK);
    assert_eq!(
        degraded.json(),
        json!({ "status": "degraded", "version": "9.9.9", "degraded": ["The disk is full."] })
    );
    assert_eq!(
        house.get("/readyz").await.json(),
        json!({ "status": "ready" })
    );
    house.state.shutdown.cancel();
    assert_eq!(house.get("/readyz").await.problem(), "closing");
    house.metrics.send_modify(|metrics| metrics.runs_live = 3);
    let metrics = house.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    assert!(
        metrics.body.contains("troupe_runs_live 3\n"),
        "{}",
        metrics.body
    );
}
