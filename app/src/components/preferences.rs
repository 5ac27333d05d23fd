//! What is wanted of the servers behind a provider: order, highest price, whether prompts may be kept.
//! What else a workflow file says stays as it is.

use leptos::prelude::*;
use serde_json::{Map, Number, Value};

const SORT: [(&str, &str); 5] = [
    ("", "as the provider thinks best"),
    ("price", "cheapest first"),
    ("throughput", "most tokens a second first"),
    ("latency", "quickest first word first"),
    ("exacto", "best with tools first"),
];
const COLLECTION: [(&str, &str); 3] = [
    ("", "as the account says"),
    ("deny", "never, only servers that keep nothing"),
    ("allow", "allowed"),
];

/// The value with one word set; nothing is left out.
fn with_word(value: Option<Value>, key: &str, word: &str) -> Option<Value> {
    let mut keys = keys(value);
    match word {
        "" => drop(keys.shift_remove(key)),
        word => drop(keys.insert(key.to_owned(), word.into())),
    }
    (!keys.is_empty()).then_some(Value::Object(keys))
}

/// The value with one highest price set, in dollars per million tokens; nothing is left out.
fn with_price(value: Option<Value>, key: &str, text: &str) -> Option<Value> {
    let mut all = keys(value);
    let mut prices = keys(all.shift_remove("max_price"));
    let number = text
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|price| *price >= 0.0);
    match number.and_then(Number::from_f64) {
        Some(price) => drop(prices.insert(key.to_owned(), Value::Number(price))),
        None => drop(prices.shift_remove(key)),
    }
    if !prices.is_empty() {
        all.insert("max_price".to_owned(), Value::Object(prices));
    }
    (!all.is_empty()).then_some(Value::Object(all))
}

fn keys(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(keys)) => keys,
        Some(_) | None => Map::new(),
    }
}

/// What is set, one line for each wish.
pub fn preference_words(value: &Value) -> Vec<String> {
    let Value::Object(keys) = value else {
        return Vec::new();
    };
    let named = |words: &[(&str, &str)], value: &Value| {
        let found = words.iter().find(|(name, _)| value.as_str() == Some(*name));
        found.map_or_else(|| value.to_string(), |(_, shown)| (*shown).to_owned())
    };
    let mut lines = Vec::new();
    for (key, value) in keys {
        match (key.as_str(), value) {
            ("sort", value) => lines.push(format!("servers: {}", named(&SORT, value))),
            ("data_collection", value) => {
                lines.push(format!(
                    "what is sent may be kept: {}",
                    named(&COLLECTION, value)
                ));
            }
            ("max_price", Value::Object(prices)) => {
                lines.extend(prices.iter().map(|(of, price)| match of.as_str() {
                    "prompt" => format!("at most ${price} per million read"),
                    "completion" => format!("at most ${price} per million written"),
                    of => format!("at most ${price} per {of}"),
                }));
            }
            (key, value) => lines.push(format!("{key}: {value}")),
        }
    }
    lines
}

/// Fields for preferences.
#[component]
pub fn PreferencesField(
    /// Of the first field; what describes it is called `{id}-help`.
    #[prop(into)]
    id: String,
    /// What is set.
    #[prop(into)]
    value: Signal<Option<Value>>,
    /// Takes what is set from now on.
    #[prop(into)]
    put: Callback<Option<Value>>,
) -> impl IntoView {
    let word = move |key: &'static str| {
        let value = value.get();
        let word = value.as_ref().and_then(|value| value.get(key)?.as_str());
        word.unwrap_or_default().to_owned()
    };
    let choice = move |id: Option<String>,
                       label,
                       key: &'static str,
                       words: &'static [(&'static str, &'static str)]| {
        let options = words.iter().map(move |(name, shown)| {
            view! { <option value=*name selected=move || word(key) == *name>{*shown}</option> }
        });
        view! {
            <label class="retry-part">
                <span>{label}</span>
                <select
                    id=id
                    prop:value=move || word(key)
                    on:change:target=move |event| put.run(with_word(value.get_untracked(), key, &event.target().value()))
                >
                    {options.collect_view()}
                </select>
            </label>
        }
    };
    let price = move |label, key: &'static str| {
        let shown = move || {
            let value = value.get();
            let price = value
                .as_ref()
                .and_then(|value| value.get("max_price")?.get(key));
            price.map(ToString::to_string).unwrap_or_default()
        };
        view! {
            <label class="retry-part">
                <span>{label}</span>
                <input
                    type="number"
                    min="0"
                    step="any"
                    prop:value=shown
                    on:change:target=move |event| put.run(with_price(value.get_untracked(), key, &event.target().value()))
                />
            </label>
        }
    };
    view! {
        <div class="preferences">
            {choice(Some(id), "Servers are tried", "sort", &SORT)}
            {choice(None, "What is sent may be kept", "data_collection", &COLLECTION)}
            <div class="preferences-prices">
                {price("At most $ per million read", "prompt")}
                {price("At most $ per million written", "completion")}
            </div>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wishes_are_told_in_words_and_none_is_left_out() {
        let set = json!({"sort": "price", "data_collection": "deny", "max_price": {"prompt": 1.5, "image": 2}, "zdr": true});
        assert_eq!(
            preference_words(&set),
            [
                "servers: cheapest first",
                "what is sent may be kept: never, only servers that keep nothing",
                "at most $1.5 per million read",
                "at most $2 per image",
                "zdr: true",
            ]
        );
        assert!(preference_words(&json!({})).is_empty());
    }

    #[test]
    fn what_is_set_comes_and_goes_and_the_rest_stays() {
        let start = Some(json!({"only": ["acme"]}));
        let sorted = with_word(start, "sort", "price");
        assert_eq!(sorted, Some(json!({"only": ["acme"], "sort": "price"})));
        let priced = with_price(sorted, "completion", "2.5");
        let wanted = json!({"only": ["acme"], "sort": "price", "max_price": {"completion": 2.5}});
        assert_eq!(priced, Some(wanted));
        let unpriced = with_price(priced, "completion", "");
        let unsorted = with_word(unpriced, "sort", "");
        assert_eq!(unsorted, Some(json!({"only": ["acme"]})));
        assert_eq!(with_word(None, "sort", ""), None);
        assert_eq!(with_price(None, "prompt", "-1"), None);
    }
}
