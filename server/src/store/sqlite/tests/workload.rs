//! A random life of a store, failures included, and what must be true at its end.

use std::collections::BTreeMap;

use domain::{
    agent::{Agent, AgentState},
    event::Event,
    run::TaskEvent,
};

use super::*;
use crate::store::StoreError;

/// The same numbers in every run of the test (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[tokio::test]
async fn a_random_life_leaves_the_database_sound() {
    for seed in [1, 0xdead_beef, 0x1234_5678_9abc] {
        live(seed).await;
    }
}

async fn live(seed: u64) {
    let store = store().await;
    let mut dice = Dice(seed);
    let mut log = Log::default();
    let mut kept: Vec<Event> = Vec::new();
    let mut agents: BTreeMap<AgentId, Agent> = BTreeMap::new();
    for step in 0..60 {
        let before = Log {
            seq: log.seq,
            run_seqs: log.run_seqs.clone(),
        };
        let mut batch = Batch::default();
        for _ in 0..dice.roll(40) {
            let (id, worker) = (run(dice.roll(12).into()), agent(dice.roll(9).into()));
            let event = match log.run_seqs.contains_key(&id) {
                false => log.queued(id),
                true if dice.roll(3) == 0 => log.task(
                    id,
                    task("a"),
                    Some(worker),
                    turn("text", Some(dice.roll(99))),
                ),
                true => log.task(
                    id,
                    task("a"),
                    Some(worker),
                    TaskEvent::Started { attempt: 1 },
                ),
            };
            let status =
                ["queued", "running", "paused", "succeeded", "failed"][dice.roll(5) as usize];
            let mut row = run_row(id, status, NOON);
            (row.last_seq, row.last_run_seq) = (event.seq, event.run_seq.unwrap_or(0));
            let tasks = vec![task_row("a", 0, "running"), task_row("b", 1, "blocked")];
            batch.runs.push(changed(
                row,
                tasks,
                vec![attempt_row("a", 1 + dice.roll(3) as u32, "running")],
            ));
            batch.events.push(event);
            let mut one = spawned(worker, "somebody", NOON);
            if dice.roll(4) == 0 {
                one.state = AgentState::Terminated {
                    reason: "done".into(),
                };
            }
            batch.agents.push(one);
        }
        // Now and then the kernel is wrong: the whole batch must leave no trace.
        let wrong = dice.roll(5) == 0 && !batch.runs.is_empty();
        if wrong {
            let last = batch.runs.len() - 1;
            batch.runs[last].attempts[0].task = "nowhere".into();
        }
        match store.append(&batch).await {
            Ok(()) => {
                assert!(!wrong, "step {step} of {seed}");
                kept.extend(batch.events);
                agents.extend(batch.agents.into_iter().map(|agent| (agent.id, agent)));
            }
            Err(error) => {
                assert!(
                    wrong && matches!(error, StoreError::Broken(_)),
                    "step {step} of {seed}: {error}"
                );
                log = before;
            }
        }
        if dice.roll(6) == 0 {
            let newest = store.versions(workflow(1)).await.expect("readable").len() as u32;
            store
                .save_workflow(workflow(1), newest, &drawing("x"), "eve", NOON)
                .await
                .expect("no failure");
        }
    }
    check(&store, &kept, &agents).await;
}

async fn check(store: &SqliteStore, kept: &[Event], agents: &BTreeMap<AgentId, Agent>) {
    assert_eq!(store.head().await.expect("readable"), kept.len() as u64);
    let frames: Vec<_> = kept.iter().map(Event::to_frame).collect();
    let (stored, _) = store.frames_after(0, 4_000, &[]).await.expect("readable");
    assert_eq!(stored, frames);
    for number in 0..12 {
        let of_run: Vec<Event> = kept
            .iter()
            .filter(|event| event.fact.run() == Some(run(number)))
            .cloned()
            .collect();
        assert_eq!(
            store
                .run_events(run(number), 0, u32::MAX)
                .await
                .expect("readable"),
            of_run
        );
    }
    let mut stored = store.agents(true).await.expect("readable");
    stored.sort_by_key(|agent| agent.id);
    assert_eq!(stored, agents.values().cloned().collect::<Vec<_>>());
    let costs: MicroUsd = kept
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Task {
                event: TaskEvent::TurnCompleted { record, .. },
                ..
            } => record.cost_usd,
            _ => None,
        })
        .sum();
    assert_eq!(
        store
            .spent_since(Timestamp(0))
            .await
            .expect("readable")
            .cost,
        costs
    );

    let sound: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&store.readers)
        .await
        .expect("readable");
    assert_eq!(sound, ["ok"]);
    let dangling = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&store.readers)
        .await
        .expect("readable");
    assert!(dangling.is_empty());
}
