//! Between what is typed and what a key holds. Pure: a text that cannot be read stays as it was typed,
//! with the reason beside it.

use domain::kind::KeyType;
use serde_json::{Number, Value};

use crate::canvas::node_html::escape;

/// What the server puts into a text area, so that its text is there before the browser's half is. The
/// line break at the front is the one that HTML swallows.
pub fn area_html(text: &str) -> String {
    let mut html = String::from("\n");
    escape(text, &mut html);
    html
}

/// The text that stands for a value.
pub fn shown(holds: KeyType, value: Option<&Value>) -> String {
    let Some(value) = value else {
        return String::new();
    };
    match (holds, value) {
        (KeyType::Words | KeyType::Models, Value::Array(words)) => {
            let words: Vec<String> = words.iter().map(plain).collect();
            words.join(", ")
        }
        (KeyType::Schema | KeyType::Preferences | KeyType::Body | KeyType::Fields, value) => {
            serde_json::to_string_pretty(value).unwrap_or_default()
        }
        (_, value) => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// The value that a text stands for; `None` for an empty one, which takes the key away.
pub fn read(holds: KeyType, text: &str) -> Result<Option<Value>, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    match holds {
        KeyType::Line
        | KeyType::Text
        | KeyType::Template
        | KeyType::Expression
        | KeyType::Model
        | KeyType::AgentName
        | KeyType::Workflow
        | KeyType::Choice(_) => Ok(Some(Value::String(text.to_owned()))),
        KeyType::Integer { min, max, unit } => {
            let number = trimmed.replace([' ', ','], "").parse::<i64>();
            match number {
                Ok(number) if (min..=max).contains(&number) => Ok(Some(number.into())),
                Ok(_) => Err(format!("{min} to {max} {unit}.")),
                Err(_) => Err("This is no whole number.".into()),
            }
        }
        KeyType::Number { min, max } => {
            let number = trimmed
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite());
            match number {
                Some(number) if (min..=max).contains(&number) => Ok(Some(tidy(number))),
                Some(_) => Err(format!("{min} to {max}.")),
                None => Err("This is no number.".into()),
            }
        }
        KeyType::Flag => Ok((trimmed == "true").then_some(Value::Bool(true))),
        KeyType::FlagOn => Ok((trimmed == "false").then_some(Value::Bool(false))),
        KeyType::Words | KeyType::Models => {
            let words = trimmed
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty());
            let words: Vec<Value> = words.map(Value::from).collect();
            Ok((!words.is_empty()).then_some(Value::Array(words)))
        }
        KeyType::Schema => object(trimmed, "A schema is a JSON object."),
        KeyType::Preferences => object(trimmed, "Preferences are a JSON object."),
        KeyType::Body => object(trimmed, "A body is a JSON object with nodes and edges."),
        KeyType::Fields => object(trimmed, "Values by name are a JSON object."),
        KeyType::Cases | KeyType::Retry => serde_json::from_str(trimmed)
            .map(Some)
            .map_err(|error| error.to_string()),
    }
}

fn object(text: &str, otherwise: &str) -> Result<Option<Value>, String> {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => Err(otherwise.to_owned()),
        Err(error) => Err(format!("This is no JSON: {error}.")),
    }
}

/// A whole number without its point.
fn tidy(number: f64) -> Value {
    if number.fract() == 0.0 {
        Value::from(number as i64)
    } else {
        Number::from_f64(number).map_or(Value::Null, Value::Number)
    }
}

#[cfg(test)]
mod tests {
    use domain::kind::Kind;
    use serde_json::json;

    use super::*;

    fn check(holds: KeyType, text: &str, expected: Result<Option<Value>, &str>) {
        assert_eq!(
            read(holds, text),
            expected.map_err(str::to_owned),
            "{holds:?} {text:?}"
        );
    }

    #[test]
    fn texts_become_values_and_say_what_is_wrong() {
        let turns = KeyType::Integer {
            min: 1,
            max: 100,
            unit: "turns",
        };
        check(turns, "20", Ok(Some(json!(20))));
        check(turns, "200", Err("1 to 100 turns."));
        check(turns, "two", Err("This is no whole number."));
        check(
            KeyType::Number { min: 0.0, max: 2.0 },
            "0.7",
            Ok(Some(json!(0.7))),
        );
        check(
            KeyType::Number { min: 0.0, max: 2.0 },
            "NaN",
            Err("This is no number."),
        );
        check(KeyType::Words, " a, b ,, ", Ok(Some(json!(["a", "b"]))));
        check(KeyType::Words, " , ", Ok(None));
        check(
            KeyType::Template,
            " keeps  its spaces ",
            Ok(Some(json!(" keeps  its spaces "))),
        );
        check(KeyType::Line, "   ", Ok(None));
        check(KeyType::Schema, "[]", Err("A schema is a JSON object."));
        check(KeyType::Flag, "true", Ok(Some(json!(true))));
    }

    #[test]
    fn text_of_an_area_stays_text() {
        assert_eq!(
            area_html("\n</textarea><b>"),
            "\n\n&lt;/textarea&gt;&lt;b&gt;"
        );
    }

    #[test]
    fn what_is_shown_reads_as_what_it_was() {
        let values = [
            (KeyType::Words, json!(["planning", "writing"])),
            (KeyType::Schema, json!({"type": "object"})),
            (
                KeyType::Integer {
                    min: 1,
                    max: 1000,
                    unit: "ms",
                },
                json!(300),
            ),
            (KeyType::Number { min: 0.0, max: 2.0 }, json!(1)),
            (KeyType::Template, json!("a\n{{ b }}")),
        ];
        for (holds, value) in values {
            assert_eq!(
                read(holds, &shown(holds, Some(&value))),
                Ok(Some(value.clone())),
                "{holds:?}"
            );
        }
    }

    #[test]
    fn any_value_can_be_shown_in_any_field() {
        for kind in Kind::ALL {
            for key in kind.own_keys().iter().chain(kind.common_keys()) {
                for value in [
                    json!(null),
                    json!(true),
                    json!(1.5),
                    json!("x"),
                    json!([1, {"a": []}]),
                    json!({}),
                ] {
                    let _ = shown(key.holds, Some(&value));
                }
            }
        }
    }
}
