//! A wait that the server does not live through.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{House, chain, is, task};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_goes_on_after_a_crash_and_is_not_begun_anew() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let wait = json!({ "id": "pause", "kind": "wait", "duration_ms": 1_500 });
    let out = json!({ "id": "out", "kind": "output", "value": "over" });
    let workflow = house.create(chain("Waits", &[wait, out])).await;
    let began = Instant::now();
    let run = house.start(&workflow, json!({})).await;
    let waits = house.until(&run, is("pause", "waiting")).await;
    assert_eq!(task(&waits, "pause")["waiting_for"], "timer");
    let until = task(&waits, "pause")["waiting_until"].clone();
    tokio::time::sleep(Duration::from_millis(500)).await;
    house.killed().await;
    let house = House::open(data.path()).await;
    let still = house.read_run(&run).await;
    if task(&still, "pause")["status"] == "waiting" {
        assert_eq!(task(&still, "pause")["waiting_until"], until);
    }
    let run = house.end(&run).await;
    assert_eq!(run["output"], "over");
    assert!(began.elapsed() >= Duration::from_millis(1_500), "too soon");
    assert_eq!(
        task(&run, "pause")["attempts"].as_array().map(Vec::len),
        Some(1)
    );
    house.close().await;
}
