use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

async fn answer(raw: &str, wants: Wants) -> String {
    let server = Server::answering("127.0.0.2", &[raw]).await;
    let request = Request {
        wants,
        ..get(&server.url("/a?key=hidden"))
    };
    told(&ask(request).await).replace(&server.address.to_string(), "SERVER")
}

fn page(head: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn an_answer_has_status_headers_and_body() {
    let raw = "HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 7\r\n\r\n{\"b\":2}";
    let server = Server::answering("127.0.0.2", &[raw]).await;
    let request = Request {
        wants: Wants::Json,
        ..post(&server.url("/a?b=c#d"), r#"{"x": 1}"#, &[("X-B", "ö")])
    };
    let answer = ask(request).await.expect("an answer");
    assert_eq!(
        serde_json::to_value(answer).expect("JSON"),
        json!({"status": 201, "headers": {"x-a": "1, 2", "set-cookie": "a=b\nc=d", "content-length": "7"}, "body": {"b": 2}})
    );
    let sent = server.request(0);
    assert!(sent.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{sent}");
    for line in [
        "x-b: ö",
        "accept: application/json",
        "accept-encoding: identity",
        "content-type: application/json",
        "content-length: 8",
        "idempotency-key: run-1:fetch:1",
    ] {
        assert!(sent.contains(&format!("\r\n{line}\r\n")), "{line}: {sent}");
    }
    assert_eq!(sent.matches("\r\nhost: ").count(), 1);
}

#[tokio::test]
async fn bodies_are_read_as_wanted() {
    for (raw, wants, end) in [
        (page("200 OK", "ü"), Wants::Text, "200 \"ü\""),
        (page("200 OK", "\u{feff}[1]"), Wants::Text, "200 \"[1]\""),
        (page("200 OK", "\u{feff}[1]"), Wants::Json, "200 [1]"),
        (page("200 OK", ""), Wants::Text, "200 \"\""),
        (
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Wants::Json,
            "204 null",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".to_owned(),
            Wants::Text,
            "200 \"hi\"",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\nuntil the end".to_owned(),
            Wants::Text,
            "200 \"until the end\"",
        ),
        (
            page("200 OK\r\nContent-Encoding: identity", "hi"),
            Wants::Text,
            "200 \"hi\"",
        ),
    ] {
        assert_eq!(answer(&raw, wants).await, end, "{raw}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_told_with_its_beginning() {
    assert_eq!(
        answer(
            &page("200 OK\r\nContent-Type: text/html", "<p>\r\nLogin"),
            Wants::Json
        )
        .await,
        "lasting http_answer_not_json: http://SERVER answered with status 200, but what it sent (text/html) is no JSON: \
         expected value at line 1 column 1. It begins: \"<p> Login\". Set the step's output to text, or ask that server for JSON."
    );
    let empty = answer(&page("200 OK", ""), Wants::Json).await;
    assert!(
        empty.contains("(of no stated type) is no JSON: EOF"),
        "{empty}"
    );
    let deep = answer(&page("200 OK", &"[".repeat(500)), Wants::Json).await;
    assert!(deep.contains("recursion limit exceeded"), "{deep}");
}

#[tokio::test]
async fn the_status_says_whether_waiting_helps() {
    for (head, begin) in [
        (
            "400 Bad",
            "lasting http_status: http://SERVER answered with status 400: no. It does not accept",
        ),
        (
            "401 No",
            "lasting http_status: http://SERVER answered with status 401: no. It does not let",
        ),
        (
            "404 No",
            "lasting http_status: http://SERVER answered with status 404: no. There is nothing",
        ),
        (
            "409 No\r\nRetry-After: 9",
            "lasting http_status: http://SERVER",
        ),
        (
            "408 Late",
            "passing http_status: http://SERVER answered with status 408",
        ),
        ("425 Early", "passing http_status: http://SERVER"),
        (
            "429 Slow\r\nRetry-After: 7",
            "passing http_status after 7000 ms: http://SERVER answered with status 429: no. It asks to come later",
        ),
        (
            "429 Slow\r\nRetry-After: 1.5",
            "passing http_status after 1500 ms",
        ),
        ("429 Slow\r\nRetry-After: soon", "passing http_status: "),
        ("429 Slow\r\nRetry-After: -1", "passing http_status: "),
        (
            "500 Oops",
            "passing http_status: http://SERVER answered with status 500: no. That server failed",
        ),
        (
            "503 Busy\r\nRetry-After: Thu, 01 Jan 2026 00:01:00 GMT",
            "passing http_status after 60000 ms",
        ),
        (
            "503 Busy\r\nRetry-After: Wed, 31 Dec 2025 00:00:00 GMT",
            "passing http_status after 0 ms",
        ),
        ("599 What", "passing http_status: "),
    ] {
        let told = answer(&page(head, "no."), Wants::Json).await;
        assert!(told.starts_with(begin), "{head}: {told}");
        assert!(!told.contains("hidden"), "{told}");
    }
    let bare = answer(&page("404 No", " \r\n "), Wants::Text).await;
    assert!(bare.contains("404: (no explanation). There"), "{bare}");
}

#[tokio::test]
async fn an_explanation_is_short_clean_and_without_secrets() {
    let body = format!("bad key sk-secret-1\r\n\x1b[31m{}", "x".repeat(70_000));
    let server = Server::answering("127.0.0.2", &[&page("403 No", &body)]).await;
    let request = post(
        &server.url("/"),
        "b",
        &[("Authorization", "Bearer sk-secret-1")],
    );
    let printed = format!("{request:?}");
    assert!(
        printed.contains("Authorization") && !printed.contains("sk-secret"),
        "{printed}"
    );
    let error = ask(request).await.expect_err("403");
    let xs = error.message.matches('x').count();
    assert!(
        error.message.contains("403: bad key [hidden] [31mxxx"),
        "{}",
        error.message
    );
    assert!((250..300).contains(&xs), "{xs}");
    // An explanation that breaks off is still one.
    let cut = answer(
        "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf",
        Wants::Text,
    )
    .await;
    assert!(
        cut.starts_with("passing http_status: http://SERVER answered with status 500: half. "),
        "{cut}"
    );
}

#[tokio::test]
async fn large_bodies_are_not_kept() {
    let (fits, large) = ("y".repeat(1_000), "y".repeat(1_001));
    assert_eq!(
        answer(&page("200 OK", &fits), Wants::Text).await,
        format!("200 \"{fits}\"")
    );
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{large}\r\n0\r\n\r\n");
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "y".repeat(100_000));
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_owned();
    for raw in [page("200 OK", &large), chunked, endless, announced] {
        let told = answer(&raw, Wants::Text).await;
        assert!(told.starts_with("lasting http_answer_too_large: The answer from http://SERVER is larger than 1000 bytes"), "{told}");
    }
}

#[tokio::test]
async fn what_is_compressed_is_not_unpacked() {
    for coding in ["gzip", "br", "deflate, gzip"] {
        let raw = page(&format!("200 OK\r\nContent-Encoding: {coding}"), "\x1f");
        let told = answer(&raw, Wants::Text).await;
        assert!(
            told.starts_with("lasting http_answer_compressed: "),
            "{told}"
        );
        assert!(told.contains(coding), "{told}");
    }
    let told = answer(
        &page("502 No\r\nContent-Encoding: gzip", "\x1f"),
        Wants::Text,
    )
    .await;
    assert!(
        told.contains("status 502: (its explanation is compressed)"),
        "{told}"
    );
}

#[tokio::test]
async fn answers_that_are_none_may_be_asked_for_again() {
    let many = "a: b\r\n".repeat(101);
    for raw in [
        "".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Le".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal".to_owned(),
        "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(600_000)),
    ] {
        let told = answer(&raw, Wants::Text).await;
        assert!(
            told.starts_with("passing http_no_answer: http://SERVER gave no whole answer: "),
            "{told}"
        );
        assert!(!told.contains("hidden"), "{told}");
    }
}

#[tokio::test]
async fn a_head_has_no_body() {
    let raw = "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\nContent-Encoding: gzip\r\n\r\n";
    let server = Server::answering("127.0.0.2", &[raw]).await;
    let request = Request {
        method: "head".to_owned(),
        ..get(&server.url("/"))
    };
    assert_eq!(told(&ask(request).await), "200 \"\"");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is_sent() {
    let server = Server::answering("127.0.0.2", &[]).await;
    let url = server.url("/");
    for (request, code) in [
        (post(&url, &"b".repeat(1_001), &[]), "http_body_too_large"),
        (post(&url, "b", &[("Host", "a.test")]), "http_bad_header"),
        (post("ftp://a.test", "b", &[]), "http_bad_url"),
        (post("http://127.0.0.1/", "b", &[]), "http_address_refused"),
        (
            Request {
                method: "CONNECT".to_owned(),
                ..get(&url)
            },
            "http_bad_method",
        ),
        (
            Request {
                method: "TRACE".to_owned(),
                ..get(&url)
            },
            "http_bad_method",
        ),
        (
            Request {
                method: "GET / HTTP/1.1\r\nX: y".to_owned(),
                ..get(&url)
            },
            "http_bad_method",
        ),
        (
            Request {
                idempotency_key: "a\r\nb".to_owned(),
                ..get(&url)
            },
            "http_bad_header",
        ),
    ] {
        let error = ask(request).await.expect_err(code);
        assert_eq!(
            (error.code.as_str(), error.retryable),
            (code, false),
            "{}",
            error.message
        );
        assert!(!error.message.contains(['\r', '\n']), "{}", error.message);
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn who_is_not_there_may_come_back() {
    let server = Server::answering("127.0.0.2", &[]).await;
    let url = server.url("/a?key=hidden");
    drop(server);
    // The listener is closed when the server's task ends.
    tokio::task::yield_now().await;
    let told = told(&ask(get(&url)).await);
    assert!(
        told.starts_with("passing http_unreachable: http://127.0.0.2:"),
        "{told}"
    );
    assert!(
        told.contains("refused") && !told.contains("hidden"),
        "{told}"
    );
}

#[tokio::test]
async fn https_speaks_to_nobody_who_cannot_prove_himself() {
    let listener = TcpListener::bind("127.0.0.2:0").await.expect("a port");
    let url = format!("https://{}/", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut heard = Vec::new();
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nhi").await;
        // The client hangs up, in order or not.
        let _ = socket.read_to_end(&mut heard).await;
        heard
    });
    let told = told(&ask(post(&url, "payload", &[])).await);
    assert!(
        told.starts_with("passing http_unreachable: https://127.0.0.2:"),
        "{told}"
    );
    let heard = String::from_utf8_lossy(&server.await.expect("no panic")).into_owned();
    assert!(!heard.is_empty() && !heard.contains("payload"), "{heard}");
}
