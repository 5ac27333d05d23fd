//! A row of tabs, worked by arrows as well as by the pointer.

use leptos::{ev, html, prelude::*};

/// One of several views of the same thing.
pub trait Tab: Copy + PartialEq + Send + Sync + 'static {
    /// Every tab, in order.
    const ALL: &'static [Self];
    /// Its name.
    fn label(self) -> &'static str;
}

/// The tabs; what is under them is the caller's, in an element with role `tabpanel` and this id.
#[component]
pub fn TabRow<T: Tab>(
    /// The one that is open.
    open: RwSignal<T>,
    /// What the tabs are about.
    label: &'static str,
    /// Id of the panel.
    panel: &'static str,
) -> impl IntoView {
    let row = NodeRef::<html::Div>::new();
    let press = move |event: ev::KeyboardEvent| {
        let place = T::ALL
            .iter()
            .position(|tab| *tab == open.get_untracked())
            .unwrap_or(0);
        let next = match event.key().as_str() {
            "ArrowRight" => (place + 1) % T::ALL.len(),
            "ArrowLeft" => (place + T::ALL.len() - 1) % T::ALL.len(),
            "Home" => 0,
            "End" => T::ALL.len() - 1,
            _ => return,
        };
        event.prevent_default();
        open.set(T::ALL[next]);
        focus_tab(row, next);
    };
    let tabs = T::ALL
        .iter()
        .map(|tab| {
            let tab = *tab;
            let is_open = Memo::new(move |_| open.with(|open| *open == tab));
            view! {
                <button
                    type="button"
                    class="tab"
                    role="tab"
                    aria-selected=move || if is_open.get() { "true" } else { "false" }
                    aria-controls=panel
                    tabindex=move || if is_open.get() { "0" } else { "-1" }
                    on:click=move |_| open.set(tab)
                >
                    {tab.label()}
                </button>
            }
        })
        .collect_view();
    view! {
        <div class="tabs" role="tablist" aria-label=label node_ref=row on:keydown=press>
            {tabs}
        </div>
    }
}

fn focus_tab(row: NodeRef<html::Div>, place: usize) {
    use wasm_bindgen::JsCast;
    let tab = row
        .get_untracked()
        .and_then(|row| row.children().item(place as u32));
    if let Some(tab) = tab.and_then(|tab| tab.dyn_into::<web_sys::HtmlElement>().ok()) {
        // Only an element outside the page refuses the focus.
        let _focused = tab.focus();
    }
}
