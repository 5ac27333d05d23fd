//! A page to come.

use leptos::prelude::*;

/// A page to come.
#[component]
pub fn AgentsPage() -> impl IntoView {
    view! { <h1>"AgentsPage"</h1> }
}
