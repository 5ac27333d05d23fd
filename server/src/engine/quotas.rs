//! What providers' keys may still spend, asked for now and then, so that people are warned before it is
//! gone and not by runs that fail.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use app::words;
use domain::{event::SystemEvent, quota::Quota, time::Timestamp};
use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, llm::Providers};

/// How often they are asked. A key is used up in hours, not in minutes, or nobody could do anything.
const EVERY: Duration = Duration::from_secs(300);

/// Keys that have little left, one sentence each, by provider.
pub type LowQuotas = BTreeMap<String, String>;

/// Asks now and then, and whenever providers are changed, until shutdown; `write` puts into the log whose
/// key came to have little left.
pub async fn watch(
    providers: Arc<Providers>,
    mut changes: watch::Receiver<u64>,
    clock: Arc<dyn Clock>,
    low: watch::Sender<LowQuotas>,
    shutdown: CancellationToken,
    write: impl AsyncFn(SystemEvent),
) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
            // The sender is a part of the desk, which lives as long as this.
            _ = changes.changed() => {}
        }
        let asked = tokio::select! {
            () = shutdown.cancelled() => return,
            asked = ask(&providers) => asked,
        };
        let now = clock.now();
        let before = low.borrow().clone();
        let after = judge(&before, asked, now);
        for (provider, message) in &after {
            if !before.contains_key(provider) {
                let (provider, message) = (provider.clone(), message.clone());
                write(SystemEvent::QuotaLow { provider, message }).await;
            }
        }
        low.send_if_modified(|low| std::mem::replace(low, after.clone()) != after);
    }
}

/// What each provider says; `None` where it did not answer.
async fn ask(providers: &Providers) -> Vec<(String, Option<Quota>)> {
    let real = providers.list().into_iter().filter(|it| !it.simulated);
    let asked = real.filter_map(|it| Some((providers.get(&it.name)?, it.name)));
    join_all(asked.map(|(llm, name)| async move { (name, llm.quota().await.ok()) })).await
}

/// Who has little left now. Of one that did not answer nothing new is known.
fn judge(before: &LowQuotas, asked: Vec<(String, Option<Quota>)>, now: Timestamp) -> LowQuotas {
    let judged = asked.into_iter().filter_map(|(name, quota)| {
        let message = match quota {
            Some(quota) if quota.runs_out(now) => sentence(&name, &quota, now),
            Some(_) => return None,
            None => before.get(&name)?.clone(),
        };
        Some((name, message))
    });
    judged.collect()
}

fn sentence(name: &str, quota: &Quota, now: Timestamp) -> String {
    let left = words::quota_left(quota, now).unwrap_or_default();
    format!(
        "The key of {name} has little left: {left}. Calls fail when it is gone: raise the limit or add credit there, or use another provider."
    )
}

#[cfg(test)]
mod tests {
    use domain::money::MicroUsd;

    use super::*;

    fn left(usd: u64) -> Option<Quota> {
        Some(Quota {
            limit_usd: Some(MicroUsd(10_000_000)),
            remaining_usd: Some(MicroUsd(usd * 1_000_000)),
            ..Quota::default()
        })
    }

    #[test]
    fn who_has_little_left_is_said_until_there_is_more() {
        let ask = |before: &LowQuotas, quota| {
            let asked = vec![("acme".to_owned(), quota), ("other".to_owned(), left(9))];
            judge(before, asked, Timestamp(0))
        };
        let none = LowQuotas::new();
        assert_eq!(ask(&none, left(2)), none);
        let low = ask(&none, left(1));
        assert_eq!(
            low.values().collect::<Vec<_>>(),
            [
                "The key of acme has little left: $1.00 of $10.00 left. Calls fail when it is gone: raise the limit or add credit there, or use another provider."
            ]
        );
        assert_eq!(ask(&low, None), low, "silence changes nothing");
        assert_eq!(ask(&low, left(10)), none);
    }
}
