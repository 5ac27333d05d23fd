//! What stands where nothing is: that it is empty, and what to do; or that it is on its way.

use leptos::prelude::*;

/// A list without entries.
#[component]
pub fn Empty(
    /// One sentence: what is not there.
    #[prop(into)]
    title: String,
    /// What to do about it.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <p>{title}</p>
            {children.map(|children| view! { <div class="empty-actions">{children()}</div> })}
        </div>
    }
}

/// Something is on its way. Shows only after a moment, so that quick answers do not flicker.
#[component]
pub fn Loading() -> impl IntoView {
    view! { <p class="loading" role="status">"Loading…"</p> }
}
