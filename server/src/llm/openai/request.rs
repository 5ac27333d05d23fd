//! What is sent: headers and body of a call, in the dialect that the server understands.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::Settings;
use crate::llm::{ChatMessage, ChatRequest, ProviderKind, ToolCall};

/// Where a product lives that nobody gave a public address.
const AT_HOME: &str = "http://localhost";

/// Headers of every request; `None` when the key cannot stand in one.
pub fn headers(settings: &Settings) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &settings.key {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).ok()?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    match settings.kind {
        ProviderKind::Openrouter => {
            let title = HeaderName::from_static("x-openrouter-title");
            headers.insert(title, HeaderValue::from_static("Troupe"));
            // A title without an address is counted for nobody.
            let url = settings.app_url.as_deref().unwrap_or(AT_HOME);
            if let Ok(url) = HeaderValue::from_str(url) {
                headers.insert(HeaderName::from_static("http-referer"), url);
            }
        }
        ProviderKind::Openai | ProviderKind::Compatible | ProviderKind::Rehearsal => {}
    }
    Some(headers)
}

/// The body of a call. What is not set is not sent.
pub fn body(kind: ProviderKind, request: &ChatRequest) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model));
    body.insert(
        "messages".into(),
        request.messages.iter().map(message).collect(),
    );
    body.insert("stream".into(), json!(true));
    body.insert("stream_options".into(), json!({"include_usage": true}));
    if let Some(max_tokens) = request.max_tokens {
        // OpenAI's reasoning models refuse the old name, most other servers know no other.
        let name = match kind {
            ProviderKind::Openai => "max_completion_tokens",
            ProviderKind::Openrouter | ProviderKind::Compatible | ProviderKind::Rehearsal => {
                "max_tokens"
            }
        };
        body.insert(name.into(), json!(max_tokens));
    }
    // Others would refuse what they do not know, or take it for their own.
    match kind {
        ProviderKind::Openrouter => {
            if !request.models.is_empty() {
                let all = [&request.model].into_iter().chain(&request.models);
                body.insert("models".into(), all.map(|model| json!(model)).collect());
            }
            if !request.preferences.is_empty() {
                body.insert("provider".into(), request.preferences.to_value());
            }
        }
        ProviderKind::Openai | ProviderKind::Compatible | ProviderKind::Rehearsal => {}
    }
    if let Some(temperature) = request.temperature {
        body.insert("temperature".into(), json!(temperature));
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            }})
        });
        body.insert("tools".into(), tools.collect());
    }
    if let Some(schema) = &request.response_schema {
        let format = json!({"type": "json_schema", "json_schema": {
            "name": "answer",
            "strict": is_strict(schema),
            "schema": schema,
        }});
        body.insert("response_format".into(), format);
    }
    Value::Object(body)
}

fn message(message: &ChatMessage) -> Value {
    match message {
        ChatMessage::System(text) => json!({"role": "system", "content": text}),
        ChatMessage::User(text) => json!({"role": "user", "content": text}),
        ChatMessage::ToolResult {
            call_id, content, ..
        } => {
            json!({"role": "tool", "tool_call_id": call_id, "content": content})
        }
        ChatMessage::Assistant {
            text,
            tool_calls,
            reasoning_details,
        } => {
            let mut said = Map::new();
            said.insert("role".into(), json!("assistant"));
            let only_calls = text.is_empty() && !tool_calls.is_empty();
            said.insert(
                "content".into(),
                if only_calls { Value::Null } else { json!(text) },
            );
            if !reasoning_details.is_empty() {
                said.insert("reasoning_details".into(), json!(reasoning_details));
            }
            if !tool_calls.is_empty() {
                said.insert("tool_calls".into(), tool_calls.iter().map(call).collect());
            }
            Value::Object(said)
        }
    }
}

/// A call handed back. Servers parse the arguments again, so empty or broken ones go as `{}`; what was
/// wrong with them stands in the tool's answer.
fn call(call: &ToolCall) -> Value {
    let well_formed = serde_json::from_str::<Map<String, Value>>(&call.arguments).is_ok();
    let arguments = if well_formed {
        call.arguments.as_str()
    } else {
        "{}"
    };
    json!({"id": call.call_id, "type": "function", "function": {
        "name": call.name,
        "arguments": arguments,
    }})
}

/// Strict mode is refused for schemas that leave anything open, so it is only asked for where every
/// object names all of its properties as required and allows no others.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let closed =
                map.get("properties")
                    .and_then(Value::as_object)
                    .is_none_or(|properties| {
                        let required = map.get("required").and_then(Value::as_array);
                        let is_required = |name: &String| {
                            required.is_some_and(|names| {
                                names.iter().any(|it| it.as_str() == Some(name))
                            })
                        };
                        map.get("additionalProperties") == Some(&Value::Bool(false))
                            && properties.keys().all(is_required)
                    });
            let bare_object = map.get("type").and_then(Value::as_str) == Some("object")
                && !map.contains_key("properties");
            closed && !bare_object && map.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests;
