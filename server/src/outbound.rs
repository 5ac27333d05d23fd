//! Requests that a workflow asks for: the client of the `http` step, and the guard in front of it. A workflow
//! names any address it likes, so every address is looked at before a byte goes there, after each redirect
//! again, and the connection is made to exactly what was looked at.
//!
//! Refuses: addresses that are not the public internet unless the operator listed them (`TROUPE_HTTP_ALLOW`) ·
//! anything but http and https · proxies, cookies that are remembered, decompression, hidden retries · printing or
//! logging the value of a header. No model is called from here; that stays under `llm/`.
//!
//! Reading order: [`guard`] (where a request may go) · `ask` (what may be sent) · `clients` and `hop` (one connection) ·
//! `answer` (what comes back) · [`error`] (what is told when it does not work).

pub mod address;
pub mod allow;
mod answer;
mod ask;
mod clients;
pub mod error;
mod excerpt;
pub mod guard;
mod headers;
mod hop;
pub mod patience;
pub mod resolver;
pub mod target;

use std::{fmt, sync::Arc, time::Duration};

use domain::run::TaskError;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

pub use self::{
    allow::{AllowList, BadAllow},
    error::OutboundError,
    guard::Guard,
    resolver::{FixedResolver, Resolver, SystemResolver},
};
use self::{ask::Ask, clients::Clients, patience::Patience};
use crate::clock::Clock;

/// What an http step asks for, templates already rendered. Nothing in it is trusted yet.
#[derive(Clone)]
pub struct Request {
    /// GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, in any case.
    pub method: String,
    /// An http or https URL.
    pub url: String,
    /// Names and values, in the order of the workflow; a name may come twice.
    pub headers: Vec<(String, String)>,
    /// Sent as it is. Without a `Content-Type`, a JSON object or list is declared as JSON, all else as text.
    pub body: Option<String>,
    /// How the body of the answer is read.
    pub wants: Wants,
    /// `{run}:{task}:{turn}`, the same on every repeat.
    pub idempotency_key: String,
    /// How long everything may take, where the step says it; else [`Limits::total_ms`].
    pub total_ms: Option<u64>,
}

/// How the body of an answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wants {
    /// As text in UTF-8; bytes that are none become U+FFFD.
    #[default]
    Text,
    /// As JSON; anything else is an error.
    Json,
}

/// What came back: the output of the step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// 200 to 399; above is an error.
    pub status: u16,
    /// Names in lower case. Values of the same name are joined by `, `, cookies by line breaks.
    pub headers: Map<String, Value>,
    /// A text, or the parsed JSON; null where JSON was wanted and the status says that there is no body.
    pub body: Value,
}

/// Bounds of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a name is resolved, and again until a connection stands, TLS included.
    pub connect_ms: u64,
    /// Everything together, redirects included, where the step does not say otherwise.
    pub total_ms: u64,
    /// The largest body that is read.
    pub answer_bytes: usize,
    /// The largest body that is sent.
    pub body_bytes: usize,
    /// The most redirects that are followed.
    pub redirects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_ms: 10_000,
            total_ms: 60_000,
            answer_bytes: 4 * 1024 * 1024,
            body_bytes: 4 * 1024 * 1024,
            redirects: 5,
        }
    }
}

/// The client of the http step. Clones share everything; no connection outlives its request.
#[derive(Clone)]
pub struct Outbound {
    shared: Arc<Shared>,
}

struct Shared {
    guard: Guard,
    clients: Clients,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl Outbound {
    /// A client that goes where `guard` lets it. `clock` is for `Retry-After` dates.
    pub fn new(guard: Guard, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                guard,
                clients: Clients::new(limits.connect_ms),
                limits,
                clock,
            }),
        }
    }

    /// Sends once and follows redirects. `stop` closes the connection at once.
    pub async fn request(
        &self,
        request: Request,
        stop: CancellationToken,
    ) -> Result<Answer, TaskError> {
        Ok(self.shared.request(request, stop).await?)
    }
}

impl Shared {
    async fn request(
        &self,
        request: Request,
        stop: CancellationToken,
    ) -> Result<Answer, OutboundError> {
        let total_ms = request.total_ms.unwrap_or(self.limits.total_ms);
        let ask = Ask::check(request, &self.limits)?;
        let origin = ask.target.origin();
        tokio::select! {
            // A request that is stopped before it began is not begun.
            biased;
            () = stop.cancelled() => Err(OutboundError::Stopped),
            done = tokio::time::timeout(Duration::from_millis(total_ms), self.follow(ask)) => {
                done.unwrap_or(Err(OutboundError::TimedOut {
                    origin,
                    waited_for: Patience::Total,
                    after_ms: total_ms,
                }))
            }
        }
    }

    async fn follow(&self, mut ask: Ask) -> Result<Answer, OutboundError> {
        let mut came_from = None;
        let mut followed = 0;
        loop {
            let response = self
                .hop(&ask)
                .await
                .map_err(|error| error.after_redirect(came_from.as_deref()))?;
            let Some(location) = ask::location(&response) else {
                return answer::read(response, &ask, &self.limits, self.clock.now())
                    .await
                    .map_err(|error| error.after_redirect(came_from.as_deref()));
            };
            let from = ask.target.origin();
            if followed == self.limits.redirects {
                return Err(OutboundError::TooManyRedirects {
                    origin: from,
                    limit: followed,
                });
            }
            followed += 1;
            ask = ask.redirected(response.status(), &location)?;
            came_from = Some(from);
        }
    }

    /// One request to one address: looked at, then sent there and nowhere else.
    async fn hop(&self, ask: &Ask) -> Result<reqwest::Response, OutboundError> {
        let addresses = self
            .guard
            .addresses(&ask.target, self.limits.connect_ms)
            .await?;
        let response = hop::send(&self.clients, ask, addresses, self.limits.connect_ms).await?;
        tracing::debug!(
            method = %ask.method,
            origin = ask.target.origin(),
            status = response.status().as_u16(),
            "an http step was answered"
        );
        Ok(response)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}

/// Header values, the body and most of the URL may hold secrets, so none of them is printed.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("headers", &names)
            .field("body_bytes", &self.body.as_ref().map(String::len))
            .field("wants", &self.wants)
            .field("idempotency_key", &self.idempotency_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
