//! The store against real files. Each test has a store of its own.

mod append;
mod events;
mod lists;
mod money;
mod opening;
mod upkeep;
mod workflows;
mod workload;

use std::collections::HashMap;

use domain::{
    agent::{Agent, AgentEvent, AgentSpec},
    budget::OnBudget,
    event::{Event, Fact, SystemEvent},
    graph::Drawing,
    id::{AgentId, NodeId, RunId, TaskName, WorkflowId},
    money::MicroUsd,
    run::{CostIs, FinishReason, RunEvent, TaskEvent, TurnRecord},
    time::Timestamp,
};
use serde_json::json;
use uuid::Uuid;

use super::SqliteStore;
use crate::store::{AttemptRow, Batch, ChangedRun, RunRow, Store, TaskRow};

const NOON: Timestamp = Timestamp(1_790_000_000_000);

fn workflow(number: u128) -> WorkflowId {
    WorkflowId(Uuid::from_u128(0x1_0000 + number))
}

fn run(number: u128) -> RunId {
    RunId(Uuid::from_u128(0x2_0000 + number))
}

fn agent(number: u128) -> AgentId {
    AgentId(Uuid::from_u128(0x3_0000 + number))
}

fn task(name: &str) -> TaskName {
    TaskName::of(&NodeId::parse(name).expect("tests use legal names"))
}

fn drawing(name: &str) -> Drawing {
    let file = json!({
        "troupe": 1, "name": name, "description": "made by a test",
        "nodes": [{"id": "a", "kind": "agent", "capabilities": ["x"], "prompt": "do"}],
        "edges": [],
    });
    Drawing::from_value(file).expect("it is an object").0
}

/// A store that knows workflow 1 in version 1.
async fn store() -> SqliteStore {
    let store = SqliteStore::temporary()
        .await
        .expect("a temporary store opens");
    store
        .create_workflow(workflow(1), &drawing("one"), "test", NOON)
        .await
        .expect("it is new");
    store
}

/// Numbers events as the kernel does.
#[derive(Default)]
struct Log {
    seq: u64,
    run_seqs: HashMap<RunId, u64>,
}

impl Log {
    fn event(&mut self, fact: Fact) -> Event {
        self.seq += 1;
        let run_seq = fact.run().map(|run| {
            let last = self.run_seqs.entry(run).or_default();
            *last += 1;
            *last
        });
        Event {
            seq: self.seq,
            run_seq,
            at: NOON.plus_ms(self.seq),
            fact,
        }
    }

    fn queued(&mut self, run: RunId) -> Event {
        self.event(Fact::Run {
            run,
            workflow: workflow(1),
            event: RunEvent::Queued {
                workflow_name: "one".into(),
                workflow_version: 1,
                input: json!({"topic": "snow"}),
                budget_usd: Some(MicroUsd(500_000)),
                budget_tokens: None,
                on_budget: OnBudget::Wait,
                by: "test".into(),
                parent_run_id: None,
                parent_task: None,
                depth: 0,
                seed: Vec::new(),
                only: None,
                replay: None,
            },
        })
    }

    fn task(
        &mut self,
        run: RunId,
        task: TaskName,
        agent: Option<AgentId>,
        event: TaskEvent,
    ) -> Event {
        self.event(Fact::Task {
            run,
            workflow: workflow(1),
            task,
            agent,
            event,
        })
    }

    fn started(&mut self, version: &str) -> Event {
        self.event(Fact::System(SystemEvent::Started {
            version: version.into(),
            runs_recovered: 0,
        }))
    }
}

fn turn(text: &str, cost: Option<u64>) -> TaskEvent {
    TaskEvent::TurnCompleted {
        attempt: 1,
        turn: 1,
        record: TurnRecord {
            provider: "rehearsal".into(),
            model: "default".into(),
            text: text.into(),
            tool_calls: Vec::new(),
            reasoning_details: Vec::new(),
            prompt_tokens: Some(10),
            completion_tokens: None,
            cached_tokens: None,
            reasoning_tokens: None,
            assumed_usd: None,
            assumed_tokens: None,
            simulated: false,
            cost_usd: cost.map(MicroUsd),
            replayed: false,
            cost_is: CostIs::Estimated,
            finish_reason: FinishReason::Stop,
            generation_id: None,
            first_token_ms: None,
            duration_ms: 7,
        },
    }
}

fn run_row(id: RunId, status: &'static str, created_at: Timestamp) -> RunRow {
    RunRow {
        id,
        workflow: workflow(1),
        version: 1,
        workflow_name: "one".into(),
        status,
        started_by: "test".into(),
        input: "{}".into(),
        output: None,
        error: None,
        budget: None,
        budget_tokens: None,
        held_by: None,
        cost: None,
        prompt_tokens: None,
        completion_tokens: None,
        tasks: 1,
        tasks_settled: 0,
        created_at,
        started_at: None,
        ended_at: None,
        last_seq: 1,
        last_run_seq: 1,
        parent: None,
        parent_task: None,
    }
}

fn task_row(name: &str, position: u32, status: &'static str) -> TaskRow {
    TaskRow {
        task: name.into(),
        position,
        node: name.into(),
        kind: "agent".into(),
        status,
        attempts: 0,
        error: None,
        cost: None,
        title: name.into(),
        waiting_for: None,
        waiting_until: None,
        question: None,
    }
}

fn attempt_row(task: &str, attempt: u32, status: &'static str) -> AttemptRow {
    AttemptRow {
        task: task.into(),
        attempt,
        agent: Some(agent(1)),
        status,
        error: None,
        turns: 1,
        cost: Some(MicroUsd(3)),
        started_at: NOON,
        ended_at: None,
    }
}

fn changed(row: RunRow, tasks: Vec<TaskRow>, attempts: Vec<AttemptRow>) -> ChangedRun {
    ChangedRun {
        row,
        tasks,
        attempts,
    }
}

fn spawned(id: AgentId, name: &str, at: Timestamp) -> Agent {
    let spec = AgentSpec {
        name: name.into(),
        capabilities: vec!["planning".into(), "x'); DROP TABLE agents; --".into()],
        model: Some("rehearsal:default".into()),
        models: vec!["rehearsal:echo".into()],
        provider: domain::graph::Preferences::parse(&serde_json::json!({"sort": "price"}))
            .expect("known"),
        instructions: "Be \"brief\".\nAlways.".into(),
        tools: vec!["note".into()],
        max_tasks: 2,
        memory: true,
    };
    Agent::spawned(
        id,
        at,
        &AgentEvent::Spawned {
            spec,
            on_demand: true,
            by: None,
        },
    )
    .expect("spawned makes an agent")
}

fn events(events: Vec<Event>) -> Batch {
    Batch {
        events,
        ..Batch::default()
    }
}
