//! How the server is, for people, for programs that watch over it, and for Prometheus.

use std::fmt::Write as _;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use domain::frame::Metrics;
use serde::Serialize;
use utoipa::ToSchema;

use super::{WebState, guard::host, problem::Problem};

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthReport {
    /// `ok`, or `degraded` when a part does not work.
    status: &'static str,
    /// The product's version.
    version: String,
    /// Parts that do not work, one sentence each.
    degraded: Vec<String>,
}

/// Whether requests can be taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Always `ready`; otherwise the answer is a problem.
    status: &'static str,
}

/// How the server is. 200 as long as it can say so. Why a part does not work is told to those alone who
/// ask under a name of this server: a foreign page in a browser could read it otherwise.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = HealthReport)))]
pub async fn healthz(
    State(state): State<WebState>,
    uri: Uri,
    headers: HeaderMap,
) -> Json<HealthReport> {
    let mut degraded = state.health.degraded();
    let status = if degraded.is_empty() {
        "ok"
    } else {
        "degraded"
    };
    if !host(&uri, &headers).is_ok_and(|host| state.config.entrance.is_host(host)) {
        degraded.clear();
    }
    Json(HealthReport {
        status,
        version: state.config.version.clone(),
        degraded,
    })
}

/// Whether requests can be taken: not any more once the server goes down.
#[utoipa::path(get, path = "/readyz", tag = "server", responses(
    (status = 200, body = Readiness),
    (status = 503, description = "The server goes down", body = super::problem::ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn readyz(State(state): State<WebState>) -> Result<Json<Readiness>, Problem> {
    if state.shutdown.is_cancelled() {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "closing",
            "The server is shutting down.",
        ));
    }
    Ok(Json(Readiness { status: "ready" }))
}

/// Figures of the moment, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, body = String, content_type = "text/plain")))]
pub async fn metrics(State(state): State<WebState>) -> Response {
    let text = exposition(&state.metrics.borrow());
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}

fn exposition(metrics: &Metrics) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: &[(&str, u64)]| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP troupe_{name} {help}\n# TYPE troupe_{name} gauge"
        );
        for (labels, value) in values {
            let _ = writeln!(text, "troupe_{name}{labels} {value}");
        }
    };
    let agents = metrics.agents;
    gauge(
        "runs_live",
        "Runs that are not at their end.",
        &[("", metrics.runs_live)],
    );
    gauge(
        "tasks_running",
        "Tasks that an agent is at.",
        &[("", metrics.tasks_running)],
    );
    gauge(
        "tasks_ready",
        "Tasks that wait for an agent.",
        &[("", metrics.tasks_ready)],
    );
    gauge(
        "agents",
        "Agents by state.",
        &[
            ("{state=\"spawning\"}", agents.spawning),
            ("{state=\"idle\"}", agents.idle),
            ("{state=\"working\"}", agents.working),
            ("{state=\"paused\"}", agents.paused),
            ("{state=\"error\"}", agents.error),
        ],
    );
    gauge(
        "events_head",
        "Number of the newest event.",
        &[("", metrics.head)],
    );
    gauge("sockets", "Open WebSockets.", &[("", metrics.sockets)]);
    gauge(
        "tokens_per_second",
        "Tokens that models write.",
        &[("", metrics.tokens_per_second)],
    );
    gauge(
        "degraded_parts",
        "Parts that do not work.",
        &[("", metrics.degraded.len() as u64)],
    );
    if let Some(bytes) = metrics.memory_bytes {
        gauge(
            "resident_memory_bytes",
            "Resident memory of the server.",
            &[("", bytes)],
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use domain::frame::AgentCounts;

    use super::*;

    #[test]
    fn figures_read_as_prometheus_reads_them() {
        let metrics = Metrics {
            head: 9,
            runs_live: 2,
            agents: AgentCounts {
                idle: 3,
                ..AgentCounts::default()
            },
            ..Metrics::default()
        };
        let text = exposition(&metrics);
        assert!(
            text.contains("# TYPE troupe_runs_live gauge\ntroupe_runs_live 2\n"),
            "{text}"
        );
        assert!(text.contains("troupe_agents{state=\"idle\"} 3\n"), "{text}");
        assert!(text.contains("troupe_events_head 9\n"), "{text}");
        assert!(!text.contains("resident"), "unknown is left out, not 0");
    }
}
