//! What the canvas needs of a browser and Leptos does not give: listeners with options, frames, time.
//! Only ever called in a browser.

use std::{cell::RefCell, rc::Rc};

use leptos::prelude::window;
use wasm_bindgen::{JsCast, closure::Closure, convert::FromWasmAbi};
use web_sys::{AddEventListenerOptions, Element, EventTarget, HtmlElement};

/// A listener that is gone when it is dropped.
pub struct Listener {
    remove: Option<Box<dyn FnOnce()>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(remove) = self.remove.take() {
            remove();
        }
    }
}

/// Listens. `may_prevent`: whether the handler may keep the browser from doing what it does by itself,
/// which for wheels and touches must be said in advance.
pub fn listen<E: JsCast + FromWasmAbi + 'static>(
    target: &EventTarget,
    name: &'static str,
    may_prevent: bool,
    handler: impl FnMut(E) + 'static,
) -> Listener {
    let closure = Closure::<dyn FnMut(E)>::new(handler);
    let options = AddEventListenerOptions::new();
    options.set_passive(!may_prevent);
    // Only an event target that is none refuses a listener.
    let _added = target.add_event_listener_with_callback_and_add_event_listener_options(
        name,
        closure.as_ref().unchecked_ref(),
        &options,
    );
    let target = target.clone();
    let remove = move || {
        let _removed =
            target.remove_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    };
    Listener {
        remove: Some(Box::new(remove)),
    }
}

/// Milliseconds since the page was opened.
pub fn now_ms() -> f64 {
    window()
        .performance()
        .map_or(0.0, |performance| performance.now())
}

/// Calls back once in the next frame, however often it is asked.
#[derive(Clone)]
pub struct Frames {
    asked: Rc<RefCell<bool>>,
    closure: Rc<Closure<dyn FnMut(f64)>>,
}

impl Frames {
    /// `frame` gets the time of the frame in milliseconds.
    pub fn new(mut frame: impl FnMut(f64) + 'static) -> Self {
        let asked = Rc::new(RefCell::new(false));
        let closure = {
            let asked = asked.clone();
            Closure::new(move |time: f64| {
                asked.replace(false);
                frame(time);
            })
        };
        Self {
            asked,
            closure: Rc::new(closure),
        }
    }

    /// Asks for a frame.
    pub fn ask(&self) {
        if self.asked.replace(true) {
            return;
        }
        let callback = self.closure.as_ref().as_ref().unchecked_ref();
        if window().request_animation_frame(callback).is_err() {
            self.asked.replace(false);
        }
    }
}

/// Sets one property of an element's style.
pub fn style(element: &HtmlElement, name: &str, value: &str) {
    let _set = element.style().set_property(name, value);
}

/// Sets an attribute.
pub fn attribute(element: &Element, name: &str, value: &str) {
    let _set = element.set_attribute(name, value);
}

/// Whether a person has asked for less motion.
pub fn wants_stillness() -> bool {
    window()
        .match_media("(prefers-reduced-motion: reduce)")
        .ok()
        .flatten()
        .is_some_and(|query| query.matches())
}
