//! A run that stops the program whenever it is taken up again, and one that only was in the way of a
//! kill now and then.

use serde_json::json;

use super::{
    checker::{Evidence, assert_sound},
    flows,
    process::{Place, Process},
};

/// Two runs that wait for a person, the older one first.
async fn two_that_wait(place: &Place) -> [String; 2] {
    let process = place.started().await;
    let shapes = flows::shapes(place.provider.port);
    let (_, flow) = shapes
        .iter()
        .find(|(name, _)| *name == "approval")
        .expect("there is one");
    let workflow = process.create(flow).await.expect("alive");
    let mut runs = Vec::new();
    for key in ["older", "younger"] {
        let run = process.run(&workflow, key).await.expect("alive");
        waits(&process, &run).await;
        runs.push(run);
    }
    process.kill().await;
    runs.try_into().expect("two")
}

async fn waits(process: &Process, run: &str) {
    loop {
        let now = process
            .get(&format!("/api/v1/runs/{run}"))
            .await
            .expect("alive");
        if now["tasks"][1]["status"] == "waiting" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn dies_over_the_oldest(place: &Place) {
    assert!(place.start(Some("take-up:1")).await.is_none(), "it dies");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_three_deaths_the_others_go_on_without_it() {
    let place = Place::new().await;
    let [guilty, other] = two_that_wait(&place).await;
    for _ in 0..3 {
        dies_over_the_oldest(&place).await;
    }
    // It stays out, however often the program is started.
    for _ in 0..2 {
        let process = place.started().await;
        let health = process.get("/healthz").await.expect("alive");
        assert_eq!(health["status"], "degraded", "{health}");
        assert!(health.to_string().contains(&guilty), "{health}");
        process.kill().await;
    }
    let process = place.started().await;
    let end = process.end(&other).await.expect("alive");
    assert_eq!(end["status"], "succeeded", "{end:#}");
    let answer = format!("/api/v1/runs/{guilty}/tasks/may/answer");
    let body = json!({ "port": "approved" });
    let (status, told) = process
        .call("POST", &answer, None, body)
        .await
        .expect("alive");
    assert_eq!(status, 409, "{told}");
    process.kill().await;
    let evidence = Evidence {
        data: place.data(),
        accepted: &[guilty, other],
        ledger: &place.provider.ledger(),
        clients: &[],
    };
    assert_sound(&evidence, "quarantine").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deaths_that_are_not_in_a_row_are_no_proof() {
    let place = Place::new().await;
    let runs = two_that_wait(&place).await;
    for _ in 0..4 {
        dies_over_the_oldest(&place).await;
        // This start gets past it, and is killed for another reason.
        let process = place.started().await;
        waits(&process, &runs[0]).await;
        process.kill().await;
    }
    let process = place.started().await;
    let health = process.get("/healthz").await.expect("alive");
    assert_eq!(health["status"], "ok", "{health}");
    for run in &runs {
        let end = process.end(run).await.expect("alive");
        assert_eq!(end["status"], "succeeded", "{end:#}");
    }
}
