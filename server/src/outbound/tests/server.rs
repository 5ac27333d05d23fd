//! A server that answers each connection with the next script, keeps what it was sent, and notices when the
//! other side hangs up.

use std::{net::SocketAddr, sync::Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

use super::*;

/// What a server does next on a connection.
#[derive(Debug, Clone)]
pub enum Act {
    Send(Vec<u8>),
    Wait(u64),
    /// Waits until the client closes.
    Hang,
}

pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    /// A permit for each request that was read whole.
    pub came: Arc<Semaphore>,
    /// A permit for each client that hung up while the script said `Hang`.
    pub left: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn acting(host: &str, scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (came, left) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (kept, coming, leaving) = (requests.clone(), came.clone(), left.clone());
        let task = tokio::spawn(async move {
            for script in scripts {
                let (mut socket, _) = listener.accept().await.expect("a connection");
                let request = read_request(&mut socket).await;
                kept.lock().expect("not poisoned").push(request);
                coming.add_permits(1);
                act(socket, script, &leaving).await;
            }
        });
        Self {
            address,
            requests,
            came,
            left,
            task,
        }
    }

    /// One answer per connection.
    pub async fn answering(host: &str, answers: &[&str]) -> Self {
        let scripts = answers
            .iter()
            .map(|answer| vec![Act::Send(answer.as_bytes().to_vec())]);
        Self::acting(host, scripts.collect()).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }

    pub fn request(&self, at: usize) -> String {
        self.requests()[at].clone()
    }
}

async fn act(mut socket: TcpStream, script: Vec<Act>, left: &Semaphore) {
    for step in script {
        match step {
            Act::Send(bytes) => {
                // Whoever asked may be gone already.
                let _ = socket.write_all(&bytes).await;
                let _ = socket.flush().await;
            }
            Act::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Act::Hang => {
                let mut buffer = [0; 64];
                while matches!(socket.read(&mut buffer).await, Ok(1..)) {}
                left.add_permits(1);
            }
        }
    }
    let _ = socket.shutdown().await;
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let line = line.to_lowercase();
                line.strip_prefix("content-length: ").map(str::to_owned)
            });
            if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
                return text;
            }
        }
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => read.extend_from_slice(&buffer[..count]),
        }
    }
}
