//! Requests to other servers: allowed, refused, stopped, sent again after a crash with the same key.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{House, chain, is, task};

/// Another server: answers with what it is told to, or never, and writes down what it was sent.
#[derive(Clone)]
pub struct Other {
    pub port: u16,
    pub answer: Arc<Mutex<Option<String>>>,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Other {
    pub async fn open(answer: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let other = Self {
            port: listener.local_addr().expect("an address").port(),
            answer: Arc::new(Mutex::new(answer.map(str::to_owned))),
            asked: Arc::default(),
        };
        let own = other.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move {
                    let mut request = vec![0; 16 << 10];
                    let length = client.read(&mut request).await.unwrap_or(0);
                    let text = String::from_utf8_lossy(&request[..length]).into_owned();
                    own.asked.lock().expect("lock").push(text);
                    let answer = own.answer.lock().expect("lock").clone();
                    match answer {
                        Some(answer) => {
                            let _gone = client.write_all(answer.as_bytes()).await;
                        }
                        None => {
                            let _hung_up = client.read(&mut request).await;
                        }
                    }
                });
            }
        });
        other
    }

    pub fn says(&self, answer: &str) {
        *self.answer.lock().expect("lock") = Some(answer.to_owned());
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("lock").clone()
    }
}

pub const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Mine: yes\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"n\": 4200}";
pub const BROKEN: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops";

pub fn step(port: u16) -> Value {
    json!({ "id": "ask", "kind": "http", "method": "POST", "url": format!("http://127.0.0.1:{port}/x"),
        "headers": { "x-word": "{{ input.word or 'none' }}" }, "body": "hello", "output": "json",
        "retry": { "attempts": 1 } })
}

fn key_of(request: &str) -> String {
    let line = request
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("idempotency-key:"));
    let line = line.unwrap_or_else(|| panic!("no key: {request}"));
    line.split_once(':').expect("a colon").1.trim().to_owned()
}

pub fn flow(port: u16) -> Value {
    let out = json!({ "id": "out", "kind": "output", "value": "{{ nodes.ask.output.body.n }}" });
    let mut flow = chain("Asks", &[step(port), out]);
    flow["inputs"] = json!([{ "name": "word", "type": "string", "required": false }]);
    flow
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_allowed_server_is_asked() {
    let data = tempfile::tempdir().expect("a directory");
    let other = Other::open(Some(FINE)).await;
    let house = House::allowed(data.path(), &format!("127.0.0.1:{}", other.port)).await;
    let workflow = house.create(flow(other.port)).await;
    let run = house.start(&workflow, json!({ "word": "please" })).await;
    let run = house.end(&run).await;
    assert_eq!(
        (&run["status"], &run["output"]),
        (&json!("succeeded"), &json!(4200)),
        "{run:#}"
    );
    let answer = &task(&run, "ask")["output"];
    assert_eq!(
        (&answer["status"], &answer["headers"]["x-mine"]),
        (&json!(200), &json!("yes"))
    );
    let asked = other.asked();
    assert!(asked[0].contains("x-word: please"), "{asked:?}");
    let id = run["id"].as_str().expect("an id");
    assert!(
        key_of(&asked[0]).starts_with(&format!("{id}:ask:")),
        "{asked:?}"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_server_is_refused_unless_it_is_allowed() {
    let data = tempfile::tempdir().expect("a directory");
    let other = Other::open(Some(FINE)).await;
    let house = House::open(data.path()).await;
    let workflow = house.create(flow(other.port)).await;
    let run = house.start(&workflow, json!({})).await;
    let run = house.end(&run).await;
    let error = &task(&run, "ask")["error"];
    assert_eq!(
        (&error["code"], &error["retryable"]),
        (&json!("http_address_refused"), &json!(false)),
        "{run:#}"
    );
    assert!(other.asked().is_empty(), "nothing was sent");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_a_crash_cut_is_sent_again_under_its_key() {
    let data = tempfile::tempdir().expect("a directory");
    let other = Other::open(None).await;
    let allow = format!("127.0.0.1:{}", other.port);
    let house = House::allowed(data.path(), &allow).await;
    let workflow = house.create(flow(other.port)).await;
    let run = house.start(&workflow, json!({})).await;
    while other.asked().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    house.killed().await;
    other.says(FINE);
    let house = House::allowed(data.path(), &allow).await;
    let run = house.end(&run).await;
    assert_eq!(run["status"], "succeeded", "{run:#}");
    let asked = other.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(key_of(&asked[0]), key_of(&asked[1]));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_must_not_be_repeated_asks_a_person_after_a_crash() {
    let data = tempfile::tempdir().expect("a directory");
    let other = Other::open(None).await;
    let allow = format!("127.0.0.1:{}", other.port);
    let house = House::allowed(data.path(), &allow).await;
    let mut flow = flow(other.port);
    flow["nodes"][0]["repeatable"] = json!(false);
    let workflow = house.create(flow).await;
    let run = house.start(&workflow, json!({})).await;
    while other.asked().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    house.killed().await;
    let house = House::allowed(data.path(), &allow).await;
    house.until(&run, is("ask", "unknown")).await;
    assert_eq!(other.asked().len(), 1, "it is not sent twice");
    let waiting = house.running.store.waiting(10).await.expect("readable");
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].status, "unknown");
    let path = format!("/api/v1/runs/{run}/tasks/ask/answer");
    let data = json!({ "body": { "n": 7 } });
    let (status, told) = house
        .post(&path, json!({ "port": "succeeded", "data": data }))
        .await;
    assert_eq!(status, 200, "{told}");
    let run = house.end(&run).await;
    assert_eq!(run["output"], 7, "{run:#}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_hangs_up() {
    let data = tempfile::tempdir().expect("a directory");
    let other = Other::open(None).await;
    let house = House::allowed(data.path(), &format!("127.0.0.1:{}", other.port)).await;
    let workflow = house.create(flow(other.port)).await;
    let run = house.start(&workflow, json!({})).await;
    house.until(&run, is("ask", "running")).await;
    let cancel = format!("/api/v1/runs/{run}/cancel");
    assert_eq!(house.post(&cancel, Value::Null).await.0, 200);
    assert_eq!(house.end(&run).await["status"], "cancelled");
    // Nothing is under way any more: this would hang otherwise.
    house.close().await;
}
