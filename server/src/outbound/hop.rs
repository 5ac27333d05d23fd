//! One request to one server, and what it is called when that does not work. Sends once; whether it is sent
//! again is decided by whoever asked.

use std::net::SocketAddr;

use reqwest::Response;

use super::{
    ask::Ask,
    clients::{Clients, Pin},
    error::OutboundError,
    patience::Patience,
};

/// Sends `ask` to one of `addresses`; returns as soon as the head of the answer is there.
pub async fn send(
    clients: &Clients,
    ask: &Ask,
    addresses: Vec<SocketAddr>,
    connect_ms: u64,
) -> Result<Response, OutboundError> {
    let pin = Pin {
        host: ask.target.host().to_string(),
        addresses,
    };
    let client = clients.client(pin, ask.target.is_secure()).await?;
    let mut builder = client
        .request(ask.method.clone(), ask.target.url().clone())
        .headers(ask.headers.clone());
    if let Some(body) = &ask.body {
        builder = builder.body(body.clone());
    }
    builder
        .send()
        .await
        .map_err(|error| unsent(error, ask.target.origin(), connect_ms))
}

/// What an answer that broke off is called.
pub fn broken(error: reqwest::Error, origin: String) -> OutboundError {
    let detail = causes(&error.without_url());
    OutboundError::NoAnswer { origin, detail }
}

fn unsent(error: reqwest::Error, origin: String, connect_ms: u64) -> OutboundError {
    if !error.is_connect() {
        return broken(error, origin);
    }
    if error.is_timeout() {
        return OutboundError::TimedOut {
            origin,
            waited_for: Patience::Connect,
            after_ms: connect_ms,
        };
    }
    let detail = causes(&error.without_url());
    // The type that says so belongs to the TLS library, which is not named here.
    if detail.contains("certificate") {
        OutboundError::Untrusted { origin, detail }
    } else {
        OutboundError::Unreachable { origin, detail }
    }
}

/// An error and what caused it, outermost first: "connection refused" stands at the far end.
pub fn causes(error: &dyn std::error::Error) -> String {
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
