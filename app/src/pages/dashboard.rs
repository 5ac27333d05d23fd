//! A page to come.

use leptos::prelude::*;

/// A page to come.
#[component]
pub fn DashboardPage() -> impl IntoView {
    view! { <h1>"DashboardPage"</h1> }
}
