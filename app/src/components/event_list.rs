//! Events as a list: time, type, sentence; the whole record on demand.

use domain::frame::EventFrame;
use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    agent_names::{event_text, use_agent_names},
    badge::StatusGlyph,
    copy::CopyJson,
    rows::rows,
};
use crate::words;

/// Events, newest first.
#[component]
pub fn EventList(
    /// Newest first.
    #[prop(into)]
    events: Signal<Vec<EventFrame>>,
) -> impl IntoView {
    let names = use_agent_names();
    names.learn_events(&events.read_untracked());
    Effect::new(move |_| names.learn_events(&events.read()));
    view! {
        <ul class="rows event-rows" aria-label="Events">
            {rows(events, |frame| frame.seq, |frame| view! { <EventRow frame=frame.get_untracked()/> })}
        </ul>
    }
    .into_any()
}

/// One event. An event never changes, so neither does its row.
#[component]
fn EventRow(frame: EventFrame) -> impl IntoView {
    let severity = frame.severity.name();
    let raw = StoredValue::new(serde_json::to_string_pretty(&frame).unwrap_or_default());
    let open = RwSignal::new(false);
    let text = event_text(frame.clone());
    let links = [
        frame.run_id.map(|run| (format!("/runs/{run}"), "run")),
        frame
            .agent_id
            .map(|agent| (format!("/agents/{agent}"), "agent")),
        frame
            .workflow_id
            .map(|workflow| (format!("/workflows/{workflow}"), "workflow")),
    ];
    let links = links
        .into_iter()
        .flatten()
        .map(|(href, word)| view! { <A href attr:class="link-quiet">{word}</A> })
        .collect_view();
    view! {
        <li class="event-row" data-status=severity>
            <div class="event-line">
                <span class="number muted">{frame.seq}</span>
                <time datetime=frame.at.rfc3339() title=words::exact(frame.at)>{words::clock(frame.at)}</time>
                <StatusGlyph status=severity/>
                <code class="event-type">{frame.kind.clone()}</code>
                <span class="event-text">{text}</span>
                <span class="event-links">{links}</span>
                <button type="button" class="button" data-look="quiet" data-row="" aria-expanded=move || if open.get() { "true" } else { "false" } on:click=move |_| open.update(|open| *open = !*open)>
                    {move || if open.get() { "Hide" } else { "Raw" }}
                    <span class="only-said">{format!(" event {}", frame.seq)}</span>
                </button>
            </div>
            <Show when=move || open.get()>
                <div class="event-raw">
                    <pre>{raw.get_value()}</pre>
                    <CopyJson text=move |()| raw.get_value() what="the event"/>
                </div>
            </Show>
        </li>
    }
    .into_any()
}
