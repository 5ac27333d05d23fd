//! Every shape that servers are known to send, from bytes: whole and cut at every byte, with every line
//! end, with and without comments between the events. However it comes, it has to mean the same.

use std::fmt::Write;

use domain::time::Timestamp;
use expect_test::{Expect, expect};
use futures::StreamExt;

use super::*;
use crate::llm::ApiKey;

const KEY: &str = "sk-test-0123456789";

/// What is read of `body` in the pieces between `cuts`, in a few words.
async fn said(body: &[u8], cuts: &[usize]) -> String {
    let asked = Asked {
        provider: "acme".into(),
        model: "m".into(),
        key: Some(ApiKey::new(KEY)),
    };
    let hints = Hints {
        now: Timestamp(1_790_000_000_000),
        ..Hints::default()
    };
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([body.len()]) {
        pieces.push(Ok(Bytes::copy_from_slice(&body[from..cut])));
        from = cut;
    }
    let deadlines = Deadlines {
        idle: Duration::from_secs(1),
        total: Instant::now() + Duration::from_secs(10),
        total_ms: 10_000,
    };
    let collector = Collector::new(asked, "run:task:1".into(), Terms::default(), None);
    let mut chunks = chunks(stream::iter(pieces), collector, deadlines, hints);
    let (mut shown, mut end) = (String::new(), None);
    while let Some(chunk) = chunks.next().await {
        assert_eq!(end, None, "something behind the end");
        match chunk {
            Ok(Chunk::Text(text)) => shown.push_str(&text),
            Ok(Chunk::Began(_) | Chunk::Reasoning(_) | Chunk::Calling) => {}
            Ok(Chunk::Raw(raw)) => assert!(!raw.contains(KEY), "{raw}"),
            Ok(Chunk::Finished(answer)) => {
                assert_eq!(answer.text, shown, "what was shown is what is kept");
                end = Some(answer_in_words(&answer));
            }
            Err(error) => end = Some(error_in_words(&error)),
        }
    }
    end.expect("an end")
}

fn answer_in_words(answer: &Answer) -> String {
    let mut words = format!("{:?}", answer.finish);
    let mut say = |name: &str, text: &str| {
        if !text.is_empty() {
            write!(words, " {name} {text}").expect("written");
        }
    };
    say("raw", answer.finish_raw.as_deref().unwrap_or_default());
    say("text", &answer.text);
    say("thought", &answer.reasoning);
    for call in &answer.tool_calls {
        let id = if call.call_id.starts_with("call_") && call.call_id.len() == 21 {
            "made-up"
        } else {
            &call.call_id
        };
        say("call", &format!("{id}:{}({})", call.name, call.arguments));
    }
    for detail in &answer.reasoning_details {
        say("detail", &detail.to_string());
    }
    let usage = [
        ("read", answer.usage.prompt_tokens),
        ("wrote", answer.usage.completion_tokens),
        ("cached", answer.usage.cached_tokens),
        ("thinking", answer.usage.reasoning_tokens),
        ("micro-dollars", answer.cost.map(|cost| cost.0)),
    ];
    for (name, count) in usage {
        say(
            name,
            &count.map(|count| count.to_string()).unwrap_or_default(),
        );
    }
    say("as", answer.generation_id.as_deref().unwrap_or_default());
    say("by", &answer.model);
    words
}

fn error_in_words(error: &LlmError) -> String {
    let retry = match (error.retryable(), error.retry_after_ms()) {
        (true, Some(ms)) => format!("retry after {ms} ms"),
        (true, None) => "retry".to_owned(),
        (false, _) => "no retry".to_owned(),
    };
    format!("{} ({retry}, {:?}): {error}", error.code(), error.trouble())
}

/// Lines of a stream, an empty one behind each; `expected` holds for every form that it may come in.
#[track_caller]
fn check(lines: &[&str], expected: Expect) {
    let forms = ["\n", "\r\n", "\r"].into_iter().flat_map(|end| {
        [false, true].map(|comments| {
            let mut body = String::new();
            for line in lines {
                if comments {
                    write!(body, ": OPENROUTER PROCESSING{end}{end}:{end}").expect("written");
                }
                write!(body, "{line}{end}{end}").expect("written");
            }
            body
        })
    });
    let forms: Vec<String> = forms.collect();
    expected.assert_eq(&the_same_in_every_piece(&forms[0]));
    let whole = bare(said(forms[0].as_bytes(), &[]));
    for form in &forms[1..] {
        assert_eq!(the_same_in_every_piece(form), whole, "{form:?}");
    }
}

/// A body that is not a stream of lines.
#[track_caller]
fn check_body(body: &str, expected: Expect) {
    expected.assert_eq(&the_same_in_every_piece(body));
}

#[track_caller]
fn the_same_in_every_piece(body: &str) -> String {
    bare(async {
        let bytes = body.as_bytes();
        let whole = said(bytes, &[]).await;
        for cut in 1..bytes.len() {
            assert_eq!(said(bytes, &[cut]).await, whole, "cut at {cut}: {body:?}");
        }
        let everywhere: Vec<usize> = (1..bytes.len()).collect();
        assert_eq!(
            said(bytes, &everywhere).await,
            whole,
            "byte by byte: {body:?}"
        );
        whole
    })
}

/// Runs what needs no time to pass.
fn bare<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(future)
}

mod answers;
mod errors;
