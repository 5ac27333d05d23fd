//! Tools: what a model may ask for. Whatever it asks is answered: an unknown tool, broken arguments or a
//! failure become a sentence for the model, never a failed attempt.

pub mod note;
pub mod send_message;

use std::{path::Path, sync::Arc};

use domain::run::{AttemptKey, ToolCall, ToolOutcome};
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::Desk;
use crate::llm::ToolSpec;

/// The longest answer of a tool that a model is given.
const MAX_OUTPUT_CHARS: usize = 20_000;

/// What a tool has to work with.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The agent's own directory; nothing outside of it may be touched.
    pub workspace: &'a Path,
    /// The attempt that uses the tool.
    pub key: &'a AttemptKey,
    /// Where messages are handed in.
    pub desk: &'a dyn Desk,
    /// Whether the agent is shown what it kept in other runs.
    pub memory: bool,
}

/// One tool.
pub trait Tool: Send + Sync {
    /// How models see it. Arguments that do not satisfy the schema never reach `run`.
    fn spec(&self) -> ToolSpec;

    /// Does it.
    fn run<'a>(
        &'a self,
        arguments: Map<String, Value>,
        bench: &'a Bench<'a>,
    ) -> BoxFuture<'a, Result<String, ToolError>>;
}

/// Why a tool gave no result; the text is for the model, which may then do better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// Nobody of this name.
    #[error("There is no tool `{name}`. Use one of: {}.", known.join(", "))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The tools on offer.
        known: Vec<String>,
    },
    /// Not JSON, or not what the tool takes.
    #[error(
        "These arguments cannot be used: {0}. Call the tool again with a JSON object that fits its schema."
    )]
    Arguments(String),
    /// The tool itself failed.
    #[error("{0}")]
    Failed(String),
}

/// A step names a tool that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("There is no tool `{name}`. Known: {}. Correct the tools of this step or of its agent.", known.join(", "))]
pub struct UnknownTool {
    name: String,
    known: Vec<String>,
}

/// Every tool there is.
#[derive(Clone)]
pub struct Tools {
    all: Vec<Arc<dyn Tool>>,
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            all: vec![Arc::new(note::Note), Arc::new(send_message::SendMessage)],
        }
    }
}

impl Tools {
    /// Adds a tool.
    pub fn add(&mut self, tool: Arc<dyn Tool>) {
        self.all.push(tool);
    }

    /// The tools for an agent that may use those of these names: with any at all, `note` is among them.
    /// Without any, none is offered, because some models refuse a request that offers tools.
    pub fn offered(&self, names: &[String]) -> Result<Vec<Arc<dyn Tool>>, UnknownTool> {
        let known = names_of(&self.all);
        if let Some(name) = names.iter().find(|name| !known.contains(name)) {
            return Err(UnknownTool {
                name: name.clone(),
                known,
            });
        }
        let is_offered = |tool: &&Arc<dyn Tool>| {
            let name = tool.spec().name;
            !names.is_empty() && (name == note::NAME || names.contains(&name))
        };
        Ok(self.all.iter().filter(is_offered).cloned().collect())
    }
}

/// Runs a call of the model; its duration is for the caller to fill in.
pub async fn run(tools: &[Arc<dyn Tool>], call: &ToolCall, bench: &Bench<'_>) -> ToolOutcome {
    let found =
        find(tools, &call.name).and_then(|tool| Ok((tool, arguments(&**tool, &call.arguments)?)));
    let result = match found {
        Ok((tool, arguments)) => tool.run(arguments, bench).await,
        Err(error) => Err(error),
    };
    let failed = result.is_err();
    let text = result.unwrap_or_else(|error| error.to_string());
    let mut output: String = text.chars().take(MAX_OUTPUT_CHARS).collect();
    if output.len() < text.len() {
        output.push_str("\n(cut here)");
    }
    ToolOutcome {
        output,
        failed,
        duration_ms: 0,
    }
}

/// The tool that is called.
fn find<'a>(tools: &'a [Arc<dyn Tool>], name: &str) -> Result<&'a Arc<dyn Tool>, ToolError> {
    let unknown = || ToolError::Unknown {
        name: name.to_owned(),
        known: names_of(tools),
    };
    tools
        .iter()
        .find(|tool| tool.spec().name == name)
        .ok_or_else(unknown)
}

/// The arguments in `raw`, checked against what the tool takes.
fn arguments(tool: &dyn Tool, raw: &str) -> Result<Map<String, Value>, ToolError> {
    // Models leave arguments out where a tool needs none.
    let raw = if raw.trim().is_empty() { "{}" } else { raw };
    let arguments: Value = serde_json::from_str(raw)
        .map_err(|error| ToolError::Arguments(format!("not a JSON object ({error})")))?;
    jsonschema::validate(&tool.spec().parameters, &arguments)
        .map_err(|error| ToolError::Arguments(error.to_string()))?;
    match arguments {
        Value::Object(arguments) => Ok(arguments),
        other => Err(ToolError::Arguments(format!(
            "{other} is not a JSON object"
        ))),
    }
}

fn names_of(tools: &[Arc<dyn Tool>]) -> Vec<String> {
    tools.iter().map(|tool| tool.spec().name).collect()
}

#[cfg(test)]
mod tests;
