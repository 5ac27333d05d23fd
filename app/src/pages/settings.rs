//! What the server can reach, how the pages look, what this is.

pub mod storage;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use super::loaded::{load, shown};
use crate::{
    api,
    api::dto::{ProviderInfo, Status},
    components::{Badge, StatusGlyph, theme::Theme},
    words,
};

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
                <p class="panel-text muted">"Where model calls go. Keys come from the environment and are never shown."</p>
                {shown(providers, |providers| view! { <Providers providers/> })}
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
fn Providers(providers: Signal<Vec<ProviderInfo>>) -> impl IntoView {
    let only_simulated = move || providers.read().iter().all(|provider| provider.simulated);
    view! {
        <ul class="rows providers">{move || providers.get().into_iter().map(|provider| view! { <Provider provider/> }).collect_view()}</ul>
        <Show when=only_simulated>
            <div class="panel-text">
                <p>"No provider has a key, so all answers are simulated. To use real models, start the server with one of:"</p>
                <pre class="commands">"OPENROUTER_API_KEY=…\nOPENAI_API_KEY=…\nOPENAI_BASE_URL=http://127.0.0.1:8080/v1\nOLLAMA_HOST=http://127.0.0.1:11434"</pre>
            </div>
        </Show>
    }
    .into_any()
}

#[component]
fn Provider(provider: ProviderInfo) -> impl IntoView {
    let ProviderInfo {
        name,
        base_url,
        has_key,
        simulated,
        is_default,
        default_model,
    } = provider;
    let ready = has_key || simulated || base_url.is_some();
    view! {
        <li class="row provider-row">
            <StatusGlyph status=if ready { "succeeded" } else { "queued" } plain=true/>
            <div class="row-main">
                <strong>{name}</strong>
                {is_default.then(|| view! { <Badge>"default"</Badge> })}
                {simulated.then(|| view! { <Badge status="warning">"simulated answers"</Badge> })}
                <p class="row-note mono">{base_url.unwrap_or_else(|| "built in".into())}</p>
            </div>
            <span class="muted">
                {match (simulated, has_key) {
                    (true, _) => "needs no key",
                    (false, true) => "key known",
                    (false, false) => "no key",
                }}
            </span>
            <span class="row-figure mono muted">{default_model}</span>
        </li>
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
