//! What the expressions of a scope see of the results of steps.

use serde_json::Value;

use super::{Done, LiveRun, weight};
use crate::{expression::Outputs, graph::NodeIx};

/// Outputs as a scope sees them: its own, in a loop those of the round before where this one has
/// none yet, then those around it.
pub(super) struct View<'a> {
    pub live: &'a LiveRun,
    pub scope: usize,
    pub done: &'a Done,
}

impl View<'_> {
    fn own(&self, scope: usize, node: NodeIx) -> Option<&Value> {
        let at = &self.live.scopes[scope];
        let now = self.live.state(at.base + node);
        match (now.output(), at.previous) {
            (Some(output), _) => Some(output),
            (None, Some(previous)) if !now.is_settled() => {
                let before = &self.live.scopes[previous];
                self.live.state(before.base + node).output()
            }
            (None, Some(_) | None) => None,
        }
    }
}

impl Outputs for View<'_> {
    fn output(&self, node: &str) -> Option<&Value> {
        let mut scope = self.scope;
        loop {
            let at = &self.live.scopes[scope];
            if let Some(node) = at.graph.find(node) {
                return self.own(scope, node);
            }
            scope = self.live.place[at.owner?];
        }
    }

    fn spent(&self, work: u64) {
        self.done.count(weight::of_work(work));
    }

    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut scope = self.scope;
        loop {
            let at = &self.live.scopes[scope];
            for (node, found) in at.graph.nodes.iter().enumerate() {
                if self.own(scope, node).is_some() {
                    names.push(found.id.as_str());
                }
            }
            match at.owner {
                Some(owner) => scope = self.live.place[owner],
                None => return names,
            }
        }
    }
}
