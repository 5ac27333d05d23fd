//! Tries and waits of a step.

use domain::kind::MAX_ATTEMPTS;
use leptos::prelude::*;
use serde_json::Value;

const RETRY: [(&str, &str, i64, i64); 3] = [
    ("attempts", "Tries in all", 1, MAX_ATTEMPTS),
    ("min_wait_ms", "First wait, ms", 0, 3_600_000),
    ("max_wait_ms", "Longest wait, ms", 0, 3_600_000),
];

/// Tries and waits.
#[component]
pub fn RetryField(
    id: String,
    value: Signal<Option<Value>>,
    put: Callback<Option<Value>>,
) -> impl IntoView {
    let part = move |name: &'static str| {
        let value = value.get();
        value
            .as_ref()
            .and_then(|value| value.get(name))
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let set = move |name: &'static str, min: i64, max: i64, text: String| {
        let mut keys = value
            .get_untracked()
            .and_then(|value| value.as_object().cloned())
            .unwrap_or_default();
        match text.trim().parse::<i64>() {
            Ok(number) => {
                keys.insert(name.into(), number.clamp(min, max).into());
            }
            Err(_) if text.trim().is_empty() => {
                keys.shift_remove(name);
            }
            Err(_) => return,
        }
        put.run((!keys.is_empty()).then_some(Value::Object(keys)));
    };
    let first = StoredValue::new(id);
    let part = move |(at, (name, label, min, max)): (
        usize,
        (&'static str, &'static str, i64, i64),
    )| {
        view! {
            <label class="retry-part">
                <span>{label}</span>
                <input id=(at == 0).then(|| first.get_value()) type="number" min=min max=max
                    prop:value=move || part(name) on:change:target=move |event| set(name, min, max, event.target().value())/>
            </label>
        }
    };
    view! { <div class="retry">{RETRY.into_iter().enumerate().map(part).collect_view()}</div> }
}
