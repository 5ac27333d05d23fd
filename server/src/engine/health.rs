//! Which parts do not work. Shown on every page and by `/healthz` while it lasts.

use std::collections::BTreeMap;

use domain::event::SystemEvent;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The part that keeps the log. The kernel records its troubles itself, once it can be written again.
pub const STORE: &str = "store";

/// Parts that do not work, by name, with one sentence each for people.
#[derive(Debug, Clone)]
pub struct Health {
    parts: watch::Sender<BTreeMap<&'static str, String>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            parts: watch::Sender::new(BTreeMap::new()),
        }
    }
}

impl Health {
    /// A part stopped working; `message` says what happened, what it means, what to do.
    pub fn degrade(&self, part: &'static str, message: String) {
        self.parts
            .send_if_modified(|parts| parts.insert(part, message.clone()) != Some(message));
    }

    /// A part works again; whether it did not before.
    pub fn recover(&self, part: &'static str) -> bool {
        self.parts
            .send_if_modified(|parts| parts.remove(part).is_some())
    }

    /// One sentence for each part that does not work.
    pub fn degraded(&self) -> Vec<String> {
        self.parts.borrow().values().cloned().collect()
    }

    /// To be told of changes.
    pub fn watch(&self) -> watch::Receiver<BTreeMap<&'static str, String>> {
        self.parts.subscribe()
    }
}

/// Hands on, for the log, which part stopped working and which works again, until shutdown. A part that
/// fails and recovers while the one before is being written leaves no trace: the log is for what lasted.
pub async fn record(health: Health, shutdown: CancellationToken, write: impl AsyncFn(SystemEvent)) {
    let mut parts = health.watch();
    parts.mark_changed();
    let mut known: BTreeMap<&'static str, String> = BTreeMap::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            // The sender is a part of `health`, which lives as long as this.
            _ = parts.changed() => {}
        }
        let now = parts.borrow_and_update().clone();
        for (part, message) in &now {
            if !known.contains_key(part) && *part != STORE {
                let (part, message) = ((*part).to_owned(), message.clone());
                write(SystemEvent::Degraded { part, message }).await;
            }
        }
        for part in known.keys() {
            if !now.contains_key(part) && *part != STORE {
                let part = (*part).to_owned();
                write(SystemEvent::Recovered { part }).await;
            }
        }
        known = now;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn shown(event: &SystemEvent) -> String {
        match event {
            SystemEvent::Degraded { part, message } => format!("{part}: {message}"),
            SystemEvent::Recovered { part } => format!("{part} again"),
            SystemEvent::Started { .. } => "started".to_owned(),
            SystemEvent::ProviderUnhealthy { .. }
            | SystemEvent::ProviderRecovered { .. }
            | SystemEvent::QuotaLow { .. } => "of a provider".to_owned(),
            SystemEvent::BudgetSet { .. } | SystemEvent::BudgetWarned(_) => "of money".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_fails_and_works_again_is_recorded_once_each() {
        let health = Health::default();
        // As when a run was left out at the start, before anybody listens.
        health.degrade("recovery", "a run stays".to_owned());
        let (tell, mut told) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let recorder = tokio::spawn(record(health.clone(), stop.clone(), async move |event| {
            tell.send(shown(&event)).await.expect("the test listens");
        }));
        assert_eq!(told.recv().await.as_deref(), Some("recovery: a run stays"));
        health.degrade(STORE, "locked".to_owned());
        health.degrade("redis", "refused".to_owned());
        assert_eq!(told.recv().await.as_deref(), Some("redis: refused"));
        health.degrade("redis", "timed out".to_owned());
        tokio::task::yield_now().await;
        health.recover(STORE);
        health.recover("redis");
        assert_eq!(told.recv().await.as_deref(), Some("redis again"));
        stop.cancel();
        recorder.await.expect("ends");
        assert_eq!(told.recv().await, None);
    }
}
