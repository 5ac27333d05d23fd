mod samples;

use futures::TryStreamExt;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::llm::ToolSpec;

fn request(model: &str, prompt: &str) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: vec![ChatMessage::User(prompt.to_owned())],
        idempotency_key: "run:task:1".to_owned(),
        ..ChatRequest::default()
    }
}

fn with_instructions(instructions: &str, prompt: &str) -> ChatRequest {
    let mut request = request("default", prompt);
    request
        .messages
        .insert(0, ChatMessage::System(instructions.to_owned()));
    request
}

async fn call(provider: &Rehearsal, request: ChatRequest) -> Result<Answer, LlmError> {
    let chunks: Vec<Chunk> = provider
        .stream(request, CancellationToken::new())
        .try_collect()
        .await?;
    let mut streamed = String::new();
    let mut answers = Vec::new();
    for chunk in chunks {
        match chunk {
            Chunk::Text(text) => streamed.push_str(&text),
            Chunk::Calling => {}
            Chunk::Reasoning(_) => panic!("a rehearsal does not think aloud"),
            Chunk::Began(_) => panic!("nobody charges for a rehearsal"),
            Chunk::Raw(_) => panic!("a rehearsal sends nothing"),
            Chunk::Finished(answer) => answers.push(*answer),
        }
    }
    assert_eq!(answers.len(), 1, "exactly one answer, at the end");
    let answer = answers.remove(0);
    assert_eq!(streamed, answer.text, "what streamed is what was answered");
    Ok(answer)
}

async fn text(prompt: &str) -> String {
    call(&Rehearsal::new(0), request("default", prompt))
        .await
        .expect("an answer")
        .text
}

#[tokio::test]
async fn the_same_messages_get_the_same_answer() {
    assert_eq!(text("Plan: a haiku").await, text("Plan: a haiku").await);
    assert_ne!(text("Plan: a haiku").await, text("Plan: a sonnet").await);
}

#[tokio::test(start_paused = true)]
async fn words_come_at_the_speed_that_is_set() {
    let began = Instant::now();
    let answer = call(&Rehearsal::new(60), request("default", "Plan: a haiku"))
        .await
        .expect("an answer");
    let seconds = began.elapsed().as_secs_f64();
    let tokens = answer.usage.completion_tokens.expect("counted") as f64;
    assert!(
        (tokens / seconds - 60.0).abs() < 2.0,
        "{tokens} tokens in {seconds} s"
    );
}

#[tokio::test(start_paused = true)]
async fn at_speed_nought_everything_is_there_at_once() {
    let began = Instant::now();
    text("Plan: a haiku").await;
    assert!(began.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn slow_is_slow_at_any_speed() {
    let began = Instant::now();
    call(&Rehearsal::new(0), request("slow", "Plan: a haiku"))
        .await
        .expect("an answer");
    assert!(began.elapsed() > Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_ends_at_once() {
    let cancel = CancellationToken::new();
    let mut chunks = Rehearsal::new(10).stream(request("default", "Plan: a haiku"), cancel.clone());
    assert!(matches!(chunks.next().await, Some(Ok(Chunk::Text(_)))));
    cancel.cancel();
    assert_eq!(chunks.next().await, Some(Err(LlmError::Cancelled)));
    assert_eq!(chunks.next().await, None);
}

#[tokio::test]
async fn it_costs_nothing_and_says_so() {
    let answer = call(&Rehearsal::new(0), request("default", "Plan: a haiku"))
        .await
        .expect("an answer");
    assert_eq!(
        (answer.cost, answer.cost_is),
        (Some(MicroUsd(0)), CostIs::Charged)
    );
    assert_eq!(answer.usage.prompt_tokens, Some(4));
    assert!(Rehearsal::new(0).about().simulated);
}

#[tokio::test]
async fn echo_repeats_the_last_user_message() {
    let mut request = request("echo", "first");
    request.messages.push(ChatMessage::Assistant {
        text: "between".to_owned(),
        tool_calls: Vec::new(),
        reasoning_details: Vec::new(),
    });
    request
        .messages
        .push(ChatMessage::User("the last one 🎭".to_owned()));
    let answer = call(&Rehearsal::new(0), request).await.expect("an answer");
    assert_eq!(answer.text, "the last one 🎭");
}

#[tokio::test]
async fn fail_fails_for_good() {
    let error = call(&Rehearsal::new(0), request("fail", "x"))
        .await
        .expect_err("it fails");
    assert!(!error.retryable(), "{error}");
}

#[tokio::test]
async fn flaky_fails_once_for_each_key() {
    let provider = Rehearsal::new(0);
    let error = call(&provider, request("flaky", "x"))
        .await
        .expect_err("the first time");
    assert!(error.retryable(), "{error}");
    call(&provider, request("flaky", "x"))
        .await
        .expect("the second time");
    let mut other = request("flaky", "x");
    other.idempotency_key = "run:task:2".to_owned();
    call(&provider, other)
        .await
        .expect_err("another call fails once, too");
}

#[tokio::test]
async fn an_unknown_model_is_told_which_there_are() {
    let error = call(&Rehearsal::new(0), request("gpt", "x"))
        .await
        .expect_err("no such model");
    assert_eq!(
        error.to_string(),
        "rehearsal has no model gpt for this request: there are default, echo, slow, fail, flaky. Choose another model."
    );
}

#[tokio::test]
async fn an_answer_is_cut_where_the_request_ends_it() {
    let mut request = request("default", "Plan: a haiku");
    request.max_tokens = Some(16);
    let answer = call(&Rehearsal::new(0), request).await.expect("an answer");
    assert_eq!(answer.text.chars().count(), 64);
    assert_eq!(answer.finish, FinishReason::Length);
    assert_eq!(answer.usage.completion_tokens, Some(16));
}

/// The sample workflow by hand: what one step says is what the next step reads.
#[tokio::test]
async fn a_workflow_hangs_together() {
    let plan = text("Plan: a leaflet about bees").await;
    assert!(plan.starts_with("# Plan: a leaflet about bees\n"), "{plan}");

    let findings = text(&format!(
        "Research what the first steps need.\n\nPlan:\n{plan}"
    ))
    .await;
    assert!(
        findings.starts_with("# Findings: a leaflet about bees\n"),
        "{findings}"
    );

    let draft = text(&format!("Write the text.\n\n{findings}")).await;
    assert!(
        draft.starts_with("# Draft: a leaflet about bees\n"),
        "{draft}"
    );

    let ask = "Review the draft. End with VERDICT: APPROVED or VERDICT: REVISE.";
    let review = text(&format!("{ask}\n\n{draft}")).await;
    assert!(
        review.starts_with("# Review: a leaflet about bees\n"),
        "{review}"
    );
    assert!(
        review.ends_with("\nVERDICT: REVISE") && !review.contains("APPROVED"),
        "{review}"
    );

    let fixed = text(&format!(
        "Fix what the review names.\n\nDraft:\n{draft}\n\nReview:\n{review}"
    ))
    .await;
    assert!(
        fixed.starts_with("# Revised: a leaflet about bees\n"),
        "{fixed}"
    );
    assert!(
        !fixed.contains("REVISE") && !fixed.contains("VERDICT"),
        "{fixed}"
    );

    let second = text(&format!("{ask}\n\n{fixed}")).await;
    assert!(
        second.ends_with("\nVERDICT: APPROVED") && !second.contains("REVISE"),
        "{second}"
    );
}

#[tokio::test]
async fn later_steps_quote_earlier_ones() {
    let material = "# Draft: tea\n\nGreen tea wants water of seventy degrees. Black tea forgives more. A warm pot keeps the aroma in.";
    for order in [
        "Review it",
        "Summarise it",
        "Decide",
        "Revise it",
        "Give your opinion",
    ] {
        let answer = text(&format!("{order}: {material}")).await;
        assert!(
            answer.contains("Green tea wants water of seventy degrees"),
            "{order}\n{answer}"
        );
    }
}

#[tokio::test]
async fn texts_have_a_good_length() {
    let long = "A sentence with quite a number of words in it that goes on and on without an end in sight. ".repeat(8);
    for (order, bare) in [
        ("Plan", 0),
        ("Research", 0),
        ("Write an article", 0),
        ("Review the text", 0),
        ("Revise", 0),
        ("Summarise", 0),
        ("Implement", 0),
        ("Decide", 0),
        ("Translate into German", 0),
        ("List ideas", 0),
        ("As a lawyer, give your opinion", 0),
        ("Hello", 0),
    ] {
        for topic in [
            "tea",
            "a very long topic about the many ways in which one may prepare a cup of tea",
        ] {
            for material in [
                "",
                "\n\n# Draft: tea\n\nShort text here.",
                &format!("\n\n# Draft: x\n\n{long}"),
            ] {
                let answer = text(&format!("{order}: {topic}{material}")).await;
                let words = answer.split_whitespace().count();
                assert!(
                    (80..=220).contains(&words),
                    "{words} words, {bare}:\n{answer}"
                );
                assert!(answer.starts_with("# "), "{answer}");
            }
        }
    }
}

#[tokio::test]
async fn one_word_is_one_word() {
    assert_eq!(
        text("Is the sky blue? Answer with only one word: YES or NO").await,
        "YES"
    );
}

#[tokio::test]
async fn code_comes_in_the_language_that_is_spoken_of() {
    assert!(
        text("Implement a word counter in Rust")
            .await
            .contains("```rust\n")
    );
    assert!(
        text("Write a TypeScript function for a word counter")
            .await
            .contains("```typescript\n")
    );
    assert!(
        text("Write code for a word counter")
            .await
            .contains("```python\n")
    );
    let fixed =
        text("Fix the code.\n\n# Code: counter\n\nOne two three.\n\n```rust\nfn a() {}\n```\n")
            .await;
    assert!(
        fixed.starts_with("# Revised: counter") && fixed.contains("```rust\n"),
        "{fixed}"
    );
}

#[tokio::test]
async fn the_role_in_the_instructions_counts() {
    let request = with_instructions(
        "You are a careful reviewer.",
        "Look at this:\n\n# Draft: tea\n\nTea is a drink.",
    );
    let answer = call(&Rehearsal::new(0), request).await.expect("an answer");
    assert!(answer.text.starts_with("# Review: tea"), "{}", answer.text);
    let request = with_instructions(
        "You are a security expert for banks.",
        "Give your view on passkeys.",
    );
    let answer = call(&Rehearsal::new(0), request).await.expect("an answer");
    assert!(
        answer.text.starts_with("# View of the security expert: "),
        "{}",
        answer.text
    );
}

fn note_tool() -> ToolSpec {
    ToolSpec {
        name: "note".to_owned(),
        description: String::new(),
        parameters: json!({"type": "object", "properties": {"line": {"type": "string"}}, "required": ["line"]}),
    }
}

#[tokio::test]
async fn notes_are_taken_once_and_then_it_answers() {
    let provider = Rehearsal::new(0);
    let mut request = with_instructions("Keep notes on your scratchpad.", "Plan: a haiku");
    request.tools = vec![note_tool()];
    let first = call(&provider, request.clone()).await.expect("an answer");
    assert_eq!(first.finish, FinishReason::ToolCalls);
    let asked = &first.tool_calls[0];
    assert_eq!(asked.name, "note");
    let arguments: Value = serde_json::from_str(&asked.arguments).expect("JSON");
    assert!(
        arguments["line"]
            .as_str()
            .is_some_and(|line| line.starts_with("a haiku: ")),
        "{arguments}"
    );

    request.messages.push(ChatMessage::Assistant {
        text: first.text.clone(),
        tool_calls: first.tool_calls.clone(),
        reasoning_details: Vec::new(),
    });
    request.messages.push(ChatMessage::ToolResult {
        call_id: asked.call_id.clone(),
        name: "note".to_owned(),
        content: "kept".to_owned(),
    });
    let second = call(&provider, request).await.expect("an answer");
    assert_eq!(
        (second.finish, second.tool_calls.len()),
        (FinishReason::Stop, 0)
    );
    assert!(second.text.starts_with("# Plan: a haiku"));
}

#[tokio::test]
async fn tools_that_nobody_speaks_of_are_left_alone() {
    let mut request = request("default", "Plan: a haiku");
    request.tools = vec![note_tool()];
    let answer = call(&Rehearsal::new(0), request).await.expect("an answer");
    assert!(answer.tool_calls.is_empty());
}

#[tokio::test]
async fn with_a_schema_the_answer_is_json() {
    let mut request = request(
        "default",
        "Review the draft.\n\n# Draft: tea\n\nTea is a drink.",
    );
    request.response_schema = Some(
        json!({"type": "object", "required": ["verdict", "ok"], "properties": {
        "verdict": {"enum": ["APPROVED", "REVISE"]}, "ok": {"type": "boolean"}}}),
    );
    let answer = call(&Rehearsal::new(0), request).await.expect("an answer");
    let value: Value = serde_json::from_str(&answer.text).expect("JSON");
    assert_eq!(value, json!({"verdict": "REVISE", "ok": false}));
}

#[test]
fn words_keep_the_blanks_behind_them() {
    assert_eq!(words("  a b\n\nc"), ["  ", "a ", "b\n\n", "c"]);
    assert_eq!(words("").len(), 0);
}
