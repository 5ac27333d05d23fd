//! A person is asked, answers once, and what they said counts.

use serde_json::{Value, json};

use super::{House, chain, is, task};

pub fn flow() -> Value {
    let mut flow = chain(
        "Asks a person",
        &[
            json!({ "id": "may", "kind": "approval", "message": "May we go to {{ input.place }}?" }),
            json!({ "id": "out", "kind": "output", "value": "{{ nodes.may.output.comment }}" }),
        ],
    );
    flow["inputs"] = json!([{ "name": "place", "type": "string", "default": "Rome" }]);
    flow["edges"] = json!([{ "from": "may.approved", "to": "out" }]);
    flow
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answer_counts_and_a_second_is_refused() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let workflow = house.create(flow()).await;
    let run = house.start(&workflow, json!({})).await;
    let waiting = house.until(&run, is("may", "waiting")).await;
    assert_eq!(task(&waiting, "may")["waiting_for"], "approval");
    assert_eq!(waiting["status"], "running");
    let people = house.running.store.waiting(10).await.expect("readable");
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].message.as_deref(), Some("May we go to Rome?"));

    let path = format!("/api/v1/runs/{run}/tasks/may/answer");
    let (status, told) = house.post(&path, json!({ "port": "perhaps" })).await;
    assert_eq!((status, &told["code"]), (422, &json!("no_such_answer")));
    let other = format!("/api/v1/runs/{run}/tasks/nowhere/answer");
    let (status, told) = house.post(&other, json!({ "port": "approved" })).await;
    assert_eq!((status, &told["code"]), (404, &json!("no_such_task")));
    let answer = json!({ "port": "approved", "comment": "gladly", "data": { "by": "train" } });
    let (status, told) = house.post(&path, answer.clone()).await;
    assert_eq!(status, 200, "{told}");

    let run = house.end(&run).await;
    assert_eq!(run["output"], "gladly", "{run:#}");
    let answered = &task(&run, "may")["answer"];
    assert_eq!(
        (&answered["by"], &answered["port"], &answered["data"]["by"]),
        (&json!("admin"), &json!("approved"), &json!("train"))
    );
    let (status, told) = house.post(&path, answer).await;
    assert_eq!(
        (status, &told["code"]),
        (409, &json!("already_answered")),
        "{told}"
    );
    let people = house.running.store.waiting(10).await.expect("readable");
    assert!(people.is_empty());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_outlives_the_server() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let workflow = house.create(flow()).await;
    let run = house.start(&workflow, json!({})).await;
    house.until(&run, is("may", "waiting")).await;
    house.killed().await;
    let house = House::open(data.path()).await;
    let path = format!("/api/v1/runs/{run}/tasks/may/answer");
    let (status, told) = house
        .post(&path, json!({ "port": "rejected", "comment": "no" }))
        .await;
    assert_eq!(status, 200, "{told}");
    let run = house.end(&run).await;
    assert_eq!(task(&run, "out")["status"], "skipped", "{run:#}");
    house.close().await;
}
