//! Which task the page shows: the one that a person chose, or the newest that runs.

use std::cmp::Reverse;

use domain::{
    id::TaskName,
    run::{Run, Task, TaskState, Waiting},
};

/// What the right side shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Focus {
    /// Whichever task began last, until a person chooses.
    Follow,
    /// This task.
    Task(TaskName),
    /// The run as a whole.
    Overview,
}

/// The task at work whose newest attempt began last; `None` while nobody works.
pub fn newest_at_work(run: &Run) -> Option<&TaskName> {
    let began = |task: &Task| task.attempts.last().map(|attempt| attempt.started_at);
    run.tasks
        .iter()
        .filter(|(_, task)| task.state.attempt().is_some())
        // Of several that began at once, the first of the file.
        .min_by_key(|(_, task)| Reverse(began(task)))
        .map(|(name, _)| name)
}

/// Tasks that wait for a person, in the order of the run; none once the run is over.
pub fn asking(run: &Run) -> impl Iterator<Item = (&TaskName, &Task)> {
    let live = !run.state.is_final();
    run.tasks
        .iter()
        .filter(move |(_, task)| live && asks(&task.state))
}

/// Whether a task in this state waits for a person.
pub fn asks(state: &TaskState) -> bool {
    match state {
        TaskState::Waiting { reason, .. } => match reason {
            Waiting::Approval | Waiting::Replay => true,
            // Of budgets people are told at the head of the page, once for all tasks.
            Waiting::Timer | Waiting::Run | Waiting::Provider | Waiting::Budget => false,
        },
        TaskState::Unknown { .. } => true,
        TaskState::Blocked
        | TaskState::Ready { .. }
        | TaskState::Assigned { .. }
        | TaskState::Running { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Skipped { .. }
        | TaskState::Cancelled => false,
    }
}

/// The task so many places further; the first or last one when nothing is chosen. Stops at the ends.
pub fn step(names: &[TaskName], current: Option<&TaskName>, by: isize) -> Option<TaskName> {
    let last = names.len().checked_sub(1)?;
    let place = current.and_then(|current| names.iter().position(|name| name == current));
    let next = match place {
        Some(place) => place.saturating_add_signed(by).min(last),
        None if by < 0 => last,
        None => 0,
    };
    names.get(next).cloned()
}

#[cfg(test)]
mod tests {
    use domain::run::{Attempt, AttemptState};
    use domain::time::Timestamp;

    use super::*;
    use crate::run_view::story::{agent, blocked, name, queued};

    fn at_work(node: &str, since: i64) -> Task {
        let mut task = blocked(node);
        task.state = TaskState::Running { attempt: 1 };
        task.attempts.push(Attempt {
            number: 1,
            agent: Some(agent()),
            state: AttemptState::Running,
            started_at: Timestamp(since),
            ended_at: None,
            turns: Vec::new(),
        });
        task
    }

    #[test]
    fn the_newest_at_work_is_followed() {
        let mut run = queued();
        assert_eq!(newest_at_work(&run), None);
        for (node, since) in [("a", 5), ("b", 9), ("c", 9), ("d", 7)] {
            run.tasks.insert(name(node), at_work(node, since));
        }
        assert_eq!(newest_at_work(&run), Some(&name("b")));
        run.tasks[&name("b")].state = TaskState::Cancelled;
        assert_eq!(newest_at_work(&run), Some(&name("c")));
    }

    #[test]
    fn steps_stop_at_the_ends() {
        let names = ["a", "b", "c"].map(name);
        let after = |current: Option<&str>, by| {
            step(&names, current.map(name).as_ref(), by)
                .map_or("-".to_owned(), |name| name.to_string())
        };
        assert_eq!(after(None, 1), "a");
        assert_eq!(after(None, -1), "c");
        assert_eq!(after(Some("a"), 1), "b");
        assert_eq!(after(Some("c"), 1), "c");
        assert_eq!(after(Some("a"), -1), "a");
        assert_eq!(after(Some("gone"), 1), "a");
        assert_eq!(step(&[], None, 1), None);
    }
}
