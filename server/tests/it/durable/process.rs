//! The program as a process of its own, over a data directory that outlives it.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::provider::Provider;

/// Stands nowhere but in the environment: the key of the provider.
pub const SECRET: &str = "sk-canary-5f1c9be0a7d24c31";

/// Longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(60);

/// A place for the program: data, and a provider that it calls.
pub struct Place {
    home: TempDir,
    data: PathBuf,
    pub provider: Provider,
    client: reqwest::Client,
}

/// The program at work. Dropping it kills it.
pub struct Process {
    pub address: String,
    child: Child,
    /// Held open: a program that writes to nobody ends.
    _said: Lines<BufReader<ChildStdout>>,
    client: reqwest::Client,
}

impl Place {
    pub async fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let data = home.path().join("data");
        Self::with(home, data, Provider::open().await)
    }

    /// One whose data is somewhere else.
    pub fn with(home: TempDir, data: PathBuf, provider: Provider) -> Self {
        std::fs::create_dir_all(home.path().join("site/pkg")).expect("a directory");
        // Its own proxy settings would be those of whoever runs the tests.
        let client = reqwest::Client::builder().no_proxy().timeout(LONG);
        Self {
            home,
            data,
            provider,
            client: client.build().expect("a client"),
        }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What the program wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Starts it; `None` when it died before it was up.
    pub async fn start(&self, failpoint: Option<&str>) -> Option<Process> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.home.path().join("log"))
            .expect("a file");
        let provider = self.provider.port;
        // A full disk is an error and no signal.
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" serve"])
            .arg(env!("CARGO_BIN_EXE_troupe"))
            .env_clear()
            .env("HOME", self.home.path())
            .env("TROUPE_DATA", &self.data)
            .env("TROUPE_ADDR", "127.0.0.1:0")
            .env("TROUPE_SITE", self.home.path().join("site"))
            .env("TROUPE_LOG", "warn")
            .env("TROUPE_HTTP_ALLOW", format!("127.0.0.1:{provider}"))
            .env("TROUPE_FAILPOINT", failpoint.unwrap_or_default())
            .env("OPENAI_API_KEY", SECRET)
            .env("OPENAI_BASE_URL", format!("http://127.0.0.1:{provider}/v1"))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("it can be started");
        let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
        let address = async {
            while let Some(line) = said.next_line().await.ok()? {
                if let Some((_, address)) = line.split_once(" is at http://") {
                    return Some(address.to_owned());
                }
            }
            None
        };
        let address = timeout(LONG, address).await.expect("it is up, or dead");
        if address.is_none() {
            let status = child.wait().await.expect("a status");
            eprintln!("it ended before it was up: {status}");
        }
        Some(Process {
            address: address?,
            child,
            _said: said,
            client: self.client.clone(),
        })
    }

    /// Starts it where it must come up.
    pub async fn started(&self) -> Process {
        let started = self.start(None).await;
        started.unwrap_or_else(|| panic!("it does not start: {}", self.log()))
    }
}

impl Process {
    /// One request; an error when it died meanwhile.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Value,
    ) -> Result<(u16, Value), reqwest::Error> {
        let method = method.parse().expect("a method");
        let url = format!("http://{}{path}", self.address);
        let mut request = self.client.request(method, url).json(&body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.unwrap_or(Value::Null)))
    }

    pub async fn get(&self, path: &str) -> Result<Value, reqwest::Error> {
        Ok(self.call("GET", path, None, Value::Null).await?.1)
    }

    /// Stores a workflow.
    pub async fn create(&self, workflow: &Value) -> Result<String, reqwest::Error> {
        let path = "/api/v1/workflows";
        let (status, created) = self.call("POST", path, None, workflow.clone()).await?;
        assert_eq!(status, 201, "{created}");
        Ok(created["id"].as_str().expect("an id").to_owned())
    }

    /// Starts a run, or finds the one that was started under this key.
    pub async fn run(&self, workflow: &str, key: &str) -> Result<String, reqwest::Error> {
        let path = format!("/api/v1/workflows/{workflow}/runs");
        let body = json!({ "input": {} });
        let (status, started) = self.call("POST", &path, Some(key), body).await?;
        assert_eq!(status, 202, "{started}");
        Ok(started["id"].as_str().expect("an id").to_owned())
    }

    /// Says yes to everything that waits for a person, and reads the run once it is at its end.
    pub async fn end(&self, run: &str) -> Result<Value, reqwest::Error> {
        let path = format!("/api/v1/runs/{run}");
        let wait = async {
            loop {
                let now = self.get(&path).await?;
                if !now["ended_at"].is_null() {
                    return Ok(now);
                }
                for task in now["tasks"].as_array().into_iter().flatten() {
                    if task["waiting_for"] == "approval" {
                        let answer = format!(
                            "{path}/tasks/{}/answer",
                            task["task"].as_str().expect("a name")
                        );
                        self.call("POST", &answer, None, json!({ "port": "approved" }))
                            .await?;
                    }
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LONG, wait).await.expect("the run comes to its end")
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// A signal by its name.
    pub async fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await;
        assert!(sent.expect("kill is there").success());
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("alive")
    }

    /// Waits until it is gone.
    pub async fn gone(mut self) -> ExitStatus {
        let gone = timeout(LONG, self.child.wait()).await;
        gone.expect("it ends").expect("a status")
    }
}
