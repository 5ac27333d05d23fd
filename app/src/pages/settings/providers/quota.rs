//! What a provider's key may still spend, as the provider says, with a warning before it runs out.

use domain::money::MicroUsd;
use leptos::prelude::*;

use crate::{api, api::dto::Quota, components::Badge, words};

/// From this share of a limit on, what is left is little.
const LITTLE: u64 = 10;

/// What is left, in words; `None` where the provider does not say.
fn left(quota: &Quota) -> Option<String> {
    let resets = match &quota.resets {
        Some(word) => format!(", begins anew {word}"),
        None => String::new(),
    };
    match (quota.remaining_usd, quota.limit_usd) {
        (Some(remaining), Some(limit)) => Some(format!(
            "{} of {} left{resets}",
            words::exact_money(remaining),
            words::exact_money(limit)
        )),
        (Some(remaining), None) => Some(format!("{} left{resets}", words::exact_money(remaining))),
        (None, _) => quota
            .used_usd
            .map(|used| format!("{} spent, no limit", words::exact_money(used))),
    }
}

/// Whether a tenth or less of the limit is left.
fn runs_out(quota: &Quota) -> bool {
    let (Some(MicroUsd(remaining)), Some(MicroUsd(limit))) = (quota.remaining_usd, quota.limit_usd)
    else {
        return false;
    };
    u128::from(remaining) * 100 <= u128::from(limit) * u128::from(LITTLE)
}

/// What the key of a provider may still spend. Asked for once the page is there.
#[component]
pub fn KeyQuota(name: String) -> impl IntoView {
    let ask = Action::new(move |(): &()| api::provider_quota(name.clone()));
    Effect::new(move |_| {
        ask.dispatch(());
    });
    let said = move || match ask.value().get() {
        None => view! { <span class="muted">"Asking what the key may spend…"</span> }.into_any(),
        Some(Err(_)) => {
            view! { <span class="muted">"It does not say what the key may spend now."</span> }
                .into_any()
        }
        Some(Ok(quota)) => {
            let little = runs_out(&quota);
            view! {
                {left(&quota)}
                {little.then(|| view! { " " <Badge status="warning">"runs out"</Badge> })}
            }
            .into_any()
        }
    };
    view! { <p class="row-note" role="status">{said}</p> }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(remaining: Option<u64>, limit: Option<u64>) -> Quota {
        Quota {
            limit_usd: limit.map(MicroUsd),
            remaining_usd: remaining.map(MicroUsd),
            used_usd: Some(MicroUsd(20_000)),
            resets: None,
        }
    }

    #[test]
    fn a_tenth_is_little_and_no_limit_is_never_little() {
        assert!(runs_out(&quota(Some(1_000_000), Some(10_000_000))));
        assert!(!runs_out(&quota(Some(1_000_001), Some(10_000_000))));
        assert!(runs_out(&quota(Some(0), Some(0))));
        assert!(!runs_out(&quota(Some(0), None)));
    }

    #[test]
    fn what_is_left_is_said_as_far_as_it_is_known() {
        let said = |remaining, limit| left(&quota(remaining, limit)).unwrap_or_default();
        assert_eq!(
            said(Some(9_500_000), Some(10_000_000)),
            "$9.50 of $10.00 left"
        );
        assert_eq!(said(None, None), "$0.02 spent, no limit");
        let monthly = Quota {
            resets: Some("monthly".into()),
            ..quota(Some(5), None)
        };
        assert_eq!(
            left(&monthly).as_deref(),
            Some("$0.000005 left, begins anew monthly")
        );
        assert_eq!(left(&Quota::default()), None);
    }
}
