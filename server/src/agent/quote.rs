//! What a call can take at most, said before it is made. Pure.

use domain::budget::{Price, Quote};

use crate::llm::{ChatMessage, ChatRequest, ListPrice};

/// What goes around a message: its role, and marks of where it begins and ends.
const AROUND_MESSAGE: usize = 8;

/// What it can take. Nobody knows how a model cuts text into tokens, so a token is taken to be two
/// bytes long: prose has twice that, and only text without sense has less.
pub fn of(request: &ChatRequest, price: ListPrice) -> Quote {
    let messages: usize = request.messages.iter().map(message).sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| {
            let parameters = tool.parameters.to_string().len();
            tool.name.len() + tool.description.len() + parameters + 32
        })
        .sum();
    let schema = request
        .response_schema
        .as_ref()
        .map_or(0, |schema| schema.to_string().len());
    let read =
        tokens(messages + tools + schema) + tokens(request.messages.len() * 2 * AROUND_MESSAGE);
    let written = u64::from(request.max_tokens.unwrap_or_default());
    let price = match price {
        ListPrice::Free => Price::Free,
        ListPrice::Known(pricing) => Price::AtMost(pricing.most(read, written)),
        ListPrice::Unknown => Price::Unknown,
    };
    Quote {
        price,
        tokens: read.saturating_add(written),
    }
}

fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(2)).unwrap_or(u64::MAX)
}

fn message(message: &ChatMessage) -> usize {
    match message {
        ChatMessage::System(text) | ChatMessage::User(text) => text.len(),
        ChatMessage::Assistant {
            text,
            tool_calls,
            reasoning_details,
        } => {
            let calls = tool_calls
                .iter()
                .map(|call| call.call_id.len() + call.name.len() + call.arguments.len());
            let details = reasoning_details
                .iter()
                .map(|detail| detail.to_string().len());
            text.len() + calls.sum::<usize>() + details.sum::<usize>()
        }
        ChatMessage::ToolResult {
            call_id,
            name,
            content,
        } => call_id.len() + name.len() + content.len(),
    }
}

#[cfg(test)]
mod tests {
    use domain::money::MicroUsd;

    use super::*;
    use crate::llm::{Pricing, pricing::Prices};

    fn request(text: &str) -> ChatRequest {
        ChatRequest {
            messages: vec![ChatMessage::User(text.to_owned())],
            max_tokens: Some(1_000),
            ..ChatRequest::default()
        }
    }

    #[test]
    fn input_and_longest_answer_are_priced_together() {
        let prices = Prices {
            prompt: MicroUsd(1_000_000),
            completion: MicroUsd(10_000_000),
            ..Prices::default()
        };
        let pricing = Pricing::from(prices);
        let quote = of(&request(&"a".repeat(1_984)), ListPrice::Known(pricing));
        assert_eq!(quote.tokens, 2_000);
        assert_eq!(quote.price, Price::AtMost(MicroUsd(1_000 + 10_000)));
    }

    #[test]
    fn what_has_no_price_is_told_apart_from_what_costs_nothing() {
        let of = |price| of(&request("x"), price).price;
        assert_eq!(of(ListPrice::Free), Price::Free);
        assert_eq!(of(ListPrice::Unknown), Price::Unknown);
    }
}
