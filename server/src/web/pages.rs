//! Pages and server functions: Leptos renders `app` with the backend and the actor in its context.
//! The only file of the server that names components.

use std::sync::Arc;

use app::{
    api::dto::Actor,
    app::{App, shell},
    backend::Backend,
    error::ApiError,
};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use leptos::{
    config::LeptosOptions,
    nonce::use_nonce,
    prelude::{IntoView, provide_context, use_context},
    server_fn::{axum::server_fn_paths, error::SERVER_FN_ERROR_HEADER},
};
use leptos_axum::{AxumRouteListing, LeptosRoutes, ResponseOptions, generate_route_list};

use super::{WebState, body, guard::refuse, headers::page_policy};

/// Largest call of a server function that carries a workflow, in bytes.
const MAX_WORKFLOW_CALL: usize = 32 << 20;

/// Largest call of any other server function, in bytes.
const MAX_CALL: usize = 256 << 10;

/// Routes of all pages and of all server functions.
pub fn routes(state: &WebState) -> Router {
    let options = state.leptos.clone();
    mount(state, generate_route_list(App), move || {
        shell(options.clone())
    })
}

/// The page that says that there is no such page.
pub async fn not_found(state: &WebState, request: Request) -> Response {
    let options = state.leptos.clone();
    let render = leptos_axum::render_app_to_stream_with_context(context(state), move || {
        shell(options.clone())
    });
    let mut response = render(request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// Whether the page's own program calls this path, and reads answers as Leptos writes them.
pub fn is_server_function(path: &str) -> bool {
    server_fn_paths().any(|(known, _)| known == path)
}

fn mount<V>(
    state: &WebState,
    pages: Vec<AxumRouteListing>,
    page: impl Fn() -> V + Clone + Send + Sync + 'static,
) -> Router
where
    V: IntoView + 'static,
{
    Router::<LeptosOptions>::new()
        .leptos_routes_with_context(&state.leptos, pages, context(state), page)
        .layer(middleware::from_fn(bound_call))
        .with_state(state.leptos.clone())
}

/// What pages and server functions find in their context. A page also gets its policy, with the
/// nonce that Leptos gave its scripts.
fn context(state: &WebState) -> impl Fn() + Clone + Send + Sync + 'static {
    let backend: Arc<dyn Backend> = state.backend.clone();
    let reload_port = state.config.reload_port;
    move || {
        provide_context(backend.clone());
        provide_context(Actor::local_admin());
        let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else {
            return;
        };
        if let Ok(policy) = HeaderValue::from_str(&page_policy(&nonce, reload_port)) {
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
        response.insert_header(
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        );
    }
}

/// Leptos reads calls of server functions whole, however large: too large ones end here.
async fn bound_call(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let limit = if parts.uri.path().ends_with("_workflow") {
        MAX_WORKFLOW_CALL
    } else {
        MAX_CALL
    };
    match body::read(&parts.headers, body, limit).await {
        Ok(bytes) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            with_its_status(next.run(request).await).await
        }
        Err(problem) => refuse(parts.uri.path(), problem),
    }
}

/// Arguments that cannot be read never reach a server function: Leptos writes what is wrong with them,
/// and 500 over it. The error knows better.
async fn with_its_status(response: Response) -> Response {
    if response.status() != StatusCode::INTERNAL_SERVER_ERROR
        || !response.headers().contains_key(SERVER_FN_ERROR_HEADER)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, MAX_CALL).await else {
        return Response::from_parts(parts, Body::empty());
    };
    if let Ok(error) = serde_json::from_slice::<ApiError>(&bytes)
        && let Ok(status) = StatusCode::from_u16(error.status())
    {
        parts.status = status;
    }
    Response::from_parts(parts, Body::from(bytes))
}
