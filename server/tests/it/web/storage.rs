//! Storage: what is told, what can be set, and that readers of the log are told what is gone.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::json;

use super::fake::{FLOW, House, event};

#[tokio::test]
async fn rules_are_read_set_and_refused() {
    let house = House::new();
    let storage = house.get("/api/v1/storage").await;
    assert_eq!(storage.status, StatusCode::OK);
    let storage = storage.json();
    assert_eq!(
        storage["retention"],
        json!({ "keep_days": 30, "max_bytes": 10_737_418_240_u64, "workflows": [] })
    );
    assert_eq!(storage["workflows"][0]["bytes"], 2_000_000);
    assert_eq!(storage["measured_at"], "2026-09-21T14:13:20Z");
    assert_eq!(storage["cleaning"], json!(null));

    let rules = json!({ "keep_days": null, "max_bytes": null,
        "workflows": [{ "workflow_id": FLOW, "keep_days": 7 }] });
    let path = "/api/v1/storage/retention";
    let set = house.send("PUT", path, &rules).await;
    assert_eq!((set.status, set.json()), (StatusCode::OK, rules.clone()));
    assert_eq!(
        house.get("/api/v1/storage").await.json()["retention"],
        rules
    );

    let rule = json!({ "workflow_id": FLOW, "keep_days": 1 });
    for (wrong, status) in [
        // A missing key is no "for ever".
        (json!({ "max_bytes": null, "workflows": [] }), 400),
        (json!({ "keep_days": 3, "workflows": [] }), 400),
        (
            json!({ "keep_days": 3, "max_bytes": null, "workflows": [{ "workflow_id": FLOW }] }),
            400,
        ),
        (
            json!({ "keep_days": 3, "max_bytes": null, "workflows": [], "more": 1 }),
            400,
        ),
        (
            json!({ "keep_days": 0, "max_bytes": null, "workflows": [] }),
            422,
        ),
        (
            json!({ "keep_days": 3, "max_bytes": 5, "workflows": [] }),
            422,
        ),
        (
            json!({ "keep_days": 3, "max_bytes": null, "workflows": [rule, rule] }),
            422,
        ),
    ] {
        let refused = house.send("PUT", path, &wrong).await;
        let problem = refused.problem();
        // Understood or not, as elsewhere in the API.
        let statuses = [status, 422];
        assert!(
            statuses.contains(&refused.status.as_u16()),
            "{wrong}: {problem}"
        );
    }
    assert_eq!(
        house.get("/api/v1/storage").await.json()["retention"],
        rules
    );
}

#[tokio::test]
async fn a_clean_up_is_begun_followed_and_stopped() {
    let house = House::new();
    let begun = house.send_text("POST", "/api/v1/storage/clean", "").await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    assert_eq!(
        begun.json()["cleaning"],
        json!({ "since": "2026-09-21T14:13:20Z", "step": "removing", "chosen": 9, "runs": 4, "events": 400 })
    );
    let stopped = house.send_text("DELETE", "/api/v1/storage/clean", "").await;
    assert_eq!(stopped.status, StatusCode::NO_CONTENT);
    assert_eq!(
        house.get("/api/v1/storage").await.json()["cleaning"],
        json!(null)
    );
}

#[tokio::test]
async fn a_reader_of_the_log_is_told_what_is_gone() {
    let house = House::new();
    house.append(event(9, FLOW));
    let whole = house.get("/api/v1/events?after=4").await.json();
    assert_eq!(whole.get("removed_to"), None);
    house.log.removed_to.store(7, Ordering::Relaxed);
    for (asked, told) in [
        ("", true),
        ("?after=0", true),
        ("?after=6", true),
        ("?after=7", false),
        ("?after=8", false),
    ] {
        let part = house.get(&format!("/api/v1/events{asked}")).await.json();
        assert_eq!(part["removed_to"] == json!(7), told, "{asked}: {part}");
    }
}
