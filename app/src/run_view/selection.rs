//! The one selection that graph, list and panel share, with its copy in the address (`?task=`), so that
//! reload, back and a link to a task all work.

use std::{collections::BTreeSet, sync::Arc};

use domain::id::TaskName;
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use crate::run_view::{
    focus::{self, Focus},
    rounds::{self, Row},
    watch::Watch,
};

/// What is selected. Copyable.
#[derive(Clone, Copy)]
pub struct Selection {
    watch: Watch,
    focus: RwSignal<Focus>,
    /// The task that is shown, chosen or followed.
    pub shown: Memo<Option<TaskName>>,
    /// Maps and loops whose rounds are in the list.
    open: RwSignal<BTreeSet<TaskName>>,
    /// The rows of the list.
    pub rows: Memo<Arc<Vec<Row>>>,
    write: Callback<Option<TaskName>>,
}

impl Selection {
    /// Begins with what the address says, else by following a live run.
    pub fn new(watch: Watch) -> Self {
        let query = use_query_map();
        let asked =
            move || query.with(|query| query.get("task").and_then(|raw| known(watch, &raw)));
        let live = watch.peek(|run| !run.state.is_final());
        let focus = RwSignal::new(match untrack(asked) {
            Some(task) => Focus::Task(task),
            None if live => Focus::Follow,
            None => Focus::Overview,
        });
        let shown = Memo::new(move |last: Option<&Option<TaskName>>| match focus.get() {
            Focus::Task(task) => Some(task),
            Focus::Overview => None,
            // Between two tasks the last one stays; the end of the run shows the run.
            Focus::Follow => watch.whole(|run| {
                if run.state.is_final() {
                    return None;
                }
                focus::newest_at_work(run)
                    .or_else(|| focus::asking(run).next().map(|(name, _)| name))
                    .cloned()
                    .or_else(|| last.cloned().flatten())
            }),
        });
        // Back, forward, and links to a task of this run.
        Effect::new(move |_| {
            let chosen = matches!(focus.get_untracked(), Focus::Task(_));
            match asked() {
                Some(task) => set_if_new(focus, Focus::Task(task)),
                None if chosen => focus.set(Focus::Overview),
                None => {}
            }
        });
        let open = RwSignal::new(BTreeSet::new());
        if let Focus::Task(task) = focus.get_untracked() {
            open.set(rounds::owners(&task).into_iter().collect());
        }
        // Tasks come to be with each round, and with nothing else.
        let count = Memo::new(move |_| watch.whole(|run| run.tasks.len()));
        let rows = Memo::new(move |_| {
            count.track();
            watch.run(|run| Arc::new(open.with(|open| rounds::rows(run, open))))
        });
        let navigate = use_navigate();
        let write = Callback::new(move |task: Option<TaskName>| {
            let address = match task {
                Some(task) => format!("/runs/{}?task={}", watch.id, escape(task.as_str())),
                None => format!("/runs/{}", watch.id),
            };
            navigate(
                &address,
                NavigateOptions {
                    replace: true,
                    scroll: false,
                    ..NavigateOptions::default()
                },
            );
        });
        Self {
            watch,
            focus,
            shown,
            open,
            rows,
            write,
        }
    }

    /// Whether the page follows the newest task at work.
    pub fn follows(self) -> bool {
        self.focus.with(|focus| *focus == Focus::Follow)
    }

    /// Whether a person chose the task that is shown.
    pub fn is_chosen(self) -> bool {
        self.focus.with(|focus| matches!(focus, Focus::Task(_)))
    }

    /// A person chose a task, or nothing.
    pub fn choose(self, task: Option<TaskName>) {
        let closed: Vec<TaskName> = task.as_ref().map(rounds::owners).unwrap_or_default();
        if closed.iter().any(|owner| !self.is_open(owner)) {
            self.open.update(|open| open.extend(closed));
        }
        set_if_new(
            self.focus,
            task.clone().map_or(Focus::Overview, Focus::Task),
        );
        self.write.run(task);
    }

    /// Follows from now on, or stays with what is shown.
    pub fn follow(self, on: bool) {
        if on {
            self.focus.set(Focus::Follow);
            self.write.run(None);
        } else {
            self.choose(self.shown.get_untracked());
        }
    }

    /// Whether the rounds of a task are in the list.
    pub fn is_open(self, task: &TaskName) -> bool {
        self.open.with(|open| open.contains(task))
    }

    /// Puts the rounds of a task into the list, or takes them out.
    pub fn fold(self, task: &TaskName, open: bool) {
        self.open.update(|known| {
            if open {
                known.insert(task.clone());
            } else {
                known.remove(task);
            }
        });
    }

    /// Opens the task that is shown, or closes it or what is around it.
    pub fn fold_shown(self, open: bool) {
        let Some(shown) = self.shown.get_untracked() else {
            return;
        };
        let folds = self.watch.peek(|run| {
            run.tasks
                .get(&shown)
                .is_some_and(|task| task.body.is_some())
        });
        if folds && untrack(|| self.is_open(&shown)) != open {
            self.fold(&shown, open);
        } else if !open && let Some(owner) = rounds::owners(&shown).into_iter().next() {
            self.fold(&owner, false);
            self.choose(Some(owner));
        }
    }

    /// Chooses the task so many places further.
    pub fn step(self, by: isize) {
        let next = self.rows.with_untracked(|rows| {
            let names: Vec<_> = rows.iter().map(|row| row.name.clone()).collect();
            let shown = self.shown.get_untracked();
            // From a task that is folded away, the way goes on from what is around it.
            let place = shown.and_then(|shown| rounds::place(rows, &shown));
            focus::step(&names, place.and_then(|place| names.get(place)), by)
        });
        if next.is_some() {
            self.choose(next);
        }
    }
}

/// The task of this name, if the run has one.
fn known(watch: Watch, raw: &str) -> Option<TaskName> {
    TaskName::parse(raw)
        .ok()
        .filter(|task| watch.peek(|run| run.tasks.contains_key(task)))
}

fn set_if_new(focus: RwSignal<Focus>, new: Focus) {
    if focus.with_untracked(|focus| *focus != new) {
        focus.set(new);
    }
}

/// A task name as it stands in an address. Names hold only visible ASCII; these alone mean something there.
pub fn escape(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' => c.to_string(),
            other => format!("%{:02X}", u32::from(other)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_of_inner_tasks_fit_into_an_address() {
        assert_eq!(escape("plan-2_b"), "plan-2_b");
        assert_eq!(escape("each[3].draft"), "each%5B3%5D.draft");
        assert_eq!(escape("a&b=c#d%e"), "a%26b%3Dc%23d%25e");
    }
}
