//! A page to come.

use leptos::prelude::*;

/// A page to come.
#[component]
pub fn WorkflowsPage() -> impl IntoView {
    view! { <h1>"WorkflowsPage"</h1> }
}
