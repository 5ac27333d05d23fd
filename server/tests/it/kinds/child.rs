//! A workflow as a step of another.

use serde_json::{Value, json};

use super::{House, approval, chain, is, task};

fn parent(child: &str, input: Value) -> Value {
    chain(
        "Parent",
        &[
            json!({ "id": "sub", "kind": "workflow", "workflow": child, "input": input }),
            json!({ "id": "out", "kind": "output", "value": "{{ nodes.sub.output }}!" }),
        ],
    )
}

fn child() -> Value {
    let mut child = chain(
        "Doubles",
        &[json!({ "id": "out", "kind": "output", "value": "{{ input.n * 2 }}" })],
    );
    child["inputs"] = json!([{ "name": "n", "type": "number", "default": 4 }]);
    child
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_is_found_by_name_or_id_and_brings_its_output() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let id = house.create(child()).await;
    for (name, input, output) in [
        ("Doubles", json!({ "n": "{{ 21 }}" }), "42!"),
        (id.as_str(), json!({}), "8!"),
    ] {
        let workflow = house.create(parent(name, input)).await;
        let run = house.start(&workflow, json!({})).await;
        let run = house.end(&run).await;
        assert_eq!(run["output"], output, "{run:#}");
        let sub = task(&run, "sub")["child_run_id"].as_str().expect("a child");
        let sub = house.read_run(sub).await;
        assert_eq!(sub["parent_run_id"], run["id"]);
        assert_eq!(sub["parent_task"], "sub");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_cannot_be_fails_its_task_with_a_reason() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    house.create(child()).await;
    for (name, input, code) in [
        ("Nobody", json!({}), "no_such_workflow"),
        ("Doubles", json!({ "m": 1 }), "bad_input"),
    ] {
        let workflow = house.create(parent(name, input)).await;
        let run = house.start(&workflow, json!({})).await;
        let run = house.end(&run).await;
        assert_eq!(task(&run, "sub")["error"]["code"], code, "{run:#}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_is_held_and_cancelled_with_its_parent() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    house.create(approval::flow()).await;
    let workflow = house.create(parent("Asks a person", json!({}))).await;
    let run = house.start(&workflow, json!({})).await;
    let waits = house.until(&run, is("sub", "waiting")).await;
    assert_eq!(task(&waits, "sub")["waiting_for"], "run");
    let sub = task(&waits, "sub")["child_run_id"]
        .as_str()
        .expect("a child")
        .to_owned();
    let pause = format!("/api/v1/runs/{run}/pause");
    assert_eq!(house.post(&pause, Value::Null).await.0, 200);
    assert_eq!(house.read_run(&sub).await["status"], "paused");
    let cancel = format!("/api/v1/runs/{run}/cancel");
    assert_eq!(house.post(&cancel, Value::Null).await.0, 200);
    assert_eq!(house.read_run(&sub).await["status"], "cancelled");
    house.close().await;
}
