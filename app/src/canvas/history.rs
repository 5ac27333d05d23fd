//! Undo and redo: what was done, and what takes it back. Typing one word and dragging one node are one
//! step each.

use std::collections::VecDeque;

use super::op::Op;

/// What is forgotten first when there is more.
const MOST_STEPS: usize = 500;
/// Edits with the same key that come within this are one step.
const TOGETHER_MS: f64 = 1_500.0;

/// What can be taken back, and what can be done again.
#[derive(Debug, Clone, Default)]
pub struct History {
    done: VecDeque<Step>,
    undone: Vec<Step>,
}

/// One press of undo.
#[derive(Debug, Clone)]
struct Step {
    label: String,
    /// What takes it back, in order, while it is done; what does it again, while it is undone.
    ops: Vec<Op>,
    key: Option<String>,
    at_ms: f64,
}

impl History {
    /// Notes what was done and how to take it back. `key`: see `Edit::coalesces_as`.
    pub fn record(&mut self, label: String, back: Vec<Op>, key: Option<String>, now_ms: f64) {
        self.undone.clear();
        if let Some(last) = self.done.back_mut()
            && key.is_some()
            && last.key == key
            && now_ms - last.at_ms <= TOGETHER_MS
        {
            let earlier = std::mem::replace(&mut last.ops, back);
            last.ops.extend(earlier);
            last.ops = oldest_of_each(std::mem::take(&mut last.ops));
            last.at_ms = now_ms;
            return;
        }
        if self.done.len() == MOST_STEPS {
            self.done.pop_front();
        }
        self.done.push_back(Step {
            label,
            ops: back,
            key,
            at_ms: now_ms,
        });
    }

    /// The next edit begins a step of its own, whatever it is.
    pub fn part(&mut self) {
        if let Some(last) = self.done.back_mut() {
            last.key = None;
        }
    }

    /// What undo would take back.
    pub fn undo_label(&self) -> Option<&str> {
        self.done.back().map(|step| step.label.as_str())
    }

    /// What redo would do again.
    pub fn redo_label(&self) -> Option<&str> {
        self.undone.last().map(|step| step.label.as_str())
    }

    /// Takes the last step back: `apply` gets what is to be done and returns its inverse.
    pub fn undo(&mut self, apply: impl FnOnce(Vec<Op>) -> Vec<Op>) -> Option<String> {
        let step = self.done.pop_back()?;
        let ops = apply(step.ops);
        let label = step.label.clone();
        self.undone.push(Step {
            ops,
            key: None,
            ..step
        });
        Some(label)
    }

    /// Does the step again that was last taken back.
    pub fn redo(&mut self, apply: impl FnOnce(Vec<Op>) -> Vec<Op>) -> Option<String> {
        let step = self.undone.pop()?;
        let ops = apply(step.ops);
        let label = step.label.clone();
        self.done.push_back(Step {
            ops,
            key: None,
            ..step
        });
        Some(label)
    }
}

/// Of several changes to one thing, in the order in which they will be applied, the last alone decides.
/// Only lists of plain replacements are thinned: places in them mean the same from first to last.
fn oldest_of_each(ops: Vec<Op>) -> Vec<Op> {
    let plain = |op: &Op| match op {
        Op::SetNode(..) | Op::SetEdge(..) | Op::SetMeta(_) | Op::SetPlaces(_) => true,
        Op::InsertNodes(_)
        | Op::RemoveNodes(_)
        | Op::InsertEdges(_)
        | Op::RemoveEdges(_)
        | Op::SetAll(_) => false,
    };
    if !ops.iter().all(plain) {
        return ops;
    }
    let mut kept: Vec<Op> = Vec::new();
    for op in ops.into_iter().rev() {
        let covered = kept.iter().any(|later| match (later, &op) {
            (Op::SetNode(a, _), Op::SetNode(b, _)) | (Op::SetEdge(a, _), Op::SetEdge(b, _)) => {
                a == b
            }
            (Op::SetMeta(_), Op::SetMeta(_)) => true,
            (Op::SetPlaces(a), Op::SetPlaces(b)) => b.keys().all(|id| a.contains_key(id)),
            (_, _) => false,
        });
        if !covered {
            kept.push(op);
        }
    }
    kept.reverse();
    kept
}
