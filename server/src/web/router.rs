//! Every route of the server, and what wraps them all. From outside in: safety headers, a net for
//! panics, the guard, compression.

use std::any::Any;

use axum::{
    Router,
    extract::{OriginalUri, Request},
    http::{HeaderMap, Method, StatusCode, Version, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use http::Extensions;
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer,
        predicate::{Predicate, SizeAbove},
    },
    trace::TraceLayer,
};

use super::{
    WebState, api_v1, files::Files, guard::guard, headers::protect, health, openapi, pages,
    problem::Problem, socket,
};

/// Answers shorter than this go out as they are: compressing them saves nothing.
const WORTH_COMPRESSING: u16 = 512;

/// The whole server.
pub fn router(state: WebState) -> Router {
    wrap(
        machine_routes(&state).merge(pages::routes(&state)),
        state,
        true,
    )
}

/// The same without pages: what programs talk to.
pub fn router_without_pages(state: WebState) -> Router {
    wrap(machine_routes(&state), state, false)
}

fn machine_routes(state: &WebState) -> Router {
    let router = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/api/openapi.json", get(openapi::document))
        .route("/ws/events", get(socket::connect));
    api_v1::routes()
        .into_iter()
        .fold(router, |router, route| {
            router.route(route.path, route.handler)
        })
        .with_state(state.clone())
}

fn wrap(router: Router, state: WebState, with_pages: bool) -> Router {
    let files = Files::below(&state.config.site);
    let rest = {
        let state = state.clone();
        move |request: Request| {
            let (files, state) = (files.clone(), state.clone());
            async move { fallback(files, state, request, with_pages).await }
        }
    };
    router
        .fallback(rest)
        .method_not_allowed_fallback(wrong_method)
        .layer(
            CompressionLayer::new().compress_when(SizeAbove::new(WORTH_COMPRESSING).and(is_text)),
        )
        .layer(middleware::from_fn_with_state(state, guard))
        .layer(CatchPanicLayer::custom(crashed))
        .layer(middleware::from_fn(protect))
        .layer(TraceLayer::new_for_http())
}

/// What no route knows: a file, or the page that says so; for programs a problem.
async fn fallback(files: Files, state: WebState, request: Request, with_pages: bool) -> Response {
    let path = request.uri().path().to_owned();
    let for_programs = ["/api", "/ws"].iter().any(|prefix| is_below(&path, prefix));
    let reads = request.method() == Method::GET || request.method() == Method::HEAD;
    if for_programs {
        return Problem::not_found(
            "There is nothing at this path; /api/openapi.json lists what there is.",
        )
        .into_response();
    }
    if !reads {
        return Problem::not_found("There is nothing at this path that could be changed.")
            .into_response();
    }
    let (parts, body) = request.into_parts();
    let copy = Request::from_parts(parts.clone(), axum::body::Body::empty());
    if let Some(file) = files.get(copy).await {
        return file;
    }
    if with_pages && !is_below(&path, "/pkg") {
        pages::not_found(&state, Request::from_parts(parts, body)).await
    } else {
        Problem::not_found("There is no such file.").into_response()
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn wrong_method(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("This path does not answer {method}; the header Allow lists what it answers."),
    );
    super::guard::refuse(uri.path(), problem)
}

fn crashed(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(message, "a request crashed");
    Problem::internal().into_response()
}

/// Pages and JSON; files have compressed twins already, and a text that trickles must not be held back.
fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    ["text/html", "application/json", super::problem::MEDIA_TYPE]
        .iter()
        .any(|text| media.starts_with(text))
}
