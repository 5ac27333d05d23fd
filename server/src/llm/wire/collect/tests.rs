use domain::money::MicroUsd;
use serde_json::json;

use super::*;
use crate::llm::pricing::Prices;

fn asked() -> Asked {
    Asked {
        provider: "acme".into(),
        model: "asked-for".into(),
        key: None,
    }
}

fn collect(chunks: &[Value]) -> Result<Answer, LlmError> {
    let mut collector = Collector::new(asked(), "run:task:1".into(), Terms::default(), None);
    for chunk in chunks {
        collector.take(Piece::read(chunk))?;
    }
    collector.finish()
}

fn delta(delta: Value) -> Value {
    json!({"id": "gen-1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn end(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn calls(pieces: &[Value]) -> Vec<String> {
    let mut chunks: Vec<Value> = pieces
        .iter()
        .map(|piece| delta(json!({"tool_calls": piece})))
        .collect();
    chunks.push(end("tool_calls"));
    let answer = collect(&chunks).expect("an answer");
    answer
        .tool_calls
        .iter()
        .map(|call| format!("{} {} {}", call.call_id, call.name, call.arguments))
        .collect()
}

#[test]
fn text_is_joined_whatever_form_it_has() {
    let answer = collect(&[
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": null})),
        delta(json!({"content": [{"type": "text", "text": "lo"}, {"type": "image"}]})),
        delta(json!({})),
        end("stop"),
    ])
    .expect("an answer");
    assert_eq!(answer.text, "Hello");
    assert_eq!(
        (answer.model.as_str(), answer.generation_id.as_deref()),
        ("m", Some("gen-1"))
    );
    assert_eq!((answer.cost, answer.cost_is), (None, CostIs::Unknown));
}

#[test]
fn calls_grow_by_their_index() {
    assert_eq!(
        calls(&[
            json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]),
            json!([{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}}]),
            json!([{"index": 0, "function": {"arguments": "{\"x\":"}}, {"index": 1, "function": {"arguments": "}"}}]),
            json!([{"index": 0, "function": {"arguments": "1}"}}]),
            json!([{"index": 0, "function": {"arguments": " "}}]),
        ]),
        ["a f {\"x\":1} ", "b g {}"]
    );
}

#[test]
fn calls_without_index_are_told_apart_by_id() {
    assert_eq!(
        calls(&[
            json!([{"id": "a", "function": {"name": "f", "arguments": "{}"}}]),
            json!([{"id": "b", "function": {"name": "g"}}]),
            json!([{"function": {"arguments": "{\"y\":2}"}}]),
        ]),
        ["a f {}", "b g {\"y\":2}"]
    );
}

#[test]
fn the_same_index_with_another_id_is_another_call() {
    assert_eq!(
        calls(&[
            json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]),
            json!([{"index": 0, "id": "b", "function": {"name": "f", "arguments": "{}"}}]),
        ]),
        ["a f {\"x\":1}", "b f {}"]
    );
}

#[test]
fn a_call_without_id_gets_one_that_stays() {
    let piece = [json!([{"index": 0, "function": {"name": "f", "arguments": null}}])];
    let first = calls(&piece);
    assert_eq!(first, calls(&piece));
    assert!(
        first[0].starts_with("call_") && first[0].len() > 20,
        "{first:?}"
    );
}

#[test]
fn no_two_calls_share_an_id() {
    let call = json!({"id": "a", "function": {"name": "f", "arguments": "{}"}});
    let whole = json!({"choices": [{"message": {"tool_calls": [call, call]}}]});
    let answer = collect(&[whole]).expect("an answer");
    assert_eq!(answer.tool_calls[0].call_id, "a");
    assert_ne!(answer.tool_calls[1].call_id, "a");
}

#[test]
fn a_whole_message_continues_nothing() {
    let whole = json!({"choices": [{"finish_reason": "stop", "message": {"content": null, "tool_calls": [
        {"index": 0, "function": {"name": "f", "arguments": {"a": 1}}},
        {"index": 0, "function": {"name": "g", "arguments": "{}"}}],
        "reasoning_details": [{"type": "reasoning.text", "text": "a"}, {"type": "reasoning.text", "text": "b"}]}}]});
    let answer = collect(&[whole]).expect("an answer");
    assert_eq!(answer.tool_calls.len(), 2);
    assert_ne!(answer.tool_calls[0].call_id, answer.tool_calls[1].call_id);
    assert_eq!(answer.finish, FinishReason::ToolCalls);
    assert_eq!(answer.reasoning_details.len(), 2);
    assert_eq!(answer.reasoning, "ab");
}

#[test]
fn reasoning_is_shown_once_and_kept_to_hand_back() {
    let detail = |detail: Value| json!([detail]);
    let answer = collect(&[
        delta(json!({"reasoning": "Need ", "reasoning_details": detail(json!({"type": "reasoning.text", "text": "Need ", "format": "f", "index": 0}))})),
        delta(json!({"reasoning_details": detail(json!({"type": "reasoning.text", "text": "more", "index": 0}))})),
        delta(json!({"reasoning_content": "."})),
        delta(json!({"reasoning_details": detail(json!({"type": "reasoning.text", "signature": "c2ln", "format": "f", "index": 0}))})),
        delta(json!({"reasoning_details": detail(json!({"type": "reasoning.encrypted", "data": "x", "id": null, "index": 1}))})),
        delta(json!({"content": "ok"})),
        end("stop"),
    ])
    .expect("an answer");
    assert_eq!(answer.reasoning, "Need more.");
    assert_eq!(
        answer.reasoning_details,
        [
            json!({"type": "reasoning.text", "text": "Need more", "format": "f", "index": 0, "signature": "c2ln"}),
            json!({"type": "reasoning.encrypted", "data": "x", "id": null, "index": 1}),
        ]
    );
}

#[test]
fn the_last_usage_counts_and_none_is_summed() {
    let usage = |usage: Value| json!({"choices": [], "usage": usage});
    let answer = collect(&[
        usage(json!({"prompt_tokens": 5, "completion_tokens": 1})),
        delta(json!({"content": "ok"})),
        end("stop"),
        usage(json!(null)),
        usage(json!({"prompt_tokens": "40", "completion_tokens": 22.0, "cost": 0.000123, "is_byok": false,
            "cost_details": {"upstream_inference_cost": 9}, "prompt_tokens_details": {"cached_tokens": 7},
            "completion_tokens_details": {"reasoning_tokens": 5, "image_tokens": 0}})),
    ])
    .expect("an answer");
    assert_eq!(
        answer.usage,
        Usage {
            prompt_tokens: Some(40),
            completion_tokens: Some(22),
            cached_tokens: Some(7),
            reasoning_tokens: Some(5),
        }
    );
    assert_eq!(
        (answer.cost, answer.cost_is),
        (Some(MicroUsd(123)), CostIs::Charged)
    );
}

#[test]
fn with_a_key_of_ones_own_the_fee_and_the_charge_are_added() {
    let answer = collect(&[
        end("stop"),
        json!({"usage": {"cost": "3.6e-06", "is_byok": true,
        "cost_details": {"upstream_inference_cost": 0.0000004}}}),
    ])
    .expect("an answer");
    assert_eq!(answer.cost, Some(MicroUsd(4)));
}

/// Two models on the list.
fn terms(others: bool) -> Terms {
    let price = |prompt, completion| {
        Pricing::from(Prices {
            prompt: MicroUsd(prompt),
            completion: MicroUsd(completion),
            ..Prices::default()
        })
    };
    Terms {
        prices: PriceList::of([
            ("asked-for".to_owned(), price(1_000_000, 2_000_000)),
            ("other".to_owned(), price(3_000_000, 4_000_000)),
        ]),
        others,
        ..Terms::default()
    }
}

#[test]
fn the_price_is_that_of_the_model_that_answered() {
    for (others, model, cost) in [
        (false, json!(null), Some(20)),
        (false, json!("renamed"), Some(20)),
        (true, json!("asked-for"), Some(20)),
        (true, json!("asked-for-20260101"), Some(20)),
        (true, json!("other"), Some(50)),
        (true, json!("renamed"), None),
        (true, json!(null), None),
    ] {
        let mut collector = Collector::new(asked(), String::new(), terms(others), None);
        let chunk = json!({"model": model, "choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5}});
        collector.take(Piece::read(&chunk)).expect("taken");
        let answer = collector.finish().expect("an answer");
        assert_eq!(answer.cost, cost.map(MicroUsd), "{others} {model}");
    }
}

#[test]
fn a_name_that_stands_in_the_body_alone_can_be_asked_for_later() {
    let chunk = |text| json!({"id": "gen-7", "choices": [{"delta": {"content": text}}]});
    let begins = |keeps_costs, header: Option<&str>| {
        let terms = Terms {
            keeps_costs,
            ..Terms::default()
        };
        let header = header.map(str::to_owned);
        let mut collector = Collector::new(asked(), String::new(), terms, header);
        let first = collector.take(Piece::read(&chunk("a"))).expect("taken");
        let second = collector.take(Piece::read(&chunk("b"))).expect("taken");
        assert_eq!(second, [Chunk::Text("b".into())]);
        first
    };
    let (began, text) = (Chunk::Began("gen-7".into()), Chunk::Text("a".into()));
    assert_eq!(begins(true, None), [began, text.clone()]);
    // Its name is known, or nobody keeps books.
    assert_eq!(begins(true, Some("gen-7")), std::slice::from_ref(&text));
    assert_eq!(begins(false, None), [text]);
}

#[test]
fn without_a_cost_the_list_price_is_an_estimate() {
    let mut collector = Collector::new(asked(), String::new(), terms(false), Some("header".into()));
    let chunk = json!({"id": "body", "choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5}});
    collector.take(Piece::read(&chunk)).expect("taken");
    let answer = collector.finish().expect("an answer");
    assert_eq!(
        (answer.cost, answer.cost_is),
        (Some(MicroUsd(20)), CostIs::Estimated)
    );
    assert_eq!(
        (answer.generation_id.as_deref(), answer.model.as_str()),
        (Some("header"), "asked-for")
    );
}

#[test]
fn reasons_for_the_end() {
    let reason = |raw: &str, with_calls: bool| {
        let calls = if with_calls {
            json!([{"id": "a", "function": {"name": "f"}}])
        } else {
            json!([])
        };
        let answer = collect(&[
            delta(json!({"content": "x", "tool_calls": calls})),
            end(raw),
        ])
        .expect("an answer");
        (answer.finish, answer.finish_raw)
    };
    assert_eq!(reason("stop", false), (FinishReason::Stop, None));
    assert_eq!(reason("stop", true), (FinishReason::ToolCalls, None));
    assert_eq!(reason("", true), (FinishReason::ToolCalls, None));
    assert_eq!(reason("", false), (FinishReason::Other, None));
    assert_eq!(reason("length", true), (FinishReason::Length, None));
    assert_eq!(reason("tool_call", true), (FinishReason::ToolCalls, None));
    assert_eq!(
        reason("content_filter", false),
        (FinishReason::ContentFilter, None)
    );
    assert_eq!(
        reason("abort", false),
        (FinishReason::Other, Some("abort".to_owned()))
    );
}

#[test]
fn an_answer_without_anything_is_none() {
    for chunks in [
        vec![],
        vec![json!({"choices": []})],
        vec![delta(json!({"content": null}))],
        vec![end("")],
    ] {
        assert_eq!(
            collect(&chunks),
            Err(LlmError::Empty {
                provider: "acme".into()
            })
        );
    }
    let error = collect(&[end("error")]).expect_err("it failed");
    assert_eq!((error.code(), error.retryable()), ("provider_failed", true));
}

#[test]
fn fields_of_the_wrong_type_are_passed_over() {
    for odd in [
        json!(null),
        json!(7),
        json!("x"),
        json!([]),
        json!({"choices": 7}),
        json!({"choices": [7]}),
        json!({"choices": [{"delta": 7, "finish_reason": 7}], "usage": 7, "id": 7, "model": {}}),
        json!({"choices": [{"delta": {"content": 7, "tool_calls": 7, "reasoning_details": 7, "reasoning": 7}}]}),
        json!({"choices": [{"delta": {"tool_calls": [7, {"index": "x", "id": 7, "function": 7}]}}]}),
        json!({"usage": {"prompt_tokens": -1, "completion_tokens": "many", "cost": "free"}}),
    ] {
        let _ = collect(&[odd]);
    }
}

#[test]
fn output_without_end_is_stopped() {
    let mut collector = Collector::new(asked(), String::new(), Terms::default(), None);
    let chunk = delta(json!({"content": "x".repeat(1024 * 1024)}));
    let taken = (0..17).try_for_each(|_| collector.take(Piece::read(&chunk)).map(|_| ()));
    assert_eq!(
        taken,
        Err(LlmError::TooMuch {
            provider: "acme".into(),
            limit_mib: 16
        })
    );
}

#[test]
fn nothing_that_is_kept_grows_without_bound() {
    let details =
        json!({"reasoning_details": [{"index": 1, "more": [vec![0; 10_000], vec![1; 10_000]]}]});
    let many: Vec<Value> = (0..400)
        .map(|_| json!({"function": {"name": "f"}}))
        .collect();
    let names = json!({"tool_calls": [{"index": 0, "id": "x".repeat(600), "function": {"name": "y".repeat(600)}}]});
    for (piece, ends) in [
        (details, true),
        (json!({"tool_calls": many}), true),
        (json!({"refusal": "x".repeat(100_000)}), true),
        // Too long for a name, so it is none.
        (names, false),
    ] {
        let mut collector = Collector::new(asked(), String::new(), Terms::default(), None);
        let chunk = delta(piece);
        let taken = (0..1_000).try_for_each(|_| collector.take(Piece::read(&chunk)).map(|_| ()));
        assert_eq!(taken.is_err(), ends, "{:.80}", chunk.to_string());
        if !ends {
            let answer = collector.finish().expect("an answer");
            assert!(
                answer.tool_calls[0].name.is_empty() && answer.tool_calls[0].call_id.len() < 100
            );
        }
    }
}

#[test]
fn a_key_that_comes_in_pieces_is_not_kept() {
    let asked = Asked {
        key: Some(ApiKey::new("sk-0123456789")),
        ..asked()
    };
    let mut collector = Collector::new(asked, String::new(), Terms::default(), None);
    for text in ["your key is sk-012", "3456789", "!"] {
        let chunk = delta(json!({"content": text, "reasoning": text}));
        collector.take(Piece::read(&chunk)).expect("taken");
    }
    let answer = collector.finish().expect("an answer");
    assert_eq!(answer.text, "your key is [key]!");
    assert_eq!(answer.reasoning, "your key is [key]!");
}
