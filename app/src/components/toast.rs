//! Short messages at the edge of the page: what was done, what did not work, what can be taken back.

use std::{sync::Arc, time::Duration};

use leptos::prelude::*;

use super::{
    button::{Button, ButtonLook, IconButton},
    error_view::headline,
    icon::Glyph,
};
use crate::error::ApiError;

/// How long a message stays when nobody looks at it.
const STAYS: Duration = Duration::from_secs(5);
/// How long something can be taken back.
const UNDO: Duration = Duration::from_secs(10);
/// Errors stay longer: they say what to do.
const ERROR_STAYS: Duration = Duration::from_secs(15);

/// Takes something back. Owned by the message alone: the row or page that it came from may be gone.
type Undo = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
struct Toast {
    id: u32,
    status: &'static str,
    text: String,
    undo: Option<Undo>,
}

/// The messages of this tab; a context of every page.
#[derive(Clone, Copy)]
pub struct Toasts {
    list: RwSignal<Vec<Toast>>,
    next: RwSignal<u32>,
}

/// The messages of this tab.
pub fn use_toasts() -> Toasts {
    expect_context::<Toasts>()
}

/// Makes the messages a context.
pub fn provide_toasts() -> Toasts {
    let toasts = Toasts {
        list: RwSignal::new(Vec::new()),
        next: RwSignal::new(0),
    };
    provide_context(toasts);
    toasts
}

impl Toasts {
    /// Something was done.
    pub fn say(self, text: impl Into<String>) {
        self.add("info", text.into(), None, STAYS);
    }

    /// Something is not as it should be.
    pub fn warn(self, text: impl Into<String>) {
        self.add("warning", text.into(), None, ERROR_STAYS);
    }

    /// Something did not work.
    pub fn fail(self, error: &ApiError) {
        self.add(
            "failed",
            format!("{}. {}", headline(error.kind), error.message),
            None,
            ERROR_STAYS,
        );
    }

    /// Something was done that can be taken back for 10 s.
    pub fn undo(self, text: impl Into<String>, undo: impl Fn() + Send + Sync + 'static) {
        self.add("info", text.into(), Some(Arc::new(undo)), UNDO);
    }

    fn add(self, status: &'static str, text: String, undo: Option<Undo>, stays: Duration) {
        let id = self.next.get_untracked();
        self.next.set(id + 1);
        self.list.update(|list| {
            list.retain(|toast| toast.text != text || toast.undo.is_some());
            list.push(Toast {
                id,
                status,
                text,
                undo,
            });
        });
        set_timeout(move || self.remove(id), stays);
    }

    fn remove(self, id: u32) {
        // The tab may be closing: then there is no list any more.
        let _gone = self
            .list
            .try_update(|list| list.retain(|toast| toast.id != id));
    }
}

/// Where the messages appear.
#[component]
pub fn ToastHost() -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <div class="toasts" role="status" aria-live="polite" aria-label="Messages">
            <For each=move || toasts.list.get() key=|toast| toast.id let:toast>
                <ToastView toasts toast/>
            </For>
        </div>
    }
}

#[component]
fn ToastView(toasts: Toasts, toast: Toast) -> impl IntoView {
    let Toast {
        id,
        status,
        text,
        undo,
    } = toast;
    view! {
        <div class="toast" data-status=status role=(status == "failed").then_some("alert")>
            <p>{text}</p>
            {undo
                .map(|undo| {
                    let press = move |()| {
                        toasts.remove(id);
                        undo();
                    };
                    view! { <Button look=ButtonLook::Quiet icon=Glyph::Undo on_press=press>"Undo"</Button> }
                })}
            <IconButton glyph=Glyph::Cross label="Dismiss" on_press=move |()| toasts.remove(id)/>
        </div>
    }
}
