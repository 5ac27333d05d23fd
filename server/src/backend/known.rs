//! Workflow versions that were found to be runnable. A stored version never changes, so neither does that;
//! what is here saves reading and checking a drawing for each start.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use domain::{graph::ValidGraph, id::WorkflowId};

/// Nodes in all graphs together; older ones are read again when they are wanted.
const MOST_NODES: usize = 20_000;

/// A workflow that can run.
#[derive(Debug, Clone)]
pub(super) struct Runnable {
    pub(super) id: WorkflowId,
    pub(super) version: u32,
    pub(super) name: String,
    pub(super) graph: Arc<ValidGraph>,
}

/// The runnable workflows that were used lately.
#[derive(Default)]
pub struct Known(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    by_version: HashMap<(WorkflowId, u32), Runnable>,
    in_order: VecDeque<(WorkflowId, u32)>,
    nodes: usize,
}

impl Known {
    pub(super) fn get(&self, id: WorkflowId, version: u32) -> Option<Runnable> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.by_version.get(&(id, version)).cloned()
    }

    /// Keeps it; the oldest go to make room. One that is larger than all room is not kept.
    pub(super) fn keep(&self, runnable: &Runnable) {
        let size = runnable.graph.nodes.len();
        if size > MOST_NODES {
            return;
        }
        let key = (runnable.id, runnable.version);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.by_version.insert(key, runnable.clone()).is_some() {
            return;
        }
        inner.in_order.push_back(key);
        inner.nodes += size;
        while inner.nodes > MOST_NODES
            && let Some(oldest) = inner.in_order.pop_front()
        {
            if let Some(gone) = inner.by_version.remove(&oldest) {
                inner.nodes -= gone.graph.nodes.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::graph::{Drawing, check::check};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn graph(nodes: usize) -> Arc<ValidGraph> {
        let nodes: Vec<_> = (0..nodes)
            .map(|at| json!({ "id": format!("n{at}"), "kind": "transform", "template": "x" }))
            .collect();
        let file = json!({ "troupe": 1, "name": "N", "nodes": nodes, "edges": [] });
        let drawing = Drawing::from_value(file).expect("a drawing").0;
        Arc::new(check(&drawing).0.expect("it can run"))
    }

    #[test]
    fn the_oldest_make_room() {
        let known = Known::default();
        let id = WorkflowId(Uuid::from_u128(1));
        let graph = graph(4_000);
        for version in 1..=6 {
            let name = "N".to_owned();
            let graph = Arc::clone(&graph);
            known.keep(&Runnable {
                id,
                version,
                name,
                graph,
            });
        }
        let kept: Vec<u32> = (1..=6).filter(|v| known.get(id, *v).is_some()).collect();
        assert_eq!(kept, [2, 3, 4, 5, 6]);
    }
}
