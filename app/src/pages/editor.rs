//! `/workflows/:id`: draw a workflow. Loads it, saves it by itself, and lays the canvas out between what
//! can be added (left) and what is selected (right).

mod banner;
mod diff;
mod inspector;
mod kinds;
mod label;
mod level;
mod saving;
mod search;
mod state;
mod strip;
mod toolbar;

use domain::{graph::layout::place_missing, id::WorkflowId};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use self::{
    level::Level,
    saving::Saver,
    state::{Editor, Levels},
};
use super::by_id::by_id;
use crate::{
    api,
    api::dto::WorkflowDetail,
    canvas::keyboard::SHOWN,
    components::{Empty, ErrorView, Loading, Shortcut, top_bar::set_crumb, use_shortcuts},
    error::{ApiError, ErrorKind},
};

/// The page of one workflow.
#[component]
pub fn EditorPage() -> impl IntoView {
    by_id(|id| view! { <OneWorkflow id/> })
}

#[component]
fn OneWorkflow(id: String) -> impl IntoView {
    let detail = Resource::new_blocking(move || id.clone(), load);
    view! {
        <Suspense fallback=Loading>
            {move || Suspend::new(async move {
                match detail.await {
                    Ok(detail) => view! { <EditorView detail/> }.into_any(),
                    Err(error) => view! { <NoWorkflow error retry=move |()| detail.refetch()/> }.into_any(),
                }
            })}
        </Suspense>
    }
}

/// An address that is no id names no workflow.
async fn load(id: String) -> Result<WorkflowDetail, ApiError> {
    match id.parse::<WorkflowId>() {
        Ok(id) => api::workflow(id, None).await,
        Err(_) => api::missing("workflow"),
    }
}

#[component]
fn NoWorkflow(error: ApiError, #[prop(into)] retry: Callback<()>) -> impl IntoView {
    if error.kind == ErrorKind::NotFound {
        return view! {
            <Title text="No such workflow"/>
            <h1 class="only-said">"No such workflow"</h1>
            <Empty title=error.message><A href="/workflows">"All workflows"</A></Empty>
        }
        .into_any();
    }
    view! {
        <Title text="Workflow"/>
        <h1 class="only-said">"Workflow"</h1>
        <ErrorView error retry/>
    }
    .into_any()
}

#[component]
fn EditorView(detail: WorkflowDetail) -> impl IntoView {
    let WorkflowDetail {
        id,
        version,
        mut drawing,
        ..
    } = detail;
    place_missing(&mut drawing);
    let editor = Editor::new(drawing);
    let saver = Saver::new(id, version, editor);
    let name = Memo::new(move |_| editor.drawing(|drawing| drawing.name.clone()));
    set_crumb(move || Some(name.get()));
    use_shortcuts().register(SHOWN.map(|(keys, does)| Shortcut {
        keys,
        does,
        group: "Canvas",
    }));
    let panel = RwSignal::new(false);
    let levels = Levels::new();
    provide_context(levels);
    view! {
        <Title text=move || name.get()/>
        <h1 class="only-said">{move || name.get()}</h1>
        <div class="editor" data-panel=move || if panel.get() { "open" } else { "closed" }>
            {move || view! { <Level root=editor saver workflow=id levels path=levels.path.get() panel/> }}
        </div>
    }
}
