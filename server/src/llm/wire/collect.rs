//! Puts the pieces of one answer together: text in order, tool calls by their index, usage from
//! whoever spoke last. Decides at the end whether there was an answer at all.

use domain::time::Timestamp;
use serde_json::{Map, Value};

use super::{CallPiece, Piece, UsagePiece};
use crate::llm::{
    Answer, ApiKey, Chunk, CostIs, FinishReason, LlmError, PriceList, Pricing, ToolCall, Usage,
    failure::Asked,
};

/// The largest answer that is kept, reasoning and tool arguments included. Output without end must
/// not fill the memory.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// More calls than this in one answer are no plan.
const MAX_TOOL_CALLS: usize = 128;

/// An answer under way.
#[derive(Debug)]
pub struct Collector {
    asked: Asked,
    idempotency_key: String,
    terms: Terms,
    generation_id: Option<String>,
    model: Option<String>,
    text: String,
    reasoning: String,
    reasoning_details: Vec<Value>,
    refusal: String,
    calls: Vec<GrowingCall>,
    finish: Option<String>,
    usage: UsagePiece,
    bytes: usize,
}

/// What is known of a call's cost before its answer comes.
#[derive(Debug, Default)]
pub struct Terms {
    /// List prices of the provider.
    pub prices: PriceList,
    /// When it was called.
    pub called_at: Timestamp,
    /// Whether it may have asked another model instead.
    pub others: bool,
    /// Whether it can say later what a call cost.
    pub keeps_costs: bool,
}

impl Terms {
    /// The prices of the model that answered; `None` where nobody knows which one did, or its prices.
    fn pricing(&self, asked: &str, answered: Option<&str>) -> Option<&Pricing> {
        let known = answered.and_then(|model| self.prices.get(model));
        // A longer name of the same model: with the date of its version.
        let is_asked = answered.map_or(!self.others, |model| {
            !self.others || model.starts_with(asked)
        });
        known.or_else(|| self.prices.get(asked).filter(|_| is_asked))
    }
}

#[derive(Debug)]
struct GrowingCall {
    index: Option<u64>,
    call: ToolCall,
}

impl Collector {
    /// Starts an answer. `generation_id` is what the response's headers said.
    pub fn new(
        asked: Asked,
        idempotency_key: String,
        terms: Terms,
        generation_id: Option<String>,
    ) -> Self {
        Self {
            asked,
            idempotency_key,
            terms,
            generation_id,
            model: None,
            text: String::new(),
            reasoning: String::new(),
            reasoning_details: Vec::new(),
            refusal: String::new(),
            calls: Vec::new(),
            finish: None,
            usage: UsagePiece::default(),
            bytes: 0,
        }
    }

    /// Who was asked for what.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// Whether a reason for the end was seen.
    pub fn saw_finish(&self) -> bool {
        self.finish
            .as_ref()
            .is_some_and(|reason| !reason.is_empty())
    }

    /// Takes a piece; gives back what a reader may see of it.
    pub fn take(&mut self, mut piece: Piece) -> Result<Vec<Chunk>, LlmError> {
        for text in [&mut piece.text, &mut piece.reasoning] {
            self.hide_key(text);
        }
        self.count_bytes(&piece)?;
        let mut seen = Vec::new();
        if self.generation_id.is_none() && self.terms.keeps_costs {
            seen.extend(piece.id.clone().map(Chunk::Began));
        }
        self.generation_id = self.generation_id.take().or(piece.id);
        self.model = piece.model.or_else(|| self.model.take());
        if let Some(usage) = piece.usage {
            self.usage = UsagePiece {
                prompt_tokens: usage.prompt_tokens.or(self.usage.prompt_tokens),
                completion_tokens: usage.completion_tokens.or(self.usage.completion_tokens),
                cached_tokens: usage.cached_tokens.or(self.usage.cached_tokens),
                reasoning_tokens: usage.reasoning_tokens.or(self.usage.reasoning_tokens),
                cost: usage.cost.or(self.usage.cost),
            };
        }
        // A later chunk may repeat the reason or leave it out, but never takes it back.
        if piece
            .finish
            .as_ref()
            .is_some_and(|reason| !reason.is_empty() || self.finish.is_none())
        {
            self.finish = piece.finish;
        }
        for detail in piece.reasoning_details {
            let known = if piece.whole {
                None
            } else {
                find_detail(&mut self.reasoning_details, &detail)
            };
            match (known, detail) {
                (Some(known), Value::Object(more)) => grow(known, more),
                (Some(_) | None, detail) => self.reasoning_details.push(detail),
            }
        }
        if self.calls.is_empty() && !piece.calls.is_empty() {
            seen.push(Chunk::Calling);
        }
        for call in piece.calls {
            let known = if piece.whole {
                None
            } else {
                self.find_call(&call)
            };
            match known {
                Some(known) => known.grow(call),
                None => self.calls.push(GrowingCall::new(call)),
            }
        }
        self.refusal.push_str(&piece.refusal);
        if !piece.reasoning.is_empty() {
            self.reasoning.push_str(&piece.reasoning);
            seen.push(Chunk::Reasoning(piece.reasoning));
        }
        if !piece.text.is_empty() {
            self.text.push_str(&piece.text);
            seen.push(Chunk::Text(piece.text));
        }
        Ok(seen)
    }

    /// What there is when the stream broke.
    pub fn cut_off(&self, detail: &str) -> LlmError {
        LlmError::CutOff {
            provider: self.asked.provider.clone(),
            detail: self.asked.detail(detail),
            generation_id: self.generation_id.clone(),
        }
    }

    /// The whole answer, once the stream is known to be at its end.
    pub fn finish(mut self) -> Result<Answer, LlmError> {
        self.hide_keys();
        let provider = self.asked.provider.clone();
        let reason = self.finish.clone().unwrap_or_default();
        if reason == "error" {
            let detail = "it ended with an error and no explanation".to_owned();
            return Err(LlmError::Failed {
                provider,
                status: 502,
                detail,
                retry_after_ms: None,
            });
        }
        if self.text.is_empty() && self.calls.is_empty() {
            if !self.refusal.trim().is_empty() {
                let detail = self.asked.detail(&self.refusal);
                return Err(LlmError::Refused { provider, detail });
            }
            if reason.is_empty() {
                return Err(LlmError::Empty { provider });
            }
        }
        let mut tool_calls: Vec<ToolCall> = Vec::new();
        for growing in self.calls {
            let taken = tool_calls
                .iter()
                .any(|known| known.call_id == growing.call.call_id);
            let place = tool_calls.len();
            tool_calls.push(named(growing.call, taken, &self.idempotency_key, place));
        }
        let usage = Usage {
            prompt_tokens: self.usage.prompt_tokens,
            completion_tokens: self.usage.completion_tokens,
            cached_tokens: self.usage.cached_tokens,
            reasoning_tokens: self.usage.reasoning_tokens,
        };
        let estimate = || {
            let pricing = self
                .terms
                .pricing(&self.asked.model, self.model.as_deref())?;
            pricing.estimate(&usage, self.terms.called_at)
        };
        let (cost, cost_is) = match self.usage.cost {
            Some(cost) => (Some(cost.micro_usd()), CostIs::Charged),
            None => match estimate() {
                Some(cost) => (Some(cost), CostIs::Estimated),
                None => (None, CostIs::Unknown),
            },
        };
        let finish = reason_of(&reason, !tool_calls.is_empty());
        Ok(Answer {
            finish,
            finish_raw: (finish == FinishReason::Other && !reason.is_empty()).then_some(reason),
            text: self.text,
            reasoning: self.reasoning,
            tool_calls,
            reasoning_details: self.reasoning_details,
            usage,
            cost,
            cost_is,
            generation_id: self.generation_id,
            model: self.model.unwrap_or(self.asked.model),
        })
    }

    /// A server that repeats what it was sent must not bring the key into an answer, which is stored.
    fn hide_key(&self, text: &mut String) {
        if let Some(key) = &self.asked.key {
            key.hide_in(text);
        }
    }

    /// The same for all that was collected: the key may have come in pieces.
    fn hide_keys(&mut self) {
        let Some(key) = &self.asked.key else { return };
        let names = self.model.iter_mut().chain(self.generation_id.iter_mut());
        let texts = [&mut self.text, &mut self.reasoning];
        let calls = self.calls.iter_mut().flat_map(|growing| {
            let ToolCall {
                call_id,
                name,
                arguments,
            } = &mut growing.call;
            [call_id, name, arguments]
        });
        for text in texts.into_iter().chain(names).chain(calls) {
            key.hide_in(text);
        }
        for detail in &mut self.reasoning_details {
            hide_in_value(key, detail);
        }
    }

    fn count_bytes(&mut self, piece: &Piece) -> Result<(), LlmError> {
        let calls = piece.calls.iter();
        let calls = calls.map(|call| 64 + call.id.len() + call.name.len() + call.arguments.len());
        self.bytes += piece.text.len() + piece.reasoning.len() + piece.refusal.len();
        self.bytes += piece.reasoning_details.iter().map(weight).sum::<usize>();
        self.bytes += calls.sum::<usize>();
        let calls = self.calls.len().max(piece.calls.len());
        if self.bytes > MAX_ANSWER_BYTES || calls > MAX_TOOL_CALLS {
            return Err(LlmError::TooMuch {
                provider: self.asked.provider.clone(),
                limit_mib: MAX_ANSWER_BYTES / 1024 / 1024,
            });
        }
        Ok(())
    }

    /// The index names the call. Without one, a new id starts a new call and everything else goes to
    /// the last. The same index with another id is another call: some servers number all calls 0.
    fn find_call(&mut self, piece: &CallPiece) -> Option<&mut GrowingCall> {
        let at = match piece.index {
            Some(_) => self
                .calls
                .iter()
                .rposition(|known| known.index == piece.index),
            None => self.calls.len().checked_sub(1),
        };
        self.calls.get_mut(at?).filter(|known| {
            let same_id = piece.id.is_empty() || known.call.call_id == piece.id;
            same_id || (known.call.call_id.is_empty() && piece.index.is_some())
        })
    }
}

impl GrowingCall {
    fn new(piece: CallPiece) -> Self {
        let CallPiece {
            index,
            id,
            name,
            arguments,
        } = piece;
        Self {
            index,
            call: ToolCall {
                call_id: id,
                name,
                arguments,
            },
        }
    }

    fn grow(&mut self, piece: CallPiece) {
        if self.call.call_id.is_empty() {
            self.call.call_id = piece.id;
        }
        if self.call.name.is_empty() {
            self.call.name = piece.name;
        }
        self.call.arguments.push_str(&piece.arguments);
    }
}

/// A call without an id of its own gets one that is the same on every repeat and of no other turn.
fn named(mut call: ToolCall, taken: bool, idempotency_key: &str, place: usize) -> ToolCall {
    if call.call_id.is_empty() || taken {
        let key = idempotency_key.bytes().chain(place.to_le_bytes());
        let hash = key.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        call.call_id = format!("call_{hash:016x}");
    }
    call
}

fn reason_of(raw: &str, has_calls: bool) -> FinishReason {
    match raw {
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => FinishReason::ToolCalls,
        "stop" | "" if has_calls => FinishReason::ToolCalls,
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

fn hide_in_value(key: &ApiKey, value: &mut Value) {
    match value {
        Value::String(text) => key.hide_in(text),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| hide_in_value(key, value)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|value| hide_in_value(key, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// About what a value takes in memory.
fn weight(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(weight).sum(),
        Value::Object(fields) => {
            let fields = fields.iter();
            fields
                .map(|(name, value)| 32 + name.len() + weight(value))
                .sum()
        }
    };
    32 + inside
}

/// The detail that `more` continues: the one with its index or, without one, the last, if the type
/// is the same.
fn find_detail<'a>(known: &'a mut [Value], more: &Value) -> Option<&'a mut Map<String, Value>> {
    let continues = |detail: &Value| {
        let same = |name: &str| detail.get(name) == more.get(name);
        let named = |value: &Value| value.get("id").is_some_and(|id| !id.is_null());
        let another = named(detail) && named(more) && !same("id");
        same("type") && same("index") && !another
    };
    let at = match more.get("index").filter(|index| !index.is_null()) {
        Some(_) => known.iter().rposition(continues),
        None => known
            .len()
            .checked_sub(1)
            .filter(|last| continues(&known[*last])),
    };
    known.get_mut(at?)?.as_object_mut()
}

fn grow(detail: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        match (detail.get_mut(&name), value) {
            (Some(Value::String(text)), Value::String(more))
                if matches!(name.as_str(), "text" | "summary" | "data") =>
            {
                text.push_str(&more);
            }
            (Some(_), Value::Null) => {}
            (_, value) => {
                detail.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
