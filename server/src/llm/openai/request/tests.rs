use expect_test::{Expect, expect};

use super::*;
use crate::llm::ToolSpec;

#[track_caller]
fn check(kind: ProviderKind, request: &ChatRequest, found: Expect) {
    let shown = serde_json::to_string_pretty(&body(kind, request)).expect("JSON");
    found.assert_eq(&shown);
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        call_id: id.into(),
        name: "lookup".into(),
        arguments: arguments.into(),
    }
}

#[test]
fn what_is_not_set_is_not_sent() {
    let request = ChatRequest {
        model: "acme/echo-2:free".into(),
        messages: vec![ChatMessage::User("Hi".into())],
        ..ChatRequest::default()
    };
    check(
        ProviderKind::Compatible,
        &request,
        expect![[r#"
        {
          "model": "acme/echo-2:free",
          "messages": [
            {
              "role": "user",
              "content": "Hi"
            }
          ],
          "stream": true,
          "stream_options": {
            "include_usage": true
          }
        }"#]],
    );
}

#[test]
fn a_conversation_with_tools_is_handed_back_in_order() {
    let request = ChatRequest {
        model: "m".into(),
        messages: vec![
            ChatMessage::System("Be brief.".into()),
            ChatMessage::User("Find it.".into()),
            ChatMessage::Assistant {
                text: String::new(),
                tool_calls: vec![
                    call("call_1", "{\"q\":\"ab\"}"),
                    call("call_2", "{\"q\":"),
                    call("call_3", ""),
                ],
                reasoning_details: vec![
                    json!({"type": "reasoning.text", "text": "Need ", "index": 0}),
                ],
            },
            ChatMessage::ToolResult {
                call_id: "call_1".into(),
                name: "lookup".into(),
                content: "found".into(),
            },
            ChatMessage::Assistant {
                text: "Done.".into(),
                tool_calls: Vec::new(),
                reasoning_details: Vec::new(),
            },
        ],
        tools: vec![ToolSpec {
            name: "lookup".into(),
            description: "Looks up.".into(),
            parameters: json!({"type": "object"}),
        }],
        max_tokens: Some(100),
        temperature: Some(0.5),
        ..ChatRequest::default()
    };
    check(
        ProviderKind::Openai,
        &request,
        expect![[r#"
        {
          "model": "m",
          "messages": [
            {
              "role": "system",
              "content": "Be brief."
            },
            {
              "role": "user",
              "content": "Find it."
            },
            {
              "role": "assistant",
              "content": null,
              "reasoning_details": [
                {
                  "type": "reasoning.text",
                  "text": "Need ",
                  "index": 0
                }
              ],
              "tool_calls": [
                {
                  "id": "call_1",
                  "type": "function",
                  "function": {
                    "name": "lookup",
                    "arguments": "{\"q\":\"ab\"}"
                  }
                },
                {
                  "id": "call_2",
                  "type": "function",
                  "function": {
                    "name": "lookup",
                    "arguments": "{}"
                  }
                },
                {
                  "id": "call_3",
                  "type": "function",
                  "function": {
                    "name": "lookup",
                    "arguments": "{}"
                  }
                }
              ]
            },
            {
              "role": "tool",
              "tool_call_id": "call_1",
              "content": "found"
            },
            {
              "role": "assistant",
              "content": "Done."
            }
          ],
          "stream": true,
          "stream_options": {
            "include_usage": true
          },
          "max_completion_tokens": 100,
          "temperature": 0.5,
          "tools": [
            {
              "type": "function",
              "function": {
                "name": "lookup",
                "description": "Looks up.",
                "parameters": {
                  "type": "object"
                }
              }
            }
          ]
        }"#]],
    );
}

#[test]
fn only_a_closed_schema_is_strict() {
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    assert!(is_strict(&closed));
    for open in [
        json!({"type": "object"}),
        json!({"type": "object", "properties": {"a": {}}, "required": ["a"]}),
        json!({"type": "object", "properties": {"a": {}}, "additionalProperties": false}),
        json!({"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"], "additionalProperties": false}),
    ] {
        assert!(!is_strict(&open), "{open}");
    }
    let request = ChatRequest {
        response_schema: Some(closed.clone()),
        ..ChatRequest::default()
    };
    let sent = body(ProviderKind::Openrouter, &request);
    assert_eq!(
        sent["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": closed}})
    );
}
