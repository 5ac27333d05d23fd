//! Every kind of node and every control, through the doors of the product.

mod approval;
mod batch;
mod child;
mod control;
mod http;
mod map;
mod messages;
mod quarantine;
mod stream;
mod wait;

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::product::House;

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A workflow of these nodes, connected as they stand.
fn chain(name: &str, nodes: &[Value]) -> Value {
    let edges: Vec<Value> = nodes
        .windows(2)
        .map(|pair| json!({ "from": pair[0]["id"], "to": pair[1]["id"] }))
        .collect();
    json!({ "troupe": 1, "name": name, "nodes": nodes, "edges": edges })
}

impl House {
    /// Starts a run.
    async fn start(&self, workflow: &str, input: Value) -> String {
        let path = format!("/api/v1/workflows/{workflow}/runs");
        let (status, started) = self.json("POST", &path, json!({ "input": input })).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{started}");
        started["id"].as_str().expect("an id").to_owned()
    }

    async fn read_run(&self, run: &str) -> Value {
        let path = format!("/api/v1/runs/{run}");
        self.json("GET", &path, Value::Null).await.1
    }

    /// Waits until the run is as it should be.
    async fn until(&self, run: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut events = self.running.bus.subscribe(vec!["*".into()]);
        let mut last = Value::Null;
        let wait = async {
            loop {
                last = self.read_run(run).await;
                if is(&last) {
                    return;
                }
                events.recv().await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, wait).await;
        assert!(done.is_ok(), "it never came: {last:#}");
        last
    }

    async fn end(&self, run: &str) -> Value {
        self.until(run, |run| !run["ended_at"].is_null()).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self.json("POST", path, body).await;
        (status.as_u16(), answer)
    }
}

/// A task of a run.
fn task<'a>(run: &'a Value, name: &str) -> &'a Value {
    let mut tasks = run["tasks"].as_array().expect("tasks").iter();
    tasks
        .find(|task| task["task"] == name)
        .unwrap_or_else(|| panic!("no task {name}: {run:#}"))
}

/// Whether the task has this status.
fn is(name: &'static str, status: &'static str) -> impl Fn(&Value) -> bool {
    move |run| task(run, name)["status"] == status
}
