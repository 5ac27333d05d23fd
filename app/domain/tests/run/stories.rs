//! One case is two lines: the graph and the script, and what comes out.

use domain::{agent::AgentEvent, event::Fact};
use expect_test::{Expect, expect};
use serde_json::json;

use crate::stage::{events_of, play, play_with};

#[track_caller]
fn check(graph: &str, script: &str, expected: Expect) {
    expected.assert_eq(&play(graph, script).tree());
}

#[track_caller]
fn check_waves(graph: &str, script: &str, expected: Expect) {
    expected.assert_eq(&play(graph, script).waves());
}

// -- shapes -------------------------------------------------------------------------------------------

#[test]
fn one_task() {
    check(
        "a",
        "a says hello",
        expect![[r#"
        run succeeded: "hello"
        a succeeded
    "#]],
    );
}

#[test]
fn a_chain_passes_outputs_on() {
    check(
        "a\nb = {{ nodes.a.output }}!\na > b",
        "a says hi",
        expect![[r#"
        run succeeded: "hi!"
        a succeeded
        b succeeded
    "#]],
    );
}

#[test]
fn a_chain_of_transforms_is_one_step() {
    check(
        "a = 1\nb = {{ nodes.a.output }}2\nc = {{ nodes.b.output }}3\na > b > c",
        "",
        expect![[r#"
        run succeeded: "123"
        a succeeded
        b succeeded
        c succeeded
    "#]],
    );
}

#[test]
fn two_last_nodes_give_an_object() {
    check(
        "a\nb\nc\na > b\na > c",
        "",
        expect![[r#"
        run succeeded: {"b":"b","c":"c"}
        a succeeded
        b succeeded
        c succeeded
    "#]],
    );
}

#[test]
fn an_output_node_names_the_result() {
    check(
        "a\nb\no : {{ nodes.a.output }} and {{ nodes.b.output }}\na > o\nb > o",
        "",
        expect![[r#"
        run succeeded: "a and b"
        a succeeded
        b succeeded
        o succeeded
    "#]],
    );
}

#[test]
fn a_lone_expression_keeps_its_type() {
    check(
        "a =json [1, 2]\no : {{ nodes.a.output }}\na > o",
        "",
        expect![[r#"
        run succeeded: [1,2]
        a succeeded
        o succeeded
    "#]],
    );
}

#[test]
fn a_diamond_joins_once() {
    check(
        "a\nb\nc\nd\na > b > d\na > c > d",
        "",
        expect![[r#"
        run succeeded: "d"
        a succeeded
        b succeeded
        c succeeded
        d succeeded
    "#]],
    );
}

#[test]
fn ready_branches_run_at_the_same_time() {
    check_waves(
        "a\nb\nc\nd\ne\na > b > e\na > c > e\na > d > e",
        "",
        expect!["a | b c d | e"],
    );
}

#[test]
fn roots_start_together() {
    check_waves("a\nb\nc", "", expect!["a b c"]);
}

#[test]
fn input_fills_prompts() {
    let stage = play_with(
        "a asks about {{ input.topic }}",
        "",
        json!({ "topic": "tea" }),
    );
    assert_eq!(
        stage.run().tasks["a"].input,
        Some(json!({ "prompt": "about tea", "instructions": null }))
    );
}

// -- branches -----------------------------------------------------------------------------------------

const BRANCH: &str = "a\ng ? 'yes' in nodes.a.output\nb\nc\na > g\ng.true > b\ng.false > c";

#[test]
fn a_branch_takes_true() {
    check(
        BRANCH,
        "a says yes",
        expect![[r#"
        run succeeded: {"b":"b"}
        a succeeded
        g succeeded -> true
        b succeeded
        c skipped (NotTaken)
    "#]],
    );
}

#[test]
fn a_branch_takes_false() {
    check(
        BRANCH,
        "a says no",
        expect![[r#"
        run succeeded: {"c":"c"}
        a succeeded
        g succeeded -> false
        b skipped (NotTaken)
        c succeeded
    "#]],
    );
}

#[test]
fn what_is_behind_a_way_not_taken_is_skipped_too() {
    check(
        "a\ng ? false\nb\nc\nd\na > g\ng.true > b > c > d",
        "",
        expect![[r#"
        run succeeded: null
        a succeeded
        g succeeded -> false
        b skipped (NotTaken)
        c skipped (NotTaken)
        d skipped (NotTaken)
    "#]],
    );
}

#[test]
fn a_join_behind_a_branch_runs_with_the_way_taken() {
    check(
        &format!("{BRANCH}\nd\nb > d\nc > d"),
        "a says yes",
        expect![[r#"
        run succeeded: "d"
        a succeeded
        g succeeded -> true
        b succeeded
        c skipped (NotTaken)
        d succeeded
    "#]],
    );
}

#[test]
fn the_fix_step_of_a_review_is_optional() {
    check(
        "w\ng ? 'ok' in nodes.w.output\nf\no : {{ nodes.f.output if nodes.f.output is defined else nodes.w.output }}\nw > g\ng.true > o\ng.false > f > o",
        "w says ok then",
        expect![[r#"
            run succeeded: "ok then"
            w succeeded
            g succeeded -> true
            f skipped (NotTaken)
            o succeeded
        "#]],
    );
}

#[test]
fn and_it_runs_when_the_review_finds_fault() {
    check(
        "w\ng ? 'ok' in nodes.w.output\nf\no : {{ nodes.f.output if nodes.f.output is defined else nodes.w.output }}\nw > g\ng.true > o\ng.false > f > o",
        "w says bad\nf says fixed",
        expect![[r#"
            run succeeded: "fixed"
            w succeeded
            g succeeded -> false
            f succeeded
            o succeeded
        "#]],
    );
}

#[test]
fn a_condition_that_fails_fails_the_run() {
    check(
        "a\ng ? nodes.a.output.x.y == 1\nb\na > g\ng.true > b",
        "",
        expect![[r#"
        run failed at g: expression_failed
        a succeeded
        g failed (expression_failed)
        b cancelled
    "#]],
    );
}

// -- join ---------------------------------------------------------------------------------------------

#[test]
fn join_any_starts_with_the_first() {
    check_waves(
        "a\nb\nc\nd\na > d\nb > c > d\nd join any",
        "",
        expect!["a b | d c"],
    );
}

#[test]
fn join_any_runs_once() {
    check(
        "a\nb\nd\na > d\nb > d\nd join any",
        "",
        expect![[r#"
        run succeeded: "d"
        a succeeded
        b succeeded
        d succeeded
    "#]],
    );
}

#[test]
fn join_any_is_skipped_when_no_way_is_taken() {
    check(
        "a\ng ? false\nh ? false\nd\na > g\na > h\ng.true > d\nh.true > d\nd join any",
        "",
        expect![[r#"
        run succeeded: null
        a succeeded
        g succeeded -> false
        h succeeded -> false
        d skipped (NotTaken)
    "#]],
    );
}

// -- failure ------------------------------------------------------------------------------------------

#[test]
fn a_failure_fails_the_run_and_stops_the_rest() {
    check(
        "a\nb\nc\na > b > c",
        "b fails",
        expect![[r#"
        run failed at b: refused
        a succeeded
        b failed (refused)
        c cancelled
    "#]],
    );
}

#[test]
fn a_failure_stops_what_runs_beside_it() {
    check(
        "a\nb\nb retry 1",
        "a fails\nb hangs",
        expect![[r#"
        run failed at a: refused
        a failed (refused)
        b cancelled
    "#]],
    );
}

#[test]
fn an_error_that_passes_is_tried_again() {
    check(
        "a\nb\na > b",
        "a fails twice",
        expect![[r#"
        run succeeded: "b"
        a succeeded after 3 tries
        b succeeded
    "#]],
    );
}

#[test]
fn three_tries_are_all() {
    check(
        "a",
        "a fails thrice",
        expect![[r#"
        run failed at a: busy
        a failed (busy) after 3 tries
    "#]],
    );
}

#[test]
fn retry_one_means_once() {
    check(
        "a\na retry 1",
        "a fails once",
        expect![[r#"
        run failed at a: busy
        a failed (busy)
    "#]],
    );
}

#[test]
fn waits_double() {
    expect!["task.ready task.assigned task.started turn.started task.retrying(2, 2112 ms) task.waiting task.ready task.assigned task.started turn.started task.retrying(3, 4232 ms) task.waiting task.ready task.assigned task.started turn.started turn.completed task.completed"].assert_eq(&events_of(&play("a", "a fails twice"), "a"));
}

#[test]
fn on_error_continue_goes_on_without_a_result() {
    check(
        "a\nb = {{ nodes.a.output | default('nothing') }}\na > b\na on_error continue",
        "a fails",
        expect![[r#"
        run succeeded: "nothing"
        a failed (refused)
        b succeeded
    "#]],
    );
}

#[test]
fn on_error_branch_takes_the_error_port() {
    check(
        "a\nb\nc\na > b\na.error > c\na on_error branch",
        "a fails",
        expect![[r#"
        run succeeded: {"c":"c"}
        a failed (refused)
        b skipped (NotTaken)
        c succeeded
    "#]],
    );
}

#[test]
fn the_error_port_is_not_taken_when_all_is_well() {
    check(
        "a\nb\nc\na > b\na.error > c\na on_error branch",
        "",
        expect![[r#"
        run succeeded: {"b":"b"}
        a succeeded
        b succeeded
        c skipped (NotTaken)
    "#]],
    );
}

#[test]
fn a_transform_can_take_the_error_port() {
    check(
        "a =json {{ 'no json' }}\nb\na.error > b\na on_error branch",
        "",
        expect![[r#"
        run succeeded: "b"
        a failed (not_json)
        b succeeded
    "#]],
    );
}

#[test]
fn a_prompt_that_cannot_be_filled_in_fails_before_any_agent() {
    check(
        "g ? false\nx\nb asks {{ nodes.x.output }}\ng.true > x > b\ng.false > b",
        "",
        expect![[r#"
        run failed at b: expression_failed
        g succeeded -> false
        x skipped (NotTaken)
        b failed (expression_failed)
    "#]],
    );
}

#[test]
fn a_crash_is_one_attempt_of_one_agent() {
    let stage = play("a\nb", "a crashes");
    expect![[r#"
        run succeeded: {"a":"a","b":"b"}
        a succeeded after 2 tries
        b succeeded
    "#]]
    .assert_eq(&stage.tree());
    let ends: Vec<&str> = stage
        .log
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Agent { event, .. } => match event {
                AgentEvent::Error { .. } => Some("error"),
                AgentEvent::Terminated { .. } => Some("terminated"),
                AgentEvent::Spawned { .. }
                | AgentEvent::Idle { .. }
                | AgentEvent::Working { .. }
                | AgentEvent::Freed { .. }
                | AgentEvent::Message(_)
                | AgentEvent::Read { .. }
                | AgentEvent::Charged { .. }
                | AgentEvent::Paused { .. }
                | AgentEvent::Resumed { .. } => None,
            },
            Fact::Run { .. } | Fact::Task { .. } | Fact::System(_) => None,
        })
        .collect();
    assert_eq!(
        ends,
        ["error", "terminated"],
        "one agent is not trusted any more, and nobody would bring it back"
    );
}

#[test]
fn an_attempt_has_its_time() {
    check(
        "a\na timeout 50\na retry 1",
        "a hangs",
        expect![[r#"
        run failed at a: timeout
        a failed (timeout)
    "#]],
    );
}

#[test]
fn a_timeout_is_tried_again() {
    expect!["task.ready task.assigned task.started turn.started task.retrying(2, 2112 ms) task.waiting task.ready task.assigned task.started turn.started task.failed"].assert_eq(&events_of(&play("a\na timeout 50\na retry 2", "a hangs"), "a"));
}

// -- disabled, cancelled ------------------------------------------------------------------------------

#[test]
fn a_disabled_step_is_passed_by() {
    check(
        "a\nb\nc\na > b > c\nb disabled",
        "",
        expect![[r#"
        run succeeded: "c"
        a succeeded
        b skipped (Disabled)
        c succeeded
    "#]],
    );
}

#[test]
fn a_disabled_branch_lets_everything_through() {
    check(
        "a\ng ? false\nb\nc\na > g\ng.true > b\ng.false > c\ng disabled",
        "",
        expect![[r#"
        run succeeded: {"b":"b","c":"c"}
        a succeeded
        g skipped (Disabled)
        b succeeded
        c succeeded
    "#]],
    );
}

#[test]
fn cancel_stops_everything() {
    check(
        "a\nb\nc\na > b > c",
        "cancel when b",
        expect![[r#"
        run cancelled
        a succeeded
        b cancelled
        c cancelled
    "#]],
    );
}

#[test]
fn what_comes_after_a_cancel_changes_nothing() {
    let stage = play("a\nb", "cancel when a\na says too late");
    assert!(stage.run().tasks["a"].state.output().is_none());
}

#[test]
fn a_cancelled_run_frees_its_agents() {
    let stage = play("a\nb", "cancel when b");
    let states: Vec<_> = stage
        .troupe
        .agents
        .values()
        .map(|agent| agent.state.phase().name())
        .collect();
    assert_eq!(states, ["idle", "idle"]);
}

// -- money and agents ---------------------------------------------------------------------------------

#[test]
fn costs_and_tokens_add_up() {
    let stage = play("a\nb\na > b", "");
    assert_eq!(stage.run().cost().map(|cost| cost.0), Some(6));
    assert_eq!(stage.run().tokens().completion, Some(10));
}

#[test]
fn no_model_call_means_no_known_cost() {
    assert_eq!(play("a = 1", "").run().cost(), None);
}

#[test]
fn an_idle_agent_is_used_again() {
    assert_eq!(play("a\nb\nc\na > b > c", "").troupe.agents.len(), 1);
}

#[test]
fn agents_are_spawned_by_capability() {
    let stage = play("a\nb\na can writing\nb can review", "");
    let names: Vec<_> = stage
        .troupe
        .agents
        .values()
        .map(|agent| agent.spec.name.as_str())
        .collect();
    assert_eq!(names, ["writing-1", "review-1"]);
}

#[test]
fn a_named_agent_that_does_not_live_is_waited_for() {
    check(
        "a\na by ada",
        "",
        expect![[r#"
        run running
        a ready
    "#]],
    );
}

#[test]
fn events_of_an_agent_task_come_in_order() {
    expect!["task.ready task.assigned task.started turn.started turn.completed task.completed"]
        .assert_eq(&events_of(&play("a", ""), "a"));
}
