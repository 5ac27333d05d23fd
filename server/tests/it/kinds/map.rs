//! A map of many items: order kept, every round with rows of its own, over a crash.

use serde_json::{Value, json};

use super::{House, chain, task};

fn flow() -> Value {
    let body = json!({ "nodes": [
        { "id": "square", "kind": "transform", "template": "{{ item * item }}", "as": "json" },
        { "id": "out", "kind": "output", "value": "{{ nodes.square.output + index }}" }
    ], "edges": [{ "from": "square", "to": "out" }] });
    chain(
        "Squares",
        &[
            json!({ "id": "each", "kind": "map", "items": "range(1000) | list", "concurrency": 50, "body": body }),
            json!({ "id": "out", "kind": "output", "value": "{{ nodes.each.output }}" }),
        ],
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_items_come_back_in_order() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let workflow = house.create(flow()).await;
    let run = house.start(&workflow, json!({})).await;
    let run = house.end(&run).await;
    assert_eq!(run["status"], "succeeded", "{:#}", run["error"]);
    let expected: Vec<u64> = (0..1_000).map(|n| n * n + n).collect();
    assert_eq!(run["output"], json!(expected));
    assert_eq!(run["tasks"].as_array().map(Vec::len), Some(2_002));
    assert_eq!(task(&run, "each")["rounds"], 1_000);
    assert_eq!(task(&run, "each[999].square")["output"], 998_001);
    let (_, list) = house.json("GET", "/api/v1/runs", Value::Null).await;
    let listed = &list["items"][0];
    assert_eq!(
        (&listed["task_count"], &listed["tasks_settled"]),
        (&json!(2_002), &json!(2_002))
    );
    house.close().await;
}
