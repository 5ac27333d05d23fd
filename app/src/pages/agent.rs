//! A page to come.

use leptos::prelude::*;

/// A page to come.
#[component]
pub fn AgentPage() -> impl IntoView {
    view! { <h1>"AgentPage"</h1> }
}
