//! SIGTERM while runs are under way: what is being said may come to its end, nothing new begins, and
//! the next start goes on.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    checker::{Evidence, assert_sound},
    client::{Client, Heard},
    flows,
    process::Place,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_loses_nothing() {
    let place = Place::new().await;
    place.provider.says_at_most(2);
    let client = Client::new();
    let process = place.started().await;
    client.follow(&process.address);
    process.create(&flows::inner()).await.expect("alive");
    let mut accepted = Vec::new();
    let shapes = flows::shapes(place.provider.port);
    for (name, flow) in &shapes {
        let workflow = process.create(flow).await.expect("alive");
        accepted.push(process.run(&workflow, name).await.expect("alive"));
    }
    while place.provider.ledger().len() < shapes.len() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.signal("-TERM").await;
    // What is under way comes to its end meanwhile, and is not paid for again.
    place.provider.says_at_most(usize::MAX);
    let gone = timeout(Duration::from_secs(10), process.gone()).await;
    let status = gone.expect("it ends within 10 s");
    assert_eq!(status.code(), Some(0), "{}", place.log());
    let closed = client
        .log()
        .into_iter()
        .rev()
        .find_map(|heard| match heard {
            Heard::Closed { code } => Some(code),
            Heard::Hello { .. } | Heard::Event(_) | Heard::Jump { .. } => None,
        });
    assert_eq!(closed, Some(1012));
    let first = place.provider.ledger();
    assert_eq!(first.len(), shapes.len(), "nothing new began: {first:#?}");
    assert!(first.iter().all(|call| call.finished), "{first:#?}");

    let process = place.started().await;
    client.follow(&process.address);
    for run in &accepted {
        let end = process.end(run).await.expect("alive");
        assert_eq!(end["status"], "succeeded", "{end:#}");
    }
    process.kill().await;
    let ledger = place.provider.ledger();
    let mut keys: Vec<&str> = ledger.iter().map(|call| call.key.as_str()).collect();
    keys.sort_unstable();
    let all = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), all, "no call was made twice: {ledger:#?}");
    let evidence = Evidence {
        data: place.data(),
        accepted: &accepted,
        ledger: &ledger,
        clients: &[client.log()],
    };
    assert_sound(&evidence, "drain").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_never_ends_does_not_hold_up_a_stop() {
    let place = Place::new().await;
    place.provider.says_at_most(2);
    let process = place.started().await;
    let workflow = process.create(&flows::alone()).await.expect("alive");
    let run = process.run(&workflow, "one").await.expect("alive");
    while place.provider.ledger().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.signal("-TERM").await;
    let gone = timeout(Duration::from_secs(10), process.gone()).await;
    assert_eq!(
        gone.expect("it ends within 10 s").code(),
        Some(0),
        "{}",
        place.log()
    );
    place.provider.says_at_most(usize::MAX);
    let process = place.started().await;
    let end = process.end(&run).await.expect("alive");
    assert_eq!(end["status"], "succeeded", "{end:#}");
    process.kill().await;
    let ledger = place.provider.ledger();
    let evidence = Evidence {
        data: place.data(),
        accepted: &[run],
        ledger: &ledger,
        clients: &[],
    };
    assert_sound(&evidence, "an endless model").await;
}
