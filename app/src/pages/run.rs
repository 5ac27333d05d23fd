//! `/runs/:id`: loads a run, shows it.

use domain::id::RunId;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use super::by_id::by_id;
use crate::{
    api,
    api::dto::RunSnapshot,
    components::{Empty, ErrorView, Loading},
    error::{ApiError, ErrorKind},
    run_view::RunView,
};

/// The page of one run.
#[component]
pub fn RunPage() -> impl IntoView {
    by_id(|id| view! { <OneRun id/> })
}

#[component]
fn OneRun(id: String) -> impl IntoView {
    let snapshot = Resource::new_blocking(move || id.clone(), load);
    view! {
        <Suspense fallback=Loading>
            {move || Suspend::new(async move {
                match snapshot.await {
                    Ok(snapshot) => view! { <RunView snapshot/> }.into_any(),
                    Err(error) => view! { <NoRun error retry=move |()| snapshot.refetch()/> }.into_any(),
                }
            })}
        </Suspense>
    }
}

/// An address that is no id names no run.
async fn load(id: String) -> Result<RunSnapshot, ApiError> {
    match id.parse::<RunId>() {
        Ok(id) => api::run(id).await,
        Err(_) => api::missing("run"),
    }
}

#[component]
fn NoRun(error: ApiError, #[prop(into)] retry: Callback<()>) -> impl IntoView {
    if error.kind == ErrorKind::NotFound {
        return view! {
            <Title text="No such run"/>
            <h1 class="only-said">"No such run"</h1>
            <Empty title=error.message><A href="/runs">"All runs"</A></Empty>
        }
        .into_any();
    }
    view! {
        <Title text="Run"/>
        <h1 class="only-said">"Run"</h1>
        <ErrorView error retry/>
    }
    .into_any()
}
