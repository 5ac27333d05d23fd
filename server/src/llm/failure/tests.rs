use domain::{breaker::Trouble, time::Timestamp};
use expect_test::{Expect, expect};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn asked() -> Asked {
    Asked {
        provider: "acme".into(),
        model: "m".into(),
        key: Some(ApiKey::new("sk-secret-1")),
    }
}

fn shown(error: &LlmError) -> String {
    let retry = match (error.retryable(), error.retry_after_ms()) {
        (true, Some(ms)) => format!("retry after {ms} ms"),
        (true, None) => "retry".to_owned(),
        (false, _) => "no retry".to_owned(),
    };
    format!("{} ({retry}): {error}", error.code())
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    pairs.iter().map(pair).collect()
}

#[track_caller]
fn check(status: u16, body: &str, found: Expect) {
    check_with(status, &[], body, found);
}

#[track_caller]
fn check_with(status: u16, pairs: &[(&'static str, &'static str)], body: &str, found: Expect) {
    let hints = Hints::of(&headers(pairs), NOW);
    found.assert_eq(&shown(&of_response(&asked(), status, body, hints)));
}

#[test]
fn keys() {
    check(
        401,
        r#"{"error":{"code":401,"message":"no such user"}}"#,
        expect![
            "bad_key (no retry): acme does not accept the key: no such user. Set a valid key in Settings, under Providers."
        ],
    );
    check(
        401,
        r#"{"error":{"message":"bad key sk-secret-1","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        expect![
            "bad_key (no retry): acme does not accept the key: bad key [key]. Set a valid key in Settings, under Providers."
        ],
    );
}

#[test]
fn credit() {
    let plain = r#"{"error":{"code":402,"message":"requires more credits, or fewer max_tokens","metadata":{"provider_name":null}},"user_id":"u"}"#;
    check(
        402,
        plain,
        expect![
            "no_credit (no retry): acme says that the credit is short: requires more credits, or fewer max_tokens. Top up, raise the key's limit or ask for fewer tokens."
        ],
    );
    check_with(
        402,
        &[("retry-after", "3")],
        plain,
        expect![
            "no_credit (retry after 3000 ms): acme says that the credit is short: requires more credits, or fewer max_tokens. Other calls hold it for the moment; a later try helps, and so does a top-up."
        ],
    );
    check(
        429,
        r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        expect![
            "no_credit (no retry): acme says that the credit is short: You exceeded your current quota. Top up, raise the key's limit or ask for fewer tokens."
        ],
    );
}

#[test]
fn limits() {
    let body = |message: &str, more: Value| {
        json!({"error": {"code": 429, "message": message, "metadata": more}}).to_string()
    };
    let reset = json!({"headers": {"X-RateLimit-Reset": "1790000060000"}});
    check(
        429,
        &body("Rate limit exceeded: free-models-per-min. ", reset.clone()),
        expect![
            "rate_limited (retry after 60000 ms): acme asks to slow down: Rate limit exceeded: free-models-per-min. A later try helps; if this goes on, let fewer agents call it at once or use another model."
        ],
    );
    check(
        429,
        &body("Rate limit exceeded: free-models-per-day", reset),
        expect![
            "daily_limit (no retry): acme allows no more calls today: Rate limit exceeded: free-models-per-day. Calls are allowed again at 2026-09-21T14:14:20Z."
        ],
    );
    check(
        429,
        &body(
            "slow",
            json!({"limit_source": "openrouter_free_tier_daily"}),
        ),
        expect![
            "daily_limit (no retry): acme allows no more calls today: slow. Try again tomorrow or use another model."
        ],
    );
    check(
        429,
        &body(
            "Provider returned error",
            json!({"raw": "m:free is temporarily rate-limited upstream", "error_type": "rate_limit_exceeded"}),
        ),
        expect![
            "rate_limited (retry): acme asks to slow down: Provider returned error (m:free is temporarily rate-limited upstream). A later try helps; if this goes on, let fewer agents call it at once or use another model."
        ],
    );
    check(
        429,
        "",
        expect![
            "rate_limited (retry): acme asks to slow down: no explanation. A later try helps; if this goes on, let fewer agents call it at once or use another model."
        ],
    );
}

#[test]
fn waits() {
    let wait =
        |pairs: &[(&'static str, &'static str)]| Hints::of(&headers(pairs), NOW).retry_after_ms;
    assert_eq!(wait(&[("retry-after", "7")]), Some(7_000));
    assert_eq!(wait(&[("retry-after", "0.5")]), Some(500));
    assert_eq!(
        wait(&[("retry-after-ms", "250"), ("retry-after", "1")]),
        Some(250)
    );
    assert_eq!(
        wait(&[("retry-after", "Mon, 21 Sep 2026 14:13:30 GMT")]),
        Some(10_000)
    );
    assert_eq!(
        wait(&[("retry-after", "Mon, 21 Sep 2020 14:13:30 GMT")]),
        Some(0)
    );
    for odd in ["", "soon", "-1", "NaN", "inf", "1e400"] {
        assert_eq!(wait(&[("retry-after", odd)]), None, "{odd}");
    }
    let reset =
        |raw: &'static str| Hints::of(&headers(&[("x-ratelimit-reset", raw)]), NOW).resets_at;
    assert_eq!(reset("1790000060000"), Some(Timestamp(1_790_000_060_000)));
    assert_eq!(reset("1790000060"), Some(Timestamp(1_790_000_060_000)));
    assert_eq!(reset("60"), Some(NOW.plus_ms(60_000)));
}

#[test]
fn refusals() {
    check(
        403,
        r#"{"error":{"code":403,"message":"input flagged","metadata":{"reasons":["violence"],"flagged_input":"...","provider_name":"Acme"}}}"#,
        expect![[
            r#"refused (no retry): acme refused the request: input flagged (reasons ["violence"]). Change the prompt or the provider's rules."#
        ]],
    );
    check(
        400,
        r#"{"error":{"code":400,"message":"no","metadata":{"error_type":"content_policy_violation"}}}"#,
        expect![
            "refused (no retry): acme refused the request: no. Change the prompt or the provider's rules."
        ],
    );
}

#[test]
fn models() {
    check(
        404,
        r#"{"error":{"code":404,"message":"no endpoints left","metadata":{"error_type":"not_found"},"availability":{"code":"privacy_restricted","retryable":false}}}"#,
        expect![
            "no_model (no retry): acme has no model m for this request: no endpoints left. Choose another model."
        ],
    );
    check(
        503,
        r#"{"error":{"message":"busy","availability":{"code":"temporarily_unavailable","retryable":true,"retry_after":4}}}"#,
        expect![
            "provider_failed (retry after 4000 ms): acme failed (status 503): busy. A retry often helps."
        ],
    );
    check(
        404,
        r#"{"error":"model 'm' not found"}"#,
        expect![
            "no_model (no retry): acme has no model m for this request: model 'm' not found. Choose another model."
        ],
    );
}

#[test]
fn lengths() {
    check(
        400,
        r#"{"error":{"code":400,"message":"too long","metadata":{"error_type":"context_length_exceeded"}}}"#,
        expect![
            "context_too_long (no retry): The conversation is too long for m at acme: too long. Shorten the prompt or choose a model with a larger context."
        ],
    );
    check(
        400,
        r#"{"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
        expect![
            "context_too_long (no retry): The conversation is too long for m at acme: too long. Shorten the prompt or choose a model with a larger context."
        ],
    );
    check(
        400,
        r#"{"error":{"code":400,"message":"the request exceeds the context","type":"exceed_context_size_error","n_ctx":512}}"#,
        expect![
            "context_too_long (no retry): The conversation is too long for m at acme: the request exceeds the context. Shorten the prompt or choose a model with a larger context."
        ],
    );
}

#[test]
fn failures_of_the_server() {
    check(
        502,
        r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"boom\"}}","provider_name":"Acme","error_type":"provider_unavailable"}}}"#,
        expect![
            "provider_failed (retry): acme failed (status 502): Provider returned error (boom). A retry often helps."
        ],
    );
    check(
        524,
        "<html><body>A timeout\n occurred</body></html>",
        expect![
            "provider_failed (retry): acme failed (status 524): a web page, “A timeout occurred”. A retry often helps."
        ],
    );
    check(
        503,
        r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
        expect![
            "provider_failed (retry): acme failed (status 503): Loading model. A retry often helps."
        ],
    );
    check(
        500,
        r#"{"object":"error","message":"flat","type":"InternalServerError","code":500}"#,
        expect!["provider_failed (retry): acme failed (status 500): flat. A retry often helps."],
    );
    check(
        408,
        "{}",
        expect!["provider_failed (retry): acme failed (status 408): {}. A retry often helps."],
    );
    check(
        529,
        "",
        expect![
            "provider_failed (retry): acme failed (status 529): no explanation. A retry often helps."
        ],
    );
}

#[test]
fn wrong_requests() {
    check(
        422,
        r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
        expect![
            "bad_request (no retry): acme did not understand the request (status 422): field required. Check model, tools and limits of this step."
        ],
    );
    check(
        404,
        r#"{"detail":"Not Found"}"#,
        expect![
            "wrong_address (no retry): acme answers no chats at its address (status 404): Not Found. Correct the address in Settings, under Providers; it often ends with /v1."
        ],
    );
    check(
        302,
        "",
        expect![
            "wrong_address (no retry): acme answers no chats at its address (status 302): it answered with a redirect, so its address is not the real one. Correct the address in Settings, under Providers; it often ends with /v1."
        ],
    );
    check(
        413,
        "[1]",
        expect![
            "bad_request (no retry): acme did not understand the request (status 413): [1]. Check model, tools and limits of this step."
        ],
    );
}

#[test]
fn an_error_inside_a_success_means_what_its_code_says() {
    let meant =
        |complaint: Value| shown(&of_complaint(&asked(), None, &complaint, Hints::default()));
    let codes: Vec<String> = [
        json!({"code": 502, "message": "gone", "metadata": {"error_type": "provider_unavailable"}}),
        json!({"code": "server_error", "message": "gone"}),
        json!({"code": 400, "message": "limit reached"}),
        json!({"code": "429", "message": "slow"}),
        json!({"message": "runner exited", "type": "api_error", "param": null, "code": null}),
        json!({"message": "who knows"}),
        json!("a bare text"),
        json!({"code": 7}),
    ]
    .into_iter()
    .map(meant)
    .collect();
    expect![[r#"
        provider_failed (retry): acme failed (status 502): gone. A retry often helps.
        provider_failed (retry): acme failed (status 500): gone. A retry often helps.
        bad_request (no retry): acme did not understand the request (status 400): limit reached. Check model, tools and limits of this step.
        rate_limited (retry): acme asks to slow down: slow. A later try helps; if this goes on, let fewer agents call it at once or use another model.
        provider_failed (retry): acme failed (status 500): runner exited. A retry often helps.
        provider_failed (retry): acme failed (status 502): who knows. A retry often helps.
        provider_failed (retry): acme failed (status 502): a bare text. A retry often helps.
        provider_failed (retry): acme failed (status 502): {"code":7}. A retry often helps."#]]
    .assert_eq(&codes.join("\n"));
}

#[test]
fn a_long_complaint_is_cut() {
    let body = "é ".repeat(100_000);
    let LlmError::BadRequest { detail, .. } = of_response(&asked(), 400, &body, Hints::default())
    else {
        panic!("a wrong request");
    };
    assert_eq!(detail.chars().count(), 501);
}

#[test]
fn what_the_server_says_about_another_try_is_believed() {
    let busy = r#"{"error":{"message":"busy"}}"#;
    check_with(
        503,
        &[("x-should-retry", "false")],
        busy,
        expect![
            "provider_declined (no retry): acme failed (status 503) and says that another try does not help: busy. Use another model or provider, or ask acme."
        ],
    );
    check_with(
        429,
        &[("x-should-retry", "false")],
        busy,
        expect![
            "provider_declined (no retry): acme failed (status 429) and says that another try does not help: busy. Use another model or provider, or ask acme."
        ],
    );
    check_with(
        400,
        &[("x-should-retry", "true"), ("retry-after", "2")],
        busy,
        expect![
            "provider_failed (retry after 2000 ms): acme failed (status 400): busy. A retry often helps."
        ],
    );
    // It does not make a wrong key right.
    check_with(
        401,
        &[("x-should-retry", "true")],
        busy,
        expect![
            "bad_key (no retry): acme does not accept the key: busy. Set a valid key in Settings, under Providers."
        ],
    );
    check_with(
        503,
        &[("x-should-retry", "perhaps")],
        busy,
        expect!["provider_failed (retry): acme failed (status 503): busy. A retry often helps."],
    );
    let availability = |retryable: bool| {
        json!({"error": {"message": "no", "availability": {"code": "x", "retryable": retryable,
            "constraint": {"field": "zdr", "detail": "no server keeps nothing"}}}})
        .to_string()
    };
    check(
        503,
        &availability(false),
        expect![
            "provider_declined (no retry): acme failed (status 503) and says that another try does not help: no (no server keeps nothing). Use another model or provider, or ask acme."
        ],
    );
    check(
        404,
        &availability(false),
        expect![
            "no_model (no retry): acme has no model m for this request: no (no server keeps nothing). Choose another model."
        ],
    );
    check(
        404,
        &availability(true),
        expect![
            "provider_failed (retry): acme failed (status 404): no (no server keeps nothing). A retry often helps."
        ],
    );
    check(
        429,
        &availability(true),
        expect![
            "rate_limited (retry): acme asks to slow down: no (no server keeps nothing). A later try helps; if this goes on, let fewer agents call it at once or use another model."
        ],
    );
    // The complaint knows better than the header.
    check_with(
        503,
        &[("x-should-retry", "true")],
        &availability(false),
        expect![
            "provider_declined (no retry): acme failed (status 503) and says that another try does not help: no (no server keeps nothing). Use another model or provider, or ask acme."
        ],
    );
}

#[test]
fn credit_that_other_calls_hold_comes_back() {
    let held = |more: Value| {
        json!({"error": {"code": 402, "message": "held", "metadata": more}}).to_string()
    };
    let reason = json!({"reason": "in_flight_budget_exhausted", "limit_source": "openrouter_in_flight_budget"});
    check_with(
        402,
        &[("retry-after", "3")],
        &held(reason.clone()),
        expect![
            "no_credit (retry after 3000 ms): acme says that the credit is short: held. Other calls hold it for the moment; a later try helps, and so does a top-up."
        ],
    );
    check(
        402,
        &held(json!({"headers": {"retry-after": "4"}})),
        expect![
            "no_credit (retry after 4000 ms): acme says that the credit is short: held. Other calls hold it for the moment; a later try helps, and so does a top-up."
        ],
    );
    check(
        402,
        &held(reason),
        expect![
            "no_credit (retry after 5000 ms): acme says that the credit is short: held. Other calls hold it for the moment; a later try helps, and so does a top-up."
        ],
    );
    check(
        402,
        &held(json!({"reason": "weight_exceeds_budget", "limit_source": "openrouter_credits"})),
        expect![
            "no_credit (no retry): acme says that the credit is short: held. Top up, raise the key's limit or ask for fewer tokens."
        ],
    );
}

#[test]
fn limits_are_read_in_headers_and_in_the_complaint() {
    let body = |more: Value| {
        json!({"error": {"code": 429, "message": "slow", "metadata": more}}).to_string()
    };
    check_with(
        429,
        &[("x-ratelimit-reset", "1790000060000")],
        &body(Value::Null),
        expect![
            "rate_limited (retry after 60000 ms): acme asks to slow down: slow. A later try helps; if this goes on, let fewer agents call it at once or use another model."
        ],
    );
    check(
        429,
        &body(json!({"headers": {"X-RateLimit-Reset": "1790000060000", "Retry-After": "7"}})),
        expect![
            "rate_limited (retry after 7000 ms): acme asks to slow down: slow. A later try helps; if this goes on, let fewer agents call it at once or use another model."
        ],
    );
    check_with(
        429,
        &[("retry-after", "2")],
        &body(json!({"headers": {"X-RateLimit-Reset": "1790000060000"}})),
        expect![
            "rate_limited (retry after 2000 ms): acme asks to slow down: slow. A later try helps; if this goes on, let fewer agents call it at once or use another model."
        ],
    );
    check_with(
        429,
        &[("retry-after", "2")],
        &json!({"error": {"code": 429, "message": "limit_rpd/m/x"}}).to_string(),
        expect![
            "daily_limit (no retry): acme allows no more calls today: limit_rpd/m/x. Calls are allowed again at 2026-09-21T14:13:22Z."
        ],
    );
}

#[test]
fn words_tell_what_a_wrong_request_is_about() {
    let body = |message: &str| json!({"error": {"code": 400, "message": message}}).to_string();
    check(
        400,
        &body("This model's maximum context length is 4096 tokens"),
        expect![
            "context_too_long (no retry): The conversation is too long for m at acme: This model's maximum context length is 4096 tokens. Shorten the prompt or choose a model with a larger context."
        ],
    );
    check(
        400,
        &body("acme/none is not a valid model ID"),
        expect![
            "no_model (no retry): acme has no model m for this request: acme/none is not a valid model ID. Choose another model."
        ],
    );
    check(
        400,
        &body("image is broken"),
        expect![
            "bad_request (no retry): acme did not understand the request (status 400): image is broken. Check model, tools and limits of this step."
        ],
    );
    check(
        400,
        r#"{"error":{"message":"x","availability":{"code":"model_not_found","retryable":false}}}"#,
        expect![
            "no_model (no retry): acme has no model m for this request: x. Choose another model."
        ],
    );
    check(
        400,
        r#"[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}]"#,
        expect![
            "bad_key (no retry): acme does not accept the key: API key not valid. Set a valid key in Settings, under Providers."
        ],
    );
    check(
        403,
        r#"{"error":{"code":403,"message":"guardrail","metadata":{"patterns":["card number"]}}}"#,
        expect![[
            r#"refused (no retry): acme refused the request: guardrail (patterns ["card number"]). Change the prompt or the provider's rules."#
        ]],
    );
    check(
        502,
        r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"raw":{"error":{"message":"boom"}},"previous_errors":[{"provider":"A","code":429}]}}}"#,
        expect![
            "provider_failed (retry): acme failed (status 502): Provider returned error (boom). A retry often helps."
        ],
    );
}

#[test]
fn whoever_is_no_model_server_has_a_wrong_address() {
    check(
        404,
        "<!doctype html><html><title>404 Not Found</title></html>",
        expect![
            "wrong_address (no retry): acme answers no chats at its address (status 404): a web page, “404 Not Found”. Correct the address in Settings, under Providers; it often ends with /v1."
        ],
    );
    check(
        404,
        "404 page not found",
        expect![
            "wrong_address (no retry): acme answers no chats at its address (status 404): 404 page not found. Correct the address in Settings, under Providers; it often ends with /v1."
        ],
    );
    check(
        404,
        r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
        expect![
            "wrong_address (no retry): acme answers no chats at its address (status 404): File Not Found. Correct the address in Settings, under Providers; it often ends with /v1."
        ],
    );
    check(
        405,
        "",
        expect![
            "wrong_address (no retry): acme answers no chats at its address (status 405): no explanation. Correct the address in Settings, under Providers; it often ends with /v1."
        ],
    );
    check(
        500,
        "<html><body><h1>It broke</h1></body></html>",
        expect![
            "provider_failed (retry): acme failed (status 500): a web page, “It broke”. A retry often helps."
        ],
    );
    check(
        400,
        "plain HTTP request was sent to HTTPS port",
        expect![
            "bad_request (no retry): acme did not understand the request (status 400): plain HTTP request was sent to HTTPS port. Check model, tools and limits of this step."
        ],
    );
}

/// A body of every shape for every status that the table of errors knows: class and fault.
#[test]
fn every_status_has_its_class_whatever_the_body() {
    let classes = [
        (400, "bad_request", false),
        (401, "bad_key", false),
        (402, "no_credit", false),
        (403, "refused", false),
        (408, "provider_failed", true),
        (409, "provider_failed", true),
        (412, "bad_request", false),
        (413, "bad_request", false),
        (422, "bad_request", false),
        (425, "provider_failed", true),
        (429, "rate_limited", true),
        (500, "provider_failed", true),
        (502, "provider_failed", true),
        (503, "provider_failed", true),
        (504, "provider_failed", true),
        (524, "provider_failed", true),
        (529, "provider_failed", true),
        (599, "provider_failed", true),
    ];
    for (status, code, retryable) in classes {
        let number = json!({"error": {"code": status, "message": "x"}}).to_string();
        let text =
            json!({"error": {"code": status.to_string(), "message": "x", "type": "y"}}).to_string();
        for body in [
            number.as_str(),
            &text,
            r#"{"error":{"message":"x","type":null,"param":null,"code":null}}"#,
            r#"{"error":{"metadata":{"raw":"x"}}}"#,
            r#"{"error":"x"}"#,
            r#"{"error":{"error":"x"}}"#,
            r#"[{"error":{"message":"x"}}]"#,
            r#"{"detail":"x"}"#,
            r#"{"detail":[{"msg":"x"}]}"#,
            r#"{"object":"error","message":"x"}"#,
            r#"{"message":"x"}"#,
            "<html><head><title>x</title></head></html>",
            "",
            " \r\n",
            "null",
            "{",
        ] {
            let error = of_response(&asked(), status, body, Hints::default());
            assert_eq!(
                (error.code(), error.retryable()),
                (code, retryable),
                "{status} {body}"
            );
            let said = error.to_string();
            assert!(said.starts_with("acme ") && said.ends_with('.'), "{said}");
        }
    }
}

#[test]
fn neither_key_nor_control_character_is_in_a_complaint() {
    for body in [
        "Authorization: Bearer sk-secret-1 \u{1b}[31m",
        r#"{"error":{"message":"you sent sk-secret-1 \u001b[31m to http://me:pass@host/"}}"#,
        r#"{"error":{"message":"x","metadata":{"raw":"Incorrect API key sk-proj-0123456789abcdef"}}}"#,
        r#"{"sk-secret-1":1}"#,
    ] {
        let said = of_response(&asked(), 400, body, Hints::default()).to_string();
        assert!(said.contains("[key]"), "{said}");
        for hidden in ["secret-1", "me:pass", "sk-proj", "\u{1b}"] {
            assert!(!said.contains(hidden), "{hidden} in {said}");
        }
    }
}

#[test]
fn a_limit_of_spending_says_how_much_and_until_when() {
    check(
        403,
        r#"{"error":{"code":403,"message":"budget reached","metadata":{"limit_source":"workspace","scope":"member","limit_usd":20,"spend_usd":20.01,"resets_at":"2026-10-01T00:00:00Z"}}}"#,
        expect![
            "no_credit (no retry): acme says that the credit is short: budget reached (limit $20, spent $20.01, room again at 2026-10-01T00:00:00Z). Top up, raise the key's limit or ask for fewer tokens."
        ],
    );
    check(
        402,
        r#"{"error":{"code":402,"message":"key limit","metadata":{"limit_source":"openrouter_key_limit","remedy_hint":"raise the limit of this key"}}}"#,
        expect![
            "no_credit (no retry): acme says that the credit is short: key limit (raise the limit of this key). Top up, raise the key's limit or ask for fewer tokens."
        ],
    );
    check(
        429,
        r#"{"error":{"code":429,"message":"Rate limit exceeded: free-models-per-day-high-balance"}}"#,
        expect![
            "daily_limit (no retry): acme allows no more calls today: Rate limit exceeded: free-models-per-day-high-balance. Try again tomorrow or use another model."
        ],
    );
}

#[test]
fn codes_of_availability_mean_what_they_name() {
    let meant = |status: u16, code: &str, retryable: bool| {
        let body = json!({"error": {"message": "no", "availability": {"code": code, "retryable": retryable}}});
        let error = of_response(&asked(), status, &body.to_string(), Hints::default());
        // The same inside a success has no status of its own.
        let inside = complaint_in(&body).expect("a complaint");
        let inside = of_complaint(&asked(), None, inside, Hints::default());
        assert_eq!(
            (inside.code(), inside.retryable()),
            (error.code(), error.retryable()),
            "{code}"
        );
        format!("{status} {code} {retryable}: {}", error.code())
    };
    let lines: Vec<String> = [
        (400, "model_not_found", false),
        (400, "wrong_endpoint", false),
        (404, "no_endpoints", false),
        (404, "model_deprecated", false),
        (404, "model_unavailable_upstream", false),
        (404, "model_unavailable_upstream", true),
        (404, "privacy_restricted", false),
        (404, "constraint_filtered", false),
        (404, "free_variant_ended", false),
        (429, "capacity_exhausted", true),
        (503, "temporarily_unavailable", true),
        (403, "region_restricted", false),
        (403, "region_restricted", true),
    ]
    .into_iter()
    .map(|(status, code, retryable)| meant(status, code, retryable))
    .collect();
    expect![[r#"
        400 model_not_found false: no_model
        400 wrong_endpoint false: no_model
        404 no_endpoints false: no_model
        404 model_deprecated false: no_model
        404 model_unavailable_upstream false: no_model
        404 model_unavailable_upstream true: provider_failed
        404 privacy_restricted false: no_model
        404 constraint_filtered false: no_model
        404 free_variant_ended false: no_model
        429 capacity_exhausted true: rate_limited
        503 temporarily_unavailable true: provider_failed
        403 region_restricted false: no_model
        403 region_restricted true: provider_failed"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn names_of_errors_are_more_exact_than_a_status() {
    let meant = |name: &str| {
        let body =
            json!({"error": {"code": 400, "message": "no", "metadata": {"error_type": name}}});
        let error = of_response(&asked(), 400, &body.to_string(), Hints::default());
        format!("{name}: {}", error.code())
    };
    let names = [
        "context_length_exceeded",
        "max_tokens_exceeded",
        "token_limit_exceeded",
        "string_too_long",
        "content_policy_violation",
        "refusal",
        "invalid_request",
        "invalid_prompt",
        "authentication",
        "payment_required",
        "image_too_large",
    ];
    expect![[r#"
        context_length_exceeded: context_too_long
        max_tokens_exceeded: bad_request
        token_limit_exceeded: context_too_long
        string_too_long: context_too_long
        content_policy_violation: refused
        refusal: refused
        invalid_request: bad_request
        invalid_prompt: bad_request
        authentication: bad_key
        payment_required: no_credit
        image_too_large: bad_request"#]]
    .assert_eq(&names.map(meant).join("\n"));
}

#[test]
fn a_wait_may_stand_in_the_reset_alone() {
    check_with(
        503,
        &[("x-ratelimit-reset", "1790000060000")],
        "",
        expect![
            "provider_failed (retry after 60000 ms): acme failed (status 503): no explanation. A retry often helps."
        ],
    );
    check_with(
        403,
        &[("x-should-retry", "true")],
        "",
        expect![
            "provider_failed (retry): acme failed (status 403): no explanation. A retry often helps."
        ],
    );
}

#[test]
fn a_limit_behind_the_provider_concerns_that_model_alone() {
    let trouble = |metadata: Value| {
        let body = json!({"error": {"code": 429, "message": "slow", "metadata": metadata}});
        of_response(&asked(), 429, &body.to_string(), Hints::default()).trouble()
    };
    for own in [
        json!({"raw": "m:free is temporarily rate-limited upstream", "provider_name": "Acme"}),
        json!({"limit_source": "upstream_provider_shared_pool"}),
        json!({"limit_source": "openrouter_shared_capacity"}),
    ] {
        assert_eq!(trouble(own), Trouble::Crowded);
    }
    for all in [
        Value::Null,
        json!({"limit_source": "openrouter_free_tier_per_minute", "provider_name": null}),
    ] {
        assert_eq!(trouble(all), Trouble::Busy);
    }
}

#[test]
fn the_end_of_a_limit_is_no_wait_where_no_limit_is_passed() {
    let reset = [("x-ratelimit-reset", "1790090000000")];
    for (status, waits) in [(500, false), (502, false), (503, true), (429, true)] {
        let hints = Hints::of(&headers(&reset), NOW);
        let error = of_response(&asked(), status, "", hints);
        assert_eq!(error.retry_after_ms().is_some(), waits, "{status}");
    }
}
