//! Stories of runs that are played back: answers that cost nothing, prompts that changed, and what the
//! log of a run is as a recording.

use domain::{
    event::SystemEvent,
    id::{RunId, TaskName},
    money::MicroUsd,
    run::{
        OnChange, Replay, RunState, TaskState, TurnRecord, Waiting,
        input::{AttemptSpec, Command, Input, Outcome, StartRun},
        recording::{BadRecording, Cue, FORMAT, MAX_BYTES, Playback, Recording, heard},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Stage, answer, by, graph, play, record};

fn recorded() -> RunId {
    RunId(Uuid::from_u128(5))
}

/// A run that plays back, with a limit that nothing fits into.
fn begin(graph: &str, on_change: OnChange) -> Stage {
    begin_on(Stage::new(graph, "workflow other: x"), on_change)
}

fn begin_on(mut stage: Stage, on_change: OnChange) -> Stage {
    let Input::Command {
        by,
        command: Command::StartRun(start),
    } = stage.start_input(json!({}))
    else {
        panic!("a start");
    };
    let start = StartRun {
        budget_usd: Some(MicroUsd(1)),
        budget_tokens: Some(1),
        replay: Some(Replay {
            run: recorded(),
            within: Vec::new(),
            on_change,
        }),
        ..*start
    };
    let command = Command::StartRun(Box::new(start));
    stage.take(Input::Command { by, command }).expect("starts");
    stage
}

/// What the one agent at work is to do.
fn at_work(stage: &mut Stage) -> AttemptSpec {
    while stage.started.is_empty() && !stage.timers.is_empty() {
        stage.play_timers();
    }
    assert_eq!(stage.started.len(), 1, "{}", stage.tree());
    stage.started.remove(0)
}

fn played(text: &str) -> Box<TurnRecord> {
    Box::new(TurnRecord {
        cost_usd: Some(MicroUsd(0)),
        replayed: true,
        ..record(text)
    })
}

fn play_back(stage: &mut Stage, spec: &AttemptSpec, text: &str) {
    let key = spec.key.clone();
    let given = Outcome::PlayedBack {
        key: key.clone(),
        turn: 1,
        prompt: "f1".into(),
        record: played(text),
    };
    stage
        .take(Input::Outcome(given))
        .expect("no budget is asked");
    let output = json!(text);
    let done = Outcome::Succeeded { key, output };
    stage.take(Input::Outcome(done)).expect("it is wanted");
}

fn ask(stage: &mut Stage, spec: &AttemptSpec) {
    let asks = Outcome::PromptChanged {
        key: spec.key.clone(),
        question: "It changed.".into(),
    };
    stage.take(Input::Outcome(asks)).expect("it is wanted");
}

fn say(stage: &mut Stage, port: &str) -> Result<(), String> {
    let command = answer(stage.run, "a", port, Value::Null);
    let said = stage.take(by("ann", command));
    said.map_err(|rejection| rejection.code().to_owned())
}

fn waits(stage: &Stage) -> bool {
    let task = &stage.run().tasks["a"];
    matches!(
        task.state,
        TaskState::Waiting {
            reason: Waiting::Replay,
            ..
        }
    )
}

#[test]
fn what_is_played_back_costs_nothing_and_asks_no_budget() {
    let mut stage = begin("a", OnChange::Fail);
    let spec = at_work(&mut stage);
    assert_eq!(
        spec.replay.as_ref().map(|replay| replay.run),
        Some(recorded())
    );
    play_back(&mut stage, &spec, "said");
    let run = stage.run();
    assert!(
        matches!(run.state, RunState::Succeeded { .. }),
        "{}",
        stage.tree()
    );
    assert_eq!((run.totals.calls, run.totals.replayed), (0, 1));
    assert_eq!((run.cost(), run.tokens().all()), (None, 0));
    assert_eq!(run.tasks["a"].tokens().all(), 0);
    assert_eq!(run.totals.spent(), domain::budget::Amount::default());
    stage.assert_sound();
}

#[test]
fn a_model_that_is_out_of_order_does_not_hold_up_what_calls_nobody() {
    for (on_change, goes_on) in [(OnChange::Ask, true), (OnChange::Live, false)] {
        let mut stage = Stage::new("a; a calls acme:m", "");
        let until = stage.now.plus_ms(60_000);
        stage.troupe.recall(&SystemEvent::ProviderUnhealthy {
            provider: "acme".into(),
            model: "m".into(),
            reason: "it failed".into(),
            until,
        });
        let stage = begin_on(stage, on_change);
        assert_eq!(!stage.started.is_empty(), goes_on, "{}", stage.tree());
        stage.assert_sound();
    }
}

#[test]
fn a_changed_prompt_waits_for_a_person_and_goes_on_as_told() {
    for (port, chosen) in [("replay", OnChange::Replay), ("live", OnChange::Live)] {
        let mut stage = begin("a", OnChange::Ask);
        let spec = at_work(&mut stage);
        ask(&mut stage, &spec);
        assert!(waits(&stage), "{}", stage.tree());
        assert_eq!(
            stage.run().tasks["a"].question.as_deref(),
            Some("It changed.")
        );
        stage.play_timers();
        assert!(stage.started.is_empty(), "nobody works on it meanwhile");
        assert_eq!(say(&mut stage, "approved"), Err("no_such_answer".into()));
        say(&mut stage, port).expect("it asks");
        let again = at_work(&mut stage);
        assert_eq!(again.key, spec.key, "the same attempt goes on");
        assert_eq!(
            again.replay.as_ref().map(|replay| replay.on_change),
            Some(chosen)
        );
        play_back(&mut stage, &again, "said");
        assert!(matches!(stage.run().state, RunState::Succeeded { .. }));
        stage.assert_sound();
    }
}

#[test]
fn a_person_may_let_it_fail_and_is_asked_again_when_it_is_taken_up() {
    let mut stage = begin("a", OnChange::Ask);
    let spec = at_work(&mut stage);
    ask(&mut stage, &spec);
    say(&mut stage, "fail").expect("it asks");
    let RunState::Failed { error } = &stage.run().state else {
        panic!("{}", stage.tree());
    };
    assert_eq!(error.error.code, "prompt_changed");
    assert!(error.error.message.starts_with("It changed. "), "{error:?}");
    assert!(say(&mut stage, "live").is_err(), "it was answered");
    let retry = domain::run::input::RetryRun {
        run: stage.run,
        ended: None,
    };
    let command = Command::RetryRun(Box::new(retry));
    stage.take(by("ann", command)).expect("it can be taken up");
    let again = at_work(&mut stage);
    let how = again.replay.as_ref().map(|replay| replay.on_change);
    assert_eq!(how, Some(OnChange::Ask));
    // What was said to the question before is no answer to this one.
    ask(&mut stage, &again);
    stage.play_timers();
    assert!(waits(&stage) && stage.started.is_empty());
    say(&mut stage, "live").expect("it asks");
    let again = at_work(&mut stage);
    assert_eq!(
        again.replay.map(|replay| replay.on_change),
        Some(OnChange::Live)
    );
}

#[test]
fn what_is_played_back_takes_no_room_from_calls_behind_it() {
    let mut stage = begin("a; b; a > b", OnChange::Live);
    let budget = domain::budget::Budget {
        tokens: Some(20),
        ..domain::budget::Budget::default()
    };
    let run = stage.run;
    let command = Command::SetRunBudget { run, budget };
    stage
        .take(by("ann", command))
        .expect("a limit can be raised");
    let spec = at_work(&mut stage);
    // Fifteen tokens were taken when it was recorded; none are now.
    play_back(&mut stage, &spec, "said");
    let next = at_work(&mut stage);
    let call = Outcome::TurnStarted {
        key: next.key,
        turn: 1,
        model: "rehearsal:default".into(),
        others: Vec::new(),
        simulated: true,
        quote: domain::budget::Quote {
            tokens: 20,
            ..domain::budget::Quote::default()
        },
        prompt: "f2".into(),
    };
    stage.take(Input::Outcome(call)).expect("there is room");
}

#[test]
fn an_answer_in_a_pause_counts_behind_it_and_is_asked_for_once() {
    for kill in [false, true] {
        let mut stage = begin("a", OnChange::Ask);
        let spec = at_work(&mut stage);
        ask(&mut stage, &spec);
        stage
            .take(by("ann", Command::PauseRun(stage.run)))
            .expect("it can be held");
        say(&mut stage, "live").expect("it asks");
        stage.play_timers();
        assert!(stage.started.is_empty() && waits(&stage), "held is held");
        assert!(say(&mut stage, "fail").is_err(), "it was answered");
        if kill {
            stage.restart();
            assert!(stage.started.is_empty() && waits(&stage), "held is held");
        }
        stage
            .take(by("ann", Command::ResumeRun(stage.run)))
            .expect("it is held");
        let again = at_work(&mut stage);
        assert_eq!(
            again.replay.map(|replay| replay.on_change),
            Some(OnChange::Live)
        );
    }
}

#[test]
fn a_kill_in_the_middle_of_a_replay_goes_on_with_the_replay() {
    let mut stage = begin("a; b; a > b", OnChange::Ask);
    let spec = at_work(&mut stage);
    stage.restart();
    let again = at_work(&mut stage);
    assert_eq!(again.replay, spec.replay);
    ask(&mut stage, &again);
    stage.restart();
    assert!(
        waits(&stage) && stage.started.is_empty(),
        "{}",
        stage.tree()
    );
    say(&mut stage, "replay").expect("it still asks");
    let again = at_work(&mut stage);
    play_back(&mut stage, &again, "said");
    stage.restart();
    let next = at_work(&mut stage);
    assert_eq!(next.key.task.as_str(), "b");
    // What was chosen for one step is chosen for no other.
    assert_eq!(next.replay, spec.replay);
    play_back(&mut stage, &next, "done");
    assert_eq!(stage.run().totals.replayed, 2);
    assert!(matches!(stage.run().state, RunState::Succeeded { .. }));
}

#[test]
fn a_run_that_waits_for_a_person_can_be_stopped() {
    let mut stage = begin("a", OnChange::Ask);
    let spec = at_work(&mut stage);
    ask(&mut stage, &spec);
    stage
        .take(by("ann", Command::CancelRun(stage.run)))
        .expect("it can be stopped");
    assert!(matches!(stage.run().state, RunState::Cancelled { .. }));
    stage.assert_sound();
}

#[test]
fn a_child_run_plays_what_was_recorded_below_its_task() {
    let mut stage = begin("c runs other", OnChange::Live);
    stage.play_wanted();
    let spec = at_work(&mut stage);
    let replay = spec.replay.expect("the child plays back too");
    let within: Vec<&str> = replay.within.iter().map(TaskName::as_str).collect();
    assert_eq!(
        (replay.run, within.as_slice()),
        (recorded(), ["c"].as_slice())
    );
    assert_eq!(replay.on_change, OnChange::Live);
}

// -- recordings -----------------------------------------------------------------------------------

fn recording() -> Recording {
    let stage = play("a; b; a > b", "a fails once\nb says two");
    let heard = heard(stage.log.iter(), &[]);
    Recording {
        troupe_recording: FORMAT,
        workflow: heard.workflow,
        run: stage.run,
        calls: heard.calls,
    }
}

#[test]
fn a_log_is_a_recording_of_what_led_to_its_results() {
    let recording = recording();
    let said: Vec<String> = recording
        .calls
        .iter()
        .map(|call| format!("{} {}: {}", call.task, call.turn, call.answer.text))
        .collect();
    assert_eq!(said, ["a 1: a", "b 1: two"]);
    assert_eq!(recording.workflow, "story");
    let text = serde_json::to_string(&recording).expect("it is JSON");
    assert_eq!(Recording::parse(&text), Ok(recording));
}

#[test]
fn a_log_names_child_runs_and_the_run_before() {
    let mut stage = begin("c runs other", OnChange::Fail);
    stage.play_wanted();
    let spec = at_work(&mut stage);
    let run = stage.run;
    let own = stage
        .log
        .iter()
        .filter(|event| event.fact.run() == Some(run));
    let heard = heard(own, &[]);
    assert_eq!(
        heard.children,
        [(TaskName::parse("c").expect("a name"), spec.key.run)]
    );
    assert_eq!(heard.before, None);
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), says: &str) {
    let mut value = serde_json::to_value(recording()).expect("it is JSON");
    change(&mut value);
    let error = Recording::parse(&value.to_string()).expect_err("it is refused");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn hostile_recordings_are_refused_in_words() {
    refused(|it| *it = json!([1]), "no number under `troupe_recording`");
    refused(|it| it["troupe_recording"] = json!(2), "has version 2");
    refused(|it| it["troupe_recording"] = json!("1"), "no number");
    refused(|it| it["calls"][0]["task"] = json!(""), "task name");
    refused(|it| it["calls"][0]["within"] = json!(["\n"]), "task name");
    refused(|it| it["calls"][0]["turn"] = json!(-1), "no recording");
    refused(
        |it| it["calls"][1] = it["calls"][0].clone(),
        "two answers for turn 1 of `a`",
    );
    refused(|it| it["run"] = json!("../.."), "no recording");
    assert!(matches!(
        Recording::parse("{"),
        Err(BadRecording::NotOne(_))
    ));
    let large = " ".repeat(MAX_BYTES + 1);
    assert_eq!(Recording::parse(&large), Err(BadRecording::TooLarge));
    // What a newer program adds is no hindrance.
    let mut more = serde_json::to_value(recording()).expect("it is JSON");
    more["note"] = json!("x");
    more["calls"][0]["seconds"] = json!(3);
    assert_eq!(Recording::parse(&more.to_string()), Ok(recording()));
}

#[test]
fn a_recording_of_another_workflow_is_known_as_such() {
    let recording = recording();
    assert_eq!(recording.strangers(&graph("a; b")), Ok(Vec::new()));
    assert_eq!(recording.strangers(&graph("a")), Ok(vec!["b".to_owned()]));
    let error = recording.strangers(&graph("x")).expect_err("none fits");
    assert!(
        error.to_string().contains("of another workflow, `story`"),
        "{error}"
    );
}

#[test]
fn an_answer_is_found_by_where_it_was_given() {
    let mut recording = recording();
    recording.calls.truncate(1);
    recording.calls[0].within = vec![TaskName::parse("c").expect("a name")];
    recording.calls[0].prompt = Some("f1".into());
    let task = recording.calls[0].task.clone();
    let within = recording.calls[0].within.clone();
    let playback = Playback::new(recording);
    let how = |within: &[TaskName]| Replay {
        run: recorded(),
        within: within.to_vec(),
        on_change: OnChange::Fail,
    };
    let inside = how(&within);
    assert!(matches!(
        playback.cue(&inside, &task, 1, "f1", false),
        Cue::Answer(_)
    ));
    assert!(matches!(
        playback.cue(&inside, &task, 1, "f2", false),
        Cue::Fail(_)
    ));
    assert!(matches!(
        playback.cue(&inside, &task, 2, "f1", false),
        Cue::Fail(_)
    ));
    assert!(matches!(
        playback.cue(&inside, &task, 1, "f1", true),
        Cue::Call
    ));
    assert!(matches!(
        playback.cue(&how(&[]), &task, 1, "f1", false),
        Cue::Fail(_)
    ));
}
