//! Hold, go on, do again, over crashes; and what makes no sense is refused with a reason.

use serde_json::{Value, json};

use super::{
    House, chain, http,
    http::{BROKEN, FINE, Other},
    is, task,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_run_stays_held_over_a_crash_and_then_goes_on() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let wait = json!({ "id": "pause", "kind": "wait", "duration_ms": 300 });
    let out = json!({ "id": "out", "kind": "output", "value": "over" });
    let workflow = house.create(chain("Waits", &[wait, out])).await;
    let run = house.start(&workflow, json!({})).await;
    let ask = |verb: &str| format!("/api/v1/runs/{run}/{verb}");
    for _ in 0..2 {
        let (status, told) = house.post(&ask("pause"), Value::Null).await;
        assert_eq!((status, &told["status"]), (200, &json!("paused")), "{told}");
    }
    house.killed().await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let house = House::open(data.path()).await;
    assert_eq!(house.read_run(&run).await["status"], "paused");
    let (status, told) = house.post(&ask("retry"), json!({})).await;
    assert_eq!((status, &told["code"]), (409, &json!("still_running")));
    assert_eq!(house.post(&ask("resume"), Value::Null).await.0, 200);
    let ended = house.end(&run).await;
    assert_eq!(ended["output"], "over");
    for (verb, code) in [
        ("pause", "run_over"),
        ("resume", "run_over"),
        ("cancel", "run_over"),
        ("retry", "nothing_to_retry"),
    ] {
        let (status, told) = house.post(&ask(verb), json!({})).await;
        assert_eq!(
            (status, &told["code"]),
            (409, &json!(code)),
            "{verb}: {told}"
        );
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_run_goes_on_from_what_failed_also_after_a_crash() {
    let data = tempfile::tempdir().expect("a directory");
    let other = Other::open(Some(BROKEN)).await;
    let allow = format!("127.0.0.1:{}", other.port);
    let house = House::allowed(data.path(), &allow).await;
    let before = json!({ "id": "before", "kind": "transform", "template": "kept" });
    let out = json!({ "id": "out", "kind": "output", "value": "{{ nodes.before.output }} {{ nodes.ask.output.body.n }}" });
    let workflow = house
        .create(chain("Asks", &[before, step(other.port), out]))
        .await;
    let run = house.start(&workflow, json!({})).await;
    let failed = house.end(&run).await;
    assert_eq!(failed["error"]["code"], "http_status", "{failed:#}");
    let retry = format!("/api/v1/runs/{run}/retry");
    // It fails once more: an ended run can be taken up as often as one likes.
    let (status, told) = house.post(&retry, json!({})).await;
    assert_eq!((status, &told["id"]), (202, &json!(run)), "{told}");
    house
        .until(&run, |run| {
            run["status"] == "failed"
                && task(run, "ask")["attempts"].as_array().map(Vec::len) == Some(2)
        })
        .await;
    house.killed().await;
    other.says(FINE);
    let house = House::allowed(data.path(), &allow).await;
    let (status, told) = house.post(&retry, json!({})).await;
    assert_eq!(status, 202, "{told}");
    let ended = house.until(&run, is("out", "succeeded")).await;
    assert_eq!(ended["output"], "kept 4200", "{ended:#}");
    assert_eq!(
        task(&ended, "before")["attempts"].as_array().map(Vec::len),
        Some(1),
        "what was finished is not done again"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_under_a_key_is_one_retry_also_after_a_crash() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let never = json!({ "id": "never", "kind": "transform", "as": "json", "template": "no" });
    let workflow = house.create(chain("Fails", &[never])).await;
    let run = house.start(&workflow, json!({})).await;
    house.end(&run).await;
    let retry = async |house: &House| {
        let request = axum::http::Request::post(format!("/api/v1/runs/{run}/retry"))
            .header("host", "127.0.0.1:3999")
            .header("content-type", "application/json")
            .header("idempotency-key", "once")
            .body("{}".into())
            .expect("a request");
        house.send(request).await
    };
    let (status, first) = retry(&house).await;
    assert_eq!(
        (status.as_u16(), first.contains(&run)),
        (202, true),
        "{first}"
    );
    assert_eq!(retry(&house).await.1, first);
    house.killed().await;
    let house = House::open(data.path()).await;
    assert_eq!(retry(&house).await.1, first);
    let told = house.read_run(&run).await;
    let attempts = task(&told, "never")["attempts"].as_array().map(Vec::len);
    assert_eq!(attempts, Some(2), "{told:#}");
    house.close().await;
}

fn step(port: u16) -> Value {
    let mut step = http::step(port);
    step["headers"] = json!({});
    step
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_done_again_from_a_step_with_another_input() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let mut flow = chain(
        "Adds",
        &[
            json!({ "id": "a", "kind": "transform", "template": "a{{ input.x }}" }),
            json!({ "id": "b", "kind": "transform", "template": "{{ nodes.a.output }}b{{ input.x }}" }),
            json!({ "id": "out", "kind": "output", "value": "{{ nodes.b.output }}" }),
        ],
    );
    flow["inputs"] = json!([{ "name": "x", "type": "number", "default": 1 }]);
    let workflow = house.create(flow.clone()).await;
    let first = house.start(&workflow, json!({})).await;
    assert_eq!(house.end(&first).await["output"], "a1b1");

    let retry = format!("/api/v1/runs/{first}/retry");
    let again = json!({ "from": "b", "input": { "x": 2 } });
    let (status, told) = house.post(&retry, again).await;
    assert_eq!(status, 202, "{told}");
    let fork = house.end(told["id"].as_str().expect("an id")).await;
    assert_eq!(
        (&fork["output"], &fork["parent_run_id"]),
        (&json!("a1b2"), &json!(first)),
        "{fork:#}"
    );
    assert_eq!(task(&fork, "a")["reused"], true);

    let alone = json!({ "only": "b", "pins": { "a": "pinned " } });
    let (status, told) = house.post(&retry, alone).await;
    assert_eq!(status, 202, "{told}");
    let one = house.end(told["id"].as_str().expect("an id")).await;
    assert_eq!(task(&one, "b")["output"], "pinned b1", "{one:#}");
    assert_eq!(task(&one, "out")["status"], "skipped");

    for (wrong, status, code) in [
        (json!({ "from": "nowhere" }), 422, "no_such_node"),
        (json!({ "only": "nowhere" }), 422, "no_such_node"),
        (json!({ "from": "NO" }), 422, "bad_value"),
        (json!({ "only": "b", "from": "b" }), 400, "bad_value"),
        (json!({ "pins": { "a": 1 } }), 400, "bad_value"),
        (json!({ "form": "b" }), 422, "bad_value"),
    ] {
        let told = house.post(&retry, wrong.clone()).await;
        assert_eq!((told.0, &told.1["code"]), (status, &json!(code)), "{wrong}");
    }

    // A newer version, with a finished step that is another one now.
    flow["nodes"][0]["template"] = json!("c");
    let path = format!("/api/v1/workflows/{workflow}");
    let (status, _) = house.json("PUT", &path, flow).await;
    assert_eq!(status.as_u16(), 200);
    let (status, told) = house
        .post(&retry, json!({ "from": "b", "newest": true }))
        .await;
    assert_eq!(
        (status, &told["code"]),
        (409, &json!("finished_part_changed"))
    );
    let (status, told) = house
        .post(&retry, json!({ "from": "a", "newest": true }))
        .await;
    assert_eq!(status, 202, "{told}");
    let newer = house.end(told["id"].as_str().expect("an id")).await;
    assert_eq!(
        (&newer["output"], &newer["workflow_version"]),
        (&json!("cb1"), &json!(2))
    );
    house.close().await;
}
