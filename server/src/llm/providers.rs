//! Which provider a model's name leads to. A name is `provider:model`; everything behind the first colon
//! belongs to the provider and is not looked at.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Llm, ProviderInfo};

/// All providers of this server, as they are now. Clones share one table: whoever asks next asks the
/// provider that was set up last, and a call that is under way keeps the one it began with.
#[derive(Clone, Default)]
pub struct Providers {
    table: Arc<RwLock<Vec<Entry>>>,
}

#[derive(Clone)]
struct Entry {
    name: String,
    llm: Arc<dyn Llm>,
    origin: Origin,
}

/// Where a provider was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In the environment, or built in: for whoever starts the server to change.
    Start,
    /// In Settings.
    Settings,
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
        "openrouter" => " Add it in Settings, or set OPENROUTER_API_KEY.",
        "openai" => " Add it in Settings, or set OPENAI_API_KEY or OPENAI_BASE_URL.",
        "ollama" => " Start Ollama and look for it in Settings, or set OLLAMA_HOST.",
        _ => " Providers are added in Settings.",
    }
}

impl Providers {
    /// Adds a provider under its own name, in the place of an earlier one of that name.
    pub fn add(&self, llm: Arc<dyn Llm>) {
        self.put(llm, Origin::Start);
    }

    /// As `add`, saying where it was set up.
    pub fn put(&self, llm: Arc<dyn Llm>, origin: Origin) {
        let name = llm.about().name;
        let entry = Entry { name, llm, origin };
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        match table.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => table.push(entry),
        }
    }

    /// Takes a provider out; what calls it goes on to its end.
    pub fn remove(&self, name: &str) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.retain(|known| known.name != name);
    }

    /// Where a provider was set up; `None` for one that is not here.
    pub fn origin(&self, name: &str) -> Option<Origin> {
        let table = self.table();
        let known = table.iter().find(|known| known.name == name);
        known.map(|known| known.origin)
    }

    fn table(&self) -> Vec<Entry> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.clone()
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
        let Some(llm) = self.get(provider) else {
            if !name.contains(':') {
                return Err(form());
            }
            let known = self.list().into_iter().map(|about| about.name).collect();
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
            llm,
        })
    }

    /// The model of an agent that names none, as `provider:model`: that of the first provider that has
    /// a default model and does not only rehearse, else that of one that does.
    pub fn default_model(&self) -> Option<String> {
        let named = self.table().into_iter().filter_map(|entry| {
            let ProviderInfo {
                name,
                default_model,
                simulated,
                ..
            } = entry.llm.about();
            default_model.map(|model| (simulated, format!("{name}:{model}")))
        });
        let named: Vec<(bool, String)> = named.collect();
        let real = named.iter().find(|(simulated, _)| !simulated);
        real.or(named.first()).map(|(_, model)| model.clone())
    }

    /// Every provider, by name.
    pub fn list(&self) -> Vec<ProviderInfo> {
        let mut list: Vec<ProviderInfo> =
            self.table().iter().map(|entry| entry.llm.about()).collect();
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list
    }

    /// One provider by its name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Llm>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let known = table.iter().find(|known| known.name == name);
        known.map(|known| Arc::clone(&known.llm))
    }

    /// Whether nothing but simulated answers is to be had.
    pub fn only_simulated(&self) -> bool {
        self.table().iter().all(|entry| entry.llm.about().simulated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::rehearsal::Rehearsal;

    fn providers() -> Providers {
        let providers = Providers::default();
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
            "There is no provider `openrouter` here. Known: rehearsal. Add it in Settings, or set OPENROUTER_API_KEY.",
        );
        check(
            "nobody:m",
            "There is no provider `nobody` here. Known: rehearsal. Providers are added in Settings.",
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
