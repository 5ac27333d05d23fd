//! What can be added, searched at the pointer: type a few letters, Enter adds it. With a wire in the
//! hand only what the wire can lead to, and the wire is connected.

use domain::kind::Kind;
use leptos::{ev::KeyboardEvent, html, prelude::*};

use super::state::{Editor, Offer};
use crate::canvas::node_html::kind_glyph;

/// The list is never wider or taller than this; it must fit into the pane.
const SIZE: (f64, f64) = (260.0, 300.0);

/// Kinds that fit the offer and the text, best first.
fn matching(text: &str, offer: &Offer) -> Vec<Kind> {
    let fits = |kind: &Kind| {
        let wired = offer.from.is_some() || offer.to.is_some();
        !wired || kind.runs()
    };
    let text = text.trim().to_lowercase();
    let rank = |kind: &Kind| {
        let (label, name) = (kind.label().to_lowercase(), kind.name());
        if label.starts_with(&text) || name.starts_with(&text) {
            Some(0)
        } else if label.contains(&text) {
            Some(1)
        } else if kind.summary().to_lowercase().contains(&text) {
            Some(2)
        } else {
            None
        }
    };
    let mut found: Vec<(usize, Kind)> = Kind::ALL
        .into_iter()
        .filter(fits)
        .filter_map(|kind| Some((rank(&kind)?, kind)))
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, kind)| kind).collect()
}

/// The search, while something is offered.
#[component]
pub fn AddSearch(editor: Editor) -> impl IntoView {
    move || {
        editor
            .offer
            .get()
            .map(|offer| view! { <Search editor offer/> })
    }
}

#[component]
fn Search(editor: Editor, offer: Offer) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let text = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let pane = editor
        .handle
        .with(|stage| stage.model.pane)
        .unwrap_or_default();
    let x = offer.screen.x.min(pane.w - SIZE.0 - 8.0).max(8.0);
    let y = offer.screen.y.min(pane.h - SIZE.1 - 8.0).max(8.0);
    let found = {
        let offer = offer.clone();
        Memo::new(move |_| matching(&text.get(), &offer))
    };
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            let _focused = field.focus();
        }
    });
    let close = move || {
        editor.offer.set(None);
        editor.handle.with(|stage| stage.focus());
    };
    let offer = StoredValue::new(offer);
    let choose = move |kind: Kind| {
        close();
        editor.accept(offer.get_value(), kind);
    };
    let key = move |event: KeyboardEvent| {
        let count = found.with(Vec::len).max(1);
        match event.key().as_str() {
            "ArrowDown" => at.update(|at| *at = (*at + 1) % count),
            "ArrowUp" => at.update(|at| *at = (*at + count - 1) % count),
            "Enter" => {
                if let Some(kind) = found.with(|found| found.get(at.get_untracked()).copied()) {
                    choose(kind);
                }
            }
            "Escape" | "Tab" => close(),
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let option = move |(place, kind): (usize, Kind)| {
        view! {
            <li
                id=format!("add-{}", kind.name())
                class="add-option"
                role="option"
                aria-selected=move || if at.get() == place { "true" } else { "false" }
                on:pointermove=move |_| at.set(place)
                on:pointerdown=move |event| {
                    event.prevent_default();
                    choose(kind);
                }
            >
                <svg class="kind-glyph" viewBox="0 0 16 16" aria-hidden="true" inner_html=kind_glyph(Some(kind))></svg>
                <span class="add-name">{kind.label()}</span>
                <span class="muted">{kind.summary()}</span>
            </li>
        }
    };
    view! {
        <div class="add-search nokey" style=format!("transform:translate({x:.0}px,{y:.0}px)") on:focusout=move |_| drop(editor.offer.try_set(None))>
            <input
                type="text"
                role="combobox"
                aria-label="Add a step"
                aria-expanded="true"
                aria-controls="add-options"
                aria-activedescendant=move || found.with(|found| found.get(at.get()).map(|kind| format!("add-{}", kind.name())))
                autocomplete="off"
                placeholder="Add a step"
                node_ref=field
                prop:value=move || text.get()
                on:input:target=move |event| {
                    text.set(event.target().value());
                    at.set(0);
                }
                on:keydown=key
            />
            <ul id="add-options" role="listbox" aria-label="Steps">
                {move || found.get().into_iter().enumerate().map(option).collect_view()}
            </ul>
            <Show when=move || found.with(Vec::is_empty)>
                <p class="add-none muted">"No such step"</p>
            </Show>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::{edit::PortRef, geometry::at};

    fn offer(wired: bool) -> Offer {
        let from = wired.then(|| PortRef {
            node: "a".into(),
            port: "out".into(),
        });
        Offer {
            screen: at(0.0, 0.0),
            place: at(0.0, 0.0),
            from,
            to: None,
        }
    }

    #[test]
    fn names_count_before_what_they_do() {
        assert_eq!(matching("", &offer(false)), Kind::ALL);
        assert_eq!(matching("out", &offer(false)), [Kind::Output]);
        assert_eq!(matching("br", &offer(false)), [Kind::Branch]);
        assert_eq!(matching("model", &offer(false)), [Kind::Agent]);
        assert!(matching("zzz", &offer(false)).is_empty());
    }

    #[test]
    fn a_wire_leads_to_nothing_that_never_runs() {
        assert!(!matching("", &offer(true)).contains(&Kind::Note));
    }
}
