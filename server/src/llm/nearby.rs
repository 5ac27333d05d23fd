//! Model servers on this machine, found on their usual ports. A port where something else listens is
//! not offered: only an answer to `/models` that is a list of models counts, or the wish for a key.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;

use super::{
    Llm, LlmError, ProviderKind,
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
    /// Its models; none where it wants a key before it tells them.
    pub models: Vec<String>,
    /// Whether it answers to nobody without a key.
    pub needs_key: bool,
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
        let (models, needs_key) = match models.ok()? {
            Ok(models) => (models.into_iter().map(|model| model.id).collect(), false),
            // In words of a model server: a web page that wants a login is none.
            Err(LlmError::BadKey { detail, .. }) if !detail.starts_with("a web page") => {
                (Vec::new(), true)
            }
            Err(_) => return None,
        };
        Some(Nearby {
            name,
            product,
            base_url,
            models,
            needs_key,
        })
    });
    join_all(asked).await.into_iter().flatten().collect()
}
