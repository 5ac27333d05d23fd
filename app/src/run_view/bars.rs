//! The timeline's geometry: which stretches of time a task's bar is made of, and how long the axis is.
//! Times are milliseconds since the run was accepted, so that only the axis changes while time goes on.

use domain::{
    run::{AttemptState, Run, Task, TaskState},
    time::Timestamp,
};

/// A stretch of a task's bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// What it shows, for `data-status`: that of an attempt, or `waiting`.
    pub status: &'static str,
    /// Begin.
    pub from_ms: u64,
    /// End; `None` while it goes on.
    pub to_ms: Option<u64>,
}

/// The stretches of a task's bar, in order of time.
pub fn segments(task: &Task, begin: Timestamp) -> Vec<Segment> {
    let since = |moment: Timestamp| moment.ms_since(begin);
    let mut segments = Vec::new();
    let mut waits_since: Option<Timestamp> = None;
    for attempt in &task.attempts {
        if let Some(from) = waits_since.take().filter(|from| *from < attempt.started_at) {
            segments.push(wait(since(from), Some(since(attempt.started_at))));
        }
        // Waiting can be the work itself: for a person, a moment, a child run.
        let waits = attempt.ended_at.is_none() && matches!(task.state, TaskState::Waiting { .. });
        segments.push(Segment {
            status: if waits {
                "waiting"
            } else {
                attempt_status(&attempt.state)
            },
            from_ms: since(attempt.started_at),
            to_ms: attempt.ended_at.map(since),
        });
        waits_since = attempt.ended_at;
    }
    match &task.state {
        TaskState::Ready { since: ready } => {
            segments.push(wait(since(waits_since.unwrap_or(*ready)), None))
        }
        TaskState::Waiting { .. } => {
            segments.extend(waits_since.map(|from| wait(since(from), None)))
        }
        TaskState::Unknown { .. } => {
            segments.extend(waits_since.map(|from| wait(since(from), None)))
        }
        TaskState::Blocked
        | TaskState::Assigned { .. }
        | TaskState::Running { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Skipped { .. }
        | TaskState::Cancelled => {}
    }
    segments
}

fn wait(from_ms: u64, to_ms: Option<u64>) -> Segment {
    Segment {
        status: "waiting",
        from_ms,
        to_ms,
    }
}

/// The name of an attempt's state, for `data-status`.
pub fn attempt_status(state: &AttemptState) -> &'static str {
    match state {
        AttemptState::Assigned => "assigned",
        AttemptState::Running => "running",
        AttemptState::Succeeded => "succeeded",
        AttemptState::Failed { .. } => "failed",
        AttemptState::Cancelled => "cancelled",
        AttemptState::Unknown { .. } => "unknown",
    }
}

/// How long a run takes so far, or took.
pub fn elapsed_ms(run: &Run, now: Timestamp) -> u64 {
    run.ended_at.unwrap_or(now).ms_since(run.created_at)
}

/// An axis: its length, and the distance of its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// From the left end to the right.
    pub span_ms: u64,
    /// From mark to mark.
    pub step_ms: u64,
}

/// Distances of marks that read well as seconds, minutes, hours, days.
const STEPS_MS: [u64; 22] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
    600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000, 43_200_000,
    86_400_000,
];

/// Most marks on an axis.
const MOST_MARKS: u64 = 5;

/// The axis for a time. It grows in whole steps, so that bars stand still while time goes on.
pub fn axis(elapsed_ms: u64) -> Axis {
    let room = elapsed_ms.saturating_add(elapsed_ms / 50).max(STEPS_MS[0]);
    let days = STEPS_MS[STEPS_MS.len() - 1];
    let step_ms = STEPS_MS
        .into_iter()
        .find(|step| room.div_ceil(*step) <= MOST_MARKS)
        .unwrap_or_else(|| {
            room.div_ceil(MOST_MARKS)
                .div_ceil(days)
                .saturating_mul(days)
        });
    Axis {
        span_ms: room.div_ceil(step_ms).saturating_mul(step_ms),
        step_ms,
    }
}

impl Axis {
    /// Where the marks stand, both ends included.
    pub fn marks(self) -> impl Iterator<Item = u64> {
        (0..=self.span_ms / self.step_ms.max(1)).map(move |at| at * self.step_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_view::story::{name, queued, state_after};

    fn bar(events: usize, task: &str) -> String {
        let run = state_after(events);
        segments(&run.tasks[&name(task)], run.created_at)
            .iter()
            .map(|part| match part.to_ms {
                Some(to) => format!("{} {}-{to}", part.status, part.from_ms),
                None => format!("{} {}-", part.status, part.from_ms),
            })
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn a_bar_tells_attempts_and_waits() {
        assert_eq!(bar(0, "plan"), "");
        assert_eq!(bar(2, "plan"), "waiting 2000-");
        assert_eq!(bar(3, "plan"), "assigned 3000-");
        assert_eq!(bar(4, "plan"), "running 3000-");
        assert_eq!(bar(5, "plan"), "failed 3000-5000");
        assert_eq!(bar(6, "plan"), "failed 3000-5000, waiting 5000-");
        assert_eq!(bar(7, "plan"), "failed 3000-5000, waiting 5000-");
        assert_eq!(
            bar(9, "plan"),
            "failed 3000-5000, waiting 5000-8000, running 8000-"
        );
        assert_eq!(
            bar(19, "plan"),
            "failed 3000-5000, waiting 5000-8000, succeeded 8000-14000"
        );
        assert_eq!(bar(19, "build"), "succeeded 16000-18000");
    }

    #[test]
    fn waiting_that_is_the_work_itself_is_shown_as_waiting() {
        let mut run = state_after(9);
        let task = &mut run.tasks[&name("plan")];
        task.state = TaskState::Waiting {
            reason: domain::run::Waiting::Approval,
            until: None,
        };
        let status = segments(task, Timestamp(1_000))
            .pop()
            .map(|part| part.status);
        assert_eq!(status, Some("waiting"));
    }

    #[test]
    fn the_axis_has_room_and_few_marks() {
        for elapsed in [
            0,
            1,
            49,
            50,
            333,
            999,
            1_000,
            7_777,
            61_000,
            3_600_000,
            100 * 86_400_000,
            u64::MAX / 2,
        ] {
            let axis = axis(elapsed);
            assert!(axis.span_ms >= elapsed, "{elapsed}: {axis:?}");
            assert!(axis.marks().count() <= 6, "{elapsed}: {axis:?}");
            assert!(
                elapsed < 1_000 || axis.span_ms <= elapsed.saturating_mul(2),
                "{elapsed}: {axis:?}"
            );
        }
        assert_eq!(
            axis(9_000),
            Axis {
                span_ms: 10_000,
                step_ms: 2_000
            }
        );
    }

    #[test]
    fn time_stands_still_at_the_end() {
        let later = Timestamp(1_000_000);
        assert_eq!(elapsed_ms(&queued(), later), 999_000);
        assert_eq!(elapsed_ms(&state_after(19), later), 19_000);
    }
}
