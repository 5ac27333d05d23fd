use super::*;

fn moved(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

const DONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";

const SECRETS: &[(&str, &str)] = &[
    ("Authorization", "Bearer abc"),
    ("Cookie", "a=b"),
    ("X-Api-Key", "abc"),
    ("X-Trace", "t"),
    ("Content-Type", "text/x-mine"),
];

#[tokio::test]
async fn the_status_says_whether_method_and_body_stay() {
    for (status, method, line, has_body) in [
        (301, "POST", "GET /b ", false),
        (302, "POST", "GET /b ", false),
        (303, "POST", "GET /b ", false),
        (303, "PUT", "GET /b ", false),
        (302, "HEAD", "HEAD /b ", false),
        (307, "POST", "POST /b ", true),
        (308, "PUT", "PUT /b ", true),
    ] {
        let server = Server::answering("127.0.0.2", &[&moved(status, "/b"), DONE]).await;
        let request = Request {
            method: method.to_owned(),
            ..post(&server.url("/a"), "payload", SECRETS)
        };
        let answer = ask(request).await.expect("an answer");
        assert_eq!(answer.status, 200, "{status} {method}");
        let second = server.request(1);
        assert!(second.starts_with(line), "{status} {method}: {second}");
        assert_eq!(
            second.ends_with("payload"),
            has_body,
            "{status} {method}: {second}"
        );
        assert_eq!(
            second.contains("text/x-mine"),
            has_body,
            "{status} {method}: {second}"
        );
        // The same server: it may have what was meant for it.
        assert!(second.contains("authorization: Bearer abc"), "{second}");
        for request in server.requests() {
            assert!(
                request.contains("\r\nidempotency-key: run-1:fetch:1\r\n"),
                "{request}"
            );
            assert!(!request.contains("referer"), "{request}");
        }
    }
}

#[tokio::test]
async fn secrets_stay_behind_when_the_origin_changes() {
    let second = Server::answering("127.0.0.3", &[DONE]).await;
    let first = Server::answering("127.0.0.2", &[&moved(307, &second.url("/b"))]).await;
    ask(post(&first.url("/a"), "payload", SECRETS))
        .await
        .expect("an answer");
    assert!(first.request(0).contains("Bearer abc"));
    let sent = second.request(0);
    assert!(
        sent.starts_with("POST /b ") && sent.ends_with("payload"),
        "{sent}"
    );
    assert!(sent.contains("x-trace: t") && sent.contains("idempotency-key: run-1:fetch:1"));
    for secret in ["authorization", "cookie", "x-api-key"] {
        assert!(!sent.contains(secret), "{secret}: {sent}");
    }
}

#[tokio::test]
async fn every_redirect_is_looked_at() {
    let victim = Server::answering("127.0.0.1", &[DONE]).await;
    let own = victim.url("/");
    for (location, reason) in [
        (
            "http://169.254.169.254/latest/",
            "169.254.169.254, where clouds hand out keys",
        ),
        (
            "http://0xa9fea9fe/",
            "169.254.169.254, where clouds hand out keys",
        ),
        (
            "//169.254.169.254/",
            "169.254.169.254, where clouds hand out keys",
        ),
        (own.as_str(), "127.0.0.1, this machine itself"),
        (
            "http://[::ffff:127.0.0.1]/",
            "an IPv4 address written as IPv6",
        ),
        (
            "http://inside.test/",
            "10.0.0.1, an address of a private network",
        ),
        ("file:///etc/passwd", "http:// or https://"),
        ("gopher://127.0.0.1/_x", "http:// or https://"),
        ("http://user:pass@127.0.0.3/", "user name or password"),
        ("http://a.test\\@127.0.0.3/", "backslash"),
        ("http://[fe80::1%25eth0]/", "invalid IPv6"),
    ] {
        for status in [301, 302, 303, 307, 308] {
            let server = Server::answering("127.0.0.2", &[&moved(status, location)]).await;
            let inside = vec!["10.0.0.1".parse().expect("an address")];
            let outbound = outbound(FixedResolver::of([("inside.test", inside)]), small());
            let request = post(&server.url("/a"), "payload", &[]);
            let told = told(&outbound.request(request, CancellationToken::new()).await);
            assert!(told.contains(reason), "{status} {location}: {told}");
            assert!(told.starts_with("lasting http_"), "{told}");
            assert!(told.contains("http://127.0.0.2:"), "who redirected: {told}");
        }
    }
    assert!(victim.requests().is_empty());
}

#[tokio::test]
async fn five_redirects_are_followed_and_not_six() {
    for (count, end) in [(5, "200 \"done\""), (6, "lasting http_bad_redirect: ")] {
        let mut answers = vec![moved(302, "/again"); count];
        answers.push(DONE.to_owned());
        let answers: Vec<_> = answers.iter().map(String::as_str).collect();
        let server = Server::answering("127.0.0.2", &answers).await;
        let told = told(&ask(get(&server.url("/"))).await);
        assert!(told.starts_with(end), "{told}");
        assert_eq!(server.requests().len(), 6);
    }
}

#[test]
fn what_was_encrypted_does_not_go_on_in_the_clear() {
    let start = || Ask::check(get("https://127.0.0.2/a"), &small()).expect("a request");
    let see_other = reqwest::StatusCode::SEE_OTHER;
    let refused = start()
        .redirected(see_other, "http://127.0.0.2/a")
        .err()
        .expect("refused");
    assert!(
        refused.to_string().contains("from https to http"),
        "{refused}"
    );
    assert!(start().redirected(see_other, "//127.0.0.3/").is_ok());
    let clear = Ask::check(get("http://127.0.0.2/a"), &small()).expect("a request");
    assert!(clear.redirected(see_other, "https://127.0.0.2/a").is_ok());
}

#[tokio::test]
async fn a_status_without_a_place_to_go_is_an_answer() {
    for head in [
        "302 Found\r\nContent-Length: 2",
        "300 Many\r\nLocation: http://127.0.0.1/\r\nContent-Length: 2",
        "305 Proxy\r\nLocation: http://127.0.0.1/\r\nContent-Length: 2",
        "201 Created\r\nLocation: http://127.0.0.1/\r\nContent-Length: 2",
        "200 OK\r\nRefresh: 0; url=http://127.0.0.1/\r\nContent-Length: 2",
    ] {
        let server = Server::answering("127.0.0.2", &[&format!("HTTP/1.1 {head}\r\n\r\nhi")]).await;
        let told = told(&ask(get(&server.url("/"))).await);
        assert_eq!(told, format!("{} \"hi\"", &head[..3]));
    }
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_looked_at() {
    let good = Server::answering("127.0.0.2", &[DONE]).await;
    let port = good.address.port();
    // The same port on the address that the name moves to.
    let trap = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("the same port");
    let (first, then) = (
        "127.0.0.2".parse().expect("one"),
        "127.0.0.1".parse().expect("two"),
    );
    let names = FixedResolver::of([("rebind.test", vec![first]), ("rebind.test", vec![then])]);
    let outbound = outbound(names.clone(), small());
    let url = format!("http://rebind.test:{port}/");
    let answer = outbound.request(get(&url), CancellationToken::new()).await;
    assert_eq!(told(&answer), "200 \"done\"");
    assert_eq!(names.asked("rebind.test"), 1);
    assert!(
        good.request(0)
            .contains(&format!("host: rebind.test:{port}\r\n"))
    );
    let answer = outbound.request(get(&url), CancellationToken::new()).await;
    assert!(
        told(&answer).starts_with("lasting http_address_refused: rebind.test leads to 127.0.0.1")
    );
    let knock = tokio::time::timeout(Duration::from_millis(50), trap.accept()).await;
    assert!(knock.is_err(), "somebody came");
}

#[tokio::test]
async fn a_name_that_moves_between_redirects_is_looked_at_again() {
    let (first, then) = (
        "127.0.0.2".parse().expect("one"),
        "127.0.0.1".parse().expect("two"),
    );
    let server = Server::answering("127.0.0.2", &[&moved(307, "/b"), DONE]).await;
    let names = FixedResolver::of([("rebind.test", vec![first]), ("rebind.test", vec![then])]);
    let url = format!("http://rebind.test:{}/a", server.address.port());
    let outbound = outbound(names, small());
    let told = told(
        &outbound
            .request(post(&url, "b", &[]), CancellationToken::new())
            .await,
    );
    assert!(
        told.contains("redirected this request. rebind.test leads to 127.0.0.1"),
        "{told}"
    );
    assert_eq!(server.requests().len(), 1);
}
