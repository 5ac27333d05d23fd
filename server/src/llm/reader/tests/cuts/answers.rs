//! What is an answer, whoever sends it.

use super::*;

const BEGIN: &str = r#"data: {"id":"gen-1","model":"acme/echo-2-20260101","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const HELLO: &str = r#"data: {"id":"gen-1","choices":[{"delta":{"role":"assistant","content":"Grüße 🎭"},"finish_reason":null}]}"#;
const STOP: &str = r#"data: {"id":"gen-1","choices":[{"delta":{"content":""},"finish_reason":"stop","native_finish_reason":"end_turn"}]}"#;
const DONE: &str = "data: [DONE]";

#[test]
fn text_with_the_role_repeated_and_each_place_of_the_usage() {
    let usage = r#""usage":{"prompt_tokens":40,"completion_tokens":22,"cost":0.000123,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":5,"image_tokens":0}}"#;
    for choices in [
        r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]"#,
        r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]"#,
        "[]",
    ] {
        let last = format!(r#"data: {{"id":"gen-1","choices":{choices},{usage}}}"#);
        check(
            &[BEGIN, HELLO, STOP, &last, DONE],
            expect![
                "Stop text Grüße 🎭 read 40 wrote 22 cached 8 thinking 5 micro-dollars 123 as gen-1 by acme/echo-2-20260101"
            ],
        );
    }
}

#[test]
fn running_usage_is_not_summed_and_null_takes_nothing_away() {
    check(
        &[
            r#"data: {"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":"4","completion_tokens":1.0}}"#,
            r#"data: {"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#,
            r#"data: {"choices":[{"delta":{}}],"usage":{"cost":3.6e-06}}"#,
            DONE,
        ],
        expect!["Stop text ab read 4 wrote 2 micro-dollars 4 by m"],
    );
}

#[test]
fn the_end_mark_may_be_missing_or_be_all_there_is() {
    check(&[HELLO, STOP], expect!["Stop text Grüße 🎭 as gen-1 by m"]);
    check(&[HELLO, DONE], expect!["Other text Grüße 🎭 as gen-1 by m"]);
}

#[test]
fn a_call_in_pieces_with_reasoning_as_openrouter_sends_it() {
    check(
        &[
            r#"data: {"id":"gen-1","choices":[{"delta":{"content":"","reasoning":"Need ","reasoning_details":[{"type":"reasoning.text","text":"Need ","format":"v1","index":0}]}}]}"#,
            r#"data: {"id":"gen-1","choices":[{"delta":{"content":"","reasoning_details":[{"type":"reasoning.text","signature":"c2ln","format":"v1","index":0}]}}]}"#,
            r#"data: {"id":"gen-1","choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"lookup","arguments":""}}]}}]}"#,
            r#"data: {"id":"gen-1","choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"{\"q\":\"a\\u00"}}]}}]}"#,
            r#"data: {"id":"gen-1","choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"function":{"arguments":"fcb\"}"}}]}}]}"#,
            r#"data: {"id":"gen-1","choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"function":{"arguments":" \n"}}]}}]}"#,
            r#"data: {"id":"gen-1","choices":[{"delta":{"content":""},"finish_reason":"tool_calls","native_finish_reason":"tool_use"}]}"#,
            DONE,
        ],
        expect![[r#"
            ToolCalls thought Need  call call_1:lookup({"q":"a\u00fcb"} 
            ) detail {"type":"reasoning.text","text":"Need ","format":"v1","index":0,"signature":"c2ln"} as gen-1 by m"#]],
    );
}

#[test]
fn calls_are_told_apart_by_index_or_else_by_id() {
    // Interleaved.
    check(
        &[
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}]}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
        expect!["ToolCalls call a:f({}) call b:g({}) by m"],
    );
    // No index: a new id begins a new call.
    check(
        &[
            r#"data: {"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\""}}]}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":":1}"}}]}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"{}"}}]}}]}"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
        ],
        expect![[r#"ToolCalls call a:f({"x":1}) call b:g({}) by m"#]],
    );
    // Old Ollama, and LiteLLM in front of it: all of them 0, whole, arguments as an object, finish "stop".
    check(
        &[
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}}]}}]}"#,
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":2}"}}]}}]}"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        ],
        expect![[r#"ToolCalls call a:f({"x":1}) call b:f({"x":2}) by m"#]],
    );
    // Without an id, a name for it is made.
    check(
        &[
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]},"finish_reason":""}]}"#,
            DONE,
        ],
        expect!["ToolCalls call made-up:f() by m"],
    );
}

#[test]
fn the_reason_for_the_end_may_be_null_or_a_word_of_its_own() {
    check(
        &[
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":null}]}"#,
            DONE,
        ],
        expect!["ToolCalls call a:f({}) by m"],
    );
    for (word, call) in [("eos", false), ("end_turn", false), ("tool_call", true)] {
        let delta = match call {
            true => r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}"#,
            false => r#"{"content":"x"}"#,
        };
        let line = format!(r#"data: {{"choices":[{{"delta":{delta},"finish_reason":"{word}"}}]}}"#);
        let expected = match word {
            "eos" => expect!["Other raw eos text x by m"],
            "end_turn" => expect!["Other raw end_turn text x by m"],
            _ => expect!["ToolCalls call a:f() by m"],
        };
        check(&[&line, DONE], expected);
    }
}

#[test]
fn a_mark_of_the_byte_order_is_no_part_of_an_answer() {
    let stream = format!("\u{feff}{HELLO}\n\n{STOP}\n\n");
    check_body(&stream, expect!["Stop text Grüße 🎭 as gen-1 by m"]);
    check_body(
        "\u{feff}{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":\"a\"}}]}",
        expect!["Stop text a by m"],
    );
}

#[test]
fn a_call_that_was_cut_at_the_token_limit_keeps_what_there_is() {
    check(
        &[
            r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\": \"ab"}}]}}]}"#,
            r#"data: {"choices":[{"delta":{},"finish_reason":"length"}]}"#,
            DONE,
        ],
        expect![[r#"Length call a:f({"x": "ab) by m"#]],
    );
}

#[test]
fn content_in_parts_thought_in_other_fields_and_foreign_reasons() {
    check(
        &[
            r#"data: {"id":null,"model":null,"choices":[{"delta":{"reasoning_content":"Hm. ","content":null}}]}"#,
            r#"data: {"choices":[{"delta":{"content":[{"type":"text","text":"a "},{"type":"image_url"},{"type":"text","text":"b"}]}}]}"#,
            r#"data: {"choices":[{"delta":{"content":"<think>c</think>"},"finish_reason":"abort"}]}"#,
            DONE,
        ],
        expect!["Other raw abort text a b<think>c</think> thought Hm.  by m"],
    );
}

#[test]
fn extras_of_openai_vllm_and_llama_cpp_are_passed_over() {
    check(
        &[
            "event: message\nid: 7\nretry: 10\ndata: {\"created\":1,\"obfuscation\":\"x\",\"usage\":null,\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}",
            "data:{\"created\":2,\"choices\":[{\"delta\":{\"content\":\"a\"},\"token_ids\":[1],\"stop_reason\":null}]}",
            "data:",
            "data: {\"choices\":[{\"delta\":{},\ndata: \"finish_reason\":\"stop\"}],\"timings\":{\"n\":1}}",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}",
            DONE,
        ],
        expect!["Stop text a read 1 wrote 1 by m"],
    );
}

#[test]
fn a_whole_answer_where_a_stream_was_asked_for() {
    check_body(
        "\n \r\n {\"id\":\"gen-1\",\"model\":\"n\",\"provider\":\"Acme\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"Grüße\",\"refusal\":null,\"reasoning\":\"Hm\",\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}},{\"index\":0,\"function\":{\"name\":\"f\"}}]}}],\"usage\":{\"prompt_tokens\":3}}\n",
        expect![[
            r#"ToolCalls text Grüße thought Hm call made-up:f({"a":1}) call made-up:f() read 3 as gen-1 by n"#
        ]],
    );
}

#[test]
fn a_key_that_the_server_repeats_does_not_get_into_the_answer() {
    check_body(
        r#"{"choices":[{"finish_reason":"stop","message":{"content":"you sent: Bearer sk-test-0123456789","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"k\":\"sk-test-0123456789\"}"}}],"reasoning_details":[{"text":"sk-test-0123456789"}]}}]}"#,
        expect![[
            r#"ToolCalls text you sent: Bearer [key] thought [key] call a:f({"k":"[key]"}) detail {"text":"[key]"} by m"#
        ]],
    );
}
