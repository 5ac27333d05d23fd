//! The database of a product at work: copied while runs go, put in place elsewhere, cleaned up.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::product::House;

fn three_steps() -> Value {
    json!({ "troupe": 1, "name": "Three", "nodes": [
        { "id": "a", "kind": "agent", "capabilities": ["x"], "prompt": "One" },
        { "id": "b", "kind": "agent", "capabilities": ["x"], "prompt": "Two" },
        { "id": "hold", "kind": "approval", "message": "Go on?" }
    ], "edges": [{ "from": "a", "to": "b" }, { "from": "b", "to": "hold" }] })
}

async fn runs(house: &House) -> Vec<Value> {
    let (status, list) = house
        .json("GET", "/api/v1/runs?limit=1000", json!({}))
        .await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["items"].as_array().expect("a list").clone()
}

/// Asks until what is wanted is there.
async fn until(house: &House, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let (_, found) = house.json("GET", path, json!({})).await;
            if wanted(&found) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap_or_else(|_| panic!("{path} never became what was wanted"))
}

#[tokio::test]
async fn a_backup_of_a_working_server_goes_on_where_it_is_put() {
    let place = tempfile::tempdir().expect("a directory");
    let (data, copy) = (place.path().join("data"), place.path().join("copy.db"));
    let house = House::open(&data).await;
    let workflow = house.create(three_steps()).await;
    let start = format!("/api/v1/workflows/{workflow}/runs");
    for _ in 0..10 {
        let (status, _) = house.json("POST", &start, json!({})).await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }
    // Nobody stops for the copy: more is started meanwhile.
    let more = async {
        for _ in 0..10 {
            let (status, _) = house.json("POST", &start, json!({})).await;
            assert_eq!(status, StatusCode::ACCEPTED);
        }
    };
    let (copied, ()) = tokio::join!(house.running.store.backup(&copy), more);
    copied.expect("copied");
    let epoch = house.running.store.epoch().await.expect("readable");
    assert_eq!(runs(&house).await.len(), 20);
    house.killed().await;

    // As the README says: the copy takes the place of the database.
    let restored = place.path().join("restored");
    std::fs::create_dir(&restored).expect("a directory");
    std::fs::copy(&copy, restored.join("troupe.db")).expect("copied");
    let house = House::open(&restored).await;
    let other = house.running.store.epoch().await.expect("readable");
    assert_ne!(other, epoch, "readers of the old one notice");
    assert!(
        house.running.store.damage().await.expect("read").is_empty(),
        "the file is sound"
    );
    let known = runs(&house).await;
    assert!((10..=20).contains(&known.len()), "{}", known.len());
    // Each goes on from where it stood in the copy, to where it asks a person, and to its end.
    for run in &known {
        let path = format!("/api/v1/runs/{}", run["id"].as_str().expect("an id"));
        until(&house, &path, |run| {
            run["tasks"]
                .as_array()
                .is_some_and(|tasks| tasks.iter().any(|task| task["waiting_for"] == "approval"))
        })
        .await;
        let answer = json!({ "port": "approved", "comment": "", "data": null });
        let (status, told) = house
            .json("POST", &format!("{path}/tasks/hold/answer"), answer)
            .await;
        assert!(status.is_success(), "{told}");
        until(&house, &path, |run| run["status"] == "succeeded").await;
    }
    house.close().await;
}

#[tokio::test]
async fn storage_is_told_ruled_and_cleaned_by_the_product() {
    let place = tempfile::tempdir().expect("a directory");
    let house = House::open(place.path()).await;
    let workflow = house.create(three_steps()).await;
    let (_, started) = house
        .json(
            "POST",
            &format!("/api/v1/workflows/{workflow}/runs"),
            json!({}),
        )
        .await;
    let run = format!("/api/v1/runs/{}", started["id"].as_str().expect("an id"));
    let (_, storage) = house.json("GET", "/api/v1/storage", json!({})).await;
    assert_eq!(storage["retention"]["keep_days"], 30);
    assert_eq!(storage["workflows"][0]["workflow_id"], json!(workflow));
    assert_eq!(storage["workflows"][0]["runs"], 1);
    assert_eq!(storage["gives_back"], true);
    for known in ["file_bytes", "used_bytes", "wal_bytes"] {
        assert!(
            storage[known].as_u64().is_some_and(|size| size > 0),
            "{known}"
        );
    }
    assert!(
        storage["tables"]
            .as_array()
            .is_some_and(|tables| !tables.is_empty())
    );

    let rule = |workflow: &str| {
        json!({ "keep_days": 1, "max_bytes": null,
            "workflows": [{ "workflow_id": workflow, "keep_days": null }] })
    };
    let path = "/api/v1/storage/retention";
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    let (status, refused) = house.json("PUT", path, rule(nobody)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refused}");
    let (status, _) = house.json("PUT", path, rule(&workflow)).await;
    assert_eq!(status, StatusCode::OK);

    let (status, _) = house.json("POST", "/api/v1/storage/clean", json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let cleaned = until(&house, "/api/v1/storage", |storage| {
        storage["cleaning"].is_null() && !storage["last"].is_null()
    })
    .await;
    assert_eq!(cleaned["last"]["status"], "done");
    assert_eq!(cleaned["last"]["runs"], 0, "nothing is old enough");
    let (status, _) = house.json("GET", &run, json!({})).await;
    assert_eq!(status, StatusCode::OK);
    house.close().await;

    // The next server knows the rules, and what was cleaned up.
    let house = House::open(place.path()).await;
    let known = until(&house, "/api/v1/storage", |storage| {
        !storage["last"].is_null()
    })
    .await;
    assert_eq!(known["retention"], rule(&workflow));
    assert_eq!(known["last"]["ended_at"], cleaned["last"]["ended_at"]);
    house.close().await;
}
