//! What is wrong with a drawing: everything at once, each with its place and a sentence for people.

use serde::{Deserialize, Serialize};

use crate::graph::Drawing;

/// Something that is wrong, or odd, about a drawing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Whether it keeps the workflow from running.
    pub severity: Severity,
    /// For programs: `cycle`, `dangling_edge`, ... never changes its meaning.
    pub code: String,
    /// The node it is about.
    pub node: Option<String>,
    /// The edge it is about, `from.port->to.port`.
    pub edge: Option<String>,
    /// The key of the node it is about, where it is about one: the form shows it beside that field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// One sentence for people.
    pub message: String,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The workflow cannot run.
    Error,
    /// It can run, but may not do what was meant.
    Warning,
}

impl Problem {
    /// An error about the file as a whole.
    pub fn file(code: &str, message: String) -> Self {
        Self {
            severity: Severity::Error,
            code: code.into(),
            node: None,
            edge: None,
            key: None,
            message,
        }
    }
}

/// Everything that is wrong with a drawing, errors before warnings, else in the order of the file.
pub fn problems(drawing: &Drawing) -> Vec<Problem> {
    crate::graph::check::check(drawing).1
}
