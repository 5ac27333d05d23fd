//! What things weigh, so that no graph keeps the engine to itself: what a task evaluates as it begins,
//! and what its output takes.

use serde_json::Value;

use super::MAX_OUTPUT_BYTES;
use crate::{
    graph::{Field, Form, Source, WaitWork, Work},
    run::TaskError,
};

/// Expressions that one decision may evaluate: then others have their turn.
pub(super) const EVALUATED_AT_ONCE: usize = 256;

/// So much output counts as one more expression: the events of a decision are one commit.
pub(super) const BYTES_PER_EXPRESSION: usize = 16 * 1024;

/// So much work counts as one more expression; one unit is an instruction or 64 bytes.
const WORK_PER_EXPRESSION: u64 = 10_000;

/// So much of a source counts as one more: it is read anew each time.
const SOURCE_PER_EXPRESSION: usize = 1024;

/// What a value takes beside its text.
const VALUE_BYTES: usize = 32;

/// What a value takes, about as memory holds it: a list of a million zeros is not small.
pub(super) fn bytes(value: &Value) -> usize {
    let more = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes).sum(),
        Value::Object(keys) => keys
            .iter()
            .map(|(key, value)| VALUE_BYTES + key.len() + bytes(value))
            .sum(),
    };
    VALUE_BYTES + more
}

/// How many expressions this work is as much as.
pub(super) fn of_work(work: u64) -> usize {
    usize::try_from(work / WORK_PER_EXPRESSION).unwrap_or(usize::MAX)
}

/// What is said when the outputs of a run become too many.
pub(super) fn too_large() -> TaskError {
    let most = MAX_OUTPUT_BYTES / (1024 * 1024);
    TaskError::lasting(
        "run_too_large",
        format!(
            "With the result of this step, all results of this run would take more than {most} MiB. \
             Let steps bring less, or split the work into several runs."
        ),
    )
}

/// How many expressions a task evaluates as it begins; text without any costs nothing.
pub(super) fn expressions(work: &Work) -> usize {
    match work {
        Work::Agent(work) => of(&work.prompt) + work.instructions.as_ref().map_or(0, of),
        Work::Transform { template, .. } => of(template),
        Work::Branch { cases, .. } => cases.iter().map(|(_, when)| of(when)).sum(),
        Work::Map(work) => of(&work.items),
        Work::Loop(_) => 0,
        Work::Http(work) => {
            of(&work.url) + work.body.as_ref().map_or(0, of) + fields(&work.headers)
        }
        Work::Approval { message, .. } => of(message),
        Work::Wait(WaitWork::For(_)) => 0,
        Work::Wait(WaitWork::Until(moment)) => of(moment),
        Work::Workflow { input, .. } => fields(input),
        Work::Output { value } => of(value),
    }
}

fn of(source: &Source) -> usize {
    match source.form {
        Form::Template if !source.text.contains('{') => 0,
        Form::Template | Form::Expression => 1 + source.text.len() / SOURCE_PER_EXPRESSION,
    }
}

fn fields(fields: &[(String, Field)]) -> usize {
    let one = |(_, field): &(String, Field)| match field {
        Field::Template(source) => of(source),
        Field::Plain(_) => 0,
    };
    fields.iter().map(one).sum()
}
