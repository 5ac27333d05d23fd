//! Model servers that listen on this machine and are not set up yet.

use leptos::prelude::*;

use crate::{
    api,
    api::dto::{FoundServer, ProviderForm, WrittenKey},
    components::{Button, ErrorView},
    error::ApiError,
    words,
};

/// Looks for servers once the page is there, and again when asked, and offers what it found.
#[component]
pub fn Found(
    /// Called when one was added.
    changed: Callback<()>,
    /// The other ways to get one, beside the button.
    children: Children,
) -> impl IntoView {
    let look = Action::new(|(): &()| async { api::find_servers().await });
    Effect::new(move |_| {
        look.dispatch(());
    });
    let asked = RwSignal::new(false);
    // One that was added is not offered any more.
    let added = Callback::new(move |()| {
        changed.run(());
        look.dispatch(());
    });
    let found = move || {
        match look.value().get() {
        None => ().into_any(),
        // Nobody asked, so nobody is told of nothing.
        Some(Err(_)) if !asked.get() => ().into_any(),
        Some(Ok(servers)) if servers.is_empty() && !asked.get() => ().into_any(),
        Some(Err(error)) => view! { <ErrorView error/> }.into_any(),
        Some(Ok(servers)) if servers.is_empty() => view! {
            <p class="panel-text muted" role="status">
                "No model server that is not set up yet answers on the usual ports of this machine (11434, 8080, 8000, 1234, 4000)."
            </p>
        }
        .into_any(),
        Some(Ok(servers)) => view! {
            <ul class="rows">
                {servers.into_iter().map(|server| view! { <Server server changed=added/> }).collect_view()}
            </ul>
        }
        .into_any(),
    }
    };
    view! {
        <div class="panel-text form-actions">
            <Button
                busy=Signal::derive(move || asked.get() && look.pending().get())
                on_press=move |()| {
                    asked.set(true);
                    look.dispatch(());
                }
            >
                "Look for model servers on this machine"
            </Button>
            {children()}
        </div>
        {found}
    }
    .into_any()
}

#[component]
fn Server(server: FoundServer, changed: Callback<()>) -> impl IntoView {
    let FoundServer {
        name,
        product,
        base_url,
        models,
        first_model,
        needs_key,
    } = server;
    let key = RwSignal::new(String::new());
    let key_label = format!("Key of {product}");
    let form = ProviderForm {
        name,
        kind: "compatible".to_owned(),
        base_url: Some(base_url.clone()),
        key: None,
        default_model: first_model,
        private: true,
    };
    let add = Action::new(move |(): &()| {
        let written = key.get_untracked().trim().to_owned();
        let form = ProviderForm {
            key: (!written.is_empty()).then_some(WrittenKey(written)),
            ..form.clone()
        };
        async move {
            api::save_provider(None, form).await?;
            changed.run(());
            Ok(())
        }
    });
    let refused = move || {
        add.value()
            .get()
            .and_then(|done: Result<(), ApiError>| done.err())
    };
    view! {
        <li class="row">
            <div class="row-main">
                <strong>{product}</strong>
                <p class="row-note mono">{base_url}</p>
                <p class="row-note muted">
                    {match needs_key {
                        true => "asks for a key".to_owned(),
                        false => words::plural(models, "model", "models"),
                    }}
                </p>
                {move || refused().map(|error| view! { <ErrorView error/> })}
            </div>
            {needs_key
                .then(|| {
                    view! { <input type="password" class="mono" autocomplete="new-password" aria-label=key_label placeholder="key" bind:value=key/> }
                })}
            <Button busy=add.pending() on_press=move |()| { add.dispatch(()); }>"Add"</Button>
        </li>
    }
    .into_any()
}
