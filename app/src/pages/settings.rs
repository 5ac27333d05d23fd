//! What the server can reach, how the pages look, what this is.

mod models;
mod providers;
pub mod storage;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use self::{models::Models, providers::Providers};
use super::loaded::{load, shown};
use crate::{api, api::dto::Status, components::theme::Theme, words};

/// Settings.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let providers = load(|| (), |()| api::providers(), |_| false);
    let status = load(|| (), |()| api::status(), |_| false);
    view! {
        <Title text="Settings"/>
        <div class="page narrow">
            <header class="page-head"><h1 class="only-said">"Settings"</h1></header>
            <section class="panel" aria-labelledby="settings-providers">
                <header class="panel-head"><h2 id="settings-providers">"Providers"</h2></header>
                <p class="panel-text muted">"Where model calls go. Keys are sealed on the server and never shown again."</p>
                {shown(providers, move |known| view! { <Providers known changed=move || providers.refresh()/> })}
            </section>
            <section class="panel" aria-labelledby="settings-models">
                <header class="panel-head"><h2 id="settings-models">"Models"</h2></header>
                <Models/>
            </section>
            <section class="panel" aria-labelledby="settings-storage">
                <header class="panel-head">
                    <h2 id="settings-storage">"Storage"</h2>
                    <A href="/settings/storage" attr:class="link-quiet">"What takes the space, what is kept"</A>
                </header>
            </section>
            <section class="panel" aria-labelledby="settings-theme">
                <header class="panel-head"><h2 id="settings-theme">"Theme"</h2></header>
                <ThemeChoice/>
            </section>
            <section class="panel" aria-labelledby="settings-about">
                <header class="panel-head"><h2 id="settings-about">"This server"</h2></header>
                {shown(status, |status| view! { <About status/> })}
            </section>
        </div>
    }
    .into_any()
}

#[component]
fn ThemeChoice() -> impl IntoView {
    // The server does not know the choice: it shows the first, the browser then what it keeps.
    let chosen = RwSignal::new(Theme::System);
    Effect::new(move |_| chosen.set(Theme::chosen()));
    let radio = move |theme: Theme| {
        view! {
            <label class="choice">
                <input
                    type="radio"
                    name="theme"
                    value=theme.name()
                    prop:checked=move || chosen.get() == theme
                    on:change=move |_| {
                        theme.choose();
                        chosen.set(theme);
                    }
                />
                {theme.label()}
            </label>
        }
    };
    view! { <div class="choices panel-text" role="radiogroup" aria-labelledby="settings-theme">{Theme::ALL.into_iter().map(radio).collect_view()}</div> }
        .into_any()
}

#[component]
fn About(status: Signal<Status>) -> impl IntoView {
    let metrics = move || status.read().metrics.clone();
    view! {
        <dl class="facts">
            <div><dt>"Version"</dt><dd>{move || format!("Troupe {}", status.read().version)}</dd></div>
            <div><dt>"Events stored"</dt><dd class="number">{move || words::count(metrics().head)}</dd></div>
            <div><dt>"Memory"</dt><dd class="number">{move || metrics().memory_bytes.map_or_else(|| "–".to_owned(), words::bytes)}</dd></div>
            <div><dt>"Open live streams"</dt><dd class="number">{move || words::count(metrics().sockets)}</dd></div>
            <div><dt>"HTTP API"</dt><dd><a class="link" rel="external" href="/api/openapi.json">"/api/openapi.json"</a></dd></div>
        </dl>
    }
    .into_any()
}
