mod cuts;

use futures::{StreamExt, TryStreamExt};

use super::*;
use crate::llm::{Answer, failure::Asked, wire::collect::Terms};

const IDLE_MS: u64 = 1_000;
const TOTAL_MS: u64 = 10_000;

fn collector() -> Collector {
    let asked = Asked {
        provider: "acme".into(),
        model: "m".into(),
        key: None,
    };
    Collector::new(asked, "key".into(), Terms::default(), None)
}

fn read<B>(body: B) -> ChunkStream
where
    B: Stream<Item = Result<Bytes, String>> + Send + Unpin + 'static,
{
    let idle = Duration::from_millis(IDLE_MS);
    let total = Instant::now() + Duration::from_millis(TOTAL_MS);
    chunks(
        body,
        collector(),
        Deadlines {
            idle,
            total,
            total_ms: TOTAL_MS,
        },
        Hints::default(),
    )
}

fn pieces(
    bytes: &[u8],
    size: usize,
) -> impl Stream<Item = Result<Bytes, String>> + Send + Unpin + 'static {
    let pieces: Vec<_> = bytes
        .chunks(size.max(1))
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    stream::iter(pieces)
}

async fn answer(body: &str) -> Result<Answer, LlmError> {
    let whole = answer_in_pieces(body, body.len()).await;
    assert_eq!(answer_in_pieces(body, 1).await, whole, "byte by byte");
    whole
}

async fn answer_in_pieces(body: &str, size: usize) -> Result<Answer, LlmError> {
    let chunks: Vec<Chunk> = read(pieces(body.as_bytes(), size)).try_collect().await?;
    match chunks.last() {
        Some(Chunk::Finished(answer)) => Ok((**answer).clone()),
        other => panic!("an answer comes last, not {other:?}"),
    }
}

async fn error(body: &str) -> LlmError {
    answer(body).await.expect_err("no answer")
}

const CALLING: &str = r#": OPENROUTER PROCESSING

: OPENROUTER PROCESSING

data: {"id":"gen-1","model":"acme/echo-2","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Need ","reasoning_details":[{"type":"reasoning.text","text":"Need ","index":0}]},"finish_reason":null}]}

data: {"id":"gen-1","choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"lookup","arguments":""}}]},"finish_reason":null}]}

: OPENROUTER PROCESSING

data: {"id":"gen-1","choices":[{"index":0,"delta":{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"{\"q\":\"ü"}}]},"finish_reason":null}]}

data: {"id":"gen-1","choices":[{"index":0,"delta":{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"b\"}"}}]},"finish_reason":null}]}

data: {"id":"gen-1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}]}

"#;

#[tokio::test(start_paused = true)]
async fn a_calling_stream_is_read_whatever_form_the_usage_has() {
    for choices in [
        r#"[{"index":0,"delta":{"content":""},"finish_reason":"tool_calls"}]"#,
        r#"[{"index":0,"delta":{"content":""},"finish_reason":null}]"#,
        "[]",
    ] {
        let usage = format!(
            "data: {{\"choices\":{choices},\"usage\":{{\"prompt_tokens\":40,\"completion_tokens\":22,\"cost\":0.000123}}}}\n\ndata: [DONE]\n\n"
        );
        let answer = answer(&format!("{CALLING}{usage}"))
            .await
            .expect("an answer");
        assert_eq!(answer.tool_calls[0].arguments, r#"{"q":"üb"}"#);
        assert_eq!(answer.finish, crate::llm::FinishReason::ToolCalls);
        assert_eq!(answer.cost.map(|cost| cost.0), Some(123));
        assert_eq!(answer.reasoning, "Need ");
    }
}

fn event(text: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"gen-7\",\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

#[tokio::test(start_paused = true)]
async fn the_end_mark_may_be_missing() {
    let complete = format!("{}{}", event("Hi", "null"), event("", "\"stop\""));
    assert_eq!(answer(&complete).await.expect("an answer").text, "Hi");
    let cut = format!("{complete}data: {{\"usa");
    assert_eq!(answer(&cut).await.expect("an answer").text, "Hi");
}

#[tokio::test(start_paused = true)]
async fn an_end_mark_is_enough_where_no_reason_is_given() {
    let body = format!("{}data: [DONE]\n\n", event("Hi", "null"));
    assert_eq!(answer(&body).await.expect("an answer").text, "Hi");
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_may_be_tried_again_and_names_the_call() {
    let half = event("Hi", "null");
    for body in [
        half.clone(),
        format!("{half}data: {{\"cho"),
        ": WAIT\n\n".to_owned(),
        String::new(),
    ] {
        let error = error(&body).await;
        assert_eq!(
            (error.code(), error.retryable()),
            ("cut_off", true),
            "{body}"
        );
    }
    assert!(
        matches!(error(&half).await, LlmError::CutOff { generation_id: Some(id), .. } if id == "gen-7")
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_behind_the_end_does_no_harm() {
    let lost = stream::iter([Err("reset".to_owned())]);
    let complete = event("Hi", "\"stop\"");
    let chunks: Vec<Chunk> = read(Box::pin(pieces(complete.as_bytes(), 9).chain(lost.clone())))
        .try_collect()
        .await
        .expect("an answer");
    assert!(matches!(chunks.last(), Some(Chunk::Finished(_))));

    let half = event("Hi", "null");
    let cut: Result<Vec<Chunk>, _> = read(Box::pin(pieces(half.as_bytes(), 9).chain(lost)))
        .try_collect()
        .await;
    assert_eq!(
        cut.expect_err("cut").to_string(),
        "The answer from acme broke off: reset. A retry starts it again."
    );
}

#[tokio::test(start_paused = true)]
async fn errors_in_the_middle_of_a_stream_are_errors() {
    let begun = event("Hi", "null");
    for (rest, code) in [
        (
            r#"data: {"error":{"code":502,"message":"upstream gone","metadata":{"error_type":"provider_unavailable"}},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            "provider_failed",
        ),
        (
            r#"data: {"error":{"code":"server_error","message":"upstream gone"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            "provider_failed",
        ),
        (
            r#"data: {"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            "provider_failed",
        ),
        (
            r#"data: {"error":{"message":"engine died","type":"InternalServerError","param":null,"code":500}}"#,
            "provider_failed",
        ),
        (
            r#"{"error":{"message":"runner exited","type":"api_error","param":null,"code":null}}"#,
            "provider_failed",
        ),
        (
            r#"error: {"code":500,"message":"decode failed","type":"server_error"}"#,
            "provider_failed",
        ),
        (
            r#"data: {"error":{"code":400,"message":"limit reached"},"choices":[{"delta":{"content":""},"finish_reason":null}],"usage":{}}"#,
            "bad_request",
        ),
        (
            "event: error\ndata: {\"type\":\"overloaded_error\",\"message\":\"busy\"}",
            "provider_failed",
        ),
        (r#"data: {"error":"a text"}"#, "provider_failed"),
    ] {
        for end in ["", "\n\ndata: [DONE]\n\n"] {
            assert_eq!(
                error(&format!("{begun}{rest}{end}")).await.code(),
                code,
                "{rest}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_read_like_a_stream() {
    let body = "\n\n   {\"id\":\"gen-1\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":\"Hi\"}}],\"usage\":{\"prompt_tokens\":1}}\n";
    let answer = answer(body).await.expect("an answer");
    assert_eq!(
        (answer.text.as_str(), answer.usage.prompt_tokens),
        ("Hi", Some(1))
    );
    let chunks: Vec<Chunk> = read(pieces(body.as_bytes(), 10))
        .try_collect()
        .await
        .expect("an answer");
    assert_eq!(chunks.first(), Some(&Chunk::Text("Hi".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_success_may_be_an_error() {
    for (body, code) in [
        (r#"{"error":{"code":502,"message":"x"}}"#, "provider_failed"),
        (r#"{"id":"gen-1","choices":[]}"#, "empty_answer"),
        (
            r#"{"choices":[{"finish_reason":"error","message":{"content":""},"error":{"code":429,"message":"x"}}]}"#,
            "rate_limited",
        ),
        (
            r#"{"choices":[{"finish_reason":null,"message":{"content":null}}]}"#,
            "empty_answer",
        ),
        ("data: [DONE]\n\n", "empty_answer"),
        ("<!doctype html><title>Sign in</title>", "garbled_answer"),
        ("{\"choices\":[{\"mess", "garbled_answer"),
        ("data: {]}\n\ndata: x\n\n", "garbled_answer"),
    ] {
        assert_eq!(error(body).await.code(), code, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_has_a_limit_and_any_byte_ends_it() {
    let dripping = stream::unfold(0, |count| async move {
        tokio::time::sleep(Duration::from_millis(IDLE_MS - 1)).await;
        (count < 3).then_some((Ok(Bytes::from_static(b": WAIT\n\n")), count + 1))
    });
    let silent = dripping.chain(stream::pending());
    let began = Instant::now();
    let error = read(Box::pin(silent))
        .next()
        .await
        .expect("an end")
        .expect_err("silence");
    // Three comments came in time; the silence behind them was too long.
    assert_eq!(
        began.elapsed().as_millis(),
        u128::from(3 * (IDLE_MS - 1) + IDLE_MS)
    );
    assert_eq!(
        error,
        LlmError::TimedOut {
            provider: "acme".into(),
            waited_for: Patience::Idle,
            after_ms: IDLE_MS
        }
    );
    assert!(error.retryable());
}

#[tokio::test(start_paused = true)]
async fn dripping_does_not_go_on_for_ever() {
    let dripping = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(IDLE_MS / 2)).await;
        Some((Ok(Bytes::from_static(b": WAIT\n\n")), ()))
    });
    let began = Instant::now();
    let error = read(Box::pin(dripping))
        .next()
        .await
        .expect("an end")
        .expect_err("too long");
    assert_eq!(began.elapsed().as_millis(), u128::from(TOTAL_MS));
    assert_eq!(
        error,
        LlmError::TimedOut {
            provider: "acme".into(),
            waited_for: Patience::Total,
            after_ms: TOTAL_MS
        }
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_without_end_are_stopped() {
    for begin in ["data: ", "{", ""] {
        let first = Ok(Bytes::copy_from_slice(begin.as_bytes()));
        let endless = stream::once(async { first })
            .chain(stream::repeat_with(|| Ok(Bytes::from(vec![b'x'; 1 << 20]))));
        let error = read(Box::pin(endless))
            .try_collect::<Vec<_>>()
            .await
            .expect_err("too much");
        assert_eq!(error.code(), "answer_too_large", "{begin}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_the_end() {
    let body = format!(
        "{}data: [DONE]\n\n{}",
        event("Hi", "\"stop\""),
        event("more", "null")
    );
    let mut chunks = read(pieces(body.as_bytes(), body.len()));
    assert_eq!(chunks.next().await, Some(Ok(Chunk::Text("Hi".to_owned()))));
    assert!(matches!(chunks.next().await, Some(Ok(Chunk::Finished(_)))));
    assert_eq!(chunks.next().await, None);
}

proptest::proptest! {
    #[test]
    fn whatever_comes_ends_in_one_answer_or_one_error(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "data: ", "\n", "\r\n", "\n\n", "{", "}", "[DONE]", ": x\n", "error: {}", "\"", "\\", "é", "<", " ",
            "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}",
            "{\"error\":7}", "{\"usage\":{\"cost\":\"1e-9\"}}", "event: error\n", "null", "\u{feff}",
        ]), 0..24),
        size in 1usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let body = parts.concat();
        let items: Vec<_> = runtime.block_on(async { read(pieces(body.as_bytes(), size)).collect().await });
        let (last, before) = items.split_last().expect("an end");
        proptest::prop_assert!(matches!(last, Ok(Chunk::Finished(_)) | Err(_)));
        let before = match before {
            [before @ .., Ok(Chunk::Raw(_))] => before,
            before => before,
        };
        proptest::prop_assert!(before.iter().all(|item| matches!(item, Ok(Chunk::Text(_) | Chunk::Reasoning(_) | Chunk::Calling))));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_comes_before_the_error_that_it_means() {
    for body in [
        "<html>bad gateway</html>",
        "data: {\"error\":{\"code\":502,\"message\":\"gone\"}}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"ha\"}}]}\n\n",
    ] {
        for size in [1, body.len()] {
            let chunks: Vec<_> = read(pieces(body.as_bytes(), size)).collect().await;
            let [.., Ok(Chunk::Raw(raw)), Err(_)] = chunks.as_slice() else {
                panic!("the raw answer, then the error, not {chunks:?}");
            };
            assert_eq!(raw, body.trim(), "in pieces of {size}");
        }
    }
    let nothing: Vec<_> = read(pieces(b"", 1)).collect().await;
    assert!(matches!(nothing.as_slice(), [Err(_)]), "{nothing:?}");
}
