//! Where am I, is it live, what runs, what it costs; and the way to everything else.

use leptos::prelude::*;
use leptos_router::{components::A, hooks::use_location};

use super::{
    icon::{Glyph, Icon},
    shortcuts::use_shortcuts,
};
use crate::{
    api::dto::Status,
    error::ApiError,
    live::{Connection, use_live},
    words,
};

/// What the page is about, after its section: the name of the workflow, the run, the agent.
#[derive(Clone, Copy)]
pub struct Crumb(RwSignal<Option<String>>);

/// Makes the crumb a context.
pub fn provide_crumb() -> Crumb {
    let crumb = Crumb(RwSignal::new(None));
    provide_context(crumb);
    crumb
}

/// Says what the page is about while it is open.
pub fn set_crumb(text: impl Fn() -> Option<String> + 'static) {
    let Crumb(crumb) = expect_context::<Crumb>();
    Effect::new(move |_| crumb.set(text()));
    on_cleanup(move || {
        let _gone = crumb.try_set(None);
    });
}

/// The section that a path belongs to, and where its list is.
fn section(path: &str) -> (&'static str, &'static str) {
    match path.split('/').nth(1).unwrap_or_default() {
        "" => ("/", "Home"),
        "workflows" => ("/workflows", "Workflows"),
        "runs" => ("/runs", "Runs"),
        "agents" => ("/agents", "Agents"),
        "events" => ("/events", "Events"),
        "usage" => ("/usage", "Usage"),
        "settings" => ("/settings", "Settings"),
        _ => ("/", "Troupe"),
    }
}

/// The bar at the top of every page.
#[component]
pub fn TopBar(status: Resource<Result<Status, ApiError>>) -> impl IntoView {
    let Crumb(crumb) = expect_context::<Crumb>();
    let path = use_location().pathname;
    let shortcuts = use_shortcuts();
    view! {
        <header class="top-bar">
            <nav class="crumbs" aria-label="Where you are">
                <A href=move || section(&path.get()).0.to_owned()>{move || section(&path.get()).1}</A>
                {move || crumb.get().map(|name| view! { <span class="crumb-divider" aria-hidden="true">"/"</span><span class="crumb">{name}</span> })}
            </nav>
            <div class="top-figures">
                <Transition>{move || Suspend::new(async move { status.await.ok().map(|status| view! { <Figures status/> }) })}</Transition>
                <LiveDot/>
            </div>
            <button
                type="button"
                class="button palette-button"
                data-look="quiet"
                aria-keyshortcuts="Control+K Meta+K"
                aria-label="Go to or start anything"
                title="Go to or start anything (Ctrl K)"
                on:click=move |_| shortcuts.palette.set(true)
            >
                <Icon glyph=Glyph::Search/>
                <kbd>"Ctrl K"</kbd>
            </button>
        </header>
    }
}

/// The figures; from the page at first, from the stream as soon as it speaks.
#[component]
fn Figures(status: Status) -> impl IntoView {
    let live = use_live();
    let first = StoredValue::new(status.metrics);
    let metrics = Memo::new(move |_| live.metrics.get().unwrap_or_else(|| first.get_value()));
    let simulated = status.simulated;
    view! {
        {simulated
            .then(|| {
                view! {
                    <A href="/settings" attr:class="simulated" attr:title="No provider has a key: answers come from the built-in rehearsal, at no cost">
                        "Simulated answers"
                    </A>
                }
            })}
        <A href="/runs?status=live" attr:class="figure">
            {move || format!("{} running", words::count(metrics.read().runs_live))}
        </A>
        <span class="figure cost" title="Spent since midnight UTC, as far as known">
            {move || format!("{} today", words::money(metrics.read().cost_today_usd))}
        </span>
        <Degraded parts=Signal::derive(move || metrics.read().degraded.clone())/>
    }
}

/// Parts that do not work, one sentence each.
#[component]
fn Degraded(parts: Signal<Vec<String>>) -> impl IntoView {
    view! {
        <Show when=move || !parts.read().is_empty()>
            <details class="degraded">
                <summary>{move || words::plural(parts.read().len() as u64, "part degraded", "parts degraded")}</summary>
                <ul>{move || parts.get().into_iter().map(|part| view! { <li>{part}</li> }).collect_view()}</ul>
            </details>
        </Show>
    }
}

/// The honest light, with words.
#[component]
fn LiveDot() -> impl IntoView {
    let live = use_live();
    // The clock of this browser: the loss was noticed here.
    let lost_for = move |since: domain::time::Timestamp| {
        live.now.track();
        words::elapsed(crate::live::local_now().ms_since(since))
    };
    let said = move || match live.connection.get() {
        Connection::Connecting => "connecting".to_owned(),
        Connection::Current => "live".to_owned(),
        Connection::Behind { events } => {
            format!("{} behind", words::plural(events, "event", "events"))
        }
        Connection::Reconnecting { since, .. } => format!("reconnecting for {}", lost_for(since)),
        Connection::Unreachable { since, .. } => {
            format!("server unreachable for {}", lost_for(since))
        }
    };
    // The words change every second while the server is away; only the change of state is announced.
    let announced = move || match live.connection.get() {
        Connection::Connecting | Connection::Current | Connection::Behind { .. } => "",
        Connection::Reconnecting { .. } => "Connection lost. Reconnecting.",
        Connection::Unreachable { .. } => "The server cannot be reached.",
    };
    view! {
        <button
            type="button"
            class="live-dot"
            data-status=move || live.connection.get().name()
            title="Whether this page shows what is stored. Press to reconnect now."
            on:click=move |_| live.nudge()
        >
            <span class="dot" aria-hidden="true"></span>
            <span>{said}</span>
        </button>
        <span class="only-said" role="status">{announced}</span>
    }
}
