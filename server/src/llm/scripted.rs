//! A provider that says what a test told it to say, and keeps what it was asked. For tests of whoever
//! calls models.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use domain::money::MicroUsd;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use tokio_util::sync::CancellationToken;

use super::{
    Answer, ChatRequest, Chunk, ChunkStream, CostIs, FinishReason, Llm, LlmError, ModelInfo,
    ProviderInfo, ProviderKind, ToolCall, Usage, stoppable,
};

/// One call's script.
pub enum Script {
    /// It answers.
    Says(Answer),
    /// It says this much and then fails.
    Breaks(String, LlmError),
    /// It says this much and then nothing more.
    Hangs(String),
}

/// The provider.
#[derive(Clone, Default)]
pub struct Scripted {
    scripts: Arc<Mutex<VecDeque<Script>>>,
    asked: Arc<Mutex<Vec<ChatRequest>>>,
}

impl Scripted {
    /// A provider that follows these scripts, one for each call.
    pub fn new(scripts: impl IntoIterator<Item = Script>) -> Self {
        let scripts = scripts.into_iter().collect();
        Self {
            scripts: Arc::new(Mutex::new(scripts)),
            asked: Arc::default(),
        }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<ChatRequest> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// An answer of text alone.
pub fn says(text: &str) -> Answer {
    Answer {
        text: text.to_owned(),
        reasoning: String::new(),
        tool_calls: Vec::new(),
        reasoning_details: Vec::new(),
        finish: FinishReason::Stop,
        finish_raw: None,
        usage: Usage {
            prompt_tokens: Some(10),
            completion_tokens: Some(5),
            cached_tokens: None,
            reasoning_tokens: None,
        },
        cost: Some(MicroUsd(7)),
        cost_is: CostIs::Charged,
        generation_id: Some("gen-1".to_owned()),
        model: "scripted".to_owned(),
    }
}

/// An answer that calls tools, given as (id, name, arguments).
pub fn calls(calls: &[(&str, &str, &str)]) -> Answer {
    let call = |(id, name, arguments): &(&str, &str, &str)| ToolCall {
        call_id: (*id).to_owned(),
        name: (*name).to_owned(),
        arguments: (*arguments).to_owned(),
    };
    Answer {
        tool_calls: calls.iter().map(call).collect(),
        finish: FinishReason::ToolCalls,
        ..says("")
    }
}

impl Llm for Scripted {
    fn stream(&self, request: ChatRequest, cancel: CancellationToken) -> ChunkStream {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        let script = self
            .scripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let text = |text: &str| {
            let words: Vec<_> = text
                .split_inclusive(' ')
                .map(|word| Ok(Chunk::Text(word.to_owned())))
                .collect();
            stream::iter(words)
        };
        let chunks = match script {
            Some(Script::Says(answer)) => {
                let last = Ok(Chunk::Finished(Box::new(answer.clone())));
                text(&answer.text).chain(stream::iter([last])).boxed()
            }
            Some(Script::Breaks(said, error)) => {
                text(&said).chain(stream::iter([Err(error)])).boxed()
            }
            Some(Script::Hangs(said)) => text(&said).chain(stream::pending()).boxed(),
            None => panic!("a call that no script was written for"),
        };
        stoppable(chunks, cancel)
    }

    fn models(&self) -> BoxFuture<'static, Result<Vec<ModelInfo>, LlmError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn check(&self) -> BoxFuture<'static, Result<(), LlmError>> {
        async { Ok(()) }.boxed()
    }

    fn about(&self) -> ProviderInfo {
        ProviderInfo {
            name: "scripted".to_owned(),
            kind: ProviderKind::Compatible,
            base_url: None,
            has_key: false,
            simulated: false,
            default_model: Some("default".to_owned()),
        }
    }
}
