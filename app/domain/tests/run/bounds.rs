//! Graphs made to be slow or large: no decision does all of it at once, and no run keeps all of it.

use std::fmt::Write;

use domain::{
    event::Fact,
    run::{
        TaskEvent, TaskState,
        decide::MAX_OUTPUT_BYTES,
        input::{Command, Input, Timer},
    },
};
use serde_json::{Value, json};

use crate::stage::{Stage, by};

fn begin(stage: &mut Stage, input: Value) {
    let start = stage.start_input(input);
    stage.take(start).expect("starts");
}

fn succeeded(stage: &Stage) -> usize {
    let tasks = stage.run().tasks.values();
    tasks
        .filter(|task| matches!(task.state, TaskState::Succeeded { .. }))
        .count()
}

/// How many of the timers that are set let something go on.
fn timers_to_go_on(stage: &Stage) -> usize {
    let go_on = |timer: &&Timer| matches!(timer, Timer::GoOn(_));
    stage.timers.values().filter(go_on).count()
}

/// A graph of this many transforms, side by side.
fn transforms(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, at| {
        let _ = writeln!(text, "t{at} = {{{{ input.x }}}}");
        text
    })
}

#[test]
fn one_decision_evaluates_so_many_expressions_and_no_more() {
    let mut stage = Stage::new(&transforms(10_000), "");
    begin(&mut stage, json!({ "x": "x" }));
    assert_eq!(succeeded(&stage), 256);
    assert_eq!(timers_to_go_on(&stage), 1);
    let mut decisions = 1;
    while let Some((_, timer)) = stage.timers.pop_first() {
        let before = succeeded(&stage);
        stage.take(Input::Timer(timer)).expect("goes on");
        assert!(succeeded(&stage) - before <= 256);
        assert!(
            timers_to_go_on(&stage) <= 1,
            "one timer for all that is left"
        );
        decisions += 1;
    }
    assert_eq!(decisions, 10_000_usize.div_ceil(256));
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn a_chain_goes_on_in_parts_too() {
    let mut text = String::from("t0 = {{ input.x }}\n");
    for at in 1..1_000 {
        let before = at - 1;
        let _ = writeln!(
            text,
            "t{at} = {{{{ nodes.t{before}.output }}}}\nt{before} > t{at}"
        );
    }
    let mut stage = Stage::new(&text, "");
    begin(&mut stage, json!({ "x": "x" }));
    assert_eq!(succeeded(&stage), 256);
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn what_is_large_counts_as_several() {
    let mut stage = Stage::new(&transforms(20), "");
    begin(&mut stage, json!({ "x": "x".repeat(1_000_000) }));
    assert_eq!(succeeded(&stage), 4, "a commit is not larger than some MiB");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
}

#[test]
fn what_is_much_work_counts_as_several() {
    let work = "{% for i in range(9999) %}{% for j in range(9) %}{% endfor %}{% endfor %}x";
    let mut text = String::new();
    for at in 0..30 {
        let _ = writeln!(text, "t{at} = {work}");
    }
    let mut stage = Stage::new(&text, "");
    begin(&mut stage, json!({}));
    let at_once = succeeded(&stage);
    assert!((2..20).contains(&at_once), "{at_once} of 30 at once");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded", "{}", stage.tree());
    stage.assert_sound();
}

#[test]
fn what_reads_much_counts_as_several() {
    let text = transforms(30).replace("input.x", "input.x|length");
    let mut stage = Stage::new(&text, "");
    let zeros = vec![0; 300_000];
    begin(&mut stage, json!({ "x": zeros }));
    assert_eq!(succeeded(&stage), 4);
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded", "{}", stage.tree());
}

#[test]
fn what_was_left_goes_on_after_a_kill() {
    let mut stage = Stage::new(&transforms(600), "");
    begin(&mut stage, json!({ "x": "x" }));
    stage.restart();
    assert_eq!(succeeded(&stage), 512);
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn what_was_left_waits_for_the_end_of_a_pause() {
    let mut stage = Stage::new(&transforms(600), "");
    begin(&mut stage, json!({ "x": "x" }));
    let run = stage.run;
    stage.take(by("ann", Command::PauseRun(run))).expect("held");
    for timer in std::mem::take(&mut stage.timers).into_values() {
        stage.take(Input::Timer(timer)).expect("comes");
    }
    assert_eq!(succeeded(&stage), 256, "nothing begins in a pause");
    stage
        .take(by("ann", Command::ResumeRun(run)))
        .expect("goes on");
    assert_eq!(succeeded(&stage), 512);
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn waits_that_fell_due_in_a_pause_share_one_decision() {
    let mut text = String::new();
    for at in 0..400 {
        let _ = writeln!(
            text,
            "w{at} wait 10\nt{at} = {{{{ input.x }}}}\nw{at} > t{at}"
        );
    }
    let mut stage = Stage::new(&text, "");
    begin(&mut stage, json!({ "x": "x" }));
    let run = stage.run;
    stage.take(by("ann", Command::PauseRun(run))).expect("held");
    stage.now = stage.now.plus_ms(1_000);
    stage
        .take(by("ann", Command::ResumeRun(run)))
        .expect("goes on");
    assert_eq!(succeeded(&stage), 400 + 256);
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
}

#[test]
fn requests_begin_in_parts() {
    let mut text = String::new();
    for at in 0..600 {
        let _ = writeln!(text, "h{at} get http://x/");
    }
    let mut stage = Stage::new(&text, "");
    begin(&mut stage, json!({}));
    assert_eq!(stage.requests.len(), 256);
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn a_run_keeps_so_much_and_no_more() {
    // Each brings nearly 1 MiB, which is what one expression may.
    let mut stage = Stage::new(&transforms(100), "");
    begin(&mut stage, json!({ "x": "x".repeat(1_000_000) }));
    stage.play();
    let fits = MAX_OUTPUT_BYTES / 1_000_032;
    let done = stage.log.iter().filter(|event| {
        let completed = |event: &TaskEvent| matches!(event, TaskEvent::Completed { .. });
        matches!(&event.fact, Fact::Task { event, .. } if completed(event))
    });
    assert_eq!(done.count(), fits);
    let RunOver { code, message } = run_over(&stage);
    assert_eq!(code, "run_too_large");
    assert_eq!(
        message,
        "With the result of this step, all results of this run would take more than 64 MiB. \
         Let steps bring less, or split the work into several runs."
    );
    stage.assert_sound();
}

#[test]
fn small_values_count_for_what_they_take_in_memory() {
    let zeros = "t =json {{ (range(90000)|list)|tojson }}\n";
    let mut text = String::new();
    for at in 0..30 {
        text.push_str(&zeros.replacen('t', &format!("t{at}"), 1));
    }
    let mut stage = Stage::new(&text, "");
    begin(&mut stage, json!({}));
    stage.play();
    assert_eq!(run_over(&stage).code, "run_too_large", "{}", stage.tree());
}

#[test]
fn what_was_kept_is_counted_again_after_a_kill() {
    let mut stage = Stage::new(&transforms(100), "");
    begin(&mut stage, json!({ "x": "x".repeat(1_000_000) }));
    for _ in 0..3 {
        let (_, timer) = stage.timers.pop_first().expect("it goes on");
        stage.take(Input::Timer(timer)).expect("goes on");
    }
    stage.restart();
    stage.play();
    assert_eq!(run_over(&stage).code, "run_too_large");
    stage.assert_sound();
}

/// How the run failed.
struct RunOver {
    code: String,
    message: String,
}

fn run_over(stage: &Stage) -> RunOver {
    match &stage.run().state {
        domain::run::RunState::Failed { error } => RunOver {
            code: error.error.code.clone(),
            message: error.error.message.clone(),
        },
        other => panic!("the run is {}", other.name()),
    }
}
