//! The field over the middle of an edge that edits its label.

use leptos::{html, prelude::*};

use super::state::{Editor, LabelEdit};
use crate::canvas::edit::Edit;

/// The field, while a label is edited.
#[component]
pub fn LabelField(editor: Editor) -> impl IntoView {
    move || {
        editor
            .label
            .get()
            .map(|edit| view! { <Field editor edit/> })
    }
}

#[component]
fn Field(editor: Editor, edit: LabelEdit) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let first = editor.peek(|drawing| {
        let edge = drawing.edges.iter().find(|known| known.id() == edit.edge);
        edge.map(|edge| edge.label.clone()).unwrap_or_default()
    });
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            let _focused = field.focus();
            field.select();
        }
    });
    let id = StoredValue::new(edit.edge);
    let given_up = StoredValue::new(false);
    let done = move || {
        // Taken out of the page, the field loses the focus when everything else is gone already.
        let (Some(Some(field)), Some(edge), Some(given_up)) = (
            field.try_get_untracked(),
            id.try_get_value(),
            given_up.try_get_value(),
        ) else {
            return;
        };
        if !given_up {
            editor.apply(Edit::SetLabel {
                edge,
                label: field.value().trim().to_owned(),
            });
        }
        editor.label.set(None);
    };
    view! {
        <input
            class="label-field nokey"
            type="text"
            aria-label="Label of the connection"
            style=format!("transform:translate({:.0}px,{:.0}px) translate(-50%,-50%)", edit.screen.x, edit.screen.y)
            node_ref=field
            value=first
            on:blur=move |_| done()
            on:keydown=move |event| {
                let key = event.key();
                if key == "Enter" || key == "Escape" {
                    given_up.set_value(key == "Escape");
                    event.prevent_default();
                    editor.handle.with(|stage| stage.focus());
                }
            }
        />
    }
}
