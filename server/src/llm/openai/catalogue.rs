//! The list of models. OpenRouter tells prices and abilities; other servers tell little more than names.

use serde_json::Value;

use crate::llm::{ModelInfo, Pricing, wire::count};

/// Most models that are kept.
const MAX_MODELS: usize = 20_000;

/// Reads a catalogue; `None` when it is none.
pub fn read(body: &[u8]) -> Option<Vec<ModelInfo>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let list = value
        .get("data")
        .or_else(|| value.get("models"))
        .unwrap_or(&value)
        .as_array()?;
    Some(list.iter().filter_map(model).take(MAX_MODELS).collect())
}

fn model(value: &Value) -> Option<ModelInfo> {
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let id = text("id").or_else(|| text("name"))?;
    let parameters = value.get("supported_parameters").and_then(Value::as_array);
    let supports = |name: &str| {
        parameters.map(|parameters| parameters.iter().any(|it| it.as_str() == Some(name)))
    };
    Some(ModelInfo {
        id: id.to_owned(),
        name: text("name").unwrap_or(id).to_owned(),
        context_tokens: ["context_length", "max_model_len"]
            .iter()
            .find_map(|name| value.get(*name).and_then(count)),
        also: text("canonical_slug").map(str::to_owned),
        pricing: value.get("pricing").and_then(Pricing::read),
        tools: supports("tools"),
        json_schema: supports("structured_outputs"),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn openrouter_tells_prices_and_abilities() {
        let body = r#"{"data":[
            {"id":"acme/echo-2","canonical_slug":"acme/echo-2-20260101","name":"Acme: Echo 2","context_length":131072,
             "pricing":{"prompt":"0.000003","completion":"0.000015"},
             "supported_parameters":["tools","max_tokens","structured_outputs"]},
            {"id":"acme/router","pricing":{"prompt":"-1","completion":"-1"},"context_length":null},
            {"no":"id"}, 7]}"#;
        let shown: Vec<String> = read(body.as_bytes())
            .expect("a catalogue")
            .iter()
            .map(|model| format!("{model:?}"))
            .collect();
        expect![[r#"
            ModelInfo { id: "acme/echo-2", name: "Acme: Echo 2", context_tokens: Some(131072), also: Some("acme/echo-2-20260101"), pricing: Some(Pricing { usual: Prices { prompt: MicroUsd(3000000), cached: None, completion: MicroUsd(15000000), request: MicroUsd(0) }, special: [] }), tools: Some(true), json_schema: Some(true) }
            ModelInfo { id: "acme/router", name: "acme/router", context_tokens: None, also: None, pricing: None, tools: None, json_schema: None }"#]]
        .assert_eq(&shown.join("\n"));
    }

    #[test]
    fn other_servers_tell_names() {
        let body =
            br#"{"object":"list","data":[{"id":"m","object":"model","max_model_len":4096}]}"#;
        let models = read(body).expect("a catalogue");
        assert_eq!(
            (models[0].id.as_str(), models[0].context_tokens),
            ("m", Some(4096))
        );
    }

    #[test]
    fn a_web_page_is_no_catalogue() {
        assert_eq!(read(b"<html>"), None);
        assert_eq!(read(b"{}"), None);
    }
}
