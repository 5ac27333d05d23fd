//! Values as people read them: text as Markdown, everything else as JSON; each can be copied.

use leptos::prelude::*;
use serde_json::Value;

use crate::components::{
    Button, ButtonLook, CopyJson, Glyph, Markdown, copy::copy_text, use_toasts,
};

/// Longest text of a value that is put on the page; the whole can be copied.
const LONGEST_CHARS: usize = 100_000;

/// A value: text as Markdown, everything else as JSON.
#[component]
pub fn ValueView(
    /// The value.
    value: Value,
    /// What it is, in words: "the output".
    what: &'static str,
) -> impl IntoView {
    match value {
        Value::Null => view! { <p class="muted">"Nothing."</p> }.into_any(),
        Value::String(text) => view! { <TextView text what/> }.into_any(),
        value @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            view! { <JsonView text=pretty(&value) what/> }.into_any()
        }
    }
}

/// Text of a model, as Markdown or as it was written.
#[component]
fn TextView(text: String, what: &'static str) -> impl IntoView {
    let plain = RwSignal::new(false);
    let toasts = use_toasts();
    let text = StoredValue::new(text);
    view! {
        <div class="value">
            <div class="value-actions">
                <Button look=ButtonLook::Quiet on_press=move |()| plain.update(|plain| *plain = !*plain)>
                    {move || if plain.get() { "Formatted" } else { "As written" }}
                </Button>
                <Button look=ButtonLook::Quiet icon=Glyph::Copy on_press=move |()| copy_text(toasts, text.get_value(), what)>
                    "Copy"
                </Button>
            </div>
            {move || {
                if plain.get() {
                    view! { <pre class="plain-text">{text.get_value()}</pre> }.into_any()
                } else {
                    view! { <Markdown text=text.get_value()/> }.into_any()
                }
            }}
        </div>
    }
}

/// JSON as text, with a button that copies it.
#[component]
pub fn JsonView(
    /// The JSON.
    text: String,
    /// What it is, in words: "the task".
    what: &'static str,
) -> impl IntoView {
    let shown = cut(&text);
    let whole = StoredValue::new(text);
    view! {
        <div class="value">
            <div class="value-actions">
                <CopyJson text=move |()| whole.get_value() what/>
            </div>
            <pre class="json">{shown}</pre>
        </div>
    }
}

/// JSON with two spaces of indent.
pub fn pretty<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value)
        .unwrap_or_else(|error| format!("This cannot be written as JSON: {error}."))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_CHARS) {
        Some((end, _)) => format!("{}\n… (cut here; Copy takes the whole)", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_json_is_cut_between_characters() {
        let text = "ü".repeat(LONGEST_CHARS + 1);
        assert!(cut(&text).starts_with(&"ü".repeat(LONGEST_CHARS)));
        assert!(cut(&text).ends_with("takes the whole)"));
        assert_eq!(cut("ü"), "ü");
    }
}
