//! What a run is given: defaults filled in, types checked, everything that is wrong said at once.

use domain::graph::{InputSpec, drawing::InputType};
use serde_json::{Map, Value};

/// What is wrong with an input, a sentence for each thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join(" "))]
pub struct BadInput(pub Vec<String>);

/// The input of a run, complete. Names that the workflow does not know are refused: they would be
/// lost without a word.
pub fn complete_input(specs: &[InputSpec], given: Value) -> Result<Value, BadInput> {
    let mut given = match given {
        Value::Object(given) => given,
        Value::Null => Map::new(),
        _ => {
            let message = "The input must be a JSON object with a value for each input.";
            return Err(BadInput(vec![message.to_owned()]));
        }
    };
    let mut wrong = Vec::new();
    let mut input = Map::new();
    for spec in specs {
        let value = given
            .shift_remove(&spec.name)
            .filter(|value| !value.is_null() && !is_blank(spec, value));
        match value.or_else(|| spec.default.clone()) {
            Some(value) => match fit(spec.holds, value) {
                Ok(value) => {
                    input.insert(spec.name.clone(), value);
                }
                Err(expected) => wrong.push(format!("Input `{}` must be {expected}.", spec.name)),
            },
            None if spec.required => wrong.push(format!("Input `{}` is required.", spec.name)),
            None => {
                input.insert(spec.name.clone(), Value::Null);
            }
        }
    }
    for name in given.keys() {
        let shown: String = name.chars().take(80).collect();
        wrong.push(format!("The workflow has no input `{shown}`."));
    }
    if wrong.is_empty() {
        Ok(Value::Object(input))
    } else {
        Err(BadInput(wrong))
    }
}

/// An empty text in a required field is as good as nothing.
fn is_blank(spec: &InputSpec, value: &Value) -> bool {
    spec.required && value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn fit(holds: InputType, value: Value) -> Result<Value, &'static str> {
    match holds {
        InputType::String | InputType::Text if value.is_string() => Ok(value),
        InputType::String | InputType::Text => Err("text"),
        InputType::Number if value.is_number() => Ok(value),
        InputType::Number => Err("a number"),
        InputType::Boolean if value.is_boolean() => Ok(value),
        InputType::Boolean => Err("true or false"),
        InputType::Json => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(name: &str, holds: InputType, required: bool, default: Option<Value>) -> InputSpec {
        InputSpec {
            name: name.into(),
            holds,
            required,
            default,
            extra: Map::new(),
        }
    }

    #[test]
    fn defaults_fill_what_is_missing() {
        let specs = [
            spec("topic", InputType::String, true, Some(json!("tea"))),
            spec("n", InputType::Number, false, None),
        ];
        let input = complete_input(&specs, json!({})).expect("complete");
        assert_eq!(input, json!({ "topic": "tea", "n": null }));
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let specs = [
            spec("topic", InputType::String, true, None),
            spec("n", InputType::Number, false, None),
        ];
        let error = complete_input(&specs, json!({ "n": "7", "extra": 1 })).expect_err("wrong");
        assert_eq!(
            error.to_string(),
            "Input `topic` is required. Input `n` must be a number. The workflow has no input `extra`."
        );
    }

    #[test]
    fn only_an_object_will_do() {
        for given in [json!([]), json!("x"), json!(1)] {
            assert!(complete_input(&[], given).is_err());
        }
        assert_eq!(complete_input(&[], Value::Null), Ok(json!({})));
    }
}
