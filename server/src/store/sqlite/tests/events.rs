//! The log, read in parts and through filters.

use app::api::dto::EventQuery;
use domain::{
    agent::AgentEvent,
    event::{Fact, SystemEvent},
    run::{TaskError, TaskEvent},
    topic,
};

use super::*;
use crate::store::StoreError;

/// Thirty events: by turns a task's, an agent's, a failure and a part that stopped working.
async fn filled() -> SqliteStore {
    let store = store().await;
    let mut log = Log::default();
    let mut batch = Vec::new();
    for number in 0..10_u128 {
        let run = run(number % 2);
        batch.push(log.task(
            run,
            task("a"),
            Some(agent(number % 3)),
            TaskEvent::Started { attempt: 1 },
        ));
        batch.push(log.event(Fact::Agent {
            agent: agent(number % 3),
            event: AgentEvent::Idle { cost_usd: None },
        }));
        batch.push(if number == 4 {
            log.event(Fact::System(SystemEvent::Degraded {
                part: "bus".into(),
                message: "gone".into(),
            }))
        } else {
            let error = TaskError::passing("provider_busy", "Try later.");
            log.task(
                run,
                task("a"),
                None,
                TaskEvent::Retrying {
                    attempt: 2,
                    wait_ms: 5,
                    error,
                    counts: true,
                },
            )
        });
    }
    store.append(&events(batch)).await.expect("it fits");
    store
}

/// All pages of a query, and the `seq`s on each.
async fn walk(store: &SqliteStore, query: EventQuery) -> Vec<u64> {
    let mut seqs: Vec<u64> = Vec::new();
    let mut query = query;
    for _ in 0..100 {
        let page = store.events(&query).await.expect("readable");
        assert!(page.items.len() <= query.limit.unwrap_or(100) as usize);
        seqs.extend(page.items.iter().map(|event| event.seq));
        let Some(next) = page.next else { return seqs };
        assert!(!page.items.is_empty(), "a page with a next is never empty");
        let next = Some(next.parse().expect("it is a seq"));
        if query.after.is_some() {
            query.after = next;
        } else {
            query.before = next;
        }
    }
    panic!("the list has no end");
}

#[tokio::test]
async fn pages_have_no_gaps_and_no_repeats() {
    let store = filled().await;
    let newest_first: Vec<u64> = (1..=30).rev().collect();
    let oldest_first: Vec<u64> = (1..=30).collect();
    for limit in [1, 7, 10, 29, 30, 31, 1_000, 5_000] {
        let query = EventQuery {
            limit: Some(limit),
            ..EventQuery::default()
        };
        assert_eq!(walk(&store, query.clone()).await, newest_first, "{limit}");
        assert_eq!(
            walk(
                &store,
                EventQuery {
                    after: Some(0),
                    ..query.clone()
                }
            )
            .await,
            oldest_first,
            "{limit}"
        );
        assert_eq!(
            walk(
                &store,
                EventQuery {
                    before: Some(4),
                    ..query.clone()
                }
            )
            .await,
            [3, 2, 1]
        );
        assert_eq!(
            walk(
                &store,
                EventQuery {
                    after: Some(5),
                    before: Some(9),
                    ..query
                }
            )
            .await,
            [6, 7, 8]
        );
    }
    let none = EventQuery {
        after: Some(u64::MAX),
        limit: Some(0),
        ..EventQuery::default()
    };
    assert!(walk(&store, none).await.is_empty());
}

#[tokio::test]
async fn every_filter_finds_what_a_search_by_hand_finds() {
    let store = filled().await;
    let all = store
        .events(&EventQuery {
            after: Some(0),
            ..EventQuery::default()
        })
        .await
        .expect("readable")
        .items;
    let kinds = [
        None,
        Some("task.started"),
        Some("task.*"),
        Some("agent.*"),
        Some("tas.*"),
        Some("task"),
        Some("*"),
        Some("system.degraded"),
        Some("%"),
        Some("' OR 1=1 --"),
    ];
    for kind in kinds {
        for run in [None, Some(run(0)), Some(run(9))] {
            for agent in [None, Some(agent(1)), Some(agent(9))] {
                for severity in [None, Some("info"), Some("warning"), Some("error")] {
                    for after in [Some(0), Some(11), None] {
                        let query = EventQuery {
                            after,
                            before: Some(25),
                            limit: Some(3),
                            kind: kind.map(str::to_owned),
                            run,
                            agent,
                            severity: severity.map(str::to_owned),
                        };
                        let mut expected: Vec<u64> = all
                            .iter()
                            .filter(|event| event.seq < 25 && event.seq > after.unwrap_or(0))
                            .filter(|event| {
                                kind.is_none_or(|kind| match kind.strip_suffix('*') {
                                    Some(family) => event.kind.starts_with(family),
                                    None => event.kind == kind,
                                })
                            })
                            .filter(|event| run.is_none() || event.run_id == run)
                            .filter(|event| agent.is_none() || event.agent_id == agent)
                            .filter(|event| match severity {
                                Some("error") => event.severity.name() == "error",
                                Some("warning") => event.severity.name() != "info",
                                _ => true,
                            })
                            .map(|event| event.seq)
                            .collect();
                        if after.is_none() {
                            expected.reverse();
                        }
                        assert_eq!(walk(&store, query.clone()).await, expected, "{query:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_severity_is_refused() {
    let query = EventQuery {
        severity: Some("fatal".into()),
        ..EventQuery::default()
    };
    assert!(matches!(
        store().await.events(&query).await,
        Err(StoreError::BadQuery(_))
    ));
}

#[tokio::test]
async fn a_socket_catches_up_step_by_step() {
    let store = filled().await;
    let all = store
        .events(&EventQuery {
            after: Some(0),
            ..EventQuery::default()
        })
        .await
        .expect("readable")
        .items;
    let one_agent = topic::agent_status(agent(1));
    for (patterns, limit) in [
        (vec![], 4),
        (vec!["*".to_owned()], 1_000),
        (vec!["agent.*".to_owned()], 2),
        (vec![one_agent, "broadcast.*".to_owned()], 1),
        (vec!["nothing".to_owned()], 5),
    ] {
        let (mut seen, mut at) = (Vec::new(), 0);
        loop {
            let (frames, looked_at) = store
                .frames_after(at, limit, &patterns)
                .await
                .expect("readable");
            assert!(frames.len() <= limit as usize);
            assert!(
                frames
                    .iter()
                    .all(|frame| frame.seq > at && frame.seq <= looked_at)
            );
            seen.extend(frames);
            if looked_at == at {
                break;
            }
            at = looked_at;
        }
        assert_eq!(at, 30);
        let fits = |name: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| topic::fits(pattern, name))
        };
        let expected: Vec<_> = all
            .iter()
            .filter(|frame| fits(&frame.topic))
            .cloned()
            .collect();
        assert_eq!(seen, expected, "{patterns:?}");
    }
    assert_eq!(
        store
            .frames_after(u64::MAX, 10, &[])
            .await
            .expect("readable"),
        (vec![], u64::MAX)
    );
}

#[tokio::test]
async fn long_texts_make_short_pages() {
    let store = store().await;
    let mut log = Log::default();
    let long = "x".repeat(3_000_000);
    for _ in 0..5 {
        let batch = events(vec![log.started(&long)]);
        store.append(&batch).await.expect("it fits");
    }
    let page = store
        .events(&EventQuery::default())
        .await
        .expect("readable");
    assert_eq!(
        page.items.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [5, 4]
    );
    assert_eq!(page.next.as_deref(), Some("4"));
    assert_eq!(walk(&store, EventQuery::default()).await, [5, 4, 3, 2, 1]);
    let (frames, looked_at) = store.frames_after(0, 100, &[]).await.expect("readable");
    assert_eq!((frames.len(), looked_at), (2, 2));
}

#[tokio::test]
async fn the_log_cannot_be_changed() {
    let store = filled().await;
    let mut writer = store.writer.lock().await;
    for sql in [
        "UPDATE events SET data = '{}' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 30",
    ] {
        let refused = sqlx::query(sql)
            .execute(writer.connection())
            .await
            .map(|_| ());
        assert!(
            refused.is_err_and(|error| error.to_string().contains("a stored event")),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_no_panic() {
    let store = filled().await;
    let broken = [
        "'not json', 'info', NULL",
        "'{}', 'warning', 'no uuid'",
        "CAST(x'22ff22' AS TEXT), 'info', NULL",
    ];
    for (at, values) in broken.into_iter().enumerate() {
        let seq = 31 + at as u64;
        let sql = format!(
            "INSERT INTO events (data, severity, source_agent_id, seq, event_type, topic, timestamp)
             VALUES ({values}, {seq}, 'task.ready', 'x', 0)"
        );
        let mut writer = store.writer.lock().await;
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(writer.connection())
            .await
            .expect("another program");
        let read = store.frames_after(seq - 1, 1, &[]).await;
        assert!(
            matches!(read, Err(StoreError::Unreadable(_))),
            "{values}: {read:?}"
        );
    }
    assert_eq!(
        store
            .frames_after(0, 30, &[])
            .await
            .expect("the rest is readable")
            .0
            .len(),
        30
    );
}
