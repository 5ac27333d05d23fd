//! What the keyboard does on this page.

use leptos::prelude::*;

use super::{dialog::Dialog, shortcuts::use_shortcuts};

/// The list behind `?`.
#[component]
pub fn CheatSheet() -> impl IntoView {
    let shortcuts = use_shortcuts();
    let group = |(name, lines): (&'static str, Vec<super::Shortcut>)| {
        let lines = lines
            .into_iter()
            .map(|line| view! { <div><dt>{keys(line.keys)}</dt><dd>{line.does}</dd></div> })
            .collect_view();
        view! { <section><h3>{name}</h3><dl>{lines}</dl></section> }
    };
    view! {
        <Dialog title="Keyboard" open=shortcuts.cheat_sheet wide=true>
            <div class="cheat-sheet">{shortcuts.groups().into_iter().map(group).collect_view()}</div>
        </Dialog>
    }
}

fn keys(keys: &'static str) -> impl IntoView {
    keys.split(' ')
        .map(|key| match key {
            "/" if keys.contains(" / ") => view! { <span>" or "</span> }.into_any(),
            "then" => view! { <span>" then "</span> }.into_any(),
            key => view! { <kbd>{key}</kbd> }.into_any(),
        })
        .collect_view()
}
