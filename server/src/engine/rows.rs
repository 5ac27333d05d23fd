//! The rows that go into the database beside events: copies of state in memory, for lists.

use std::collections::{BTreeMap, HashSet};

use domain::{
    event::{Event, Fact},
    frame::Delta,
    id::{AgentId, RunId, TaskName},
    run::{Attempt, AttemptState, Run, RunEvent, RunState, Task, TaskEvent, TaskState, Waiting},
    troupe::Troupe,
};

use crate::store::{AttemptRow, Batch, ChangedRun, RunRow, Start, TaskRow};

/// Which tasks of a run changed.
enum Changed {
    All,
    Some(HashSet<TaskName>),
}

impl Changed {
    fn add(&mut self, tasks: impl IntoIterator<Item = TaskName>) {
        match self {
            Changed::All => {}
            Changed::Some(changed) => changed.extend(tasks),
        }
    }
}

/// Everything that must be stored together: the events, and the rows of what they changed.
pub fn batch(
    events: Vec<Event>,
    starts: Vec<Start>,
    said: Vec<Delta>,
    unsaid: Vec<(RunId, TaskName)>,
    troupe: &Troupe,
) -> Batch {
    let mut runs: BTreeMap<RunId, Changed> = BTreeMap::new();
    let mut agents: HashSet<AgentId> = HashSet::new();
    for event in &events {
        match &event.fact {
            Fact::Run { run, event, .. } => match event {
                RunEvent::Queued { .. } => *of_run(&mut runs, *run) = Changed::All,
                RunEvent::Resumed { again, .. } => {
                    of_run(&mut runs, *run).add(again.iter().cloned())
                }
                RunEvent::Started {}
                | RunEvent::Paused { .. }
                | RunEvent::BudgetSet { .. }
                | RunEvent::BudgetWarned(_)
                | RunEvent::BudgetExceeded(_)
                | RunEvent::ChildEnded { .. }
                | RunEvent::Completed { .. }
                | RunEvent::Failed { .. }
                | RunEvent::Cancelled { .. } => of_run(&mut runs, *run).add([]),
            },
            Fact::Task {
                run, task, event, ..
            } => {
                let changed = of_run(&mut runs, *run);
                changed.add([task.clone()]);
                if let TaskEvent::Opened { index, .. } = event {
                    changed.add(inside(troupe, *run, task, *index));
                }
            }
            Fact::Agent { agent, .. } => {
                agents.insert(*agent);
            }
            Fact::System(_) => {}
        }
    }
    let runs = runs
        .into_iter()
        .filter_map(|(id, changed)| Some(changed_run(&troupe.runs.get(&id)?.run, &changed)))
        .collect();
    let agents = agents
        .into_iter()
        .filter_map(|id| troupe.agents.get(&id).cloned())
        .collect();
    Batch {
        events,
        runs,
        agents,
        starts,
        said,
        unsaid,
    }
}

fn of_run(runs: &mut BTreeMap<RunId, Changed>, run: RunId) -> &mut Changed {
    runs.entry(run)
        .or_insert_with(|| Changed::Some(HashSet::new()))
}

/// Tasks that came to be with a round of a map or loop.
fn inside(troupe: &Troupe, run: RunId, owner: &TaskName, round: u32) -> Vec<TaskName> {
    let live = troupe.runs.get(&run);
    let body = live.and_then(|live| live.run.tasks.get(owner)?.body.clone());
    body.iter()
        .flat_map(|body| body.iter())
        .map(|sketch| TaskName::inside(owner, round, &sketch.node))
        .collect()
}

fn changed_run(run: &Run, changed: &Changed) -> ChangedRun {
    let tasks: Vec<(usize, &TaskName, &Task)> = match changed {
        Changed::All => run
            .tasks
            .iter()
            .enumerate()
            .map(|(at, (name, task))| (at, name, task))
            .collect(),
        Changed::Some(names) => names
            .iter()
            .filter_map(|name| run.tasks.get_full(name))
            .collect(),
    };
    ChangedRun {
        row: run_row(run),
        attempts: tasks
            .iter()
            .flat_map(|(_, name, task)| {
                task.attempts
                    .iter()
                    .map(|attempt| attempt_row(name, attempt))
            })
            .collect(),
        tasks: tasks
            .iter()
            .map(|(at, name, task)| task_row(*at, name, task))
            .collect(),
    }
}

fn run_row(run: &Run) -> RunRow {
    let (output, error) = match &run.state {
        RunState::Succeeded { output } => (Some(output.to_string()), None),
        RunState::Failed { error } => (None, Some(error.error.message.clone())),
        RunState::Queued
        | RunState::Running
        | RunState::Paused { .. }
        | RunState::Cancelled { .. } => (None, None),
    };
    let tokens = run.tokens();
    RunRow {
        id: run.id,
        workflow: run.workflow_id,
        version: run.workflow_version,
        workflow_name: run.workflow_name.clone(),
        status: run.state.name(),
        started_by: run.started_by.clone(),
        input: run.input.to_string(),
        output,
        error,
        budget: run.budget_usd,
        budget_tokens: run.budget_tokens,
        // A notice always can be written as JSON.
        held_by: run
            .held_by
            .as_ref()
            .and_then(|notice| serde_json::to_string(notice).ok()),
        cost: run.cost(),
        prompt_tokens: tokens.prompt,
        completion_tokens: tokens.completion,
        tasks: count(run.tasks.len()),
        tasks_settled: run.totals.settled,
        created_at: run.created_at,
        started_at: run.started_at,
        ended_at: run.ended_at,
        last_seq: run.last_seq,
        last_run_seq: run.last_run_seq,
        parent: run.parent.as_ref().map(|parent| parent.run),
        parent_task: run
            .parent
            .as_ref()
            .and_then(|parent| Some(parent.task.as_ref()?.to_string())),
    }
}

fn task_row(position: usize, name: &TaskName, task: &Task) -> TaskRow {
    let error = match &task.state {
        TaskState::Failed { error, .. } | TaskState::Unknown { error, .. } => {
            Some(error.message.clone())
        }
        TaskState::Blocked
        | TaskState::Ready { .. }
        | TaskState::Assigned { .. }
        | TaskState::Running { .. }
        | TaskState::Waiting { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Skipped { .. }
        | TaskState::Cancelled => None,
    };
    let (waits, until) = match task.state {
        TaskState::Waiting { reason, until } => (Some(reason), until),
        TaskState::Blocked
        | TaskState::Ready { .. }
        | TaskState::Assigned { .. }
        | TaskState::Running { .. }
        | TaskState::Succeeded { .. }
        | TaskState::Failed { .. }
        | TaskState::Skipped { .. }
        | TaskState::Cancelled
        | TaskState::Unknown { .. } => (None, None),
    };
    let asked = || task.input.as_ref()?.get("message")?.as_str();
    TaskRow {
        task: name.to_string(),
        position: count(position),
        node: task.node.to_string(),
        kind: task.kind.clone(),
        status: task.state.name(),
        attempts: count(task.attempts.len()),
        error,
        cost: task.cost(),
        title: task.title.clone(),
        waiting_for: waits.map(waiting_for),
        waiting_until: until,
        question: match waits {
            Some(Waiting::Approval) => asked().map(str::to_owned),
            Some(Waiting::Replay) => task.question.clone(),
            Some(Waiting::Timer | Waiting::Run | Waiting::Provider | Waiting::Budget) | None => {
                None
            }
        },
    }
}

/// What a task waits for, as rows and the API name it.
pub fn waiting_for(reason: Waiting) -> &'static str {
    match reason {
        Waiting::Timer => "timer",
        Waiting::Approval => "approval",
        Waiting::Run => "run",
        Waiting::Provider => "provider",
        Waiting::Budget => "budget",
        Waiting::Replay => "replay",
    }
}

fn attempt_row(task: &TaskName, attempt: &Attempt) -> AttemptRow {
    let (status, error) = match &attempt.state {
        AttemptState::Assigned => ("assigned", None),
        AttemptState::Running => ("running", None),
        AttemptState::Succeeded => ("succeeded", None),
        AttemptState::Failed { error } => ("failed", Some(error.message.clone())),
        AttemptState::Cancelled => ("cancelled", None),
        AttemptState::Unknown { error } => ("unknown", Some(error.message.clone())),
    };
    AttemptRow {
        task: task.to_string(),
        attempt: attempt.number,
        agent: attempt.agent,
        status,
        error,
        turns: count(attempt.turns.len()),
        cost: attempt.cost(),
        started_at: attempt.started_at,
        ended_at: attempt.ended_at,
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
