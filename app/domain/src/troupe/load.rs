//! How much is worked on, in all and for each provider; what may begin is held against it.

use std::{collections::HashMap, sync::Arc};

/// How much is worked on.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub all: usize,
    by_provider: HashMap<Arc<str>, usize>,
}

impl Load {
    pub fn add(&mut self, provider: &Arc<str>) {
        self.all += 1;
        *self.by_provider.entry(Arc::clone(provider)).or_default() += 1;
    }

    pub fn ease(&mut self, provider: &Arc<str>) {
        self.all = self.all.saturating_sub(1);
        if let Some(count) = self.by_provider.get_mut(provider) {
            *count -= 1;
            if *count == 0 {
                self.by_provider.remove(provider);
            }
        }
    }

    pub fn of(&self, provider: &str) -> usize {
        self.by_provider.get(provider).copied().unwrap_or(0)
    }
}
