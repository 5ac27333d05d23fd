//! What state something is in: by shape, by colour, and in words.

use leptos::prelude::*;

/// The shape of a status, 16 units square: shapes differ even where colours do not.
fn shape(status: &str) -> &'static str {
    match status {
        "queued" | "blocked" | "spawning" | "connecting" => {
            "M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11z"
        }
        "idle" => {
            "M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM8 6.800a1.200 1.200 0 1 0 0 2.400 1.200 1.200 0 0 0 0-2.400z"
        }
        "ready" | "assigned" => {
            "M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM8 5v3.200l2 1.300"
        }
        "running" | "working" => "M8 2.500a5.500 5.500 0 1 1-5.500 5.500",
        "waiting" | "paused" => "M6 3.500v9M10 3.500v9",
        "succeeded" | "current" => "M3 8.500l3.200 3.200L13 4.800",
        "failed" | "error" | "unreachable" => "M4 4l8 8M12 4l-8 8",
        "skipped" => "M4 8h8",
        "cancelled" | "terminated" => {
            "M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM4.100 4.100l7.800 7.800"
        }
        "warning" | "behind" | "reconnecting" => "M8 3v6.500M8 12.500v.01",
        "info" => "M8 7v5.500M8 4v.01",
        // `unknown`, and whatever a newer server may call a state.
        _ => {
            "M5.500 5.500a2.500 2.500 0 1 1 3.600 2.300c-.700.400-1.100.900-1.100 1.700M8 12.500v.01"
        }
    }
}

/// The shape of a status. It says its name, unless the name stands beside it (`plain`).
#[component]
pub fn StatusGlyph(
    /// `running`, `idle`, ...
    #[prop(into)]
    status: Signal<String>,
    /// The name stands beside it.
    #[prop(optional)]
    plain: bool,
) -> impl IntoView {
    view! {
        <svg
            class="glyph"
            viewBox="0 0 16 16"
            focusable="false"
            data-status=move || status.get()
            role=(!plain).then_some("img")
            aria-hidden=plain.then_some("true")
            aria-label=move || (!plain).then(|| status.get())
        >
            <path d=move || status.with(|status| shape(status))></path>
        </svg>
    }
}

/// A status by shape and name.
#[component]
pub fn StatusBadge(
    /// `running`, `idle`, ...
    #[prop(into)]
    status: Signal<String>,
) -> impl IntoView {
    view! {
        <span class="status" data-status=move || status.get()>
            <StatusGlyph status plain=true/>
            {move || status.get()}
        </span>
    }
}

/// A short word with a frame: a capability, a version, "on demand".
#[component]
pub fn Badge(
    /// Colours it by meaning, where it has one.
    #[prop(optional, into)]
    status: Option<String>,
    /// The word.
    children: Children,
) -> impl IntoView {
    view! { <span class="badge" data-status=status>{children()}</span> }
}
