//! What is no answer, though HTTP said that all is well: who failed, whether another try helps, and what
//! a person is told.

use super::*;

const HELLO: &str =
    r#"data: {"id":"gen-7","choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}"#;
const DONE: &str = "data: [DONE]";

#[test]
fn openrouter_in_the_middle() {
    check(
        &[
            HELLO,
            r#"data: {"id":"cmpl-x","provider":"Acme","error":{"code":502,"message":"upstream gone","metadata":{"error_type":"provider_unavailable"}},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
        ],
        expect![
            "provider_failed (retry, Theirs): acme failed (status 502): upstream gone. A retry often helps."
        ],
    );
    check(
        &[
            HELLO,
            r#"data: {"error":{"code":"server_error","message":"upstream gone"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            DONE,
        ],
        expect![
            "provider_failed (retry, Theirs): acme failed (status 500): upstream gone. A retry often helps."
        ],
    );
    // Behind a reason for the end, and still an error.
    check(
        &[
            HELLO,
            r#"data: {"choices":[{"delta":{},"finish_reason":"length"}]}"#,
            r#"data: {"error":{"code":400,"message":"limit reached"},"choices":[{"delta":{"content":""},"finish_reason":null}],"usage":{"prompt_tokens":1}}"#,
            DONE,
        ],
        expect![
            "bad_request (no retry, Ours): acme did not understand the request (status 400): limit reached. Check model, tools and limits of this step."
        ],
    );
    check(
        &[
            HELLO,
            r#"data: {"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            DONE,
        ],
        expect![
            "provider_failed (retry, Theirs): acme failed (status 502): it ended with an error and no explanation. A retry often helps."
        ],
    );
    check(
        &[
            HELLO,
            r#"data: {"error":{"code":429,"message":"slow","metadata":{"headers":{"x-ratelimit-reset":"1790000007000"}}}}"#,
        ],
        expect![
            "rate_limited (retry after 7000 ms, Busy): acme asks to slow down: slow. A later try helps; if this goes on, let fewer agents call it at once or use another model."
        ],
    );
}

#[test]
fn other_servers_in_the_middle() {
    // vLLM.
    check(
        &[
            HELLO,
            r#"data: {"error":{"message":"engine died","type":"InternalServerError","param":null,"code":500}}"#,
            DONE,
        ],
        expect![
            "provider_failed (retry, Theirs): acme failed (status 500): engine died. A retry often helps."
        ],
    );
    // Ollama: no field name.
    check(
        &[
            HELLO,
            r#"{"error":{"message":"runner exited","type":"api_error","param":null,"code":null}}"#,
        ],
        expect![
            "provider_failed (retry, Theirs): acme failed (status 500): runner exited. A retry often helps."
        ],
    );
    check(
        &[HELLO, r#"{"error":"a text"}"#],
        expect![
            "provider_failed (retry, Theirs): acme failed (status 502): a text. A retry often helps."
        ],
    );
    // llama.cpp: the name of a field that does not exist.
    check(
        &[
            HELLO,
            r#"error: {"code":500,"message":"decode failed","type":"server_error"}"#,
            DONE,
        ],
        expect![
            "provider_failed (retry, Theirs): acme failed (status 500): decode failed. A retry often helps."
        ],
    );
    // A name for the event.
    check(
        &[
            HELLO,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}",
        ],
        expect![
            "provider_failed (retry, Theirs): acme failed (status 503): busy. A retry often helps."
        ],
    );
}

#[test]
fn before_the_first_word() {
    check_body(
        "{\"error\":{\"message\":\"runner exited\",\"type\":\"api_error\"}}\n\ndata: [DONE]\n\n",
        expect![
            "provider_failed (retry, Theirs): acme failed (status 500): runner exited. A retry often helps."
        ],
    );
    check_body(
        r#"{"error":{"code":502,"message":"gone"}}"#,
        expect![
            "provider_failed (retry, Theirs): acme failed (status 502): gone. A retry often helps."
        ],
    );
    check_body(
        r#"[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}]"#,
        expect![
            "bad_key (no retry, Ours): acme does not accept the key: API key not valid. Set a valid key in Settings, under Providers."
        ],
    );
    check_body(
        r#"{"object":"error","message":"flat","type":"BadRequestError","code":400}"#,
        expect![
            "bad_request (no retry, Ours): acme did not understand the request (status 400): flat. Check model, tools and limits of this step."
        ],
    );
    check_body(
        r#"{"id":"gen-1","choices":[{"index":0,"finish_reason":"error","message":{"role":"assistant","content":""},"error":{"code":502,"message":"gone"}}]}"#,
        expect![
            "provider_failed (retry, Theirs): acme failed (status 502): gone. A retry often helps."
        ],
    );
    check_body(
        r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
        expect![
            "provider_failed (retry, Theirs): acme failed (status 502): field required. A retry often helps."
        ],
    );
}

#[test]
fn nothing_in_it() {
    check_body(
        r#"{"id":"gen-1","choices":[]}"#,
        expect!["empty_answer (retry, Theirs): acme answered with nothing. A retry often helps."],
    );
    check_body(
        r#"{"choices":[{"finish_reason":null,"message":{"content":null}}]}"#,
        expect!["empty_answer (retry, Theirs): acme answered with nothing. A retry often helps."],
    );
    check(
        &[DONE],
        expect!["empty_answer (retry, Theirs): acme answered with nothing. A retry often helps."],
    );
    check(
        &[
            r#"data: {"choices":[{"delta":{"content":null},"finish_reason":""}]}"#,
            DONE,
        ],
        expect!["empty_answer (retry, Theirs): acme answered with nothing. A retry often helps."],
    );
}

#[test]
fn a_model_that_refuses() {
    check(
        &[
            r#"data: {"choices":[{"delta":{"content":null,"refusal":"I cannot "}}]}"#,
            r#"data: {"choices":[{"delta":{"refusal":"help with that."},"finish_reason":"stop"}]}"#,
            DONE,
        ],
        expect![
            "refused (no retry, Ours): acme refused the request: I cannot help with that. Change the prompt or the provider's rules."
        ],
    );
    check(
        &[
            r#"data: {"choices":[{"delta":{"content":""},"finish_reason":"content_filter"}]}"#,
            DONE,
        ],
        expect!["ContentFilter by m"],
    );
}

#[test]
fn cut_streams() {
    for body in [
        "",
        ": WAIT\n\n",
        "da",
        "data: {\"choi",
        "data: {\"choices\":[]}\n\nda",
    ] {
        let found = the_same_in_every_piece(body);
        assert!(
            found.starts_with("cut_off (retry, Theirs)"),
            "{body:?}: {found}"
        );
    }
    check(
        &[HELLO],
        expect![
            "cut_off (retry, Theirs): The answer from acme broke off: the connection ended in the middle. A retry starts it again."
        ],
    );
    check_body(
        &format!("{HELLO}\n\ndata: {{\"cho"),
        expect![
            "cut_off (retry, Theirs): The answer from acme broke off: the connection ended in the middle. A retry starts it again."
        ],
    );
}

#[test]
fn whoever_is_no_model_server() {
    check_body(
        "<!doctype html><html><head><title>Sign in</title></head></html>",
        expect![
            "garbled_answer (retry, Theirs): acme sent something that is no answer: a web page, “Sign in”. Check its address; if that is right, a retry may help."
        ],
    );
    check_body(
        "It works!",
        expect![
            "garbled_answer (retry, Theirs): acme sent something that is no answer: It works!. Check its address; if that is right, a retry may help."
        ],
    );
    check_body(
        r#"{"hello":"world"}"#,
        expect![[
            r#"garbled_answer (retry, Theirs): acme sent something that is no answer: {"hello":"world"}. Check its address; if that is right, a retry may help."#
        ]],
    );
    check_body(
        "data: {\"ticker\":7}\n\ndata: {\"ticker\":8}\n\n",
        expect![[
            r#"garbled_answer (retry, Theirs): acme sent something that is no answer: {"ticker":7}. Check its address; if that is right, a retry may help."#
        ]],
    );
    check_body(
        "{\"choices\":[{\"mess",
        expect![[
            r#"garbled_answer (retry, Theirs): acme sent something that is no answer: {"choices":[{"mess. Check its address; if that is right, a retry may help."#
        ]],
    );
    check(
        &["data: {]}", "data: x"],
        expect![
            "garbled_answer (retry, Theirs): acme sent something that is no answer: {]}. Check its address; if that is right, a retry may help."
        ],
    );
    check_body(
        "\u{1b}[31m\u{0}\u{ffff} sk-test-0123456789",
        expect![
            "garbled_answer (retry, Theirs): acme sent something that is no answer: [31m￿ [key]. Check its address; if that is right, a retry may help."
        ],
    );
}
