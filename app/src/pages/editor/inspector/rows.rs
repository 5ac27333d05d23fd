//! Values by name: rows of a name and a template, in the order of the file.

use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::components::{Button, ButtonLook, Glyph, IconButton};

/// A value as its field shows it: text as it is, anything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// What a text means in a row that held `before`: JSON stays JSON while it can be read as such.
fn read(before: Option<&Value>, text: &str) -> Value {
    let was_text = before.is_none_or(Value::is_string);
    match serde_json::from_str::<Value>(text) {
        Ok(value) if !was_text && !value.is_string() => value,
        Ok(_) | Err(_) => Value::String(text.to_owned()),
    }
}

/// The row at this place with another name, the others where they are. `None` when the name is taken or
/// empty.
fn renamed(fields: &Map<String, Value>, at: usize, name: &str) -> Option<Map<String, Value>> {
    let taken = fields
        .keys()
        .enumerate()
        .any(|(place, known)| place != at && known == name);
    if name.is_empty() || taken {
        return None;
    }
    let next = fields.iter().enumerate().map(|(place, (known, value))| {
        let name = if place == at { name } else { known };
        (name.to_owned(), value.clone())
    });
    Some(next.collect())
}

/// Values by name.
#[component]
pub fn FieldsField(
    id: String,
    value: Signal<Option<Value>>,
    put: Callback<Option<Value>>,
    wrong: RwSignal<Option<String>>,
) -> impl IntoView {
    let fields = Memo::new(move |_| {
        value
            .get()
            .and_then(|value| value.as_object().cloned())
            .unwrap_or_default()
    });
    let count = Memo::new(move |_| fields.with(Map::len));
    let store = move |next: Map<String, Value>| {
        wrong.set(None);
        put.run((!next.is_empty()).then_some(Value::Object(next)));
    };
    let rename = move |at: usize, name: String| match fields
        .with_untracked(|fields| renamed(fields, at, name.trim()))
    {
        Some(next) => store(next),
        None => wrong.set(Some("Each name must be there once.".into())),
    };
    let write = move |at: usize, text: String| {
        let mut next = fields.get_untracked();
        if let Some((_, value)) = next.iter_mut().nth(at) {
            *value = read(Some(value), &text);
            store(next);
        }
    };
    let remove = move |at: usize| {
        let mut next = fields.get_untracked();
        let name = next.keys().nth(at).cloned();
        if let Some(name) = name {
            next.shift_remove(&name);
            store(next);
        }
    };
    let name =
        move |at: usize| fields.with(|fields| fields.keys().nth(at).cloned().unwrap_or_default());
    let text = move |at: usize| {
        fields.with(|fields| fields.values().nth(at).map(shown).unwrap_or_default())
    };
    let row = move |at: usize| {
        view! {
            <li class="case">
                <input type="text" aria-label=format!("Name {}", at + 1) placeholder="name"
                    prop:value=move || name(at) on:change:target=move |event| rename(at, event.target().value())/>
                <input type="text" class="mono" aria-label=format!("Value {}", at + 1) placeholder="{{ input.name }}"
                    prop:value=move || text(at) on:input:target=move |event| write(at, event.target().value())/>
                <IconButton glyph=Glyph::Cross label=format!("Remove row {}", at + 1) on_press=move |()| remove(at)/>
            </li>
        }
    };
    let add = move |()| {
        let mut next = fields.get_untracked();
        let free = (1..)
            .map(|number| format!("name{number}"))
            .find(|name| !next.contains_key(name));
        next.insert(free.unwrap_or_default(), Value::String(String::new()));
        store(next);
    };
    view! {
        <ul class="cases" id=id>{move || (0..count.get()).map(row).collect_view()}</ul>
        <div><Button look=ButtonLook::Quiet icon=Glyph::Plus on_press=add>"Add a row"</Button></div>
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_change_in_their_place() {
        let fields = json!({"a": 1, "b": 2, "c": 3})
            .as_object()
            .cloned()
            .unwrap();
        let next = renamed(&fields, 1, "z").map(|next| Value::Object(next).to_string());
        assert_eq!(next.as_deref(), Some(r#"{"a":1,"z":2,"c":3}"#));
        assert_eq!(renamed(&fields, 1, "c"), None);
        assert_eq!(renamed(&fields, 1, ""), None);
        assert_eq!(renamed(&fields, 1, "b"), Some(fields));
    }

    #[test]
    fn text_stays_text_and_json_stays_json() {
        assert_eq!(read(None, "12"), json!("12"));
        assert_eq!(read(Some(&json!("x")), "[1]"), json!("[1]"));
        assert_eq!(read(Some(&json!(12)), "13"), json!(13));
        assert_eq!(read(Some(&json!(12)), "1x"), json!("1x"));
        assert_eq!(
            read(Some(&json!({"a": 1})), &shown(&json!({"a": 2}))),
            json!({"a": 2})
        );
    }
}
