//! What a run may be given: names that can be told apart, defaults of the right type.

use std::collections::HashSet;

use serde_json::Value;

use super::{Findings, Place, short};
use crate::graph::{Drawing, InputSpec, drawing::InputType};

pub(super) fn check(drawing: &Drawing, findings: &mut Findings<'_>) {
    let mut seen = HashSet::new();
    for (at, input) in drawing.inputs.iter().enumerate() {
        let name = short(&input.name);
        if !is_name(&input.name) {
            let message = match input.name.trim() {
                "" => format!("Input {} has no name: give it one.", at + 1),
                _ => format!(
                    "`{name}` is no name of an input: use 1 to 64 letters, digits, _ and -."
                ),
            };
            findings.error("bad_input", Place::Input(at), message);
        }
        if !seen.insert(input.name.as_str()) {
            let message =
                format!("There are several inputs `{name}`: give each a name of its own.");
            findings.error("duplicate_input", Place::Input(at), message);
        }
        if let Some(what) = wrong_default(input) {
            let message = format!("The default of input `{name}` must be {what}.");
            findings.error("bad_input", Place::Input(at), message);
        }
        for key in input.extra.keys() {
            let message = format!(
                "Input `{name}` has a key `{}`, which means nothing here.",
                short(key)
            );
            findings.warning("unknown_key", Place::Input(at), message);
        }
    }
}

fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.len() <= 64 && name.chars().all(legal)
}

/// What the default should be, where it is something else.
fn wrong_default(input: &InputSpec) -> Option<&'static str> {
    let default = input.default.as_ref().filter(|value| !value.is_null())?;
    let (right, what) = match input.holds {
        InputType::String | InputType::Text => (default.is_string(), "text"),
        InputType::Number => (default.is_number(), "a number"),
        InputType::Boolean => (matches!(default, Value::Bool(_)), "true or false"),
        InputType::Json => (true, ""),
    };
    (!right).then_some(what)
}
