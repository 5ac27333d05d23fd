//! What a run may be given: names that can be told apart, defaults of the right type.

use std::collections::HashSet;

use serde_json::Value;

use super::{Findings, Place, keys::whole, short};
use crate::{
    graph::{Drawing, InputSpec, drawing::InputType},
    kind::MAX_WAIT_MS,
};

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

/// Bounds of a run that the file sets beside its nodes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RunLimits {
    /// The longest that a run may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Most tasks at work at once.
    pub max_parallel: Option<usize>,
}

/// Reads `timeout_ms` and `max_parallel` of the workflow.
pub(super) fn limits(drawing: &Drawing, findings: &mut Findings<'_>) -> RunLimits {
    let mut number = |key: &str, max: i64| {
        let value = drawing.extra.get(key).filter(|value| !value.is_null())?;
        match whole(value) {
            Some(number) if (1..=max).contains(&number) => u64::try_from(number).ok(),
            Some(_) | None => {
                let message =
                    format!("`{key}` of the workflow must be a whole number, 1 to {max}.");
                findings.error("out_of_range", Place::File, message);
                None
            }
        }
    };
    RunLimits {
        timeout_ms: number("timeout_ms", MAX_WAIT_MS),
        max_parallel: number("max_parallel", 10_000).and_then(|most| usize::try_from(most).ok()),
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
