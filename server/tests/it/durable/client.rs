//! A client of the live stream that comes back after every cut with its last `seq`, and writes down
//! what it was sent.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// What a client was sent, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The greeting: which database this is.
    Hello { epoch: String },
    /// An event.
    Event(Value),
    /// It was too far behind, and was told so.
    Jump { head: u64 },
    /// The server hung up in an orderly way.
    Closed { code: u16 },
}

/// Listens until it is dropped.
pub struct Client {
    log: Arc<Mutex<Vec<Heard>>>,
    address: watch::Sender<Option<String>>,
    task: JoinHandle<()>,
}

impl Client {
    /// From the first event on, once it is told where.
    pub fn new() -> Self {
        let log = Arc::<Mutex<Vec<Heard>>>::default();
        let address = watch::Sender::new(None);
        let task = tokio::spawn(listen(address.subscribe(), log.clone()));
        Self { log, address, task }
    }

    /// The server is here now.
    pub fn follow(&self, address: &str) {
        self.address.send_replace(Some(address.to_owned()));
    }

    pub fn log(&self) -> Vec<Heard> {
        self.log.lock().expect("lock").clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(mut address: watch::Receiver<Option<String>>, log: Arc<Mutex<Vec<Heard>>>) {
    let mut last = 0;
    loop {
        let Some(to) = address.borrow_and_update().clone() else {
            if address.changed().await.is_err() {
                return;
            }
            continue;
        };
        let url = format!("ws://{to}/ws/events?after={last}");
        if let Ok((mut socket, _)) = connect_async(url).await {
            while let Some(Ok(message)) = socket.next().await {
                let heard = match message {
                    Message::Text(text) => read(&text, &mut last),
                    Message::Close(Some(frame)) => Some(Heard::Closed {
                        code: frame.code.into(),
                    }),
                    Message::Binary(_)
                    | Message::Ping(_)
                    | Message::Pong(_)
                    | Message::Close(None)
                    | Message::Frame(_) => None,
                };
                log.lock().expect("lock").extend(heard);
            }
        }
        // There is nobody at this address any more, most likely.
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn read(text: &str, last: &mut u64) -> Option<Heard> {
    let frame: Value = serde_json::from_str(text).expect("frames are JSON");
    match frame["kind"].as_str().expect("a kind") {
        "hello" => Some(Heard::Hello {
            epoch: frame["epoch"].as_str().expect("an epoch").to_owned(),
        }),
        "event" => {
            *last = frame["seq"].as_u64().expect("a number");
            Some(Heard::Event(frame))
        }
        "snapshot" => {
            *last = frame["head"].as_u64().expect("a number");
            Some(Heard::Jump { head: *last })
        }
        _ => None,
    }
}
