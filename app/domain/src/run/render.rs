//! Fills the templates of a node with what its run knows by now.

use serde_json::{Value, json};

use crate::{
    expression::{ExpressionError, Outputs, Scope, holds, render, render_value},
    graph::{AgentWork, Source},
    id::PortName,
    run::{Run, Task, TaskError, TaskState},
};

impl Outputs for Run {
    fn output(&self, node: &str) -> Option<&Value> {
        self.tasks.get(node).and_then(|task| task.state.output())
    }

    fn names(&self) -> Vec<&str> {
        self.tasks
            .iter()
            .filter(|(_, task)| matches!(task.state, TaskState::Succeeded { .. }))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// What a node reads, and the run it reads from.
pub struct Renderer<'a> {
    run: &'a Run,
    run_id: String,
}

impl<'a> Renderer<'a> {
    /// For one run as it is now.
    pub fn of(run: &'a Run) -> Self {
        Self {
            run,
            run_id: run.id.to_string(),
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            run_id: &self.run_id,
            input: &self.run.input,
            outputs: self.run,
            item: None,
            index: None,
        }
    }

    /// `{"prompt", "instructions"}` of an agent node; instructions are `null` where the node leaves
    /// them to the agent.
    pub fn agent_input(&self, work: &AgentWork) -> Result<Value, TaskError> {
        let prompt =
            render(&work.prompt, &self.scope()).map_err(|error| failed("prompt", &error))?;
        let instructions = match &work.instructions {
            Some(source) => Some(
                render(source, &self.scope()).map_err(|error| failed("instructions", &error))?,
            ),
            None => None,
        };
        Ok(json!({ "prompt": prompt, "instructions": instructions }))
    }

    /// The value of a transform.
    pub fn transform(&self, template: &Source, as_json: bool) -> Result<Value, TaskError> {
        let text = render(template, &self.scope()).map_err(|error| failed("template", &error))?;
        if as_json {
            serde_json::from_str(&text).map_err(|error| {
                TaskError::lasting("not_json", format!("The text that the template made is no JSON: {error}. Change the template, or let the result be text."))
            })
        } else {
            Ok(Value::String(text))
        }
    }

    /// The port that a branch takes.
    pub fn branch(
        &self,
        cases: &[(PortName, Source)],
        otherwise: Option<&PortName>,
    ) -> Result<PortName, TaskError> {
        for (port, condition) in cases {
            if holds(condition, &self.scope()).map_err(|error| failed("condition", &error))? {
                return Ok(port.clone());
            }
        }
        otherwise.cloned().ok_or_else(|| {
            TaskError::lasting(
                "no_case",
                "No case holds, and the branch says nothing for that. Fill in \"Otherwise\".",
            )
        })
    }

    /// The value of an output node.
    pub fn output(&self, value: &Source) -> Result<Value, TaskError> {
        render_value(value, &self.scope()).map_err(|error| failed("value", &error))
    }
}

/// The prompt of a task that is ready.
pub fn prompt_of(task: &Task) -> &str {
    text_of(task, "prompt").unwrap_or_default()
}

/// The instructions of a task that is ready, where the node has its own.
pub fn instructions_of(task: &Task) -> Option<&str> {
    text_of(task, "instructions")
}

fn text_of<'a>(task: &'a Task, key: &str) -> Option<&'a str> {
    task.input
        .as_ref()
        .and_then(|input| input.get(key))
        .and_then(Value::as_str)
}

fn failed(key: &str, error: &ExpressionError) -> TaskError {
    TaskError::lasting(
        "expression_failed",
        format!("The {key} cannot be filled in: {error}"),
    )
}
