//! The newest events, newest on top, each leading to its place.

use domain::frame::EventFrame;
use leptos::prelude::*;
use leptos_router::components::A;

use super::{
    agent_names::{event_text, use_agent_names},
    badge::StatusGlyph,
    event_line,
};
use crate::{live::use_live, words};

/// How many lines stay.
const LINES: usize = 60;

/// Whether an event tells more than the ones beside it. Steps that only lead from one to the next are
/// left to the page of all events.
fn is_news(frame: &EventFrame) -> bool {
    !matches!(
        frame.kind.as_str(),
        "task.ready"
            | "task.assigned"
            | "turn.started"
            | "tool.returned"
            | "agent.idle"
            | "agent.working"
    )
}

/// Events as they come, on top of those that came with the page.
#[component]
pub fn Ticker(
    /// Newest first.
    first: Vec<EventFrame>,
    /// `seq` of the newest event when they were read.
    head: u64,
) -> impl IntoView {
    let live = use_live();
    use_agent_names().learn_events(&first);
    let first = first.into_iter().filter(is_news).collect::<Vec<_>>();
    let lines = RwSignal::new(first);
    let add = move |frame: EventFrame| {
        if !is_news(&frame) {
            return;
        }
        lines.update(|lines| {
            if lines.first().is_none_or(|newest| newest.seq < frame.seq) {
                lines.insert(0, frame);
                lines.truncate(LINES);
            }
        });
    };
    live.on_event(move |event| {
        if event.seq > head {
            add(event.to_frame());
        }
    });
    Effect::new(move |_| {
        // Events between the reading of the page and now; what is older than the stream is on screen
        // already or comes with the next page.
        let _complete = live.catch_up(head, |event| add(event.to_frame()));
    });
    view! {
        <ol class="ticker" reversed>
            <For each=move || lines.get() key=|frame| frame.seq children=|frame| view! { <Line frame/> }/>
        </ol>
    }
}

#[component]
fn Line(frame: EventFrame) -> impl IntoView {
    let (severity, at) = (frame.severity.name(), frame.at);
    let place = event_line::place(&frame);
    let text = event_text(frame);
    let said = match place {
        Some(place) => view! { <A href=place>{text}</A> }.into_any(),
        None => view! { <span>{text}</span> }.into_any(),
    };
    view! {
        <li data-status=severity>
            <time datetime=at.rfc3339() title=words::exact(at)>{words::clock(at)}</time>
            {(severity != "info").then(|| view! { <StatusGlyph status=severity/> })}
            {said}
        </li>
    }
}
