//! Elements of nodes: made many at a time from markup, changed one property at a time.

use std::{collections::HashMap, sync::Arc};

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlTemplateElement};

use crate::canvas::{
    dom,
    geometry::Rect,
    model::Model,
    node_html::{
        ATTRIBUTES, node_html, node_inner, write_label, write_state, write_style, z_index,
    },
    paint::Extras,
};

/// Selected nodes stay laid out wherever they are, unless there are more than this.
const MOST_PINNED: usize = 50;

/// The nodes that are elements.
pub struct Nodes {
    parent: Element,
    template: HtmlTemplateElement,
    slots: Vec<Option<Mounted>>,
    list: Vec<u32>,
    text: String,
}

struct Mounted {
    element: HtmlElement,
    id: Arc<str>,
    /// What stands inside, to leave it alone when nothing has changed.
    inner: String,
}

impl Nodes {
    /// None yet.
    pub fn new(parent: Element, template: HtmlTemplateElement) -> Self {
        Self {
            parent,
            template,
            slots: Vec::new(),
            list: Vec::new(),
            text: String::new(),
        }
    }

    /// Whether a node is an element.
    pub fn has(&self, n: u32) -> bool {
        self.slots.get(n as usize).is_some_and(Option::is_some)
    }

    /// The element of a node.
    pub fn get(&self, n: u32) -> Option<&HtmlElement> {
        Some(&self.slots.get(n as usize)?.as_ref()?.element)
    }

    /// Removes all of them.
    pub fn clear(&mut self) {
        self.parent.set_inner_html("");
        self.slots.clear();
        self.list.clear();
    }

    /// Nodes have new numbers: elements keep their ids.
    pub fn renumber(&mut self, model: &Model) {
        let mut known: HashMap<Arc<str>, Mounted> = HashMap::new();
        for mounted in std::mem::take(&mut self.slots).into_iter().flatten() {
            if let Some(twin) = known.insert(mounted.id.clone(), mounted) {
                twin.element.remove();
            }
        }
        self.list.clear();
        self.slots.resize_with(model.scene.nodes(), || None);
        for (id, mounted) in known {
            match model.scene.find(&id) {
                Some(n) => {
                    self.slots[n as usize] = Some(mounted);
                    self.list.push(n);
                }
                None => mounted.element.remove(),
            }
        }
    }

    /// Makes elements of these nodes.
    pub fn mount(&mut self, model: &Model, extras: &Extras<'_>, wanted: &[u32]) {
        if wanted.is_empty() {
            return;
        }
        self.slots.resize_with(model.scene.nodes(), || None);
        self.text.clear();
        let mut made = Vec::with_capacity(wanted.len());
        for n in wanted {
            if let Some(view) = extras.view(model, *n) {
                node_html(&view, &mut self.text);
                made.push(*n);
            }
        }
        self.template.set_inner_html(&self.text);
        let content = self.template.content();
        let mut next = content.first_element_child();
        for n in made {
            let Some(element) = next else {
                break;
            };
            next = element.next_element_sibling();
            let Ok(element) = element.dyn_into::<HtmlElement>() else {
                continue;
            };
            if model
                .wire
                .as_ref()
                .is_some_and(|wire| !wire.legal(n) && wire.node() != n)
            {
                dom::attribute(&element, "data-legal", "no");
            }
            let id = model.scene.ids[n as usize].clone();
            let inner = inner_of(model, extras, n);
            self.slots[n as usize] = Some(Mounted { element, id, inner });
            self.list.push(n);
        }
        let _appended = self.parent.append_child(&content);
    }

    /// Removes elements outside of `area`, but those that somebody is busy with.
    pub fn unmount_outside(&mut self, model: &Model, area: Rect) {
        let focused = document().active_element();
        let pin_selected = model.scene.selected_count() <= MOST_PINNED;
        let slots = &mut self.slots;
        self.list.retain(|n| {
            let Some(slot) = slots.get_mut(*n as usize) else {
                return false;
            };
            if model.scene.rect(*n).touches(area) || (pin_selected && model.scene.is_selected(*n)) {
                return true;
            }
            let busy = |mounted: &Mounted| {
                focused
                    .as_ref()
                    .is_some_and(|focused| mounted.element.contains(Some(focused)))
            };
            if slot.as_ref().is_some_and(busy) {
                return true;
            }
            if let Some(gone) = slot.take() {
                gone.element.remove();
            }
            false
        });
    }

    /// Puts nodes where they stand now.
    pub fn place(&mut self, model: &Model, moved: &[u32]) {
        for n in moved {
            let Some(Some(mounted)) = self.slots.get(*n as usize) else {
                continue;
            };
            self.text.clear();
            let kind = model.scene.kinds[*n as usize];
            write_style(model.scene.rect(*n), z_index(kind, *n), &mut self.text);
            dom::attribute(&mounted.element, "style", &self.text);
        }
    }

    /// Selected or not.
    pub fn select(&mut self, model: &Model, changed: &[u32]) {
        for n in changed {
            if let Some(Some(mounted)) = self.slots.get(*n as usize) {
                let on = model.scene.is_selected(*n);
                dom::attribute(
                    &mounted.element,
                    "data-selected",
                    if on { "true" } else { "false" },
                );
            }
        }
    }

    /// Dims nodes that a wire cannot lead to.
    pub fn legal(&mut self, model: &Model) {
        for n in &self.list {
            let Some(Some(mounted)) = self.slots.get(*n as usize) else {
                continue;
            };
            match &model.wire {
                Some(wire) if !wire.legal(*n) && wire.node() != *n => {
                    dom::attribute(&mounted.element, "data-legal", "no");
                }
                Some(_) | None => {
                    let _removed = mounted.element.remove_attribute("data-legal");
                }
            }
        }
    }

    /// Which node Tab goes to; from there, to its ports.
    pub fn activate(&mut self, active: Option<u32>) {
        let Ok(stops) = self.parent.query_selector_all("[tabindex=\"0\"]") else {
            return;
        };
        for at in 0..stops.length() {
            if let Some(element) = stops
                .get(at)
                .and_then(|stop| stop.dyn_into::<Element>().ok())
            {
                dom::attribute(&element, "tabindex", "-1");
            }
        }
        let Some(element) = active.and_then(|n| self.get(n)) else {
            return;
        };
        dom::attribute(element, "tabindex", "0");
        let Ok(ports) = element.query_selector_all("button") else {
            return;
        };
        for at in 0..ports.length() {
            if let Some(port) = ports
                .get(at)
                .and_then(|port| port.dyn_into::<Element>().ok())
            {
                dom::attribute(&port, "tabindex", "0");
            }
        }
    }

    /// Everything that is laid out may have changed.
    pub fn refresh_all(&mut self, model: &Model, extras: &Extras<'_>) {
        let list = self.list.clone();
        self.refresh(model, extras, &list);
    }

    /// These nodes have other contents.
    pub fn refresh(&mut self, model: &Model, extras: &Extras<'_>, changed: &[u32]) {
        for n in changed {
            let Some(view) = extras.view(model, *n) else {
                continue;
            };
            let inner = inner_of(model, extras, *n);
            let Some(Some(mounted)) = self.slots.get_mut(*n as usize) else {
                continue;
            };
            mounted.id = model.scene.ids[*n as usize].clone();
            for (name, write) in ATTRIBUTES {
                self.text.clear();
                write(&view, &mut self.text);
                dom::attribute(&mounted.element, name, &self.text);
            }
            if inner != mounted.inner {
                let port = focused_port(&mounted.element);
                mounted.element.set_inner_html(&inner);
                mounted.inner = inner;
                if let Some(port) = port {
                    refocus(&mounted.element, &port);
                }
            }
        }
    }

    /// The state of a node's task: only what shows it is touched, so that what turns keeps turning.
    pub fn status(&mut self, model: &Model, extras: &Extras<'_>, n: u32) {
        let Some(view) = extras.view(model, n) else {
            return;
        };
        let Some(Some(mounted)) = self.slots.get_mut(n as usize) else {
            return;
        };
        let element = &mounted.element;
        let status = view.status.map_or("", |status| status.status.as_str());
        let part = |name: &str| element.query_selector(name).ok().flatten();
        if element.get_attribute("data-status").as_deref() != Some(status) {
            dom::attribute(element, "data-status", status);
            self.text.clear();
            write_label(&view, &mut self.text);
            dom::attribute(element, "aria-label", &self.text);
            if let Some(glyph) = part(".node-state") {
                self.text.clear();
                write_state(status, &mut self.text);
                glyph.set_inner_html(&self.text);
            }
        }
        if let Some(line) = part(".node-run") {
            line.set_text_content(view.status.map(|status| status.note.as_str()));
        }
        if let Some(agent) = view.status.and_then(|status| status.agent.as_deref())
            && let Some(line) = part(".node-line")
            && line.text_content().as_deref() != Some(agent)
            && view.kind == Some(domain::kind::Kind::Agent)
        {
            line.set_text_content(Some(agent));
        }
        mounted.inner = inner_of(model, extras, n);
    }
}

fn inner_of(model: &Model, extras: &Extras<'_>, n: u32) -> String {
    let mut inner = String::new();
    if let Some(view) = extras.view(model, n) {
        node_inner(&view, &mut inner);
    }
    inner
}

/// The port that has the keyboard's focus, if it belongs to this node.
fn focused_port(element: &HtmlElement) -> Option<(String, String)> {
    let focused = document().active_element()?;
    if !element.contains(Some(&focused)) {
        return None;
    }
    Some((
        focused.get_attribute("data-port")?,
        focused.get_attribute("data-port-dir")?,
    ))
}

fn refocus(element: &HtmlElement, (name, dir): &(String, String)) {
    let Ok(ports) = element.query_selector_all("[data-port]") else {
        return;
    };
    for at in 0..ports.length() {
        let Some(port) = ports
            .get(at)
            .and_then(|port| port.dyn_into::<HtmlElement>().ok())
        else {
            continue;
        };
        if port.get_attribute("data-port").as_ref() == Some(name)
            && port.get_attribute("data-port-dir").as_ref() == Some(dir)
        {
            let _focused = port.focus();
            return;
        }
    }
}
