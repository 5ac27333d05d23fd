//! The product as it is put together at start, with its own database, through its doors.

use std::{net::SocketAddr, path::Path, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use server::{
    config::{DataArgs, LimitArgs, OutboundArgs, ProviderArgs, RedisArgs, ServeArgs},
    startup::{self, Data, Running, Settings},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const ADDRESS: &str = "127.0.0.1:3999";

/// A product over a data directory.
pub struct House {
    pub running: Running,
    pub router: Router,
}

impl House {
    pub async fn open(data: &Path) -> Self {
        Self::allowed(data, "").await
    }

    /// One whose http steps may go to these local addresses too.
    pub async fn allowed(data: &Path, allow: &str) -> Self {
        let outbound = OutboundArgs {
            http_allow: allow.parse().expect("a list"),
        };
        let providers = ProviderArgs {
            openrouter_api_key: None,
            openrouter_base_url: None,
            openai_api_key: None,
            openai_base_url: None,
            ollama_host: None,
            rehearsal_tps: 0,
        };
        let limits = LimitArgs {
            max_agents: 100,
            max_parallel: 100,
            max_parallel_per_run: 100,
            max_parallel_per_provider: 100,
        };
        let running = startup::build(Settings {
            recording: None,
            data: Data::Directory(data.to_owned()),
            redis: None,
            providers: providers.clone(),
            http_allow: outbound.http_allow.clone(),
            own_ports: vec![3999],
            limits: limits.limits(),
            shutdown: CancellationToken::new(),
        })
        .await
        .expect("it starts");
        let address: SocketAddr = ADDRESS.parse().expect("an address");
        let args = ServeArgs {
            addr: address,
            site: None,
            max_sockets: 10,
            data: DataArgs {
                data: Some(data.to_owned()),
            },
            redis: RedisArgs {
                redis_url: None,
                redis_prefix: String::new(),
                redis_maxlen: 1,
            },
            providers,
            outbound,
            limits,
        };
        let router = startup::router(&running, &args, address, data.join("site"))
            .expect("the doors can be made");
        Self { running, router }
    }

    pub async fn close(self) {
        self.running.shutdown.cancel();
        self.running.tracker.close();
        self.running.tracker.wait().await;
        self.running
            .kernel_task
            .await
            .expect("the engine did not crash")
            .expect("the log took everything");
    }

    /// As after a `kill -9`: the engine is gone in the middle of whatever it did.
    pub async fn killed(self) {
        self.running.kernel_task.abort();
        let _aborted = self.running.kernel_task.await;
        self.running.shutdown.cancel();
        self.running.tracker.close();
        self.running.tracker.wait().await;
    }

    pub async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let answer = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("an answer");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 16 << 20)
            .await
            .expect("a body");
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    pub async fn call(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Body>,
    ) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, ADDRESS)
            .header(header::CONTENT_TYPE, "application/json")
            .header("if-match", "1")
            .body(body.into())
            .expect("a request");
        self.send(request).await
    }

    pub async fn json(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let (status, text) = self.call(method, path, body.to_string()).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn create(&self, workflow: Value) -> String {
        let (status, created) = self.json("POST", "/api/v1/workflows", workflow).await;
        assert_eq!(status, StatusCode::CREATED, "{created}");
        created["id"].as_str().expect("an id").to_owned()
    }

    /// Starts a run and waits for its end.
    async fn run(&self, workflow: &str) -> Value {
        let mut events = self.running.bus.subscribe(vec!["workflow.*.events".into()]);
        let path = format!("/api/v1/workflows/{workflow}/runs");
        let (status, started) = self.json("POST", &path, json!({ "input": {} })).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{started}");
        let path = format!("/api/v1/runs/{}", started["id"].as_str().expect("an id"));
        loop {
            let (_, run) = self.json("GET", &path, Value::Null).await;
            if !run["ended_at"].is_null() {
                return run;
            }
            events.recv().await;
        }
    }
}

fn flow(template: &str) -> Value {
    json!({
        "troupe": 1, "name": "A small one", "nodes": [
            { "id": "plan", "kind": "agent", "prompt": "Plan a walk.", "capabilities": ["planning"] },
            { "id": "sum", "kind": "transform", "template": template }
        ],
        "edges": [{ "from": "plan", "to": "sum" }]
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_run_is_there_after_a_restart() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let workflow = house
        .create(flow("{{ nodes.plan.output | length > 3 }}"))
        .await;
    let run = house.run(&workflow).await;
    assert_eq!(
        (&run["status"], &run["output"]),
        (&json!("succeeded"), &json!("true")),
        "{run}"
    );
    let turn = &run["tasks"][0]["attempts"][0]["turns"][0];
    assert_eq!(turn["provider"], "rehearsal", "{turn}");
    let path = format!("/runs/{}", run["id"].as_str().expect("an id"));
    let (status, page) = house.call("GET", &path, "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("A small one") && page.contains("Plan a walk."));
    house.close().await;

    let house = House::open(data.path()).await;
    let (_, again) = house
        .json("GET", &format!("/api/v1{path}"), Value::Null)
        .await;
    assert_eq!(again, run);
    let (_, health) = house.json("GET", "/healthz", Value::Null).await;
    assert_eq!(health["status"], "ok", "{health}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_a_clear_answer_and_changes_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let house = House::open(data.path()).await;
    let workflow = house.create(flow("x")).await;
    let own = format!("/api/v1/workflows/{workflow}");
    let (_, before) = house.call("GET", &own, "").await;
    let (status, _) = house.json("PUT", &own, flow("y")).await;
    assert_eq!(status, StatusCode::OK);
    let (_, after) = house.call("GET", &own, "").await;
    assert_ne!(before, after);

    let runs = format!("{own}/runs");
    let cases = [
        ("PUT", own.as_str(), flow("z").to_string(), 409),
        ("PUT", &own, "{\"troupe\":1,".into(), 400),
        ("PUT", &own, "[]".into(), 400),
        ("POST", "/api/v1/workflows", "nonsense".into(), 400),
        (
            "POST",
            "/api/v1/workflows",
            "{\"troupe\":1,\"nodes\":7}".into(),
            422,
        ),
        ("POST", &runs, "{\"input\":[1]}".into(), 422),
        ("POST", &runs, "{\"budget_usd\":\"much\"}".into(), 422),
        ("POST", &runs, "{".into(), 400),
        ("GET", "/api/v1/runs/nonsense", String::new(), 404),
        (
            "POST",
            "/api/v1/runs/01890a5d-ac96-774b-bcce-b302099a8057/cancel",
            String::new(),
            404,
        ),
        ("POST", "/api/start_run", "{".into(), 400),
        ("POST", "/api/start_run", "{\"workflow\":5}".into(), 400),
        ("POST", "/api/start_run", "[]".into(), 400),
        ("POST", "/api/save_workflow", "{\"id\":\"x\"}".into(), 400),
    ];
    let mut wrong = Vec::new();
    for (method, path, body, expected) in cases {
        let (status, text) = house.call(method, path, body.clone()).await;
        let told = serde_json::from_str::<Value>(&text).unwrap_or(Value::Null);
        let says = told["detail"].is_string() || told["message"].is_string();
        if status.as_u16() != expected || !says {
            wrong.push(format!("{method} {path} {body}: {status} {text}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        house.call("GET", &own, "").await.1,
        after,
        "nothing half-saved"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_without_end_fails_its_run_and_holds_up_nobody() {
    let data = tempfile::tempdir().expect("a directory");
    let house = Arc::new(House::open(data.path()).await);
    for hostile in [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{{ 'x' * 100000 }}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{% set a = 'x' * 1000 %}{% set b = a * 1000 %}{% set c = b * 1000 %}{{ c * 1000 }}",
    ] {
        let workflow = house.create(flow(hostile)).await;
        let run = house.run(&workflow).await;
        assert_eq!(run["status"], "failed", "{hostile}: {run}");
        let message = run["error"]["message"].as_str().unwrap_or_default();
        assert!(message.len() > 20, "{hostile}: {run}");
    }
    let workflow = house.create(flow("fine")).await;
    assert_eq!(house.run(&workflow).await["output"], "fine");
    Arc::into_inner(house).expect("nobody else").close().await;
}
