//! Models to choose from, for fields that name one: each with its price per million tokens and how
//! much it can read.

use leptos::prelude::*;

use super::Button;
use crate::{api, api::dto::ModelOffer};

/// Most models in one list: browsers draw all of them.
const MOST: usize = 1_000;

/// What is on offer, asked for once the page is there.
fn offered() -> RwSignal<Vec<ModelOffer>> {
    let models = RwSignal::new(Vec::new());
    Effect::new(move |_| {
        leptos::task::spawn_local(async move {
            if let Ok(catalogue) = api::models(false).await {
                // Whoever asked may have gone to another page.
                let _gone = models.try_set(catalogue.models);
            }
        });
    });
    models
}

/// The list behind a field (`list=id`). It comes once the page is there, and fields work without it.
#[component]
pub fn ModelsOnOffer(
    /// The list's own id.
    id: &'static str,
) -> impl IntoView {
    let models = offered();
    view! {
        <datalist id=id>
            {move || {
                let shown = models.get().into_iter().take(MOST);
                shown
                    .map(|offer| {
                        let label = format!("{}: {}", offer.name, offer.terms());
                        view! { <option value=offer.model label=label></option> }
                    })
                    .collect_view()
            }}
        </datalist>
    }
}

/// What the model that a field names costs and how much it can read; nothing where nobody offers it.
#[component]
pub fn ModelTerms(
    /// What stands in the field.
    #[prop(into)]
    named: Signal<String>,
) -> impl IntoView {
    let models = offered();
    let terms = move || {
        let named = named.get();
        models.with(|models| {
            let offer = models.iter().find(|offer| offer.model == named.trim())?;
            Some(format!("{}: {}.", offer.name, offer.terms()))
        })
    };
    view! { <p class="model-terms" role="status">{terms}</p> }
}

/// A field beside a list of models: what is chosen in it is added, and it is empty again.
#[component]
pub fn AnotherModel(
    /// Id of the models on offer.
    list: &'static str,
    /// Called with the model.
    #[prop(into)]
    on_add: Callback<String>,
) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let add = move || {
        let model = typed.get_untracked().trim().to_owned();
        if !model.is_empty() {
            on_add.run(model);
            typed.set(String::new());
        }
    };
    view! {
        <div class="another-model">
            <input
                type="text"
                class="mono"
                aria-label="Another fallback model"
                placeholder="another one…"
                autocomplete="off"
                list=list
                bind:value=typed
                on:change=move |_| add()
                on:keydown=move |event| {
                    // It sends no form away.
                    if event.key() == "Enter" {
                        event.prevent_default();
                        add();
                    }
                }
            />
            <Button on_press=move |()| add()>"Add"</Button>
        </div>
    }
}
