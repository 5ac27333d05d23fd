//! The form of one edge.

use leptos::prelude::*;

use crate::{
    canvas::edit::Edit,
    components::{Button, ButtonLook, Field, Glyph},
    pages::editor::state::Editor,
};

/// The form of one edge.
#[component]
pub fn EdgeForm(editor: Editor, id: String) -> impl IntoView {
    let found = {
        let id = id.clone();
        Memo::new(move |_| {
            editor.drawing(|drawing| {
                let edge = drawing.edges.iter().find(|edge| edge.id() == id)?;
                let title = |id: &str| {
                    drawing
                        .node(id)
                        .map_or_else(|| id.to_owned(), |node| node.title().to_owned())
                };
                let ((from, port), (to, _)) = (edge.source(), edge.target());
                let port = if port == "out" {
                    String::new()
                } else {
                    format!(" ({port})")
                };
                Some((
                    format!("{}{port} → {}", title(from), title(to)),
                    edge.label.clone(),
                ))
            })
        })
    };
    let id = StoredValue::new(id);
    let label = move || found.get().map(|(_, label)| label).unwrap_or_default();
    view! {
        <header class="inspector-head">
            <h2>{move || found.get().map(|(name, _)| name)}</h2>
            <p class="muted">"Connection"</p>
        </header>
        <form class="form" on:submit=|event| event.prevent_default()>
            <Field id="field-label" label="Label" help="Shown on the line. It changes nothing about the run.">
                <input
                    id="field-label"
                    type="text"
                    aria-describedby="field-label-help"
                    autocomplete="off"
                    prop:value=label
                    on:input:target=move |event| drop(editor.apply(Edit::SetLabel { edge: id.get_value(), label: event.target().value() }))
                />
            </Field>
        </form>
        <div class="inspector-actions">
            <Button look=ButtonLook::Danger icon=Glyph::Trash on_press=move |()| editor.remove(Vec::new(), vec![id.get_value()])>"Delete"</Button>
        </div>
    }
}
