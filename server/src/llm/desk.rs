//! Where providers are set up while the server runs: their rows, their sealed keys, the table that
//! calls are made by, and what they have on offer. Refuses to change those that were set where the
//! server is started, and to hand a key back out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::time::Timestamp;
use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    ApiKey, Llm, LlmError, ModelInfo, Origin, ProviderKind, Providers,
    openai::{BadSettings, OpenAi, Reach, Settings, Timeouts},
};
use crate::{
    clock::Clock,
    store::{Store, StoreError, StoredProvider},
    vault::{Place, Vault},
};

/// How long a catalogue is good for.
const FRESH_MS: u64 = 3_600_000;
const MAX_NAME: usize = 40;
const MAX_KEY: usize = 4_096;
const MAX_TEXT: usize = 2_048;
/// Most providers that are set up.
const MAX_PROVIDERS: usize = 100;
/// Names that those of the environment have, or could have after the next start.
const TAKEN: [&str; 1] = ["rehearsal"];

/// What is asked for.
pub struct Wish {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: ProviderKind,
    /// Where; `None` where that kind usually is.
    pub base_url: Option<String>,
    /// `None` keeps the key that is known.
    pub key: Option<String>,
    /// The model meant when nobody names one.
    pub default_model: Option<String>,
    /// Whether the address may be in this machine or its network.
    pub private: bool,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody of that name.
    #[error("There is no provider of this name. It may have been removed.")]
    Missing,
    /// There is one.
    #[error("There is a provider of this name already: choose another name, or edit that one.")]
    Taken,
    /// It is not ours to change.
    #[error(
        "This provider is set where the server is started: change its environment variable and start the server again."
    )]
    SetAtStart,
    /// It cannot be so.
    #[error("{0}")]
    Wrong(String),
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BadSettings> for Refused {
    fn from(bad: BadSettings) -> Self {
        Refused::Wrong(bad.to_string())
    }
}

/// What one provider has on offer.
#[derive(Clone)]
struct Offer {
    at: Timestamp,
    models: Vec<ModelInfo>,
}

/// The desk.
pub struct ProviderDesk {
    providers: Arc<Providers>,
    store: Arc<dyn Store>,
    vault: Vault,
    clock: Arc<dyn Clock>,
    offers: Mutex<BTreeMap<String, Offer>>,
    /// One change at a time: each reads what is there first.
    changing: tokio::sync::Mutex<()>,
    /// How often providers were changed.
    changes: watch::Sender<u64>,
}

impl ProviderDesk {
    /// Over this table, with what is stored not yet in it.
    pub fn new(
        providers: Arc<Providers>,
        store: Arc<dyn Store>,
        vault: Vault,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            providers,
            store,
            vault,
            clock,
            offers: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            changes: watch::Sender::default(),
        }
    }

    /// To be told of changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Puts what is stored into the table; what cannot be used comes back as sentences for people. One
    /// that the environment names too is left to the environment.
    pub async fn load(&self) -> Result<Vec<String>, StoreError> {
        let mut troubles = Vec::new();
        for row in self.store.providers().await? {
            if self.providers.origin(&row.name).is_some() {
                continue;
            }
            let (key, trouble) = match self.key_of(&row) {
                Ok(key) => (key, None),
                Err(reason) => (None, Some(reason)),
            };
            troubles.extend(trouble.map(|reason| format!("The key of {}: {reason}.", row.name)));
            match self.client(&row, key) {
                Ok(client) => self.providers.put(Arc::new(client), Origin::Settings),
                Err(bad) => troubles.push(bad.to_string()),
            }
        }
        Ok(troubles)
    }

    /// Sets a provider up, or changes the one called `known`.
    pub async fn save(&self, known: Option<&str>, wish: Wish) -> Result<(), Refused> {
        let _one_at_a_time = self.changing.lock().await;
        let rows = self.store.providers().await?;
        let row = match known {
            Some(name) => {
                let row = rows.iter().find(|row| row.name == name);
                Some(row.ok_or_else(|| self.not_ours(name))?)
            }
            None if self.providers.origin(&wish.name).is_some() => return Err(Refused::Taken),
            None if rows.iter().any(|row| row.name == wish.name) => return Err(Refused::Taken),
            None if rows.len() >= MAX_PROVIDERS => {
                let most = format!("At most {MAX_PROVIDERS} providers: remove one first.");
                return Err(Refused::Wrong(most));
            }
            None => None,
        };
        let name = row.map_or_else(|| wish.name.trim().to_owned(), |row| row.name.clone());
        check_name(&name)?;
        let version = row.map_or(1, |row| row.version + 1);
        let base_url = match wish.base_url {
            Some(url) if url.len() > MAX_TEXT => return Err(too_long("address")),
            Some(url) => url.trim().to_owned(),
            None => usual_address(wish.kind)?.to_owned(),
        };
        let same_place = row.is_some_and(|row| row.base_url == base_url);
        let key = match (wish.key, row) {
            (Some(key), _) if key.len() > MAX_KEY => return Err(too_long("key")),
            (Some(key), _) if key.trim().is_empty() => None,
            (Some(key), _) => Some(ApiKey::new(&key)),
            // A key goes to nobody but the address it was entered for.
            (None, Some(row)) if !same_place && row.sealed_key.is_some() => {
                let message = "The address is another one, so the key must be entered again: it was meant for the old one.";
                return Err(Refused::Wrong(message.to_owned()));
            }
            (None, Some(row)) => self.key_of(row).map_err(|reason| {
                Refused::Wrong(format!("The key that is known cannot be used: {reason}."))
            })?,
            (None, None) => None,
        };
        let default_model = wish
            .default_model
            .map(|model| model.trim().to_owned())
            .filter(|model| !model.is_empty());
        if default_model
            .as_ref()
            .is_some_and(|model| model.len() > MAX_TEXT)
        {
            return Err(too_long("default model"));
        }
        let sealed_key = key
            .as_ref()
            .map(|key| self.vault.seal(key.expose(), place(&name, version)))
            .transpose()
            .map_err(|error| Refused::Store(StoreError::Broken(error.to_string())))?;
        // What was said of an address holds for as long as it is the same.
        let said_before = row.is_some_and(|row| same_place && row.private_ok);
        let private_ok = wish.private || said_before;
        let row = StoredProvider {
            name: name.clone(),
            kind: kind_name(wish.kind).to_owned(),
            base_url,
            default_model,
            private_ok,
            version,
            sealed_key,
        };
        let client = self.client(&row, key)?;
        self.store.save_provider(&row, self.clock.now()).await?;
        self.providers.put(Arc::new(client), Origin::Settings);
        self.has_changed(&name);
        Ok(())
    }

    /// Removes a provider; calls under way go on.
    pub async fn remove(&self, name: &str) -> Result<(), Refused> {
        let _one_at_a_time = self.changing.lock().await;
        let rows = self.store.providers().await?;
        if !rows.iter().any(|row| row.name == name) {
            return Err(self.not_ours(name));
        }
        self.store.remove_provider(name).await?;
        // One that the environment names is not the one that was stored under that name.
        if self.providers.origin(name) == Some(Origin::Settings) {
            self.providers.remove(name);
        }
        self.has_changed(name);
        Ok(())
    }

    /// What a provider has on offer, asked now.
    pub async fn ask(&self, llm: &Arc<dyn Llm>) -> Result<Vec<ModelInfo>, LlmError> {
        let models = llm.models().await?;
        let offer = Offer {
            at: self.clock.now(),
            models: models.clone(),
        };
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        offers.insert(llm.about().name, offer);
        Ok(models)
    }

    /// What every provider has on offer: as it is known, or asked for where that is too old.
    pub async fn offers(&self, refresh: bool) -> Vec<(String, Result<Vec<ModelInfo>, LlmError>)> {
        let now = self.clock.now();
        let names = self.providers.list().into_iter().map(|about| about.name);
        let asked = names.filter_map(|name| Some((self.providers.get(&name)?, name)));
        join_all(asked.map(|(llm, name)| async move {
            let known = {
                let offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
                offers.get(&name).cloned()
            };
            match known.filter(|known| !refresh && now.ms_since(known.at) < FRESH_MS) {
                Some(known) => (name, Ok(known.models)),
                None => {
                    let models = self.ask(&llm).await;
                    (name, models)
                }
            }
        }))
        .await
    }

    /// Asks for the catalogues now and every hour, until shutdown. Prices for estimates come with them.
    pub async fn keep_fresh(self: Arc<Self>, shutdown: CancellationToken) {
        let mut hour = tokio::time::interval(Duration::from_millis(FRESH_MS));
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = hour.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                offers = self.offers(true) => {
                    for (provider, offer) in offers {
                        if let Err(error) = offer {
                            tracing::info!(provider, %error, "no catalogue");
                        }
                    }
                }
            }
        }
    }

    /// A provider is another one now, or gone.
    fn has_changed(&self, name: &str) {
        let mut offers = self.offers.lock().unwrap_or_else(PoisonError::into_inner);
        offers.remove(name);
        self.changes.send_modify(|count| *count += 1);
    }

    fn not_ours(&self, name: &str) -> Refused {
        match self.providers.origin(name) {
            Some(_) => Refused::SetAtStart,
            None => Refused::Missing,
        }
    }

    fn key_of(&self, row: &StoredProvider) -> Result<Option<ApiKey>, String> {
        let Some(sealed) = &row.sealed_key else {
            return Ok(None);
        };
        let opened = self.vault.open(sealed, place(&row.name, row.version));
        let key = opened.map_err(|error| error.to_string())?;
        Ok(Some(ApiKey::new(&key)))
    }

    fn client(&self, row: &StoredProvider, key: Option<ApiKey>) -> Result<OpenAi, BadSettings> {
        OpenAi::new(Settings {
            name: row.name.clone(),
            kind: match row.kind.as_str() {
                "openrouter" => ProviderKind::Openrouter,
                "openai" => ProviderKind::Openai,
                _ => ProviderKind::Compatible,
            },
            base_url: row.base_url.clone(),
            key,
            default_model: row.default_model.clone(),
            app_url: None,
            timeouts: Timeouts::default(),
            reach: match row.private_ok {
                true => Reach::Private,
                false => Reach::Public,
            },
            clock: Arc::clone(&self.clock),
        })
    }
}

fn place(name: &str, version: u64) -> Place<'_> {
    Place {
        table: "providers",
        row: name,
        version,
    }
}

/// The kind's name in rows, API and pages.
pub fn kind_name(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Openrouter => "openrouter",
        ProviderKind::Openai => "openai",
        ProviderKind::Compatible => "compatible",
        ProviderKind::Rehearsal => "rehearsal",
    }
}

fn usual_address(kind: ProviderKind) -> Result<&'static str, Refused> {
    match kind {
        ProviderKind::Openrouter => Ok("https://openrouter.ai/api/v1"),
        ProviderKind::Openai => Ok("https://api.openai.com/v1"),
        ProviderKind::Compatible | ProviderKind::Rehearsal => Err(Refused::Wrong(
            "A compatible server needs its base URL, like http://127.0.0.1:8000/v1.".to_owned(),
        )),
    }
}

fn too_long(what: &str) -> Refused {
    Refused::Wrong(format!("The {what} is too long to be one."))
}

fn check_name(name: &str) -> Result<(), Refused> {
    let fits =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if TAKEN.contains(&name) {
        return Err(Refused::Taken);
    }
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
        return Err(Refused::Wrong(format!(
            "A provider's name has 1 to {MAX_NAME} of a-z, 0-9 and -."
        )));
    }
    Ok(())
}
