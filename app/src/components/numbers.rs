//! Moments, durations and money, as `words` says them and with the exact value on hover.

use domain::{money::MicroUsd, time::Timestamp};
use leptos::prelude::*;

use crate::{live::use_live, words};

/// `5 min ago`; stays true while the page is open.
#[component]
pub fn RelativeTime(
    /// The moment.
    #[prop(into)]
    at: Signal<Timestamp>,
) -> impl IntoView {
    let now = use_live().now;
    view! {
        <time datetime=move || at.get().rfc3339() title=move || words::exact(at.get())>
            {move || words::ago(now.get(), at.get())}
        </time>
    }
}

/// How long something took.
#[component]
pub fn Duration(
    /// Milliseconds; `None` shows a dash.
    #[prop(into)]
    ms: Signal<Option<u64>>,
) -> impl IntoView {
    view! {
        <span class="number" title=move || ms.get().map(|ms| format!("{} ms", words::count(ms)))>
            {move || ms.get().map_or_else(|| "–".to_owned(), words::duration)}
        </span>
    }
}

/// How long something has been going on, or took once it has ended.
#[component]
pub fn Elapsed(
    /// When it began.
    #[prop(into)]
    since: Signal<Timestamp>,
    /// When it ended.
    #[prop(into)]
    until: Signal<Option<Timestamp>>,
) -> impl IntoView {
    let now = use_live().now;
    view! {
        <span class="number" title=move || format!("since {}", words::exact(since.get()))>
            {move || match until.get() {
                Some(until) => words::duration(until.ms_since(since.get())),
                None => words::elapsed(now.get().ms_since(since.get())),
            }}
        </span>
    }
}

/// An amount of money; `None` is not known, which is not nothing.
#[component]
pub fn Money(
    /// The amount.
    #[prop(into)]
    amount: Signal<Option<MicroUsd>>,
) -> impl IntoView {
    view! {
        <span class="number" title=move || amount.get().map_or_else(|| "cost not known".to_owned(), |amount| format!("${amount}"))>
            {move || amount.get().map_or_else(|| "–".to_owned(), words::money)}
        </span>
    }
}
