//! Buttons around a canvas: zoom and the small map. The editor adds its own.

use leptos::prelude::*;

use super::{dom::now_ms, stage::CanvasHandle, viewport::ZOOM_STEP};
use crate::components::icon::{Glyph, Icon};

/// A button that tests and people find by what it controls.
#[component]
pub fn Control(
    /// What it controls; the value of `data-control`.
    name: &'static str,
    /// What it is called.
    label: &'static str,
    /// What is shown about it: what it would do now, and its key.
    #[prop(into)]
    title: Signal<String>,
    /// Its picture.
    #[prop(into)]
    glyph: Signal<Glyph>,
    /// Cannot be pressed now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Whether it is on, where it can be on or off.
    #[prop(optional)]
    pressed: Option<Signal<bool>>,
    /// Pressed.
    #[prop(into)]
    on_press: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            class="control"
            type="button"
            data-control=name
            aria-label=label
            title=move || title.get()
            disabled=move || disabled.get()
            aria-pressed=move || pressed.map(|on| if on.get() { "true" } else { "false" })
            on:click=move |_| on_press.run(())
        >
            <Icon glyph/>
        </button>
    }
}

/// Nearer, farther, everything, and the small map.
#[component]
pub fn ZoomControls(
    /// The canvas.
    handle: CanvasHandle,
    /// Whether the small map is shown.
    minimap: RwSignal<bool>,
) -> impl IntoView {
    let zoom = handle.zoom;
    let by = move |factor: f64| {
        handle.with(|stage| stage.model.zoom_by(factor, now_ms()));
    };
    let reset = move || {
        handle.with(|stage| stage.model.zoom_reset(now_ms()));
    };
    let fit = move |()| {
        handle.with(|stage| stage.model.fit(now_ms()));
    };
    Effect::new(move |_| {
        let on = minimap.get();
        handle.with(|stage| stage.show_minimap(on));
    });
    view! {
        <div class="controls" role="group" aria-label="Zoom">
            <Control name="zoom-out" label="Zoom out" title="Zoom out (−)" glyph=Glyph::Minus on_press=move |()| by(1.0 / ZOOM_STEP)/>
            <button
                class="control zoom"
                type="button"
                data-control="zoom-reset"
                title="Life size (0)"
                on:click=move |_| reset()
            >
                {move || format!("{:.0} %", zoom.get() * 100.0)}
            </button>
            <Control name="zoom-in" label="Zoom in" title="Zoom in (+)" glyph=Glyph::Plus on_press=move |()| by(ZOOM_STEP)/>
            <Control name="fit" label="Show everything" title="Show everything (1)" glyph=Glyph::Fit on_press=fit/>
            <Control
                name="minimap"
                label="Small map"
                title="Small map (m)"
                glyph=Glyph::Map
                pressed=minimap.into()
                on_press=move |()| minimap.update(|on| *on = !*on)
            />
        </div>
    }
}
