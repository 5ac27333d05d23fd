//! What people do to runs: hold them, let them go on, take them up again, run parts of them once
//! more; and what they are asked where nobody knows whether something happened.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    budget::Quote,
    id::{NodeId, RunId},
    run::{
        Run, TaskError,
        again::{pinned, seed},
        decide::LiveRun,
        input::{Command, Input, Outcome, Rejection, RetryRun, Timer},
    },
    troupe::Limits,
};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Stage, answer, by, events_of, graph, play, record};

#[track_caller]
fn check(graph: &str, script: &str, expected: Expect) {
    expected.assert_eq(&play(graph, script).tree());
}

fn started(graph: &str, script: &str) -> Stage {
    let mut stage = Stage::new(graph, script);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage
}

fn node(id: &str) -> NodeId {
    NodeId::parse(id).expect("a node id")
}

fn retry(stage: &Stage) -> Command {
    let run = stage.run;
    Command::RetryRun(Box::new(RetryRun { run, ended: None }))
}

fn turn(stage: &Stage, number: u32) -> Input {
    Input::Outcome(Outcome::TurnStarted {
        key: stage.started[0].key.clone(),
        turn: number,
        model: "m:m".into(),
        others: Vec::new(),
        simulated: false,
        quote: Quote::default(),
        prompt: String::new(),
    })
}

// -- hold and go on -----------------------------------------------------------------------------------

#[test]
fn a_held_run_ends_what_is_under_way_and_starts_nothing() {
    let mut stage = started("a; b; c = x; a > b; a > c", "");
    stage
        .take(by("ann", Command::PauseRun(stage.run)))
        .expect("holds");
    let spec = stage.started.remove(0);
    stage
        .take(Input::Outcome(Outcome::Succeeded {
            key: spec.key,
            output: json!(1),
        }))
        .expect("ends");
    assert!(stage.started.is_empty());
    expect![[r#"
        run paused
        a succeeded
        b blocked
        c blocked
    "#]]
    .assert_eq(&stage.tree());
    stage
        .take(by("ann", Command::PauseRun(stage.run)))
        .expect("held already");
    stage.assert_sound();
    stage
        .take(by("ann", Command::ResumeRun(stage.run)))
        .expect("goes on");
    stage
        .take(by("ann", Command::ResumeRun(stage.run)))
        .expect("goes on already");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn a_held_run_goes_on_after_a_restart() {
    let mut stage = started("m each [1, 2, 3] do a; b; a > b end; m at 1", "");
    stage
        .take(by("ann", Command::PauseRun(stage.run)))
        .expect("holds");
    stage.restart();
    assert_eq!(stage.started.len(), 1, "what was under way goes on");
    stage.play_agents();
    assert_eq!(stage.run().state.name(), "paused");
    stage.restart();
    assert!(stage.started.is_empty());
    stage.finish();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn what_falls_due_in_a_pause_happens_at_its_end() {
    let mut stage = started("w wait 500; b = x; w > b", "");
    stage
        .take(by("ann", Command::PauseRun(stage.run)))
        .expect("holds");
    let ((at, _), timer) = stage.timers.pop_first().expect("the end of the wait");
    stage.now = at;
    stage.take(Input::Timer(timer)).expect("comes");
    assert_eq!(stage.run().tasks["w"].state.name(), "waiting");
    stage
        .take(by("ann", Command::ResumeRun(stage.run)))
        .expect("goes on");
    assert_eq!(stage.run().state.name(), "succeeded");
}

#[test]
fn an_answer_in_a_pause_counts() {
    let mut stage = started("q approve ok?; b = x; q.approved > b", "");
    stage
        .take(by("ann", Command::PauseRun(stage.run)))
        .expect("holds");
    stage
        .take(by("ann", answer(stage.run, "q", "approved", json!(null))))
        .expect("answers");
    assert_eq!(stage.run().tasks["b"].state.name(), "blocked");
    stage
        .take(by("ann", Command::ResumeRun(stage.run)))
        .expect("goes on");
    assert_eq!(stage.run().state.name(), "succeeded");
}

#[test]
fn children_are_held_too() {
    let mut stage = started("c runs other", "workflow other: x; y; x > y");
    stage.play_wanted();
    let child = stage.run().tasks["c"].child.expect("a child");
    stage
        .take(by("ann", Command::PauseRun(stage.run)))
        .expect("holds");
    assert_eq!(stage.troupe.runs[&child].run.state.name(), "paused");
    stage
        .take(by("ann", Command::ResumeRun(stage.run)))
        .expect("goes on");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut stage = play("a", "");
    let run = stage.run;
    let mut code = |command: Command| match stage.take(by("ann", command)) {
        Ok(()) => "ok",
        Err(refused) => refused.code(),
    };
    let ended = [
        code(Command::PauseRun(run)),
        code(Command::ResumeRun(run)),
        code(Command::CancelRun(run)),
        code(Command::RetryRun(Box::new(RetryRun { run, ended: None }))),
    ];
    assert_eq!(
        ended,
        ["run_over", "run_over", "run_over", "nothing_to_retry"]
    );
    let mut live = started("a", "");
    let refused = live.take(by("ann", retry(&live)));
    assert_eq!(refused, Err(Rejection::StillRunning("running")));
}

// -- take up again ------------------------------------------------------------------------------------

#[track_caller]
fn check_again(graph: &str, script: &str, expected: Expect) {
    let mut stage = play(graph, script);
    assert_eq!(stage.run().state.name(), "failed", "{}", stage.tree());
    stage.all_well();
    stage.take(by("ann", retry(&stage))).expect("it failed");
    stage.assert_sound();
    stage.finish();
    stage.assert_sound();
    let shown = format!("{}{}", stage.tree(), stage.waves());
    expected.assert_eq(&shown);
}

#[test]
fn a_retry_keeps_what_was_finished() {
    check_again(
        "a; b; c; a > b > c",
        "b fails",
        expect![[r#"
        run succeeded: "c"
        a succeeded
        b succeeded after 2 tries
        c succeeded
        b | c"#]],
    );
}

#[test]
fn a_retry_of_a_map_does_only_the_failed_items() {
    check_again(
        "m each [1, 2, 3] do a; b; a > b end; z; m > z",
        "m[1].b fails\nm[2].b hangs",
        expect![[r#"
            run succeeded: "z"
            m succeeded after 2 tries
            z succeeded
            m[0].a succeeded
            m[0].b succeeded
            m[1].a succeeded
            m[1].b succeeded after 2 tries
            m[2].a succeeded
            m[2].b succeeded after 2 tries
            m[1].b m[2].b | z"#]],
    );
}

#[test]
fn a_retry_of_a_loop_goes_on_in_its_round() {
    check_again(
        "l loop 3 do a; b; a > b end",
        "l[1].b fails",
        expect![[r#"
        run succeeded: "l[2].b"
        l succeeded after 2 tries
        l[0].a succeeded
        l[0].b succeeded
        l[1].a succeeded
        l[1].b succeeded after 2 tries
        l[2].a succeeded
        l[2].b succeeded
        l[1].b | l[2].a | l[2].b"#]],
    );
}

#[test]
fn a_retry_goes_as_deep_as_the_failure() {
    check_again(
        "m each [1, 2] do l loop 2 do a; b; a > b end; c; l > c end",
        "m[0].l[1].b fails",
        expect![[r#"
            run succeeded: ["m[0].c","m[1].c"]
            m succeeded after 2 tries
            m[0].l succeeded after 2 tries
            m[0].c succeeded
            m[1].l succeeded after 2 tries
            m[1].c succeeded
            m[0].l[0].a succeeded
            m[0].l[0].b succeeded
            m[1].l[0].a succeeded
            m[1].l[0].b succeeded
            m[0].l[1].a succeeded
            m[0].l[1].b succeeded after 2 tries
            m[1].l[1].a succeeded
            m[1].l[1].b succeeded after 2 tries
            m[0].l[1].b m[1].l[1].b | m[0].c m[1].c"#]],
    );
}

#[test]
fn failures_that_the_graph_provides_for_stay() {
    check_again(
        "a; a on_error continue; b; c; a > b > c",
        "a fails\nc fails",
        expect![[r#"
            run succeeded: "c"
            a failed (refused)
            b succeeded
            c succeeded after 2 tries
            c"#]],
    );
}

#[test]
fn a_retry_gives_all_tries_again() {
    let mut stage = play("a; a retry 2", "a fails thrice");
    assert_eq!(stage.run().state.name(), "failed");
    stage.take(by("ann", retry(&stage))).expect("it failed");
    stage.play();
    expect![[r#"
        run succeeded: "a"
        a succeeded after 4 tries
    "#]]
    .assert_eq(&stage.tree());
}

#[test]
fn a_cancelled_run_can_be_taken_up_again() {
    let mut stage = play("a; b; a > b", "cancel when b");
    stage
        .take(by("ann", retry(&stage)))
        .expect("it was cancelled");
    stage.play();
    expect![[r#"
        run succeeded: "b"
        a succeeded
        b succeeded after 2 tries
    "#]]
    .assert_eq(&stage.tree());
    assert!(stage.run().ended_at.is_some());
    stage.assert_sound();
}

#[test]
fn a_run_that_fails_again_at_once_is_forgotten_again() {
    // A template that is no JSON, brought from the log as after its first end.
    let mut stage = play("a =json x", "");
    assert_eq!(stage.run().state.name(), "failed", "{}", stage.tree());
    let ended = Some(Box::new(LiveRun::new(
        stage.run().clone(),
        Arc::clone(&stage.graph),
    )));
    stage.troupe.forget_those_that_ended();
    let run = stage.run;
    let command = Command::RetryRun(Box::new(RetryRun { run, ended }));
    stage.take(by("ann", command)).expect("it failed");
    stage.troupe.forget_those_that_ended();
    assert!(!stage.troupe.runs.contains_key(&run));
}

#[test]
fn a_run_that_ended_long_ago_is_brought_from_its_log() {
    let mut stage = play("a; b; a > b", "b fails");
    let ended = |stage: &Stage| {
        let of_run = stage
            .log
            .iter()
            .filter(|event| event.fact.run() == Some(stage.run));
        let run = Run::replay(of_run, &stage.graph)
            .expect("fits")
            .expect("a run");
        let live = LiveRun::new(run, Arc::clone(&stage.graph));
        let (run, ended) = (stage.run, Some(Box::new(live)));
        Command::RetryRun(Box::new(RetryRun { run, ended }))
    };
    let first = ended(&stage);
    stage.troupe.forget_ended(&[stage.run], &[]);
    let unknown = stage.take(by("ann", retry(&stage)));
    assert_eq!(unknown, Err(Rejection::NoSuchRun(stage.run)));
    stage.take(by("ann", first.clone())).expect("it failed");
    stage.play();
    assert_eq!(stage.run().state.name(), "failed", "b still fails");
    stage.troupe.forget_ended(&[stage.run], &[]);
    let late = stage.take(by("ann", first));
    assert_eq!(late, Err(Rejection::Stale), "it was read before it went on");
    let second = ended(&stage);
    stage.all_well();
    stage.take(by("ann", second)).expect("read again");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

// -- parts of a run once more -------------------------------------------------------------------------

/// A new run that begins with what another had finished.
fn fork(stage: &Stage, new: &str, from: Option<&str>, input: Value) -> Result<Stage, Rejection> {
    let mut next = Stage::new(new, "");
    let from = from.map(node);
    let seed = seed(stage.run(), &stage.graph, &next.graph, from.as_ref())?;
    next.run = RunId(Uuid::from_u128(70));
    let Input::Command {
        by,
        command: Command::StartRun(mut start),
    } = next.start_input(input)
    else {
        unreachable!("it is a start")
    };
    start.seed = seed;
    start.parent = Some(stage.run);
    next.take(Input::Command {
        by,
        command: Command::StartRun(start),
    })
    .expect("starts");
    next.play();
    next.assert_sound();
    assert_eq!(
        next.run().parent.as_ref().map(|parent| parent.run),
        Some(stage.run)
    );
    Ok(next)
}

const CHAIN: &str =
    "a; b asks {{ input.topic }}; c = {{ nodes.a.output }}{{ nodes.b.output }}; a > b > c";

#[test]
fn from_a_step_on_with_another_input() {
    let first = play(
        "a; b asks x; c = {{ nodes.a.output }}{{ nodes.b.output }}; a > b > c",
        "",
    );
    let again = fork(
        &first,
        CHAIN.replace("{{ input.topic }}", "x").as_str(),
        Some("b"),
        json!({ "topic": "tea" }),
    );
    let again = again.expect("it can");
    expect![[r#"
        run succeeded: "ab"
        a succeeded
        b succeeded
        c succeeded
    "#]]
    .assert_eq(&again.tree());
    expect!["b"].assert_eq(&again.waves());
    assert!(again.run().tasks["a"].reused);
}

#[test]
fn in_a_newer_version_what_was_finished_is_kept() {
    let first = play("a; b; c; a > b > c", "b fails");
    let again = fork(
        &first,
        "a; b asks better; c; d; a > b > c > d",
        None,
        json!({}),
    )
    .expect("it can");
    expect!["b | c | d"].assert_eq(&again.waves());
    let refused = fork(&first, "a asks other; b; c; a > b > c", None, json!({})).err();
    assert_eq!(refused, Some(Rejection::FinishedPartChanged(node("a"))));
    let moved = fork(&first, "a; b; c; z; z > a > b > c", None, json!({})).err();
    assert_eq!(moved, Some(Rejection::FinishedPartChanged(node("a"))));
    let from = fork(
        &first,
        "a asks other; b; c; a > b > c",
        Some("a"),
        json!({}),
    )
    .expect("a is done again");
    expect!["a | b | c"].assert_eq(&from.waves());
    let nothing = fork(&first, "a; b; c; a > b > c", Some("x"), json!({})).err();
    assert_eq!(nothing, Some(Rejection::NoSuchNode(node("x"))));
}

#[test]
fn ways_not_taken_stay_so() {
    let text = "a; g ? 'yes' in nodes.a.output; b; c; d; a > g; g.true > b > d; g.false > c > d";
    let first = play(text, "a says yes\nd fails");
    let again = fork(&first, text, None, json!({})).expect("it can");
    expect![[r#"
        run succeeded: "d"
        a succeeded
        g succeeded -> true
        b succeeded
        c skipped (NotTaken)
        d succeeded
    "#]]
    .assert_eq(&again.tree());
    expect!["d"].assert_eq(&again.waves());
}

#[test]
fn one_step_alone_with_what_is_pinned() {
    let text = "a; g ? false; b asks {{ nodes.a.output }}; c; a > g; g.true > b > c";
    let mut stage = Stage::new(text, "");
    let pins = BTreeMap::from([(node("a"), json!("tea"))]);
    let seed = pinned(&stage.graph, &node("b"), &pins).expect("both are there");
    let Input::Command {
        by,
        command: Command::StartRun(mut start),
    } = stage.start_input(json!({}))
    else {
        unreachable!("it is a start")
    };
    start.seed = seed;
    start.only = Some(node("b"));
    stage
        .take(Input::Command {
            by,
            command: Command::StartRun(start),
        })
        .expect("starts");
    stage.play();
    stage.assert_sound();
    expect![[r#"
        run succeeded: "b"
        a succeeded
        g skipped (NotAsked)
        b succeeded
        c skipped (NotAsked)
    "#]]
    .assert_eq(&stage.tree());
    assert_eq!(
        stage.run().tasks["b"]
            .input
            .as_ref()
            .map(|input| &input["prompt"]),
        Some(&json!("tea"))
    );
    assert_eq!(
        pinned(&graph(text), &node("x"), &pins),
        Err(Rejection::NoSuchNode(node("x")))
    );
}

// -- what may not be repeated -------------------------------------------------------------------------

const ONCE: &str = "a; a once; b = {{ nodes.a.output }}; a > b";

#[test]
fn a_call_that_was_cut_is_not_repeated() {
    let mut stage = started(ONCE, "");
    stage.take(turn(&stage, 1)).expect("begins");
    stage.restart();
    assert!(stage.started.is_empty(), "nothing is done again");
    expect![[r#"
        run running
        a unknown
        b blocked
    "#]]
    .assert_eq(&stage.tree());
    stage.assert_sound();
    stage
        .take(by(
            "ann",
            answer(stage.run, "a", "succeeded", json!("it did")),
        ))
        .expect("she knows");
    let again = stage.take(by("eve", answer(stage.run, "a", "retry", json!(null))));
    assert_eq!(again.expect_err("answered").code(), "already_answered");
    expect![[r#"
        run succeeded: "it did"
        a succeeded
        b succeeded
    "#]]
    .assert_eq(&stage.tree());
    expect!["task.ready task.assigned task.started turn.started task.unknown task.answered task.completed"].assert_eq(&events_of(&stage, "a"));
}

#[test]
fn a_person_may_have_it_repeated_or_call_it_failed() {
    let mut stage = started(ONCE, "a is retry");
    stage.take(turn(&stage, 1)).expect("begins");
    stage.restart();
    stage.play();
    expect![[r#"
        run succeeded: "a"
        a succeeded after 2 tries
        b succeeded
    "#]]
    .assert_eq(&stage.tree());
    let mut stage = started(ONCE, "a is failed");
    stage.take(turn(&stage, 1)).expect("begins");
    stage.restart();
    stage.play();
    expect![[r#"
        run failed at a: failed_by_person
        a failed (failed_by_person)
        b cancelled
    "#]]
    .assert_eq(&stage.tree());
}

#[test]
fn what_had_not_begun_or_had_come_back_goes_on() {
    let mut stage = started(ONCE, "");
    stage.restart();
    assert_eq!(stage.started.len(), 1, "nothing was begun");
    stage.take(turn(&stage, 1)).expect("begins");
    let key = stage.started[0].key.clone();
    let record = Box::new(record("text"));
    stage
        .take(Input::Outcome(Outcome::TurnCompleted {
            key,
            turn: 1,
            record,
        }))
        .expect("ends");
    stage.restart();
    assert_eq!(stage.started.len(), 1, "what was begun had come back");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
}

#[test]
fn a_request_that_was_cut_is_repeated_only_where_it_may() {
    let mut stage = started("h get http://x/; k get http://x/; k once", "");
    stage.restart();
    let again: Vec<_> = stage
        .requests
        .iter()
        .map(|spec| spec.key.task.as_str())
        .collect();
    assert_eq!(again, ["h"]);
    expect![[r#"
        run running
        h running
        k unknown
    "#]]
    .assert_eq(&stage.tree());
}

#[test]
fn a_timeout_leaves_it_unknown_too() {
    let mut stage = play("a; a once; a timeout 50", "a hangs");
    expect![[r#"
        run running
        a unknown
    "#]]
    .assert_eq(&stage.tree());
    stage
        .take(by("ann", Command::CancelRun(stage.run)))
        .expect("cancels");
    expect![[r#"
        run cancelled
        a unknown
    "#]]
    .assert_eq(&stage.tree());
    let over = stage.take(by("ann", answer(stage.run, "a", "retry", json!(null))));
    assert_eq!(over.expect_err("the run is over").code(), "not_waiting");
    stage
        .take(by("ann", retry(&stage)))
        .expect("it was cancelled");
    expect![[r#"
        run running
        a unknown
    "#]]
    .assert_eq(&stage.tree());
    stage.assert_sound();
}

#[test]
fn an_error_that_would_pass_ends_what_may_not_be_repeated() {
    check(
        "a; a once",
        "a fails once",
        expect![[r#"
        run failed at a: busy
        a failed (busy)
    "#]],
    );
}

#[test]
fn what_is_stopped_under_way_is_unknown() {
    check(
        "a; a once; b; a > b",
        "cancel when a",
        expect![[r#"
        run cancelled
        a unknown
        b cancelled
    "#]],
    );
}

// -- limits -------------------------------------------------------------------------------------------

#[test]
fn so_many_tasks_at_once() {
    let limits = |limits: Limits| {
        let mut stage = Stage::new("a; b; c; d get http://x/; e", "").under(limits);
        let start = stage.start_input(json!({}));
        stage.take(start).expect("starts");
        let most = stage.started.len() + stage.requests.len();
        stage.play();
        assert_eq!(stage.run().state.name(), "succeeded");
        stage.assert_sound();
        most
    };
    let normal = Limits::default();
    assert_eq!(limits(normal), 5);
    assert_eq!(
        limits(Limits {
            max_parallel: 2,
            ..normal
        }),
        2
    );
    assert_eq!(
        limits(Limits {
            max_parallel_per_run: 3,
            ..normal
        }),
        3
    );
    assert_eq!(
        limits(Limits {
            max_parallel_per_provider: 1,
            ..normal
        }),
        2,
        "one model call, one request"
    );
}

#[test]
fn what_a_workflow_says_holds_for_all_of_its_runs() {
    let mut stage = Stage::new("a; b; c", "");
    let mut graph = (*stage.graph).clone();
    graph.max_parallel = Some(2);
    stage.graph = Arc::new(graph);
    let first = stage.start_input(json!({}));
    stage.take(first).expect("starts");
    assert_eq!(stage.started.len(), 2);
    let held = stage.run;
    stage.run = RunId(Uuid::from_u128(77));
    let second = stage.start_input(json!({}));
    stage.take(second).expect("starts");
    assert_eq!(stage.started.len(), 2, "the second run waits for the first");
    stage.run = held;
    stage.play_agents();
    stage.finish();
    assert_eq!(stage.run().state.name(), "succeeded");
}

#[test]
fn a_run_has_its_time() {
    let mut stage = Stage::new("a", "a hangs");
    let mut graph = (*stage.graph).clone();
    graph.timeout_ms = Some(5_000);
    stage.graph = Arc::new(graph);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    let due = stage.now.plus_ms(5_000);
    stage
        .take(Input::Timer(Timer::RunTimeout(stage.run)))
        .expect("too early to matter");
    assert_eq!(stage.run().state.name(), "running");
    stage.now = due;
    stage
        .take(Input::Timer(Timer::RunTimeout(stage.run)))
        .expect("is due");
    expect![[r#"
        run failed at : run_timeout
        a cancelled
    "#]]
    .assert_eq(&stage.tree());
    stage.take(by("ann", retry(&stage))).expect("it failed");
    assert!(
        stage.timers.keys().any(|(at, _)| *at == due.plus_ms(5_000)),
        "its time begins anew"
    );
}

#[test]
fn a_long_wait_that_a_provider_asks_for_is_named() {
    let mut stage = started("a", "");
    let key = stage.started[0].key.clone();
    let error = TaskError {
        retry_after_ms: Some(300_000),
        ..TaskError::passing("rate_limited", "later")
    };
    stage
        .take(Input::Outcome(Outcome::Failed { key, error }))
        .expect("fails");
    expect![[r#"
        run running
        a waiting (Provider)
    "#]]
    .assert_eq(&stage.tree());
}

#[test]
fn what_ended_is_forgotten_and_nothing_else() {
    let mut stage = play("a", "");
    let agent = *stage.troupe.agents.keys().next().expect("one was spawned");
    stage
        .take(by("ann", Command::TerminateAgent(agent)))
        .expect("it lives");
    stage.run = RunId(Uuid::from_u128(70));
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage.troupe.forget_those_that_ended();
    assert_eq!((stage.troupe.runs.len(), stage.troupe.agents.len()), (1, 1));
    assert_eq!(
        (stage.troupe.agent_counts().working, stage.troupe.ready()),
        (1, 0)
    );
}
