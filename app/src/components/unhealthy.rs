//! Models that failed so often that nobody calls them for a while: why, and how long it lasts.

use domain::{frame::Unhealthy, time::Timestamp};
use leptos::prelude::*;

use super::badge::StatusGlyph;
use crate::words;

/// One line for each of them; nothing where all is well.
#[component]
pub fn UnhealthyModels(
    /// Those that are out of order.
    #[prop(into)]
    models: Signal<Vec<Unhealthy>>,
    /// The moment on the server's clock.
    #[prop(into)]
    now: Signal<Timestamp>,
) -> impl IntoView {
    let line = move |model: Unhealthy| {
        let Unhealthy {
            provider,
            model,
            reason,
            until,
        } = model;
        let next = move || match until {
            Some(until) if until > now.get() => format!(
                "Tried again in {}.",
                words::elapsed(until.ms_since(now.get()))
            ),
            Some(_) => "The next task that asks for it finds out.".to_owned(),
            None => "One call is finding out now.".to_owned(),
        };
        view! {
            <li class="row" data-status="waiting">
                <StatusGlyph status="warning" plain=true/>
                <div class="row-main">
                    <strong class="mono">{format!("{provider}:{model}")}</strong>
                    <p class="row-note">{reason}</p>
                    <p class="row-note muted">"Tasks that need it wait and lose none of their tries. " {next}</p>
                </div>
            </li>
        }
    };
    view! {
        <Show when=move || models.with(|models| !models.is_empty())>
            <section class="panel" aria-labelledby="unhealthy-models">
                <header class="panel-head"><h2 id="unhealthy-models">"Models out of order"</h2></header>
                <ul class="rows">{move || models.get().into_iter().map(line).collect_view()}</ul>
            </section>
        </Show>
    }
}
