//! What a task waits for, in words. Pure.

use domain::{
    kind::Kind,
    run::{AttemptState, Task, Waiting},
    time::Timestamp,
};

use crate::words;

/// What a task waits for, and how long at most.
pub fn sentence(task: &Task, reason: Waiting, until: Option<Timestamp>, now: Timestamp) -> String {
    let left = left(until, now);
    match (reason, left) {
        (Waiting::Timer, Some(left)) if is_wait(task) => format!("Goes on in {left}."),
        (Waiting::Timer, None) if is_wait(task) => "Goes on at any moment.".to_owned(),
        (Waiting::Timer, Some(left)) => format!("Next try in {left}."),
        (Waiting::Timer, None) => "The next try begins at any moment.".to_owned(),
        (Waiting::Provider, None) => {
            "Waits for its turn at the provider, which answers few calls at a time just now."
                .to_owned()
        }
        (Waiting::Provider, Some(left)) => {
            format!("The provider may not be called now. Goes on in {left}.")
        }
        (Waiting::Approval, Some(left)) => {
            format!("Waits for a person's answer, for {left} more at most.")
        }
        (Waiting::Approval, None) => "Waits for a person's answer.".to_owned(),
        (Waiting::Run, Some(left)) => {
            format!("Waits for the end of its child run, for {left} more at most.")
        }
        (Waiting::Run, None) => "Waits for the end of its child run.".to_owned(),
        (Waiting::Budget, Some(left)) => {
            format!("Waits for room in a budget; there is new room in {left}.")
        }
        (Waiting::Budget, None) => "Waits for room in a budget.".to_owned(),
        (Waiting::Replay, Some(_) | None) if task.answer.is_some() => {
            "Goes on when the run is resumed.".to_owned()
        }
        (Waiting::Replay, Some(_) | None) => {
            "Waits for a person, as its prompt is not the recorded one.".to_owned()
        }
    }
}

/// The same in a few words, for the line under a node.
pub fn short(task: &Task, reason: Waiting, until: Option<Timestamp>, now: Timestamp) -> String {
    match (reason, left(until, now)) {
        (Waiting::Timer, Some(left)) if is_wait(task) => format!("{left} left"),
        (Waiting::Timer, None) if is_wait(task) => "goes on".to_owned(),
        (Waiting::Timer | Waiting::Provider, Some(left)) => format!("again in {left}"),
        (Waiting::Timer | Waiting::Provider, None) => "tries again".to_owned(),
        (Waiting::Approval, Some(left)) => format!("waits for you, {left} left"),
        (Waiting::Approval, None) => "waits for you".to_owned(),
        (Waiting::Run, Some(_) | None) => "waits for its run".to_owned(),
        (Waiting::Budget, Some(_) | None) => "waits for budget".to_owned(),
        (Waiting::Replay, Some(_) | None) => "waits for you".to_owned(),
    }
}

/// What is left until a moment to come, in whole seconds.
fn left(until: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let until = until.filter(|until| *until > now)?;
    Some(words::elapsed(until.ms_since(now) + 999))
}

/// Whether waiting is the step itself, and not a pause between two tries.
fn is_wait(task: &Task) -> bool {
    Kind::parse(&task.kind) == Some(Kind::Wait)
        && task
            .open_attempt()
            .is_some_and(|open| open.state == AttemptState::Running)
}
