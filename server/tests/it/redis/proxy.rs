//! Stands between the mirror and Redis and loses replies on demand.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A proxy at work.
pub struct Proxy {
    /// Where it listens.
    pub url: String,
    muted: Arc<AtomicBool>,
}

impl Proxy {
    /// Stands before this port.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let muted = Arc::new(AtomicBool::new(false));
        let mute = Arc::clone(&muted);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(redis) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::spawn(pass(client, redis, Arc::clone(&mute)));
                }
            }
        });
        Self {
            url: format!("redis://{address}"),
            muted,
        }
    }

    /// From now on requests arrive and replies do not, or again as they should.
    pub fn mute(&self, muted: bool) {
        self.muted.store(muted, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, redis: TcpStream, mute: Arc<AtomicBool>) {
    let (mut requests, mut to_client) = client.into_split();
    let (mut replies, mut to_redis) = redis.into_split();
    let there = async {
        // Ends with the client.
        let _ = tokio::io::copy(&mut requests, &mut to_redis).await;
    };
    let back = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match replies.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) if mute.load(Ordering::SeqCst) => {}
                Ok(read) => {
                    if to_client.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}
