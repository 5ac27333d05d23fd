//! An event in words, on one line: what happened, to whom.

use domain::{
    agent::AgentEvent,
    event::{Event, Fact, SystemEvent},
    frame::EventFrame,
    message::{Message, Sender},
    run::{RunEvent, SkipReason, TaskEvent, Waiting},
};

mod money_line;

pub use self::money_line::limit as limit_words;

use crate::words;

/// What happened, in one short sentence without its time. `who` is what the agent is called.
pub fn say(frame: &EventFrame, who: Option<&str>) -> String {
    match Event::from_frame(frame.clone()) {
        Ok(event) => say_fact(&event.fact, who),
        // Stored by a newer version: its type says more than nothing.
        Err(_) => frame.kind.clone(),
    }
}

/// The same, of the typed form.
pub fn say_fact(fact: &Fact, who: Option<&str>) -> String {
    match fact {
        Fact::Run { event, .. } => say_run(event),
        Fact::Task { task, event, .. } => say_task(task.as_str(), event),
        Fact::Agent { event, .. } => say_agent(event, who.unwrap_or("Agent")),
        Fact::System(event) => say_system(event),
    }
}

/// Where an event leads: the run it is about, or the agent.
pub fn place(frame: &EventFrame) -> Option<String> {
    match (frame.run_id, frame.agent_id) {
        (Some(run), _) => Some(format!("/runs/{run}")),
        (None, Some(agent)) => Some(format!("/agents/{agent}")),
        (None, None) => None,
    }
}

fn say_run(event: &RunEvent) -> String {
    match event {
        RunEvent::Queued {
            workflow_name, by, ..
        } => format!("{workflow_name}: accepted, started by {by}"),
        RunEvent::Started {} => "Run started".into(),
        RunEvent::Paused { by } => format!("Run paused by {by}"),
        RunEvent::Resumed { by, again } if again.is_empty() => format!("Run resumed by {by}"),
        RunEvent::Resumed { by, again } => format!(
            "Run taken up again by {by}: {} once more",
            words::plural(again.len() as u64, "task", "tasks")
        ),
        RunEvent::Completed {
            duration_ms,
            cost_usd,
            ..
        } => match cost_usd {
            Some(cost) => format!(
                "Run succeeded in {} for {}",
                words::duration(*duration_ms),
                words::money(*cost)
            ),
            None => format!("Run succeeded in {}", words::duration(*duration_ms)),
        },
        RunEvent::Failed { error } => match &error.task {
            Some(task) => format!(
                "Run failed at {task}: {}",
                words::short(&error.error.message, 120)
            ),
            None => format!("Run failed: {}", words::short(&error.error.message, 120)),
        },
        RunEvent::Cancelled { by } => format!("Run cancelled by {by}"),
        RunEvent::BudgetSet { .. }
        | RunEvent::BudgetWarned(_)
        | RunEvent::BudgetExceeded(_)
        | RunEvent::ChildEnded { .. } => money_line::of_run(event),
    }
}

fn say_task(task: &str, event: &TaskEvent) -> String {
    match event {
        TaskEvent::Ready { .. } => format!("{task} is ready"),
        TaskEvent::Assigned { agent_name, .. } => format!("{task} goes to {agent_name}"),
        TaskEvent::Started { attempt: 1 } => format!("{task} started"),
        TaskEvent::Started { attempt } => format!("{task} started, try {attempt}"),
        TaskEvent::TurnStarted {
            model,
            replayed: true,
            ..
        } => format!("{task} is given what {model} answered once"),
        TaskEvent::TurnStarted {
            model,
            resumed: false,
            ..
        } => format!("{task} asks {model}"),
        TaskEvent::TurnStarted {
            model,
            resumed: true,
            ..
        } => format!("{task} asks {model} again after a crash"),
        TaskEvent::TurnCompleted { record, .. } if record.replayed => {
            format!("{task} got a recorded answer")
        }
        TaskEvent::TurnCompleted { record, .. } => match record.completion_tokens {
            Some(tokens) => format!(
                "{task} got {} in {}",
                words::plural(tokens, "token", "tokens"),
                words::duration(record.duration_ms)
            ),
            None => format!(
                "{task} got an answer in {}",
                words::duration(record.duration_ms)
            ),
        },
        TaskEvent::TurnBegan { model, .. } => format!("{model} begins to answer {task}"),
        TaskEvent::TurnFailed { failure, .. } if failure.is_cut() => {
            format!("a call of {task} to {} was stopped", failure.model)
        }
        TaskEvent::TurnFailed { failure, .. } => format!(
            "{task} got no answer from {}: {}",
            failure.model,
            words::short(&failure.error.message, 80)
        ),
        TaskEvent::TurnPriced { late, .. } => format!(
            "a call of {task} cost ${}: {} says so now",
            late.cost_usd, late.provider
        ),
        TaskEvent::ToolCalled { call, .. } => format!("{task} calls {}", call.name),
        TaskEvent::ToolReturned {
            failed: false,
            duration_ms,
            ..
        } => format!(
            "{task}: tool returned after {}",
            words::duration(*duration_ms)
        ),
        TaskEvent::ToolReturned {
            failed: true,
            output,
            ..
        } => format!("{task}: tool failed: {}", words::short(output, 80)),
        TaskEvent::Retrying {
            attempt,
            wait_ms,
            error,
            ..
        } => {
            format!(
                "{task} tries again (try {attempt}) in {}: {}",
                words::duration(*wait_ms),
                words::short(&error.message, 80)
            )
        }
        TaskEvent::Opened { index, .. } => format!("{task} begins round {}", index + 1),
        TaskEvent::Waiting {
            reason: Waiting::Timer,
            ..
        } => format!("{task} waits for its time"),
        TaskEvent::Waiting {
            reason: Waiting::Approval,
            ..
        } => format!("{task} waits for a person"),
        TaskEvent::Waiting {
            reason: Waiting::Run,
            ..
        } => format!("{task} waits for its child run"),
        TaskEvent::Waiting {
            reason: Waiting::Provider,
            ..
        } => format!("{task} waits for its provider"),
        TaskEvent::Waiting {
            reason: Waiting::Budget,
            ..
        } => format!("{task} waits for room in a budget"),
        TaskEvent::Waiting {
            reason: Waiting::Replay,
            ..
        } => format!("{task} waits for a person: its prompt is not the recorded one"),
        TaskEvent::Answered { by, port, .. } => format!("{task} answered by {by}: {port}"),
        TaskEvent::Unknown { error, .. } => format!(
            "{task} was cut off, nobody knows how far it came: {}",
            words::short(&error.message, 100)
        ),
        TaskEvent::Completed {
            duration_ms,
            port: Some(port),
            ..
        } => format!("{task} took {port} after {}", words::duration(*duration_ms)),
        TaskEvent::Completed {
            duration_ms,
            port: None,
            ..
        } => format!("{task} done in {}", words::duration(*duration_ms)),
        TaskEvent::Failed { error, .. } => {
            format!("{task} failed: {}", words::short(&error.message, 120))
        }
        TaskEvent::Skipped {
            reason: SkipReason::NotTaken,
            ..
        } => format!("{task} skipped: no way to it was taken"),
        TaskEvent::Skipped {
            reason: SkipReason::Disabled,
            ..
        } => format!("{task} skipped: it is disabled"),
        TaskEvent::Skipped {
            reason: SkipReason::NotAsked,
            ..
        } => format!("{task} left out: another step was asked for"),
        TaskEvent::Cancelled { .. } => format!("{task} cancelled"),
    }
}

fn say_agent(event: &AgentEvent, who: &str) -> String {
    match event {
        AgentEvent::Spawned {
            spec,
            on_demand: true,
            ..
        } => format!("{} spawned on demand", spec.name),
        AgentEvent::Spawned {
            spec,
            on_demand: false,
            ..
        } => format!("{} spawned", spec.name),
        AgentEvent::Idle { .. } => format!("{who} is idle"),
        AgentEvent::Working { on } => format!("{who} works on {}", on.task),
        AgentEvent::Freed { on, .. } => format!("{who} is done with {}", on.task),
        AgentEvent::Charged { cost_usd } => {
            format!("a call of {who} from before cost ${cost_usd}")
        }
        AgentEvent::Message(message) => say_message(message, who),
        AgentEvent::Read { count, on, .. } => format!(
            "{who} reads {} at {}",
            words::plural((*count).into(), "message", "messages"),
            on.task
        ),
        AgentEvent::Paused { by } => format!("{who} paused by {by}"),
        AgentEvent::Resumed { by } => format!("{who} resumed by {by}"),
        AgentEvent::Error { error } => {
            format!("{who} error: {}", words::short(&error.message, 120))
        }
        AgentEvent::Terminated { reason } => format!("{who} ended: {}", words::short(reason, 120)),
    }
}

fn say_message(message: &Message, who: &str) -> String {
    let from = match &message.from {
        Sender::Person { name } | Sender::Agent { name, .. } => name,
    };
    let text = words::short(&message.text, 100);
    match &message.to_topic {
        Some(topic) => format!("{from} writes to {who} by {topic}: {text}"),
        None => format!("{from} writes to {who}: {text}"),
    }
}

fn say_system(event: &SystemEvent) -> String {
    match event {
        SystemEvent::Started {
            version,
            runs_recovered: 0,
        } => format!("Troupe {version} started"),
        SystemEvent::Started {
            version,
            runs_recovered,
        } => {
            format!(
                "Troupe {version} started; {} recovered",
                words::plural(*runs_recovered, "run", "runs")
            )
        }
        SystemEvent::Degraded { part, message } => {
            format!("{part} does not work: {}", words::short(message, 120))
        }
        SystemEvent::Recovered { part } => format!("{part} works again"),
        SystemEvent::ProviderUnhealthy {
            provider,
            model,
            reason,
            ..
        } => format!(
            "{provider}:{model} is left alone for a minute: {}",
            words::short(reason, 120)
        ),
        SystemEvent::ProviderRecovered { provider, model } => {
            format!("{provider}:{model} answers again")
        }
        SystemEvent::QuotaLow { message, .. } => message.clone(),
        SystemEvent::BudgetSet { scope, budget, by } => {
            money_line::set(&scope.words(), budget.as_ref(), by)
        }
        SystemEvent::BudgetWarned(notice) => money_line::warned(notice),
    }
}
