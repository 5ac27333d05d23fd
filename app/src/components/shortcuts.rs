//! The keyboard: which keys do what on this page, and the ones that work on every page. Pages and the
//! canvas register theirs, so the cheat sheet lists what is true here and now.

use leptos::{ev, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};

/// One line of the cheat sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortcut {
    /// The keys as people read them: `Ctrl K`, `g then w`.
    pub keys: &'static str,
    /// What they do: "Undo".
    pub does: &'static str,
    /// The heading it stands under: "Canvas".
    pub group: &'static str,
}

/// What the keyboard does; a context of every page.
#[derive(Clone, Copy)]
pub struct Shortcuts {
    list: RwSignal<Vec<Shortcut>>,
    /// Whether the palette is open.
    pub palette: RwSignal<bool>,
    /// Whether the cheat sheet is open.
    pub cheat_sheet: RwSignal<bool>,
}

/// What the keyboard does.
pub fn use_shortcuts() -> Shortcuts {
    expect_context::<Shortcuts>()
}

/// `g` then a letter goes to a page.
pub const GO_TO: [(&str, &str, &str); 7] = [
    ("h", "/", "Home"),
    ("w", "/workflows", "Workflows"),
    ("r", "/runs", "Runs"),
    ("a", "/agents", "Agents"),
    ("e", "/events", "Events"),
    ("u", "/usage", "Usage"),
    ("s", "/settings", "Settings"),
];

const EVERYWHERE: [Shortcut; 12] = [
    Shortcut {
        keys: "Ctrl K",
        does: "Go to or start anything",
        group: "Everywhere",
    },
    Shortcut {
        keys: "?",
        does: "This list",
        group: "Everywhere",
    },
    Shortcut {
        keys: "g h",
        does: "Home",
        group: "Everywhere",
    },
    Shortcut {
        keys: "g w",
        does: "Workflows",
        group: "Everywhere",
    },
    Shortcut {
        keys: "g r",
        does: "Runs",
        group: "Everywhere",
    },
    Shortcut {
        keys: "g a",
        does: "Agents",
        group: "Everywhere",
    },
    Shortcut {
        keys: "g e",
        does: "Events",
        group: "Everywhere",
    },
    Shortcut {
        keys: "g u",
        does: "Usage",
        group: "Everywhere",
    },
    Shortcut {
        keys: "g s",
        does: "Settings",
        group: "Everywhere",
    },
    Shortcut {
        keys: "j / k",
        does: "Next or previous row",
        group: "Lists",
    },
    Shortcut {
        keys: "Enter",
        does: "Open the row",
        group: "Lists",
    },
    Shortcut {
        keys: "/",
        does: "Search this page",
        group: "Lists",
    },
];

impl Shortcuts {
    /// Adds lines to the cheat sheet until the owner is cleaned up.
    pub fn register(self, lines: impl IntoIterator<Item = Shortcut>) {
        let lines: Vec<Shortcut> = lines.into_iter().collect();
        // After the page is taken over: the list is not part of what the server rendered.
        Effect::new({
            let lines = lines.clone();
            move |_| self.list.update(|list| list.extend(lines.iter().cloned()))
        });
        on_cleanup(move || {
            let _gone = self
                .list
                .try_update(|list| list.retain(|known| !lines.contains(known)));
        });
    }

    /// What works here, by group in order of registration.
    pub fn groups(self) -> Vec<(&'static str, Vec<Shortcut>)> {
        let mut groups: Vec<(&'static str, Vec<Shortcut>)> = Vec::new();
        for shortcut in self.list.get().into_iter().chain(EVERYWHERE) {
            match groups.iter_mut().find(|(name, _)| *name == shortcut.group) {
                Some((_, lines)) => lines.push(shortcut),
                None => groups.push((shortcut.group, vec![shortcut])),
            }
        }
        groups
    }
}

/// Makes the keyboard a context and listens. Stands inside the router.
pub fn provide_shortcuts() -> Shortcuts {
    let shortcuts = Shortcuts {
        list: RwSignal::new(Vec::new()),
        palette: RwSignal::new(false),
        cheat_sheet: RwSignal::new(false),
    };
    provide_context(shortcuts);
    let navigate = use_navigate();
    Effect::new(move |_| {
        let navigate = navigate.clone();
        let going = StoredValue::new(false);
        let listener = window_event_listener(ev::keydown, move |event| {
            let command = event.ctrl_key() || event.meta_key();
            if command
                && event.key().eq_ignore_ascii_case("k")
                && !event.shift_key()
                && !event.alt_key()
            {
                event.prevent_default();
                shortcuts.palette.update(|open| *open = !*open);
                return;
            }
            if event.default_prevented()
                || command
                || event.alt_key()
                || is_typing(&event)
                || dialog_is_open()
            {
                going.set_value(false);
                return;
            }
            let key = event.key();
            if going.get_value() {
                going.set_value(false);
                if let Some((_, path, _)) = GO_TO.iter().find(|(letter, ..)| *letter == key) {
                    event.prevent_default();
                    navigate(path, NavigateOptions::default());
                }
                return;
            }
            match key.as_str() {
                "g" => going.set_value(true),
                "?" => {
                    event.prevent_default();
                    shortcuts.cheat_sheet.set(true);
                }
                "j" => move_row(&event, 1),
                "k" => move_row(&event, -1),
                "/" => focus_search(&event),
                _ => {}
            }
        });
        on_cleanup(move || listener.remove());
    });
    shortcuts
}

/// Whether the key goes into a field, where letters are letters.
pub fn is_typing(event: &web_sys::KeyboardEvent) -> bool {
    use wasm_bindgen::JsCast;
    let Some(element) = event
        .target()
        .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
    else {
        return false;
    };
    let field = matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT");
    field
        || element
            .closest("[contenteditable], .nokey")
            .ok()
            .flatten()
            .is_some()
}

fn dialog_is_open() -> bool {
    document()
        .query_selector("dialog[open]")
        .ok()
        .flatten()
        .is_some()
}

/// Moves the focus to the next or previous row of the page's list: the links marked `data-row`.
fn move_row(event: &web_sys::KeyboardEvent, step: i32) {
    use wasm_bindgen::JsCast;
    let Ok(rows) = document().query_selector_all("[data-row]") else {
        return;
    };
    let rows: Vec<web_sys::HtmlElement> = (0..rows.length())
        .filter_map(|at| rows.item(at)?.dyn_into().ok())
        .collect();
    let focused = document().active_element();
    let at = rows.iter().position(|row| {
        focused
            .as_ref()
            .is_some_and(|focused| row.contains(Some(focused)))
    });
    let next = match at {
        Some(at) => at as i32 + step,
        None if step > 0 => 0,
        None => rows.len() as i32 - 1,
    };
    if let Some(row) = usize::try_from(next).ok().and_then(|next| rows.get(next)) {
        event.prevent_default();
        // Focus fails only for an element that has just left the page.
        let _focused = row.focus();
    }
}

fn focus_search(event: &web_sys::KeyboardEvent) {
    use wasm_bindgen::JsCast;
    let field = document()
        .query_selector("input[type=search]")
        .ok()
        .flatten();
    if let Some(field) = field.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok()) {
        event.prevent_default();
        let _focused = field.focus();
    }
}
