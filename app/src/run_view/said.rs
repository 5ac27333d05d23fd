//! What the page says about a task in words: why it waits, what it waits for, what it took. Pure.

use domain::{
    graph::{Drawing, DrawnNode},
    id::TaskName,
    money::MicroUsd,
    run::{Run, SkipReason, Task, TaskState, Tokens},
    time::Timestamp,
};
use serde_json::Value;

use crate::{
    run_view::{focus, rounds, waits},
    words,
};

/// Who may do a node, in words: `an agent with: review`, `the agent Ada`.
pub fn who(node: Option<&DrawnNode>) -> String {
    let Some(node) = node else {
        return "a free agent".to_owned();
    };
    if let Some(name) = node.text("agent").filter(|name| !name.is_empty()) {
        return format!("the agent {name}");
    }
    let capabilities: Vec<&str> = node
        .keys
        .get("capabilities")
        .and_then(Value::as_array)
        .map(|words| words.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if capabilities.is_empty() {
        "a free agent".to_owned()
    } else {
        format!("a free agent with: {}", capabilities.join(", "))
    }
}

/// Titles of the tasks before this one that are not at their end.
pub fn awaited(run: &Run, drawing: &Drawing, name: &TaskName, task: &Task) -> Vec<String> {
    let round = rounds::prefix(name.as_str());
    let before = drawing
        .edges
        .iter()
        .filter(|edge| edge.target().0 == task.node.as_str())
        .map(|edge| edge.source().0);
    let mut titles: Vec<String> = before
        .filter_map(|node| run.tasks.get(format!("{round}{node}").as_str()))
        .filter(|before| !before.state.is_settled())
        .map(|before| before.title.clone())
        .collect();
    titles.dedup();
    titles
}

/// Why a task is where it is, where that needs a sentence; `None` where its state says it all.
pub fn why(run: &Run, drawing: &Drawing, name: &TaskName, now: Timestamp) -> Option<String> {
    let task = run.tasks.get(name)?;
    match &task.state {
        TaskState::Blocked => {
            let before = rounds::within(drawing, name.as_str(), |drawing| {
                awaited(run, drawing, name, task)
            })
            .unwrap_or_default();
            Some(if run.state.is_final() {
                "Was never reached: the run ended before.".to_owned()
            } else if before.is_empty() {
                "Starts in a moment.".to_owned()
            } else {
                format!("Waits for: {}.", before.join(", "))
            })
        }
        TaskState::Ready { .. } => Some(format!(
            "Waits for {}.",
            rounds::within(drawing, name.as_str(), |drawing| {
                who(drawing.node(task.node.as_str()))
            })
            .unwrap_or_else(|| who(None))
        )),
        TaskState::Assigned { .. } => Some("Is being taken up by its agent.".to_owned()),
        TaskState::Waiting { reason, until } => Some(waits::sentence(task, *reason, *until, now)),
        TaskState::Skipped {
            reason: SkipReason::NotTaken,
        } => Some("Was not needed: no way that leads here was taken.".to_owned()),
        TaskState::Skipped {
            reason: SkipReason::Disabled,
        } => Some("Was passed over: the step is disabled in the workflow.".to_owned()),
        TaskState::Skipped {
            reason: SkipReason::NotAsked,
        } => Some("Was left out: this run is one of a single other step.".to_owned()),
        TaskState::Cancelled => Some("Was stopped together with its run.".to_owned()),
        TaskState::Unknown { .. } => Some(
            "Was cut off, and may have happened or not. It must not happen twice, so a person decides."
                .to_owned(),
        ),
        TaskState::Succeeded { .. } if task.reused => {
            Some("Its result was taken over: the step was not done again.".to_owned())
        }
        TaskState::Running { .. } | TaskState::Succeeded { .. } | TaskState::Failed { .. } => None,
    }
}

/// How long a task takes so far, or took: whole seconds while it goes on. `None` before it began.
pub fn took(task: &Task, now: Timestamp) -> Option<String> {
    let ms = task.duration_ms(now)?;
    Some(if task.state.is_settled() {
        words::duration(ms)
    } else {
        words::elapsed(ms)
    })
}

/// All tokens that are known: `1,204 tokens`; `None` when nobody said.
pub fn tokens(tokens: Tokens) -> Option<String> {
    let known = match (tokens.prompt, tokens.completion) {
        (None, None) => return None,
        (prompt, completion) => prompt.unwrap_or(0).saturating_add(completion.unwrap_or(0)),
    };
    Some(words::plural(known, "token", "tokens"))
}

/// How the tokens are made up, for those who point at the sum.
pub fn tokens_in_detail(tokens: Tokens) -> String {
    let say = |known: Option<u64>| known.map_or_else(|| "unknown".to_owned(), words::count);
    format!(
        "read: {}, written: {}",
        say(tokens.prompt),
        say(tokens.completion)
    )
}

/// The line under a node of the graph: seconds, tokens, cost. Empty before there is anything to say.
pub fn note(task: &Task, now: Timestamp) -> String {
    let waits = match &task.state {
        TaskState::Ready { .. } => Some("waits for an agent".to_owned()),
        TaskState::Waiting { reason, until } => Some(waits::short(task, *reason, *until, now)),
        TaskState::Unknown { .. } => Some("waits for you".to_owned()),
        TaskState::Blocked
        | TaskState::Assigned { .. }
        | TaskState::Running { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Skipped { .. }
        | TaskState::Cancelled => None,
    };
    let rounds = (task.rounds > 0).then(|| words::plural(task.rounds.into(), "round", "rounds"));
    let cost = task.cost().filter(|cost| cost.0 > 0).map(words::money);
    let parts = [
        waits.or_else(|| took(task, now)),
        rounds,
        tokens(task.tokens()),
        cost,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// A mark on the axis: `0`, `0.5 s`, `15 s`, `2 min`, `1 h 30 min`, `3 d`.
pub fn mark(ms: u64) -> String {
    if ms < 60_000 {
        let seconds = format!("{}.{:03}", ms / 1_000, ms % 1_000);
        let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
        return if ms == 0 {
            "0".to_owned()
        } else {
            format!("{seconds} s")
        };
    }
    let part = |count: u64, unit: &str| (count > 0).then(|| format!("{count} {unit}"));
    let parts = [
        part(ms / 86_400_000, "d"),
        part(ms / 3_600_000 % 24, "h"),
        part(ms / 60_000 % 60, "min"),
        part(ms / 1_000 % 60, "s"),
    ];
    parts
        .into_iter()
        .flatten()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a run cost so far. Nothing is known before the first model has answered.
pub fn cost(run: &Run) -> String {
    let answered = run
        .tasks
        .values()
        .flat_map(|task| &task.attempts)
        .any(|attempt| attempt.records().next().is_some());
    match run.cost() {
        Some(cost) => words::money(cost),
        // Every answer was played back: nobody was called.
        None if answered && run.totals.calls == 0 => words::money(MicroUsd(0)),
        None if answered => "unknown".to_owned(),
        None => "none yet".to_owned(),
    }
}

/// What a run is about to the reader: `3 of 5 done, 1 running`.
pub fn progress(run: &Run) -> String {
    let all = run.tasks.len() as u64;
    let settled = u64::from(run.totals.settled);
    let at_work = run
        .tasks
        .values()
        .filter(|task| task.state.attempt().is_some())
        .count() as u64;
    let done = format!(
        "{} of {} done",
        words::count(settled),
        words::plural(all, "task", "tasks")
    );
    let asking = focus::asking(run).count() as u64;
    let parts = [(at_work, "running"), (asking, "waiting for you")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!(", {} {what}", words::count(count)));
    std::iter::once(done).chain(parts).collect()
}

#[cfg(test)]
mod tests {
    use domain::run::{Attempt, AttemptState, Waiting};
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::run_view::story::{log, name, state_after};

    fn drawing() -> Drawing {
        Drawing::from_value(json!({
            "troupe": 1, "name": "Plan and build",
            "nodes": [
                {"id": "plan", "kind": "agent", "capabilities": ["planning", "review"], "prompt": "Plan"},
                {"id": "build", "kind": "agent", "agent": "Ada", "prompt": "Build"},
            ],
            "edges": [{"from": "plan", "to": "build"}],
        }))
        .map(|(drawing, _)| drawing)
        .unwrap()
    }

    fn check(task: &str, expected: &Expect) {
        let mut said: Vec<String> = Vec::new();
        for events in 0..=log().len() {
            let run = state_after(events);
            let now = Timestamp(1_500 + 1_000 * events as i64);
            let why = why(&run, &drawing(), &name(task), now).unwrap_or_default();
            let task = &run.tasks[&name(task)];
            let line = [task.state.name(), &note(task, now), &why].join(" | ");
            if said.last() != Some(&line) {
                said.push(line);
            }
        }
        expected.assert_eq(&said.join("\n"));
    }

    #[test]
    fn a_task_says_why_it_waits() {
        check(
            "plan",
            &expect![[r#"
            blocked |  | Starts in a moment.
            ready | waits for an agent | Waits for a free agent with: planning, review.
            assigned | 0 s | Is being taken up by its agent.
            running | 1 s | 
            running | 2 s | 
            waiting | again in 1 s | Next try in 1 s.
            ready | waits for an agent | Waits for a free agent with: planning, review.
            assigned | 5 s | Is being taken up by its agent.
            running | 6 s | 
            running | 7 s | 
            running | 8 s · 9 tokens | 
            running | 9 s · 9 tokens | 
            running | 10 s · 9 tokens | 
            succeeded | 11 s · 9 tokens | "#]],
        );
        check(
            "build",
            &expect![[r#"
            blocked |  | Waits for: plan.
            blocked |  | Starts in a moment.
            ready | waits for an agent | Waits for the agent Ada.
            assigned | 0 s | Is being taken up by its agent.
            running | 1 s | 
            succeeded | 2.0 s | "#]],
        );
    }

    #[test]
    fn a_task_says_what_it_waits_for() {
        let mut said = Vec::new();
        for (kind, reason, until) in [
            ("approval", Waiting::Approval, None),
            ("approval", Waiting::Approval, Some(61_000)),
            ("workflow", Waiting::Run, None),
            ("agent", Waiting::Provider, Some(31_000)),
            ("agent", Waiting::Timer, Some(3_000)),
            ("wait", Waiting::Timer, Some(3_000)),
            ("wait", Waiting::Timer, Some(500)),
        ] {
            let mut run = state_after(0);
            let task = &mut run.tasks[&name("plan")];
            task.kind = kind.into();
            task.attempts.push(Attempt {
                number: 1,
                agent: None,
                state: AttemptState::Running,
                started_at: Timestamp(0),
                ended_at: None,
                turns: Vec::new(),
            });
            task.state = TaskState::Waiting {
                reason,
                until: until.map(Timestamp),
            };
            let why = why(&run, &drawing(), &name("plan"), Timestamp(1_000)).unwrap_or_default();
            let note = note(&run.tasks[&name("plan")], Timestamp(1_000));
            said.push(format!("{note} | {why}"));
        }
        expect![[r"
            waits for you | Waits for a person's answer.
            waits for you, 1 min 00 s left | Waits for a person's answer, for 1 min 00 s more at most.
            waits for its run | Waits for the end of its child run.
            again in 30 s | The provider may not be called now. Goes on in 30 s.
            again in 2 s | Next try in 2 s.
            2 s left | Goes on in 2 s.
            goes on | Goes on at any moment."]]
        .assert_eq(&said.join("\n"));
    }

    #[test]
    fn progress_counts() {
        let lines: Vec<_> = [0, 4, 15, 19]
            .map(|events| progress(&state_after(events)))
            .into();
        expect![[r#"
            0 of 2 tasks done
            0 of 2 tasks done, 1 running
            1 of 2 tasks done
            2 of 2 tasks done"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn marks_are_whole() {
        let marks = [
            0, 50, 500, 1_000, 1_500, 10_000, 90_000, 3_600_000, 5_400_000, 90_000_000,
        ]
        .map(mark);
        expect![
            "0 · 0.05 s · 0.5 s · 1 s · 1.5 s · 10 s · 1 min 30 s · 1 h · 1 h 30 min · 1 d 1 h"
        ]
        .assert_eq(&marks.join(" · "));
    }

    #[test]
    fn cost_is_unknown_only_where_there_was_something_to_pay() {
        assert_eq!(cost(&state_after(9)), "none yet");
        assert_eq!(cost(&state_after(19)), "unknown");
    }

    #[test]
    fn who_may_do_it() {
        assert_eq!(
            who(drawing().node("plan")),
            "a free agent with: planning, review"
        );
        assert_eq!(who(drawing().node("build")), "the agent Ada");
        assert_eq!(who(None), "a free agent");
    }
}
