//! The log: filtered by what stands in the address, followed live, read back as far as one likes.

use domain::{event::EventSeverity, frame::EventFrame, id::AgentId, id::RunId};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::loaded::{load, shown};
use crate::{
    api,
    api::dto::{EventQuery, Page},
    components::{
        Button, ButtonLook, Empty, Glyph, event_list::EventList, rows::More, toast::use_toasts,
    },
    live::use_live,
    words,
};

/// Rows that stay while new ones come on top; older ones can be loaded again.
const MOST_ROWS: usize = 2_000;

/// Types to choose from; a family first, then its members that people look for.
const TYPES: [(&str, &str); 22] = [
    ("", "All types"),
    ("workflow.*", "Runs"),
    ("workflow.queued", "· queued"),
    ("workflow.paused", "· paused"),
    ("workflow.completed", "· completed"),
    ("workflow.failed", "· failed"),
    ("workflow.cancelled", "· cancelled"),
    ("task.*", "Tasks"),
    ("task.started", "· started"),
    ("task.completed", "· completed"),
    ("task.failed", "· failed"),
    ("task.waiting", "· waiting"),
    ("task.unknown", "· unknown"),
    ("task.retrying", "· retrying"),
    ("turn.*", "Turns"),
    ("tool.*", "Tools"),
    ("message.*", "Messages"),
    ("agent.*", "Agents"),
    ("agent.spawned", "· spawned"),
    ("agent.error", "· error"),
    ("agent.terminated", "· terminated"),
    ("system.*", "System"),
];

const SEVERITIES: [(&str, &str); 3] = [
    ("", "Everything"),
    ("warning", "Warnings and errors"),
    ("error", "Errors"),
];

/// The filters in the address.
#[derive(Debug, Clone, PartialEq, Default)]
struct Filter {
    kind: Option<String>,
    severity: Option<EventSeverity>,
    run: Option<RunId>,
    agent: Option<AgentId>,
}

impl Filter {
    fn query(&self, before: Option<u64>) -> EventQuery {
        EventQuery {
            after: None,
            before,
            limit: None,
            kind: self.kind.clone(),
            run: self.run,
            agent: self.agent,
            severity: self.severity.map(|severity| severity.name().to_owned()),
        }
    }

    /// The same choice that the server makes, for events that come live.
    fn lets_through(&self, frame: &EventFrame) -> bool {
        let kind = self
            .kind
            .as_ref()
            .is_none_or(|kind| match kind.strip_suffix('*') {
                Some(family) => frame.kind.starts_with(family),
                None => frame.kind == *kind,
            });
        kind && self
            .severity
            .is_none_or(|severity| frame.severity >= severity)
            && self.run.is_none_or(|run| frame.run_id == Some(run))
            && self.agent.is_none_or(|agent| frame.agent_id == Some(agent))
    }
}

/// The log.
#[component]
pub fn EventsPage() -> impl IntoView {
    let query = use_query_map();
    let filter = Memo::new(move |_| {
        query.with(|query| Filter {
            kind: query
                .get_str("type")
                .filter(|kind| !kind.is_empty())
                .map(str::to_owned),
            severity: query.get_str("severity").and_then(EventSeverity::parse),
            run: query.get_str("run").and_then(|id| id.parse().ok()),
            agent: query.get_str("agent").and_then(|id| id.parse().ok()),
        })
    });
    let page = load(
        move || filter.get(),
        |filter| api::events(filter.query(None)),
        |_| false,
    );
    view! {
        <Title text="Events"/>
        <div class="page">
            <header class="page-head">
                <h1 class="only-said">"Events"</h1>
                <Filters filter/>
            </header>
            {shown(page, move |first| view! { <Tail first filter=filter.get_untracked()/> })}
        </div>
    }
    .into_any()
}

#[component]
fn Filters(filter: Memo<Filter>) -> impl IntoView {
    let query = use_query_map();
    let navigate = use_navigate();
    let choose = move |key: &'static str, value: String| {
        let mut params = query.get_untracked();
        params.remove(key);
        if !value.is_empty() {
            params.insert(key, value);
        }
        navigate(
            &format!("/events{}", params.to_query_string()),
            NavigateOptions {
                replace: true,
                scroll: false,
                ..NavigateOptions::default()
            },
        );
    };
    let choose = StoredValue::new(choose);
    let narrowed = move || {
        filter.with(|filter| {
            filter
                .run
                .map(|run| format!("run {run}"))
                .or(filter.agent.map(|agent| format!("agent {agent}")))
        })
    };
    view! {
        <div class="filters">
            <Choice
                label="Type"
                choices=TYPES.to_vec()
                chosen=Signal::derive(move || filter.read().kind.clone().unwrap_or_default())
                on_choose=Callback::new(move |value| choose.with_value(|choose| choose("type", value)))
            />
            <Choice
                label="Severity"
                choices=SEVERITIES.to_vec()
                chosen=Signal::derive(move || filter.read().severity.map(|severity| severity.name().to_owned()).unwrap_or_default())
                on_choose=Callback::new(move |value| choose.with_value(|choose| choose("severity", value)))
            />
            {move || narrowed().map(|what| view! { <span class="badge">{format!("of {what} ")} <a href="/events" class="link">"show all"</a></span> })}
        </div>
    }
    .into_any()
}

#[component]
fn Choice(
    label: &'static str,
    choices: Vec<(&'static str, &'static str)>,
    chosen: Signal<String>,
    on_choose: Callback<String>,
) -> impl IntoView {
    let options = choices
        .into_iter()
        .map(|(value, text)| view! { <option value=value selected=move || chosen.with(|chosen| chosen == value)>{text}</option> })
        .collect_view();
    view! {
        <select aria-label=label on:change:target=move |event| on_choose.run(event.target().value())>{options}</select>
    }
    .into_any()
}

/// The list: what came with the page, what comes live on top, what is loaded at the end.
#[component]
fn Tail(first: Signal<Page<EventFrame>>, filter: Filter) -> impl IntoView {
    let live = use_live();
    let toasts = use_toasts();
    let filter = StoredValue::new(filter);
    let list = RwSignal::new(first.with_untracked(|page| page.items.clone()));
    let more = RwSignal::new(first.with_untracked(|page| page.next.is_some()));
    let held = RwSignal::new(None::<Vec<EventFrame>>);
    let head = list.read_untracked().first().map_or(0, |newest| newest.seq);
    let take = move |frame: EventFrame| {
        if !filter.with_value(|filter| filter.lets_through(&frame)) {
            return;
        }
        if held.read_untracked().is_some() {
            held.update(|held| held.get_or_insert_default().push(frame));
        } else {
            list.update(|list| put_on_top(list, frame));
        }
    };
    live.on_event(move |event| take(event.to_frame()));
    Effect::new(move |_| {
        let _complete = live.catch_up(head, |event| take(event.to_frame()));
    });
    // After a gap in the stream the newest part comes again. Where it does not reach down to what is here,
    // it takes its place: rows that miss something between them would look whole.
    Effect::new(move |_| {
        let page = first.get();
        let reaches = |list: &Vec<EventFrame>| {
            page.items
                .last()
                .zip(list.first())
                .is_none_or(|(oldest, newest)| oldest.seq <= newest.seq)
        };
        if list.with_untracked(reaches) {
            list.update(|list| {
                page.items
                    .into_iter()
                    .rev()
                    .for_each(|frame| put_on_top(list, frame))
            });
        } else {
            more.set(page.next.is_some());
            list.set(page.items);
        }
    });
    let older = Action::new(move |(): &()| {
        let query = filter.with_value(|filter| {
            filter.query(list.read_untracked().last().map(|oldest| oldest.seq))
        });
        async move {
            match api::events(query).await {
                Ok(page) => {
                    more.set(page.next.is_some());
                    list.update(|list| list.extend(page.items));
                }
                Err(error) => toasts.fail(&error),
            }
        }
    });
    view! {
        <Follow list held/>
        <Show when=move || !list.read().is_empty() fallback=|| view! { <Empty title="No event fits these filters. New ones appear here by themselves."/> }>
            <EventList events=list/>
        </Show>
        <More more busy=older.pending() on_reach=move |()| { older.dispatch(()); }/>
    }
    .into_any()
}

fn put_on_top(list: &mut Vec<EventFrame>, frame: EventFrame) {
    if list.first().is_none_or(|newest| newest.seq < frame.seq) {
        list.insert(0, frame);
        list.truncate(MOST_ROWS);
    }
}

/// Holds the list still while somebody reads, and says how much waits.
#[component]
fn Follow(
    list: RwSignal<Vec<EventFrame>>,
    held: RwSignal<Option<Vec<EventFrame>>>,
) -> impl IntoView {
    let go_on = move || {
        let waiting = held.get_untracked().unwrap_or_default();
        held.set(None);
        list.update(|list| {
            waiting
                .into_iter()
                .for_each(|frame| put_on_top(list, frame))
        });
    };
    let press = move |()| {
        if held.read_untracked().is_some() {
            go_on()
        } else {
            held.set(Some(Vec::new()))
        }
    };
    let words = move || match held.read().as_ref() {
        None => "New events appear on top.".to_owned(),
        Some(waiting) => format!(
            "Held. {} waiting.",
            words::plural(waiting.len() as u64, "event", "events")
        ),
    };
    view! {
        <div class="follow">
            <Show
                when=move || held.read().is_some()
                fallback=move || view! { <Button icon=Glyph::Pause on_press=press>"Hold"</Button> }
            >
                <Button look=ButtonLook::Primary icon=Glyph::Play on_press=press>"Follow"</Button>
            </Show>
            <span class="muted" role="status">{words}</span>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;
    use serde_json::Value;

    use super::*;

    fn frame(seq: u64, kind: &str, severity: EventSeverity) -> EventFrame {
        EventFrame {
            seq,
            run_seq: None,
            at: Timestamp(0),
            kind: kind.into(),
            topic: String::new(),
            workflow_id: None,
            run_id: None,
            task: None,
            agent_id: None,
            severity,
            data: Value::Null,
        }
    }

    #[test]
    fn live_events_are_chosen_as_the_server_chooses() {
        let failed = frame(1, "task.failed", EventSeverity::Error);
        for (kind, severity, through) in [
            (None, None, true),
            (Some("task.*"), None, true),
            (Some("task.failed"), Some(EventSeverity::Error), true),
            (Some("task.*"), Some(EventSeverity::Warning), true),
            (Some("tool.*"), None, false),
            (Some("task.fail"), None, false),
        ] {
            let filter = Filter {
                kind: kind.map(str::to_owned),
                severity,
                ..Filter::default()
            };
            assert_eq!(
                filter.lets_through(&failed),
                through,
                "{kind:?} {severity:?}"
            );
        }
        assert!(
            !Filter {
                severity: Some(EventSeverity::Error),
                ..Filter::default()
            }
            .lets_through(&frame(1, "task.retrying", EventSeverity::Warning))
        );
    }

    #[test]
    fn an_event_stands_once_on_top() {
        let mut list = vec![frame(3, "a", EventSeverity::Info)];
        for seq in [2, 3, 4] {
            put_on_top(&mut list, frame(seq, "b", EventSeverity::Info));
        }
        assert_eq!(
            list.iter().map(|frame| frame.seq).collect::<Vec<_>>(),
            [4, 3]
        );
    }
}
