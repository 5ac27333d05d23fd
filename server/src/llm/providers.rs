//! Which provider a model's name leads to. A name is `provider:model`; everything behind the first colon
//! belongs to the provider and is not looked at.

use std::{collections::BTreeMap, sync::Arc};

use super::{Llm, ProviderInfo};

/// All providers of this server. Made at start-up; cheap to clone.
#[derive(Clone, Default)]
pub struct Providers {
    by_name: BTreeMap<String, Arc<dyn Llm>>,
    /// The provider asked when nobody names a model: the first one that was added with a default model.
    first: Option<String>,
}

/// Where a name leads.
#[derive(Clone)]
pub struct Resolved {
    /// The provider's name.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// Whom to ask.
    pub llm: Arc<dyn Llm>,
}

/// A name that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownModel {
    /// Nobody of that name is set up here.
    #[error("There is no provider `{provider}` here. Known: {}.{}", known.join(", "), how_to_add(provider))]
    Provider {
        /// The name that was asked for.
        provider: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Not `provider:model`.
    #[error("`{name}` names no model. Write provider:model, for example {example}.")]
    Form {
        /// What was written.
        name: String,
        /// What would do.
        example: String,
    },
}

impl UnknownModel {
    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            UnknownModel::Provider { .. } => "unknown_provider",
            UnknownModel::Form { .. } => "bad_model_name",
        }
    }
}

fn how_to_add(provider: &str) -> &'static str {
    match provider {
        "openrouter" => " Set OPENROUTER_API_KEY to add it.",
        "openai" => " Set OPENAI_API_KEY or OPENAI_BASE_URL to add it.",
        "ollama" => " Start Ollama or set OLLAMA_HOST to add it.",
        _ => "",
    }
}

impl Providers {
    /// Adds a provider under its own name, in the place of an earlier one of that name.
    pub fn add(&mut self, llm: Arc<dyn Llm>) {
        let about = llm.about();
        if self.first.is_none() && about.default_model.is_some() {
            self.first = Some(about.name.clone());
        }
        self.by_name.insert(about.name, llm);
    }

    /// Whom to ask for `provider:model`. Without a model, the provider's default is meant.
    pub fn resolve(&self, name: &str) -> Result<Resolved, UnknownModel> {
        let (provider, model) = name.split_once(':').unwrap_or((name, ""));
        let (provider, model) = (provider.trim(), model.trim());
        let form = || UnknownModel::Form {
            name: name.to_owned(),
            example: self
                .default_model()
                .unwrap_or_else(|| "openrouter:acme/model".to_owned()),
        };
        let Some(llm) = self.by_name.get(provider) else {
            if !name.contains(':') {
                return Err(form());
            }
            let known = self.by_name.keys().cloned().collect();
            return Err(UnknownModel::Provider {
                provider: provider.to_owned(),
                known,
            });
        };
        let model = if model.is_empty() {
            llm.about().default_model
        } else {
            Some(model.to_owned())
        };
        let model = model.ok_or_else(form)?;
        Ok(Resolved {
            provider: provider.to_owned(),
            model,
            llm: llm.clone(),
        })
    }

    /// The model of an agent that names none, as `provider:model`.
    pub fn default_model(&self) -> Option<String> {
        let first = self.by_name.get(self.first.as_ref()?)?;
        let ProviderInfo {
            name,
            default_model,
            ..
        } = first.about();
        default_model.map(|model| format!("{name}:{model}"))
    }

    /// Every provider, by name.
    pub fn list(&self) -> Vec<ProviderInfo> {
        self.by_name.values().map(|llm| llm.about()).collect()
    }

    /// One provider by its name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Llm>> {
        self.by_name.get(name).cloned()
    }

    /// Whether nothing but simulated answers is to be had.
    pub fn only_simulated(&self) -> bool {
        self.by_name.values().all(|llm| llm.about().simulated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::rehearsal::Rehearsal;

    fn providers() -> Providers {
        let mut providers = Providers::default();
        providers.add(Arc::new(Rehearsal::new(0)));
        providers
    }

    #[track_caller]
    fn check(name: &str, found: &str) {
        let shown = match providers().resolve(name) {
            Ok(resolved) => format!("{} / {}", resolved.provider, resolved.model),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, found);
    }

    #[test]
    fn everything_behind_the_first_colon_is_the_model() {
        check("rehearsal:echo", "rehearsal / echo");
        check("rehearsal:a/b:free", "rehearsal / a/b:free");
    }

    #[test]
    fn a_provider_alone_means_its_default_model() {
        check("rehearsal", "rehearsal / default");
        check("rehearsal:", "rehearsal / default");
    }

    #[test]
    fn an_unknown_provider_is_told_who_is_known() {
        check(
            "openrouter:acme/m",
            "There is no provider `openrouter` here. Known: rehearsal. Set OPENROUTER_API_KEY to add it.",
        );
        check(
            "nobody:m",
            "There is no provider `nobody` here. Known: rehearsal.",
        );
    }

    #[test]
    fn a_name_without_provider_is_no_name() {
        check(
            "gpt",
            "`gpt` names no model. Write provider:model, for example rehearsal:default.",
        );
        check(
            "",
            "`` names no model. Write provider:model, for example rehearsal:default.",
        );
    }

    #[test]
    fn the_list_holds_what_people_may_know() {
        let list = providers().list();
        assert_eq!(list.len(), 1);
        assert!(list[0].simulated && !list[0].has_key && list[0].base_url.is_none());
        assert!(providers().only_simulated());
    }
}
