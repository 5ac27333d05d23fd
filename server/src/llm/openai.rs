//! Any server that understands `/chat/completions`: OpenRouter, OpenAI, Ollama, vLLM, llama.cpp, LiteLLM.
//! Always streams, also where nobody watches: closing a stream is the only way to stop a call that costs
//! money. Sends a call once; repeating it is not decided here. Follows no redirect, so that a key goes
//! to nobody but the address it was set for.

mod address;
mod catalogue;
mod generation;
mod price;
mod quota;
mod reach;
mod request;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::quota::Allowance;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use reqwest::{
    Client, RequestBuilder, Response, Url,
    header::{ACCEPT, HeaderMap, HeaderValue},
    redirect::Policy,
};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;

pub use self::{address::ollama_url, reach::Reach};
use super::{
    ApiKey, ChatRequest, Chunk, ChunkStream, Late, ListPrice, Llm, LlmError, ModelInfo, Patience,
    PriceList, ProviderInfo, ProviderKind, Quota,
    failure::{self, Asked, Hints},
    raw,
    reader::{self, Deadlines},
    stoppable,
    wire::collect::{Collector, Terms},
};
use crate::clock::Clock;

/// The most of an error page that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// The largest catalogue that is read. OpenRouter's is about 1 MiB.
const MAX_CATALOGUE_BYTES: usize = 16 * 1024 * 1024;
/// How long a question that costs nothing may take.
const QUESTION_MS: u64 = 15_000;

/// How to reach a server.
#[derive(Clone)]
pub struct Settings {
    /// The part of a model's name before the colon.
    pub name: String,
    /// What it is. Decides small differences of the dialect.
    pub kind: ProviderKind,
    /// Address up to and without `/chat/completions`.
    pub base_url: String,
    /// Its key. Local servers need none.
    pub key: Option<ApiKey>,
    /// The model meant when nobody names one.
    pub default_model: Option<String>,
    /// Where this product lives, for OpenRouter's list of apps; sent nowhere else. `None`: on this machine.
    pub app_url: Option<String>,
    /// Limits of patience.
    pub timeouts: Timeouts,
    /// Where its address may lead.
    pub reach: Reach,
    /// Tells the time, for `Retry-After` dates and reset times.
    pub clock: Arc<dyn Clock>,
}

/// Limits of patience, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect_ms: u64,
    /// The longest silence; any byte ends it. Minutes, because a local server may first load a model.
    pub idle_ms: u64,
    /// The whole call. A step's own time limit is usually shorter and ends the call by cancelling it.
    pub total_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: 10_000,
            idle_ms: 240_000,
            total_ms: 3_600_000,
        }
    }
}

/// Why a server cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// The address is none.
    #[error(
        "The address of {provider} is not usable: {rule}. Example: https://openrouter.ai/api/v1"
    )]
    Address {
        /// Who.
        provider: String,
        /// What is wrong with it.
        rule: String,
    },
    /// It leads where it may not lead.
    #[error("The address of {provider} cannot be used: {rule}")]
    Forbidden {
        /// Who.
        provider: String,
        /// Why, and what to do.
        rule: String,
    },
    /// The key cannot stand in a header.
    #[error("The key of {provider} holds characters that no key has. Copy it again.")]
    Key {
        /// Who.
        provider: String,
    },
    /// No secure connections on this machine.
    #[error(
        "No HTTP client for {provider} could be set up: {detail}. Check the system's certificates."
    )]
    Client {
        /// Who.
        provider: String,
        /// What went wrong.
        detail: String,
    },
}

/// The client of one server.
#[derive(Clone)]
pub struct OpenAi {
    shared: Arc<Shared>,
}

/// A request that brought no success, with what the server said about it.
struct Broken {
    error: LlmError,
    raw: Option<String>,
}

impl From<LlmError> for Broken {
    fn from(error: LlmError) -> Self {
        Self { error, raw: None }
    }
}

struct Shared {
    settings: Settings,
    base: Url,
    client: Client,
    headers: HeaderMap,
    /// List prices, once the catalogue was read. At most twice as many as it has models.
    prices: RwLock<PriceList>,
    /// When the catalogue was last asked for them.
    asked_for_prices: Mutex<Option<Instant>>,
    /// What the headers of the last answer said of limits.
    allowances: RwLock<Vec<Allowance>>,
}

impl OpenAi {
    /// Sets up the client. Connects to nobody yet.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        let provider = || settings.name.clone();
        let base = address::parse(&settings.base_url).map_err(|rule| BadSettings::Address {
            provider: provider(),
            rule,
        })?;
        settings
            .reach
            .check(&base)
            .map_err(|rule| BadSettings::Forbidden {
                provider: provider(),
                rule,
            })?;
        let headers = request::headers(&settings).ok_or(BadSettings::Key {
            provider: provider(),
        })?;
        let mut builder = Client::builder()
            .connect_timeout(Duration::from_millis(settings.timeouts.connect_ms))
            .redirect(Policy::none())
            .user_agent(concat!("troupe/", env!("CARGO_PKG_VERSION")));
        if let Some(resolver) = settings.reach.resolver() {
            // A proxy would resolve the name itself, and go where it likes.
            builder = builder.dns_resolver(resolver).no_proxy();
        }
        if address::is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| BadSettings::Client {
            provider: provider(),
            detail: causes(&error.without_url()),
        })?;
        let shared = Shared {
            settings,
            base,
            client,
            headers,
            prices: RwLock::default(),
            asked_for_prices: Mutex::default(),
            allowances: RwLock::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenAi").field(&self.about()).finish()
    }
}

impl Llm for OpenAi {
    fn stream(&self, request: ChatRequest, cancel: CancellationToken) -> ChunkStream {
        let shared = self.shared.clone();
        let chunks = stream::once(async move {
            match shared.call(request).await {
                Ok(chunks) => chunks,
                Err(Broken { error, raw }) => {
                    let raw = raw.map(|raw| Ok(Chunk::Raw(raw)));
                    stream::iter(raw.into_iter().chain([Err(error)])).boxed()
                }
            }
        });
        stoppable(chunks.flatten().boxed(), cancel)
    }

    fn models(&self) -> BoxFuture<'static, Result<Vec<ModelInfo>, LlmError>> {
        let shared = self.shared.clone();
        async move {
            let body = shared.ask("models", MAX_CATALOGUE_BYTES).await?;
            let models = catalogue::read(&body).ok_or_else(|| {
                let detail = shared.asked("").detail(&String::from_utf8_lossy(&body));
                LlmError::Garbled {
                    provider: shared.settings.name.clone(),
                    detail,
                }
            })?;
            let named = models.iter().flat_map(|model| {
                let names = model.also.iter().chain([&model.id]);
                names.filter_map(|name| Some((name.clone(), model.pricing.clone()?)))
            });
            let prices = shared.prices.write();
            *prices.unwrap_or_else(PoisonError::into_inner) = PriceList::of(named);
            Ok(models)
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'static, Result<(), LlmError>> {
        let shared = self.shared.clone();
        async move {
            // OpenRouter shows its catalogue to everybody, so only `key` tells whether ours is good.
            let question = match shared.settings.kind {
                ProviderKind::Openrouter => "key",
                ProviderKind::Openai | ProviderKind::Compatible | ProviderKind::Rehearsal => {
                    "models"
                }
            };
            shared.ask(question, MAX_CATALOGUE_BYTES).await.map(|_| ())
        }
        .boxed()
    }

    fn quota(&self) -> BoxFuture<'static, Result<Quota, LlmError>> {
        let shared = self.shared.clone();
        async move {
            match shared.settings.kind {
                ProviderKind::Openrouter => {
                    let body = shared.ask("key", MAX_ERROR_BYTES).await?;
                    Ok(quota::read(&body, shared.settings.clock.now()))
                }
                // They say it in the headers of their answers.
                ProviderKind::Openai | ProviderKind::Compatible | ProviderKind::Rehearsal => {
                    let allowances = shared.allowances.read();
                    let allowances = allowances.unwrap_or_else(PoisonError::into_inner);
                    Ok(Quota {
                        allowances: allowances.clone(),
                        ..Quota::default()
                    })
                }
            }
        }
        .boxed()
    }

    fn keeps_costs(&self) -> bool {
        self.shared.keeps_costs()
    }

    fn late_cost(&self, generation_id: &str) -> BoxFuture<'static, Result<Late, LlmError>> {
        let shared = self.shared.clone();
        let mut url = shared.url("generation");
        url.query_pairs_mut().append_pair("id", generation_id);
        async move {
            if !shared.keeps_costs() {
                return Ok(Late::Never);
            }
            match shared.ask_at(url, MAX_ERROR_BYTES).await {
                Ok(body) => Ok(generation::read(&body).map_or(Late::NotYet, Late::Known)),
                // Not in the books yet: a 404.
                Err(LlmError::NoModel { .. } | LlmError::WrongAddress { .. }) => Ok(Late::NotYet),
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    fn price(&self, model: &str) -> BoxFuture<'static, ListPrice> {
        self.list_price(model.to_owned())
    }

    fn about(&self) -> ProviderInfo {
        let settings = &self.shared.settings;
        let mut shown = self.shared.base.clone();
        // Neither can fail for an address with a host, which `address::parse` demands.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        ProviderInfo {
            name: settings.name.clone(),
            kind: settings.kind,
            base_url: Some(shown.as_str().trim_end_matches('/').to_owned()),
            has_key: settings.key.is_some(),
            simulated: false,
            default_model: settings.default_model.clone(),
        }
    }
}

impl Shared {
    fn asked(&self, model: &str) -> Asked {
        let Settings { name, key, .. } = &self.settings;
        Asked {
            provider: name.clone(),
            model: model.to_owned(),
            key: key.clone(),
        }
    }

    fn deadlines(&self, total_ms: u64) -> Deadlines {
        Deadlines {
            idle: Duration::from_millis(self.settings.timeouts.idle_ms),
            total: Instant::now() + Duration::from_millis(total_ms),
            total_ms,
        }
    }

    /// Sends the request and returns what comes back, as it comes.
    async fn call(&self, request: ChatRequest) -> Result<ChunkStream, Broken> {
        let asked = self.asked(&request.model);
        let deadlines = self.deadlines(self.settings.timeouts.total_ms);
        let mut builder = self
            .client
            .post(self.url("chat/completions"))
            .headers(self.headers.clone())
            .header(ACCEPT, "text/event-stream")
            .json(&request::body(self.settings.kind, &request));
        if let Ok(key) = HeaderValue::from_str(&request.idempotency_key) {
            builder = builder.header("Idempotency-Key", key);
        }
        let response = self.send(builder, &asked, deadlines).await?;
        let hints = Hints::of(response.headers(), self.settings.clock.now());
        let generation_id = response
            .headers()
            .get("x-generation-id")
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let prices = self.prices.read().unwrap_or_else(PoisonError::into_inner);
        let terms = Terms {
            prices: prices.clone(),
            called_at: self.settings.clock.now(),
            others: !request.models.is_empty(),
            keeps_costs: self.keeps_costs(),
        };
        drop(prices);
        let began = generation_id
            .clone()
            .filter(|_| self.keeps_costs())
            .map(|id| Ok(Chunk::Began(id)));
        let collector = Collector::new(asked, request.idempotency_key, terms, generation_id);
        let body = response.bytes_stream().map_err(|error| {
            tracing::debug!(causes = causes(&error.without_url()), "a body broke off");
            "the connection was lost in the middle".to_owned()
        });
        let chunks = reader::chunks(Box::pin(body), collector, deadlines, hints);
        Ok(stream::iter(began).chain(chunks).boxed())
    }

    fn keeps_costs(&self) -> bool {
        match self.settings.kind {
            ProviderKind::Openrouter => true,
            ProviderKind::Openai | ProviderKind::Compatible | ProviderKind::Rehearsal => false,
        }
    }

    /// A question that costs nothing.
    async fn ask(&self, path: &str, max_bytes: usize) -> Result<Vec<u8>, LlmError> {
        self.ask_at(self.url(path), max_bytes).await
    }

    async fn ask_at(&self, url: Url, max_bytes: usize) -> Result<Vec<u8>, LlmError> {
        let asked = self.asked("");
        let deadlines = self.deadlines(QUESTION_MS);
        let builder = self.client.get(url).headers(self.headers.clone());
        let response = self.send(builder, &asked, deadlines).await;
        let response = response.map_err(|broken| broken.error)?;
        read_at_most(response, max_bytes, &asked, deadlines).await
    }

    /// Sends; anything but a success becomes an error with what the server had to say.
    async fn send(
        &self,
        builder: RequestBuilder,
        asked: &Asked,
        deadlines: Deadlines,
    ) -> Result<Response, Broken> {
        let sent = deadlines.hold(&asked.provider, builder.send()).await?;
        let response = sent.map_err(|error| self.unreachable(error, asked))?;
        self.hear_limits(response.headers());
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let hints = Hints::of(response.headers(), self.settings.clock.now());
        let body = read_at_most(response, MAX_ERROR_BYTES, asked, deadlines)
            .await
            .unwrap_or_default();
        let said = String::from_utf8_lossy(&body);
        Err(Broken {
            error: failure::of_response(asked, status.as_u16(), &said, hints),
            raw: raw::kept(&body, asked.key.as_ref()),
        })
    }

    /// Keeps what the headers of an answer say of limits, where they say anything.
    fn hear_limits(&self, headers: &HeaderMap) {
        let now = self.settings.clock.now();
        let said = quota::of_headers(now, |name| headers.get(name)?.to_str().ok());
        if !said.is_empty() {
            let allowances = self.allowances.write();
            *allowances.unwrap_or_else(PoisonError::into_inner) = said;
        }
    }

    fn unreachable(&self, error: reqwest::Error, asked: &Asked) -> LlmError {
        let provider = asked.provider.clone();
        if error.is_timeout() {
            let after_ms = self.settings.timeouts.connect_ms;
            return LlmError::TimedOut {
                provider,
                waited_for: Patience::Connect,
                after_ms,
            };
        }
        let detail = asked.detail(&causes(&error.without_url()));
        LlmError::Unreachable { provider, detail }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let joined = format!("{}/{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
        url
    }
}

/// Reads at most `max_bytes`; the rest is left behind.
async fn read_at_most(
    response: Response,
    max_bytes: usize,
    asked: &Asked,
    deadlines: Deadlines,
) -> Result<Vec<u8>, LlmError> {
    let mut body = response.bytes_stream();
    let mut read = Vec::new();
    while let Some(piece) = deadlines.hold(&asked.provider, body.next()).await? {
        let piece = piece.map_err(|error| LlmError::Unreachable {
            provider: asked.provider.clone(),
            detail: asked.detail(&causes(&error.without_url())),
        })?;
        read.extend_from_slice(&piece[..piece.len().min(max_bytes - read.len())]);
        if read.len() >= max_bytes {
            break;
        }
    }
    Ok(read)
}

/// An error and what caused it, outermost first: "connection refused" stands at the far end.
fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests;
