//! Where model calls can go, and what is on offer there.

use std::fmt;

use domain::money::MicroUsd;
use serde::{Deserialize, Serialize};

/// Where model calls can go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderInfo {
    /// `openrouter`, `openai`, `ollama`, `rehearsal`, or what somebody called it.
    pub name: String,
    /// `openrouter`, `openai`, `compatible`, `rehearsal`.
    pub kind: String,
    /// Where it is, without secrets; `None` for the one built in.
    pub base_url: Option<String>,
    /// Whether a key is known.
    pub has_key: bool,
    /// Whether its answers are simulated.
    pub simulated: bool,
    /// Whether tasks that name no model go here.
    pub is_default: bool,
    /// `provider:model` that such tasks use.
    pub default_model: Option<String>,
    /// Whether it was set up in Settings; the others are set where the server is started.
    pub editable: bool,
}

/// A provider to be set up or changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderForm {
    /// The part of a model's name before the colon.
    #[serde(default)]
    pub name: String,
    /// `openrouter`, `openai` or `compatible`.
    pub kind: String,
    /// Where it is; `None` means where that kind usually is.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Its key. `None` keeps the one that is known, an empty one removes it.
    #[serde(default)]
    pub key: Option<WrittenKey>,
    /// The model meant when nobody names one.
    #[serde(default)]
    pub default_model: Option<String>,
    /// Whether the address may be in this machine or its network.
    #[serde(default)]
    pub private: bool,
}

/// A key on its way in. It never comes back out, and is not printed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenKey(pub String);

impl fmt::Debug for WrittenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrittenKey(hidden)")
    }
}

/// Whether a provider can be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderCheck {
    /// Whether a call would get through.
    pub works: bool,
    /// How many models it offers; `None` where that is not known.
    pub models: Option<u64>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What is well, or what is wrong and what to do.
    pub message: String,
    /// The stable name of the failure.
    pub code: Option<String>,
}

/// A model server that was found on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundServer {
    /// What it could be called.
    pub name: String,
    /// What usually listens there.
    pub product: String,
    /// Where it is.
    pub base_url: String,
    /// How many models it offers.
    pub models: u64,
    /// One of them.
    pub first_model: Option<String>,
    /// Whether it tells its models, and answers, only with a key.
    pub needs_key: bool,
}

/// A model on offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelOffer {
    /// `provider:model`, as nodes and agents name it.
    pub model: String,
    /// What people call it.
    pub name: String,
    /// How much it can read and write together, in tokens; `None`: not known.
    pub context_tokens: Option<u64>,
    /// Price of a million tokens read; `None`: not known.
    pub prompt_usd_per_million: Option<MicroUsd>,
    /// Price of a million tokens written; `None`: not known.
    pub completion_usd_per_million: Option<MicroUsd>,
    /// Whether it can use tools; `None`: not known.
    pub tools: Option<bool>,
    /// Whether it can be held to a JSON Schema; `None`: not known.
    pub json_schema: Option<bool>,
}

/// What is on offer, and who did not answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Catalogue {
    /// Models, by provider and name.
    pub models: Vec<ModelOffer>,
    /// Providers that did not tell, with the reason.
    pub silent: Vec<(String, String)>,
}

impl ModelOffer {
    /// Price and context in a few words, as lists show them.
    pub fn terms(&self) -> String {
        let price = match (self.prompt_usd_per_million, self.completion_usd_per_million) {
            (Some(MicroUsd(0)), Some(MicroUsd(0))) => "free".to_owned(),
            (Some(read), Some(written)) => format!("${read} in, ${written} out per million"),
            (_, _) => "price unknown".to_owned(),
        };
        match self.context_tokens {
            Some(tokens @ 1_000..) => format!("{price}, {}k context", tokens / 1_000),
            Some(tokens) => format!("{price}, {tokens} tokens context"),
            None => price,
        }
    }
}
