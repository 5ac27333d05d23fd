//! What was said before a crash is there after it, until the answer begins anew.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    checker::{Evidence, assert_sound},
    flows,
    process::{LONG, Place, Process},
};

/// Waits until a page would show exactly this.
async fn shows(process: &Process, run: &str, text: &str, cut: bool) {
    let mut last = Value::Null;
    let wait = async {
        loop {
            let body = json!({ "id": run });
            last = process
                .call("POST", "/api/written", None, body)
                .await
                .expect("alive")
                .1;
            if last[0]["text"] == text && last[0]["cut"].as_bool().unwrap_or(false) == cut {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let shown = timeout(LONG, wait).await;
    assert!(shown.is_ok(), "not {text:?}: {last}");
}

/// Waits until this much is on the disk.
async fn is_kept(place: &Place, bytes: i64) {
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(place.data().join("troupe.db"));
    let mut database = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options)
        .await
        .expect("opened");
    let wait = async {
        loop {
            let kept: i64 = sqlx::query_scalar("SELECT coalesce(sum(length(text)), 0) FROM said")
                .fetch_one(&mut database)
                .await
                .expect("readable");
            if kept == bytes {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, wait).await.expect("it is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_survives_a_kill() {
    let place = Place::new().await;
    place.provider.says_at_most(3);
    let process = place.started().await;
    let workflow = process.create(&flows::alone()).await.expect("alive");
    let run = process.run(&workflow, "one").await.expect("alive");
    shows(&process, &run, "w1 w2 w3 ", false).await;
    is_kept(&place, 9).await;
    process.kill().await;

    // It says nothing yet: what was said before is there, again and again.
    place.provider.says_at_most(0);
    for _ in 0..2 {
        let process = place.started().await;
        shows(&process, &run, "w1 w2 w3 ", true).await;
        process.kill().await;
    }
    let process = place.started().await;
    // It begins anew: nothing of before is mixed with it.
    place.provider.says_at_most(2);
    shows(&process, &run, "w1 w2 ", false).await;
    is_kept(&place, 6).await;
    place.provider.says_at_most(usize::MAX);
    let end = process.end(&run).await.expect("alive");
    let text = end["output"].as_str().expect("a text");
    assert!(text.starts_with("w1 w2 w3 w4 w5 "), "{end:#}");
    is_kept(&place, 0).await;
    let events = process
        .get(&format!("/api/v1/runs/{run}/events"))
        .await
        .expect("alive");
    assert!(
        events.to_string().contains("\"resumed\":true"),
        "{events:#}"
    );
    process.kill().await;
    let ledger = place.provider.ledger();
    let evidence = Evidence {
        data: place.data(),
        accepted: &[run],
        ledger: &ledger,
        clients: &[],
    };
    assert_sound(&evidence, "said").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_of_a_run_that_was_cancelled() {
    let place = Place::new().await;
    place.provider.says_at_most(3);
    let process = place.started().await;
    let workflow = process.create(&flows::alone()).await.expect("alive");
    let run = process.run(&workflow, "one").await.expect("alive");
    is_kept(&place, 9).await;
    process.kill().await;
    place.provider.says_at_most(0);
    let process = place.started().await;
    shows(&process, &run, "w1 w2 w3 ", true).await;
    let cancel = format!("/api/v1/runs/{run}/cancel");
    let (status, told) = process
        .call("POST", &cancel, None, Value::Null)
        .await
        .expect("alive");
    assert_eq!(status, 200, "{told}");
    is_kept(&place, 0).await;
    let written = process
        .call("POST", "/api/written", None, json!({ "id": run }))
        .await;
    assert_eq!(written.expect("alive").1, json!([]));
}
