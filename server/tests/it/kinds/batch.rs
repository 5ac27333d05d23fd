//! Many runs at once: all, or none.

use axum::http::{Request, header};
use serde_json::{Value, json};

use super::{House, chain};

fn flow() -> Value {
    let mut flow = chain(
        "Says",
        &[json!({ "id": "out", "kind": "output", "value": "{{ input.n }}" })],
    );
    flow["inputs"] = json!([{ "name": "n", "type": "number", "required": true }]);
    flow
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_accepted_whole_or_not_at_all() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let workflow = house.create(flow()).await;
    let path = format!("/api/v1/workflows/{workflow}/runs/batch");
    let wrong = json!({ "inputs": [{ "n": 1 }, { "n": "two" }, {}] });
    let (status, told) = house.post(&path, wrong).await;
    assert_eq!(
        (status, &told["code"]),
        (422, &json!("bad_input")),
        "{told}"
    );
    assert_eq!(told["problems"].as_array().map(Vec::len), Some(2));
    let (_, runs) = house.json("GET", "/api/v1/runs", Value::Null).await;
    assert_eq!(runs["items"], json!([]));

    let inputs: Vec<Value> = (0..100).map(|n| json!({ "n": n })).collect();
    let (status, told) = house.post(&path, json!({ "inputs": inputs })).await;
    assert_eq!(status, 202, "{told}");
    let items = told["items"].as_array().expect("items");
    assert_eq!(items.len(), 100);
    for (n, item) in items.iter().enumerate() {
        let run = house.end(item["id"].as_str().expect("an id")).await;
        assert_eq!(run["output"], n);
    }
    let limited = json!({ "inputs": [{ "n": 1 }], "budget_tokens": 5, "on_budget": "fail" });
    let (_, told) = house.post(&path, limited).await;
    let id = told["items"][0]["id"].as_str().expect("an id");
    let (_, events) = house
        .json("GET", &format!("/api/v1/runs/{id}/events"), Value::Null)
        .await;
    let queued = &events["items"][0]["data"];
    assert_eq!(
        (&queued["budget_tokens"], &queued["on_budget"]),
        (&json!(5), &json!("fail")),
        "{queued}"
    );
    let (status, told) = house
        .post(&path, json!({ "inputs": vec![json!({}); 1_001] }))
        .await;
    assert_eq!((status, &told["code"]), (422, &json!("too_many_runs")));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_with_the_same_key_is_the_same_batch() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let workflow = house.create(flow()).await;
    let send = || {
        let request = Request::post(format!("/api/v1/workflows/{workflow}/runs/batch"))
            .header(header::HOST, "127.0.0.1:3999")
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "once")
            .body("{\"inputs\":[{\"n\":1},{\"n\":2}]}".into())
            .expect("a request");
        house.send(request)
    };
    let (status, first) = send().await;
    assert_eq!(status.as_u16(), 202, "{first}");
    assert_eq!(send().await.1, first);
    let (_, runs) = house.json("GET", "/api/v1/runs", Value::Null).await;
    assert_eq!(runs["items"].as_array().map(Vec::len), Some(2));
    house.close().await;
}
