//! The form that an answer must have: any text, or JSON that satisfies a schema. Schemas come from
//! workflow files; references to other places are refused, so nothing is ever fetched.

use jsonschema::Validator;
use serde_json::Value;

/// Most problems of one answer that are named; the first ones usually explain the others.
const MAX_PROBLEMS: usize = 5;
const MAX_PROBLEM_CHARS: usize = 300;

/// What an answer must be.
pub enum Form {
    /// Any text.
    Text,
    /// JSON.
    Json {
        /// As the workflow says it.
        schema: Value,
        /// The same, ready for use.
        validator: Box<Validator>,
    },
}

/// A schema that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The output schema of this step cannot be used: {0}. Correct it in the workflow.")]
pub struct BadSchema(String);

impl Form {
    /// The form that a step asks for.
    pub fn of(schema: Option<&Value>) -> Result<Self, BadSchema> {
        let Some(schema) = schema else {
            return Ok(Form::Text);
        };
        let validator = jsonschema::validator_for(schema)
            .map_err(|error| BadSchema(cut(&error.to_string())))?;
        Ok(Form::Json {
            schema: schema.clone(),
            validator: Box::new(validator),
        })
    }

    /// What the model is told about the form; empty for text.
    pub fn orders(&self) -> String {
        match self {
            Form::Text => String::new(),
            Form::Json { schema, .. } => format!(
                "Answer with JSON alone, without any text around it. It must satisfy this JSON Schema:\n{schema}"
            ),
        }
    }

    /// The value in `text`, or what is wrong with it, in words for model and people.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        match self {
            Form::Text => Ok(Value::String(text.to_owned())),
            Form::Json { validator, .. } => {
                let value: Value = serde_json::from_str(unfenced(text))
                    .map_err(|error| format!("it is not JSON ({error})"))?;
                let problems: Vec<String> = validator
                    .iter_errors(&value)
                    .take(MAX_PROBLEMS)
                    .map(|error| {
                        let place = error.instance_path().to_string();
                        let place = if place.is_empty() {
                            "the whole".to_owned()
                        } else {
                            place
                        };
                        format!("{place}: {}", cut(&error.to_string()))
                    })
                    .collect();
                if problems.is_empty() {
                    Ok(value)
                } else {
                    Err(problems.join("; "))
                }
            }
        }
    }
}

/// Models like to put JSON into a code fence whatever they are told.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"))
    else {
        return text;
    };
    let (first, rest) = inner.split_once('\n').unwrap_or(("", inner));
    if first.trim().chars().all(char::is_alphanumeric) {
        rest
    } else {
        inner
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_PROBLEM_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form() -> Form {
        let schema = json!({"type": "object", "required": ["score"], "properties": {"score": {"type": "integer"}}});
        Form::of(Some(&schema)).expect("a schema")
    }

    #[test]
    fn json_is_found_with_and_without_a_fence() {
        for text in [
            "{\"score\": 1}",
            " {\"score\": 1}\n",
            "```json\n{\"score\": 1}\n```",
            "```\n{\"score\": 1}```",
            "```{\"score\": 1}```",
        ] {
            assert_eq!(form().read(text), Ok(json!({"score": 1})), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let problem = |text| form().read(text).expect_err("a problem");
        assert!(problem("none").starts_with("it is not JSON"));
        assert_eq!(problem("{}"), "the whole: \"score\" is a required property");
        assert_eq!(
            problem("{\"score\": \"x\"}"),
            "/score: \"x\" is not of type \"integer\""
        );
    }

    #[test]
    fn text_is_taken_as_it_is() {
        let form = Form::of(None).expect("no schema");
        assert_eq!(form.read("{}"), Ok(json!("{}")));
        assert_eq!(form.orders(), "");
    }

    #[test]
    fn a_schema_that_is_none_or_points_elsewhere_is_refused() {
        assert!(Form::of(Some(&json!({"type": 7}))).is_err());
        assert!(Form::of(Some(&json!({"$ref": "http://127.0.0.1:1/schema.json"}))).is_err());
        assert!(Form::of(Some(&json!({"$ref": "file:///etc/passwd"}))).is_err());
    }
}
