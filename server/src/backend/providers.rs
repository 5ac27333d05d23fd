//! Providers as people set them up, and what is on offer there.

use app::{
    api::dto::{
        Catalogue, FoundServer, ModelOffer, ProviderCheck, ProviderForm, ProviderInfo, WrittenKey,
    },
    error::{ApiError, ErrorKind},
};
use domain::{money::MicroUsd, quota::Quota};
use tokio::time::Instant;

use super::{Product, broken};
use crate::llm::{
    LlmError, ModelInfo, Origin, ProviderKind,
    desk::{Refused, Wish, kind_name},
    nearby,
    pricing::Prices,
};

impl Product {
    pub(super) fn known_providers(&self) -> Vec<ProviderInfo> {
        let default = self.providers.default_model();
        let list = self.providers.list().into_iter().map(|about| {
            let default_model = about
                .default_model
                .map(|model| format!("{}:{model}", about.name));
            ProviderInfo {
                is_default: default.is_some() && default == default_model,
                kind: kind_name(about.kind).to_owned(),
                editable: self.providers.origin(&about.name) == Some(Origin::Settings),
                name: about.name,
                base_url: about.base_url,
                has_key: about.has_key,
                simulated: about.simulated,
                default_model,
            }
        });
        list.collect()
    }

    pub(super) async fn set_up(
        &self,
        known: Option<String>,
        form: ProviderForm,
    ) -> Result<(), ApiError> {
        let ProviderForm {
            name,
            kind,
            base_url,
            key,
            default_model,
            private,
        } = form;
        let kind = match kind.as_str() {
            "openrouter" => ProviderKind::Openrouter,
            "openai" => ProviderKind::Openai,
            "compatible" => ProviderKind::Compatible,
            _ => {
                let message = "The kind is openrouter, openai or compatible.".to_owned();
                return Err(refused(Refused::Wrong(message)));
            }
        };
        let wish = Wish {
            name,
            kind,
            base_url: base_url.filter(|url| !url.trim().is_empty()),
            key: key.map(|WrittenKey(key)| key),
            default_model,
            private,
        };
        let saved = self.desk.save(known.as_deref(), wish).await;
        saved.map_err(refused)
    }

    pub(super) async fn take_out(&self, name: &str) -> Result<(), ApiError> {
        self.desk.remove(name).await.map_err(refused)
    }

    pub(super) async fn try_provider(&self, name: &str) -> Result<ProviderCheck, ApiError> {
        let llm = self.providers.get(name);
        let llm = llm.ok_or_else(|| ApiError::not_found("provider"))?;
        let began = Instant::now();
        let answer = match llm.check().await {
            Ok(()) => self.desk.ask(&llm).await,
            Err(error) => Err(error),
        };
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(match answer {
            Ok(models) => ProviderCheck {
                works: true,
                models: Some(models.len() as u64),
                took_ms,
                message: match models.len() {
                    0 => "Works, and offers no model: load one there first.".to_owned(),
                    1 => "Works: 1 model.".to_owned(),
                    count => format!("Works: {count} models."),
                },
                code: None,
            },
            Err(error) => ProviderCheck {
                works: false,
                models: None,
                took_ms,
                message: match &error {
                    LlmError::NoModel { .. } | LlmError::Garbled { .. } => format!(
                        "{error} If that is a model server, its base URL probably ends in /v1."
                    ),
                    _ => error.to_string(),
                },
                code: Some(error.code().to_owned()),
            },
        })
    }

    pub(super) async fn quota_of(&self, name: &str) -> Result<Quota, ApiError> {
        let llm = self.providers.get(name);
        let llm = llm.ok_or_else(|| ApiError::not_found("provider"))?;
        llm.quota()
            .await
            .map_err(|error| ApiError::new(ErrorKind::Unavailable, error.code(), error.to_string()))
    }

    pub(super) async fn look_around(&self) -> Vec<FoundServer> {
        let known: Vec<String> = self
            .providers
            .list()
            .into_iter()
            .filter_map(|about| about.base_url)
            .map(|url| url.replace("//localhost", "//127.0.0.1"))
            .collect();
        let found = nearby::look(&nearby::USUAL, &self.clock).await;
        let fresh = found
            .into_iter()
            .filter(|found| !known.contains(&found.base_url));
        fresh
            .map(|found| FoundServer {
                name: found.name.to_owned(),
                product: found.product.to_owned(),
                base_url: found.base_url,
                models: found.models.len() as u64,
                first_model: found.models.into_iter().next(),
                needs_key: found.needs_key,
            })
            .collect()
    }

    pub(super) async fn catalogue(&self, refresh: bool) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (provider, offer) in self.desk.offers(refresh).await {
            match offer {
                Ok(models) => {
                    let offers = models.into_iter().map(|model| offer_of(&provider, model));
                    catalogue.models.extend(offers);
                }
                Err(error) => catalogue.silent.push((provider, error.to_string())),
            }
        }
        catalogue
    }
}

fn offer_of(provider: &str, model: ModelInfo) -> ModelOffer {
    let ModelInfo {
        id,
        name,
        also: _,
        context_tokens,
        pricing,
        tools,
        json_schema,
    } = model;
    let price = |of: fn(&Prices) -> MicroUsd| pricing.as_ref().map(|it| of(&it.usual));
    ModelOffer {
        model: format!("{provider}:{id}"),
        name,
        context_tokens,
        prompt_usd_per_million: price(|prices| prices.prompt),
        completion_usd_per_million: price(|prices| prices.completion),
        tools,
        json_schema,
    }
}

fn refused(refused: Refused) -> ApiError {
    let (kind, code) = match refused {
        Refused::Store(error) => return broken(error),
        Refused::Missing => (ErrorKind::NotFound, "not_found"),
        Refused::Taken => (ErrorKind::Conflict, "name_taken"),
        Refused::SetAtStart => (ErrorKind::Conflict, "set_at_start"),
        Refused::Wrong(_) => (ErrorKind::Invalid, "bad_provider"),
    };
    ApiError::new(kind, code, refused.to_string())
}
