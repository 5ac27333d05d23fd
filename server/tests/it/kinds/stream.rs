//! The live stream for plain HTTP.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use futures::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{House, chain};

/// A stream that is read as it comes.
struct Reader {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Reader {
    async fn open(house: &House, path: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(path).header(header::HOST, "127.0.0.1:3999");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).expect("a request");
        let answer = house.router.clone().oneshot(request).await.expect("answer");
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self {
            body: answer.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next frame, with its id.
    async fn next(&mut self) -> Option<(Option<u64>, Value)> {
        loop {
            if let Some((block, rest)) = self.text.clone().split_once("\n\n") {
                self.text = rest.to_owned();
                let field = |name: &str| {
                    let mut lines = block.lines();
                    lines
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::trim)
                };
                if let Some(data) = field("data:") {
                    let id = field("id:").map(|id| id.parse().expect("a number"));
                    return Some((id, serde_json::from_str(data).expect("JSON")));
                }
                continue;
            }
            let more = tokio::time::timeout(Duration::from_secs(20), self.body.next());
            let more = more.await.expect("something comes")?.expect("bytes");
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// The next stored event.
    async fn event(&mut self) -> (u64, Value) {
        loop {
            let (id, frame) = self.next().await.expect("a frame");
            if frame["kind"] == "event" {
                let id = id.expect("events have ids");
                assert_eq!(frame["seq"], id);
                return (id, frame);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_comes_back_misses_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let out = json!({ "id": "out", "kind": "output", "value": "x" });
    let workflow = house.create(chain("Says", &[out])).await;
    let path = "/api/v1/events/stream";
    let mut reader = Reader::open(&house, path, None).await;
    let (id, hello) = reader.next().await.expect("a frame");
    assert_eq!(hello["kind"], "hello");
    assert_eq!(Some(hello["head"].as_u64().expect("a head")), id);
    let run = house.start(&workflow, json!({})).await;
    let (first, frame) = reader.event().await;
    assert_eq!(frame["type"], "workflow.queued");
    drop(reader);
    house.end(&run).await;

    let mut reader = Reader::open(&house, path, Some(&first.to_string())).await;
    let (id, hello) = reader.next().await.expect("a frame");
    assert_eq!((id, &hello["kind"]), (None, &json!("hello")));
    let mut last = first;
    loop {
        let (seq, frame) = reader.event().await;
        assert_eq!(seq, last + 1, "no gap, nothing twice");
        last = seq;
        if frame["type"] == "workflow.completed" {
            break;
        }
    }
    // Only what is asked for, and what comes while one reads.
    let topics = format!("{path}?topics=broadcast.*&after=0");
    let mut reader = Reader::open(&house, &topics, None).await;
    assert_eq!(reader.event().await.1["type"], "system.started");
    // The server goes: so does the stream.
    house.running.shutdown.cancel();
    while reader.next().await.is_some() {}
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_refused() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    for (query, last, code) in [
        ("?after=x", None, "bad_query"),
        ("?since=1", None, "bad_query"),
        ("", Some("x"), "bad_last_event_id"),
    ] {
        let mut request = Request::get(format!("/api/v1/events/stream{query}"))
            .header(header::HOST, "127.0.0.1:3999");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let (status, body) = house
            .send(request.body(Body::empty()).expect("a request"))
            .await;
        assert_eq!(status.as_u16(), 400, "{body}");
        assert!(body.contains(code), "{body}");
    }
    house.close().await;
}
