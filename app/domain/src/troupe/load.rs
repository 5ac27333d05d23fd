//! How much is worked on, in all, of each workflow and for each provider; what may begin is held against it.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use crate::id::WorkflowId;

/// How much is worked on.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub all: usize,
    by_workflow: HashMap<WorkflowId, usize>,
    by_provider: HashMap<Arc<str>, usize>,
}

impl Load {
    pub fn add(&mut self, workflow: WorkflowId, provider: &Arc<str>) {
        self.all += 1;
        *self.by_workflow.entry(workflow).or_default() += 1;
        *self.by_provider.entry(Arc::clone(provider)).or_default() += 1;
    }

    pub fn ease(&mut self, workflow: WorkflowId, provider: &Arc<str>) {
        self.all = self.all.saturating_sub(1);
        one_less(&mut self.by_workflow, &workflow);
        one_less(&mut self.by_provider, provider);
    }

    /// Of all runs of a workflow together.
    pub fn of_workflow(&self, workflow: WorkflowId) -> usize {
        self.by_workflow.get(&workflow).copied().unwrap_or(0)
    }

    pub fn of(&self, provider: &str) -> usize {
        self.by_provider.get(provider).copied().unwrap_or(0)
    }
}

fn one_less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, of: &K) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}
