//! Every model on offer, searched by name, price, context and what it can do.

use domain::money::MicroUsd;
use leptos::prelude::*;

use crate::{
    api,
    api::dto::{Catalogue, ModelOffer},
    components::{Button, ErrorView},
    words,
};

/// Rows that are drawn; the search narrows the rest.
const SHOWN: usize = 200;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Default)]
struct Wanted {
    words: String,
    max_price: String,
    min_context: String,
    tools: bool,
    structured: bool,
}

impl Wanted {
    /// Whether an offer fits. What is not known fits no limit: nobody wants a surprise.
    fn fits(&self, offer: &ModelOffer) -> bool {
        let about = format!("{} {}", offer.model, offer.name).to_lowercase();
        let named = self
            .words
            .to_lowercase()
            .split_whitespace()
            .all(|word| about.contains(word));
        let dollars = self.max_price.trim().parse::<MicroUsd>().ok();
        let cheap = dollars.is_none_or(|most| {
            offer
                .completion_usd_per_million
                .is_some_and(|price| price <= most)
        });
        let context = self.min_context.trim().parse::<u64>().ok();
        let roomy = context.is_none_or(|least| {
            offer
                .context_tokens
                .is_some_and(|tokens| tokens >= least.saturating_mul(1_000))
        });
        named
            && cheap
            && roomy
            && (!self.tools || offer.tools == Some(true))
            && (!self.structured || offer.json_schema == Some(true))
    }
}

/// The catalogue of all providers.
#[component]
pub fn Models() -> impl IntoView {
    let ask = Action::new(|refresh: &bool| {
        let refresh = *refresh;
        async move { api::models(refresh).await }
    });
    Effect::new(move |_| {
        ask.dispatch(false);
    });
    let wanted = RwSignal::new(Wanted::default());
    let list = move || match ask.value().get() {
        None => view! { <p class="panel-text muted">"Asking the providers…"</p> }.into_any(),
        Some(Err(error)) => view! { <ErrorView error/> }.into_any(),
        Some(Ok(catalogue)) => view! { <List catalogue wanted/> }.into_any(),
    };
    view! {
        <form class="panel-text filters" role="search" aria-label="Models" on:submit=|event| event.prevent_default()>
            <label>"Name"<input type="search" placeholder="any" on:input:target=move |event| wanted.update(|wanted| wanted.words = event.target().value())/></label>
            <label>"At most $ per million written"<input type="number" min="0" step="any" on:input:target=move |event| wanted.update(|wanted| wanted.max_price = event.target().value())/></label>
            <label>"At least 1,000 tokens of context"<input type="number" min="0" on:input:target=move |event| wanted.update(|wanted| wanted.min_context = event.target().value())/></label>
            <label class="choice"><input type="checkbox" on:change:target=move |event| wanted.update(|wanted| wanted.tools = event.target().checked())/>"Can use tools"</label>
            <label class="choice"><input type="checkbox" on:change:target=move |event| wanted.update(|wanted| wanted.structured = event.target().checked())/>"Structured output"</label>
            <Button busy=ask.pending() on_press=move |()| { ask.dispatch(true); }>"Refresh"</Button>
        </form>
        {list}
    }
    .into_any()
}

#[component]
fn List(catalogue: Catalogue, wanted: RwSignal<Wanted>) -> impl IntoView {
    let Catalogue { models, silent } = catalogue;
    let models = StoredValue::new(models);
    let found = Memo::new(move |_| {
        let wanted = wanted.get();
        models.with_value(|models| {
            let fits: Vec<ModelOffer> = models
                .iter()
                .filter(|offer| wanted.fits(offer))
                .cloned()
                .collect();
            fits
        })
    });
    let count = move || {
        let count = found.with(Vec::len);
        match count > SHOWN {
            true => format!(
                "{} models, the first {SHOWN} are shown",
                words::count(count as u64)
            ),
            false => words::plural(count as u64, "model", "models"),
        }
    };
    view! {
        {silent
            .into_iter()
            .map(|(name, reason)| view! { <p class="panel-text muted">{format!("{name} did not tell its models: {reason}")}</p> })
            .collect_view()}
        <p class="panel-text muted" role="status">{count}</p>
        <div class="usage-scroll">
            <table class="usage-table models">
                <thead>
                    <tr>
                        <th scope="col">"Model"</th>
                        <th scope="col">"$ per million read"</th>
                        <th scope="col">"$ per million written"</th>
                        <th scope="col">"Context"</th>
                        <th scope="col">"Tools"</th>
                        <th scope="col">"Schema"</th>
                    </tr>
                </thead>
                <tbody>
                    {move || {
                        let shown = found.get().into_iter().take(SHOWN);
                        shown.map(|offer| view! { <Offer offer/> }).collect_view()
                    }}
                </tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Offer(offer: ModelOffer) -> impl IntoView {
    let price = |price: Option<MicroUsd>| match price {
        Some(MicroUsd(0)) => "free".to_owned(),
        Some(price) => price.to_string(),
        None => "unknown".to_owned(),
    };
    let can = |can: Option<bool>| match can {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let context = offer.context_tokens.map_or_else(
        || "unknown".to_owned(),
        |tokens| format!("{}k", tokens / 1_000),
    );
    view! {
        <tr>
            <th scope="row">
                <strong>{offer.name}</strong>
                <br/>
                <span class="mono">{offer.model}</span>
            </th>
            <td>{price(offer.prompt_usd_per_million)}</td>
            <td>{price(offer.completion_usd_per_million)}</td>
            <td>{context}</td>
            <td>{can(offer.tools)}</td>
            <td>{can(offer.json_schema)}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> ModelOffer {
        ModelOffer {
            model: "openrouter:acme/echo-2".into(),
            name: "Acme: Echo 2".into(),
            context_tokens: Some(131_072),
            prompt_usd_per_million: Some(MicroUsd(3_000_000)),
            completion_usd_per_million: Some(MicroUsd(15_000_000)),
            tools: Some(true),
            json_schema: None,
        }
    }

    #[test]
    fn every_filter_narrows() {
        let all = Wanted::default();
        assert!(all.fits(&offer()));
        let with = |change: fn(&mut Wanted)| {
            let mut wanted = Wanted::default();
            change(&mut wanted);
            wanted.fits(&offer())
        };
        assert!(with(|wanted| wanted.words = "ECHO acme".into()));
        assert!(!with(|wanted| wanted.words = "echo 3".into()));
        assert!(with(|wanted| wanted.max_price = "15".into()));
        assert!(!with(|wanted| wanted.max_price = "14.99".into()));
        assert!(with(|wanted| wanted.min_context = "131".into()));
        assert!(!with(|wanted| wanted.min_context = "132".into()));
        assert!(with(|wanted| wanted.tools = true));
        assert!(!with(|wanted| wanted.structured = true));
    }

    #[test]
    fn terms_say_price_and_context() {
        assert_eq!(offer().terms(), "$3 in, $15 out per million, 131k context");
    }
}
