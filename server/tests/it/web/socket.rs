//! The live stream over real connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderValue, Request, header},
};
use domain::frame::{Frame, Metrics};
use futures::{SinkExt, StreamExt};
use server::web::{SocketRules, serve};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::fake::{FLOW, House, OTHER, config, delta, event};

/// Longer than anything here takes, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

/// A house with its doors open.
struct Open {
    house: House,
    address: SocketAddr,
}

impl Open {
    async fn new() -> Self {
        Self::with_rules(SocketRules::default()).await
    }

    async fn with_rules(rules: SocketRules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut house = House::with_rules(rules);
        let site = house.state.config.site.clone();
        house.state.config = Arc::new(config(&address.to_string(), site, rules));
        tokio::spawn(serve(
            listener,
            house.router(),
            house.state.shutdown.clone(),
        ));
        Self { house, address }
    }

    fn request(&self, parameters: &str) -> Request<()> {
        format!("ws://{}/ws/events{parameters}", self.address)
            .into_client_request()
            .expect("a request")
    }

    async fn connect(&self, parameters: &str) -> Client {
        let (socket, _) = connect_async(self.request(parameters))
            .await
            .expect("a socket");
        Client { socket, last: 0 }
    }

    /// Status and code of a refused connection.
    async fn refused(&self, request: Request<()>) -> (u16, String) {
        match connect_async(request).await {
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                (
                    response.status().as_u16(),
                    problem["code"].as_str().unwrap_or_default().to_owned(),
                )
            }
            other => panic!("{other:?}"),
        }
    }

    async fn sockets_are(&self, expected: u64) {
        let reached = async {
            while self.house.state.sockets.load(Ordering::Acquire) != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, reached)
            .await
            .expect("the number of sockets");
    }
}

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last: u64,
}

/// What a client got, in short.
#[derive(Debug, PartialEq)]
enum Got {
    Frame(Box<Frame>),
    Closed(u16, String),
    Broken,
}

impl Client {
    async fn next(&mut self) -> Got {
        loop {
            match tokio::time::timeout(LONG, self.socket.next())
                .await
                .expect("something comes")
            {
                Some(Ok(Message::Text(text))) => {
                    return Got::Frame(serde_json::from_str(&text).expect("a frame"));
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Got::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None)) | Err(_)) | None => return Got::Broken,
                Some(Ok(
                    Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_),
                )) => {}
            }
        }
    }

    /// The next frame in short: `hello 3`, `4`, `delta 0+2`, `snapshot 9`, `metrics`, `close 1008`.
    async fn short(&mut self) -> String {
        match self.next().await {
            Got::Frame(frame) => match *frame {
                Frame::Hello { epoch, head } => {
                    assert_eq!(epoch, "first");
                    format!("hello {head}")
                }
                Frame::Event(event) => {
                    self.last = event.seq;
                    event.seq.to_string()
                }
                Frame::Delta(delta) => format!("delta {}+{}", delta.offset, delta.text.len()),
                Frame::Metrics { name, .. } => {
                    assert_eq!(name, "metrics.updated");
                    "metrics".to_owned()
                }
                Frame::Snapshot { head } => format!("snapshot {head}"),
            },
            Got::Closed(code, _) => format!("close {code}"),
            Got::Broken => "broken".to_owned(),
        }
    }

    async fn expect(&mut self, frames: &[&str]) {
        for frame in frames {
            assert_eq!(self.short().await, *frame);
        }
    }

    async fn say(&mut self, text: &str) {
        self.socket
            .send(Message::text(text))
            .await
            .expect("it is sent");
    }

    /// Waits until the server has heard everything that was said.
    async fn settled(&mut self) {
        self.say(r#"{"kind":"ping"}"#).await;
        self.expect(&["metrics"]).await;
    }
}

#[tokio::test]
async fn the_stream_greets_and_begins_now() {
    let open = Open::new().await;
    open.house.append(event(1, FLOW));
    let mut client = open.connect("").await;
    client.expect(&["hello 1"]).await;
    open.house.append(event(2, FLOW));
    open.house.stream(delta(FLOW, 0, "ab"));
    open.house.metrics.send_replace(Metrics {
        head: 2,
        ..Metrics::default()
    });
    let mut got = vec![
        client.short().await,
        client.short().await,
        client.short().await,
    ];
    got.sort();
    assert_eq!(got, ["2", "delta 0+2", "metrics"]);
}

#[tokio::test]
async fn a_frame_is_what_the_contract_says() {
    let open = Open::new().await;
    let mut client = open.connect("?after=0").await;
    open.house.append(event(1, FLOW));
    client.expect(&["hello 0"]).await;
    let Some(Ok(Message::Text(text))) = client.socket.next().await else {
        panic!("no frame")
    };
    let frame: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&frame["kind"], &frame["at"]),
        (&"event".into(), &1_790_000_000_123_i64.into())
    );
    assert!(
        frame.get("agent_id").is_none(),
        "what makes no sense is absent"
    );
}

#[tokio::test]
async fn what_was_missed_comes_first() {
    let open = Open::new().await;
    for seq in 1..=200 {
        open.house.append(event(seq, FLOW));
    }
    let mut client = open.connect("?after=100").await;
    client.expect(&["hello 200"]).await;
    open.house.append(event(201, FLOW));
    for seq in 101..=201 {
        assert_eq!(client.short().await, seq.to_string());
    }
    let mut current = open.connect("?after=201").await;
    current.expect(&["hello 201"]).await;
    open.house.append(event(202, FLOW));
    current.expect(&["202"]).await;
}

#[tokio::test]
async fn too_far_behind_means_to_reload() {
    let open = Open::new().await;
    for seq in 1..=1_500 {
        open.house
            .append(event(seq, if seq.is_multiple_of(2) { FLOW } else { OTHER }));
    }
    let mut client = open.connect("?after=499").await;
    client.expect(&["hello 1500", "snapshot 1500"]).await;
    open.house.append(event(1_501, FLOW));
    client.expect(&["1501"]).await;
    let mut edge = open.connect("?after=501").await;
    edge.expect(&["hello 1501", "502"]).await;
    // Only what is wanted counts: 750 events of this workflow, and as many of others.
    let mut picky = open
        .connect(&format!("?after=0&topics=workflow.{OTHER}.*"))
        .await;
    picky.expect(&["hello 1501", "1", "3"]).await;
    // From another database, where numbers were higher.
    let mut stranger = open.connect("?after=9999").await;
    stranger.expect(&["hello 1501", "snapshot 1501"]).await;
    open.house.append(event(1_502, FLOW));
    stranger.expect(&["1502"]).await;
}

#[tokio::test]
async fn who_comes_from_before_what_was_removed_reloads() {
    let open = Open::new().await;
    for seq in [1, 2, 6, 7, 8] {
        open.house.append(event(seq, FLOW));
    }
    // 3, 4 and 5 are gone: who has 2 would never hear of them.
    let removed_to = &open.house.log.removed_to;
    removed_to.store(5, std::sync::atomic::Ordering::Relaxed);
    let mut early = open.connect("?after=2").await;
    early.expect(&["hello 8", "snapshot 8"]).await;
    let mut knows = open.connect("?after=5").await;
    knows.expect(&["hello 8", "6", "7", "8"]).await;
    open.house.append(event(9, FLOW));
    early.expect(&["9"]).await;
    knows.expect(&["9"]).await;
    // The same for who asks again on an open socket.
    let again = r#"{"kind":"subscribe","topics":[],"after":1}"#;
    early.say(again).await;
    early.expect(&["snapshot 9"]).await;
}

#[tokio::test]
async fn topics_choose() {
    let open = Open::new().await;
    let mut client = open
        .connect(&format!("?topics=workflow.{FLOW}.events,agent.*"))
        .await;
    client.expect(&["hello 0"]).await;
    open.house.append(event(1, OTHER));
    open.house.stream(delta(FLOW, 0, "not asked for"));
    open.house.append(event(2, FLOW));
    client.expect(&["2"]).await;
    client
        .say(&format!(
            r#"{{"kind":"subscribe","topics":["workflow.{OTHER}.*"]}}"#
        ))
        .await;
    client.settled().await;
    open.house.append(event(3, OTHER));
    open.house.stream(delta(OTHER, 0, "now"));
    client.expect(&["3", "delta 0+3"]).await;
    client
        .say(&format!(
            r#"{{"kind":"unsubscribe","topics":["workflow.{FLOW}.events"]}}"#
        ))
        .await;
    client.settled().await;
    open.house.append(event(4, FLOW));
    open.house.append(event(5, OTHER));
    client.expect(&["5"]).await;
    client
        .say(&format!(
            r#"{{"kind":"unsubscribe","topics":["agent.*","workflow.{OTHER}.*"]}}"#
        ))
        .await;
    client.settled().await;
    open.house.append(event(6, OTHER));
    client.settled().await;
}

#[tokio::test]
async fn a_topic_can_be_taken_up_from_before() {
    let open = Open::new().await;
    let mut client = open.connect(&format!("?topics=workflow.{FLOW}.*")).await;
    client.expect(&["hello 0"]).await;
    for seq in 1..=6 {
        open.house
            .append(event(seq, if seq.is_multiple_of(2) { FLOW } else { OTHER }));
    }
    client.expect(&["2", "4", "6"]).await;
    client
        .say(&format!(
            r#"{{"kind":"subscribe","topics":["workflow.{OTHER}.*"],"after":1}}"#
        ))
        .await;
    client.expect(&["3", "5"]).await;
    open.house.append(event(7, OTHER));
    open.house.append(event(8, FLOW));
    client.expect(&["7", "8"]).await;
    client
        .say(r#"{"kind":"subscribe","topics":[],"after":6}"#)
        .await;
    client.expect(&["7", "8"]).await;
    client
        .say(r#"{"kind":"subscribe","topics":["x"],"after":99}"#)
        .await;
    client.expect(&["snapshot 8"]).await;
}

#[tokio::test]
async fn patterns_that_change_under_fire_lose_nothing() {
    const EVENTS: u64 = 900;
    let open = Open::new().await;
    let mut client = open.connect(&format!("?topics=workflow.{FLOW}.*")).await;
    client.expect(&["hello 0"]).await;
    let publish = async {
        for seq in 1..=EVENTS {
            open.house
                .append(event(seq, if seq.is_multiple_of(2) { FLOW } else { OTHER }));
            if seq % 7 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let listen = async {
        let (mut own, mut other) = (Vec::new(), Vec::new());
        while own.len() < EVENTS as usize / 2 || other.len() < EVENTS as usize / 2 {
            if own.len() == 100 && other.is_empty() {
                client
                    .say(&format!(
                        r#"{{"kind":"subscribe","topics":["workflow.{OTHER}.*"],"after":0}}"#
                    ))
                    .await;
            }
            let seq: u64 = client.short().await.parse().expect("an event");
            if seq.is_multiple_of(2) {
                own.push(seq)
            } else {
                other.push(seq)
            }
        }
        (own, other)
    };
    let ((), (own, other)) = tokio::join!(publish, listen);
    assert_eq!(
        own,
        (1..=EVENTS).filter(|seq| seq % 2 == 0).collect::<Vec<_>>()
    );
    assert_eq!(
        other,
        (1..=EVENTS).filter(|seq| seq % 2 == 1).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_has_no_gap_and_nothing_twice() {
    const EVENTS: u64 = 3_000;
    let open = Arc::new(Open::new().await);
    let reached: Arc<[AtomicU64; 8]> = Arc::default();
    let publisher = tokio::spawn({
        let (open, reached) = (open.clone(), reached.clone());
        async move {
            for seq in 1..=EVENTS {
                // On a busy machine nobody is to fall so far behind that it has to reload.
                while reached
                    .iter()
                    .any(|last| last.load(Ordering::Relaxed) + 700 < seq)
                {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                open.house.append(event(seq, FLOW));
                open.house.stream(delta(FLOW, seq, "x"));
                if seq % 5 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    });
    let clients: Vec<_> = (0..8_u64)
        .map(|number| {
            let (open, reached) = (open.clone(), reached.clone());
            tokio::spawn(async move {
                let mut last = 0;
                let mut rounds = 0_u64;
                while last < EVENTS {
                    rounds += 1;
                    let mut client = open.connect(&format!("?after={last}")).await;
                    // Some hang up in the middle, some after many frames.
                    let mut left = (rounds * 37 + number * 11) % 200 + 1;
                    while left > 0 && last < EVENTS {
                        match client.next().await {
                            Got::Frame(frame) => match *frame {
                                Frame::Event(event) => {
                                    assert_eq!(
                                        event.seq,
                                        last + 1,
                                        "client {number}, connection {rounds}"
                                    );
                                    last = event.seq;
                                    reached[number as usize].store(last, Ordering::Relaxed);
                                    left -= 1;
                                }
                                Frame::Hello { head, .. } => assert!(head >= last),
                                Frame::Delta(_) | Frame::Metrics { .. } => {}
                                Frame::Snapshot { head } => {
                                    panic!("client {number} was too far behind {head}")
                                }
                            },
                            other => panic!("{other:?}"),
                        }
                    }
                }
                rounds
            })
        })
        .collect();
    for client in clients {
        assert!(client.await.expect("no gap") > 10);
    }
    publisher.await.expect("published");
    open.sockets_are(0).await;
}

#[tokio::test]
async fn a_burst_that_the_bus_cannot_hold_is_read_from_the_log() {
    let open = Open::new().await;
    let mut client = open.connect("").await;
    client.expect(&["hello 0"]).await;
    // On this one thread nobody reads until the burst is over.
    for seq in 1..=900 {
        open.house.append(event(seq, FLOW));
    }
    for seq in 1..=900 {
        assert_eq!(client.short().await, seq.to_string());
    }
    for seq in 901..=3_000 {
        open.house.append(event(seq, FLOW));
    }
    client.expect(&["snapshot 3000"]).await;
    open.house.append(event(3_001, FLOW));
    client.expect(&["3001"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_told_and_keeps_nobody_waiting() {
    const EVENTS: u64 = 600;
    let rules = SocketRules {
        patience: Duration::from_millis(200),
        ..SocketRules::default()
    };
    let open = Open::with_rules(rules).await;
    let mut stalled = open.connect("?after=0").await;
    let mut quick = open.connect("?after=0").await;
    stalled.expect(&["hello 0"]).await;
    quick.expect(&["hello 0"]).await;
    for seq in 1..=EVENTS {
        let mut frame = event(seq, FLOW);
        frame.data = serde_json::json!({ "attempt": 1, "text": "x".repeat(64 << 10) });
        open.house.append(frame);
        // The one who reads gets it at once, whatever the other does.
        assert_eq!(quick.short().await, seq.to_string());
        if seq % 100 == 0 {
            tokio::time::sleep(rules.patience).await;
        }
    }
    let mut last = 0;
    loop {
        match stalled.next().await {
            Got::Frame(frame) => {
                let Frame::Event(event) = *frame else {
                    continue;
                };
                assert_eq!(event.seq, last + 1, "no gap up to the end");
                last = event.seq;
            }
            Got::Closed(code, reason) => {
                assert_eq!(
                    (code, reason.as_str()),
                    (4008, "too slow: resume from your last seq")
                );
                break;
            }
            Got::Broken => panic!("no word of goodbye after {last}"),
        }
    }
    assert!(last < EVENTS, "it stalled");
    let mut back = open.connect(&format!("?after={last}")).await;
    back.expect(&["hello 600"]).await;
    for seq in last + 1..=EVENTS {
        assert_eq!(back.short().await, seq.to_string());
    }
}

#[tokio::test]
async fn what_is_no_frame_ends_the_conversation() {
    let open = Open::new().await;
    let cases = [
        ("{", 1008),
        ("[]", 1008),
        (r#"{"kind":"shout"}"#, 1008),
        (r#"{"kind":"subscribe"}"#, 1008),
        (r#"{"kind":"subscribe","topics":"workflow.*"}"#, 1008),
        (r#"{"kind":"subscribe","topics":["with space"]}"#, 1008),
        (r#"{"kind":"subscribe","topics":[""]}"#, 1008),
        (r#"{"kind":"subscribe","topics":["x"],"after":-1}"#, 1008),
    ];
    let many: Vec<String> = (0..65).map(|number| format!("\"{number}\"")).collect();
    let many = format!(r#"{{"kind":"subscribe","topics":[{}]}}"#, many.join(","));
    let deep = "[".repeat(60_000);
    let large = format!("\"{}\"", "x".repeat(65 << 10));
    let more = [
        (many.as_str(), 1008),
        (deep.as_str(), 1008),
        (large.as_str(), 1009),
    ];
    for (text, code) in cases.into_iter().chain(more) {
        let mut client = open.connect("").await;
        client.expect(&["hello 0"]).await;
        client.say(text).await;
        assert_eq!(
            client.short().await,
            format!("close {code}"),
            "{}",
            &text[..text.len().min(60)]
        );
    }
    let mut client = open.connect("").await;
    client.expect(&["hello 0"]).await;
    client
        .socket
        .send(Message::binary(vec![1, 2, 3]))
        .await
        .expect("it is sent");
    client.expect(&["close 1003"]).await;
    // So large that it is not even read.
    let mut client = open.connect("").await;
    client.expect(&["hello 0"]).await;
    let _ = client.socket.send(Message::text("x".repeat(1 << 20))).await;
    let end = client.short().await;
    assert!(end == "close 1009" || end == "broken", "{end}");
    open.sockets_are(0).await;
}

#[tokio::test]
async fn the_reason_is_in_the_goodbye() {
    let open = Open::new().await;
    let mut client = open.connect("").await;
    client.expect(&["hello 0"]).await;
    client.say(r#"{"kind":"shout"}"#).await;
    let Got::Closed(1008, reason) = client.next().await else {
        panic!("not closed")
    };
    assert!(
        reason.contains("this is no frame") && reason.contains("shout"),
        "{reason}"
    );
}

#[tokio::test]
async fn doors_that_stay_shut() {
    let rules = SocketRules {
        most: 2,
        ..SocketRules::default()
    };
    let open = Open::with_rules(rules).await;
    let with = |name: &'static str, value: &str| {
        let mut request = open.request("");
        request
            .headers_mut()
            .insert(name, HeaderValue::from_str(value).expect("a value"));
        request
    };
    assert_eq!(
        open.refused(with("origin", "http://evil.example")).await,
        (403, "origin_not_allowed".into())
    );
    assert_eq!(
        open.refused(with("origin", "null")).await,
        (403, "origin_not_allowed".into())
    );
    assert_eq!(
        open.refused(with("sec-fetch-site", "cross-site")).await,
        (403, "cross_site".into())
    );
    assert_eq!(
        open.refused(with("host", "evil.example")).await,
        (403, "host_not_allowed".into())
    );
    for parameters in [
        "?after=x",
        "?after=-1",
        "?topics=,",
        "?topics=a%20b",
        "?since=4",
        "?after=1&after=2",
    ] {
        assert_eq!(
            open.refused(open.request(parameters)).await,
            (400, "bad_query".into()),
            "{parameters}"
        );
    }
    let own = with("origin", &format!("http://{}", open.address));
    let (_first, _) = connect_async(own).await.expect("the own page comes in");
    let _second = open.connect("").await;
    assert_eq!(
        open.refused(open.request("")).await,
        (503, "too_many_sockets".into())
    );
    drop(_second);
    open.sockets_are(1).await;
    open.connect("").await.expect(&["hello 0"]).await;
    let plain = Request::get("/ws/events")
        .header(header::HOST, open.address.to_string())
        .body(Body::empty())
        .expect("a request");
    assert_eq!(open.house.ask(plain).await.problem(), "no_websocket");
}

#[tokio::test]
async fn going_down_says_when_to_come_back() {
    let open = Open::new().await;
    let mut client = open.connect("").await;
    client.expect(&["hello 0"]).await;
    open.house.state.shutdown.cancel();
    client.expect(&["close 1012"]).await;
    drop(client);
    open.house.state.tasks.close();
    tokio::time::timeout(LONG, open.house.state.tasks.wait())
        .await
        .expect("every socket had its goodbye");
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_told() {
    let open = Open::new().await;
    open.house.log.locked.store(true, Ordering::Relaxed);
    open.connect("").await.expect(&["close 1013"]).await;
}

#[tokio::test]
async fn silence_ends_a_socket_and_pongs_keep_it() {
    let rules = SocketRules {
        heartbeat: Duration::from_millis(100),
        ..SocketRules::default()
    };
    let open = Open::with_rules(rules).await;
    // One whose connection is there but who never answers.
    let silent = open.connect("").await;
    let mut alive = open.connect("").await;
    alive.expect(&["hello 0"]).await;
    let told = tokio::time::timeout(Duration::from_secs(2), alive.socket.next()).await;
    assert!(
        !matches!(told, Ok(Some(Ok(Message::Close(_)) | Err(_)) | None)),
        "{told:?}"
    );
    let stay = async { while let Some(Ok(_)) = alive.socket.next().await {} };
    tokio::select! {
        () = stay => panic!("who answers stays"),
        () = open.sockets_are(1) => {}
    }
    drop(silent);
}

#[tokio::test]
async fn figures_reach_every_socket_whatever_it_listens_to() {
    let open = Open::new().await;
    let mut all = open.connect("").await;
    let mut picky = open.connect("?topics=nothing.at.all").await;
    all.expect(&["hello 0"]).await;
    picky.expect(&["hello 0"]).await;
    open.house.metrics.send_replace(Metrics {
        runs_live: 3,
        ..Metrics::default()
    });
    for client in [&mut all, &mut picky] {
        let Got::Frame(frame) = client.next().await else {
            panic!("no frame")
        };
        let Frame::Metrics { data, .. } = *frame else {
            panic!("{frame:?}")
        };
        assert_eq!(data.runs_live, 3);
    }
}
