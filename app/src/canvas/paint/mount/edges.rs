//! Elements of edges and of their labels.

use std::collections::HashMap;

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use crate::canvas::{
    dom,
    edge_html::{EdgeView, edge_html, label_html, write_hit, write_label_style},
    geometry::Rect,
    model::Model,
    paint::{Extras, children_after},
};

/// The edges that are elements.
pub struct Edges {
    lines: Element,
    labels: Element,
    slots: HashMap<u32, Mounted>,
    /// Elements whose edges have new numbers, by name, until they are found again.
    kept: HashMap<String, Mounted>,
    /// Edges that have been redrawn in this frame, so that none is drawn twice.
    done: Vec<u32>,
    text: String,
}

struct Mounted {
    group: Element,
    hit: Element,
    line: Element,
    label: Option<HtmlElement>,
    id: String,
}

impl Mounted {
    fn remove(&self) {
        self.group.remove();
        if let Some(label) = &self.label {
            label.remove();
        }
    }
}

impl Edges {
    /// None yet.
    pub fn new(lines: Element, labels: Element) -> Self {
        Self {
            lines,
            labels,
            slots: HashMap::new(),
            kept: HashMap::new(),
            done: Vec::new(),
            text: String::new(),
        }
    }

    /// Whether an edge is an element.
    pub fn has(&self, e: u32) -> bool {
        self.slots.contains_key(&e)
    }

    /// Removes all of them.
    pub fn clear(&mut self) {
        for mounted in self.slots.values().chain(self.kept.values()) {
            mounted.remove();
        }
        self.slots.clear();
        self.kept.clear();
        self.labels.set_inner_html("");
    }

    /// Edges have new numbers: elements are kept by name until `mount` asks for them.
    pub fn renumber(&mut self) {
        for (_, mounted) in self.slots.drain() {
            if let Some(twin) = self.kept.insert(mounted.id.clone(), mounted) {
                twin.remove();
            }
        }
    }

    /// Makes elements of these edges.
    pub fn mount(&mut self, model: &Model, extras: &Extras<'_>, wanted: &[u32]) {
        let mut fresh = Vec::new();
        self.text.clear();
        for e in wanted {
            let Some(edge) = extras.drawing.edges.get(*e as usize) else {
                continue;
            };
            let id = edge.id();
            if let Some(mounted) = self.kept.remove(&id) {
                self.slots.insert(*e, mounted);
                continue;
            }
            let Some(curve) = model.scene.curve(*e) else {
                continue;
            };
            let view = EdgeView {
                id: &id,
                curve,
                selected: model.scene.is_edge_selected(*e),
                broken: model.scene.is_broken(*e),
                label: &edge.label,
                status: status_of(extras, edge.source().0),
            };
            edge_html(&view, &mut self.text);
            fresh.push((*e, id));
        }
        for (_, mounted) in self.kept.drain() {
            mounted.remove();
        }
        if fresh.is_empty() {
            return;
        }
        let last = self.lines.last_element_child();
        let _inserted = self.lines.insert_adjacent_html("beforeend", &self.text);
        for ((e, id), group) in fresh.into_iter().zip(children_after(&self.lines, last)) {
            let (Some(hit), Some(line)) = (group.first_element_child(), group.last_element_child())
            else {
                continue;
            };
            self.slots.insert(
                e,
                Mounted {
                    group,
                    hit,
                    line,
                    label: None,
                    id,
                },
            );
            self.label(model, extras, e);
        }
    }

    fn label(&mut self, model: &Model, extras: &Extras<'_>, e: u32) {
        let (Some(edge), Some(curve)) =
            (extras.drawing.edges.get(e as usize), model.scene.curve(e))
        else {
            return;
        };
        let Some(mounted) = self.slots.get_mut(&e) else {
            return;
        };
        if let Some(label) = mounted.label.take() {
            label.remove();
        }
        if edge.label.is_empty() {
            return;
        }
        self.text.clear();
        let view = EdgeView {
            id: &mounted.id,
            curve,
            selected: false,
            broken: false,
            label: &edge.label,
            status: "",
        };
        label_html(&view, &mut self.text);
        let _inserted = self.labels.insert_adjacent_html("beforeend", &self.text);
        mounted.label = self
            .labels
            .last_element_child()
            .and_then(|label| label.dyn_into().ok());
    }

    /// Removes elements of edges outside of `area`.
    pub fn unmount_outside(&mut self, model: &Model, area: Rect) {
        self.slots.retain(|e, mounted| {
            let near = model.scene.edge_rect(*e).touches(area);
            if !near {
                mounted.remove();
            }
            near
        });
    }

    /// Draws the edges of moved nodes where they are now.
    pub fn follow(&mut self, model: &Model, moved: &[u32]) {
        self.done.clear();
        for n in moved {
            for e in model.scene.edges_of(*n) {
                if self.slots.contains_key(e) {
                    self.done.push(*e);
                }
            }
        }
        self.done.sort_unstable();
        self.done.dedup();
        let edges = std::mem::take(&mut self.done);
        for e in &edges {
            self.draw(model, *e);
        }
        self.done = edges;
    }

    fn draw(&mut self, model: &Model, e: u32) {
        let (Some(mounted), Some(curve)) = (self.slots.get(&e), model.scene.curve(e)) else {
            return;
        };
        self.text.clear();
        curve.write_svg(&mut self.text);
        dom::attribute(&mounted.line, "d", &self.text);
        self.text.clear();
        write_hit(curve, &mut self.text);
        dom::attribute(&mounted.hit, "d", &self.text);
        if let Some(label) = &mounted.label {
            self.text.clear();
            write_label_style(curve.middle(), &mut self.text);
            dom::attribute(label, "style", &self.text);
        }
    }

    /// Everything that is laid out may have changed.
    pub fn refresh_all(&mut self, model: &Model, extras: &Extras<'_>) {
        let list: Vec<u32> = self.slots.keys().copied().collect();
        self.refresh(model, extras, &list);
    }

    /// These edges have other ends or labels.
    pub fn refresh(&mut self, model: &Model, extras: &Extras<'_>, changed: &[u32]) {
        for e in changed {
            let Some(edge) = extras.drawing.edges.get(*e as usize) else {
                continue;
            };
            let Some(mounted) = self.slots.get_mut(e) else {
                continue;
            };
            mounted.id = edge.id();
            dom::attribute(&mounted.group, "data-edge-id", &mounted.id);
            let broken = if model.scene.is_broken(*e) {
                "true"
            } else {
                "false"
            };
            dom::attribute(&mounted.group, "data-broken", broken);
            let on = if model.scene.is_edge_selected(*e) {
                "true"
            } else {
                "false"
            };
            dom::attribute(&mounted.group, "data-selected", on);
            dom::attribute(
                &mounted.group,
                "data-status",
                status_of(extras, edge.source().0),
            );
            let shown = mounted
                .label
                .as_ref()
                .and_then(|label| label.text_content());
            if shown.unwrap_or_default() != edge.label {
                self.label(model, extras, *e);
            }
            self.draw(model, *e);
        }
    }

    /// Selected or not.
    pub fn select(&mut self, model: &Model, changed: &[u32]) {
        for e in changed {
            if let Some(mounted) = self.slots.get(e) {
                let on = if model.scene.is_edge_selected(*e) {
                    "true"
                } else {
                    "false"
                };
                dom::attribute(&mounted.group, "data-selected", on);
            }
        }
    }

    /// The state of the step that these edges start at.
    pub fn status(&mut self, model: &Model, extras: &Extras<'_>, n: u32) {
        let status = status_of(extras, &model.scene.ids[n as usize]);
        for e in model.scene.edges_of(n) {
            if model.scene.ends(*e).0 == n
                && let Some(mounted) = self.slots.get(e)
            {
                dom::attribute(&mounted.group, "data-status", status);
            }
        }
    }

    /// A dot runs along each of these edges once.
    pub fn pulse(&mut self, model: &Model, edges: &[u32]) {
        for e in edges {
            let (true, Some(curve)) = (self.slots.contains_key(e), model.scene.curve(*e)) else {
                continue;
            };
            let Ok(dot) = document().create_element("i") else {
                continue;
            };
            dot.set_class_name("edge-dot");
            self.text.clear();
            self.text.push_str("offset-path:path(\"");
            curve.write_svg(&mut self.text);
            self.text.push_str("\")");
            dom::attribute(&dot, "style", &self.text);
            let _appended = self.labels.append_child(&dot);
        }
    }
}

fn status_of<'a>(extras: &Extras<'a>, node: &str) -> &'a str {
    extras
        .statuses
        .and_then(|known| known.get(node))
        .map_or("", |status| &status.status)
}
