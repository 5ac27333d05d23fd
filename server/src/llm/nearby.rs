//! Model servers on this machine, found on their usual ports. A port where something else listens is
//! not offered: only an answer to `/models` that is a list of models counts.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;

use super::{
    Llm, ProviderKind,
    openai::{OpenAi, Reach, Settings, Timeouts},
};
use crate::clock::Clock;

/// The longest that one port is waited for.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// What usually listens where: name, product, port.
pub const USUAL: [(&str, &str, u16); 5] = [
    ("ollama", "Ollama", 11_434),
    ("llama-cpp", "llama.cpp", 8_080),
    ("vllm", "vLLM", 8_000),
    ("lm-studio", "LM Studio", 1_234),
    ("litellm", "LiteLLM", 4_000),
];

/// A server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearby {
    /// What it could be called.
    pub name: &'static str,
    /// What usually listens there.
    pub product: &'static str,
    /// Where.
    pub base_url: String,
    /// Its models.
    pub models: Vec<String>,
}

/// Those of `ports` that answer as model servers do.
pub async fn look(
    ports: &[(&'static str, &'static str, u16)],
    clock: &Arc<dyn Clock>,
) -> Vec<Nearby> {
    let asked = ports.iter().map(|(name, product, port)| async move {
        let base_url = format!("http://127.0.0.1:{port}/v1");
        let server = OpenAi::new(Settings {
            name: (*name).to_owned(),
            kind: ProviderKind::Compatible,
            base_url: base_url.clone(),
            key: None,
            default_model: None,
            app_url: None,
            timeouts: Timeouts {
                connect_ms: 500,
                idle_ms: 1_000,
                total_ms: 1_500,
            },
            reach: Reach::Private,
            clock: Arc::clone(clock),
        })
        .ok()?;
        let models = tokio::time::timeout(PATIENCE, server.models()).await;
        let models: Vec<String> = models.ok()?.ok()?.into_iter().map(|m| m.id).collect();
        Some(Nearby {
            name,
            product,
            base_url,
            models,
        })
    });
    join_all(asked).await.into_iter().flatten().collect()
}
