//! Against a server of bare TCP, because what matters is where bytes are cut and connections end.

use std::sync::Mutex;

use domain::money::MicroUsd;
use futures::TryStreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use super::*;
use crate::{
    clock::{Clock, SystemClock},
    llm::{ChatMessage, Chunk, CostIs},
};

/// A server that answers each connection with the next script and keeps what it was sent.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn answering(scripts: Vec<Vec<u8>>, piece: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        let task = tokio::spawn(async move {
            for script in scripts {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let request = read_request(&mut socket).await;
                kept.lock().expect("not poisoned").push(request);
                for bytes in script.chunks(piece) {
                    // Whoever asked may be gone already.
                    let _ = socket.write_all(bytes).await;
                    let _ = socket.flush().await;
                    tokio::task::yield_now().await;
                }
                let _ = socket.shutdown().await;
            }
        });
        Self {
            url: format!("http://{address}/v1"),
            requests,
            task,
        }
    }

    fn request(&self, at: usize) -> String {
        self.requests.lock().expect("not poisoned")[at].clone()
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = socket.read(&mut buffer).await.expect("bytes");
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_lowercase()
                        .strip_prefix("content-length: ")
                        .map(str::to_owned)
                })
                .map_or(0, |length| length.parse().expect("a length"));
            if body.len() >= length {
                return text;
            }
        }
        assert!(count > 0, "the request ended early: {text}");
    }
}

fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

fn settings(url: &str, kind: ProviderKind, key: Option<&str>) -> Settings {
    Settings {
        name: "acme".into(),
        kind,
        base_url: url.into(),
        key: key.map(ApiKey::new),
        default_model: None,
        app_url: Some("http://localhost:3000".into()),
        timeouts: Timeouts::default(),
        reach: Reach::Anywhere,
        clock: Arc::new(SystemClock),
    }
}

fn client(url: &str, kind: ProviderKind, key: Option<&str>) -> OpenAi {
    OpenAi::new(settings(url, kind, key)).expect("good settings")
}

fn request() -> ChatRequest {
    ChatRequest {
        model: "acme/echo-2".into(),
        messages: vec![ChatMessage::User("Grüße 🎭".into())],
        idempotency_key: "run:task:1".into(),
        ..ChatRequest::default()
    }
}

async fn call(client: &OpenAi, request: ChatRequest) -> Result<Vec<Chunk>, LlmError> {
    client
        .stream(request, CancellationToken::new())
        .try_collect()
        .await
}

const STREAM: &str = ": WAIT\r\n\r\ndata: {\"id\":\"gen-1\",\"choices\":[{\"delta\":{\"content\":\"Grü\"},\"finish_reason\":null}]}\r\n\r\n\
data: {\"choices\":[{\"delta\":{\"content\":\"ße 🎭\"},\"finish_reason\":\"stop\"}]}\r\n\r\n\
data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}\r\n\r\ndata: [DONE]\r\n\r\n";

#[tokio::test]
async fn a_stream_is_read_wherever_it_is_cut() {
    for piece in [1, 7, 10_000] {
        let script = response(
            "200 OK",
            "content-type: text/event-stream\r\nx-generation-id: gen-header\r\n",
            STREAM,
        );
        let server = Server::answering(vec![script], piece).await;
        let chunks = call(
            &client(&server.url, ProviderKind::Compatible, None),
            request(),
        )
        .await
        .expect("an answer");
        let [
            Chunk::Text(first),
            Chunk::Text(second),
            Chunk::Finished(answer),
        ] = chunks.as_slice()
        else {
            panic!("two texts and an answer, not {chunks:?}");
        };
        assert_eq!(
            (first.as_str(), second.as_str(), answer.text.as_str()),
            ("Grü", "ße 🎭", "Grüße 🎭")
        );
        assert_eq!(answer.generation_id.as_deref(), Some("gen-header"));
        assert_eq!(
            (answer.model.as_str(), answer.cost, answer.cost_is),
            ("acme/echo-2", None, CostIs::Unknown)
        );
    }
}

#[tokio::test]
async fn the_request_says_who_asks_and_under_which_key() {
    let script = || response("200 OK", "", STREAM);
    let server = Server::answering(vec![script(), script()], 10_000).await;
    call(
        &client(&server.url, ProviderKind::Openrouter, Some("sk-1")),
        request(),
    )
    .await
    .expect("an answer");
    let sent = server.request(0).to_lowercase();
    assert!(
        sent.starts_with("post /v1/chat/completions http/1.1\r\n"),
        "{sent}"
    );
    for line in [
        "authorization: bearer sk-1",
        "idempotency-key: run:task:1",
        "x-openrouter-title: troupe",
        "http-referer: http://localhost:3000",
        "accept: text/event-stream",
        "content-type: application/json",
    ] {
        assert!(sent.lines().any(|sent| sent == line), "{line} in {sent}");
    }
    call(
        &client(&server.url, ProviderKind::Compatible, None),
        request(),
    )
    .await
    .expect("an answer");
    let sent = server.request(1).to_lowercase();
    assert!(
        !sent.contains("authorization")
            && !sent.contains("referer")
            && !sent.contains("openrouter"),
        "{sent}"
    );
}

#[tokio::test]
async fn an_error_status_becomes_an_error_without_the_key() {
    let body = r#"{"error":{"code":429,"message":"key sk-secret is too quick"}}"#;
    let script = response("429 Too Many Requests", "retry-after: 2\r\n", body);
    let server = Server::answering(vec![script], 3).await;
    let error = call(
        &client(&server.url, ProviderKind::Openai, Some("sk-secret")),
        request(),
    )
    .await
    .expect_err("an error");
    let detail = "key [key] is too quick".to_owned();
    assert_eq!(
        error,
        LlmError::RateLimited {
            provider: "acme".into(),
            detail,
            retry_after_ms: Some(2_000),
            of_model: false,
        }
    );
}

/// Bodies of a server that repeats what it was sent, in pieces of every size.
#[tokio::test]
async fn a_server_that_repeats_the_request_does_not_give_the_key_away() {
    const KEY: &str = "sk-our/own+0123456789";
    let cut = format!("<html>{}{KEY}", " x".repeat(raw::MAX_RAW_BYTES / 2 - 8));
    for (status, body) in [
        (
            "400 Bad Request",
            format!("authorization: Bearer {KEY}\r\n"),
        ),
        (
            "401 Unauthorized",
            format!(
                r#"{{"error":{{"message":"no such key: {KEY}","key":"sk-our\/own+0123456789"}}}}"#
            ),
        ),
        (
            "500 Server Error",
            "<html><title>GET http://me:word@host/?k=sk-our%2Fown%2B0123456789</title></html>"
                .to_owned(),
        ),
        (
            "200 OK",
            format!("<html>Authorization: Bearer {KEY}</html>"),
        ),
        (
            "200 OK",
            format!("data: {{\"error\":{{\"message\":\"{KEY}\"}}}}\n\n"),
        ),
        (
            "200 OK",
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{KEY}\"}}}}]}}\n\n"),
        ),
        ("200 OK", cut),
    ] {
        for piece in [1, 7, 100_000] {
            let script = response(status, "", &body);
            let server = Server::answering(vec![script], piece).await;
            let said: Vec<_> = client(&server.url, ProviderKind::Openai, Some(KEY))
                .stream(request(), CancellationToken::new())
                .collect()
                .await;
            let [.., Ok(Chunk::Raw(raw)), Err(error)] = said.as_slice() else {
                panic!("the raw answer, then the error, not {said:?}");
            };
            assert!(raw.contains("[key]"), "{raw}");
            let shown = format!("{said:?} {error}");
            for secret in ["0123456789", "sk-our", "me:word"] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_come_about_is_given_up() {
    // It takes the connection and never says a word: the handshake does not end.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}/v1", listener.local_addr().expect("an address"));
    let mut settings = settings(&url, ProviderKind::Compatible, None);
    settings.timeouts.connect_ms = 3_000;
    let began = Instant::now();
    let error = call(&OpenAi::new(settings).expect("good settings"), request())
        .await
        .expect_err("nobody speaks");
    assert_eq!(
        error,
        LlmError::TimedOut {
            provider: "acme".into(),
            waited_for: Patience::Connect,
            after_ms: 3_000
        }
    );
    assert!(error.retryable() && began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let script = response(
        "307 Temporary Redirect",
        "location: http://127.0.0.1:1/v1/chat/completions\r\n",
        "",
    );
    let server = Server::answering(vec![script], 100).await;
    let error = call(
        &client(&server.url, ProviderKind::Openai, Some("sk-secret")),
        request(),
    )
    .await
    .expect_err("an error");
    assert_eq!((error.code(), error.retryable()), ("wrong_address", false));
}

#[tokio::test]
async fn nobody_there_is_an_error_that_may_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!(
        "http://user:pass@{}/v1",
        listener.local_addr().expect("an address")
    );
    drop(listener);
    let error = call(&client(&url, ProviderKind::Compatible, None), request())
        .await
        .expect_err("an error");
    assert_eq!(
        (error.code(), error.retryable()),
        ("provider_unreachable", true)
    );
    let shown = error.to_string();
    assert!(
        shown.contains("refused") && !shown.contains("pass"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_connection_cut_at_any_place_is_an_error_that_may_pass() {
    let script = response("200 OK", "content-length: 100000\r\n", STREAM);
    let end_of_text = script
        .windows(4)
        .position(|bytes| bytes == b"stop")
        .expect("the end");
    for cut in [0, 5, 30, 70, 120, end_of_text - 20] {
        let server = Server::answering(vec![script[..cut].to_vec()], 1_000).await;
        let error = call(
            &client(&server.url, ProviderKind::Compatible, None),
            request(),
        )
        .await
        .expect_err("cut");
        assert!(error.retryable(), "cut at {cut}: {error}");
    }
    // Behind the reason for the end, a cut takes only the usage away.
    let server = Server::answering(vec![script[..end_of_text + 30].to_vec()], 1_000).await;
    call(
        &client(&server.url, ProviderKind::Compatible, None),
        request(),
    )
    .await
    .expect("an answer");
}

#[tokio::test]
async fn cancelling_closes_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let (closed, is_closed) = oneshot::channel();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        read_request(&mut socket).await;
        let begin = response(
            "200 OK",
            "",
            "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n",
        );
        socket.write_all(&begin).await.expect("written");
        let mut buffer = [0; 64];
        // Nought bytes, or a reset: either way nobody is there any more.
        let left = socket.read(&mut buffer).await.unwrap_or(0);
        let _ = closed.send(left);
    });
    let cancel = CancellationToken::new();
    let mut chunks = client(&url, ProviderKind::Compatible, None).stream(request(), cancel.clone());
    assert_eq!(chunks.next().await, Some(Ok(Chunk::Text("Hi".into()))));
    cancel.cancel();
    assert_eq!(chunks.next().await, Some(Err(LlmError::Cancelled)));
    assert_eq!(is_closed.await, Ok(0));
    assert_eq!(chunks.next().await, None);
    server.await.expect("ended");
}

#[tokio::test]
async fn the_catalogue_brings_prices_for_estimates() {
    let catalogue = r#"{"data":[{"id":"acme/echo-2","pricing":{"prompt":"0.000003","completion":"0.000015"}}]}"#;
    let scripts = vec![
        response("200 OK", "", catalogue),
        response("200 OK", "", STREAM),
    ];
    let server = Server::answering(scripts, 10_000).await;
    let client = client(&server.url, ProviderKind::Compatible, None);
    assert_eq!(client.models().await.expect("a catalogue").len(), 1);
    assert!(server.request(0).starts_with("GET /v1/models HTTP/1.1\r\n"));
    let chunks = call(&client, request()).await.expect("an answer");
    let Some(Chunk::Finished(answer)) = chunks.last() else {
        panic!("an answer")
    };
    assert_eq!(
        (answer.cost, answer.cost_is),
        (Some(MicroUsd(105)), CostIs::Estimated)
    );
}

#[tokio::test]
async fn limits_in_headers_are_kept_also_those_of_a_refusal() {
    let limits = |left: u32| {
        format!(
            "x-ratelimit-limit-requests: 50\r\nx-ratelimit-remaining-requests: {left}\r\nx-ratelimit-reset-requests: 1h0m\r\n"
        )
    };
    let scripts = vec![
        response("200 OK", &limits(9), STREAM),
        response("429 Too Many Requests", &limits(0), "{}"),
        response("200 OK", "", STREAM),
    ];
    let server = Server::answering(scripts, 10_000).await;
    let client = client(&server.url, ProviderKind::Compatible, None);
    assert_eq!(client.quota().await, Ok(Quota::default()));
    for left in [9, 0, 0] {
        let _answered = call(&client, request()).await;
        let quota = client.quota().await.expect("nobody is asked");
        let allowance = &quota.allowances[0];
        assert_eq!((allowance.limit, allowance.remaining), (50, left));
        assert_eq!(quota.runs_out(SystemClock.now()), left == 0);
    }
}

#[tokio::test]
async fn without_a_list_price_only_who_asks_for_no_key_is_free() {
    let price = async |key| {
        let client = client("http://127.0.0.1:1/v1", ProviderKind::Compatible, key);
        client.price("large").await
    };
    assert_eq!(price(None).await, ListPrice::Free);
    assert_eq!(price(Some("sk-1")).await, ListPrice::Unknown);
}

#[tokio::test]
async fn the_check_asks_where_the_key_matters() {
    let scripts = vec![
        response("401 Unauthorized", "", ""),
        response("200 OK", "", "{\"data\":[]}"),
    ];
    let server = Server::answering(scripts, 10_000).await;
    let refused = client(&server.url, ProviderKind::Openrouter, Some("sk-1"))
        .check()
        .await;
    assert_eq!(refused.expect_err("a bad key").code(), "bad_key");
    assert!(server.request(0).starts_with("GET /v1/key HTTP/1.1\r\n"));
    client(&server.url, ProviderKind::Compatible, None)
        .check()
        .await
        .expect("it is there");
    assert!(server.request(1).starts_with("GET /v1/models HTTP/1.1\r\n"));
}

#[test]
fn neither_key_nor_password_is_shown() {
    let client = client(
        "https://user:pass@example.com/v1/",
        ProviderKind::Openai,
        Some("sk-secret"),
    );
    assert_eq!(
        client.about().base_url.as_deref(),
        Some("https://example.com/v1")
    );
    let shown = format!("{client:?}");
    assert!(
        !shown.contains("pass") && !shown.contains("secret"),
        "{shown}"
    );
}

#[test]
fn an_address_is_checked() {
    let base = |url: &str| {
        OpenAi::new(settings(url, ProviderKind::Openai, None)).map(|client| client.about().base_url)
    };
    assert_eq!(
        base(" https://a.b/v1/chat/completions "),
        Ok(Some("https://a.b/v1".to_owned()))
    );
    for bad in ["", "a.b/v1", "ftp://a.b", "http://"] {
        assert!(
            matches!(base(bad), Err(BadSettings::Address { .. })),
            "{bad}"
        );
    }
    let key = OpenAi::new(settings("http://a.b", ProviderKind::Openai, Some("a\nb")));
    assert!(matches!(key, Err(BadSettings::Key { .. })));
}
