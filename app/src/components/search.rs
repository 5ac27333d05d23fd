//! A search field that keeps what is searched in the address, so that a reload, a bookmark and the back
//! button all show the same.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

/// How long to wait for the next letter.
const PAUSE: Duration = Duration::from_millis(200);

/// A search field for the page at `path`.
#[component]
pub fn SearchField(path: &'static str, label: &'static str) -> impl IntoView {
    let query = use_query_map();
    let text =
        Memo::new(move |_| query.with(|query| query.get_str("q").unwrap_or_default().to_owned()));
    let navigate = use_navigate();
    let mut go = debounce(PAUSE, move |text: String| {
        let mut params = query.get_untracked();
        params.remove("q");
        if !text.trim().is_empty() {
            params.insert("q", text);
        }
        navigate(
            &format!("{path}{}", params.to_query_string()),
            NavigateOptions {
                replace: true,
                scroll: false,
                ..NavigateOptions::default()
            },
        );
    });
    view! {
        <form class="search" role="search" action=path method="get" on:submit=|event| event.prevent_default()>
            <input
                type="search"
                name="q"
                placeholder=label
                aria-label=label
                autocomplete="off"
                value=text.get_untracked()
                prop:value=move || text.get()
                on:input:target=move |event| {
                    go(event.target().value());
                }
            />
        </form>
    }
}
