//! To come.
use leptos::prelude::*;
/// To come.
#[component]
pub fn Palette() -> impl IntoView {}
