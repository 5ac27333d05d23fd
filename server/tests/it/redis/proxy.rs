//! Stands between the mirror and Redis, and loses or delays replies on demand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A proxy at work.
pub struct Proxy {
    /// Where it listens.
    pub url: String,
    manners: Arc<Manners>,
}

#[derive(Default)]
struct Manners {
    muted: AtomicBool,
    delay_ms: AtomicU64,
}

impl Proxy {
    /// Stands before this port.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let manners = Arc::new(Manners::default());
        let shared = Arc::clone(&manners);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(redis) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::spawn(pass(client, redis, Arc::clone(&shared)));
                }
            }
        });
        Self {
            url: format!("redis://{address}"),
            manners,
        }
    }

    /// From now on requests arrive and replies do not, or again as they should.
    pub fn mute(&self, muted: bool) {
        self.manners.muted.store(muted, Ordering::SeqCst);
    }

    /// From now on replies take this long.
    pub fn delay(&self, delay: Duration) {
        let delay_ms = delay.as_millis() as u64;
        self.manners.delay_ms.store(delay_ms, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, redis: TcpStream, manners: Arc<Manners>) {
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
                Ok(_) if manners.muted.load(Ordering::SeqCst) => {}
                Ok(read) => {
                    // What is tested here is slowness itself.
                    let delay_ms = manners.delay_ms.load(Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
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
