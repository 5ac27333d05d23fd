//! A run in a list, and the strip of its tasks.

use leptos::prelude::*;

use crate::api::dto::Tick;

/// One mark per task, coloured by state.
#[component]
pub fn Ticks(
    /// The tasks, in the order of the file.
    #[prop(into)]
    ticks: Signal<Vec<Tick>>,
    /// All tasks, where the list is cut.
    #[prop(into)]
    tasks: Signal<u32>,
    /// Tasks that can change no more.
    #[prop(into)]
    settled: Signal<u32>,
) -> impl IntoView {
    let said = move || format!("{} of {} tasks done", settled.get(), tasks.get());
    view! {
        <span class="ticks" role="img" aria-label=said title=said>
            <For each=move || ticks.get().into_iter().enumerate() key=|(at, tick)| (*at, tick.status.clone()) let((_, tick))>
                <i data-status=tick.status></i>
            </For>
        </span>
    }
}
