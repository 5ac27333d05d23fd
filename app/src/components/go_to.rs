//! Going to another page from work that takes a while. The way there is a signal of the frame around
//! every page: what the router gives cannot leave the thread that it was made on, while the server
//! renders on many; and whoever asked, a dialog for one, may be gone before the page changes.

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

/// Follows every [`GoTo`] from here on. Called once, inside the router and outside its routes.
pub fn provide_go_to() {
    let path = RwSignal::new(None::<String>);
    provide_context(GoTo(path));
    let navigate = use_navigate();
    Effect::new(move |_| {
        if let Some(path) = path.get() {
            navigate(&path, NavigateOptions::default());
        }
    });
}

/// For components and the actions in them.
pub fn use_go_to() -> GoTo {
    expect_context()
}
