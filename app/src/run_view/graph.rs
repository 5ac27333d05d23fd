//! The run's drawing with the state of each node, and its share of the selection.

use std::{collections::HashMap, sync::Arc};

use domain::{id::TaskName, run::TaskState};
use leptos::prelude::*;

use crate::{
    canvas::{NodeStatus, WatchCanvas},
    run_view::{rounds, said, selection::Selection, watch::Watch},
};

/// The graph.
#[component]
pub fn Graph(watch: Watch, selection: Selection) -> impl IntoView {
    let drawing = watch.drawing.get_value();
    let selected = RwSignal::new(selection.shown.get_untracked().map(|task| node_of(&task)));
    Effect::new(move |_| {
        let node = selection.shown.get().map(|task| node_of(&task));
        if selected.with_untracked(|selected| *selected != node) {
            selected.set(node);
        }
    });
    Effect::new(move |_| {
        let node = selected.get();
        let shown = selection.shown.get_untracked().map(|task| node_of(&task));
        if node == shown {
            return;
        }
        match node {
            None => selection.choose(None),
            // A note has no task: nothing to show.
            Some(node) => {
                let task = TaskName::parse(&node)
                    .ok()
                    .filter(|task| watch.peek(|run| run.tasks.contains_key(task)));
                if task.is_some() {
                    selection.choose(task);
                }
            }
        }
    });
    view! {
        <section class="run-graph" aria-label="Graph">
            <WatchCanvas drawing=drawing statuses=statuses(watch) selected/>
        </section>
    }
}

/// The node of the graph that a task belongs to: for one inside a round, the map or loop.
fn node_of(task: &TaskName) -> String {
    rounds::root(task.as_str()).to_owned()
}

/// The state of each node: changes when a task does, and each second while a task's time goes on.
fn statuses(watch: Watch) -> Signal<Arc<HashMap<String, NodeStatus>>> {
    let ticks = Memo::new(move |_| {
        watch.whole(|run| rounds::top(run).any(|(_, task)| goes_on(&task.state)))
    });
    let second = Memo::new(move |_| ticks.get().then(|| watch.now.get().0.div_euclid(1_000)));
    let statuses = Memo::new(move |_| {
        second.track();
        let now = watch.now.get_untracked();
        let nodes = watch.whole(|run| {
            rounds::top(run)
                .map(|(_, task)| {
                    let agent = task
                        .attempts
                        .last()
                        .and_then(|attempt| attempt.agent)
                        .map(|agent| watch.agent_name(agent));
                    let status = NodeStatus {
                        status: task.state.name().to_owned(),
                        note: said::note(task, now),
                        agent,
                    };
                    (task.node.to_string(), status)
                })
                .collect::<HashMap<_, _>>()
        });
        Arc::new(nodes)
    });
    statuses.into()
}

fn goes_on(state: &TaskState) -> bool {
    match state {
        TaskState::Assigned { .. } | TaskState::Running { .. } | TaskState::Waiting { .. } => true,
        TaskState::Blocked
        | TaskState::Ready { .. }
        | TaskState::Unknown { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Skipped { .. }
        | TaskState::Cancelled => false,
    }
}
