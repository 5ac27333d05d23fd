//! A page to come.

use leptos::prelude::*;

/// A page to come.
#[component]
pub fn SettingsPage() -> impl IntoView {
    view! { <h1>"SettingsPage"</h1> }
}
