//! The group commit: all or nothing, in order, again and again after every kind of trouble.

use std::time::Duration;

use domain::{
    agent::AgentEvent,
    event::{Event, Fact, SystemEvent},
    money::MicroUsd,
    run::{RunEvent, TaskEvent},
    time::Timestamp,
};
use serde_json::json;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::*;
use crate::store::{
    Start, StoreError,
    sqlite::{DATABASE_FILE, SqliteOptions},
};

#[tokio::test]
async fn what_was_appended_is_read_back() {
    let store = store().await;
    let mut log = Log::default();
    let batch = vec![
        log.started("0.1.0"),
        log.event(Fact::Agent {
            agent: agent(1),
            event: AgentEvent::Terminated {
                reason: "\u{0}'\"\u{202e}é\n".into(),
            },
        }),
        log.queued(run(1)),
        log.event(Fact::Run {
            run: run(1),
            workflow: workflow(1),
            event: RunEvent::Started {},
        }),
        log.task(
            run(1),
            task("a"),
            Some(agent(1)),
            turn("It snows. ❄", Some(12)),
        ),
        log.task(
            run(1),
            task("a"),
            None,
            TaskEvent::Completed {
                attempt: 1,
                output: json!({"z": 1.5, "a": [null, true, "\u{0}"]}),
                port: None,
                duration_ms: 3,
                cost_usd: None,
            },
        ),
    ];
    store.append(&events(batch.clone())).await.expect("it fits");
    assert_eq!(store.head().await.expect("readable"), 6);
    let of_run: Vec<Event> = batch
        .iter()
        .filter(|event| event.fact.run().is_some())
        .cloned()
        .collect();
    assert_eq!(
        store
            .run_events(run(1), 0, u32::MAX)
            .await
            .expect("readable"),
        of_run
    );
    assert_eq!(
        store
            .run_events(run(1), 3, u32::MAX)
            .await
            .expect("readable"),
        of_run[3..]
    );
    assert_eq!(
        store
            .run_events(run(2), 0, u32::MAX)
            .await
            .expect("readable"),
        []
    );
    let frames: Vec<_> = batch.iter().map(Event::to_frame).collect();
    assert_eq!(
        store.frames_after(0, 100, &[]).await.expect("readable"),
        (frames, 6)
    );
}

#[tokio::test]
async fn numbers_must_go_on_from_the_head() {
    let store = store().await;
    let at = |seq| Event {
        seq,
        run_seq: None,
        at: NOON,
        fact: Fact::System(SystemEvent::Recovered { part: "bus".into() }),
    };
    for wrong in [vec![2], vec![0], vec![1, 3], vec![1, 1], vec![1, 2, 2]] {
        let refused = store
            .append(&events(wrong.iter().map(|seq| at(*seq)).collect()))
            .await;
        assert!(
            matches!(refused, Err(StoreError::Broken(_))),
            "{wrong:?}: {refused:?}"
        );
        assert_eq!(store.head().await.expect("readable"), 0, "{wrong:?}");
    }
    store
        .append(&events(vec![at(1), at(2)]))
        .await
        .expect("these are due");
    assert!(store.append(&events(vec![at(2)])).await.is_err());
    store
        .append(&events(vec![at(3)]))
        .await
        .expect("this is due");
    assert_eq!(store.head().await.expect("readable"), 3);
}

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    let store = store().await;
    let mut log = Log::default();
    let queued = log.queued(run(1));
    let mut batch = Batch {
        events: vec![queued],
        runs: vec![changed(
            run_row(run(1), "running", NOON),
            vec![task_row("a", 0, "running")],
            vec![attempt_row("b", 1, "running")],
        )],
        agents: vec![spawned(agent(1), "planner", NOON)],
        starts: vec![Start {
            key: "k".into(),
            run: run(1),
            seq: 1,
            digest: "d".into(),
        }],
        ..Batch::default()
    };
    let refused = store.append(&batch).await.expect_err("there is no task b");
    assert_eq!(
        refused.to_string(),
        "the database refused: storing attempts: FOREIGN KEY constraint failed"
    );
    assert_eq!(store.head().await.expect("readable"), 0);
    assert!(store.agents(true).await.expect("readable").is_empty());
    assert!(store.live_runs().await.expect("readable").is_empty());
    assert!(store.start("k").await.expect("readable").is_none());

    batch.runs[0].attempts[0].task = "a".into();
    store.append(&batch).await.expect("now it fits");
    assert_eq!(
        store.live_runs().await.expect("readable"),
        [(run(1), workflow(1), 1)]
    );
    assert_eq!(
        store.run_origin(run(1)).await.expect("readable"),
        Some((workflow(1), 1))
    );
    assert_eq!(store.run_origin(run(2)).await.expect("readable"), None);
    let start = store
        .start("k")
        .await
        .expect("readable")
        .expect("it was stored");
    assert_eq!(
        (start.run, start.seq, start.digest.as_str()),
        (run(1), 1, "d")
    );

    // The same key a second time is a mistake of the kernel: nothing of that batch is stored.
    let again = Batch {
        events: vec![log.started("2")],
        starts: batch.starts.clone(),
        ..Batch::default()
    };
    assert!(matches!(
        store.append(&again).await,
        Err(StoreError::Broken(_))
    ));
    assert_eq!(store.head().await.expect("readable"), 1);
}

#[tokio::test]
async fn an_empty_batch_is_no_work() {
    store()
        .await
        .append(&Batch::default())
        .await
        .expect("nothing was to be done");
}

#[tokio::test]
async fn a_large_batch_keeps_its_order() {
    let store = store().await;
    let mut log = Log::default();
    let batch: Vec<Event> = (0..1_000)
        .map(|number| log.started(&number.to_string()))
        .collect();
    store.append(&events(batch.clone())).await.expect("it fits");
    let (frames, looked_at) = store.frames_after(0, 2_000, &[]).await.expect("readable");
    assert_eq!(looked_at, 1_000);
    assert_eq!(
        frames,
        batch.iter().map(Event::to_frame).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_locked_database_is_busy_and_then_works_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join(DATABASE_FILE);
    let options = SqliteOptions {
        busy_timeout_ms: 50,
        durable: false,
        ..SqliteOptions::at(&file)
    };
    let store = SqliteStore::open_with(options).await.expect("it opens");
    let mut other = SqliteConnectOptions::new()
        .filename(&file)
        .connect()
        .await
        .expect("a second program");
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .expect("nobody else writes");

    let mut log = Log::default();
    let batch = events(vec![log.started("1")]);
    for _ in 0..3 {
        let busy = store.append(&batch).await;
        assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
        assert_eq!(store.head().await.expect("reading goes on"), 0);
    }
    sqlx::query("ROLLBACK")
        .execute(&mut other)
        .await
        .expect("the second program is done");
    store.append(&batch).await.expect("the lock is free");
    assert_eq!(store.head().await.expect("readable"), 1);
    other.close().await.expect("closed");
}

#[tokio::test]
async fn a_full_disk_is_busy_and_then_works_again() {
    let store = store().await;
    let mut log = Log::default();
    let long = "x".repeat(200_000);
    let batch = events(vec![log.started(&long)]);
    limit_pages(&store, "PRAGMA max_page_count = 60").await;
    for _ in 0..3 {
        let full = store.append(&batch).await;
        assert!(matches!(full, Err(StoreError::Busy(_))), "{full:?}");
        assert_eq!(store.head().await.expect("reading goes on"), 0);
    }
    limit_pages(&store, "PRAGMA max_page_count = 100000").await;
    store.append(&batch).await.expect("there is room again");
    assert_eq!(store.head().await.expect("readable"), 1);
}

async fn limit_pages(store: &SqliteStore, pragma: &'static str) {
    let mut writer = store.writer.lock().await;
    sqlx::query(pragma)
        .execute(writer.connection())
        .await
        .expect("a pragma");
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_nothing_behind() {
    let store = store().await;
    let mut stored = 0;
    for wait_us in (0..3_000).step_by(60) {
        let mut log = Log {
            seq: stored,
            ..Log::default()
        };
        let batch = events((0..200).map(|_| log.started("x")).collect());
        // Wherever it was interrupted, the batch is there whole or not at all.
        let _ = tokio::time::timeout(Duration::from_micros(wait_us), store.append(&batch)).await;
        {
            let mut writer = store.writer.lock().await;
            writer.begin().await.expect("the writer works");
            let head = writer.head().await.expect("readable");
            writer.finish(Ok(())).await.expect("the writer works");
            assert!(
                head == stored || head == stored + 200,
                "{head} after {stored}"
            );
            stored = head;
        }
    }
    let mut log = Log {
        seq: stored,
        ..Log::default()
    };
    store
        .append(&events(vec![log.started("last")]))
        .await
        .expect("the writer works");
    assert_eq!(store.head().await.expect("readable"), stored + 1);
}

#[tokio::test]
async fn costs_are_summed_by_the_hour() {
    let store = store().await;
    let mut log = Log::default();
    let hour = |hour: i64| Timestamp(1_789_999_200_000 + hour * 3_600_000);
    let mut costs = |at: Timestamp, cost| {
        let event = log.task(run(1), task("a"), None, turn("", cost));
        events(vec![Event { at, ..event }])
    };
    for batch in [
        costs(hour(0), Some(5)),
        costs(hour(0).plus_ms(3_599_999), Some(7)),
        costs(hour(1), None),
        costs(hour(1), Some(100)),
        costs(hour(3), Some(u64::MAX)),
        costs(hour(3), Some(u64::MAX)),
    ] {
        store.append(&batch).await.expect("it fits");
    }
    let most = MicroUsd(i64::MAX as u64);
    for (since, sum) in [(4, MicroUsd(0)), (3, most), (2, most)] {
        assert_eq!(
            store.spent_since(hour(since)).await.expect("readable").cost,
            sum,
            "{since}"
        );
    }
    let all = store.spent_since(hour(0)).await.expect("readable").cost;
    assert_eq!(all, MicroUsd(i64::MAX as u64 + 112));
}
