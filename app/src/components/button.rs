//! Buttons: verbs that can be pressed.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// How much a button asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ButtonLook {
    /// One of several things to do.
    #[default]
    Plain,
    /// The thing to do here; at most one in sight.
    Primary,
    /// Stays in the background until looked for.
    Quiet,
    /// Takes something away.
    Danger,
}

impl ButtonLook {
    fn name(self) -> &'static str {
        match self {
            ButtonLook::Plain => "plain",
            ButtonLook::Primary => "primary",
            ButtonLook::Quiet => "quiet",
            ButtonLook::Danger => "danger",
        }
    }
}

/// A button with words.
#[component]
pub fn Button(
    /// How much it asks for attention.
    #[prop(optional)]
    look: ButtonLook,
    /// Stands before the words.
    #[prop(optional, into)]
    icon: Option<Glyph>,
    /// Cannot be pressed now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// What was pressed is being done: stays pressed, and cannot be pressed twice.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// Sends the form that it stands in instead of calling `on_press`.
    #[prop(optional)]
    submit: bool,
    /// Pressed.
    #[prop(optional, into)]
    on_press: Option<Callback<()>>,
    /// The verb.
    children: Children,
) -> impl IntoView {
    let press = move |_| {
        if let Some(on_press) = on_press.filter(|_| !busy.get_untracked()) {
            on_press.run(());
        }
    };
    view! {
        <button
            class="button"
            type=if submit { "submit" } else { "button" }
            data-look=look.name()
            disabled=move || disabled.get()
            aria-busy=move || busy.get().then_some("true")
            on:click=press
        >
            {icon.map(|glyph| view! { <Icon glyph/> })}
            {children()}
        </button>
    }
}

/// A button that is only an icon; its label is said and shown on hover.
#[component]
pub fn IconButton(
    /// The icon.
    #[prop(into)]
    glyph: Signal<Glyph>,
    /// The verb.
    #[prop(into)]
    label: Signal<String>,
    /// Cannot be pressed now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Whether it is on, for one that stays pressed.
    #[prop(optional, into)]
    pressed: Option<Signal<bool>>,
    /// Pressed.
    #[prop(into)]
    on_press: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            class="button icon-button"
            type="button"
            data-look="quiet"
            title=move || label.get()
            aria-label=move || label.get()
            aria-pressed=move || pressed.map(|on| if on.get() { "true" } else { "false" })
            disabled=move || disabled.get()
            on:click=move |_| on_press.run(())
        >
            <Icon glyph/>
        </button>
    }
}
