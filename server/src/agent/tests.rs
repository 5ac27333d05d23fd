pub(super) mod stage;

use domain::{
    run::{TaskError, Turn, TurnFailure, input::AttemptSpec},
    time::Timestamp,
};
use expect_test::{Expect, expect};
use serde_json::json;

pub use self::stage::Notebook;
use self::stage::{Stage, spec};
use super::*;
use crate::llm::{
    Answer, ChatMessage, FinishReason, LlmError,
    scripted::{Script, calls, says},
};

#[track_caller]
fn check(found: String, expected: Expect) {
    expected.assert_eq(&found);
}

fn with_notes() -> AttemptSpec {
    AttemptSpec {
        tools: vec!["note".into()],
        ..spec()
    }
}

fn with_schema() -> AttemptSpec {
    let schema =
        json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
    AttemptSpec {
        output_schema: Some(schema),
        ..spec()
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_the_output() {
    let stage = Stage::new([Script::Says(says("One two three."))]);
    check(
        stage.run(spec()).await,
        expect![[r#"
        turn 1 started: scripted:default
        turn 1 completed: "One two three.", Stop, 0 calls
        succeeded: "One two three.""#]],
    );
    let asked = &stage.llm.asked()[0];
    assert_eq!(
        asked.messages,
        [
            ChatMessage::System("Be brief.".into()),
            ChatMessage::User("Plan it.".into())
        ]
    );
    assert_eq!(
        asked.idempotency_key,
        "00000000-0000-0000-0000-000000000000:plan:1"
    );
    assert_eq!((asked.max_tokens, asked.tools.len()), (Some(100), 0));
}

#[tokio::test(start_paused = true)]
async fn text_is_shown_with_its_place_and_nothing_is_left_out() {
    let stage = Stage::new([]);
    let mut spec = spec();
    spec.model = Some("rehearsal:default".into());
    let lines = stage.run(spec).await;
    let shown = stage.notebook.shown.lock().expect("not poisoned").clone();
    let mut text = String::new();
    for delta in &shown {
        assert_eq!(usize::try_from(delta.offset), Ok(text.len()));
        text.push_str(&delta.text);
    }
    assert!(
        lines.ends_with(&format!("succeeded: {}", json!(text))),
        "{lines}"
    );
    let words = text.split_whitespace().count();
    assert!(
        (10..words).contains(&shown.len()),
        "{} pieces for {words} words",
        shown.len()
    );
    assert!(
        lines.starts_with("turn 1 started: rehearsal:default (simulated)"),
        "{lines}"
    );
}

#[tokio::test(start_paused = true)]
async fn tools_run_and_their_answers_go_back() {
    let stage = Stage::new([
        Script::Says(Answer {
            reasoning_details: vec![json!({"type": "x"})],
            ..calls(&[
                ("a", "note", r#"{"line":"tea"}"#),
                ("b", "note", "{"),
                ("c", "web", ""),
            ])
        }),
        Script::Says(says("Done.")),
    ]);
    check(
        stage.run(with_notes()).await,
        expect![[r#"
        turn 1 started: scripted:default
        turn 1 completed: "", ToolCalls, 3 calls
        tool called in 1: note {"line":"tea"}
        tool returned in 1: a "Kept. Your notes:\n- tea\n"
        tool called in 1: note {
        tool failed in 1: b "These arguments cannot be used: not a JSON object (EOF while parsing an object at line 1 column 1). Call the tool again with a JSON object that fits its schema."
        tool called in 1: web 
        tool failed in 1: c "There is no tool `web`. Use one of: note."
        turn 2 started: scripted:default
        turn 2 completed: "Done.", Stop, 0 calls
        succeeded: "Done.""#]],
    );
    let asked = &stage.llm.asked()[1];
    assert_eq!(asked.tools.len(), 1);
    let kinds: Vec<&str> = asked
        .messages
        .iter()
        .map(|message| match message {
            ChatMessage::System(_) => "system",
            ChatMessage::User(_) => "user",
            ChatMessage::Assistant {
                reasoning_details, ..
            } => {
                assert_eq!(reasoning_details, &[json!({"type": "x"})]);
                "assistant"
            }
            ChatMessage::ToolResult { call_id, .. } => call_id,
        })
        .collect();
    assert_eq!(kinds, ["system", "user", "assistant", "a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn turns_have_a_limit() {
    let ask = || Script::Says(calls(&[("a", "note", r#"{"line":"tea"}"#)]));
    let stage = Stage::new([ask(), ask(), ask()]);
    let lines = stage.run(with_notes()).await;
    assert!(
        lines.ends_with("failed, lasts: too_many_turns: The agent was not done after 3 turns. Allow more turns, or ask for less."),
        "{lines}"
    );
    assert_eq!(stage.llm.asked().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_wrong_form_is_asked_for_again() {
    let stage = Stage::new([
        Script::Says(says("Sure!")),
        Script::Says(says("```json\n{\"n\": 1}\n```")),
    ]);
    check(
        stage.run(with_schema()).await,
        expect![[r#"
        turn 1 started: scripted:default
        turn 1 completed: "Sure!", Stop, 0 calls
        turn 2 started: scripted:default
        turn 2 completed: "```json\n{\"n\": 1}\n```", Stop, 0 calls
        succeeded: {"n":1}"#]],
    );
    let asked = &stage.llm.asked()[1];
    assert_eq!(
        asked.messages.last(),
        Some(&ChatMessage::User("This answer cannot be used: it is not JSON (expected value at line 1 column 1). Answer again with the corrected JSON alone.".into()))
    );
    assert!(asked.response_schema.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stays_wrong_fails_after_one_correction() {
    let stage = Stage::new((0..3).map(|_| Script::Says(says("{}"))));
    let lines = stage.run(with_schema()).await;
    assert_eq!(stage.llm.asked().len(), 2, "{lines}");
    assert!(
        lines.ends_with("failed, lasts: output_not_valid: The answer does not satisfy the output schema, also where the model was asked to correct it: the whole: \"n\" is a required property. Ask for less in the schema, say in the prompt what is wanted, or use a model that can be held to a schema."),
        "{lines}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_correction_may_use_tools_and_is_the_only_one() {
    let scripts = [
        Script::Says(says("Sure!")),
        Script::Says(calls(&[("a", "note", r#"{"line":"tea"}"#)])),
        Script::Says(says("Sorry!")),
        Script::Says(says("{\"n\":1}")),
    ];
    let stage = Stage::new(scripts);
    let spec = AttemptSpec {
        max_turns: 9,
        tools: vec!["note".into()],
        ..with_schema()
    };
    let lines = stage.run(spec).await;
    assert!(lines.contains("failed, lasts: output_not_valid"), "{lines}");
    assert_eq!(stage.llm.asked().len(), 3, "{lines}");
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_provider_are_those_of_the_task() {
    let broken = LlmError::RateLimited {
        provider: "acme".into(),
        detail: "slow".into(),
        retry_after_ms: Some(7),
        of_model: false,
    };
    let stage = Stage::new([Script::Breaks("half an ".into(), broken)]);
    check(
        stage.run(spec()).await,
        expect![[r#"
            turn 1 started: scripted:default
            turn 1 failed: scripted:default, Busy, rate_limited, sent "nothing"
            failed, may pass: rate_limited: acme asks to slow down: slow. A later try helps; if this goes on, let fewer agents call it at once or use another model."#]],
    );
    let outcomes = stage.notebook.outcomes.lock().expect("not poisoned");
    let Some(Outcome::Failed { error, .. }) = outcomes.last() else {
        panic!("a failure")
    };
    assert_eq!(error.retry_after_ms, Some(7));
}

#[tokio::test(start_paused = true)]
async fn another_model_is_asked_in_the_place_of_one_that_fails() {
    let broken = LlmError::Failed {
        provider: "scripted".into(),
        status: 503,
        detail: "overloaded".into(),
        retry_after_ms: None,
    };
    let stage = Stage::new([
        Script::Breaks("half an ".into(), broken),
        Script::Says(says("done")),
    ]);
    let chain = AttemptSpec {
        model: Some("scripted:one".into()),
        models: vec!["nobody:there".into(), "scripted:two".into()],
        ..spec()
    };
    check(
        stage.run(chain).await,
        expect![[r#"
        turn 1 started: scripted:one
        turn 1 failed: scripted:one, Theirs, provider_failed, sent "nothing"
        turn 1 started: scripted:two
        turn 1 completed: "done", Stop, 0 calls
        succeeded: "done""#]],
    );
    let keys: Vec<String> = stage
        .llm
        .asked()
        .into_iter()
        .map(|asked| asked.idempotency_key)
        .collect();
    assert_ne!(keys[0], keys[1], "another model is another call");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_may_not_be_called_is_passed_over_and_asked_for_again_with_the_next_turn() {
    let stage = Stage::with(
        [
            Script::Says(calls(&[("a", "note", r#"{"line":"tea"}"#)])),
            Script::Says(says("Done.")),
        ],
        Notebook {
            shut: vec!["scripted:one"],
            ..Notebook::default()
        },
    );
    let chain = AttemptSpec {
        model: Some("scripted:one".into()),
        models: vec!["scripted:two".into()],
        ..with_notes()
    };
    let lines = stage.run(chain).await;
    assert!(lines.ends_with("succeeded: \"Done.\""), "{lines}");
    let asked = stage.llm.asked();
    let made: Vec<(&str, bool)> = asked
        .iter()
        .map(|asked| (asked.model.as_str(), asked.idempotency_key.ends_with(":1")))
        .collect();
    assert_eq!(
        made,
        [("two", true), ("two", true)],
        "named as the second of its step"
    );
    assert_eq!(lines.matches("started: scripted:two").count(), 2, "{lines}");
}

#[tokio::test(start_paused = true)]
async fn what_failed_in_a_turn_before_it_was_cut_is_not_asked_again_in_it() {
    let failed = |model: &str| TurnFailure {
        model: model.to_owned(),
        trouble: domain::breaker::Trouble::Theirs,
        error: TaskError::passing("provider_failed", "acme failed."),
        raw: None,
        began: false,
        generation_id: None,
        assumed_usd: None,
        assumed_tokens: None,
    };
    let cut = Turn {
        number: 1,
        model: "scripted:two".into(),
        simulated: false,
        reserved: None,
        started_at: Timestamp(0),
        began: None,
        done: None,
        tools: Vec::new(),
        messages: Vec::new(),
        failures: vec![
            failed("scripted:one"),
            TurnFailure::cut("scripted:two".into(), None),
        ],
        late: Vec::new(),
        unpriced: Vec::new(),
    };
    let stage = Stage::new([Script::Says(says("Done."))]);
    let chain = AttemptSpec {
        model: Some("scripted:one".into()),
        models: vec!["scripted:two".into()],
        turns: vec![cut],
        ..spec()
    };
    let lines = stage.run(chain).await;
    assert!(lines.starts_with("turn 1 started: scripted:two"), "{lines}");
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_none_fail() {
    for (answer, code) in [
        (says(" \n"), "may pass: empty_answer"),
        (
            Answer {
                finish: FinishReason::Length,
                ..says("")
            },
            "lasts: answer_cut",
        ),
        (
            Answer {
                finish: FinishReason::ContentFilter,
                ..says("Hm")
            },
            "lasts: answer_filtered",
        ),
    ] {
        let lines = Stage::new([Script::Says(answer)]).run(spec()).await;
        assert!(lines.contains(&format!("failed, {code}: ")), "{lines}");
    }
    let cut = Answer {
        finish: FinishReason::Length,
        ..says("A long text that is")
    };
    let lines = Stage::new([Script::Says(cut)]).run(spec()).await;
    assert!(
        lines.ends_with("succeeded: \"A long text that is\""),
        "{lines}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_begin_fails_before_any_call() {
    let wrong = |change: fn(&mut AttemptSpec)| {
        let mut spec = spec();
        change(&mut spec);
        async move { Stage::new([]).run(spec).await }
    };
    check(
        wrong(|spec| spec.model = Some("acme:m".into())).await,
        expect![
            "failed, lasts: unknown_provider: There is no provider `acme` here. Known: rehearsal, scripted. Providers are added in Settings."
        ],
    );
    check(
        wrong(|spec| spec.model = Some("m".into())).await,
        expect![
            "failed, lasts: bad_model_name: `m` names no model. Write provider:model, for example scripted:default."
        ],
    );
    check(
        wrong(|spec| spec.tools = vec!["web".into()]).await,
        expect![
            "failed, lasts: unknown_tool: There is no tool `web`. Known: note, send_message. Correct the tools of this step or of its agent."
        ],
    );
    check(
        wrong(|spec| spec.output_schema = Some(json!({"type": 7}))).await,
        expect![[
            r#"failed, lasts: bad_output_schema: The output schema of this step cannot be used: 7 is not valid under any of the schemas listed in the 'anyOf' keyword. Correct it in the workflow."#
        ]],
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_over_makes_no_further_call() {
    for over_at in 0..4 {
        let scripts = [
            Script::Says(calls(&[("a", "note", r#"{"line":"tea"}"#)])),
            Script::Says(says("Done.")),
        ];
        let stage = Stage::with(
            scripts,
            Notebook {
                over_at: Some(over_at),
                ..Notebook::default()
            },
        );
        let lines = stage.run(with_notes()).await;
        let reports = if lines.is_empty() {
            0
        } else {
            lines.lines().count()
        };
        assert_eq!(
            (reports, stage.llm.asked().len()),
            (over_at, over_at.min(1)),
            "{lines}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_call_that_hangs_and_is_not_reported() {
    let stage = Stage::new([Script::Hangs("half an ".into())]);
    let stop = stage.stop.clone();
    let stopper = async {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        stop.cancel();
    };
    let (lines, ()) = tokio::join!(stage.run(spec()), stopper);
    assert_eq!(lines, "turn 1 started: scripted:default");
    assert_eq!(
        stage
            .notebook
            .shown
            .lock()
            .expect("not poisoned")
            .iter()
            .map(|delta| delta.text.as_str())
            .collect::<String>(),
        "half an "
    );
}

/// Cuts an attempt behind each of its reports and takes it up again from what was stored: no finished
/// turn is asked for twice, and the end is the same.
#[tokio::test(start_paused = true)]
async fn an_attempt_goes_on_from_its_last_finished_turn() {
    let script = || {
        [
            Script::Says(calls(&[
                ("a", "note", r#"{"line":"tea"}"#),
                ("b", "note", r#"{"line":"milk"}"#),
            ])),
            Script::Says(says("Done.")),
        ]
    };
    let whole = Stage::new(script()).run(with_notes()).await;
    let reports = whole.lines().count();
    assert_eq!(reports, 9);
    for cut in 1..reports {
        let stop = CancellationToken::new();
        let notebook = Notebook {
            stop_at: Some((cut, stop.clone())),
            over_at: Some(cut),
            ..Notebook::default()
        };
        let first = Stage::with(script(), notebook);
        first.run(with_notes()).await;
        let turns = first.turns();
        let done = turns.iter().filter(|turn| turn.done.is_some()).count();

        let second = Stage::new(script().into_iter().skip(done));
        let lines = second
            .run(AttemptSpec {
                turns,
                ..with_notes()
            })
            .await;
        assert!(
            lines.ends_with("succeeded: \"Done.\""),
            "cut behind {cut}:\n{lines}"
        );
        assert_eq!(
            second.llm.asked().len(),
            2 - done,
            "cut behind {cut}:\n{lines}"
        );
        assert!(
            !lines.contains("turn 1 completed") || done == 0,
            "cut behind {cut}:\n{lines}"
        );
    }
}

#[tokio::test]
async fn a_turn_that_was_cut_is_told_again_what_it_was_handed() {
    let message = |text: &str| Message {
        id: 1,
        from: domain::message::Sender::Person { name: "Eve".into() },
        to_topic: None,
        text: text.into(),
    };
    let stage = Stage::new([Script::Says(says("done"))]);
    let waiting = vec![message("second")];
    *stage.notebook.mailbox.lock().expect("not poisoned") = waiting;
    let cut = domain::run::Turn {
        number: 1,
        model: "scripted:one".into(),
        simulated: false,
        reserved: None,
        started_at: domain::time::Timestamp(0),
        began: None,
        done: None,
        tools: Vec::new(),
        messages: vec![message("first")],
        failures: Vec::new(),
        late: Vec::new(),
        unpriced: Vec::new(),
    };
    let resumed = AttemptSpec {
        turns: vec![cut],
        ..spec()
    };
    stage.run(resumed).await;
    let told = &stage.llm.asked()[0].messages;
    let letters = "Message from the person Eve:\nfirst\n\nMessage from the person Eve:\nsecond";
    assert_eq!(told.last(), Some(&ChatMessage::User(letters.into())));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_broke_off_behind_its_first_words_may_be_charged() {
    for (said, may_cost) in [("So far", true), ("", false)] {
        let broken = LlmError::CutOff {
            provider: "acme".into(),
            detail: "gone".into(),
            generation_id: None,
        };
        let stage = Stage::new([Script::Breaks(said.into(), broken)]);
        stage.run(spec()).await;
        let outcomes = stage.notebook.outcomes.lock().expect("not poisoned");
        let failed = outcomes.iter().find_map(|outcome| {
            let Outcome::TurnFailed { failure, .. } = outcome else {
                return None;
            };
            Some(failure.may_cost())
        });
        assert_eq!(failed, Some(may_cost), "after {said:?}");
    }
}
