//! Says which promises a database breaks. Reads the file, what a provider and clients wrote down, and
//! nothing else: the program is not asked, and it may be dead.
//!
//! I1 every accepted run is at its end or waits for something named · I2 nothing is completed twice ·
//! I3 a finished call is never made again, and every repeat is in the log · I4 the log has no gap, and
//! rows are what the log says · I5 clients heard the log · I6 sums are sums · I7 the file is sound · I8
//! nothing outlives its run · I9 no secret is on the disk.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use domain::{
    event::{Event, Fact},
    frame::EventFrame,
    graph::{Drawing, check::check as check_graph},
    run::{Run, RunEvent, RunState, TaskEvent},
};
use serde_json::Value;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{client::Heard, process::SECRET, provider::Call};

/// What is looked at.
pub struct Evidence<'a> {
    /// The data directory.
    pub data: &'a Path,
    /// Runs of which somebody was told that they are accepted.
    pub accepted: &'a [String],
    /// What the provider was asked.
    pub ledger: &'a [Call],
    /// What each client heard.
    pub clients: &'a [Vec<Heard>],
}

/// A broken promise: which, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub name: &'static str,
    pub how: String,
}

/// Panics with every broken promise.
pub async fn assert_sound(evidence: &Evidence<'_>, what: &str) {
    let found = violations(evidence).await;
    assert!(found.is_empty(), "{what}: {found:#?}");
}

/// Every broken promise.
pub async fn violations(evidence: &Evidence<'_>) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    let options = SqliteConnectOptions::new().filename(evidence.data.join("troupe.db"));
    let database = match SqliteConnection::connect_with(&options).await {
        Ok(mut database) => look(&mut database, evidence, &mut found).await,
        Err(error) => Err(error),
    };
    if let Err(error) = database {
        found.add("I7", format!("the database cannot be read: {error}"));
    }
    left_behind(evidence.data, &mut found);
    secrets(evidence.data, &mut found);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, name: &'static str, how: impl Into<String>) {
        let how = how.into();
        self.0.push(Violation { name, how });
    }

    fn check(&mut self, holds: bool, name: &'static str, how: impl FnOnce() -> String) {
        if !holds {
            self.add(name, how());
        }
    }
}

async fn look(
    database: &mut SqliteConnection,
    evidence: &Evidence<'_>,
    found: &mut Found,
) -> Result<(), sqlx::Error> {
    let sound: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut *database)
        .await?;
    found.check(sound == ["ok"], "I7", || format!("{sound:?}"));
    let dangling = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut *database)
        .await?;
    found.check(dangling.is_empty(), "I7", || {
        format!("{} rows point to nothing", dangling.len())
    });
    let log = log(database, found).await?;
    let known = folded(database, &log, found).await?;
    for run in evidence.accepted {
        found.check(known.contains(run), "I1", || {
            format!("run {run} was accepted and is not there")
        });
    }
    twice(&log, found);
    calls(database, &log, evidence.ledger, found).await?;
    for (number, client) in evidence.clients.iter().enumerate() {
        heard(number, client, &log, found);
    }
    sums(database, &log, found).await?;
    let said: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT run_id, said.task FROM said JOIN runs ON runs.id = run_id
         WHERE runs.status IN ('succeeded', 'failed', 'cancelled')",
    )
    .fetch_all(&mut *database)
    .await?;
    for (run, task) in said {
        found.add("I8", format!("text of {task} in {run} outlives its run"));
    }
    Ok(())
}

// -- I4 -----------------------------------------------------------------------------------------------

async fn log(
    database: &mut SqliteConnection,
    found: &mut Found,
) -> Result<Vec<Event>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT seq, run_seq, timestamp, event_type, topic, workflow_id, run_id, task,
                source_agent_id, severity, data FROM events ORDER BY seq",
    )
    .fetch_all(database)
    .await?;
    let mut log: Vec<Event> = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let seq: i64 = row.get(0);
        found.check(seq == at as i64 + 1, "I4", || {
            format!("event {} is missing before {seq}", at + 1)
        });
        let frame = serde_json::json!({
            "seq": seq, "run_seq": row.get::<Option<i64>, _>(1), "at": row.get::<i64, _>(2),
            "type": row.get::<String, _>(3), "topic": row.get::<String, _>(4),
            "workflow_id": row.get::<Option<String>, _>(5), "run_id": row.get::<Option<String>, _>(6),
            "task": row.get::<Option<String>, _>(7), "agent_id": row.get::<Option<String>, _>(8),
            "severity": row.get::<String, _>(9),
            "data": serde_json::from_str::<Value>(row.get(10)).unwrap_or_default(),
        });
        let read = serde_json::from_value::<EventFrame>(frame).map_err(|error| error.to_string());
        match read.and_then(|frame| Event::from_frame(frame).map_err(|error| error.to_string())) {
            Ok(event) => log.push(event),
            Err(error) => found.add("I4", format!("event {seq} cannot be read: {error}")),
        }
    }
    Ok(log)
}

/// Compares each run with what its events make of it. Returns the runs that there are.
async fn folded(
    database: &mut SqliteConnection,
    log: &[Event],
    found: &mut Found,
) -> Result<HashSet<String>, sqlx::Error> {
    let mut by_run: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for event in log {
        if let Some(run) = event.fact.run() {
            by_run.entry(run.to_string()).or_default().push(event);
        }
    }
    let rows = sqlx::query(
        "SELECT runs.id, status, output, last_seq, last_run_seq, cost_micro_usd, prompt_tokens, completion_tokens,
                tasks, drawing FROM runs LEFT JOIN workflow_versions AS versions
                ON versions.workflow_id = runs.workflow_id AND version = workflow_version",
    )
    .fetch_all(&mut *database)
    .await?;
    let mut known = HashSet::new();
    for row in rows {
        let id: String = row.get(0);
        known.insert(id.clone());
        let events = by_run.remove(&id).unwrap_or_default();
        for (at, event) in events.iter().enumerate() {
            found.check(event.run_seq == Some(at as u64 + 1), "I4", || {
                format!("run {id} has {:?} where {} was due", event.run_seq, at + 1)
            });
        }
        let drawing = row.get::<Option<&str>, _>(9).unwrap_or_default();
        let drawing: Value = serde_json::from_str(drawing).unwrap_or_default();
        let graph = Drawing::from_value(drawing)
            .ok()
            .and_then(|(drawing, _)| check_graph(&drawing).0);
        let Some(graph) = graph else {
            found.add("I4", format!("the workflow of run {id} cannot be read"));
            continue;
        };
        let run = match Run::replay(events.iter().copied(), &graph) {
            Ok(Some(run)) => run,
            Ok(None) => {
                found.add("I4", format!("run {id} has no events"));
                continue;
            }
            Err(misfit) => {
                found.add("I4", format!("the events of run {id} do not fit: {misfit}"));
                continue;
            }
        };
        let output = match &run.state {
            RunState::Succeeded { output } => Some(output.to_string()),
            RunState::Queued
            | RunState::Running
            | RunState::Paused { .. }
            | RunState::Failed { .. }
            | RunState::Cancelled { .. } => None,
        };
        let number = |at: usize| row.get::<Option<i64>, _>(at);
        let same = row.get::<String, _>(1) == run.state.name()
            && row.get::<Option<String>, _>(2) == output
            && number(3) == Some(run.last_seq as i64)
            && number(4) == Some(run.last_run_seq as i64)
            && number(8) == Some(run.tasks.len() as i64);
        found.check(same, "I4", || {
            format!("the row of run {id} is not what its events make of it")
        });
        let tokens = run.tokens();
        let sums = number(5) == run.cost().map(|cost| cost.0 as i64)
            && number(6) == tokens.prompt.map(|tokens| tokens as i64)
            && number(7) == tokens.completion.map(|tokens| tokens as i64);
        found.check(sums, "I6", || {
            format!("cost or tokens of run {id} are not the sum of its turns")
        });
        tasks(database, &run, found).await?;
    }
    for run in by_run.keys() {
        found.add("I4", format!("run {run} has events and no row"));
    }
    Ok(known)
}

async fn tasks(
    database: &mut SqliteConnection,
    run: &Run,
    found: &mut Found,
) -> Result<(), sqlx::Error> {
    let id = run.id;
    let rows: Vec<(String, String, Option<i64>)> =
        sqlx::query_as("SELECT task, status, cost_micro_usd FROM tasks WHERE run_id = ?1")
            .bind(id.to_string())
            .fetch_all(&mut *database)
            .await?;
    let rows: HashMap<String, (String, Option<i64>)> = rows
        .into_iter()
        .map(|(task, status, cost)| (task, (status, cost)))
        .collect();
    let mut waits = false;
    let mut works = Vec::new();
    for (name, task) in &run.tasks {
        let row = rows.get(name.as_str());
        let status = row.map(|row| row.0.as_str());
        let own = task.state.name();
        found.check(status == Some(own), "I4", || {
            format!("{name} of {id} is {own} and its row says {status:?}")
        });
        let cost = task.cost().map(|cost| cost.0 as i64);
        found.check(row.is_some_and(|row| row.1 == cost), "I6", || {
            format!("the cost of {name} of {id} is not the sum of its turns")
        });
        waits |= matches!(own, "waiting" | "unknown");
        if matches!(own, "ready" | "assigned" | "running") {
            works.push(name.to_string());
        }
        let attempts: Vec<(u32, Option<i64>, u32)> = sqlx::query_as(
            "SELECT attempt, cost_micro_usd, turns FROM attempts WHERE run_id = ?1 AND task = ?2",
        )
        .bind(id.to_string())
        .bind(name.as_str())
        .fetch_all(&mut *database)
        .await?;
        for (number, cost, turns) in attempts {
            let attempt = task.attempt(number);
            let own = attempt.map(|attempt| {
                let cost = attempt.cost().map(|cost| cost.0 as i64);
                (cost, attempt.turns.len() as u32)
            });
            found.check(own == Some((cost, turns)), "I6", || {
                format!("try {number} of {name} of {id} is not the sum of its turns")
            });
        }
    }
    // A round of a map or loop, or a child, is what such a task is at; somebody has to wait below it.
    let at_rest = run.state.is_final() || run.is_paused() || waits;
    found.check(at_rest, "I1", || {
        format!("run {id} neither is at its end nor waits: {works:?}")
    });
    Ok(())
}

// -- I2 -----------------------------------------------------------------------------------------------

fn twice(log: &[Event], found: &mut Found) {
    let mut done: HashSet<(String, String)> = HashSet::new();
    let mut ended: HashSet<String> = HashSet::new();
    for event in log {
        match &event.fact {
            Fact::Run { run, event, .. } => {
                let run = run.to_string();
                match event {
                    // A person let it go on behind its end: what is asked for again may end again.
                    RunEvent::Resumed { again, .. } => {
                        ended.remove(&run);
                        for task in again {
                            done.remove(&(run.clone(), task.to_string()));
                        }
                    }
                    RunEvent::Completed { .. }
                    | RunEvent::Failed { .. }
                    | RunEvent::Cancelled { .. } => {
                        found.check(ended.insert(run.clone()), "I2", || {
                            format!("run {run} ends twice")
                        });
                    }
                    RunEvent::Queued { .. }
                    | RunEvent::Started {}
                    | RunEvent::Paused { .. }
                    | RunEvent::BudgetSet { .. }
                    | RunEvent::BudgetWarned(_)
                    | RunEvent::BudgetExceeded(_)
                    | RunEvent::ChildEnded { .. } => {}
                }
            }
            Fact::Task {
                run, task, event, ..
            } => {
                if let TaskEvent::Completed { .. } = event {
                    let key = (run.to_string(), task.to_string());
                    found.check(done.insert(key), "I2", || {
                        format!("{task} of {run} is completed twice")
                    });
                }
            }
            Fact::Agent { .. } | Fact::System(_) => {}
        }
    }
}

// -- I3 -----------------------------------------------------------------------------------------------

async fn calls(
    database: &mut SqliteConnection,
    log: &[Event],
    ledger: &[Call],
    found: &mut Found,
) -> Result<(), sqlx::Error> {
    // How often each call was announced, by its key.
    let mut begun: HashMap<String, usize> = HashMap::new();
    let mut finished: HashSet<(String, u32)> = HashSet::new();
    let mut open: HashSet<(String, u32)> = HashSet::new();
    let mut starts = 0;
    for event in log {
        match &event.fact {
            Fact::Task {
                run,
                task,
                event:
                    TaskEvent::TurnStarted {
                        attempt,
                        turn,
                        resumed,
                        ..
                    },
                ..
            } => {
                let key = format!("{run}:{task}:{turn}");
                let call = (key.clone(), *attempt);
                found.check(!finished.contains(&call), "I3", || {
                    format!("{key} is made again although it was finished")
                });
                let again = !open.insert(call);
                found.check(again == *resumed, "I3", || {
                    format!("{key}: the log does not say truly whether it is a repeat")
                });
                *begun.entry(key).or_default() += 1;
            }
            Fact::Task {
                run,
                task,
                event: TaskEvent::TurnCompleted { attempt, turn, .. },
                ..
            } => {
                finished.insert((format!("{run}:{task}:{turn}"), *attempt));
            }
            Fact::System(domain::event::SystemEvent::Started { .. }) => starts += 1,
            Fact::Task { .. } | Fact::Run { .. } | Fact::Agent { .. } | Fact::System(_) => {}
        }
    }
    let once = once(database).await?;
    let mut made: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    for call in ledger {
        let entry = made.entry(&call.key).or_insert((0, call.model));
        entry.0 += 1;
    }
    for (key, (times, model)) in made {
        let may = match model {
            true => begun.get(key).copied().unwrap_or(0),
            // The log says that the step began; each start of the server may send it again.
            false => starts,
        };
        found.check(times <= may, "I3", || {
            format!("{key} was sent {times} times, and the log knows of {may}")
        });
        let place = key.rsplit_once(':').map_or("", |(place, _)| place);
        found.check(times == 1 || !once.contains(place), "I3", || {
            format!("{key} must not be repeated and was sent {times} times")
        });
    }
    Ok(())
}

/// Tasks that must not be repeated, as `run:task`.
async fn once(database: &mut SqliteConnection) -> Result<HashSet<String>, sqlx::Error> {
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT runs.id, task, node, drawing FROM tasks JOIN runs ON runs.id = run_id
         JOIN workflow_versions AS versions ON versions.workflow_id = runs.workflow_id AND version = workflow_version",
    )
    .fetch_all(database)
    .await?;
    let mut once = HashSet::new();
    for (run, task, node, drawing) in rows {
        let drawing: Value = serde_json::from_str(&drawing).unwrap_or_default();
        let mut nodes = drawing["nodes"].as_array().into_iter().flatten();
        if nodes.any(|own| own["id"] == *node && own["repeatable"] == false) {
            once.insert(format!("{run}:{task}"));
        }
    }
    Ok(once)
}

// -- I5 -----------------------------------------------------------------------------------------------

fn heard(number: usize, client: &[Heard], log: &[Event], found: &mut Found) {
    let stored: HashMap<u64, Value> = log
        .iter()
        .map(|event| {
            let frame = domain::frame::Frame::Event(event.to_frame());
            (event.seq, serde_json::to_value(frame).unwrap_or_default())
        })
        .collect();
    let mut last = 0;
    let mut first_epoch = None;
    for heard in client {
        match heard {
            Heard::Hello { epoch } => {
                let first = first_epoch.get_or_insert(epoch);
                found.check(*first == epoch, "I5", || {
                    format!("client {number} is told that the database was replaced")
                });
            }
            Heard::Event(frame) => {
                let seq = frame["seq"].as_u64().unwrap_or(0);
                found.check(seq == last + 1, "I5", || {
                    format!("client {number} heard {seq} behind {last}")
                });
                found.check(stored.get(&seq) == Some(frame), "I5", || {
                    format!("client {number} heard another event {seq} than is stored")
                });
                last = seq;
            }
            Heard::Jump { head } => last = *head,
            Heard::Closed { .. } => {}
        }
    }
}

// -- I6 -----------------------------------------------------------------------------------------------

async fn sums(
    database: &mut SqliteConnection,
    log: &[Event],
    found: &mut Found,
) -> Result<(), sqlx::Error> {
    let mut costs: BTreeMap<i64, i64> = BTreeMap::new();
    for event in log {
        if let Fact::Task {
            event: TaskEvent::TurnCompleted { record, .. },
            ..
        } = &event.fact
            && let Some(cost) = record.cost_usd
        {
            *costs
                .entry(event.at.0 - event.at.0.rem_euclid(3_600_000))
                .or_default() += cost.0 as i64;
        }
    }
    let stored: Vec<(i64, i64)> =
        sqlx::query_as("SELECT hour, cost_micro_usd FROM spending ORDER BY hour")
            .fetch_all(database)
            .await?;
    found.check(stored.iter().copied().eq(costs), "I6", || {
        format!("what was spent by the hour is not the sum of all turns: {stored:?}")
    });
    Ok(())
}

// -- I8, I9 -------------------------------------------------------------------------------------------

fn left_behind(data: &Path, found: &mut Found) {
    if data.join("recovering").exists() {
        found.add(
            "I8",
            "a run is marked as being taken up again, and nobody is at it",
        );
    }
}

fn secrets(directory: &Path, found: &mut Found) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            secrets(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes
                .windows(SECRET.len())
                .any(|part| part == SECRET.as_bytes())
        {
            found.add("I9", format!("{} holds a key", path.display()));
        }
    }
}
