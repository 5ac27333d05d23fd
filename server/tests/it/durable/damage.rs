//! The checker is worth something: every kind of damage is reported under its name.

use std::path::Path;

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    checker::{Evidence, violations},
    client::{Client, Heard},
    flows,
    process::{Place, SECRET},
    provider::Call,
};

/// What was seen of a run that went well.
struct Scene {
    data: std::path::PathBuf,
    accepted: Vec<String>,
    ledger: Vec<Call>,
    heard: Vec<Heard>,
}

impl Scene {
    async fn found(&self, data: &Path) -> Vec<&'static str> {
        let found = violations(&Evidence {
            data,
            accepted: &self.accepted,
            ledger: &self.ledger,
            clients: std::slice::from_ref(&self.heard),
        })
        .await;
        let mut names: Vec<&str> = found.iter().map(|violation| violation.name).collect();
        names.dedup();
        names
    }

    /// A copy of the data, damaged in this way.
    async fn damaged(&self, sql: &str) -> tempfile::TempDir {
        let copy = tempfile::tempdir().expect("a directory");
        let file = copy.path().join("troupe.db");
        std::fs::copy(self.data.join("troupe.db"), &file).expect("copied");
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .foreign_keys(false);
        let mut database = SqliteConnection::connect_with(&options)
            .await
            .expect("opened");
        let free = "DROP TRIGGER events_stay; DROP TRIGGER events_remain; DROP TRIGGER workflow_versions_stay;";
        sqlx::raw_sql(AssertSqlSafe(format!("{free}{sql}")))
            .execute(&mut database)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        database.close().await.expect("closed");
        copy
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_damage_is_reported_under_its_name() {
    let place = Place::new().await;
    let client = Client::new();
    let process = place.started().await;
    client.follow(&process.address);
    let mut flow = flows::chain(place.provider.port);
    flow["nodes"][1]["repeatable"] = json!(false);
    let workflow = process.create(&flow).await.expect("alive");
    let run = process.run(&workflow, "one").await.expect("alive");
    process.end(&run).await.expect("alive");
    process.signal("-TERM").await;
    process.gone().await;
    let mut scene = Scene {
        data: place.data().to_owned(),
        accepted: vec![run.clone()],
        ledger: place.provider.ledger(),
        heard: client.log(),
    };
    assert!(scene.heard.len() > 10, "{:?}", scene.heard);
    assert!(scene.found(place.data()).await.is_empty());
    let copy = scene.damaged("").await;
    assert!(scene.found(copy.path()).await.is_empty());

    let again = |kind: &str| {
        format!(
            "INSERT INTO events (seq, event_type, source_agent_id, workflow_id, run_id, run_seq, task, topic, severity, timestamp, data)
             SELECT (SELECT max(seq) + 1 FROM events), event_type, source_agent_id, workflow_id, run_id,
                    (SELECT max(run_seq) + 1 FROM events WHERE run_id = '{run}'), task, topic, severity, timestamp, data
             FROM events WHERE event_type = '{kind}' ORDER BY seq LIMIT 1"
        )
    };
    let damages = [
        (
            "I1",
            "DELETE FROM events WHERE event_type = 'workflow.completed'".to_owned(),
        ),
        ("I2", again("task.completed")),
        ("I3", again("turn.started")),
        ("I4", "DELETE FROM events WHERE seq = 7".to_owned()),
        ("I4", "UPDATE runs SET status = 'failed'".to_owned()),
        ("I4", "UPDATE runs SET output = '1'".to_owned()),
        ("I4", "UPDATE tasks SET status = 'running'".to_owned()),
        (
            "I4",
            "UPDATE events SET data = '{}' WHERE event_type = 'turn.completed'".to_owned(),
        ),
        (
            "I5",
            "UPDATE events SET timestamp = timestamp + 1 WHERE seq = 3".to_owned(),
        ),
        (
            "I6",
            "UPDATE runs SET cost_micro_usd = cost_micro_usd + 1".to_owned(),
        ),
        ("I6", "UPDATE runs SET prompt_tokens = NULL".to_owned()),
        (
            "I6",
            "UPDATE tasks SET cost_micro_usd = 1 WHERE task = 'a'".to_owned(),
        ),
        (
            "I6",
            "UPDATE attempts SET turns = 2 WHERE task = 'a'".to_owned(),
        ),
        ("I6", "UPDATE spending SET cost_micro_usd = 0".to_owned()),
        ("I7", "DELETE FROM workflow_versions".to_owned()),
        (
            "I8",
            format!("INSERT INTO said VALUES ('{run}', 'a', 1, 1, 0, 'text')"),
        ),
        (
            "I9",
            format!("UPDATE workflows SET description = '{SECRET}'"),
        ),
    ];
    for (name, sql) in damages {
        let copy = scene.damaged(&sql).await;
        let found = scene.found(copy.path()).await;
        assert!(found.contains(&name), "{sql}: {found:?}");
    }

    let copy = scene.damaged("").await;
    let file = copy.path().join("troupe.db");
    let mut bytes = std::fs::read(&file).expect("readable");
    let middle = bytes.len() / 2..;
    bytes[middle].fill(0xff);
    std::fs::write(&file, bytes).expect("written");
    assert!(scene.found(copy.path()).await.contains(&"I7"));
    let copy = scene.damaged("").await;
    std::fs::write(copy.path().join("recovering"), &run).expect("written");
    assert_eq!(scene.found(copy.path()).await, ["I8"]);

    scene
        .accepted
        .push("01890a5d-ac96-774b-bcce-b302099a8057".into());
    assert_eq!(scene.found(place.data()).await, ["I1"]);
    scene.accepted.pop();
    for model in [true, false] {
        let repeated = scene.ledger.iter().find(|call| call.model == model);
        let repeated = repeated.expect("both were asked").clone();
        scene.ledger.push(repeated);
        assert_eq!(scene.found(place.data()).await, ["I3"], "model: {model}");
        scene.ledger.pop();
    }
    let event = scene
        .heard
        .iter()
        .position(|heard| matches!(heard, Heard::Event(_)));
    let lost = scene.heard.remove(event.expect("events") + 3);
    assert_eq!(scene.found(place.data()).await, ["I5"]);
    scene.heard.insert(event.expect("events") + 3, lost.clone());
    scene.heard.push(lost);
    assert_eq!(scene.found(place.data()).await, ["I5"]);
}
