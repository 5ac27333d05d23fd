//! Light, dark, or as the system says. Kept in this browser; set before the first paint by a few lines
//! in the page's head.

use leptos::prelude::*;

/// Runs before anything is painted. Storage may be forbidden: then the system decides.
pub const BEFORE_PAINT: &str = "try{var t=localStorage.getItem('theme');if(t==='light'||t==='dark')document.documentElement.dataset.theme=t}catch(e){}";

/// What the pages look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Theme; 3] = [Theme::System, Theme::Light, Theme::Dark];

    /// Its name in storage and in `data-theme`.
    pub fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Theme::System => "As the system",
            Theme::Light => "Light",
            Theme::Dark => "Dark",
        }
    }

    /// The one in use.
    pub fn chosen() -> Self {
        let name = document()
            .document_element()
            .and_then(|root| root.get_attribute("data-theme"));
        Self::ALL
            .into_iter()
            .find(|theme| Some(theme.name()) == name.as_deref())
            .unwrap_or(Theme::System)
    }

    /// Uses it from now on.
    pub fn choose(self) {
        if let Some(root) = document().document_element() {
            // Neither can fail for a constant name on the root element.
            let _set = match self {
                Theme::System => root.remove_attribute("data-theme"),
                Theme::Light | Theme::Dark => root.set_attribute("data-theme", self.name()),
            };
        }
        if let Ok(Some(storage)) = window().local_storage() {
            // Where storage is forbidden or full, the choice lasts as long as the page.
            let _kept = storage.set_item("theme", self.name());
        }
    }
}
