//! A dialog over the page: the browser's own `<dialog>`, which keeps the focus inside, closes on Escape
//! and gives the focus back.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::{button::IconButton, icon::Glyph};

/// A dialog; its content exists only while it is open.
#[component]
pub fn Dialog(
    /// What it is about; also its name.
    #[prop(into)]
    title: Signal<String>,
    /// Whether it is open. Escape and the cross set it to false.
    open: RwSignal<bool>,
    /// Takes more room, for lists.
    #[prop(optional)]
    wide: bool,
    /// The content.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    let children = StoredValue::new(children);
    follow(node, open);
    view! {
        <dialog
            class="dialog"
            class:wide=wide
            aria-label=move || title.get()
            node_ref=node
            on:close=move |_| open.set(false)
            on:click=move |event| {
                // A press on the shade around it, which belongs to the element but not to its content.
                if event.target().is_some() && event.target() == event.current_target() {
                    open.set(false);
                }
            }
        >
            <Show when=move || open.get()>
                <div class="dialog-body">
                    <header class="dialog-head">
                        <h2>{move || title.get()}</h2>
                        <IconButton glyph=Glyph::Cross label="Close" on_press=move |()| open.set(false)/>
                    </header>
                    {children.with_value(|children| children())}
                </div>
            </Show>
        </dialog>
    }
}

/// Opens and closes the element with the signal, and focuses what is marked `data-focus`. A frame
/// later, because the content has to stand there by then.
pub(super) fn follow(node: NodeRef<html::Dialog>, open: RwSignal<bool>) {
    Effect::new(move |_| {
        let (Some(dialog), wanted) = (node.get(), open.get()) else {
            return;
        };
        request_animation_frame(move || {
            if wanted && !dialog.open() {
                // Only a dialog outside the page refuses to open; then there is nobody to see it.
                let _opened = dialog.show_modal();
                let first = dialog.query_selector("[data-focus]").ok().flatten();
                if let Some(first) = first.and_then(|first| first.dyn_into::<HtmlElement>().ok()) {
                    let _focused = first.focus();
                }
            } else if !wanted && dialog.open() {
                dialog.close();
            }
        });
    });
}
