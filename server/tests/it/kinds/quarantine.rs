//! A run that stops the server whenever it is taken up again.

use serde_json::{Value, json};

use super::{House, approval, chain, is, task};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_left_out_at_the_third_time_and_the_others_go_on() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    house.create(approval::flow()).await;
    let sub = json!({ "id": "sub", "kind": "workflow", "workflow": "Asks a person", "input": {} });
    let parent = house.create(chain("Parent", &[sub])).await;
    let parent = house.start(&parent, json!({})).await;
    let waits = house.until(&parent, is("sub", "waiting")).await;
    let guilty = task(&waits, "sub")["child_run_id"]
        .as_str()
        .expect("a child")
        .to_owned();
    let wait = json!({ "id": "may", "kind": "approval", "message": "Well?" });
    let other = house.create(chain("Other", &[wait])).await;
    let other = house.start(&other, json!({})).await;
    house.until(&other, is("may", "waiting")).await;
    let mut house = house;
    for start in 1..=3 {
        house.killed().await;
        // What a start leaves behind that did not get past this run.
        std::fs::write(data.path().join("recovering"), &guilty).expect("written");
        house = House::open(data.path()).await;
        let parent = house.read_run(&parent).await;
        let expected = if start < 3 { "running" } else { "failed" };
        if start < 3 {
            assert_eq!(parent["status"], expected, "start {start}: {parent:#}");
        }
    }
    let lost = house.end(&parent).await;
    assert_eq!(
        task(&lost, "sub")["error"]["code"],
        "child_lost",
        "{lost:#}"
    );
    let (_, health) = house.json("GET", "/healthz", Value::Null).await;
    assert!(health.to_string().contains(&guilty), "{health}");
    let (status, told) = house
        .post(&format!("/api/v1/runs/{guilty}/cancel"), Value::Null)
        .await;
    assert_eq!((status, &told["code"]), (409, &json!("run_set_aside")));
    let answer = format!("/api/v1/runs/{other}/tasks/may/answer");
    let (status, told) = house.post(&answer, json!({ "port": "approved" })).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(house.end(&other).await["status"], "succeeded");
    assert!(!data.path().join("recovering").exists());
    house.close().await;
}
