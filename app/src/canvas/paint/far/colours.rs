//! The colours of the theme, for what is painted and not styled.

use leptos::prelude::window;
use web_sys::HtmlElement;

use crate::canvas::status::Tint;

/// Colours of the theme, read from the page once and again when it changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Colours {
    /// A box without a state.
    pub plain: String,
    /// Its outline, and edges.
    pub line: String,
    /// What is selected.
    pub accent: String,
    /// A note.
    pub note: String,
    /// Text on a box without a state.
    pub text: String,
    /// Text on a box with one.
    pub on: String,
    /// By tint, in the order of `Tint::ALL`.
    pub tints: [String; 8],
}

impl Colours {
    /// What the page says.
    pub fn of(root: &HtmlElement) -> Self {
        let style = window().get_computed_style(root).ok().flatten();
        let read = |name: &str| {
            style
                .as_ref()
                .and_then(|style| style.get_property_value(name).ok())
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
                .unwrap_or_else(|| "gray".to_owned())
        };
        Self {
            plain: read("--canvas-box"),
            line: read("--edge"),
            accent: read("--accent"),
            note: read("--canvas-note"),
            text: read("--text"),
            on: read("--raised"),
            tints: Tint::ALL.map(|tint| match tint {
                Tint::None => read("--canvas-box"),
                Tint::Idle => read("--canvas-box"),
                Tint::Run => read("--run"),
                Tint::Wait => read("--wait"),
                Tint::Ok => read("--ok"),
                Tint::Fail => read("--fail"),
                Tint::Muted => read("--line"),
                Tint::Unknown => read("--warn"),
            }),
        }
    }
}
