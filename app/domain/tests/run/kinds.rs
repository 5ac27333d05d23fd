//! Maps, loops, requests, people, waits and child runs.

use domain::{
    run::{
        TaskState,
        input::{Command, Input, Outcome, Rejection, Timer},
    },
    time::Timestamp,
};
use expect_test::{Expect, expect};
use serde_json::json;

use crate::stage::{Stage, answer, by, events_of, play};

#[track_caller]
fn check(graph: &str, script: &str, expected: Expect) {
    expected.assert_eq(&play(graph, script).tree());
}

#[track_caller]
fn check_waves(graph: &str, script: &str, expected: Expect) {
    expected.assert_eq(&play(graph, script).waves());
}

// -- map ----------------------------------------------------------------------------------------------

#[test]
fn a_map_does_its_body_for_each_item() {
    check(
        "m each ['x', 'y'] do a = {{ item }}{{ index }} end",
        "",
        expect![[r#"
            run succeeded: ["x0","y1"]
            m succeeded
            m[0].a succeeded
            m[1].a succeeded
        "#]],
    );
}

#[test]
fn results_keep_the_order_of_the_items() {
    check(
        "m each [1, 2, 3] do a asks {{ item }} end; o : {{ nodes.m.output | join }}; m > o",
        "a fails once\nm[0].a fails twice",
        expect![[r#"
            run succeeded: "m[0].am[1].am[2].a"
            m succeeded
            o succeeded
            m[0].a succeeded after 3 tries
            m[1].a succeeded after 2 tries
            m[2].a succeeded after 2 tries
        "#]],
    );
}

#[test]
fn a_body_sees_what_is_outside_and_its_own() {
    check(
        "p =json [1, 2]; m each nodes.p.output do a = {{ item }}{{ nodes.p.output | length }}; b = {{ nodes.a.output }}!; a > b end; p > m",
        "",
        expect![[r#"
            run succeeded: ["12!","22!"]
            p succeeded
            m succeeded
            m[0].a succeeded
            m[0].b succeeded
            m[1].a succeeded
            m[1].b succeeded
        "#]],
    );
}

#[test]
fn so_many_items_at_once() {
    check_waves(
        "m each [1, 2, 3] do a end; m at 2",
        "",
        expect!["m[0].a m[1].a | m[2].a"],
    );
}

#[test]
fn rounds_do_not_wait_for_each_other() {
    check_waves(
        "m each [1, 2] do a; b; a > b end",
        "m[0].a fails once",
        expect!["m[0].a m[1].a | m[1].b | m[0].a | m[0].b"],
    );
}

#[test]
fn no_items_are_no_work() {
    check(
        "m each [] do a end; b = {{ nodes.m.output }}; m > b",
        "",
        expect![[r#"
        run succeeded: "[]"
        m succeeded
        b succeeded
    "#]],
    );
}

#[test]
fn an_item_that_fails_stops_the_map_and_the_run() {
    check(
        "m each [1, 2] do a; b; a > b end; z; m > z",
        "m[1].a fails",
        expect![[r#"
            run failed at m: refused
            m failed (refused)
            z cancelled
            m[0].a succeeded
            m[0].b cancelled
            m[1].a failed (refused)
            m[1].b cancelled
        "#]],
    );
}

#[test]
fn or_the_others_go_on_without_it() {
    check(
        "m each [1, 2, 3] do a; b; a > b end; m on_error continue",
        "m[1].a fails",
        expect![[r#"
            run succeeded: ["m[0].b",null,"m[2].b"]
            m succeeded
            m[0].a succeeded
            m[0].b succeeded
            m[1].a failed (refused)
            m[1].b cancelled
            m[2].a succeeded
            m[2].b succeeded
        "#]],
    );
}

#[test]
fn or_the_run_goes_on_at_port_error() {
    check(
        "m each [1] do a end; m on_error branch; e; z; m.error > e; m > z",
        "a fails",
        expect![[r#"
            run succeeded: {"e":"e"}
            m failed (refused)
            e succeeded
            z skipped (NotTaken)
            m[0].a failed (refused)
        "#]],
    );
}

#[test]
fn what_is_no_list_fails() {
    check(
        "m each 'abc' do a end",
        "",
        expect![[r#"
        run failed at m: not_a_list
        m failed (not_a_list)
    "#]],
    );
}

#[test]
fn maps_stand_in_maps() {
    check(
        "m each [[1, 2], [3]] do n each item do a = {{ item }}{{ index }} end end",
        "",
        expect![[r#"
            run succeeded: [["10","21"],["30"]]
            m succeeded
            m[0].n succeeded
            m[1].n succeeded
            m[0].n[0].a succeeded
            m[0].n[1].a succeeded
            m[1].n[0].a succeeded
        "#]],
    );
}

#[test]
fn an_output_node_names_the_result_of_an_item() {
    check(
        "m each [1, 2] do a = {{ item }}; o : {{ item * 10 }}; b = x; a > o; o > b end",
        "",
        expect![[r#"
            run succeeded: [10,20]
            m succeeded
            m[0].a succeeded
            m[0].o succeeded
            m[0].b succeeded
            m[1].a succeeded
            m[1].o succeeded
            m[1].b succeeded
        "#]],
    );
}

#[test]
fn a_map_has_its_time() {
    check(
        "m each [1, 2] do a end; m timeout 50",
        "m[1].a hangs",
        expect![[r#"
            run failed at m: timeout
            m failed (timeout)
            m[0].a succeeded
            m[1].a cancelled
        "#]],
    );
}

#[test]
fn cancel_stops_all_rounds() {
    check(
        "m each [1, 2, 3] do a; b; a > b end; m at 2",
        "cancel when m[1].a",
        expect![[r#"
            run cancelled
            m cancelled
            m[0].a succeeded
            m[0].b cancelled
            m[1].a cancelled
            m[1].b cancelled
        "#]],
    );
}

#[test]
fn ten_thousand_items_are_no_problem() {
    let mut stage = Stage::new("m each input.items do a = {{ item }} end", "");
    let items: Vec<u32> = (0..10_000).collect();
    let start = stage.start_input(json!({ "items": items }));
    stage.take(start).expect("starts");
    assert!(stage.log.len() < 3_000, "one decision does all of it");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    assert_eq!(
        stage.run().tasks["m"]
            .state
            .output()
            .and_then(|all| all[9_999].as_str()),
        Some("9999")
    );
    stage.assert_sound();
}

// -- loop ---------------------------------------------------------------------------------------------

#[test]
fn a_loop_ends_when_it_is_good() {
    check(
        "l until index == 2 do a = {{ index }} end",
        "",
        expect![[r#"
        run succeeded: "2"
        l succeeded
        l[0].a succeeded
        l[1].a succeeded
        l[2].a succeeded
    "#]],
    );
}

#[test]
fn or_when_it_has_had_its_rounds() {
    check(
        "l loop 2 do a end",
        "",
        expect![[r#"
        run succeeded: "l[1].a"
        l succeeded
        l[0].a succeeded
        l[1].a succeeded
    "#]],
    );
}

#[test]
fn a_round_reads_what_the_round_before_brought() {
    check(
        "l until 'xxx' in nodes.b.output do a = {{ nodes.b.output | default('') }}x; b = {{ nodes.a.output }}; a > b end",
        "",
        expect![[r#"
            run succeeded: "xxx"
            l succeeded
            l[0].a succeeded
            l[0].b succeeded
            l[1].a succeeded
            l[1].b succeeded
            l[2].a succeeded
            l[2].b succeeded
        "#]],
    );
}

#[test]
fn until_may_fail() {
    check(
        "l until nodes.a.output.x.y do a end",
        "",
        expect![[r#"
        run failed at l: expression_failed
        l failed (expression_failed)
        l[0].a succeeded
    "#]],
    );
}

#[test]
fn a_failure_inside_is_a_failure_of_the_loop() {
    check(
        "l loop 3 do a end; b; l > b; l on_error continue",
        "l[1].a fails",
        expect![[r#"
            run succeeded: "b"
            l failed (refused)
            b succeeded
            l[0].a succeeded
            l[1].a failed (refused)
        "#]],
    );
}

#[test]
fn loops_stand_in_maps_and_see_the_item() {
    check(
        "m each ['x', 'y'] do l loop 2 do a = {{ item }}{{ index }} end end",
        "",
        expect![[r#"
            run succeeded: ["x1","y1"]
            m succeeded
            m[0].l succeeded
            m[1].l succeeded
            m[0].l[0].a succeeded
            m[1].l[0].a succeeded
            m[0].l[1].a succeeded
            m[1].l[1].a succeeded
        "#]],
    );
}

// -- http ---------------------------------------------------------------------------------------------

#[test]
fn a_request_is_filled_in() {
    check(
        "h get http://x/{{ run.id | length }}",
        "",
        expect![[r#"
        run succeeded: {"status":200,"headers":{},"body":"http://x/36"}
        h succeeded
    "#]],
    );
}

#[test]
fn a_request_is_repeated_under_its_key() {
    let mut stage = Stage::new("h get http://x/", "");
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    let first = stage.requests[0].clone();
    assert_eq!(first.idempotency_key, format!("{}:h:1", stage.run));
    let busy = domain::run::TaskError::passing("busy", "503");
    stage
        .take(Input::Outcome(Outcome::Failed {
            key: first.key,
            error: busy,
        }))
        .expect("fails");
    stage.requests.clear();
    let ((at, _), timer) = stage.timers.pop_first().expect("a retry");
    stage.now = at;
    stage.take(Input::Timer(timer)).expect("is due");
    assert_eq!(stage.requests[0].idempotency_key, first.idempotency_key);
    assert_eq!(stage.requests[0].key.attempt, 2);
}

#[test]
fn http_steps_are_tried_again() {
    check(
        "h get http://x/",
        "h fails twice",
        expect![[r#"
        run succeeded: {"status":200,"headers":{},"body":"http://x/"}
        h succeeded after 3 tries
    "#]],
    );
}

// -- approval -----------------------------------------------------------------------------------------

const ASK: &str = "a; q approve {{ nodes.a.output }}?; y; n; t; a > q; q.approved > y; q.rejected > n; q.timeout > t";

#[test]
fn a_person_is_waited_for() {
    check(
        ASK,
        "",
        expect![[r#"
        run running
        a succeeded
        q waiting (Approval)
        y blocked
        n blocked
        t blocked
    "#]],
    );
}

#[test]
fn a_yes_goes_on_at_approved() {
    check(
        ASK,
        "q is approved",
        expect![[r#"
        run succeeded: {"y":"y"}
        a succeeded
        q succeeded -> approved
        y succeeded
        n skipped (NotTaken)
        t skipped (NotTaken)
    "#]],
    );
}

#[test]
fn a_no_goes_on_at_rejected() {
    check(
        ASK,
        "q is rejected",
        expect![[r#"
        run succeeded: {"n":"n"}
        a succeeded
        q succeeded -> rejected
        y skipped (NotTaken)
        n succeeded
        t skipped (NotTaken)
    "#]],
    );
}

#[test]
fn without_an_answer_the_time_runs_out() {
    check(
        &format!("{ASK}; q timeout 50"),
        "",
        expect![[r#"
        run succeeded: {"t":"t"}
        a succeeded
        q succeeded -> timeout
        y skipped (NotTaken)
        n skipped (NotTaken)
        t succeeded
    "#]],
    );
}

#[test]
fn an_answer_is_stored_with_who_and_when() {
    let stage = play(ASK, "a says Ship it\nq is approved");
    let task = &stage.run().tasks["q"];
    assert_eq!(task.input, Some(json!({ "message": "Ship it?" })));
    let given = task.answer.as_ref().expect("an answer");
    assert_eq!(
        (given.by.as_str(), given.data.clone()),
        ("ann", json!("approved"))
    );
    let output = task.state.output().expect("an output");
    assert_eq!(
        (&output["by"], &output["port"]),
        (&json!("ann"), &json!("approved"))
    );
    assert_eq!(output["at"], json!(given.at.rfc3339()));
    expect!["task.ready task.started task.waiting task.answered task.completed"]
        .assert_eq(&events_of(&stage, "q"));
}

#[test]
fn only_one_answer_counts() {
    let mut stage = Stage::new(ASK, "");
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    let run = stage.run;
    let early = stage.take(by("bob", answer(run, "q", "approved", json!(null))));
    assert_eq!(early.expect_err("too early").code(), "not_waiting");
    stage.play();
    let odd = stage.take(by("bob", answer(run, "q", "maybe", json!(null))));
    assert_eq!(odd.expect_err("odd").code(), "no_such_answer");
    stage
        .take(by("bob", answer(run, "q", "approved", json!(null))))
        .expect("the first");
    let late = stage.take(by("eve", answer(run, "q", "rejected", json!(null))));
    let late = late.expect_err("the second");
    assert_eq!(
        (late.code(), late.to_string()),
        (
            "already_answered",
            "task `q` was answered already, by bob".into()
        )
    );
    let nothing = stage.take(by("eve", answer(run, "x", "rejected", json!(null))));
    assert_eq!(nothing.expect_err("no task").code(), "no_such_task");
    stage.play();
    let over = stage.take(by("eve", answer(run, "q", "rejected", json!(null))));
    assert_eq!(
        over.expect_err("the run is over").code(),
        "already_answered"
    );
}

#[test]
fn people_are_asked_in_rounds_too() {
    check(
        "m each ['x', 'y'] do q approve {{ item }}?; a; q.approved > a end",
        "m[0].q is approved\nm[1].q is rejected",
        expect![[r#"
            run succeeded: ["m[0].a",null]
            m succeeded
            m[0].q succeeded -> approved
            m[0].a succeeded
            m[1].q succeeded -> rejected
            m[1].a skipped (NotTaken)
        "#]],
    );
}

// -- wait ---------------------------------------------------------------------------------------------

#[test]
fn a_wait_lets_time_pass() {
    let stage = play("w wait 500; b = x; w > b", "");
    assert_eq!(stage.run().state.name(), "succeeded");
    let began = stage.run().started_at.expect("it began");
    assert_eq!(stage.run().ended_at, Some(began.plus_ms(500)));
    expect!["task.ready task.started task.waiting task.completed"]
        .assert_eq(&events_of(&stage, "w"));
}

#[test]
fn the_end_of_a_wait_is_in_its_event() {
    let mut stage = Stage::new("w wait 500", "");
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    let due = stage.now.plus_ms(500);
    assert!(
        matches!(stage.run().tasks["w"].state, TaskState::Waiting { until: Some(at), .. } if at == due)
    );
    stage.now = Timestamp(stage.now.0 + 200);
    let mut after = crate::agents::restart(&stage);
    let timers: Vec<_> = after
        .timers
        .iter()
        .map(|((at, _), timer)| (*at, timer.clone()))
        .collect();
    assert!(
        matches!(&timers[..], [(at, Timer::WaitOver(_))] if *at == due),
        "{timers:?}"
    );
    after.play();
    assert_eq!(after.run().state.name(), "succeeded");
}

// -- child runs ---------------------------------------------------------------------------------------

#[test]
fn a_child_run_brings_its_output() {
    check(
        "c runs other; b = {{ nodes.c.output }}!; c > b",
        "workflow other: x; y = {{ nodes.x.output }}?; x > y",
        expect![[r#"
            run succeeded: "x?!"
            c succeeded
            b succeeded
        "#]],
    );
}

#[test]
fn a_child_that_needs_nobody_ends_at_once() {
    check(
        "c runs other",
        "workflow other: x = 1",
        expect![[r#"
        run succeeded: "1"
        c succeeded
    "#]],
    );
}

#[test]
fn a_child_knows_its_parent() {
    let stage = play("c runs other", "workflow other: x");
    let child = stage.run().tasks["c"].child.expect("a child");
    let child = &stage.troupe.runs[&child].run;
    let parent = child.parent.as_ref().expect("a parent");
    assert_eq!(
        (
            parent.run,
            parent.task.as_ref().map(|task| task.as_str()),
            child.depth
        ),
        (stage.run, Some("c"), 1)
    );
}

#[test]
fn a_child_that_fails_fails_its_task() {
    check(
        "c runs other; b; c.error > b; c on_error branch",
        "workflow other: x\nx fails",
        expect![[r#"
        run succeeded: "b"
        c failed (child_failed)
        b succeeded
    "#]],
    );
}

#[test]
fn a_workflow_that_is_not_there_fails_its_task() {
    check(
        "c runs nothing",
        "",
        expect![[r#"
        run failed at c: no_such_workflow
        c failed (no_such_workflow)
    "#]],
    );
}

#[test]
fn a_workflow_cannot_run_itself_for_ever() {
    let stage = play("c runs me", "workflow me: c runs me");
    assert_eq!(stage.run().state.name(), "failed");
    let deepest = stage.troupe.runs.values().map(|live| live.run.depth).max();
    assert_eq!(deepest, Some(8));
}

#[test]
fn children_are_cancelled_with_their_parent() {
    let stage = play(
        "c runs other; d runs other",
        "workflow other: x\ncancel when x",
    );
    let states: Vec<_> = stage
        .troupe
        .runs
        .values()
        .map(|live| live.run.state.name())
        .collect();
    assert_eq!(states, ["cancelled"; 3]);
}

#[test]
fn a_child_is_cancelled_when_its_task_has_had_its_time() {
    let stage = play(
        "c runs other; c timeout 50; c retry 1",
        "workflow other: x\nx hangs",
    );
    expect![[r#"
        run failed at c: timeout
        c failed (timeout)
    "#]]
    .assert_eq(&stage.tree());
    let child = stage.run().tasks["c"].child.expect("a child");
    assert_eq!(stage.troupe.runs[&child].run.state.name(), "cancelled");
}

#[test]
fn a_cancelled_child_fails_its_task() {
    let mut stage = Stage::new("c runs other", "workflow other: x");
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    let wanted = stage.wanted.len();
    assert_eq!(wanted, 1);
    stage.play_requests();
    let child = stage.run().tasks["c"].child.expect("a child");
    stage
        .take(by("ann", Command::CancelRun(child)))
        .expect("cancels");
    expect![[r#"
        run failed at c: child_cancelled
        c failed (child_cancelled)
    "#]]
    .assert_eq(&stage.tree());
    let again = stage.take(by("ann", Command::CancelRun(child)));
    assert_eq!(again, Ok(()), "it is cancelled already");
    assert_eq!(
        stage.take(by("ann", Command::CancelRun(stage.run))),
        Err(Rejection::RunOver("failed"))
    );
}
