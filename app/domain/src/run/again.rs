//! Which results a new run may take over from an old one: when it is run again from a step, or in a
//! newer version of its workflow. Pure: from the old run and both graphs to the results to begin with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Run, Seed, SkipReason, TaskState, input::Rejection};
use crate::{
    graph::{Join, NodeIx, ValidGraph},
    id::{NodeId, TaskName},
};

/// Results of finished tasks that a run of `new` begins with. With `from` that step and all behind
/// it are done again; without, what was not finished. Refused when a finished step that would be
/// kept is another one in the new graph.
pub fn seed(
    run: &Run,
    old: &ValidGraph,
    new: &ValidGraph,
    from: Option<&NodeId>,
) -> Result<Vec<Seed>, Rejection> {
    let mut again = vec![false; new.nodes.len()];
    if let Some(from) = from {
        let start = new
            .find(from.as_str())
            .ok_or_else(|| Rejection::NoSuchNode(from.clone()))?;
        again[start] = true;
        for node in new.behind(start) {
            again[node] = true;
        }
    }
    let mut stands = vec![false; new.nodes.len()];
    let mut seeds = Vec::new();
    for &node in &new.order {
        if again[node] {
            continue;
        }
        let id = &new.nodes[node].id;
        let Some(task) = run.tasks.get(id.as_str()) else {
            continue;
        };
        let (output, port) = match &task.state {
            TaskState::Succeeded { output, port, .. } => (Some(output), port.clone()),
            TaskState::Skipped {
                reason: SkipReason::NotTaken | SkipReason::Disabled,
            } => (None, None),
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped {
                reason: SkipReason::NotAsked,
            }
            | TaskState::Cancelled
            | TaskState::Unknown { .. } => continue,
        };
        if !is_same(old, new, node) {
            match output {
                Some(_) => return Err(Rejection::FinishedPartChanged(id.clone())),
                None => continue,
            }
        }
        if !has_footing(new, node, &stands) {
            continue;
        }
        stands[node] = true;
        if let Some(output) = output {
            seeds.push(Seed {
                task: TaskName::of(id),
                output: output.clone(),
                port,
            });
        }
    }
    Ok(seeds)
}

/// Results to begin with for a run of one step alone: values that a person pins under the names of
/// other steps.
pub fn pinned(
    graph: &ValidGraph,
    only: &NodeId,
    pins: &BTreeMap<NodeId, Value>,
) -> Result<Vec<Seed>, Rejection> {
    let known = |id: &NodeId| match graph.find(id.as_str()) {
        Some(_) => Ok(()),
        None => Err(Rejection::NoSuchNode(id.clone())),
    };
    known(only)?;
    let mut seeds = Vec::with_capacity(pins.len());
    for (id, output) in pins.iter().filter(|(id, _)| *id != only) {
        known(id)?;
        seeds.push(Seed {
            task: TaskName::of(id),
            output: output.clone(),
            port: None,
        });
    }
    Ok(seeds)
}

/// Whether a step does the same in both graphs, after the same steps. Its title may differ, and how
/// often it is tried: neither changes a result that is there.
fn is_same(old: &ValidGraph, new: &ValidGraph, node: NodeIx) -> bool {
    let now = &new.nodes[node];
    let Some(before) = old.find(now.id.as_str()) else {
        return false;
    };
    let was = &old.nodes[before];
    was.work == now.work
        && was.join == now.join
        && was.disabled == now.disabled
        && ways_in(old, before) == ways_in(new, node)
}

fn ways_in(graph: &ValidGraph, node: NodeIx) -> BTreeSet<(&str, &str)> {
    graph.incoming[node]
        .iter()
        .map(|edge| {
            let edge = &graph.edges[*edge];
            (graph.nodes[edge.from].id.as_str(), edge.port.as_str())
        })
        .collect()
}

/// Whether what a step was built on stands too.
fn has_footing(graph: &ValidGraph, node: NodeIx, stands: &[bool]) -> bool {
    let mut before = graph.incoming[node]
        .iter()
        .map(|edge| stands[graph.edges[*edge].from]);
    match graph.nodes[node].join {
        Join::All => before.all(|stands| stands),
        Join::Any => graph.incoming[node].is_empty() || before.any(|stands| stands),
    }
}
