//! What is asked of a model, as a short text that is the same in each run that asks the same. Pure.
//!
//! It covers what the model is told, the tools on offer and the schema of the answer. Left out: which
//! model is asked and how wildly it may answer, names that providers and this product draw (of calls,
//! of the run), what a provider wants back unread, and messages between agents, as those come at
//! moments that no two runs share.

use domain::run::{Turn, input::AttemptSpec};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{output::Form, prompt};
use crate::llm::{ChatMessage, ToolSpec};

/// What stands for the id of the run, wherever a prompt names it.
const THIS_RUN: &str = "(this run)";

/// The fingerprint of what is asked behind `turns`, in hex.
pub fn of(spec: &AttemptSpec, form: &Form, turns: &[Turn], tools: &[ToolSpec]) -> String {
    let silent: Vec<Turn> = turns
        .iter()
        .map(|turn| Turn {
            messages: Vec::new(),
            ..turn.clone()
        })
        .collect();
    let run = spec.key.run.to_string();
    let messages = prompt::messages(spec, form, &silent, &[]);
    let mut calls = Vec::new();
    let messages: Vec<Value> = messages
        .iter()
        .map(|message| said(message, &run, &mut calls))
        .collect();
    let tools: Vec<Value> = tools
        .iter()
        .map(|tool| json!([tool.name, tool.description, tool.parameters]))
        .collect();
    let all = json!({ "messages": messages, "tools": tools, "schema": spec.output_schema });
    let digest = Sha256::digest(all.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A message without what providers and this product draw. Calls have numbers in the place of names.
fn said(message: &ChatMessage, run: &str, calls: &mut Vec<String>) -> Value {
    let text = |text: &str| text.replace(run, THIS_RUN);
    match message {
        ChatMessage::System(words) => json!(["system", text(words)]),
        ChatMessage::User(words) => json!(["user", text(words)]),
        ChatMessage::Assistant {
            text: words,
            tool_calls,
            reasoning_details: _,
        } => {
            let asked: Vec<Value> = tool_calls
                .iter()
                .map(|call| {
                    calls.push(call.call_id.clone());
                    json!([calls.len(), call.name, text(&call.arguments)])
                })
                .collect();
            json!(["assistant", text(words), asked])
        }
        ChatMessage::ToolResult {
            call_id,
            name,
            content,
        } => {
            let number = calls.iter().rposition(|known| known == call_id);
            json!(["tool", number.map(|at| at + 1), name, text(content)])
        }
    }
}

#[cfg(test)]
mod tests;
