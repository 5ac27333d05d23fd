//! Which parts do not work. Shown on every page and by `/healthz` while it lasts.

use std::collections::BTreeMap;

use tokio::sync::watch;

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
