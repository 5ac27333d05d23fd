//! People write to agents; an agent reads it with its next turn.

use serde_json::{Value, json};

use super::{House, chain, task};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_to_an_agent_waits_and_is_handed_out_with_a_turn() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let (status, made) = house
        .post(
            "/api/v1/agents",
            json!({ "name": "Ada", "memory": true, "max_tasks": 2 }),
        )
        .await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/api/v1/agents/{}", made["id"].as_str().expect("an id"));
    let messages = format!("{path}/messages");
    let (status, told) = house.post(&messages, json!({ "text": "Be kind." })).await;
    assert_eq!(status, 202, "{told}");
    for (wrong, status) in [(json!({ "text": " " }), 422), (json!({}), 422)] {
        assert_eq!(house.post(&messages, wrong).await.0, status);
    }
    let nobody = "/api/v1/agents/01890a5d-ac96-774b-bcce-b302099a8057/messages";
    assert_eq!(house.post(nobody, json!({ "text": "x" })).await.0, 404);

    house.killed().await;
    let house = House::open(data.path()).await;
    let (_, agent) = house.json("GET", &path, Value::Null).await;
    assert_eq!(
        (&agent["unread"], &agent["memory"], &agent["max_tasks"]),
        (&json!(1), &json!(true), &json!(2)),
        "{agent}"
    );
    let workflow = house
        .create(chain(
            "Works",
            &[json!({ "id": "work", "kind": "agent", "agent": "Ada", "prompt": "Plan a walk." })],
        ))
        .await;
    let run = house.start(&workflow, json!({})).await;
    let run = house.end(&run).await;
    assert_eq!(task(&run, "work")["status"], "succeeded", "{run:#}");
    let (_, agent) = house.json("GET", &path, Value::Null).await;
    assert_eq!(agent["unread"], 0);
    let (_, list) = house.json("GET", &messages, Value::Null).await;
    let item = &list["items"][0];
    assert_eq!(
        (&item["text"], &item["from"]["kind"], &item["to"]["name"]),
        (&json!("Be kind."), &json!("person"), &json!("Ada")),
        "{list}"
    );
    let events = format!(
        "/api/v1/runs/{}/events?limit=1000",
        run["id"].as_str().expect("an id")
    );
    let (_, events) = house.json("GET", &events, Value::Null).await;
    let turn = events["items"]
        .as_array()
        .expect("events")
        .iter()
        .find(|event| event["type"] == "turn.started")
        .expect("a turn")
        .clone();
    assert_eq!(turn["data"]["messages"][0]["text"], "Be kind.", "{turn}");
    house.close().await;
}
