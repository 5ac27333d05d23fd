//! What a run took is given back: descriptors, threads, memory; no process and no file outlives it.

use std::{collections::BTreeSet, fs, time::Duration};

use super::{
    flows,
    process::{Place, Process},
};

#[derive(Debug)]
struct Taken {
    descriptors: usize,
    threads: usize,
    children: String,
    resident_kb: f64,
}

fn taken(process: &Process) -> Taken {
    let of = format!("/proc/{}", process.pid());
    let count = |what: &str| fs::read_dir(format!("{of}/{what}")).map_or(0, Iterator::count);
    let threads = fs::read_dir(format!("{of}/task")).expect("it lives");
    let children = threads.filter_map(|thread| {
        fs::read_to_string(thread.expect("readable").path().join("children")).ok()
    });
    let status = fs::read_to_string(format!("{of}/status")).expect("it lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let resident = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    Taken {
        descriptors: count("fd"),
        threads: count("task"),
        children: children.collect::<String>().trim().to_owned(),
        resident_kb: resident.expect("a size"),
    }
}

/// One run of each shape, to its end.
async fn round(process: &Process, workflows: &[String], number: usize) {
    let mut runs = Vec::new();
    for (at, workflow) in workflows.iter().enumerate() {
        let key = format!("{number}-{at}");
        runs.push(process.run(workflow, &key).await.expect("alive"));
    }
    for run in runs {
        let end = process.end(&run).await.expect("alive");
        assert_eq!(end["status"], "succeeded", "{end:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_give_back_what_they_took() {
    let place = Place::new().await;
    let process = place.started().await;
    process.create(&flows::inner()).await.expect("alive");
    let mut workflows = Vec::new();
    for (_, flow) in &flows::shapes(place.provider.port) {
        workflows.push(process.create(flow).await.expect("alive"));
    }
    // What is made once and kept: pools, caches, agents that wait for the next task.
    for number in 0..4 {
        round(&process, &workflows, number).await;
    }
    let before = taken(&process);
    for number in 4..12 {
        round(&process, &workflows, number).await;
    }
    // A connection to the database may be opened late, and is kept; a leak would take one each round at
    // least. Threads for blocking work end 10 s after their last piece.
    let back = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let now = taken(&process);
            if now.descriptors < before.descriptors + 8 && now.threads <= before.threads {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let after = back
        .await
        .unwrap_or_else(|_| panic!("{before:?}, then {:?}", taken(&process)));
    assert_eq!(after.children, "", "a process outlives its run");
    assert!(
        after.resident_kb <= before.resident_kb * 1.05,
        "{before:?}, then {after:?}"
    );
    let files: BTreeSet<String> = fs::read_dir(place.data())
        .expect("the data directory")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let known = [
        "lock",
        "master.key",
        "troupe.db",
        "troupe.db-shm",
        "troupe.db-wal",
        "workspaces",
    ];
    assert_eq!(files, BTreeSet::from(known.map(str::to_owned)));
    process.kill().await;
}
