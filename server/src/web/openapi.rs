//! The description of the API, generated from the very functions that answer.

use axum::Json;
use utoipa::{
    OpenApi,
    openapi::{InfoBuilder, OpenApi as Document},
};

use super::{
    api_v1::{agents, events, money, providers, runs, storage, workflows},
    health,
};

#[derive(OpenApi)]
#[openapi(
    paths(
        workflows::list,
        workflows::create,
        workflows::check,
        workflows::read,
        workflows::save,
        workflows::delete,
        workflows::versions,
        runs::start,
        runs::list,
        runs::read,
        runs::recording,
        runs::events,
        runs::batch::start,
        runs::control::cancel,
        runs::control::pause,
        runs::control::resume,
        runs::control::retry,
        runs::control::answer,
        money::budgets::set_of_run,
        money::budgets::list,
        money::budgets::set,
        money::usage::read,
        agents::list,
        agents::spawn,
        agents::read,
        agents::pause,
        agents::resume,
        agents::terminate,
        agents::messages::read,
        agents::messages::send,
        events::list,
        events::stream::open,
        providers::list,
        storage::read,
        storage::keep,
        storage::clean,
        storage::stop,
        providers::add,
        providers::change,
        providers::remove,
        providers::check,
        providers::quota,
        providers::models,
        health::healthz,
        health::readyz,
        health::metrics,
    ),
    tags(
        (name = "workflows", description = "Named graphs; every save makes an immutable version"),
        (name = "runs", description = "Executions of one workflow version with one input"),
        (name = "agents", description = "Long-lived workers"),
        (name = "events", description = "Facts that were stored: numbered, never changed, gone only with their run or by age"),
        (name = "money", description = "What model calls took, and what they may take"),
        (name = "providers", description = "Where model calls go"),
        (name = "server", description = "How the server is, and what it keeps"),
    )
)]
struct Api;

/// The document.
pub fn api() -> Document {
    let mut document = Api::openapi();
    document.info = InfoBuilder::new()
        .title("Troupe")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Runs troupes of LLM agents. Times are RFC 3339 in UTC, money is a decimal string in US dollars, \
             unknown values are null. Errors are problem details (RFC 9457). The live stream is the WebSocket \
             /ws/events?after=SEQ&topics=PATTERNS; its twin for plain HTTP is /api/v1/events/stream.",
        ))
        .build();
    document
}

/// The document, as `/api/openapi.json` serves it.
pub async fn document() -> Json<Document> {
    Json(api())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::web::api_v1::routes;

    fn described() -> BTreeSet<String> {
        let document = serde_json::to_value(api()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let methods = |(path, item): (&String, &Value)| {
            let item = item.as_object().expect("a path item");
            item.keys()
                .map(|method| format!("{} {path}", method.to_uppercase()))
                .collect::<Vec<_>>()
        };
        paths.iter().flat_map(methods).collect()
    }

    #[test]
    fn every_door_is_described_and_every_description_is_a_door() {
        let outside = ["GET /healthz", "GET /readyz", "GET /metrics"].map(str::to_owned);
        let doors: BTreeSet<String> = routes()
            .into_iter()
            .map(|route| format!("{} {}", route.method, route.path))
            .chain(outside)
            .collect();
        assert_eq!(described(), doors);
    }

    #[test]
    fn every_description_says_how_it_fails_and_every_reference_leads_somewhere() {
        let document = serde_json::to_value(api()).expect("JSON");
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("a path item") {
                assert!(
                    operation["description"].is_string() || operation["summary"].is_string(),
                    "{method} {path}"
                );
                if path.starts_with("/api/") {
                    assert!(
                        operation["responses"]["default"]["content"]["application/problem+json"]
                            .is_object(),
                        "{method} {path}"
                    );
                }
            }
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#/").skip(1) {
            let pointer = format!("/{}", reference.split('"').next().unwrap_or_default());
            assert!(document.pointer(&pointer).is_some(), "{pointer}");
        }
    }
}
