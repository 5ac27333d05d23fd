//! Keys: those of the canvas when it has the focus or nothing has, undo and redo wherever no field is.

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent};

use super::{
    StageRef,
    listen::{element_of, within},
};
use crate::{
    canvas::{
        dom::{self, Listener, listen, now_ms},
        keyboard::{Command, Key, command},
        model::WireBy,
    },
    components::shortcuts::is_typing,
};

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    /// The canvas or something on it.
    Canvas,
    /// Nothing in particular.
    Page,
    /// Another part of the page.
    Elsewhere,
}

impl StageRef {
    pub(super) fn listen_to_keys(&self) -> [Listener; 2] {
        let page = document();
        [
            listen(&page, "keydown", true, self.handler(StageRef::key_down)),
            listen(
                &page,
                "keyup",
                false,
                self.handler(|this, event: KeyboardEvent| {
                    if event.key() == " " {
                        this.with(|stage, _| stage.model.space = false);
                    }
                }),
            ),
        ]
    }

    fn key_down(&self, event: KeyboardEvent) {
        if event.default_prevented()
            || event.is_composing()
            || is_typing(&event)
            || dialog_is_open()
        {
            return;
        }
        let Some(target) = element_of(&event) else {
            return;
        };
        let focus = self.focus(&target);
        let walks = event.key() == "Tab" || event.key().starts_with("Arrow");
        if focus == Focus::Canvas
            && walks
            && let Ok(stage) = self.0.stage.try_borrow()
        {
            dom::attribute(&stage.root, "data-keys", "true");
        }
        let name = event.key();
        let key = Key {
            name: &name,
            shift: event.shift_key(),
            ctrl: event.ctrl_key() || event.meta_key(),
            alt: event.alt_key(),
        };
        let plain = !key.ctrl && !key.alt;
        if focus != Focus::Elsewhere && name == " " && plain && !on_node(&target) {
            event.prevent_default();
            self.with(|stage, _| stage.model.space = true);
            return;
        }
        let connecting = self.state(|stage| {
            stage
                .model
                .wire
                .as_ref()
                .is_some_and(|wire| wire.by == WireBy::Keys)
        });
        let starts = plain && (name == "Enter" || name == " ") && !connecting;
        if starts && focus == Focus::Canvas && self.start_at_port(&target) {
            event.prevent_default();
            return;
        }
        let pointing = self.state(|stage| stage.pointing) && focus != Focus::Elsewhere;
        let Some(command) = command(key, connecting, pointing) else {
            return;
        };
        if !self.is_ours(command, focus) {
            return;
        }
        let done = self.with(|stage, extras| {
            if matches!(
                command,
                Command::Arrow(..) | Command::NextTarget(_) | Command::Activate
            ) {
                stage.pointing = false;
            }
            stage.model.command(command, extras.drawing, now_ms())
        });
        if done == Some(true) {
            event.prevent_default();
        }
    }

    /// A canvas that is only watched leaves all keys to its page unless it has the focus.
    fn is_ours(&self, command: Command, focus: Focus) -> bool {
        let editable = self.state(|stage| stage.model.editable);
        match focus {
            Focus::Canvas => true,
            Focus::Page => editable && command != Command::Activate,
            Focus::Elsewhere => editable && matches!(command, Command::Undo | Command::Redo),
        }
    }

    fn focus(&self, target: &Element) -> Focus {
        let inside = self.state(|stage| stage.root.contains(Some(target)));
        if inside {
            Focus::Canvas
        } else if matches!(target.tag_name().as_str(), "BODY" | "HTML" | "MAIN") {
            Focus::Page
        } else {
            Focus::Elsewhere
        }
    }

    fn state(&self, look: impl FnOnce(&super::Stage) -> bool) -> bool {
        self.0.stage.try_borrow().is_ok_and(|stage| look(&stage))
    }

    /// Whether copy and paste are about the canvas now.
    pub(super) fn has_clipboard(&self) -> bool {
        let Some(target) = document().active_element() else {
            return true;
        };
        let field = within(
            &target,
            "input, textarea, select, [contenteditable], .nokey",
        );
        !field && !dialog_is_open() && self.focus(&target) != Focus::Elsewhere
    }
}

/// Whether Space means the element and not the canvas below it.
fn on_node(target: &Element) -> bool {
    within(target, "[data-node-id]") || target.dyn_ref::<web_sys::HtmlButtonElement>().is_some()
}

fn dialog_is_open() -> bool {
    document()
        .query_selector("dialog[open]")
        .ok()
        .flatten()
        .is_some()
}
