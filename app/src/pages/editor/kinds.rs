//! What can be added: a press adds it in the middle of the view, a drag puts it in its place.

use domain::kind::Kind;
use leptos::{ev::PointerEvent, prelude::*};
use wasm_bindgen::JsCast;

use super::state::{Editor, size_of_new};
use crate::canvas::{
    geometry::{HEAD_PORT_Y, Point, at},
    model::snapped,
    node_html::kind_glyph,
};

/// A press that has moved this far is a drag.
const THRESHOLD: f64 = 5.0;

/// A kind under way from the palette to the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Carried {
    kind: Kind,
    start: Point,
    now: Point,
    moved: bool,
}

/// The palette at the left edge.
#[component]
pub fn Kinds(editor: Editor) -> impl IntoView {
    let carried = RwSignal::new(None::<Carried>);
    // A drag ends with a click on the button it began at; that one adds nothing.
    let dropped = StoredValue::new(false);
    let down = move |event: PointerEvent, kind: Kind| {
        if event.button() != 0 || editor.locked.get_untracked() {
            return;
        }
        dropped.set_value(false);
        let start = client(&event);
        carried.set(Some(Carried {
            kind,
            start,
            now: start,
            moved: false,
        }));
        if let Some(button) = event
            .current_target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        {
            // Without capture the drag ends where the button does.
            let _captured = button.set_pointer_capture(event.pointer_id());
        }
    };
    let moved = move |event: PointerEvent| {
        let now = client(&event);
        if carried.with_untracked(Option::is_some) {
            carried.update(|carried| {
                if let Some(carried) = carried {
                    carried.now = now;
                    carried.moved |= carried.start.distance(now) > THRESHOLD;
                }
            });
        }
    };
    let up = move |event: PointerEvent| {
        let Some(done) = carried.get_untracked() else {
            return;
        };
        carried.set(None);
        if done.moved {
            dropped.set_value(true);
            drop_at(editor, done.kind, client(&event));
        }
    };
    let buttons = Kind::ALL.map(|kind| {
        view! {
            <li>
                <button
                    class="kind"
                    type="button"
                    data-kind-add=kind.name()
                    title=kind.summary()
                    aria-label=format!("Add {}", kind.label().to_lowercase())
                    disabled=move || editor.locked.get()
                    on:pointerdown=move |event| down(event, kind)
                    on:pointermove=moved
                    on:pointerup=up
                    on:pointercancel=move |_| carried.set(None)
                    on:click=move |_| {
                        if !dropped.get_value() {
                            editor.add_anywhere(kind);
                        }
                        dropped.set_value(false);
                    }
                >
                    <svg class="kind-glyph" viewBox="0 0 16 16" aria-hidden="true" inner_html=kind_glyph(Some(kind))></svg>
                    <span>{kind.label()}</span>
                </button>
            </li>
        }
    });
    view! {
        <nav class="kinds" aria-label="Add a step">
            <ul>{buttons}</ul>
            {move || {
                carried.get().filter(|carried| carried.moved).map(|carried| view! { <Ghost editor carried/> })
            }}
        </nav>
    }
}

/// What is carried, as large as it will be.
#[component]
fn Ghost(editor: Editor, carried: Carried) -> impl IntoView {
    let zoom = editor.handle.zoom.get_untracked();
    let (w, h) = size_of_new(carried.kind);
    let style = format!(
        "transform:translate({}px,{}px);width:{}px;height:{}px",
        carried.now.x - w * zoom / 2.0,
        carried.now.y - HEAD_PORT_Y * zoom,
        w * zoom,
        h * zoom
    );
    view! { <div class="kind-ghost" style=style>{carried.kind.label()}</div> }
}

fn drop_at(editor: Editor, kind: Kind, client: Point) {
    let place = editor
        .handle
        .with(|stage| {
            stage
                .over(client)
                .map(|screen| stage.model.view.to_canvas(screen))
        })
        .flatten();
    if let Some(place) = place {
        let (w, _) = size_of_new(kind);
        editor.add(
            kind,
            snapped(at(place.x - w / 2.0, place.y - HEAD_PORT_Y)),
            None,
            None,
        );
        editor.handle.with(|stage| stage.focus());
    }
}

fn client(event: &PointerEvent) -> Point {
    at(f64::from(event.client_x()), f64::from(event.client_y()))
}
