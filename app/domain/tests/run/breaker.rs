//! Models that fail: a breaker for each, a gate for each key, and no try lost while they are shut.

use std::collections::BTreeSet;

use domain::{
    breaker::{Breaker, FAILURES_IN_A_ROW, Gate, Trouble, UNHEALTHY_MS, Way},
    budget::{Budget, Price, Quote, Scope},
    event::{Event, Fact, SystemEvent},
    id::{RunId, TaskName},
    money::MicroUsd,
    run::{
        AttemptKey, RunState, TaskError, TaskEvent, TaskState, TurnFailure, Waiting,
        input::{AttemptSpec, Command, Input, Outcome, Rejection},
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

/// What a provider does with a call.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Answers,
    Fails,
    /// It asks to come back after so many milliseconds.
    SlowsDown(u64),
}

/// Plays a provider through time: `does(at, attempt)` says what a call brings. Each attempt makes so many
/// calls. Returns those that were made, as (moment, task, whether it was in the first try).
struct Storm<'a> {
    turns: u32,
    does: &'a dyn Fn(i64, &AttemptKey) -> Does,
}

type Calls = Vec<(i64, TaskName, bool)>;

fn storm(graph: &str, for_ms: i64, works: impl Fn(i64) -> bool) -> (Stage, Calls) {
    let does = |at, _: &AttemptKey| match works(at) {
        true => Does::Answers,
        false => Does::Fails,
    };
    Storm {
        turns: 1,
        does: &does,
    }
    .play(graph, for_ms)
}

fn asks(key: &AttemptKey, turn: u32, model: &str, others: &[&str]) -> Input {
    Input::Outcome(Outcome::TurnStarted {
        key: key.clone(),
        turn,
        model: model.into(),
        others: others.iter().map(|&name| name.into()).collect(),
        simulated: false,
        quote: domain::budget::Quote::default(),
        prompt: String::new(),
    })
}

fn answers(key: &AttemptKey, turn: u32) -> Input {
    Input::Outcome(Outcome::TurnCompleted {
        key: key.clone(),
        turn,
        record: Box::new(record("done")),
    })
}

fn fails(key: &AttemptKey, turn: u32, model: &str, trouble: Trouble, error: TaskError) -> Input {
    Input::Outcome(Outcome::TurnFailed {
        key: key.clone(),
        turn,
        failure: Box::new(TurnFailure {
            model: model.into(),
            trouble,
            error,
            raw: None,
            began: false,
            generation_id: None,
            assumed_usd: None,
            assumed_tokens: None,
        }),
    })
}

fn down() -> TaskError {
    TaskError::passing("provider_failed", "acme failed (status 503).")
}

impl Storm<'_> {
    fn play(&self, graph: &str, for_ms: i64) -> (Stage, Calls) {
        let mut stage = Stage::new(graph, "");
        let begin = stage.now.0;
        let mut calls = Vec::new();
        let input = stage.start_input(serde_json::json!({}));
        stage.take(input).expect("accepted");
        // Attempts that go on with their next call.
        let mut between: Vec<(AttemptKey, u32)> = Vec::new();
        while stage.now.0 - begin < for_ms {
            let begun: Vec<AttemptSpec> = std::mem::take(&mut stage.started);
            between.extend(begun.into_iter().map(|spec| {
                let done = spec.turns.iter().filter(|turn| turn.done.is_some());
                (spec.key, u32::try_from(done.count()).expect("few") + 1)
            }));
            if between.is_empty() {
                let Some(((due, _), timer)) = stage.timers.pop_first() else {
                    break;
                };
                stage.now = stage.now.max(due);
                let _late = stage.take(Input::Timer(timer));
                continue;
            }
            // Calls take 50 ms, and all that are under way come back together.
            let mut made = Vec::new();
            for (key, turn) in std::mem::take(&mut between) {
                // One that is put off lays down its work.
                if stage.take(asks(&key, turn, "acme:m", &[])).is_ok() {
                    calls.push((stage.now.0 - begin, key.task.clone(), key.attempt == 1));
                    made.push((key, turn));
                }
            }
            stage.now = stage.now.plus_ms(50);
            for (key, turn) in made {
                let (trouble, error) = match (self.does)(stage.now.0 - begin, &key) {
                    Does::Answers => {
                        stage.take(answers(&key, turn)).expect("it goes on");
                        if turn < self.turns {
                            between.push((key, turn + 1));
                        } else {
                            let output = serde_json::json!("done");
                            let succeeded = Outcome::Succeeded { key, output };
                            stage.take(Input::Outcome(succeeded)).expect("it ends");
                        }
                        continue;
                    }
                    Does::Fails => (Trouble::Theirs, down()),
                    Does::SlowsDown(ms) => {
                        let busy = TaskError::passing("rate_limited", "acme asks to slow down.");
                        let error = TaskError {
                            retry_after_ms: Some(ms),
                            ..busy
                        };
                        (Trouble::Busy, error)
                    }
                };
                let failed = fails(&key, turn, "acme:m", trouble, error.clone());
                stage.take(failed).expect("it goes on");
                let failed = Outcome::Failed { key, error };
                stage.take(Input::Outcome(failed)).expect("it ends");
            }
        }
        (stage, calls)
    }
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
    let first = calls.iter().filter(|(_, _, first)| *first).count();
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
    let meanwhile = calls
        .iter()
        .filter(|(at, ..)| (1_000..down_ms).contains(at));
    assert!(meanwhile.count() <= 11, "one probe a minute");
    stage.assert_sound();
}

#[test]
fn a_later_call_of_an_attempt_waits_for_its_model_too_and_the_attempt_goes_on_where_it_stood() {
    // All make their first call; then the model is out of order for ten minutes.
    let does = |at, _: &AttemptKey| match at > 200 && at < 600_000 {
        true => Does::Fails,
        false => Does::Answers,
    };
    let (stage, calls) = Storm {
        turns: 8,
        does: &does,
    }
    .play(MANY, 900_000);
    assert!(
        matches!(stage.run().state, RunState::Succeeded { .. }),
        "{}",
        stage.tree()
    );
    let meanwhile = calls
        .iter()
        .filter(|(at, ..)| (1_000..600_000).contains(at));
    let probes = meanwhile.count();
    assert!(probes <= 11, "{probes} calls while it was out of order");
    assert_eq!(told(&stage, "failed"), 0);
    stage.assert_sound();
}

#[test]
fn a_storm_of_429_lets_nobody_in_before_the_time_that_the_provider_asked_for() {
    let does = |at, _: &AttemptKey| match at {
        ..=50 => Does::Answers,
        51..=10_000 => Does::SlowsDown(7_000),
        _ => Does::Answers,
    };
    let (stage, calls) = Storm {
        turns: 2,
        does: &does,
    }
    .play(MANY, 300_000);
    assert!(
        matches!(stage.run().state, RunState::Succeeded { .. }),
        "{}",
        stage.tree()
    );
    // Each wait is asked for with the end of a call; the first of them shut the gate.
    let moments: BTreeSet<i64> = calls.iter().map(|(at, ..)| *at).collect();
    let shut: Vec<i64> = moments
        .iter()
        .copied()
        .filter(|at| (50..10_000).contains(at))
        .collect();
    for pair in shut.windows(2) {
        assert!(pair[1] - pair[0] >= 7_000, "calls at {pair:?}");
    }
    for at in &shut[1..] {
        let then = calls.iter().filter(|(when, ..)| when == at).count();
        assert_eq!(then, 1, "one alone finds out at {at}");
    }
    let refused = calls
        .iter()
        .filter(|(at, ..)| (1..9_950).contains(at))
        .count();
    assert_eq!(
        refused,
        30 + 1,
        "those that were under way when it began, and one to find out"
    );
    stage.assert_sound();
}

/// A run of one step, at its first call.
fn at_work(stage: &mut Stage) -> AttemptKey {
    let input = stage.start_input(serde_json::json!({}));
    stage.take(input).expect("accepted");
    stage.started.pop().expect("it was begun").key
}

/// Runs of others shut a model.
fn shut(stage: &mut Stage, model: &str) {
    for number in 1..=FAILURES_IN_A_ROW {
        let _over = stage.take(fails(&key(number), 1, model, Trouble::Theirs, down()));
    }
}

fn waits_until(stage: &Stage) -> Option<Timestamp> {
    match stage.run().tasks.values().next().map(|task| &task.state) {
        Some(TaskState::Waiting {
            reason: Waiting::Provider,
            until,
        }) => *until,
        _ => None,
    }
}

#[test]
fn a_model_that_is_shut_is_passed_over_where_another_one_may_be_asked() {
    let mut stage = Stage::new("a", "");
    let key = at_work(&mut stage);
    shut(&mut stage, "acme:m");
    let before = stage.log.len();
    let told = stage.take(asks(&key, 1, "acme:m", &["other:n"]));
    assert!(matches!(told, Err(Rejection::ModelShut(_))), "{told:?}");
    assert_eq!(stage.log.len(), before, "nothing happened");
    stage
        .take(asks(&key, 1, "other:n", &[]))
        .expect("it is asked");
}

#[test]
fn where_all_models_are_shut_the_call_waits_for_the_first_that_opens() {
    let mut stage = Stage::new("a", "");
    let key = at_work(&mut stage);
    shut(&mut stage, "other:n");
    let first = stage.now.plus_ms(UNHEALTHY_MS);
    stage.now = stage.now.plus_ms(20_000);
    shut(&mut stage, "acme:m");
    let told = stage.take(asks(&key, 1, "acme:m", &["other:n"]));
    assert!(matches!(told, Err(Rejection::CallRefused(_))), "{told:?}");
    let until = waits_until(&stage).expect("it waits with a time");
    assert_eq!(until, first);
    while stage.started.is_empty() {
        stage.play_timers();
    }
    assert!(stage.now >= first && stage.now < first.plus_ms(20_000));
}

#[test]
fn what_failed_in_a_turn_is_not_asked_again_when_the_turn_goes_on() {
    let mut stage = Stage::new("a", "");
    let key = at_work(&mut stage);
    shut(&mut stage, "other:n");
    stage
        .take(asks(&key, 1, "acme:m", &["other:n"]))
        .expect("it is asked");
    let gone = TaskError::lasting("unknown_model", "acme has no such model.");
    let failed = fails(&key, 1, "acme:m", Trouble::Ours, gone);
    stage.take(failed).expect("it goes on");
    // No retry would help the first; the other one opens in a minute.
    let told = stage.take(asks(&key, 1, "other:n", &[]));
    assert!(matches!(told, Err(Rejection::CallRefused(_))), "{told:?}");
    assert!(waits_until(&stage).is_some(), "{}", stage.tree());
}

#[test]
fn an_attempt_whose_own_model_may_be_tried_again_does_not_wait_for_another() {
    let mut stage = Stage::new("a", "");
    let key = at_work(&mut stage);
    shut(&mut stage, "other:n");
    stage
        .take(asks(&key, 1, "acme:m", &["other:n"]))
        .expect("it is asked");
    stage
        .take(fails(&key, 1, "acme:m", Trouble::Theirs, down()))
        .expect("it goes on");
    let told = stage.take(asks(&key, 1, "other:n", &[]));
    assert!(matches!(told, Err(Rejection::NoOther(_))), "{told:?}");
    assert!(waits_until(&stage).is_none());
}

#[test]
fn what_waits_for_its_model_goes_on_after_a_restart_and_not_before_its_time() {
    let mut stage = Stage::new("a\na calls acme:m", "");
    let key = at_work(&mut stage);
    shut(&mut stage, "acme:m");
    let until = stage.now.plus_ms(UNHEALTHY_MS);
    let refused = stage.take(asks(&key, 1, "acme:m", &[]));
    assert!(
        matches!(refused, Err(Rejection::CallRefused(_))),
        "{refused:?}"
    );
    stage.restart();
    assert!(stage.started.is_empty(), "{}", stage.tree());
    while stage.started.is_empty() {
        stage.play_timers();
    }
    assert!(stage.now >= until, "it went on at {:?}", stage.now);
    let again = stage.started.pop().expect("it goes on").key;
    assert_eq!(again, key, "in the same attempt");
    stage
        .take(asks(&again, 1, "acme:m", &[]))
        .expect("it may probe");
    stage.take(answers(&again, 1)).expect("it goes on");
    assert_eq!(told(&stage, "recovered"), 1);
    stage.assert_sound();
}

#[test]
fn on_its_last_try_an_attempt_waits_for_the_other_model() {
    let mut stage = Stage::new("a\na retry 1", "");
    let key = at_work(&mut stage);
    shut(&mut stage, "other:n");
    stage
        .take(asks(&key, 1, "acme:m", &["other:n"]))
        .expect("it is asked");
    stage
        .take(fails(&key, 1, "acme:m", Trouble::Theirs, down()))
        .expect("it goes on");
    let told = stage.take(asks(&key, 1, "other:n", &[]));
    assert!(matches!(told, Err(Rejection::CallRefused(_))), "{told:?}");
    assert!(waits_until(&stage).is_some(), "{}", stage.tree());
}

/// A provider, or one of its models, asks to come back later.
fn slows(stage: &mut Stage, model: &str, trouble: Trouble) {
    let busy = TaskError::passing("rate_limited", "acme asks to slow down.");
    let error = TaskError {
        retry_after_ms: Some(5_000),
        ..busy
    };
    let _over = stage.take(fails(&key(9), 1, model, trouble, error));
}

#[test]
fn a_crowded_model_keeps_nobody_from_the_others_of_its_provider() {
    for (trouble, goes) in [(Trouble::Crowded, true), (Trouble::Busy, false)] {
        let mut stage = Stage::new("a", "");
        let key = at_work(&mut stage);
        slows(&mut stage, "acme:m", trouble);
        let other = stage.take(asks(&key, 1, "acme:n", &[]));
        assert_eq!(other.is_ok(), goes, "{trouble:?}: {other:?}");
        let mut stage = Stage::new("a", "");
        let key = at_work(&mut stage);
        slows(&mut stage, "acme:m", trouble);
        let same = stage.take(asks(&key, 1, "acme:m", &[]));
        assert!(same.is_err(), "{trouble:?}");
    }
}

#[test]
fn those_that_a_budget_lets_go_on_still_pass_a_narrow_gate_one_by_one() {
    let mut stage = Stage::new(
        "a; b; c\na calls acme:m\nb calls acme:m\nc calls acme:m",
        "",
    );
    let input = stage.start_input(serde_json::json!({}));
    stage.take(input).expect("accepted");
    let limit = |usd| {
        let budget = Some(Budget {
            usd: Some(MicroUsd(usd)),
            ..Budget::default()
        });
        let command = Command::SetBudget {
            scope: Scope::Day,
            budget,
        };
        crate::stage::by("ann", command)
    };
    stage.take(limit(1)).expect("set");
    for spec in std::mem::take(&mut stage.started) {
        let Input::Outcome(Outcome::TurnStarted {
            key,
            turn,
            model,
            others,
            simulated,
            prompt,
            ..
        }) = asks(&spec.key, 1, "acme:m", &[])
        else {
            panic!("a call");
        };
        let quote = Quote {
            price: Price::AtMost(MicroUsd(10)),
            tokens: 1,
        };
        let dear = Outcome::TurnStarted {
            key,
            turn,
            model,
            others,
            simulated,
            quote,
            prompt,
        };
        assert!(stage.take(Input::Outcome(dear)).is_err(), "no room");
    }
    slows(&mut stage, "acme:m", Trouble::Busy);
    stage.now = stage.now.plus_ms(6_000);
    stage.take(limit(1_000)).expect("set");
    let begun: Vec<AttemptKey> = stage.started.iter().map(|spec| spec.key.clone()).collect();
    assert_eq!(begun.len(), 3, "{}", stage.tree());
    let goes = |stage: &mut Stage| {
        let asked = begun
            .iter()
            .map(|key| stage.take(asks(key, 1, "acme:m", &[])).is_ok());
        asked.filter(|may| *may).count()
    };
    assert_eq!(goes(&mut stage), 1, "one finds out");
}
