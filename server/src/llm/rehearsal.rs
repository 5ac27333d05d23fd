//! Rehearsal: the built-in provider. Answers are made up on the spot from the request itself, offline and
//! free, so that a workflow can be drawn, run, watched and tested without any key. The same messages
//! always get the same answer. It refuses to pretend: every page labels its answers as simulated.
//!
//! Models: `default` · `echo` repeats the last user message · `slow` writes five tokens a second
//! whatever the speed is set to · `fail` always fails, for good · `flaky` fails the first time it sees an
//! idempotency key and answers the second time.
//!
//! How `default` finds its answer:
//! 1. The prompt is split into what is asked and the material to work on (`scene`): material starts at
//!    the first Markdown heading, or behind a line that ends with a colon.
//! 2. A verb at the beginning of a clause decides what kind of text is wanted (`intent`): plan, research,
//!    draft, review, revise, summarise, code, decide, translate, list, opinion. Failing that, the role in the
//!    instructions does ("You are a careful reviewer").
//! 3. The answer begins with a heading that ends with the topic, and quotes the material (`compose`); the
//!    next step finds the topic in that heading.
//! 4. "Answer with APPROVED or REVISE", "VERDICT: …" and their kin are obeyed (`verdict`): the first review
//!    of a text finds fault, a text that says it was revised is let through.
//! 5. With a response schema the answer is JSON that satisfies it (`sample`).
//! 6. Where the tool `note` is on offer and the prompt or the instructions speak of notes, the first turn
//!    calls it.
//!
//! Tokens are estimated: a token is four characters.

mod compose;
mod dice;
mod intent;
mod sample;
mod scene;
mod verdict;

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::money::MicroUsd;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::{dice::Dice, scene::Scene};
use super::{
    Answer, ChatMessage, ChatRequest, Chunk, ChunkStream, CostIs, FinishReason, Llm, LlmError,
    ModelInfo, Pricing, ProviderInfo, ProviderKind, ToolCall, Usage, stoppable,
};

/// The provider's name.
pub const NAME: &str = "rehearsal";

const MODELS: [(&str, &str); 5] = [
    ("default", "Rehearsal"),
    ("echo", "Rehearsal: repeats the last message"),
    ("slow", "Rehearsal: five tokens a second"),
    ("fail", "Rehearsal: always fails"),
    ("flaky", "Rehearsal: fails once, then answers"),
];

const SLOW_TOKENS_PER_SECOND: u32 = 5;
const CHARS_PER_TOKEN: usize = 4;
/// Calls that `flaky` remembers. One that was forgotten fails once more, which is harmless.
const REMEMBERED_CALLS: usize = 10_000;

/// The provider.
#[derive(Clone)]
pub struct Rehearsal {
    /// 0 = at once.
    tokens_per_second: u32,
    failed_once: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    keys: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Rehearsal {
    /// A provider that writes so many tokens a second; 0 writes everything at once.
    pub fn new(tokens_per_second: u32) -> Self {
        Self {
            tokens_per_second,
            failed_once: Arc::default(),
        }
    }

    fn answer(&self, request: &ChatRequest) -> Result<Answer, LlmError> {
        let provider = NAME.to_owned();
        match request.model.as_str() {
            "default" | "slow" => Ok(compose_answer(request)),
            "echo" => Ok(finished(
                request,
                last_user_message(request).to_owned(),
                Vec::new(),
            )),
            "fail" => Err(LlmError::BadRequest {
                provider,
                status: 400,
                detail: "the model `fail` fails every call, as its name says".to_owned(),
            }),
            "flaky" if self.is_first_time(&request.idempotency_key) => Err(LlmError::Failed {
                provider,
                status: 503,
                detail: "the model `flaky` fails the first time it is asked".to_owned(),
                retry_after_ms: None,
            }),
            "flaky" => Ok(compose_answer(request)),
            other => Err(LlmError::NoModel {
                provider,
                model: other.to_owned(),
                detail: format!("there are {}", MODELS.map(|(id, _)| id).join(", ")),
            }),
        }
    }

    fn is_first_time(&self, idempotency_key: &str) -> bool {
        let key = Dice::of([idempotency_key]).seed();
        let mut seen = self
            .failed_once
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !seen.keys.insert(key) {
            return false;
        }
        seen.order.push_back(key);
        if seen.order.len() > REMEMBERED_CALLS
            && let Some(oldest) = seen.order.pop_front()
        {
            seen.keys.remove(&oldest);
        }
        true
    }
}

impl Llm for Rehearsal {
    fn stream(&self, request: ChatRequest, cancel: CancellationToken) -> ChunkStream {
        let speed = match request.model.as_str() {
            "slow" => SLOW_TOKENS_PER_SECOND,
            _ => self.tokens_per_second,
        };
        let provider = self.clone();
        let chunks = stream::once(async move {
            match provider.answer(&request) {
                Ok(answer) => play(answer, speed),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            }
        });
        stoppable(chunks.flatten().boxed(), cancel)
    }

    fn models(&self) -> BoxFuture<'static, Result<Vec<ModelInfo>, LlmError>> {
        let models = MODELS.map(|(id, name)| ModelInfo {
            id: id.to_owned(),
            name: name.to_owned(),
            context_tokens: None,
            also: None,
            pricing: Some(Pricing::default()),
            tools: Some(true),
            json_schema: Some(true),
        });
        async { Ok(models.into()) }.boxed()
    }

    fn check(&self) -> BoxFuture<'static, Result<(), LlmError>> {
        async { Ok(()) }.boxed()
    }

    fn about(&self) -> ProviderInfo {
        ProviderInfo {
            name: NAME.to_owned(),
            kind: ProviderKind::Rehearsal,
            base_url: None,
            has_key: false,
            simulated: true,
            default_model: Some("default".to_owned()),
        }
    }
}

/// Hands out the text of `answer` at its speed, then the answer.
fn play(answer: Answer, tokens_per_second: u32) -> ChunkStream {
    let pieces: Vec<String> = if tokens_per_second == 0 {
        answer
            .text
            .split_inclusive("\n\n")
            .map(str::to_owned)
            .collect()
    } else {
        words(&answer.text)
    };
    let started = Instant::now();
    let last = Chunk::Finished(Box::new(answer));
    let play = (pieces.into_iter(), 0_usize, Some(last));
    stream::unfold(play, move |(mut pieces, mut chars, mut last)| async move {
        let Some(piece) = pieces.next() else {
            let last = last.take()?;
            return Some((Ok(last), (pieces, chars, None)));
        };
        chars += piece.chars().count();
        if tokens_per_second > 0 {
            // From the beginning and not from the last word: the speed stays true however late a
            // timer fires.
            let tokens = chars as f64 / CHARS_PER_TOKEN as f64;
            sleep_until(started + Duration::from_secs_f64(tokens / f64::from(tokens_per_second)))
                .await;
        }
        Some((Ok(Chunk::Text(piece)), (pieces, chars, last)))
    })
    .boxed()
}

/// Words, each with the blanks behind it.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        let is_blank = piece.trim().is_empty();
        if !is_blank && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        word.push_str(piece);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn compose_answer(request: &ChatRequest) -> Answer {
    let mut scene = Scene::of(request);
    if let Some(call) = note_call(request, &mut scene) {
        return finished(
            request,
            "I keep the main point in my notes first.".to_owned(),
            vec![call],
        );
    }
    let text = match &request.response_schema {
        Some(schema) => {
            let value = sample::of(schema, &mut scene);
            serde_json::to_string_pretty(&value).unwrap_or_else(|_| value.to_string())
        }
        None => compose::text(&mut scene),
    };
    finished(request, text, Vec::new())
}

/// The call of the tool `note` that a first turn makes when the request speaks of notes.
fn note_call(request: &ChatRequest, scene: &mut Scene) -> Option<ToolCall> {
    let tool = request.tools.iter().find(|tool| tool.name == "note")?;
    let is_first_turn = request.messages.iter().all(|message| match message {
        ChatMessage::System(_) | ChatMessage::User(_) => true,
        ChatMessage::Assistant { .. } | ChatMessage::ToolResult { .. } => false,
    });
    if !is_first_turn || !scene.speaks_of_notes {
        return None;
    }
    let mut arguments = sample::of(&tool.parameters, scene);
    let line = compose::note(scene);
    if let Value::Object(fields) = &mut arguments {
        let texts = fields.values_mut().filter(|value| value.is_string());
        texts
            .take(1)
            .for_each(|value| *value = Value::String(line.clone()));
    }
    Some(ToolCall {
        call_id: format!(
            "call_{:016x}",
            Dice::of([request.idempotency_key.as_str()]).seed()
        ),
        name: tool.name.clone(),
        arguments: arguments.to_string(),
    })
}

/// The answer with its numbers, cut where it is longer than the request allows.
fn finished(request: &ChatRequest, mut text: String, tool_calls: Vec<ToolCall>) -> Answer {
    let limit = request.max_tokens.map_or(usize::MAX, |tokens| {
        usize::try_from(tokens)
            .unwrap_or(usize::MAX)
            .saturating_mul(CHARS_PER_TOKEN)
    });
    let mut finish = if tool_calls.is_empty() {
        FinishReason::Stop
    } else {
        FinishReason::ToolCalls
    };
    if let Some((at, _)) = text.char_indices().nth(limit) {
        text.truncate(at);
        finish = FinishReason::Length;
    }
    let arguments: usize = tool_calls.iter().map(|call| tokens(&call.arguments)).sum();
    let completion = tokens(&text) + arguments;
    let prompt: usize = message_texts(request).map(tokens).sum();
    let count = |tokens: usize| u64::try_from(tokens).ok();
    Answer {
        text,
        reasoning: String::new(),
        tool_calls,
        reasoning_details: Vec::new(),
        finish,
        finish_raw: None,
        usage: Usage {
            prompt_tokens: count(prompt),
            completion_tokens: count(completion),
            cached_tokens: None,
            reasoning_tokens: None,
        },
        cost: Some(MicroUsd(0)),
        cost_is: CostIs::Charged,
        generation_id: Some(format!(
            "rehearsal-{:016x}",
            Dice::of(message_texts(request)).seed()
        )),
        model: request.model.clone(),
    }
}

fn tokens(text: &str) -> usize {
    text.chars().count().div_ceil(CHARS_PER_TOKEN)
}

fn last_user_message(request: &ChatRequest) -> &str {
    let texts = request
        .messages
        .iter()
        .rev()
        .filter_map(|message| match message {
            ChatMessage::User(text) => Some(text.as_str()),
            ChatMessage::System(_)
            | ChatMessage::Assistant { .. }
            | ChatMessage::ToolResult { .. } => None,
        });
    texts.take(1).next().unwrap_or_default()
}

fn message_texts(request: &ChatRequest) -> impl Iterator<Item = &str> {
    request.messages.iter().map(|message| match message {
        ChatMessage::System(text) | ChatMessage::User(text) => text.as_str(),
        ChatMessage::Assistant { text, .. } => text,
        ChatMessage::ToolResult { content, .. } => content,
    })
}

#[cfg(test)]
mod tests;
