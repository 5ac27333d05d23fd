//! The keyboard on the run page: through the tasks, follow, back to the run.

use leptos::{ev, prelude::*};

use crate::{
    components::{Shortcut, shortcuts::is_typing, use_shortcuts},
    run_view::selection::Selection,
};

const GROUP: &str = "Run";

/// Listens to the keyboard while the page is open.
pub fn use_keys(selection: Selection) {
    use_shortcuts().register([
        Shortcut {
            keys: "j / k",
            does: "Next or previous task",
            group: GROUP,
        },
        Shortcut {
            keys: "f",
            does: "Follow the newest task at work",
            group: GROUP,
        },
        Shortcut {
            keys: "Esc",
            does: "Show the run instead of a task",
            group: GROUP,
        },
    ]);
    Effect::new(move |_| {
        let listener = window_event_listener(ev::keydown, move |event| act(selection, &event));
        on_cleanup(move || listener.remove());
    });
}

fn act(selection: Selection, event: &ev::KeyboardEvent) {
    let command = event.ctrl_key() || event.meta_key() || event.alt_key();
    if event.default_prevented() || command || is_typing(event) || dialog_is_open() {
        return;
    }
    match event.key().as_str() {
        "j" => selection.step(1),
        "k" => selection.step(-1),
        "f" => selection.follow(!selection.follows()),
        "Escape" => selection.choose(None),
        _ => return,
    }
    event.prevent_default();
}

fn dialog_is_open() -> bool {
    document()
        .query_selector("dialog[open]")
        .ok()
        .flatten()
        .is_some()
}
