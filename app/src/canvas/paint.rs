//! The painter: brings the page in line with the model, once per frame and no more than is needed.
//! Nodes and edges are elements only while they are near the view; from far away they are pixels.

mod cull;
mod far;
mod minimap;
mod mount;
mod overlay;

use std::collections::HashMap;

use domain::graph::Drawing;
use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlTemplateElement};

use self::{
    cull::Culling,
    far::Far,
    mount::{Edges, Nodes},
    overlay::Overlay,
};
pub use self::{far::Colours, minimap::Minimap};
use super::{
    NodeStatus, dom,
    first_paint::empty_viewport,
    geometry::at,
    model::{Dirty, FAR_BELOW, Model},
    node_html::NodeView,
    viewport::View,
};

/// What a node shows besides what the model knows.
#[derive(Clone, Copy)]
pub struct Extras<'a> {
    /// The drawing.
    pub drawing: &'a Drawing,
    /// Errors and warnings by node id.
    pub problems: &'a HashMap<String, (u32, u32)>,
    /// States by node id, while a run is watched.
    pub statuses: Option<&'a HashMap<String, NodeStatus>>,
}

impl<'a> Extras<'a> {
    /// Everything about one node.
    pub fn view(&self, model: &'a Model, n: u32) -> Option<NodeView<'a>> {
        let node = self.drawing.nodes.get(n as usize)?;
        Some(NodeView {
            node,
            kind: model.scene.kinds[n as usize],
            rect: model.scene.rect(n),
            place: n,
            ports: model.scene.ports_out(n),
            port_in: model.scene.has_port_in(n),
            selected: model.scene.is_selected(n),
            active: model.active == Some(n),
            problems: self.problems.get(&node.id).copied().unwrap_or_default(),
            watching: !model.editable,
            status: self.statuses.and_then(|known| known.get(&node.id)),
        })
    }
}

/// The elements of one canvas.
pub struct Painter {
    root: HtmlElement,
    viewport: HtmlElement,
    dots: Option<HtmlElement>,
    nodes: Nodes,
    edges: Edges,
    overlay: Overlay,
    far: Far,
    culling: Culling,
    is_far: bool,
    promoted: bool,
    css: String,
    shown: View,
}

/// What a frame came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Painted {
    /// There is more to do in the next frame.
    pub more: bool,
}

impl Painter {
    /// Takes the canvas over from the server. `None` when the page is not what it should be.
    pub fn new(root: HtmlElement) -> Option<Self> {
        let part = |name: &str| root.query_selector(name).ok().flatten();
        let viewport: HtmlElement = part("[data-viewport]")?.dyn_into().ok()?;
        viewport.set_inner_html(&empty_viewport());
        for name in ["left", "top"] {
            let _removed = viewport.style().remove_property(name);
        }
        let template: HtmlTemplateElement = document()
            .create_element("template")
            .ok()?
            .dyn_into()
            .ok()?;
        let edges = part("[data-part=edges]")?;
        Some(Self {
            dots: part(".canvas-dots").and_then(|dots| dots.dyn_into().ok()),
            nodes: Nodes::new(part("[data-part=nodes]")?, template),
            edges: Edges::new(edges, part("[data-part=labels]")?),
            overlay: Overlay::new(root.clone(), &viewport),
            far: Far::new(&root)?,
            culling: Culling::default(),
            is_far: false,
            promoted: false,
            css: String::new(),
            shown: View {
                x: f64::NAN,
                y: 0.0,
                z: 0.0,
            },
            viewport,
            root,
        })
    }

    /// Brings the page in line. `now_ms` is the time of the frame.
    pub fn paint(&mut self, model: &mut Model, extras: &Extras<'_>, now_ms: f64) -> Painted {
        if model.pane.w <= 0.0 {
            return Painted::default();
        }
        if model.dirty.view || model.dirty.all {
            let seen = self.culling.count(model);
            model.decide_lod(seen);
        }
        let dirty = std::mem::take(&mut model.dirty);
        if model.far() != self.is_far {
            self.is_far = model.far();
            dom::attribute(
                &self.root,
                "data-lod",
                if self.is_far { "far" } else { "near" },
            );
            self.nodes.clear();
            self.edges.clear();
            self.far.show(self.is_far);
        }
        if dirty.chrome {
            dom::attribute(
                &self.root,
                "data-locked",
                if model.locked { "true" } else { "false" },
            );
        }
        let mut more = if self.is_far {
            self.far.paint(model, extras, &dirty, now_ms)
        } else {
            self.near(model, extras, &dirty)
        };
        self.overlay.paint(model, &dirty);
        self.view(model.view);
        more |= self.promote(model, now_ms);
        Painted { more }
    }

    fn near(&mut self, model: &mut Model, extras: &Extras<'_>, dirty: &Dirty) -> bool {
        if dirty.all {
            self.nodes.renumber(model);
            self.edges.renumber();
        }
        self.nodes.place(model, &dirty.moved);
        self.edges.follow(model, &dirty.moved);
        let must = dirty.all || !dirty.moved.is_empty() || !dirty.edges.is_empty();
        let more = self
            .culling
            .cull(model, extras, &mut self.nodes, &mut self.edges, must);
        if dirty.all {
            self.nodes.refresh_all(model, extras);
            self.edges.refresh_all(model, extras);
        }
        self.nodes.refresh(model, extras, &dirty.content);
        self.edges.refresh(model, extras, &dirty.edges);
        self.nodes.select(model, &dirty.selected);
        self.edges.select(model, &dirty.selected_edges);
        for n in &dirty.status {
            self.nodes.status(model, extras, *n);
            self.edges.status(model, extras, *n);
        }
        if dirty.legal || (more && model.wire.is_some()) {
            self.nodes.legal(model);
        }
        if dirty.active || dirty.all {
            self.nodes.activate(model.active);
        }
        more
    }

    /// One transform on one element; the dots follow in steps of their own distance.
    fn view(&mut self, view: View) {
        if view == self.shown {
            return;
        }
        view.write_css(&mut self.css);
        dom::style(&self.viewport, "transform", &self.css);
        let Some(dots) = &self.dots else {
            self.shown = view;
            return;
        };
        // As many dots as the eye can bear: they double their distance when they come too close.
        let mut gap = super::geometry::GRID * view.z;
        while gap < 14.0 {
            gap *= 2.0;
        }
        if view.z != self.shown.z {
            dom::style(dots, "background-size", &format!("{gap:.3}px {gap:.3}px"));
        }
        let (x, y) = (view.x.rem_euclid(gap) - gap, view.y.rem_euclid(gap) - gap);
        dom::style(dots, "transform", &format!("translate({x:.2}px,{y:.2}px)"));
        self.shown = view;
    }

    /// While something moves, the viewport is a layer of its own; afterwards it is drawn anew, sharp.
    fn promote(&mut self, model: &Model, now_ms: f64) -> bool {
        let wanted = model.busy() || model.wheeled_within(now_ms, 150.0);
        if wanted != self.promoted {
            self.promoted = wanted;
            for layer in [Some(&self.viewport), self.dots.as_ref()]
                .into_iter()
                .flatten()
            {
                if wanted {
                    dom::style(layer, "will-change", "transform");
                } else {
                    let _removed = layer.style().remove_property("will-change");
                }
            }
        }
        // Ask for frames until the wheel has come to rest.
        wanted && !model.busy()
    }

    /// The theme has changed: pixels have to be painted in other colours.
    pub fn recolour(&mut self) {
        self.far.recolour(&self.root);
    }

    /// Moves the keyboard's focus to a node, or to the canvas when the node is not laid out.
    pub fn focus(&self, n: u32) {
        let element: Option<&HtmlElement> = self.nodes.get(n);
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        let _focused = element.unwrap_or(&self.root).focus_with_options(&options);
    }

    /// Lets dots run along edges: what one step made has just gone to the next.
    pub fn pulse(&mut self, model: &Model, edges: &[u32]) {
        if !self.is_far && !model.still {
            self.edges.pulse(model, edges);
        }
    }

    /// Where the middle of an edge is on screen, for the field that edits its label.
    pub fn edge_middle(&self, model: &Model, edge: u32) -> Option<super::geometry::Point> {
        let middle = model.scene.curve(edge)?.middle();
        Some(model.view.to_screen(at(middle.x, middle.y)))
    }
}

/// A zoom at which the far picture is drawn with straight lines.
pub(crate) const STRAIGHT_BELOW: f64 = FAR_BELOW * 0.7;

/// The children of an element that were added behind `last`.
pub(crate) fn children_after(parent: &Element, last: Option<Element>) -> Vec<Element> {
    let mut next = match last {
        Some(last) => last.next_element_sibling(),
        None => parent.first_element_child(),
    };
    let mut found = Vec::new();
    while let Some(element) = next {
        next = element.next_element_sibling();
        found.push(element);
    }
    found
}
