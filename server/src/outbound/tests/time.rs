//! Patience. Time is paused where only timers are waited for, so no test waits for them.

use std::io;

use futures::future::BoxFuture;

use super::*;

fn limits(total_ms: u64) -> Limits {
    Limits {
        total_ms,
        ..small()
    }
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn slow_drips_end_with_the_whole_time() {
    let drip = [Act::Wait(9_000), Act::Send(b"x".to_vec())];
    let drips = drip.iter().cycle().take(20).cloned();
    let script = [Act::Send(HEAD.to_vec())].into_iter().chain(drips);
    let server = Server::acting("127.0.0.2", vec![script.collect()]).await;
    let begin = tokio::time::Instant::now();
    let told = told(&ask(get(&server.url("/"))).await);
    assert!(
        told.starts_with("passing http_timeout: http://127.0.0.2:"),
        "{told}"
    );
    assert!(
        told.contains("the answer was not finished within 60000 ms"),
        "{told}"
    );
    assert_eq!(begin.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_step_may_have_more_time_or_less() {
    let script = vec![
        Act::Wait(90_000),
        Act::Send(HEAD.to_vec()),
        Act::Send(b"0123456789".to_vec()),
    ];
    for (total_ms, end) in [
        (Some(100_000), "200 \"0123456789\""),
        (Some(80_000), "passing http_timeout"),
    ] {
        let server = Server::acting("127.0.0.2", vec![script.clone()]).await;
        let request = Request {
            total_ms,
            ..get(&server.url("/"))
        };
        let told = told(&ask(request).await);
        assert!(told.starts_with(end), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_share_the_time() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    let script = vec![Act::Wait(15_000), Act::Send(redirect.to_vec())];
    let server = Server::acting("127.0.0.2", vec![script; 6]).await;
    let told = told(&ask(get(&server.url("/"))).await);
    assert!(told.contains("not finished within 60000 ms"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_explanation_is_not_waited_for_long() {
    let head = b"HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    let server = Server::acting("127.0.0.2", vec![vec![Act::Send(head), Act::Wait(50_000)]]).await;
    let begin = tokio::time::Instant::now();
    let told = told(&ask(get(&server.url("/"))).await);
    assert!(told.contains("answered with status 500: half. "), "{told}");
    assert_eq!(begin.elapsed().as_secs(), 5);
}

/// A resolver that never answers.
struct Silent;

impl Resolver for Silent {
    fn lookup(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<std::net::IpAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_is_waited_for_ten_seconds() {
    let guard = Guard::new(Arc::new(Silent), AllowList::default());
    let outbound = Outbound::new(guard, Limits::default(), Arc::new(NewYear));
    let told = told(
        &outbound
            .request(get("http://a.test"), CancellationToken::new())
            .await,
    );
    assert!(told.starts_with("passing http_timeout: http://a.test was too slow: its name was not resolved within 10000 ms"), "{told}");
}

#[tokio::test]
async fn a_connection_that_never_stands_is_given_up() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .bind("127.0.0.2:0".parse().expect("an address"))
        .expect("a port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    // Nobody accepts: once the queue is full, the system answers no more.
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(
        Duration::from_millis(50),
        tokio::net::TcpStream::connect(address),
    )
    .await
    {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue never fills");
    }
    let limits = Limits {
        connect_ms: 50,
        ..limits(5_000)
    };
    let outbound = outbound(FixedResolver::default(), limits);
    let url = format!("http://{address}/");
    let told = told(&outbound.request(get(&url), CancellationToken::new()).await);
    assert!(
        told.contains("no connection was made within 50 ms. Nothing was sent"),
        "{told}"
    );
}

#[tokio::test]
async fn stopping_closes_the_connection_at_once() {
    let head_only = vec![Act::Send(HEAD.to_vec()), Act::Hang];
    for script in [vec![Act::Hang], head_only] {
        let server = Server::acting("127.0.0.2", vec![script]).await;
        let stop = CancellationToken::new();
        let outbound = outbound(FixedResolver::default(), limits(60_000));
        let (request, stopped) = (get(&server.url("/")), stop.clone());
        let call = tokio::spawn(async move { outbound.request(request, stopped).await });
        let patience = Duration::from_secs(5);
        let came = tokio::time::timeout(patience, server.came.acquire()).await;
        let _ = came.expect("the request comes").expect("open");
        stop.cancel();
        let told = told(&call.await.expect("no panic"));
        assert!(told.starts_with("lasting cancelled: "), "{told}");
        let left = tokio::time::timeout(patience, server.left.acquire()).await;
        assert!(left.is_ok(), "the connection stays open");
    }
}

#[tokio::test]
async fn what_is_stopped_before_it_began_does_not_begin() {
    let server = Server::answering("127.0.0.2", &["HTTP/1.1 200 OK\r\n\r\n"]).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let outbound = outbound(FixedResolver::default(), small());
    let told = told(&outbound.request(get(&server.url("/")), stop).await);
    assert!(told.starts_with("lasting cancelled: "), "{told}");
    assert!(server.requests().is_empty());
}
