use serde_json::json;

use super::*;
use crate::llm::{ChatMessage, ChatRequest};

fn sample(schema: &Value) -> Value {
    let messages = vec![ChatMessage::User(
        "Review: # Draft: tea\n\nTea is a drink. It is warm and good.".into(),
    )];
    of(
        schema,
        &mut Scene::of(&ChatRequest {
            messages,
            ..ChatRequest::default()
        }),
    )
}

#[track_caller]
fn check(schema: Value) {
    let value = sample(&schema);
    if let Err(error) = jsonschema::validate(&schema, &value) {
        panic!("{value} does not satisfy {schema}: {error}");
    }
}

#[test]
fn samples_satisfy_their_schema() {
    check(json!({}));
    check(json!({"type": "object", "properties": {
        "title": {"type": "string", "maxLength": 3},
        "score": {"type": "integer", "minimum": 1, "maximum": 10},
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "points": {"type": "array", "items": {"type": "string", "minLength": 80}, "minItems": 5},
        "nested": {"type": "object", "required": ["deep"], "additionalProperties": false,
            "properties": {"deep": {"type": ["null", "boolean"]}}},
        "none": {"type": "null"}, "fixed": {"const": 7}, "one": {"enum": ["a", "b"]}
    }, "required": ["title", "score", "extra"]}));
    check(json!({"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": true, "maxItems": 2}));
    check(json!({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}));
    check(json!({"type": "array", "minItems": 2}));
    check(json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}));
    check(json!({"anyOf": [{"type": "integer", "minimum": 5}, {"type": "string"}]}));
    check(
        json!({"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}]}),
    );
    check(
        json!({"$ref": "#/$defs/x", "$defs": {"x": {"type": "object", "required": ["y"],
        "properties": {"y": {"$ref": "#/$defs/z"}}}, "z": {"type": "integer", "multipleOf": 5, "minimum": 7}}}),
    );
    check(
        json!({"type": "string", "enum": []})
            .get("x")
            .cloned()
            .unwrap_or(json!({"type": "string"})),
    );
}

#[test]
fn a_schema_that_holds_itself_comes_to_an_end() {
    let schema = json!({"$defs": {"node": {"type": "object", "properties": {
        "name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}},
        "$ref": "#/$defs/node"});
    assert!(sample(&schema).to_string().len() < 100_000);
    check(schema);
    let _ = sample(&json!({"$ref": "#"}));
    let _ = sample(&json!({"anyOf": [{"$ref": "#"}]}));
    let _ = sample(&json!({"type": "array", "minItems": 1e300, "items": {"type": "string"}}));
    let _ = sample(&json!({"type": "string", "minLength": 1e300}));
    let _ = sample(&json!({"type": "integer", "minimum": 1e300, "multipleOf": 1e-300}));
}

#[test]
fn verdicts_follow_the_text() {
    let schema = json!({"properties": {"verdict": {"enum": ["pass", "fail"]}, "is_ready": {"type": "boolean"}}});
    assert_eq!(
        sample(&schema),
        json!({"verdict": "fail", "is_ready": false})
    );
}
