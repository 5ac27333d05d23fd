//! A page to come.

use leptos::prelude::*;

/// A page to come.
#[component]
pub fn EventsPage() -> impl IntoView {
    view! { <h1>"EventsPage"</h1> }
}
