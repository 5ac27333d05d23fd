//! The form of a provider. Refuses nothing by itself: the server says what is wrong, and where.

use leptos::{ev::SubmitEvent, prelude::*};

use crate::{
    api,
    api::dto::{ProviderForm, ProviderInfo, WrittenKey},
    components::{Button, ButtonLook, Dialog, ErrorView, Field},
    error::ApiError,
};

const KINDS: [(&str, &str); 3] = [
    ("openrouter", "OpenRouter"),
    ("openai", "OpenAI"),
    (
        "compatible",
        "OpenAI-compatible (Ollama, vLLM, llama.cpp, LiteLLM, LM Studio)",
    ),
];

/// Sets a provider up, or changes one that is known.
#[component]
pub fn ProviderDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Called when it is saved.
    changed: Callback<()>,
    /// The one that is changed.
    #[prop(optional)]
    known: Option<ProviderInfo>,
) -> impl IntoView {
    let title = match &known {
        Some(known) => format!("Provider {}", known.name),
        None => "Add provider".to_owned(),
    };
    let known = StoredValue::new(known);
    view! { <Dialog title open><Form open changed known=known.get_value()/></Dialog> }
}

#[component]
fn Form(open: RwSignal<bool>, changed: Callback<()>, known: Option<ProviderInfo>) -> impl IntoView {
    let text = |value: Option<String>| RwSignal::new(value.unwrap_or_default());
    let before = known.as_ref();
    let id = before.map_or_else(|| "new".to_owned(), |known| known.name.clone());
    let name = text(before.map(|known| known.name.clone()));
    let kind = text(Some(
        before.map_or_else(|| "openrouter".to_owned(), |known| known.kind.clone()),
    ));
    let base_url = text(before.and_then(|known| known.base_url.clone()));
    let default_model = text(before.and_then(|known| {
        let named = known.default_model.as_deref()?;
        Some(
            named
                .split_once(':')
                .map_or(named, |(_, model)| model)
                .to_owned(),
        )
    }));
    let key = text(None);
    let (no_key, private) = (RwSignal::new(false), RwSignal::new(false));
    let has_key = before.is_some_and(|known| known.has_key);
    let is_new = known.is_none();
    let old_name = known.map(|known| known.name);
    let save = Action::new(move |form: &ProviderForm| {
        let (form, old_name) = (form.clone(), old_name.clone());
        async move {
            api::save_provider(old_name, form).await?;
            key.set(String::new());
            open.set(false);
            changed.run(());
            Ok(())
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let filled = |signal: RwSignal<String>| {
            Some(signal.get_untracked().trim().to_owned()).filter(|text| !text.is_empty())
        };
        let written = match no_key.get_untracked() {
            true => Some(String::new()),
            false => filled(key),
        };
        save.dispatch(ProviderForm {
            name: name.get_untracked().trim().to_owned(),
            kind: kind.get_untracked(),
            base_url: filled(base_url),
            key: written.map(WrittenKey),
            default_model: filled(default_model),
            private: private.get_untracked(),
        });
    };
    let failed = move || {
        save.value()
            .get()
            .and_then(|done: Result<(), ApiError>| done.err())
    };
    let field = |what: &str| format!("provider-{id}-{what}");
    let (name_id, kind_id, url_id) = (field("name"), field("kind"), field("url"));
    let (key_id, model_id, private_id, none_id) = (
        field("key"),
        field("model"),
        field("private"),
        field("no-key"),
    );
    let key_help = if has_key {
        "Empty keeps the key that is known."
    } else {
        "Sealed on the server and never shown again. Local servers mostly need none."
    };
    view! {
        <form class="form" autocomplete="off" on:submit=submit>
            <Field id=name_id.clone() label="Name" required=true help="Stands before the colon in a model's name: openrouter, office, gpu-box.">
                <input id=name_id type="text" maxlength="40" disabled=!is_new bind:value=name/>
            </Field>
            <Field id=kind_id.clone() label="Kind" help="Decides small differences in what is sent.">
                <select id=kind_id on:change:target=move |event| kind.set(event.target().value())>
                    {KINDS
                        .into_iter()
                        .map(|(value, label)| view! { <option value=value selected=move || kind.get() == value>{label}</option> })
                        .collect_view()}
                </select>
            </Field>
            <Field id=url_id.clone() label="Base URL" help="Up to and without /chat/completions. Empty: where that kind usually is.">
                <input id=url_id type="text" class="mono" placeholder="https://openrouter.ai/api/v1" bind:value=base_url/>
            </Field>
            <Field id=private_id.clone() label="The server is mine" help="Allows an address in this machine or its network. Only confirm it for a model server that you run.">
                <input id=private_id type="checkbox" prop:checked=move || private.get() on:change:target=move |event| private.set(event.target().checked())/>
            </Field>
            <Field id=key_id.clone() label="Key" help=key_help>
                <input id=key_id type="password" class="mono" autocomplete="new-password" disabled=move || no_key.get() bind:value=key/>
            </Field>
            {has_key
                .then(|| {
                    view! {
                        <Field id=none_id.clone() label="Remove the key" help="The server is then called without one.">
                            <input id=none_id.clone() type="checkbox" prop:checked=move || no_key.get() on:change:target=move |event| no_key.set(event.target().checked())/>
                        </Field>
                    }
                })}
            <Field id=model_id.clone() label="Default model" help="Asked when a task names none, without the provider's name: openrouter/auto.">
                <input id=model_id type="text" class="mono" bind:value=default_model/>
            </Field>
            {move || failed().map(|error| view! { <ErrorView error/> })}
            <div class="form-actions">
                <Button on_press=move |()| open.set(false)>"Cancel"</Button>
                <Button look=ButtonLook::Primary submit=true busy=save.pending()>"Save"</Button>
            </div>
        </form>
    }
    .into_any()
}
