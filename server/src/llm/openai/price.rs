//! What a model costs by list: read from the catalogue when somebody first asks.

use std::{sync::PoisonError, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use super::OpenAi;
use crate::llm::{ListPrice, Llm, Pricing, ProviderKind};

/// A catalogue that could not be read, or does not know a model, is not asked again before that.
const ASK_AGAIN: Duration = Duration::from_secs(300);

impl OpenAi {
    pub(super) fn list_price(&self, model: String) -> BoxFuture<'static, ListPrice> {
        let server = self.clone();
        async move {
            if let Some(known) = server.known_price(&model) {
                return ListPrice::Known(known);
            }
            match server.shared.settings.kind {
                ProviderKind::Rehearsal => return ListPrice::Free,
                // Whoever asks for no key knows nobody to charge.
                ProviderKind::Compatible if server.shared.settings.key.is_none() => {
                    return ListPrice::Free;
                }
                ProviderKind::Compatible | ProviderKind::Openai => return ListPrice::Unknown,
                ProviderKind::Openrouter => {}
            }
            // One asks; those that come meanwhile wait for what it learns.
            let mut asked = server.shared.asked_for_prices.lock().await;
            if asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
                *asked = Some(Instant::now());
                if let Err(error) = server.models().await {
                    tracing::warn!(%error, "the list of prices cannot be read");
                }
            }
            drop(asked);
            match server.known_price(&model) {
                Some(known) => ListPrice::Known(known),
                None => ListPrice::Unknown,
            }
        }
        .boxed()
    }

    fn known_price(&self, model: &str) -> Option<Pricing> {
        let prices = self.shared.prices.read();
        let prices = prices.unwrap_or_else(PoisonError::into_inner);
        prices.get(model).cloned()
    }
}
