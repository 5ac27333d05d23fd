//! The HTTP API under `/api/v1`: JSON in, JSON out, problem details for everything else. One file
//! per noun; `ask` reads what comes in, `list` says how lists look.
//!
//! Refused here: guessing. Unknown parameters, unknown keys and unknown values are errors, so that a
//! typing mistake is told and not ignored.

pub mod agents;
pub mod ask;
pub mod events;
pub mod list;
pub mod money;
pub mod providers;
pub mod runs;
pub mod storage;
pub mod workflows;

use axum::{
    http::Method,
    routing::{MethodRouter, delete, get, post, put},
};

use super::WebState;

/// One door of the API.
pub struct Route {
    /// What it answers.
    pub method: Method,
    /// Where.
    pub path: &'static str,
    /// How.
    pub handler: MethodRouter<WebState>,
}

/// Every door of the API. The router is built from this list, and the OpenAPI document is tested
/// against it.
pub fn routes() -> Vec<Route> {
    let door = |method, path, handler| Route {
        method,
        path,
        handler,
    };
    vec![
        door(Method::GET, "/api/v1/workflows", get(workflows::list)),
        door(Method::POST, "/api/v1/workflows", post(workflows::create)),
        door(
            Method::POST,
            "/api/v1/workflows/check",
            post(workflows::check),
        ),
        door(Method::GET, "/api/v1/workflows/{id}", get(workflows::read)),
        door(Method::PUT, "/api/v1/workflows/{id}", put(workflows::save)),
        door(
            Method::DELETE,
            "/api/v1/workflows/{id}",
            delete(workflows::delete),
        ),
        door(
            Method::GET,
            "/api/v1/workflows/{id}/versions",
            get(workflows::versions),
        ),
        door(
            Method::POST,
            "/api/v1/workflows/{id}/runs",
            post(runs::start),
        ),
        door(Method::GET, "/api/v1/runs", get(runs::list)),
        door(Method::GET, "/api/v1/runs/{id}", get(runs::read)),
        door(Method::GET, "/api/v1/runs/{id}/events", get(runs::events)),
        door(
            Method::GET,
            "/api/v1/runs/{id}/recording",
            get(runs::recording),
        ),
        door(
            Method::POST,
            "/api/v1/workflows/{id}/runs/batch",
            post(runs::batch::start),
        ),
        door(
            Method::POST,
            "/api/v1/runs/{id}/cancel",
            post(runs::control::cancel),
        ),
        door(
            Method::POST,
            "/api/v1/runs/{id}/pause",
            post(runs::control::pause),
        ),
        door(
            Method::POST,
            "/api/v1/runs/{id}/resume",
            post(runs::control::resume),
        ),
        door(
            Method::POST,
            "/api/v1/runs/{id}/retry",
            post(runs::control::retry),
        ),
        door(
            Method::POST,
            "/api/v1/runs/{id}/tasks/{task}/answer",
            post(runs::control::answer),
        ),
        door(
            Method::POST,
            "/api/v1/runs/{id}/budget",
            post(money::budgets::set_of_run),
        ),
        door(Method::GET, "/api/v1/usage", get(money::usage::read)),
        door(Method::GET, "/api/v1/budgets", get(money::budgets::list)),
        door(Method::PUT, "/api/v1/budgets", put(money::budgets::set)),
        door(Method::GET, "/api/v1/agents", get(agents::list)),
        door(Method::POST, "/api/v1/agents", post(agents::spawn)),
        door(Method::GET, "/api/v1/agents/{id}", get(agents::read)),
        door(
            Method::POST,
            "/api/v1/agents/{id}/pause",
            post(agents::pause),
        ),
        door(
            Method::POST,
            "/api/v1/agents/{id}/resume",
            post(agents::resume),
        ),
        door(
            Method::POST,
            "/api/v1/agents/{id}/terminate",
            post(agents::terminate),
        ),
        door(
            Method::GET,
            "/api/v1/agents/{id}/messages",
            get(agents::messages::read),
        ),
        door(
            Method::POST,
            "/api/v1/agents/{id}/messages",
            post(agents::messages::send),
        ),
        door(Method::GET, "/api/v1/events", get(events::list)),
        door(
            Method::GET,
            "/api/v1/events/stream",
            get(events::stream::open),
        ),
        door(Method::GET, "/api/v1/providers", get(providers::list)),
        door(Method::GET, "/api/v1/storage", get(storage::read)),
        door(Method::PUT, "/api/v1/storage/retention", put(storage::keep)),
        door(Method::POST, "/api/v1/storage/clean", post(storage::clean)),
        door(
            Method::DELETE,
            "/api/v1/storage/clean",
            delete(storage::stop),
        ),
        door(Method::POST, "/api/v1/providers", post(providers::add)),
        door(
            Method::PUT,
            "/api/v1/providers/{name}",
            put(providers::change),
        ),
        door(
            Method::DELETE,
            "/api/v1/providers/{name}",
            delete(providers::remove),
        ),
        door(
            Method::POST,
            "/api/v1/providers/{name}/check",
            post(providers::check),
        ),
        door(
            Method::GET,
            "/api/v1/providers/{name}/quota",
            get(providers::quota),
        ),
        door(Method::GET, "/api/v1/models", get(providers::models)),
    ]
}
