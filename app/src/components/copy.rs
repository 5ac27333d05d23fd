//! Things that copy themselves on a press.

use leptos::prelude::*;

use super::{
    icon::{Glyph, Icon},
    toast::{Toasts, use_toasts},
};

/// Puts text on the clipboard and says so.
pub fn copy_text(toasts: Toasts, text: String, what: &'static str) {
    #[cfg(feature = "hydrate")]
    leptos::task::spawn_local(async move {
        let written = wasm_bindgen_futures::JsFuture::from(
            window().navigator().clipboard().write_text(&text),
        )
        .await;
        match written {
            Ok(_) => toasts.say(format!("Copied {what}.")),
            Err(_) => toasts.warn(format!(
                "The browser does not let this page copy {what}. Select it and copy it by hand."
            )),
        }
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = (toasts, text, what);
}

/// An id: the end of it, the whole on hover, copied on a press.
#[component]
pub fn CopyId(
    /// The whole id.
    #[prop(into)]
    id: Signal<String>,
) -> impl IntoView {
    // The end of a version 7 id is random; its beginning is the time and looks alike for neighbours.
    let short = move || {
        id.with(|id| {
            id.chars()
                .skip(id.chars().count().saturating_sub(8))
                .collect::<String>()
        })
    };
    let toasts = use_toasts();
    view! {
        <button
            type="button"
            class="copy-id"
            title=move || format!("{} (press to copy)", id.get())
            aria-label=move || format!("Copy id {}", id.get())
            on:click=move |_| copy_text(toasts, id.get_untracked(), "the id")
        >
            {short}
        </button>
    }
}

/// Copies data as JSON.
#[component]
pub fn CopyJson(
    /// Makes the text when pressed.
    #[prop(into)]
    text: Callback<(), String>,
    /// What is copied, in words: "the event".
    #[prop(default = "the JSON")]
    what: &'static str,
) -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <button
            type="button"
            class="button"
            data-look="quiet"
            on:click=move |_| copy_text(toasts, text.run(()), what)
        >
            <Icon glyph=Glyph::Copy/>
            "Copy as JSON"
        </button>
    }
}
