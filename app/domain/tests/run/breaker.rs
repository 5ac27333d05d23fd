//! Models that fail: a breaker for each, a gate for each key, and no try lost while they are shut.

use std::collections::BTreeSet;

use domain::{
    breaker::{Breaker, FAILURES_IN_A_ROW, Gate, Trouble, UNHEALTHY_MS, Way},
    event::{Event, Fact, SystemEvent},
    id::{RunId, TaskName},
    run::{
        AttemptKey, RunState, TaskError, TaskEvent, TaskState, TurnFailure, Waiting,
        input::{AttemptSpec, Input, Outcome},
    },
    time::Timestamp,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::stage::{Stage, record};

fn key(number: u32) -> AttemptKey {
    AttemptKey {
        run: RunId(Uuid::from_u128(1)),
        task: TaskName::parse("t").expect("a name"),
        attempt: number,
    }
}

#[test]
fn five_failures_in_a_row_shut_it_for_a_minute_and_one_probe_opens_it() {
    let mut breaker = Breaker::default();
    let at = Timestamp(1_000);
    for attempt in 1..FAILURES_IN_A_ROW {
        assert_eq!(breaker.failed(&key(attempt), "boom", at), None);
    }
    assert_eq!(breaker.answered(&key(9)), None, "an answer in between");
    for attempt in 1..FAILURES_IN_A_ROW {
        assert_eq!(breaker.failed(&key(attempt), "boom", at), None);
    }
    assert!(breaker.failed(&key(5), "boom", at).is_some());
    let until = at.plus_ms(UNHEALTHY_MS);
    assert_eq!(breaker.way(at), Way::Shut(until));
    assert_eq!(
        breaker.answered(&key(3)),
        None,
        "an old call changes nothing"
    );
    assert_eq!(breaker.way(until), Way::Free);
    assert_eq!(breaker.stand_up(until), Way::Free);
    assert!(matches!(breaker.stand_up(until), Way::Shut(_)), "one alone");
    breaker.enter(&key(7), until);
    assert_eq!(breaker.way(until), Way::Full);
    assert!(
        breaker.failed(&key(7), "boom", until).is_some(),
        "shut again"
    );
    let later = until.plus_ms(UNHEALTHY_MS);
    breaker.enter(&key(8), later);
    assert!(breaker.answered(&key(8)).is_some());
    assert!(breaker.is_new());
}

#[test]
fn a_gate_lets_few_in_at_first() {
    let mut gate = Gate::default();
    let at = Timestamp(0);
    gate.slow_down(Some(3_000), at);
    gate.slow_down(Some(1_000), at);
    assert_eq!(gate.way(at), Way::Shut(at.plus_ms(3_000)));
    let at = at.plus_ms(3_000);
    assert_eq!(gate.way(at), Way::Free);
    gate.enter(&key(1), at);
    assert_eq!(gate.way(at), Way::Full);
    gate.answered();
    assert_eq!(gate.way(at), Way::Free, "two at a time now");
    gate.enter(&key(2), at);
    assert_eq!(gate.way(at), Way::Full);
    gate.left(&key(1));
    assert_eq!(gate.way(at), Way::Free);
    for _ in 0..100 {
        gate.answered();
    }
    assert_eq!(gate, Gate::Open);
}

proptest! {
    /// Whatever happens: never more than one probe, never a call while it is shut, and closed only by an
    /// answer.
    #[test]
    fn a_breaker_keeps_its_promises(steps in prop::collection::vec((0u8..5, 0u32..8, 0u64..30_000), 0..200)) {
        let mut breaker = Breaker::default();
        let mut now = Timestamp(0);
        let mut inside: BTreeSet<u32> = BTreeSet::new();
        let (mut row, mut shut_until) = (0, None::<Timestamp>);
        for (what, who, wait) in steps {
            now = now.plus_ms(wait);
            match what {
                0 if breaker.way(now) == Way::Free => {
                    if let Some(until) = shut_until {
                        prop_assert!(now >= until, "a call while it is shut");
                    }
                    breaker.enter(&key(who), now);
                    inside.insert(who);
                }
                1 if inside.remove(&who) => {
                    let was_shut = breaker.unhealthy().is_some();
                    let turned = breaker.answered(&key(who));
                    if !was_shut { row = 0; }
                    if turned.is_some() { shut_until = None; row = 0; }
                }
                2 if inside.remove(&who) => {
                    let was_shut = breaker.unhealthy().is_some();
                    let turned = breaker.failed(&key(who), "boom", now);
                    if !was_shut { row += 1; }
                    prop_assert_eq!(!was_shut && row >= FAILURES_IN_A_ROW, !was_shut && turned.is_some());
                    if turned.is_some() { shut_until = Some(now.plus_ms(UNHEALTHY_MS)); row = 0; }
                }
                3 => {
                    inside.remove(&who);
                    breaker.left(&key(who));
                }
                _ => { let _ = breaker.stand_up(now); }
            }
            if let Some(until) = shut_until && now < until {
                prop_assert_eq!(breaker.way(now), Way::Shut(until));
            }
        }
    }
}

/// Plays a provider through time: `works(at)` decides what a call brings. Returns the calls that were
/// made, as (moment, whether it was a first try).
fn storm(graph: &str, for_ms: i64, works: impl Fn(i64) -> bool) -> (Stage, Vec<(i64, bool)>) {
    let mut stage = Stage::new(graph, "");
    let begin = stage.now.0;
    let mut calls = Vec::new();
    let input = stage.start_input(serde_json::json!({}));
    stage.take(input).expect("accepted");
    while stage.now.0 - begin < for_ms {
        if stage.started.is_empty() {
            let Some(((due, _), timer)) = stage.timers.pop_first() else {
                break;
            };
            stage.now = stage.now.max(due);
            let _late = stage.take(Input::Timer(timer));
            continue;
        }
        // Calls take 50 ms, and all that are under way come back together.
        let begun: Vec<AttemptSpec> = std::mem::take(&mut stage.started);
        for spec in &begun {
            calls.push((stage.now.0 - begin, spec.key.attempt == 1));
            let started = Outcome::TurnStarted {
                key: spec.key.clone(),
                turn: 1,
                model: "acme:m".into(),
                simulated: false,
                quote: domain::budget::Quote::default(),
                prompt: String::new(),
            };
            stage.take(Input::Outcome(started)).expect("it may call");
        }
        stage.now = stage.now.plus_ms(50);
        for spec in begun {
            let key = spec.key;
            if works(stage.now.0 - begin) {
                let completed = Outcome::TurnCompleted {
                    key: key.clone(),
                    turn: 1,
                    record: Box::new(record("done")),
                };
                stage.take(Input::Outcome(completed)).expect("it goes on");
                let output = serde_json::json!("done");
                let succeeded = Outcome::Succeeded { key, output };
                stage.take(Input::Outcome(succeeded)).expect("it ends");
            } else {
                let error = TaskError::passing("provider_failed", "acme failed (status 503).");
                let failed = Outcome::TurnFailed {
                    key: key.clone(),
                    turn: 1,
                    failure: Box::new(TurnFailure {
                        model: "acme:m".into(),
                        trouble: Trouble::Theirs,
                        error: error.clone(),
                        raw: None,
                        began: false,
                        generation_id: None,
                        assumed_usd: None,
                    }),
                };
                stage.take(Input::Outcome(failed)).expect("it goes on");
                let failed = Outcome::Failed { key, error };
                stage.take(Input::Outcome(failed)).expect("it ends");
            }
        }
    }
    (stage, calls)
}

const MANY: &str = "m each [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30] do a end\nm at 30";

fn told(stage: &Stage, name: &str) -> usize {
    let named = |event: &&Event| match &event.fact {
        Fact::System(SystemEvent::ProviderUnhealthy { .. }) => name == "unhealthy",
        Fact::System(SystemEvent::ProviderRecovered { .. }) => name == "recovered",
        Fact::Task {
            event: TaskEvent::Failed { .. },
            ..
        } => name == "failed",
        Fact::Task { .. } | Fact::Run { .. } | Fact::Agent { .. } | Fact::System(_) => false,
    };
    stage.log.iter().filter(named).count()
}

#[test]
fn a_minute_of_errors_makes_hardly_more_calls_than_there_are_tasks() {
    let (stage, calls) = storm(MANY, 60_000, |_| false);
    let first = calls.iter().filter(|(_, first)| *first).count();
    let amplified = calls.len() as f64 / first as f64;
    assert!(amplified <= 1.2, "{} calls for {first} tasks", calls.len());
    assert_eq!(told(&stage, "failed"), 0);
    assert_eq!(told(&stage, "unhealthy"), 1);
}

#[test]
fn meanwhile_tasks_say_what_they_wait_for_and_until_when() {
    let (stage, _) = storm(MANY, 50_000, |_| false);
    let waits = stage.run().tasks.values().filter(|task| {
        matches!(
            task.state,
            TaskState::Waiting {
                reason: Waiting::Provider,
                until: Some(_)
            }
        )
    });
    assert_eq!(waits.count(), 30, "{}", stage.tree());
}

#[test]
fn ten_minutes_of_errors_cost_no_task_its_tries() {
    let down_ms = 600_000;
    // So few that each of them probes several times.
    let (stage, calls) = storm("m each [1,2,3,4,5,6] do a end", 900_000, |at| at > down_ms);
    assert_eq!(told(&stage, "failed"), 0);
    assert_eq!(told(&stage, "recovered"), 1);
    assert!(
        matches!(stage.run().state, RunState::Succeeded { .. }),
        "{}",
        stage.tree()
    );
    let meanwhile = calls.iter().filter(|(at, _)| (1_000..down_ms).contains(at));
    assert!(meanwhile.count() <= 11, "one probe a minute");
    stage.assert_sound();
}
