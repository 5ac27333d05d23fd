use domain::{
    id::TaskName,
    run::{
        OnChange, Replay, ToolCall,
        input::AttemptSpec,
        recording::{FORMAT, Recording},
    },
};
use uuid::Uuid;

use super::*;
use crate::{
    agent::tests::stage::{Notebook, Stage, spec},
    llm::scripted::{Script, calls, says},
};

fn recorded() -> RunId {
    RunId(Uuid::from_u128(99))
}

/// What a log of this attempt would be recorded as.
fn recording(stage: &Stage) -> Recording {
    let mut calls = Vec::new();
    let mut asked = None;
    for outcome in stage.notebook.outcomes.lock().expect("not poisoned").iter() {
        match outcome {
            Outcome::TurnStarted { prompt, .. } => asked = Some(prompt.clone()),
            Outcome::TurnCompleted { key, turn, record } => calls.push(RecordedCall {
                within: Vec::new(),
                task: key.task.clone(),
                turn: *turn,
                prompt: asked.take(),
                model: format!("{}:{}", record.provider, record.model),
                simulated: record.simulated,
                answer: RecordedAnswer {
                    text: record.text.clone(),
                    tool_calls: record.tool_calls.clone(),
                    reasoning_details: Vec::new(),
                    finish_reason: record.finish_reason,
                    prompt_tokens: record.prompt_tokens,
                    completion_tokens: record.completion_tokens,
                },
            }),
            _ => {}
        }
    }
    Recording {
        troupe_recording: FORMAT,
        workflow: "x".into(),
        run: recorded(),
        calls,
    }
}

fn with_note() -> AttemptSpec {
    AttemptSpec {
        tools: vec!["note".into()],
        ..spec()
    }
}

fn played(on_change: OnChange) -> AttemptSpec {
    AttemptSpec {
        replay: Some(Replay {
            run: recorded(),
            within: Vec::new(),
            on_change,
        }),
        ..with_note()
    }
}

/// Two turns with a tool between them, recorded.
async fn two_turns() -> Recording {
    let call = [("c1", "note", r#"{"line":"one"}"#)];
    let stage = Stage::new([Script::Says(calls(&call)), Script::Says(says("A plan"))]);
    let lines = stage.run(with_note()).await;
    assert!(lines.ends_with("succeeded: \"A plan\""), "{lines}");
    recording(&stage)
}

/// Plays it; every call for which there is no script panics.
async fn play(recording: Recording, spec: AttemptSpec, scripts: Vec<Script>) -> (String, Stage) {
    let stage = Stage::new(scripts).playing(recording);
    let lines = stage.run(spec).await;
    (lines, stage)
}

#[tokio::test]
async fn the_same_prompts_get_the_recorded_answers_and_nobody_is_called() {
    let recording = two_turns().await;
    assert_eq!(recording.calls.len(), 2);
    for on_change in [
        OnChange::Ask,
        OnChange::Replay,
        OnChange::Live,
        OnChange::Fail,
    ] {
        // Nothing is named that leads anywhere, as where there is no key.
        let keyless = AttemptSpec {
            model: Some("nobody:model".into()),
            ..played(on_change)
        };
        let (lines, stage) = play(recording.clone(), keyless, Vec::new()).await;
        expect_test::expect![[r#"
            turn 1 played back: "", ToolCalls, 1 calls
            tool called in 1: note {"line":"one"}
            tool returned in 1: c1 "Kept. Your notes:\n- one\n"
            turn 2 played back: "A plan", Stop, 0 calls
            succeeded: "A plan""#]]
        .assert_eq(&lines);
        assert!(stage.llm.asked().is_empty());
        let outcomes = stage.notebook.outcomes.lock().expect("not poisoned");
        for outcome in outcomes.iter() {
            if let Outcome::PlayedBack { record, .. } = outcome {
                assert!(record.replayed);
                assert_eq!(record.cost_usd, Some(MicroUsd(0)));
                assert_eq!(record.model, "scripted");
            }
        }
    }
}

#[tokio::test]
async fn a_changed_prompt_does_what_was_chosen() {
    let recording = two_turns().await;
    let other = |on_change| AttemptSpec {
        prompt: "Plan it twice.".into(),
        ..played(on_change)
    };
    let (lines, _) = play(recording.clone(), other(OnChange::Fail), Vec::new()).await;
    expect_test::expect!["failed, lasts: prompt_changed: The prompt of `plan` is another one than was recorded. The run plays answers back, so no model was called. Let changed prompts call the model (`live`) or take the recorded answer (`replay`), or record the workflow again."].assert_eq(&lines);
    let (lines, _) = play(recording.clone(), other(OnChange::Ask), Vec::new()).await;
    expect_test::expect!["asks: The prompt of `plan` is another one than was recorded."]
        .assert_eq(&lines);
    let (lines, _) = play(recording.clone(), other(OnChange::Replay), Vec::new()).await;
    assert!(lines.ends_with("succeeded: \"A plan\""), "{lines}");
    let live = vec![Script::Says(says("A new plan"))];
    let (lines, stage) = play(recording, other(OnChange::Live), live).await;
    expect_test::expect![[r#"
        turn 1 started: scripted:default
        turn 1 completed: "A new plan", Stop, 0 calls
        succeeded: "A new plan""#]]
    .assert_eq(&lines);
    assert_eq!(stage.llm.asked().len(), 1);
}

#[tokio::test]
async fn behind_a_live_call_all_calls_are_live() {
    // The second prompt changes, as the recorded tool call was another one.
    let mut recording = two_turns().await;
    recording.calls[0].answer.tool_calls = vec![ToolCall {
        call_id: "c1".into(),
        name: "note".into(),
        arguments: r#"{"line":"other"}"#.into(),
    }];
    let call = [("c2", "note", r#"{"line":"one"}"#)];
    let live = vec![Script::Says(calls(&call)), Script::Says(says("Anew"))];
    let (lines, stage) = play(recording.clone(), played(OnChange::Live), live).await;
    assert!(lines.starts_with("turn 1 played back"), "{lines}");
    assert!(lines.ends_with("succeeded: \"Anew\""), "{lines}");
    assert_eq!(stage.llm.asked().len(), 2);
    let (lines, _) = play(recording, played(OnChange::Fail), Vec::new()).await;
    assert!(
        lines.contains("The prompt of `plan` (turn 2) is another one"),
        "{lines}"
    );
}

#[tokio::test]
async fn what_is_not_recorded_cannot_be_played() {
    let mut recording = two_turns().await;
    recording.calls.truncate(1);
    for (on_change, said) in [
        (
            OnChange::Fail,
            "No answer is recorded for the prompt of `plan` (turn 2).",
        ),
        (OnChange::Replay, "There is nothing to play back here"),
    ] {
        let (lines, _) = play(recording.clone(), played(on_change), Vec::new()).await;
        assert!(
            lines.contains("prompt_changed") && lines.contains(said),
            "{lines}"
        );
    }
    recording.calls[0].prompt = None;
    let (lines, _) = play(recording.clone(), played(OnChange::Fail), Vec::new()).await;
    assert!(
        lines.contains("does not say what the prompt of `plan` was"),
        "{lines}"
    );
    recording.calls[0].task = TaskName::parse("other").expect("a name");
    let (lines, _) = play(recording, played(OnChange::Ask), Vec::new()).await;
    assert_eq!(
        lines,
        "asks: No answer is recorded for the prompt of `plan`."
    );
}

#[tokio::test]
async fn a_replay_that_was_cut_goes_on_behind_what_it_played() {
    let recording = two_turns().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let notebook = Notebook {
        stop_at: Some((1, stop)),
        over_at: Some(1),
        ..Notebook::default()
    };
    let cut = Stage::with([], notebook).playing(recording.clone());
    let lines = cut.run(played(OnChange::Fail)).await;
    assert!(
        lines.starts_with("turn 1 played back") && !lines.contains("turn 2"),
        "{lines}"
    );
    let again = AttemptSpec {
        turns: cut.turns(),
        ..played(OnChange::Fail)
    };
    let (lines, stage) = play(recording, again, Vec::new()).await;
    assert!(!lines.contains("turn 1 played back"), "{lines}");
    assert!(lines.ends_with("succeeded: \"A plan\""), "{lines}");
    assert!(stage.llm.asked().is_empty());
}

#[tokio::test]
async fn a_recording_that_is_gone_fails_the_task() {
    let stage = Stage::new([]);
    let lines = stage.run(played(OnChange::Live)).await;
    assert_eq!(lines, "failed, lasts: recording_gone: It is gone.");
}
