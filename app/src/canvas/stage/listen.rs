//! The listeners: all on the root of the canvas, whatever it holds. A move only notes where the pointer
//! is; the frame uses the last place.

use leptos::prelude::{document, window};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{
    AnimationEvent, Element, Event, FocusEvent, HtmlElement, MouseEvent, PointerEvent, WheelEvent,
};

use super::{Stage, StageRef};
use crate::canvas::{
    dom::{self, listen, now_ms},
    geometry::{Point, at},
    model::{Button, Mods, PointerInput, Wheel, WireBy},
    viewport::{View, WheelUnit},
};

impl StageRef {
    pub(super) fn listen(&self) {
        let Ok(stage) = self.0.stage.try_borrow() else {
            return;
        };
        let root = stage.root.clone();
        drop(stage);
        let mut listeners = vec![
            listen(
                &root,
                "pointerdown",
                true,
                self.handler(StageRef::pointer_down),
            ),
            listen(
                &root,
                "pointermove",
                false,
                self.handler(StageRef::pointer_move),
            ),
            listen(
                &root,
                "pointerup",
                false,
                self.handler(StageRef::pointer_up),
            ),
            listen(
                &root,
                "pointercancel",
                false,
                self.handler(|this, _: PointerEvent| {
                    this.with(|stage, _| {
                        stage.mapping = None;
                        stage.model.cancel();
                    });
                }),
            ),
            listen(&root, "mousedown", true, self.handler(StageRef::mouse_down)),
            listen(
                &root,
                "dblclick",
                true,
                self.handler(StageRef::double_click),
            ),
            listen(&root, "click", false, self.handler(StageRef::click)),
            listen(&root, "wheel", true, self.handler(StageRef::wheel)),
            listen(&root, "focusin", false, self.handler(StageRef::focus_in)),
            listen(&root, "animationend", false, |event: AnimationEvent| {
                if let Some(dot) = element_of(&event).filter(|dot| dot.class_name() == "edge-dot") {
                    dot.remove();
                }
            }),
            listen(
                &window(),
                "blur",
                false,
                self.handler(|this, _: Event| {
                    this.with(|stage, _| stage.model.space = false);
                }),
            ),
        ];
        listeners.extend(self.listen_to_keys());
        listeners.extend(self.listen_to_clipboard());
        listeners.extend(self.listen_to_theme());
        self.0.listeners.replace(listeners);
        self.observe(&root);
    }

    /// A handler that does not keep the stage alive.
    pub(super) fn handler<E: 'static>(
        &self,
        handle: impl Fn(&StageRef, E) + 'static,
    ) -> impl FnMut(E) + 'static {
        let weak = std::rc::Rc::downgrade(&self.0);
        move |event| {
            if let Some(inner) = weak.upgrade() {
                handle(&StageRef(inner), event);
            }
        }
    }

    fn observe(&self, root: &HtmlElement) {
        let mut measure = self.handler(|this, ()| {
            this.measure();
            this.request();
        });
        let sized = Closure::<dyn FnMut()>::new(move || measure(()));
        if let Ok(observer) = web_sys::ResizeObserver::new(sized.as_ref().unchecked_ref()) {
            observer.observe(root);
            self.0.cleanups.borrow_mut().push(Box::new(move || {
                observer.disconnect();
                drop(sized);
            }));
        }
        let mut recolour = self.handler(|this, ()| this.recolour());
        let themed = Closure::<dyn FnMut()>::new(move || recolour(()));
        let page = document().document_element();
        if let (Ok(observer), Some(page)) = (
            web_sys::MutationObserver::new(themed.as_ref().unchecked_ref()),
            page,
        ) {
            let options = web_sys::MutationObserverInit::new();
            options.set_attributes(true);
            options.set_attribute_filter(&js_sys::Array::of1(&"data-theme".into()));
            let _observed = observer.observe_with_options(&page, &options);
            self.0.cleanups.borrow_mut().push(Box::new(move || {
                observer.disconnect();
                drop(themed);
            }));
        }
    }

    fn listen_to_theme(&self) -> Option<dom::Listener> {
        let query = window()
            .match_media("(prefers-color-scheme: dark)")
            .ok()
            .flatten()?;
        Some(listen(
            &query,
            "change",
            false,
            self.handler(|this, _: Event| this.recolour()),
        ))
    }

    fn recolour(&self) {
        self.with(|stage, _| {
            stage.painter.recolour();
            if let Some(minimap) = &mut stage.minimap {
                minimap.recolour(&stage.root);
            }
            stage.model.dirty.view = true;
        });
    }

    fn pointer_down(&self, event: PointerEvent) {
        if in_field(&event) {
            return;
        }
        let on_map = element_of(&event).is_some_and(|element| within(&element, "[data-minimap]"));
        self.with(|stage, _| {
            stage.measure();
            stage.pointing = true;
            dom::attribute(&stage.root, "data-keys", "false");
            // Without capture the gesture ends at the edge of the canvas, and that is all.
            let _captured = stage.root.set_pointer_capture(event.pointer_id());
            if on_map {
                stage.mapping = Some(event.pointer_id());
                stage.go_by_map(&event);
            } else {
                let input = stage.input(&event);
                stage.model.pointer_down(input);
            }
        });
    }

    fn pointer_move(&self, event: PointerEvent) {
        let wanted = {
            let Ok(mut stage) = self.0.stage.try_borrow_mut() else {
                return;
            };
            if stage.mapping == Some(event.pointer_id()) {
                stage.go_by_map(&event);
                true
            } else {
                let input = stage.input(&event);
                stage.pending_move(input)
            }
        };
        if wanted {
            self.request();
        }
    }

    fn pointer_up(&self, event: PointerEvent) {
        if in_field(&event) {
            return;
        }
        self.with(|stage, extras| {
            if stage.mapping == Some(event.pointer_id()) {
                stage.mapping = None;
                return;
            }
            stage.pending = None;
            let input = stage.input(&event);
            stage.model.pointer_up(input, extras.drawing);
        });
    }

    /// The canvas takes the focus itself: a press must neither mark text nor focus a port.
    fn mouse_down(&self, event: MouseEvent) {
        if in_field(&event) {
            return;
        }
        event.prevent_default();
        if let Ok(stage) = self.0.stage.try_borrow() {
            let root = stage.root.clone();
            drop(stage);
            let options = web_sys::FocusOptions::new();
            options.set_prevent_scroll(true);
            let _focused = root.focus_with_options(&options);
        }
    }

    fn double_click(&self, event: MouseEvent) {
        if in_field(&event) || element_of(&event).is_some_and(|on| within(&on, "[data-minimap]")) {
            return;
        }
        event.prevent_default();
        self.with(|stage, _| {
            let place = stage.local(&event);
            stage.model.double_click(place);
        });
    }

    /// A port that is pressed without a pointer: by a screen reader.
    fn click(&self, event: MouseEvent) {
        if event.detail() == 0
            && let Some(port) = element_of(&event)
        {
            self.start_at_port(&port);
        }
    }

    /// Begins to connect from a port by keyboard. Says whether it is a port.
    pub(super) fn start_at_port(&self, port: &Element) -> bool {
        let Some(name) = port.get_attribute("data-port") else {
            return false;
        };
        let out = port.get_attribute("data-port-dir").as_deref() == Some("out");
        let node = port.closest("[data-node-id]").ok().flatten();
        let Some(id) = node.and_then(|node| node.get_attribute("data-node-id")) else {
            return false;
        };
        self.with(|stage, extras| {
            if let Some(start) = stage.model.port_named(&id, &name, out) {
                stage.model.start_wire(extras.drawing, start, WireBy::Keys);
            }
        });
        true
    }

    fn wheel(&self, event: WheelEvent) {
        event.prevent_default();
        self.with(|stage, _| {
            let wheel = Wheel {
                at: stage.local(&event),
                dx: event.delta_x(),
                dy: event.delta_y(),
                unit: match event.delta_mode() {
                    WheelEvent::DOM_DELTA_LINE => WheelUnit::Line,
                    WheelEvent::DOM_DELTA_PAGE => WheelUnit::Page,
                    _ => WheelUnit::Pixel,
                },
                zoom: event.ctrl_key() || event.meta_key(),
                sideways: event.shift_key(),
            };
            stage.model.wheel(wheel, now_ms());
        });
    }

    fn focus_in(&self, event: FocusEvent) {
        let node = element_of(&event).and_then(|element| element.closest("[data-node-id]").ok()?);
        if let Some(id) = node.and_then(|node| node.get_attribute("data-node-id")) {
            self.with(|stage, _| {
                let n = stage.model.scene.find(&id);
                if n.is_some() {
                    stage.model.set_active(n);
                }
            });
        }
    }
}

impl Stage {
    fn local(&self, event: &MouseEvent) -> Point {
        at(
            f64::from(event.client_x()) - self.corner.x,
            f64::from(event.client_y()) - self.corner.y,
        )
    }

    fn input(&self, event: &PointerEvent) -> PointerInput {
        PointerInput {
            id: event.pointer_id(),
            at: self.local(event),
            button: match event.button() {
                // Moves have no button of their own.
                -1 | 0 => Button::Main,
                1 => Button::Middle,
                _ => Button::Other,
            },
            touch: event.pointer_type() == "touch",
            mods: Mods {
                shift: event.shift_key(),
                ctrl: event.ctrl_key() || event.meta_key(),
                alt: event.alt_key(),
            },
        }
    }

    /// Notes a move. Says whether it matters before the next event.
    fn pending_move(&mut self, input: PointerInput) -> bool {
        if !self.model.busy() && self.model.wire.is_none() {
            self.model.hover(input.at);
            return false;
        }
        // With two fingers each has a last place of its own.
        if let Some(other) = self.pending.filter(|other| other.id != input.id) {
            self.model.pointer_moved_meanwhile(other);
        }
        self.pending = Some(input);
        true
    }

    fn go_by_map(&mut self, event: &PointerEvent) {
        let Some(minimap) = &self.minimap else {
            return;
        };
        let client = at(f64::from(event.client_x()), f64::from(event.client_y()));
        let View { z, .. } = self.model.view;
        let view = View::centred(minimap.place(client), z, self.model.pane);
        self.jump(view);
    }
}

/// The element that an event is about.
pub(super) fn element_of(event: &Event) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

/// Whether `element` is, or is inside of, something that fits `selector`.
pub(super) fn within(element: &Element, selector: &str) -> bool {
    element.closest(selector).ok().flatten().is_some()
}

/// Whether the event is about a field that lies over the canvas.
fn in_field(event: &Event) -> bool {
    element_of(event).is_some_and(|element| within(&element, "input, textarea, select, .nokey"))
}
