//! What the canvas asks, and what the editor makes of it.

use leptos::prelude::*;

use super::{Editor, LabelEdit, Offer};
use crate::canvas::{edit::Edit, model::Ask};

impl Editor {
    /// Does what the canvas asks.
    pub fn answer(self, ask: Ask) {
        match ask {
            Ask::Edit(Edit::Paste { fragment, dx, dy }) => self.paste(*fragment, dx, dy),
            Ask::Edit(edit) => drop(self.apply(edit)),
            Ask::Selection => self.read_selection(),
            Ask::Palette {
                screen,
                place,
                from,
                to,
            } => {
                self.offer.set(Some(Offer {
                    screen,
                    place,
                    from,
                    to,
                }));
            }
            Ask::Say(text) => self.said.set(text),
            // Everybody else sees it where the wire ended.
            Ask::Refused(reason) => self.said.set(reason),
            Ask::Label(e) => self.edit_label(e),
            Ask::Rename(n) => {
                let id = self
                    .handle
                    .with(|stage| stage.model.scene.ids[n as usize].to_string());
                if let Some(id) = id {
                    self.jump(&id, Some("title"));
                }
            }
            Ask::Undo => self.undo(),
            Ask::Redo => self.redo(),
            Ask::Duplicate => self.duplicate(),
            Ask::ToggleDisabled => self.toggle_disabled(),
            Ask::Tidy => self.tidy(),
            Ask::ToggleMinimap => self.minimap.update(|on| *on = !*on),
            Ask::ToggleTool => self.toggle_tool(),
            // The canvas sees to this itself.
            Ask::Focus(_) => {}
        }
    }

    fn edit_label(self, e: u32) {
        let edit = self.handle.look(|stage, extras| {
            let edge = extras.drawing.edges.get(e as usize)?.id();
            Some(LabelEdit {
                edge,
                screen: stage.edge_middle(e)?,
            })
        });
        self.label.set(edit.flatten());
    }
}
