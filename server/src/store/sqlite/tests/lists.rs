//! Runs and agents as lists show them.

use app::api::dto::{RunQuery, RunSummary};
use domain::{
    agent::{Agent, AgentState},
    money::MicroUsd,
    run::{AttemptKey, TaskError},
};

use super::*;
use crate::store::StoreError;

async fn walk(store: &SqliteStore, query: RunQuery) -> Vec<RunSummary> {
    let mut items = Vec::new();
    let mut query = query;
    loop {
        let page = store.runs(&query).await.expect("readable");
        items.extend(page.items);
        assert!(items.len() <= 1_000, "the list has no end");
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return items,
        }
    }
}

#[tokio::test]
async fn pages_of_runs_have_no_gaps_and_no_repeats() {
    let store = store().await;
    store
        .create_workflow(workflow(2), &drawing("two"), "test", NOON)
        .await
        .expect("it is new");
    let statuses = [
        "queued",
        "running",
        "paused",
        "succeeded",
        "failed",
        "cancelled",
    ];
    let runs = (0..60_u64)
        .map(|number| {
            // Several share a moment: the id decides then.
            let mut row = run_row(
                run(number.into()),
                statuses[number as usize % 6],
                NOON.plus_ms(number / 4),
            );
            row.workflow = workflow(1 + u128::from(number % 2));
            changed(row, Vec::new(), Vec::new())
        })
        .collect();
    store
        .append(&Batch {
            runs,
            ..Batch::default()
        })
        .await
        .expect("it fits");
    let everything: Vec<RunId> = (0..60).rev().map(run).collect();
    for limit in [1, 3, 4, 59, 60, 1_000] {
        for only in [
            None,
            Some(workflow(1)),
            Some(workflow(2)),
            Some(workflow(3)),
        ] {
            for status in [None, Some("live"), Some("running"), Some("failed")] {
                let query = RunQuery {
                    status: status.map(str::to_owned),
                    workflow: only,
                    limit: Some(limit),
                    ..RunQuery::default()
                };
                let found = walk(&store, query).await;
                let expected: Vec<RunId> = everything
                    .iter()
                    .copied()
                    .filter(|id| {
                        let number = id.0.as_u128() - 0x2_0000;
                        let is = statuses[(number % 6) as usize];
                        only.is_none_or(|only| only == workflow(1 + number % 2))
                            && match status {
                                None => true,
                                Some("live") => matches!(is, "queued" | "running" | "paused"),
                                Some(status) => is == status,
                            }
                    })
                    .collect();
                assert_eq!(
                    found.iter().map(|run| run.id).collect::<Vec<_>>(),
                    expected,
                    "{only:?} {status:?}"
                );
            }
        }
    }
    let alive: Vec<RunId> = store
        .live_runs()
        .await
        .expect("readable")
        .into_iter()
        .map(|(id, _, _)| id)
        .collect();
    assert_eq!(
        alive,
        (0..60)
            .filter(|number| number % 6 < 3)
            .map(run)
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn rows_that_come_meanwhile_neither_repeat_nor_hide_others() {
    let store = store().await;
    let add = async |number: u128, at| {
        let runs = vec![changed(
            run_row(run(number), "queued", at),
            Vec::new(),
            Vec::new(),
        )];
        store
            .append(&Batch {
                runs,
                ..Batch::default()
            })
            .await
            .expect("it fits");
    };
    for number in 0..4 {
        add(number, NOON.plus_ms(number as u64)).await;
    }
    let query = RunQuery {
        limit: Some(2),
        ..RunQuery::default()
    };
    let first = store.runs(&query).await.expect("readable");
    add(9, NOON.plus_ms(99)).await;
    let second = store
        .runs(&RunQuery {
            cursor: first.next,
            ..query
        })
        .await
        .expect("readable");
    let ids: Vec<RunId> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|run| run.id)
        .collect();
    assert_eq!(ids, [run(3), run(2), run(1), run(0)]);
}

#[tokio::test]
async fn questions_that_mean_nothing_are_refused() {
    let store = store().await;
    let status = RunQuery {
        status: Some("' OR 1=1 --".into()),
        ..RunQuery::default()
    };
    assert!(matches!(
        store.runs(&status).await,
        Err(StoreError::BadQuery(_))
    ));
    let cursor = RunQuery {
        cursor: Some("1; DROP TABLE runs".into()),
        ..RunQuery::default()
    };
    assert!(matches!(
        store.runs(&cursor).await,
        Err(StoreError::BadQuery(_))
    ));
}

#[tokio::test]
async fn a_run_is_shown_as_it_is_now() {
    let store = store().await;
    let mut row = run_row(run(1), "running", NOON);
    let names: Vec<String> = (0..250).map(|number| format!("t{number}")).collect();
    let tasks = |status| {
        (0..250)
            .map(|at| task_row(&names[at as usize], at, status))
            .collect::<Vec<_>>()
    };
    // In any order: the strip is in that of the file.
    let mut backwards = tasks("blocked");
    backwards.reverse();
    let runs = vec![changed(
        row.clone(),
        backwards,
        vec![attempt_row("t7", 1, "running")],
    )];
    store
        .append(&Batch {
            runs,
            ..Batch::default()
        })
        .await
        .expect("it fits");

    row.status = "failed";
    row.error = Some("It's \"broken\"; \u{0}".into());
    row.cost = Some(MicroUsd(42));
    row.prompt_tokens = Some(u64::MAX);
    row.tasks_settled = 1;
    row.ended_at = Some(NOON.plus_ms(5));
    row.last_seq = 9;
    let mut attempt = attempt_row("t7", 1, "failed");
    attempt.ended_at = Some(NOON.plus_ms(4));
    let runs = vec![changed(
        row,
        vec![task_row("t7", 7, "failed")],
        vec![attempt, attempt_row("t7", 2, "assigned")],
    )];
    store
        .append(&Batch {
            runs,
            ..Batch::default()
        })
        .await
        .expect("it fits");

    let page = store.runs(&RunQuery::default()).await.expect("readable");
    let [shown] = &page.items[..] else {
        panic!("there is one run")
    };
    assert_eq!(shown.status, "failed");
    assert_eq!(shown.error.as_deref(), Some("It's \"broken\"; \u{0}"));
    assert_eq!(
        (shown.cost_usd, shown.prompt_tokens),
        (Some(MicroUsd(42)), Some(i64::MAX as u64))
    );
    assert_eq!(
        (shown.tasks_settled, shown.last_seq, shown.ended_at),
        (1, 9, Some(NOON.plus_ms(5)))
    );
    assert_eq!(shown.ticks.len(), 200);
    for (at, tick) in shown.ticks.iter().enumerate() {
        let status = if at == 7 { "failed" } else { "blocked" };
        assert_eq!(
            (tick.task.as_str(), tick.status.as_str()),
            (names[at].as_str(), status)
        );
    }
    assert!(store.live_runs().await.expect("readable").is_empty());
}

#[tokio::test]
async fn an_agent_survives_the_round_trip_in_every_state() {
    let store = store().await;
    let key = AttemptKey {
        run: run(1),
        task: task("a"),
        attempt: 2,
    };
    let states = [
        AgentState::Spawning,
        AgentState::Idle,
        AgentState::Working { on: key.clone() },
        AgentState::Paused { on: Some(key) },
        AgentState::Paused { on: None },
        AgentState::Error {
            error: TaskError::lasting("no_workspace", "The disk's full."),
        },
        AgentState::Terminated {
            reason: "asked by \"test\"".into(),
        },
    ];
    for state in states {
        let mut one = spawned(agent(1), "planner", NOON);
        one.state = state;
        one.updated_at = NOON.plus_ms(3);
        one.attempts_done = 4;
        one.cost_usd = MicroUsd(5);
        store
            .append(&Batch {
                agents: vec![one.clone()],
                ..Batch::default()
            })
            .await
            .expect("it fits");
        assert_eq!(
            store.agent(agent(1)).await.expect("readable").as_ref(),
            Some(&one)
        );
        assert_eq!(store.agents(true).await.expect("readable"), [one]);
    }
    assert_eq!(store.agents(false).await.expect("readable"), []);
    assert_eq!(store.agent(agent(2)).await.expect("readable"), None);
}

#[tokio::test]
async fn agents_that_are_gone_come_last_and_are_limited() {
    let store = store().await;
    let agents: Vec<Agent> = (0..300)
        .map(|number| {
            let mut one = spawned(
                agent(number),
                &format!("agent {number}"),
                NOON.plus_ms(300 - number as u64),
            );
            if number >= 50 {
                one.state = AgentState::Terminated {
                    reason: "done".into(),
                };
                one.updated_at = NOON.plus_ms(1_000 + number as u64);
            }
            one
        })
        .collect();
    store
        .append(&Batch {
            agents,
            ..Batch::default()
        })
        .await
        .expect("it fits");
    let ids = |agents: Vec<Agent>| agents.into_iter().map(|agent| agent.id).collect::<Vec<_>>();
    let alive: Vec<AgentId> = (0..50).rev().map(agent).collect();
    assert_eq!(ids(store.agents(false).await.expect("readable")), alive);
    let gone: Vec<AgentId> = (100..300).rev().map(agent).collect();
    assert_eq!(
        ids(store.agents(true).await.expect("readable")),
        [alive, gone].concat()
    );
}

#[tokio::test]
async fn other_programs_find_the_workspace_of_an_agent() {
    let store = store().await;
    let agents = vec![spawned(agent(1), "planner", NOON)];
    store
        .append(&Batch {
            agents,
            ..Batch::default()
        })
        .await
        .expect("it fits");
    let path: String = sqlx::query_scalar("SELECT workspace_path FROM agents")
        .fetch_one(&store.readers)
        .await
        .expect("readable");
    assert_eq!(path, format!("workspaces/{}", agent(1)));
}
