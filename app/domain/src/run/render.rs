//! Fills the templates of a node with what its run knows by now.

use serde_json::{Value, json};

use crate::{
    expression::{ExpressionError, Outputs, Scope, evaluate, holds, render, render_value},
    graph::{AgentWork, Field, HttpWork, Source},
    id::PortName,
    run::{Run, Task, TaskError, input::HttpRequest},
    time::Timestamp,
};

/// What a node reads.
pub struct Renderer<'a> {
    run_id: String,
    input: &'a Value,
    outputs: &'a dyn Outputs,
    item: Option<&'a Value>,
    index: Option<usize>,
}

impl<'a> Renderer<'a> {
    /// For a node that sees these outputs, and this item and index where it stands in a body.
    pub fn new(
        run: &'a Run,
        outputs: &'a dyn Outputs,
        item: Option<&'a Value>,
        index: Option<usize>,
    ) -> Self {
        Self {
            run_id: run.id.to_string(),
            input: &run.input,
            outputs,
            item,
            index,
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            run_id: &self.run_id,
            input: self.input,
            outputs: self.outputs,
            item: self.item,
            index: self.index,
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

impl Renderer<'_> {
    /// The items of a map.
    pub fn items(&self, items: &Source) -> Result<Vec<Value>, TaskError> {
        let value =
            evaluate(items, &self.scope()).map_err(|error| failed("list of items", &error))?;
        match value {
            Value::Array(items) if items.len() <= MAX_ITEMS => Ok(items),
            Value::Array(items) => Err(TaskError::lasting(
                "too_many_items",
                format!(
                    "The list has {} items; a map takes at most {MAX_ITEMS}.",
                    items.len()
                ),
            )),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_) => Err(TaskError::lasting(
                "not_a_list",
                "The items are no list. If they are text that holds JSON, let `fromjson` read it.",
            )),
        }
    }

    /// Whether a loop ends.
    pub fn until(&self, until: &Source) -> Result<bool, TaskError> {
        holds(until, &self.scope()).map_err(|error| failed("condition `until`", &error))
    }

    /// What a person is asked.
    pub fn message(&self, message: &Source) -> Result<String, TaskError> {
        render(message, &self.scope()).map_err(|error| failed("message", &error))
    }

    /// The moment to which a wait lasts.
    pub fn moment(&self, until: &Source) -> Result<Timestamp, TaskError> {
        let text = render(until, &self.scope()).map_err(|error| failed("moment", &error))?;
        Timestamp::parse_rfc3339(text.trim()).ok_or_else(|| {
            TaskError::lasting(
                "bad_moment",
                "The moment to wait for cannot be read: write it like 2030-01-31T09:00:00Z.",
            )
        })
    }

    /// Values by name, as one object.
    pub fn fields(&self, key: &str, fields: &[(String, Field)]) -> Result<Value, TaskError> {
        let mut object = serde_json::Map::new();
        for (name, field) in fields {
            let value = match field {
                Field::Plain(value) => value.clone(),
                Field::Template(source) => {
                    render_value(source, &self.scope()).map_err(|error| failed(key, &error))?
                }
            };
            object.insert(name.clone(), value);
        }
        Ok(Value::Object(object))
    }

    /// A request.
    pub fn request(&self, work: &HttpWork) -> Result<HttpRequest, TaskError> {
        let text = |key: &str, source: &Source| {
            render(source, &self.scope()).map_err(|error| failed(key, &error))
        };
        let url = text("URL", &work.url)?;
        let mut headers = Vec::with_capacity(work.headers.len());
        for (name, field) in &work.headers {
            let value = match field {
                Field::Plain(Value::String(value)) => value.clone(),
                Field::Plain(value) => value.to_string(),
                Field::Template(source) => text("headers", source)?,
            };
            headers.push((name.clone(), value));
        }
        let body = match &work.body {
            Some(source) => Some(text("body", source)?),
            None => None,
        };
        Ok(HttpRequest {
            method: work.method.clone(),
            url: url.trim().to_owned(),
            headers,
            body,
        })
    }
}

/// Most items of a map.
pub const MAX_ITEMS: usize = 100_000;

/// A request as it is stored and shown: without values of headers that may hold a secret.
pub fn shown(request: &HttpRequest) -> Value {
    let secret = [
        "authorization",
        "cookie",
        "key",
        "token",
        "secret",
        "password",
    ];
    let headers = request.headers.iter().map(|(name, value)| {
        let lower = name.to_ascii_lowercase();
        let hidden = secret.iter().any(|word| lower.contains(word));
        let value = if hidden { "(hidden)" } else { value };
        (name.clone(), Value::from(value))
    });
    json!({
        "method": request.method,
        "url": request.url,
        "headers": headers.collect::<serde_json::Map<_, _>>(),
        "body": request.body,
    })
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
