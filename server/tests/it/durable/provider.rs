//! A provider of models, and a server for http steps, that writes down what it was asked. It lives in
//! the test, so it remembers what the program under test has forgotten. The same question gets the
//! same answer.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Pieces of an answer.
const PIECES: usize = 6;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `Idempotency-Key`.
    pub key: String,
    /// Whether a model was asked; an http step otherwise.
    pub model: bool,
    /// Whether the whole answer went out.
    pub finished: bool,
}

/// Running; ends with the test.
#[derive(Clone)]
pub struct Provider {
    pub port: u16,
    ledger: Arc<Mutex<Vec<Call>>>,
    /// Milliseconds between two pieces.
    pace: Arc<AtomicU64>,
    /// How many pieces go out at most for now.
    most: watch::Sender<usize>,
}

impl Provider {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let provider = Self {
            port: listener.local_addr().expect("an address").port(),
            ledger: Arc::default(),
            pace: Arc::default(),
            most: watch::Sender::new(usize::MAX),
        };
        let own = provider.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.serve(client).await });
            }
        });
        provider
    }

    /// Everything that it was asked.
    pub fn ledger(&self) -> Vec<Call> {
        self.ledger.lock().expect("lock").clone()
    }

    /// How long it takes from one piece to the next.
    pub fn takes(&self, pace: Duration) {
        let pace = u64::try_from(pace.as_millis()).expect("a short time");
        self.pace.store(pace, Ordering::Relaxed);
    }

    /// Says so many pieces of each answer, and the rest once it may.
    pub fn says_at_most(&self, pieces: usize) {
        self.most.send_replace(pieces);
    }

    async fn serve(&self, mut client: TcpStream) {
        let Some((head, body)) = read(&mut client).await else {
            return;
        };
        // Looking at what is on offer calls nobody.
        if head.starts_with("GET /v1/models") {
            let _gone = client.write_all(CATALOGUE).await;
            let _gone = client.shutdown().await;
            return;
        }
        let model = head.starts_with("POST /v1/chat/completions");
        let at = {
            let mut ledger = self.ledger.lock().expect("lock");
            ledger.push(Call {
                key: key(&head),
                model,
                finished: false,
            });
            ledger.len() - 1
        };
        let said = match model {
            true => self.answer(&mut client, &body).await,
            false => client.write_all(EFFECT).await,
        };
        if said.is_ok() {
            self.ledger.lock().expect("lock")[at].finished = true;
        }
        // Until the other side has it all.
        let _gone = client.shutdown().await;
    }

    async fn answer(&self, client: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
        client
            .write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
            )
            .await?;
        let mut most = self.most.subscribe();
        for (number, text) in pieces(body).into_iter().enumerate() {
            if most.wait_for(|most| number < *most).await.is_err() {
                return Ok(());
            }
            let delta = json!({ "content": text });
            send(
                client,
                &json!({ "id": "gen-1", "model": "m", "choices": [
                { "index": 0, "delta": delta, "finish_reason": null }] }),
            )
            .await?;
            tokio::time::sleep(Duration::from_millis(self.pace.load(Ordering::Relaxed))).await;
        }
        send(
            client,
            &json!({ "id": "gen-1", "model": "m", "choices": [
            { "index": 0, "delta": {}, "finish_reason": "stop" }] }),
        )
        .await?;
        send(
            client,
            &json!({ "id": "gen-1", "model": "m", "choices": [],
            "usage": { "prompt_tokens": 7, "completion_tokens": PIECES, "cost": 0.000_123 } }),
        )
        .await?;
        client.write_all(b"data: [DONE]\n\n").await
    }
}

const CATALOGUE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"data\":[]}";

const EFFECT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"n\": 4200}";

async fn send(client: &mut TcpStream, chunk: &Value) -> std::io::Result<()> {
    client
        .write_all(format!("data: {chunk}\n\n").as_bytes())
        .await
}

/// What it answers to this: depends on the messages alone.
pub fn pieces(body: &[u8]) -> Vec<String> {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    asked["messages"].to_string().hash(&mut hasher);
    let number = hasher.finish() % 100_000;
    let word = |at: usize| format!("w{at} ");
    let mut pieces: Vec<String> = (1..PIECES).map(word).collect();
    pieces.push(number.to_string());
    pieces
}

fn key(head: &str) -> String {
    let line = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("idempotency-key:"));
    line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
        .unwrap_or_default()
}

async fn read(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let mut part = [0; 16 << 10];
        let length = client
            .read(&mut part)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        all.extend_from_slice(&part[..length]);
        let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&all[..end]).into_owned();
        let length = head.to_ascii_lowercase();
        let length = length.split("content-length:").nth(1);
        let length: usize = length
            .and_then(|rest| rest.lines().next()?.trim().parse().ok())
            .unwrap_or(0);
        if all.len() >= end + 4 + length {
            return Some((head, all[end + 4..].to_vec()));
        }
    }
}
