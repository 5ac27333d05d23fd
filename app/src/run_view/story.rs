//! One run as a log, for the tests of this folder: `plan` fails once, is tried again with a tool call,
//! `build` follows.

use domain::{
    event::{Event, Fact},
    id::{AgentId, NodeId, RunId, TaskName, WorkflowId},
    run::{
        CostIs, FinishReason, Run, RunEvent, RunState, Task, TaskError, TaskEvent, TaskState,
        ToolCall, Totals, TurnRecord, Waiting,
    },
    time::Timestamp,
};
use serde_json::json;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn run_id() -> RunId {
    ID.parse().unwrap()
}

fn workflow_id() -> WorkflowId {
    ID.parse().unwrap()
}

/// The agent that does everything.
pub fn agent() -> AgentId {
    ID.parse().unwrap()
}

/// The name of a task.
pub fn name(raw: &str) -> TaskName {
    TaskName::parse(raw).unwrap()
}

/// A task that waits for those before it.
pub fn blocked(node: &str) -> Task {
    Task {
        node: NodeId::parse(node).unwrap(),
        kind: "agent".into(),
        title: node.into(),
        input: None,
        state: TaskState::Blocked,
        attempts: Vec::new(),
        counted_from: 0,
        question: None,
        answer: None,
        child: None,
        rounds: 0,
        body: None,
        reused: false,
    }
}

/// The run as it was accepted: event 10 of the log of all runs, its own first.
pub fn queued() -> Run {
    Run {
        id: run_id(),
        workflow_id: workflow_id(),
        workflow_version: 1,
        workflow_name: "Plan and build".into(),
        input: json!({}),
        started_by: "admin".into(),
        budget_usd: None,
        budget_tokens: None,
        on_budget: domain::budget::OnBudget::Wait,
        held_by: None,
        state: RunState::Queued,
        created_at: Timestamp(1_000),
        started_at: None,
        ended_at: None,
        active_since: None,
        parent: None,
        depth: 0,
        only: None,
        replay: None,
        totals: Totals::default(),
        last_seq: 10,
        last_run_seq: 1,
        tasks: ["plan", "build"]
            .map(|node| (name(node), blocked(node)))
            .into_iter()
            .collect(),
    }
}

/// What happened to it then, a second apart.
pub fn log() -> Vec<Event> {
    let run = |event| Fact::Run {
        run: run_id(),
        workflow: workflow_id(),
        event,
    };
    let task = |task: &str, event| Fact::Task {
        run: run_id(),
        workflow: workflow_id(),
        task: name(task),
        agent: Some(agent()),
        event,
    };
    let assigned = |attempt| TaskEvent::Assigned {
        attempt,
        agent_id: agent(),
        agent_name: "Ada".into(),
    };
    let call = ToolCall {
        call_id: "c1".into(),
        name: "note".into(),
        arguments: "{}".into(),
    };
    let record = TurnRecord {
        provider: "rehearsal".into(),
        model: "default".into(),
        text: "A plan".into(),
        tool_calls: vec![call.clone()],
        reasoning_details: Vec::new(),
        prompt_tokens: Some(7),
        completion_tokens: Some(2),
        cached_tokens: None,
        reasoning_tokens: None,
        assumed_usd: None,
        assumed_tokens: None,
        simulated: false,
        replayed: false,
        cost_usd: None,
        cost_is: CostIs::Unknown,
        finish_reason: FinishReason::ToolCalls,
        generation_id: None,
        first_token_ms: None,
        duration_ms: 1_000,
    };
    let facts = vec![
        run(RunEvent::Started {}),
        task(
            "plan",
            TaskEvent::Ready {
                attempt: 1,
                input: Some(json!({"prompt": "Plan"})),
            },
        ),
        task("plan", assigned(1)),
        task("plan", TaskEvent::Started { attempt: 1 }),
        task(
            "plan",
            TaskEvent::Retrying {
                attempt: 2,
                wait_ms: 2_000,
                error: TaskError::passing("provider_busy", "Busy."),
                counts: true,
            },
        ),
        task(
            "plan",
            TaskEvent::Waiting {
                attempt: 2,
                reason: Waiting::Timer,
                until: Some(Timestamp(8_000)),
                child_run_id: None,
                question: None,
            },
        ),
        task(
            "plan",
            TaskEvent::Ready {
                attempt: 2,
                input: None,
            },
        ),
        task("plan", assigned(2)),
        task("plan", TaskEvent::Started { attempt: 2 }),
        task(
            "plan",
            TaskEvent::TurnStarted {
                attempt: 2,
                turn: 1,
                model: "rehearsal:default".into(),
                simulated: true,
                resumed: false,
                reserved: None,
                messages: Vec::new(),
                prompt: None,
                replayed: false,
            },
        ),
        task(
            "plan",
            TaskEvent::TurnCompleted {
                attempt: 2,
                turn: 1,
                record,
            },
        ),
        task(
            "plan",
            TaskEvent::ToolCalled {
                attempt: 2,
                turn: 1,
                call,
            },
        ),
        task(
            "plan",
            TaskEvent::ToolReturned {
                attempt: 2,
                turn: 1,
                call_id: "c1".into(),
                output: "noted".into(),
                failed: false,
                duration_ms: 5,
            },
        ),
        task(
            "plan",
            TaskEvent::Completed {
                attempt: 2,
                output: json!("A plan"),
                port: None,
                duration_ms: 9_000,
                cost_usd: None,
            },
        ),
        task(
            "build",
            TaskEvent::Ready {
                attempt: 1,
                input: Some(json!({"prompt": "Build"})),
            },
        ),
        task("build", assigned(1)),
        task("build", TaskEvent::Started { attempt: 1 }),
        task(
            "build",
            TaskEvent::Completed {
                attempt: 1,
                output: json!("Built"),
                port: None,
                duration_ms: 1_000,
                cost_usd: None,
            },
        ),
        run(RunEvent::Completed {
            output: json!("Built"),
            duration_ms: 20_000,
            cost_usd: None,
        }),
    ];
    facts
        .into_iter()
        .enumerate()
        .map(|(at, fact)| Event {
            // Other runs write between this one's events.
            seq: 12 + 3 * at as u64,
            run_seq: Some(2 + at as u64),
            at: Timestamp(2_000 + 1_000 * at as i64),
            fact,
        })
        .collect()
}

/// The run after so many events of [`log`].
pub fn state_after(events: usize) -> Run {
    let mut run = queued();
    for event in log().iter().take(events) {
        run.apply(event).expect("the log fits");
    }
    run
}
