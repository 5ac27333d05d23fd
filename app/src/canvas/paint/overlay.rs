//! What exists only while a gesture lasts: the wire, the box, and the reason why a wire cannot end where
//! it is.

use std::time::Duration;

use leptos::prelude::{document, set_timeout};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use crate::canvas::{
    dom,
    model::{Dirty, Model, WireBy},
};

/// How long a reason can be read after the wire has been let go.
const LEAVES_AFTER: Duration = Duration::from_secs(2);

const SVG: &str = "http://www.w3.org/2000/svg";

/// The elements of a gesture.
pub struct Overlay {
    root: HtmlElement,
    lines: Option<Element>,
    wire: Option<Element>,
    target: Option<Element>,
    box_: Option<HtmlElement>,
    hint: Option<HtmlElement>,
}

impl Overlay {
    /// Nothing yet.
    pub fn new(root: HtmlElement, viewport: &HtmlElement) -> Self {
        let lines = document().create_element_ns(Some(SVG), "svg").ok();
        if let Some(lines) = &lines {
            dom::attribute(lines, "class", "wires");
            dom::attribute(lines, "aria-hidden", "true");
            let _appended = viewport.append_child(lines);
        }
        Self {
            root,
            lines,
            wire: None,
            target: None,
            box_: None,
            hint: None,
        }
    }

    /// One frame.
    pub fn paint(&mut self, model: &Model, dirty: &Dirty) {
        if !dirty.overlay {
            return;
        }
        self.paint_wire(model);
        self.paint_hint(model);
        self.paint_box(model);
        let drawing = if model.wire.is_some() {
            "true"
        } else {
            "false"
        };
        dom::attribute(&self.root, "data-connecting", drawing);
    }

    fn paint_wire(&mut self, model: &Model) {
        let (Some(curve), Some(wire)) = (model.wire_curve(), &model.wire) else {
            for gone in [self.wire.take(), self.target.take()].into_iter().flatten() {
                gone.remove();
            }
            return;
        };
        if self.wire.is_none() {
            self.wire = self.make_svg("path", "wire");
            if let Some(element) = &self.wire {
                dom::attribute(element, "data-connection-line", "");
            }
        }
        let state = match (&wire.target, &wire.refusal) {
            (None, _) => "open",
            (Some(_), None) => "legal",
            (Some(_), Some(_)) => "refused",
        };
        if let Some(element) = &self.wire {
            let mut path = String::new();
            curve.write_svg(&mut path);
            dom::attribute(element, "d", &path);
            dom::attribute(element, "data-state", state);
        }
        match wire.target.map(|target| model.scene.port_place(target)) {
            Some(place) => {
                if self.target.is_none() {
                    self.target = self.make_svg("circle", "wire-target");
                }
                if let Some(ring) = &self.target {
                    dom::attribute(ring, "cx", &place.x.to_string());
                    dom::attribute(ring, "cy", &place.y.to_string());
                    dom::attribute(ring, "r", "9");
                    dom::attribute(ring, "data-state", state);
                }
            }
            None => {
                if let Some(gone) = self.target.take() {
                    gone.remove();
                }
            }
        }
    }

    fn paint_hint(&mut self, model: &Model) {
        let reason = model.wire.as_ref().and_then(|wire| wire.refusal.as_deref());
        let Some((reason, wire)) = reason.zip(model.wire.as_ref()) else {
            match self.hint.take() {
                // Let go where it cannot end: the reason stays for a moment.
                Some(hint) if model.wire.is_none() && hint.is_connected() => {
                    dom::attribute(&hint, "data-leaving", "true");
                    set_timeout(move || hint.remove(), LEAVES_AFTER);
                }
                Some(hint) => hint.remove(),
                None => {}
            }
            return;
        };
        if self.hint.is_none() {
            if let Ok(Some(old)) = self.root.query_selector(".canvas-hint") {
                old.remove();
            }
            self.hint = self.make("canvas-hint");
        }
        if let Some(hint) = &self.hint {
            if hint.text_content().as_deref() != Some(reason) {
                hint.set_text_content(Some(reason));
            }
            let place = match wire.by {
                WireBy::Keys => model.view.to_screen(wire.loose),
                WireBy::Drag | WireBy::Click => model.pointer(),
            };
            // Towards the middle of the pane, so that it is never cut off.
            let left = place.x > model.pane.w * 0.6;
            let (dx, shift) = if left { (-14.0, "-100%") } else { (14.0, "0") };
            let (x, y) = (place.x + dx, place.y + 14.0);
            dom::style(
                hint,
                "transform",
                &format!("translate({x:.0}px,{y:.0}px) translateX({shift})"),
            );
        }
    }

    fn paint_box(&mut self, model: &Model) {
        let Some(area) = model.box_ else {
            if let Some(gone) = self.box_.take() {
                gone.remove();
            }
            return;
        };
        if self.box_.is_none() {
            self.box_ = self.make("canvas-box");
            if let Some(element) = &self.box_ {
                dom::attribute(element, "data-selection-box", "");
            }
        }
        if let Some(element) = &self.box_ {
            dom::style(
                element,
                "transform",
                &format!("translate({:.1}px,{:.1}px)", area.x, area.y),
            );
            dom::style(element, "width", &format!("{:.1}px", area.w));
            dom::style(element, "height", &format!("{:.1}px", area.h));
        }
    }

    fn make(&self, class: &str) -> Option<HtmlElement> {
        let element: HtmlElement = document().create_element("div").ok()?.dyn_into().ok()?;
        element.set_class_name(class);
        self.root.append_child(&element).ok()?;
        Some(element)
    }

    fn make_svg(&self, name: &str, class: &str) -> Option<Element> {
        let element = document().create_element_ns(Some(SVG), name).ok()?;
        dom::attribute(&element, "class", class);
        self.lines.as_ref()?.append_child(&element).ok()?;
        Some(element)
    }
}
