//! Keeps the end of a growing text in view while the reader is there, and leaves alone who scrolled up.

use leptos::{html, prelude::*};

/// How near to the end counts as there, in pixels.
#[cfg(feature = "hydrate")]
const NEAR_PX: i32 = 40;

/// Keeps the end of the only child of `scroller` in view. `begins_at_end` says whether it is there at first.
#[cfg(feature = "hydrate")]
pub fn stay_at_bottom(scroller: NodeRef<html::Div>, begins_at_end: bool) {
    use std::{cell::Cell, rc::Rc};
    use wasm_bindgen::{JsCast, closure::Closure};

    Effect::new(move |_| {
        let Some(node) = scroller.get() else { return };
        let Some(flow) = node.first_element_child() else {
            return;
        };
        let there = Rc::new(Cell::new(begins_at_end));
        let scrolled = Closure::<dyn FnMut()>::new({
            let (node, there) = (node.clone(), there.clone());
            move || {
                there.set(node.scroll_height() - node.scroll_top() - node.client_height() < NEAR_PX)
            }
        });
        // Called after layout and before paint: nobody sees the end leave and come back.
        let grown = Closure::<dyn FnMut()>::new({
            let node = node.clone();
            move || {
                if there.get() {
                    node.set_scroll_top(node.scroll_height());
                }
            }
        });
        let Ok(observer) = web_sys::ResizeObserver::new(grown.as_ref().unchecked_ref()) else {
            return;
        };
        observer.observe(&flow);
        // Adding a listener to an element cannot fail.
        let _added =
            node.add_event_listener_with_callback("scroll", scrolled.as_ref().unchecked_ref());
        let kept = StoredValue::new_local((observer, scrolled, grown));
        on_cleanup(move || {
            let _gone = kept.try_with_value(|(observer, ..)| observer.disconnect());
            let _removed = kept.try_with_value(|(_, scrolled, _)| {
                node.remove_event_listener_with_callback(
                    "scroll",
                    scrolled.as_ref().unchecked_ref(),
                )
            });
        });
    });
}

/// On the server nothing scrolls.
#[cfg(not(feature = "hydrate"))]
pub fn stay_at_bottom(_scroller: NodeRef<html::Div>, _begins_at_end: bool) {}
