//! Going to another page from work that takes a while. The way there is a signal, because what the
//! router gives cannot leave the thread that it was made on, and the server renders on many.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

/// Takes the person to a page.
#[derive(Clone, Copy)]
pub struct GoTo(RwSignal<Option<String>>);

impl GoTo {
    /// Goes to this path.
    pub fn go(self, path: String) {
        self.0.set(Some(path));
    }
}

/// For components and the actions in them.
pub fn use_go_to() -> GoTo {
    let path = RwSignal::new(None::<String>);
    let navigate = use_navigate();
    Effect::new(move |_| {
        if let Some(path) = path.get() {
            navigate(&path, NavigateOptions::default());
        }
    });
    GoTo(path)
}
