//! A page to come.

use leptos::prelude::*;

/// A page to come.
#[component]
pub fn RunsPage() -> impl IntoView {
    view! { <h1>"RunsPage"</h1> }
}
