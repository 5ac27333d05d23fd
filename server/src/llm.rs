//! Where models are called, and the only place that speaks a model server's HTTP.
//!
//! Reading order: this file (the port), `providers` (which name leads where), `openai` (every server
//! that understands `/chat/completions`), `rehearsal` (the built-in provider, offline).
//!
//! One call is one turn. Refused here: repeating a call (a repeat may be billed twice, so it is the
//! kernel's decision), running tools, and judging an answer. What an error means to a person stands in
//! the error itself; no error, log line or `Debug` text holds a key.

mod cost;
pub mod desk;
mod error;
mod failure;
pub mod key;
pub mod nearby;
pub mod openai;
pub mod pricing;
pub mod providers;
mod raw;
mod reader;
pub mod rehearsal;
#[cfg(test)]
pub mod scripted;
mod sse;
mod wire;

use domain::{graph::Preferences, money::MicroUsd};
pub use domain::{
    quota::Quota,
    run::{CostIs, FinishReason, ToolCall},
};
use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use self::{
    error::{LlmError, Patience},
    key::ApiKey,
    pricing::{PriceList, Pricing},
    providers::{Origin, Providers, Resolved},
};

/// What a call yields, piece by piece. Exactly one item is the last: `Finished` or an error.
pub type ChunkStream = BoxStream<'static, Result<Chunk, LlmError>>;

/// A provider of model answers. Its twin for tests and for a start without any key is `rehearsal`.
pub trait Llm: Send + Sync {
    /// Makes one call. Nothing happens before the stream is polled; dropping it, or cancelling the
    /// token, closes the connection, which is all the stopping that the protocol knows.
    fn stream(&self, request: ChatRequest, cancel: CancellationToken) -> ChunkStream;

    /// The models on offer, as far as the provider tells.
    fn models(&self) -> BoxFuture<'static, Result<Vec<ModelInfo>, LlmError>>;

    /// Whether a call would get through: reachable, and the key accepted. Costs nothing.
    fn check(&self) -> BoxFuture<'static, Result<(), LlmError>>;

    /// What the key may still spend, as far as the provider tells. Costs nothing.
    fn quota(&self) -> BoxFuture<'static, Result<Quota, LlmError>> {
        Box::pin(async { Ok(Quota::default()) })
    }

    /// What people may know about it.
    fn about(&self) -> ProviderInfo;

    /// Whether it can say later what a call cost: its calls then begin with [`Chunk::Began`].
    fn keeps_costs(&self) -> bool {
        false
    }

    /// What a call cost that ended without a word about it.
    fn late_cost(&self, _generation_id: &str) -> BoxFuture<'static, Result<Late, LlmError>> {
        std::future::ready(Ok(Late::Never)).boxed()
    }

    /// What a model costs by list, for budgets. Whoever rehearses, or asks for no key, charges nothing; of
    /// the others nobody knows, unless they say.
    fn price(&self, _model: &str) -> BoxFuture<'static, ListPrice> {
        let about = self.about();
        let price = match about.kind {
            ProviderKind::Rehearsal => ListPrice::Free,
            ProviderKind::Compatible if !about.has_key => ListPrice::Free,
            ProviderKind::Compatible | ProviderKind::Openrouter | ProviderKind::Openai => {
                ListPrice::Unknown
            }
        };
        std::future::ready(price).boxed()
    }
}

/// What a provider says of a call after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Late {
    /// This.
    Known(LateAnswer),
    /// Nothing so far; it writes its books with a delay.
    NotYet,
    /// It keeps no such books.
    Never,
}

/// What a call took, as its provider's books say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateAnswer {
    /// What it cost.
    pub cost: MicroUsd,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens read.
    pub prompt_tokens: Option<u64>,
    /// Tokens written.
    pub completion_tokens: Option<u64>,
}

/// What a model costs by list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListPrice {
    /// Nothing.
    Free,
    /// This much.
    Known(Pricing),
    /// Its provider charges, and does not say how much.
    Unknown,
}

/// One model call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatRequest {
    /// The model's name as the provider knows it, without the provider's prefix.
    pub model: String,
    /// The conversation so far, in order.
    pub messages: Vec<ChatMessage>,
    /// Tools on offer.
    pub tools: Vec<ToolSpec>,
    /// The longest answer, in tokens. `None`: the provider's own limit.
    pub max_tokens: Option<u32>,
    /// 0 is sober, 2 is wild. `None`: the model's own.
    pub temperature: Option<f64>,
    /// A JSON Schema that the answer should satisfy. Providers try; the caller checks.
    pub response_schema: Option<Value>,
    /// Models of the same provider that it may ask instead, in order, where it can do that itself.
    pub models: Vec<String>,
    /// What is wanted of the servers behind the provider; sent where it has such.
    pub preferences: Preferences,
    /// `{run}:{task}:{turn}`, the same on every repeat of this call.
    pub idempotency_key: String,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatMessage {
    /// Standing orders.
    System(String),
    /// What is asked.
    User(String),
    /// What the model said in an earlier turn.
    Assistant {
        /// Its text; empty when it only called tools.
        text: String,
        /// The tools it called.
        tool_calls: Vec<ToolCall>,
        /// Its reasoning as the provider sent it, handed back unchanged and in order.
        reasoning_details: Vec<Value>,
    },
    /// What a tool answered.
    ToolResult {
        /// The call that it answers.
        call_id: String,
        /// The tool's name.
        name: String,
        /// The answer, as text or JSON text.
        content: String,
    },
}

/// A tool as the model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// 1 to 64 of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// A piece of an answer that is under way.
#[derive(Debug, Clone, PartialEq)]
pub enum Chunk {
    /// The provider took the call and names it so; from here on it may charge for it. Comes first, from
    /// those alone that can say later what a call cost.
    Began(String),
    /// More of the text.
    Text(String),
    /// More of what the model thinks aloud; not part of the answer.
    Reasoning(String),
    /// It begins to ask for a tool. Comes once.
    Calling,
    /// What the server sent in the place of an answer, word for word, shortened and without secrets.
    /// The error that it means comes next.
    Raw(String),
    /// The whole answer. Always the last piece.
    Finished(Box<Answer>),
}

/// A finished answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// All of the text.
    pub text: String,
    /// All that it thought aloud.
    pub reasoning: String,
    /// The tools it wants to be run, in order. Arguments are as the model wrote them: maybe empty, maybe broken.
    pub tool_calls: Vec<ToolCall>,
    /// Reasoning to hand back with the next turn.
    pub reasoning_details: Vec<Value>,
    /// Why it ended.
    pub finish: FinishReason,
    /// The provider's own word for that, where it is none of ours.
    pub finish_raw: Option<String>,
    /// Tokens, as far as they are known.
    pub usage: Usage,
    /// What it cost. `None`: nobody knows, which is not the same as nothing.
    pub cost: Option<MicroUsd>,
    /// How the cost is known.
    pub cost_is: CostIs,
    /// The provider's name for this call; finds it in the provider's own records.
    pub generation_id: Option<String>,
    /// The model that really answered; the one asked for where the provider does not say.
    pub model: String,
}

/// Tokens of one call. `None`: the provider did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: Option<u64>,
    /// Tokens written, reasoning included.
    pub completion_tokens: Option<u64>,
    /// Of those read the ones that the provider had kept from before.
    pub cached_tokens: Option<u64>,
    /// Of those written the ones that were thought.
    pub reasoning_tokens: Option<u64>,
}

/// A model on offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    /// Its name at the provider.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How much it can read and write together, in tokens.
    pub context_tokens: Option<u64>,
    /// Another name of it, under which answers may come.
    #[serde(skip)]
    pub also: Option<String>,
    /// What it costs; `None`: the provider does not say.
    #[serde(skip)]
    pub pricing: Option<Pricing>,
    /// Whether it can use tools. `None`: the provider does not say.
    pub tools: Option<bool>,
    /// Whether it can be held to a JSON Schema. `None`: the provider does not say.
    pub json_schema: Option<bool>,
}

/// What people may know about a provider. Holds no key and no password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderInfo {
    /// The part of a model's name before the first colon.
    pub name: String,
    /// What it is.
    pub kind: ProviderKind,
    /// Where it is, without user and password. `None`: nowhere, it is built in.
    pub base_url: Option<String>,
    /// Whether a key is set.
    pub has_key: bool,
    /// Whether its answers are made up by the product itself.
    pub simulated: bool,
    /// The model meant when nobody names one.
    pub default_model: Option<String>,
}

/// What a provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenRouter.
    Openrouter,
    /// OpenAI itself.
    Openai,
    /// Another server with the same interface: Ollama, vLLM, llama.cpp, LiteLLM and others.
    Compatible,
    /// The built-in offline provider.
    Rehearsal,
}

/// Ends `chunks` with `LlmError::Cancelled` as soon as `cancel` is, and drops what feeds them.
fn stoppable(chunks: ChunkStream, cancel: CancellationToken) -> ChunkStream {
    let stopped = cancel.clone().cancelled_owned();
    let over = stream::once(async move { cancel.is_cancelled() })
        .filter_map(|cancelled| std::future::ready(cancelled.then_some(Err(LlmError::Cancelled))));
    // One wait for the whole call: a new one for each piece would cost as much as the piece.
    chunks.take_until(stopped).chain(over).boxed()
}
