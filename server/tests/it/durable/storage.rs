//! A full disk and a locked database: the program waits, says so, and goes on by itself.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{process::Command, time::timeout};

use super::{
    checker::{Evidence, assert_sound},
    client::Client,
    flows,
    process::{LONG, Place, Process},
    provider::Provider,
};

/// What stops the database from being written, and lets it be again.
enum Trouble {
    /// Another program writes.
    Lock(Box<SqliteConnection>),
    /// The disk is full: this file fills it.
    Full(PathBuf),
    /// No file of the process may grow.
    Limit(u32),
}

impl Trouble {
    async fn lock(place: &Place) -> Self {
        let options = SqliteConnectOptions::new().filename(place.data().join("troupe.db"));
        let mut other = SqliteConnection::connect_with(&options)
            .await
            .expect("opened");
        sqlx::query("BEGIN EXCLUSIVE")
            .execute(&mut other)
            .await
            .expect("locked");
        Trouble::Lock(Box::new(other))
    }

    async fn full(disk: &Disk, place: &Place, process: &Process) -> Self {
        if !disk.is_own {
            limit(process.pid(), "4096:unlimited").await;
            return Trouble::Limit(process.pid());
        }
        let filler = place.data().join("filler");
        let mut file = std::fs::File::create(&filler).expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {}
        }
        Trouble::Full(filler)
    }

    async fn ends(self) {
        match self {
            Trouble::Lock(mut other) => {
                sqlx::query("ROLLBACK")
                    .execute(&mut *other)
                    .await
                    .expect("unlocked");
            }
            Trouble::Full(filler) => std::fs::remove_file(filler).expect("removed"),
            Trouble::Limit(pid) => limit(pid, "unlimited:unlimited").await,
        }
    }
}

async fn limit(pid: u32, bytes: &str) {
    let status = Command::new("prlimit")
        .args([format!("--pid={pid}"), format!("--fsize={bytes}")])
        .status()
        .await;
    assert!(status.expect("prlimit is there").success());
}

/// A small file system of its own, where this user may mount one.
struct Disk {
    at: PathBuf,
    is_own: bool,
}

impl Disk {
    async fn below(home: &std::path::Path) -> Self {
        let at = home.join("disk");
        std::fs::create_dir_all(&at).expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs"])
            .arg(&at)
            .stderr(std::process::Stdio::null())
            .status()
            .await;
        let is_own = mounted.is_ok_and(|status| status.success());
        if !is_own {
            eprintln!(
                "no file system can be mounted here: a limit of file sizes stands for a full disk"
            );
        }
        Self { at, is_own }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_own {
            let _gone = std::process::Command::new("umount")
                .arg("-l")
                .arg(&self.at)
                .status();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_database_is_waited_for() {
    let place = Place::new().await;
    let process = place.started().await;
    goes_on_by_itself(&place, process, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_waited_for() {
    let home = tempfile::tempdir().expect("a directory");
    let disk = Disk::below(home.path()).await;
    let data = disk.at.join("data");
    let place = Place::with(home, data, Provider::open().await);
    let process = place.started().await;
    goes_on_by_itself(&place, process, Some(&disk)).await;
}

async fn goes_on_by_itself(place: &Place, process: Process, disk: Option<&Disk>) {
    let client = Client::new();
    client.follow(&process.address);
    let workflow = process
        .create(&flows::chain(place.provider.port))
        .await
        .expect("alive");
    place.provider.says_at_most(2);
    let live = process.run(&workflow, "live").await.expect("alive");
    while place.provider.ledger().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let trouble = match disk {
        None => Trouble::lock(place).await,
        Some(disk) => Trouble::full(disk, place, &process).await,
    };
    // The model answers meanwhile: the answer waits for the disk.
    place.provider.says_at_most(usize::MAX);

    let path = format!("/api/v1/workflows/{workflow}/runs");
    let start = process.call("POST", &path, Some("meanwhile"), json!({ "input": {} }));
    let degraded = async {
        loop {
            let health = process.get("/healthz").await.expect("alive");
            if health["status"] == "degraded" {
                return health;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let (start, health) = tokio::join!(start, timeout(LONG, degraded));
    let health = health.expect("it says so");
    assert!(
        health["degraded"][0]
            .as_str()
            .is_some_and(|text| text.contains("cannot be written")),
        "{health}"
    );
    let (status, told) = start.expect("alive");
    assert_eq!(
        (status, &told["code"]),
        (503, &json!("not_durable_yet")),
        "{told}"
    );
    let reads = process
        .get(&format!("/api/v1/runs/{live}"))
        .await
        .expect("alive");
    assert_eq!(reads["status"], "running", "{reads:#}");
    let ready = process
        .call("GET", "/readyz", None, Value::Null)
        .await
        .expect("alive");
    assert_eq!(ready.0, 200, "{ready:?}");
    trouble.ends().await;

    let end = process.end(&live).await.expect("alive");
    assert_eq!(end["status"], "succeeded", "{end:#}");
    // The start that nobody could promise: the same key is the same run, once.
    let meanwhile = process.run(&workflow, "meanwhile").await.expect("alive");
    let end = process.end(&meanwhile).await.expect("alive");
    assert_eq!(end["status"], "succeeded", "{end:#}");
    let runs = process.get("/api/v1/runs").await.expect("alive");
    assert_eq!(runs["items"].as_array().map(Vec::len), Some(2), "{runs:#}");
    let health = process.get("/healthz").await.expect("alive");
    assert_eq!(health["status"], "ok", "{health}");
    process.kill().await;
    let ledger = place.provider.ledger();
    let calls = ledger.iter().filter(|call| call.model).count();
    assert_eq!(calls, 4, "no call was made again: {ledger:#?}");
    let evidence = Evidence {
        data: place.data(),
        accepted: &[live, meanwhile],
        ledger: &ledger,
        clients: &[client.log()],
    };
    assert_sound(&evidence, "storage").await;
}
