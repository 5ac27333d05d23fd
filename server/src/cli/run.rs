//! `troupe run FILE`: one workflow, headless, to its end. Nothing is kept: the run has a data
//! directory of its own that goes with it. `run/replay` plays recorded answers back, and records them.

mod replay;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::Args;
use domain::{
    budget::OnBudget,
    event::{Event, Fact},
    frame::Frame,
    id::{RunId, TaskName, WorkflowId},
    money::MicroUsd,
    run::{
        OnChange, Run, RunEvent, RunState, TaskEvent, Totals, Waiting,
        input::{Command, Input, StartRun},
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::check;
use crate::{
    bus::Received,
    config::{LimitArgs, OutboundArgs, ProviderArgs},
    engine::{rows::waiting_for, run_input::complete_input},
    shutdown, startup,
    store::replayed,
};

/// What to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The workflow file; `-` reads standard input.
    pub file: PathBuf,
    /// Input as JSON, or @FILE.
    #[arg(long, value_name = "JSON|@FILE")]
    pub input: Option<String>,
    /// Print one JSON object with status, output, tasks and cost.
    #[arg(long)]
    pub json: bool,
    /// The run fails before it could cost more than this, in dollars.
    #[arg(long, value_name = "USD")]
    pub budget: Option<MicroUsd>,
    /// The run fails before it could take more tokens than this.
    #[arg(long, value_name = "TOKENS")]
    pub budget_tokens: Option<u64>,
    /// Give the answers that are recorded in this file instead of calling models.
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
    /// With --replay, what becomes of a step whose prompt is not the recorded one: `ask` in the
    /// terminal, `replay` the recorded answer all the same, call the model (`live`), or `fail`.
    /// Without it: `ask` where there is a terminal, else `fail`.
    #[arg(long, value_name = "ask|replay|live|fail", requires = "replay")]
    pub on_change: Option<OnChange>,
    /// Save what models answer to this file, for --replay.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Where models are.
    #[command(flatten)]
    pub providers: ProviderArgs,
    /// Where http steps may go.
    #[command(flatten)]
    pub outbound: OutboundArgs,
    /// Bounds.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Runs to the end and prints the result.
pub async fn run(args: Box<RunArgs>) -> anyhow::Result<ExitCode> {
    let bad = |error: anyhow::Error| {
        eprintln!("troupe: {error:#}");
        ExitCode::from(check::BAD_FILE)
    };
    let read = match check::read(&args.file) {
        Ok(read) => read,
        Err(error) => return Ok(bad(error)),
    };
    for problem in &read.problems {
        eprintln!("{}", check::line(problem));
    }
    let (Some(drawing), Some(graph)) = (read.drawing, read.graph) else {
        return Ok(ExitCode::from(check::BAD_FILE));
    };
    let input = match given_input(args.input.as_deref())
        .and_then(|given| complete_input(&graph.inputs, given).map_err(anyhow::Error::from))
    {
        Ok(input) => input,
        Err(error) => return Ok(bad(error)),
    };
    let played = args
        .replay
        .as_deref()
        .map(|file| replay::read(file, &graph, args.on_change));
    let played = match played.transpose() {
        Ok(played) => played,
        Err(error) => return Ok(bad(error)),
    };
    let (recording, how) = played.map_or((None, None), |(recording, how)| {
        (Some(recording), Some(how))
    });
    let stop = shutdown::on_signal()?;
    let product = startup::build(startup::Settings {
        recording,
        data: startup::Data::Temporary,
        providers: args.providers.clone(),
        // The run's database goes with it: nobody could tell its events from those of another.
        redis: None,
        http_allow: args.outbound.http_allow.clone(),
        own_ports: Vec::new(),
        limits: args.limits.limits(),
        shutdown: stop.clone(),
    })
    .await?;
    let workflow = WorkflowId(Uuid::now_v7());
    let id = RunId(Uuid::now_v7());
    let graph = Arc::new(graph);
    product
        .store
        .create_workflow(workflow, &drawing, "cli", product.clock.now())
        .await?;
    let listen = || {
        product
            .bus
            .subscribe(vec![domain::topic::workflow_events(workflow)])
    };
    let mut events = listen();
    let start = StartRun {
        run: id,
        workflow,
        version: 1,
        workflow_name: drawing.name.clone(),
        graph: Arc::clone(&graph),
        input,
        budget_usd: args.budget,
        budget_tokens: args.budget_tokens,
        // Nobody could raise it here.
        on_budget: OnBudget::Fail,
        parent: None,
        seed: Vec::new(),
        only: None,
        replay: how,
    };
    product
        .kernel
        .submit(Input::Command {
            by: "cli".to_owned(),
            command: Command::StartRun(Box::new(start)),
        })
        .await?;
    let mut questions = replay::Questions::new(&product.kernel, id, &stop);
    let run = loop {
        let followed = follow(id, &mut events, &stop, args.json).await;
        if let Followed::Changed(task, question) = &followed {
            questions.ask(task, question).await?;
            continue;
        }
        if let Followed::Asks(task) = &followed {
            eprintln!(
                "troupe: task `{task}` waits for a person, and nobody can answer here: the run is cancelled. Run it in the product, or give the approval a timeout."
            );
            let command = Command::CancelRun(id);
            let by = "cli".to_owned();
            product
                .kernel
                .submit(Input::Command { by, command })
                .await?;
        }
        // Whoever could not keep up listens again first and then reads what it missed.
        events = listen();
        let log = product.store.run_events(id, 0, u32::MAX).await?;
        let run = replayed(&log, &graph)?.context("the run left no trace")?;
        match followed {
            Followed::Missed if !run.state.is_final() => questions.ask_all(&run).await?,
            Followed::Missed | Followed::Over | Followed::Asks(_) | Followed::Changed(..) => {
                break run;
            }
        }
    };
    if let Some(file) = &args.record {
        replay::write(file, &*product.store, id).await?;
    }
    stop.cancel();
    product.tracker.close();
    product.tracker.wait().await;
    Ok(print(&run, args.json))
}

fn given_input(raw: Option<&str>) -> anyhow::Result<Value> {
    let text = match raw {
        None => return Ok(json!({})),
        Some(raw) => match raw.strip_prefix('@') {
            Some(file) => {
                std::fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?
            }
            None => raw.to_owned(),
        },
    };
    serde_json::from_str(&text).context("the input is no JSON")
}

/// Why there is nothing more to follow.
enum Followed {
    /// The run is at its end, or a signal came.
    Over,
    /// More happened at once than could be read.
    Missed,
    /// A task waits for a person, for ever.
    Asks(TaskName),
    /// A task waits for a person, who says what becomes of its changed prompt.
    Changed(TaskName, String),
}

/// Says on standard error what happens.
async fn follow(
    id: RunId,
    events: &mut crate::bus::Subscription,
    stop: &CancellationToken,
    quiet: bool,
) -> Followed {
    loop {
        let received = tokio::select! {
            received = events.recv() => received,
            () = stop.cancelled() => return Followed::Over,
        };
        let payload = match received {
            Received::Message(payload) => payload,
            Received::TooSlow => return Followed::Missed,
            Received::Closed => return Followed::Over,
        };
        let Ok(Frame::Event(frame)) = serde_json::from_str::<Frame>(payload.json()) else {
            continue;
        };
        let Ok(Event { fact, .. }) = Event::from_frame(frame) else {
            continue;
        };
        if fact.run() != Some(id) {
            continue;
        }
        match fact {
            Fact::Run { event, .. } => match event {
                RunEvent::Completed { .. }
                | RunEvent::Failed { .. }
                | RunEvent::Cancelled { .. } => return Followed::Over,
                RunEvent::Queued { .. }
                | RunEvent::Started {}
                | RunEvent::Paused { .. }
                | RunEvent::Resumed { .. }
                | RunEvent::BudgetSet { .. }
                | RunEvent::BudgetWarned(_)
                | RunEvent::BudgetExceeded(_)
                | RunEvent::ChildEnded { .. } => {}
            },
            Fact::Task { task, event, .. } => {
                if !quiet {
                    say(task.as_str(), &event);
                }
                if let TaskEvent::Waiting {
                    reason: Waiting::Replay,
                    question,
                    ..
                } = event
                {
                    return Followed::Changed(task, question.unwrap_or_default());
                }
                if asks(&event) {
                    return Followed::Asks(task);
                }
            }
            Fact::Agent { .. } | Fact::System(_) => {}
        }
    }
}

/// Whether only a person can make the task go on.
fn asks(event: &TaskEvent) -> bool {
    match event {
        TaskEvent::Waiting { reason, until, .. } => *reason == Waiting::Approval && until.is_none(),
        TaskEvent::Unknown { .. } => true,
        TaskEvent::Ready { .. }
        | TaskEvent::Opened { .. }
        | TaskEvent::Assigned { .. }
        | TaskEvent::Started { .. }
        | TaskEvent::TurnStarted { .. }
        | TaskEvent::TurnCompleted { .. }
        | TaskEvent::ToolCalled { .. }
        | TaskEvent::TurnBegan { .. }
        | TaskEvent::TurnFailed { .. }
        | TaskEvent::TurnPriced { .. }
        | TaskEvent::ToolReturned { .. }
        | TaskEvent::Retrying { .. }
        | TaskEvent::Answered { .. }
        | TaskEvent::Completed { .. }
        | TaskEvent::Failed { .. }
        | TaskEvent::Skipped { .. }
        | TaskEvent::Cancelled { .. } => false,
    }
}

fn say(task: &str, event: &TaskEvent) {
    match event {
        TaskEvent::Assigned { agent_name, .. } => eprintln!("{task}: {agent_name} takes it"),
        TaskEvent::Retrying { wait_ms, error, .. } => {
            eprintln!("{task}: {} Tried again in {wait_ms} ms.", error.message)
        }
        TaskEvent::Completed { duration_ms, .. } => eprintln!("{task}: done in {duration_ms} ms"),
        TaskEvent::Failed { error, .. } => eprintln!("{task}: failed. {}", error.message),
        TaskEvent::Skipped { .. } => eprintln!("{task}: skipped"),
        TaskEvent::Unknown { error, .. } => eprintln!("{task}: {}", error.message),
        // Asked where that is heard of.
        TaskEvent::Waiting {
            reason: Waiting::Replay,
            ..
        } => {}
        TaskEvent::TurnCompleted { record, .. } if record.replayed => {
            eprintln!("{task}: played back");
        }
        TaskEvent::Waiting { reason, until, .. } => {
            let until = until.map(|until| format!(" until {}", until.rfc3339()));
            let until = until.unwrap_or_default();
            eprintln!("{task}: waits for {}{until}", waiting_for(*reason));
        }
        TaskEvent::Ready { .. }
        | TaskEvent::Opened { .. }
        | TaskEvent::Started { .. }
        | TaskEvent::TurnStarted { .. }
        | TaskEvent::TurnCompleted { .. }
        | TaskEvent::ToolCalled { .. }
        | TaskEvent::TurnBegan { .. }
        | TaskEvent::TurnFailed { .. }
        | TaskEvent::TurnPriced { .. }
        | TaskEvent::ToolReturned { .. }
        | TaskEvent::Answered { .. }
        | TaskEvent::Cancelled { .. } => {}
    }
}

fn print(run: &Run, as_json: bool) -> ExitCode {
    let (output, error) = match &run.state {
        RunState::Succeeded { output } => (output.clone(), Value::Null),
        RunState::Failed { error } => (
            Value::Null,
            json!({ "task": error.task, "code": error.error.code, "message": error.error.message }),
        ),
        RunState::Queued
        | RunState::Running
        | RunState::Paused { .. }
        | RunState::Cancelled { .. } => (Value::Null, Value::Null),
    };
    if as_json {
        let tokens = run.tokens();
        let tasks: Vec<Value> = run
            .tasks
            .iter()
            .map(|(name, task)| json!({ "task": name, "status": task.state.name(), "output": task.state.output() }))
            .collect();
        let report = json!({
            "status": run.state.name(), "output": output, "error": error,
            "cost_usd": run.totals.cost_with_children(),
            "tokens": { "prompt": tokens.prompt, "completion": tokens.completion },
            "calls": run.totals.calls, "replayed": run.totals.replayed,
            "simulated": run.is_simulated(), "tasks": tasks,
        });
        println!("{report:#}");
    } else {
        if run.totals.replayed > 0 {
            let Totals {
                calls, replayed, ..
            } = run.totals;
            eprintln!("Answers played back: {replayed}. Model calls made: {calls}.");
        }
        if run.is_simulated() && run.totals.calls > 0 {
            eprintln!("The answers are simulated: no provider has a key.");
        } else if run.is_simulated() {
            eprintln!("The recorded answers are simulated.");
        }
        match &output {
            Value::String(text) => println!("{text}"),
            Value::Null => {}
            other => println!("{other:#}"),
        }
    }
    match run.state {
        RunState::Succeeded { .. } => ExitCode::SUCCESS,
        RunState::Failed { .. }
        | RunState::Cancelled { .. }
        | RunState::Queued
        | RunState::Running
        | RunState::Paused { .. } => ExitCode::FAILURE,
    }
}
