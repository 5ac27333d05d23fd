//! Where model calls go: what there is, whether it works, and the form that sets one up. A key is
//! written here and never read back.

mod form;
mod found;
mod quota;

use leptos::prelude::*;

use self::{form::ProviderDialog, found::Found, quota::KeyQuota};
use crate::{
    api,
    api::dto::{ProviderCheck, ProviderInfo},
    components::{Badge, Button, ButtonLook, ErrorView, StatusGlyph},
    error::ApiError,
    words,
};

/// Every provider, and the ways to get another one.
#[component]
pub fn Providers(
    /// Those there are.
    known: Signal<Vec<ProviderInfo>>,
    /// Called when that changed.
    #[prop(into)]
    changed: Callback<()>,
) -> impl IntoView {
    let only_simulated = move || known.read().iter().all(|provider| provider.simulated);
    let adding = RwSignal::new(false);
    view! {
        <ul class="rows providers">
            <For
                each=move || known.get()
                key=|provider| serde_json::to_string(provider).unwrap_or_default()
                let:provider
            >
                <Provider provider changed known/>
            </For>
        </ul>
        <Show when=only_simulated>
            <p class="panel-text">
                "All answers are simulated. To use real models, add a provider here, or start the server with OPENROUTER_API_KEY, OPENAI_API_KEY, OPENAI_BASE_URL or OLLAMA_HOST."
            </p>
        </Show>
        <Found changed>
            <Button look=ButtonLook::Primary on_press=move |()| adding.set(true)>"Add provider"</Button>
        </Found>
        <ProviderDialog open=adding changed/>
    }
    .into_any()
}

#[component]
fn Provider(
    provider: ProviderInfo,
    changed: Callback<()>,
    known: Signal<Vec<ProviderInfo>>,
) -> impl IntoView {
    let ProviderInfo {
        name,
        base_url,
        has_key,
        simulated,
        is_default,
        default_model,
        editable,
        kind: _,
    } = provider.clone();
    let ready = has_key || simulated || base_url.is_some();
    let (editing, removing) = (RwSignal::new(false), RwSignal::new(false));
    let asked = name.clone();
    let check = Action::new(move |(): &()| {
        let name = asked.clone();
        async move { api::check_provider(name).await }
    });
    let gone = name.clone();
    let remove = Action::new(move |(): &()| {
        let name = gone.clone();
        async move {
            api::remove_provider(name).await?;
            changed.run(());
            Ok(())
        }
    });
    let refused = move || {
        remove
            .value()
            .get()
            .and_then(|done: Result<(), ApiError>| done.err())
    };
    let spoken = name.clone();
    // A key that was changed or tried may have another answer.
    let again = Signal::derive(move || {
        known.track();
        check.value().track();
    });
    view! {
        <li class="row provider-row">
            <StatusGlyph status=if ready { "succeeded" } else { "queued" } plain=true/>
            <div class="row-main">
                <strong>{name.clone()}</strong>
                {is_default.then(|| view! { <Badge>"default"</Badge> })}
                {simulated.then(|| view! { <Badge status="warning">"simulated answers"</Badge> })}
                <p class="row-note mono">{base_url.unwrap_or_else(|| "built in".into())}</p>
                <p class="row-note mono">{default_model}</p>
                <p class="row-note muted">
                    {match (simulated, has_key) {
                        (true, _) => "needs no key",
                        (false, true) => "key known",
                        (false, false) => "no key",
                    }}
                    {(!editable && !simulated).then_some(", set where the server is started")}
                </p>
                {(!simulated).then(|| view! { <KeyQuota name=name.clone() again/> })}
                {move || check.value().get().map(|checked| view! { <Checked checked/> })}
                {move || refused().map(|error| view! { <ErrorView error/> })}
            </div>
            <div class="row-actions" role="group" aria-label=format!("Provider {spoken}")>
                <Button busy=check.pending() on_press=move |()| { check.dispatch(()); }>"Test"</Button>
                {editable
                    .then(|| {
                        view! {
                            <Button on_press=move |()| editing.set(true)>"Edit"</Button>
                            <Show
                                when=move || removing.get()
                                fallback=move || {
                                    view! { <Button on_press=move |()| removing.set(true)>"Remove"</Button> }
                                }
                            >
                                <Button
                                    look=ButtonLook::Danger
                                    busy=remove.pending()
                                    on_press=move |()| { remove.dispatch(()); }
                                >
                                    "Remove for good"
                                </Button>
                            </Show>
                        }
                    })}
            </div>
            {editable.then(|| view! { <ProviderDialog open=editing changed known=provider.clone()/> })}
        </li>
    }
    .into_any()
}

/// What came of a test.
#[component]
fn Checked(checked: Result<ProviderCheck, ApiError>) -> impl IntoView {
    match checked {
        Err(error) => view! { <ErrorView error/> }.into_any(),
        Ok(check) => {
            let status = if check.works { "succeeded" } else { "failed" };
            view! {
                <p class="row-note" role="status">
                    <StatusGlyph status plain=true/>
                    {check.message}
                    " "
                    <span class="muted">{format!("({})", words::duration(check.took_ms))}</span>
                </p>
            }
            .into_any()
        }
    }
}
