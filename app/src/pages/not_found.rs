//! A page to come.

use leptos::prelude::*;

/// A page to come.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! { <h1>"NotFoundPage"</h1> }
}
