use super::*;

fn given(pairs: &[(&str, &str)]) -> Result<HeaderMap, OutboundError> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    read(&pairs, None, Wants::Text, "run:task:1")
}

#[test]
fn headers_that_are_not_the_workflows_are_refused_with_a_reason() {
    for (name, value, reason) in [
        ("Host", "a.test", "comes from the URL"),
        ("content-length", "3", "counted from the body"),
        ("Connection", "close", "about the connection"),
        ("Keep-Alive", "1", "about the connection"),
        ("Proxy-Authorization", "x", "about the connection"),
        ("Proxy-Connection", "x", "about the connection"),
        ("TE", "trailers", "about the connection"),
        ("Trailer", "x", "about the connection"),
        ("Transfer-Encoding", "chunked", "about the connection"),
        ("Upgrade", "websocket", "about the connection"),
        ("Expect", "100-continue", "sent at once"),
        ("Accept-Encoding", "gzip", "not unpacked"),
        ("Idempotency-Key", "mine", "the same on every repeat"),
        ("X\r\nHost", "a", "no header name has"),
        ("X: Y", "a", "no header name has"),
        (":authority", "a", "no header name has"),
        ("", "a", "no header name has"),
        ("X", "a\r\nHost: evil", "line break"),
        ("X", "a\n", "line break"),
        ("X", "a\0b", "line break"),
        ("X", "a\x7f", "line break"),
    ] {
        let told = given(&[(name, value)]).expect_err(name).to_string();
        assert!(told.contains(reason), "{name:?}: {told}");
        assert!(!told.contains(['\r', '\n', '\0']), "{told:?}");
        assert!(
            value.len() < 4 || !told.contains(value),
            "a value is shown: {told}"
        );
    }
}

#[test]
fn too_many_and_too_long_headers_are_refused() {
    let many = vec![("x", "y"); MAX_HEADERS + 1];
    let told = given(&many).expect_err("too many").to_string();
    assert!(told.contains("there are 101, and at most 100"), "{told}");
    assert!(given(&many[1..]).is_ok());
    let long = "y".repeat(MAX_HEADER_BYTES);
    let told = given(&[("x", &long)]).expect_err("too long").to_string();
    assert!(told.contains("65537 bytes"), "{told}");
}

#[test]
fn values_are_kept_and_not_printed() {
    let headers = given(&[("x-a", " ö b\t"), ("X-A", "second"), ("Accept", "text/csv")]);
    let headers = headers.expect("headers");
    let all: Vec<_> = headers
        .get_all("x-a")
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    assert_eq!(all, ["ö b".as_bytes(), b"second"]);
    assert_eq!(headers[ACCEPT], "text/csv");
    assert_eq!(headers[ACCEPT_ENCODING], "identity");
    assert_eq!(headers[IDEMPOTENCY_KEY], "run:task:1");
    let printed = format!("{headers:?}");
    assert!(
        !printed.contains("second") && !printed.contains("csv"),
        "{printed}"
    );
}

#[test]
fn a_body_without_a_type_gets_the_one_it_looks_like() {
    for (body, kind) in [
        (r#" {"a": 1}"#, "application/json"),
        ("[]", "application/json"),
        ("{not json}", "text/plain; charset=utf-8"),
        ("12", "text/plain; charset=utf-8"),
    ] {
        let headers = read(&[], Some(body), Wants::Json, "k").expect("headers");
        assert_eq!(headers[CONTENT_TYPE], kind, "{body}");
        assert_eq!(headers[ACCEPT], "application/json");
    }
}

#[test]
fn secrets_do_not_go_to_another_server() {
    let mut headers = given(&[
        ("Authorization", "Bearer abc"),
        ("Cookie", "a=b"),
        ("X-Api-Key", "abc"),
        ("PRIVATE-TOKEN", "abc"),
        ("X-Trace", "abc"),
    ])
    .expect("headers");
    drop_secrets(&mut headers);
    let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            "accept",
            "accept-encoding",
            "idempotency-key",
            "user-agent",
            "x-trace"
        ]
    );
}
