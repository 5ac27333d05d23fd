//! What a provider's key may still spend, as the provider says, with a warning before it runs out.

use leptos::prelude::*;

use crate::{api, components::Badge, live::use_live, words};

/// What the key of a provider may still spend. Asked for once the page is there, and whenever `again`
/// changes; nothing where the provider does not say.
#[component]
pub fn KeyQuota(
    /// The provider.
    name: String,
    /// Something happened that may have changed it.
    #[prop(into)]
    again: Signal<()>,
) -> impl IntoView {
    let now = use_live().now;
    let ask = Action::new(move |(): &()| api::provider_quota(name.clone()));
    Effect::new(move |_| {
        again.track();
        ask.dispatch(());
    });
    let said = move || match ask.value().get() {
        None => view! { <span class="muted">"Asking what the key may spend…"</span> }.into_any(),
        Some(Err(_)) => {
            view! { <span class="muted">"It does not say what the key may spend now."</span> }
                .into_any()
        }
        Some(Ok(quota)) => {
            let little = quota.runs_out(now.get_untracked());
            view! {
                {words::quota_left(&quota, now.get_untracked())}
                {little.then(|| view! { " " <Badge status="warning">"runs out"</Badge> })}
            }
            .into_any()
        }
    };
    view! { <p class="row-note" role="status">{said}</p> }.into_any()
}
