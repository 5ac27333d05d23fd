//! Every workflow: find, make, bring in, take out, copy, start, delete.

use domain::{event::Event, event::Fact, graph::Drawing, run::RunEvent};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::loaded::{Loaded, load, shown};
use crate::{
    api,
    api::dto::{Page, WorkflowQuery, WorkflowSummary},
    components::{
        Button, ButtonLook, Empty, Glyph,
        go_to::use_go_to,
        import::ImportButton,
        rows::{More, merge, rows},
        search::SearchField,
        starter::{Starter, StarterDialog, use_starter},
        toast::use_toasts,
        workflow_row::WorkflowRow,
    },
};

/// Whether the list looks different after an event: each row shows its newest run.
fn is_relevant(event: &Event) -> bool {
    match &event.fact {
        Fact::Run { event, .. } => match event {
            RunEvent::Queued { .. }
            | RunEvent::Started {}
            | RunEvent::Paused { .. }
            | RunEvent::Resumed { .. }
            | RunEvent::Completed { .. }
            | RunEvent::Failed { .. }
            | RunEvent::Cancelled { .. } => true,
            RunEvent::BudgetSet { .. }
            | RunEvent::BudgetWarned(_)
            | RunEvent::BudgetExceeded(_)
            | RunEvent::ChildEnded { .. } => false,
        },
        Fact::Task { .. } | Fact::Agent { .. } | Fact::System(_) => false,
    }
}

fn query(search: &str, cursor: Option<String>) -> WorkflowQuery {
    WorkflowQuery {
        search: (!search.is_empty()).then(|| search.to_owned()),
        cursor,
        limit: None,
    }
}

/// Every workflow.
#[component]
pub fn WorkflowsPage() -> impl IntoView {
    let address = use_query_map();
    let search = Memo::new(move |_| {
        address.with(|query| query.get_str("q").unwrap_or_default().trim().to_owned())
    });
    let page = load(
        move || search.get(),
        |search| api::workflows(query(&search, None)),
        is_relevant,
    );
    let starter = use_starter();
    view! {
        <Title text="Workflows"/>
        <div class="page">
            <header class="page-head">
                <h1 class="only-said">"Workflows"</h1>
                <SearchField path="/workflows" label="Search workflows"/>
                <div class="page-actions">
                    <ImportButton/>
                    <NewButton/>
                </div>
            </header>
            {shown(page, move |first| view! { <WorkflowList first page starter search=search.get_untracked()/> })}
        </div>
        <StarterDialog starter/>
    }
    .into_any()
}

/// Makes an empty workflow and opens it.
#[component]
fn NewButton() -> impl IntoView {
    let (to, toasts) = (use_go_to(), use_toasts());
    let create = Action::new(move |(): &()| async move {
        let drawing = Drawing {
            name: "Untitled workflow".into(),
            ..Drawing::default()
        };
        match api::create_workflow(drawing).await {
            Ok(saved) => to.go(format!("/workflows/{}", saved.id)),
            Err(error) => toasts.fail(&error),
        }
    });
    view! {
        <Button look=ButtonLook::Primary icon=Glyph::Plus busy=create.pending() on_press=move |()| { create.dispatch(()); }>
            "New workflow"
        </Button>
    }
}

#[component]
fn WorkflowList(
    first: Signal<Page<WorkflowSummary>>,
    page: Loaded<Page<WorkflowSummary>>,
    starter: Starter,
    search: String,
) -> impl IntoView {
    let list = RwSignal::new(first.with_untracked(|page| page.items.clone()));
    let next = RwSignal::new(first.with_untracked(|page| page.next.clone()));
    Effect::new(move |_| {
        let Page { items, next: more } = first.get();
        list.update(|known| {
            *known = merge(
                std::mem::take(known),
                items,
                more.is_none(),
                |one| one.id,
                |a, b| (a.updated_at, a.id) > (b.updated_at, b.id),
            );
        });
    });
    let toasts = use_toasts();
    let nothing_found = if search.is_empty() {
        "No workflows yet. Make one, or import a file.".to_owned()
    } else {
        format!("No workflow matches “{search}”.")
    };
    let older = Action::new(move |(): &()| {
        let query = query(&search, next.get_untracked());
        async move {
            match api::workflows(query).await {
                Ok(page) => {
                    list.update(|known| {
                        let new = page
                            .items
                            .into_iter()
                            .filter(|one| known.iter().all(|known| known.id != one.id))
                            .collect::<Vec<_>>();
                        known.extend(new);
                    });
                    next.set(page.next);
                }
                Err(error) => toasts.fail(&error),
            }
        }
    });
    let changed = Callback::new(move |()| page.refresh());
    // Hidden, not dropped: one that is brought back stands where it stood, whether or not the list was
    // loaded again in between.
    let deleted = RwSignal::new(Vec::new());
    let removed = Callback::new(move |id| deleted.update(|deleted| deleted.push(id)));
    let restored = Callback::new(move |id| {
        deleted.update(|deleted| deleted.retain(|known| *known != id));
        page.refresh();
    });
    let there = Memo::new(move |_| {
        let deleted = deleted.read();
        let list = list.read();
        list.iter()
            .filter(|one| !deleted.contains(&one.id))
            .cloned()
            .collect::<Vec<_>>()
    });
    view! {
        <Show when=move || !there.read().is_empty() fallback=move || view! { <Empty title=nothing_found.clone()/> }>
            <ul class="rows workflow-rows" aria-label="Workflows">
                {rows(there.into(), |one| one.id, move |workflow| view! { <WorkflowRow workflow starter changed removed restored/> })}
            </ul>
        </Show>
        <More more=Signal::derive(move || next.read().is_some()) busy=older.pending() label="Load more" on_reach=move |()| { older.dispatch(()); }/>
    }
    .into_any()
}
