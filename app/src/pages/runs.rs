//! Every run, newest first, filtered by what stands in the address.

use domain::{
    event::{Event, Fact},
    id::WorkflowId,
    run::TaskEvent,
};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{components::A, hooks::use_query_map};

use super::loaded::{load, shown};
use crate::{
    api,
    api::dto::{Page, RunQuery, RunSummary},
    components::{
        Empty,
        rows::{More, merge, rows},
        run_row::RunRow,
        toast::use_toasts,
    },
};

const FILTERS: [(&str, &str); 6] = [
    ("", "All"),
    ("live", "Live"),
    ("paused", "Paused"),
    ("succeeded", "Succeeded"),
    ("failed", "Failed"),
    ("cancelled", "Cancelled"),
];

/// Whether the list looks different after an event.
fn is_relevant(event: &Event) -> bool {
    match &event.fact {
        Fact::Run { .. } => true,
        Fact::Task { event, .. } => match event {
            TaskEvent::Started { .. }
            | TaskEvent::Completed { .. }
            | TaskEvent::Failed { .. }
            | TaskEvent::Skipped { .. }
            | TaskEvent::Waiting { .. }
            | TaskEvent::Unknown { .. }
            | TaskEvent::TurnPriced { .. } => true,
            TaskEvent::Ready { .. }
            | TaskEvent::Assigned { .. }
            | TaskEvent::TurnStarted { .. }
            | TaskEvent::TurnBegan { .. }
            | TaskEvent::TurnCompleted { .. }
            | TaskEvent::ToolCalled { .. }
            | TaskEvent::ToolReturned { .. }
            | TaskEvent::TurnFailed { .. }
            | TaskEvent::Retrying { .. }
            | TaskEvent::Opened { .. }
            | TaskEvent::Answered { .. }
            | TaskEvent::Cancelled { .. } => false,
        },
        Fact::Agent { .. } | Fact::System(_) => false,
    }
}

/// The filters in the address.
#[derive(Debug, Clone, PartialEq)]
struct Filter {
    status: Option<String>,
    workflow: Option<WorkflowId>,
}

impl Filter {
    fn query(self, cursor: Option<String>) -> RunQuery {
        RunQuery {
            status: self.status,
            workflow: self.workflow,
            cursor,
            limit: None,
        }
    }

    fn address(&self, status: &str) -> String {
        let workflow = self.workflow.map(|workflow| format!("workflow={workflow}"));
        let status = (!status.is_empty()).then(|| format!("status={status}"));
        let query: Vec<String> = status.into_iter().chain(workflow).collect();
        if query.is_empty() {
            "/runs".into()
        } else {
            format!("/runs?{}", query.join("&"))
        }
    }
}

/// Every run.
#[component]
pub fn RunsPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| {
        query.with(|query| Filter {
            status: query
                .get_str("status")
                .filter(|status| !status.is_empty())
                .map(str::to_owned),
            workflow: query.get_str("workflow").and_then(|id| id.parse().ok()),
        })
    });
    let page = load(
        move || filter.get(),
        |filter| api::runs(filter.query(None)),
        is_relevant,
    );
    view! {
        <Title text="Runs"/>
        <div class="page">
            <header class="page-head">
                <h1 class="only-said">"Runs"</h1>
                <Filters filter/>
            </header>
            {shown(page, move |first| view! { <RunList first filter=filter.get_untracked()/> })}
        </div>
    }
    .into_any()
}

#[component]
fn Filters(filter: Memo<Filter>) -> impl IntoView {
    let link = move |(status, label): (&'static str, &'static str)| {
        let chosen = move || filter.read().status.as_deref().unwrap_or_default() == status;
        view! {
            <a href=move || filter.read().address(status) aria-current=move || chosen().then_some("true")>
                {label}
            </a>
        }
    };
    view! {
        <nav class="segments" aria-label="Filter by status">{FILTERS.into_iter().map(link).collect_view()}</nav>
        <Show when=move || filter.read().workflow.is_some()>
            <span class="badge">"of one workflow " <A href="/runs" attr:class="link">"show all"</A></span>
        </Show>
    }
    .into_any()
}

#[component]
fn RunList(first: Signal<Page<RunSummary>>, filter: Filter) -> impl IntoView {
    let list = RwSignal::new(first.with_untracked(|page| page.items.clone()));
    let next = RwSignal::new(first.with_untracked(|page| page.next.clone()));
    Effect::new(move |_| {
        let Page { items, next: more } = first.get();
        list.update(|known| {
            *known = merge(
                std::mem::take(known),
                items,
                more.is_none(),
                |run| run.id,
                |a, b| (a.created_at, a.id) > (b.created_at, b.id),
            );
        });
    });
    let toasts = use_toasts();
    let older = Action::new(move |(): &()| {
        let query = filter.clone().query(next.get_untracked());
        async move {
            match api::runs(query).await {
                Ok(page) => {
                    list.update(|known| {
                        let new = page
                            .items
                            .into_iter()
                            .filter(|run| known.iter().all(|known| known.id != run.id))
                            .collect::<Vec<_>>();
                        known.extend(new);
                    });
                    next.set(page.next);
                }
                Err(error) => toasts.fail(&error),
            }
        }
    });
    view! {
        <Show
            when=move || !list.read().is_empty()
            fallback=|| view! { <Empty title="No runs here. Start a workflow and its run appears in this list."><A href="/workflows" attr:class="button">"Go to workflows"</A></Empty> }
        >
            <ul class="rows run-rows" aria-label="Runs">{rows(list.into(), |run| run.id, |run| view! { <RunRow run full=true/> })}</ul>
        </Show>
        <More more=Signal::derive(move || next.read().is_some()) busy=older.pending() on_reach=move |()| { older.dispatch(()); }/>
    }
    .into_any()
}
