//! A real `redis-server` of a test's own: on a free port, with a directory that goes with it.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use futures::{Stream, StreamExt};
use redis::{AsyncConnectionConfig, Client, FromRedisValue, aio::MultiplexedConnection};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// Long enough for a machine with other things to do; only a failure takes so long.
pub const LONG: Duration = Duration::from_secs(30);

/// A running server, or one that a test killed. Dropping it kills it.
pub struct Daemon {
    /// Where it listens.
    pub port: u16,
    child: Child,
    directory: TempDir,
    args: Vec<String>,
}

impl Daemon {
    /// Starts one with these arguments besides the usual ones. `None`, loudly, when there is no Redis
    /// to start; where everything has to be tested (`CI`), that is a failure.
    pub async fn start(args: &[&str]) -> Option<Self> {
        let Some(binary) = binary() else {
            assert!(
                std::env::var_os("CI").is_none() && std::env::var_os("TROUPE_TEST_ALL").is_none(),
                "redis-server is not installed: `./x setup_services` installs it"
            );
            eprintln!("\n!!! NOT TESTED: redis-server is not installed (`./x test` installs it)\n");
            return None;
        };
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let directory = tempfile::tempdir().expect("a directory");
        // Another test may take the port between the look and the start.
        for _ in 0..10 {
            let port = free_port();
            if let Some(child) = spawn(&binary, port, &directory, &args).await {
                return Some(Self {
                    port,
                    child,
                    directory,
                    args,
                });
            }
        }
        panic!("redis-server does not start");
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Starts again on the same port.
    pub async fn start_again(&mut self) {
        let binary = binary().expect("it was there before");
        self.child = spawn(&binary, self.port, &self.directory, &self.args)
            .await
            .expect("redis-server starts again");
    }

    /// Starts again without the data.
    pub async fn start_again_empty(&mut self) {
        self.directory = tempfile::tempdir().expect("a directory");
        self.start_again().await;
    }

    /// SIGSTOP, SIGCONT.
    pub async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("alive").to_string();
        #[allow(clippy::disallowed_methods)]
        let status = Command::new("kill").args([signal, &pid]).status().await;
        assert!(status.expect("a status").success());
    }

    /// The address for a program.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection that waits as long as it takes.
    pub async fn connect(&self) -> MultiplexedConnection {
        connect(&self.url()).await
    }

    /// One command, written with blanks.
    pub async fn command<T: FromRedisValue>(&self, line: &str) -> T {
        command(&mut self.connect().await, line).await
    }

    /// What a program finds in the stream once it ends with `last`: ids and frames.
    pub async fn stream(&self, key: &str, last: u64) -> Vec<(u64, String)> {
        let mut connection = self.connect().await;
        let mut found: Vec<(u64, String)> = Vec::new();
        while found.last().is_none_or(|&(seq, _)| seq < last) {
            let after = found.last().map_or(0, |&(seq, _)| seq);
            let mut read = redis::cmd("XREAD");
            read.arg("BLOCK").arg(LONG.as_millis() as u64);
            read.arg("STREAMS").arg(key).arg(format!("{after}-0"));
            type Entry = (String, Vec<String>);
            let streams: Option<Vec<(String, Vec<Entry>)>> =
                read.query_async(&mut connection).await.expect("readable");
            let Some(streams) = streams else {
                panic!("{key} ends with {after}, not with {last}");
            };
            for (id, fields) in streams.into_iter().flat_map(|(_, entries)| entries) {
                let seq = id.strip_suffix("-0").expect("ids are numbers of events");
                let [name, frame] = <[String; 2]>::try_from(fields).expect("one field");
                assert_eq!(name, "event");
                found.push((seq.parse().expect("a number"), frame));
            }
        }
        found
    }

    /// What channels that fit the pattern carry from now on: their names and the frames.
    pub async fn listen(
        &self,
        pattern: &str,
    ) -> impl Stream<Item = (String, String)> + Unpin + use<> {
        let client = Client::open(self.url()).expect("an address");
        let mut channels = client.get_async_pubsub().await.expect("a connection");
        channels.psubscribe(pattern).await.expect("subscribed");
        channels.into_on_message().map(|message| {
            let frame = message.get_payload().expect("text");
            (message.get_channel_name().to_owned(), frame)
        })
    }
}

/// A connection that waits as long as it takes.
pub async fn connect(url: &str) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let client = Client::open(url).expect("an address");
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .expect("a connection")
}

/// One command, written with blanks.
pub async fn command<T: FromRedisValue>(connection: &mut MultiplexedConnection, line: &str) -> T {
    let mut words = line.split(' ');
    let mut command = redis::cmd(words.next().expect("a command"));
    for word in words {
        command.arg(word);
    }
    command.query_async(connection).await.expect(line)
}

/// A port that nobody listens on. Below those that the system hands out: a client that tries such a
/// port again and again would at last be connected to itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = std::process::id() as u16 % 100 * 100;
    loop {
        let port = 20_000 + (base + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn binary() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join("redis-server"))
        .find(|binary| binary.is_file())
}

/// Returns once it takes connections; `None` when it ended instead.
async fn spawn(binary: &PathBuf, port: u16, directory: &TempDir, args: &[String]) -> Option<Child> {
    #[allow(clippy::disallowed_methods)]
    let mut child = Command::new(binary)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .arg("--dir")
        .arg(directory.path())
        .args(["--save", "", "--maxmemory-policy", "noeviction"])
        .args(args)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let ready = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("Ready to accept connections") {
                return true;
            }
        }
        false
    };
    if !timeout(LONG, ready)
        .await
        .expect("redis-server is ready or ends")
    {
        return None;
    }
    // Nobody reads on, and it must not stop at a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(child)
}
