//! Copy, cut and paste as the browser means them: no permission is asked, and what is copied is text
//! that can be pasted anywhere.

use std::collections::HashSet;

use leptos::prelude::document;
use web_sys::ClipboardEvent;

use super::{Stage, StageRef};
use crate::canvas::{
    clipboard::Fragment,
    dom::{Listener, listen},
    edit::Edit,
    geometry::at,
    keyboard::Command,
    model::{Ask, snapped},
    paint::Extras,
};

impl StageRef {
    pub(super) fn listen_to_clipboard(&self) -> [Listener; 3] {
        let page = document();
        [
            listen(
                &page,
                "copy",
                true,
                self.handler(|this, event| this.copy(&event, false)),
            ),
            listen(
                &page,
                "cut",
                true,
                self.handler(|this, event| this.copy(&event, true)),
            ),
            listen(&page, "paste", true, self.handler(StageRef::paste)),
        ]
    }

    fn copy(&self, event: &ClipboardEvent, cut: bool) {
        if !self.has_clipboard() || text_is_marked() {
            return;
        }
        let text = self.with(|stage, extras| stage.copied(extras)).flatten();
        let (Some(text), Some(data)) = (text, event.clipboard_data()) else {
            return;
        };
        if data.set_data("text/plain", &text).is_ok() {
            event.prevent_default();
            self.with(|stage, extras| {
                if cut && stage.model.may_edit() {
                    stage.model.command(Command::Delete, extras.drawing, 0.0);
                } else {
                    let count = stage.model.scene.selected_count();
                    stage.model.asks.push(Ask::Say(format!("{count} copied")));
                }
            });
        }
    }

    fn paste(&self, event: ClipboardEvent) {
        if !self.has_clipboard() {
            return;
        }
        let text = event
            .clipboard_data()
            .and_then(|data| data.get_data("text/plain").ok());
        let Some(fragment) = text.as_deref().and_then(Fragment::from_text) else {
            return;
        };
        event.prevent_default();
        self.with(|stage, _| stage.paste(fragment));
    }
}

impl Stage {
    fn copied(&self, extras: &Extras<'_>) -> Option<String> {
        if !self.model.editable || self.model.scene.selected_count() == 0 {
            return None;
        }
        let ids = &self.model.scene.ids;
        let chosen: HashSet<&str> = self
            .model
            .scene
            .selected()
            .map(|n| &*ids[n as usize])
            .collect();
        Some(Fragment::copy(extras.drawing, &chosen).to_text())
    }

    /// Below the pointer where it is over the canvas, else in the middle of it.
    fn paste(&mut self, fragment: Fragment) {
        if !self.model.may_edit() {
            return;
        }
        let pointer = self.model.pointer();
        let pane = self.model.pane;
        let over = self.pointing
            && pointer.x > 0.0
            && pointer.y > 0.0
            && pointer.x < pane.w
            && pointer.y < pane.h;
        let goal = self
            .model
            .view
            .to_canvas(if over { pointer } else { pane.centre() });
        let corner = fragment.corner().unwrap_or_default();
        let by = snapped(at(goal.x - corner.x, goal.y - corner.y));
        self.model.asks.push(Ask::Edit(Edit::Paste {
            fragment: Box::new(fragment),
            dx: by.x,
            dy: by.y,
        }));
    }
}

/// Whether a person has marked text somewhere, and means that.
fn text_is_marked() -> bool {
    let marked = document().get_selection().ok().flatten();
    marked.is_some_and(|marked| !marked.is_collapsed())
}
