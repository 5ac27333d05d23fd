use expect_test::{Expect, expect};
use reqwest::header::{HeaderName, HeaderValue};
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
            "no_credit (retry after 3000 ms): acme says that the credit is short: requires more credits, or fewer max_tokens. Top up, raise the key's limit or ask for fewer tokens."
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
            "rate_limited (retry after 60000 ms): acme asks to slow down: Rate limit exceeded: free-models-per-min."
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
            "rate_limited (retry): acme asks to slow down: Provider returned error (m:free is temporarily rate-limited upstream)."
        ],
    );
    check(
        429,
        "",
        expect!["rate_limited (retry): acme asks to slow down: no explanation."],
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
            "provider_failed (retry): acme failed (status 524): <html><body>A timeout occurred</body></html>. A retry often helps."
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
            "no_model (no retry): acme has no model m for this request: Not Found. Choose another model."
        ],
    );
    check(
        302,
        "",
        expect![
            "bad_request (no retry): acme did not understand the request (status 302): it answered with a redirect, so its address is not the real one. Check model, tools and limits of this step."
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
        rate_limited (retry): acme asks to slow down: slow.
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
