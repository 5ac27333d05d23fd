//! An address that leads nowhere.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

/// An address that leads nowhere.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Not found"/>
        <div class="page narrow">
            <h1>"There is no page at this address"</h1>
            <p class="muted">"It may have been deleted, or the address is mistyped. Nothing was changed."</p>
            <p><A href="/">"Go to the control room"</A></p>
        </div>
    }
}
