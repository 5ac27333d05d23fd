//! Models to choose from, for fields that name one: each with its price per million tokens and how
//! much it can read.

use leptos::prelude::*;

use crate::api;

/// Most models in one list: browsers draw all of them.
const MOST: usize = 1_000;

/// The list behind a field (`list=id`). It comes once the page is there, and fields work without it.
#[component]
pub fn ModelsOnOffer(
    /// The list's own id.
    id: &'static str,
) -> impl IntoView {
    let models = RwSignal::new(Vec::new());
    Effect::new(move |_| {
        leptos::task::spawn_local(async move {
            if let Ok(catalogue) = api::models(false).await {
                // Whoever asked may have gone to another page.
                let _gone = models.try_set(catalogue.models);
            }
        });
    });
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
