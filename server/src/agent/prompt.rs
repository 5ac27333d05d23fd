//! What the model is told: instructions, task, and what happened in the turns so far. Pure, so that an
//! attempt that was cut is told the very same once more.

use domain::{
    message::{Message, Sender},
    run::{Turn, input::AttemptSpec},
};

use super::output::Form;
use crate::llm::ChatMessage;

/// What a model hears about a tool that has no answer (which the loop does not let happen).
const NO_RESULT: &str = "There is no result.";

/// The conversation behind `turns`, all of them finished, and what the agent is handed with the next.
pub fn messages(
    spec: &AttemptSpec,
    form: &Form,
    turns: &[Turn],
    handed: &[Message],
) -> Vec<ChatMessage> {
    let mut messages = Vec::new();
    let orders: Vec<String> = [spec.instructions.trim().to_owned(), form.orders()]
        .into_iter()
        .filter(|orders| !orders.is_empty())
        .collect();
    if !orders.is_empty() {
        messages.push(ChatMessage::System(orders.join("\n\n")));
    }
    messages.push(ChatMessage::User(spec.prompt.clone()));
    for turn in turns {
        let Some(record) = &turn.done else { continue };
        messages.extend(mail(&turn.messages));
        messages.push(ChatMessage::Assistant {
            text: record.text.clone(),
            tool_calls: record.tool_calls.clone(),
            reasoning_details: record.reasoning_details.clone(),
        });
        for call in &record.tool_calls {
            let result = turn
                .tools
                .iter()
                .find(|tool| tool.call.call_id == call.call_id);
            let outcome = result.and_then(|tool| tool.outcome.as_ref());
            messages.push(ChatMessage::ToolResult {
                call_id: call.call_id.clone(),
                name: call.name.clone(),
                content: outcome
                    .map_or(NO_RESULT, |outcome| &outcome.output)
                    .to_owned(),
            });
        }
        // A turn without tools that is not the last one gave an answer that could not be used.
        if record.tool_calls.is_empty()
            && let Err(problem) = form.read(&record.text)
        {
            messages.push(ChatMessage::User(format!(
                "This answer cannot be used: {problem}. Answer again with the corrected JSON alone."
            )));
        }
    }
    messages.extend(mail(handed));
    messages
}

/// Messages as the model reads them. Who wrote them stands before the text, and the text is no order:
/// it may be of anybody.
fn mail(messages: &[Message]) -> Option<ChatMessage> {
    if messages.is_empty() {
        return None;
    }
    let letters = messages.iter().map(|message| {
        let from = match &message.from {
            Sender::Person { name } => format!("the person {name}"),
            Sender::Agent { name, .. } => format!("the agent {name}"),
        };
        let to = match &message.to_topic {
            Some(topic) => format!(", to all at `{topic}`"),
            None => String::new(),
        };
        format!("Message from {from}{to}:\n{}", message.text)
    });
    let letters: Vec<String> = letters.collect();
    Some(ChatMessage::User(letters.join("\n\n")))
}

#[cfg(test)]
mod tests;
