//! How fast the rules are without a disk. Measurements, not tests: `cargo test --release -p domain
//! --test run speed -- --ignored --nocapture`.

#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::{collections::VecDeque, sync::Arc, time::Instant};

use domain::{
    agent::AgentSpec,
    budget::{OnBudget, Quote},
    id::{AgentId, RunId, WorkflowId},
    run::input::{Action, Command, Input, Outcome, StartRun, Timer},
    time::Timestamp,
    troupe::{Limits, Step, Troupe},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Counting, by, graph, record};

/// Inputs that share one pass of dispatch, as in the kernel.
const BATCH: usize = 256;

/// A troupe whose agents answer at once.
struct Track {
    troupe: Troupe,
    ids: Counting,
    waiting: VecDeque<Input>,
    events: usize,
    succeeded: usize,
    passes: usize,
    now: Timestamp,
}

impl Track {
    fn new(limits: Limits) -> Self {
        Self {
            troupe: Troupe::new(0, limits),
            ids: Counting(1_000_000),
            waiting: VecDeque::new(),
            events: 0,
            succeeded: 0,
            passes: 0,
            now: Timestamp(1_000),
        }
    }

    fn start(&mut self, number: u128, text: &str, input: Value) {
        let start = StartRun {
            run: RunId(Uuid::from_u128(number)),
            workflow: WorkflowId(Uuid::from_u128(8)),
            version: 1,
            workflow_name: "speed".into(),
            graph: graph(text),
            input,
            budget_usd: None,
            budget_tokens: None,
            on_budget: OnBudget::Wait,
            parent: None,
            seed: Vec::new(),
            only: None,
            replay: None,
        };
        self.waiting
            .push_back(by("x", Command::StartRun(Box::new(start))));
    }

    fn go(&mut self, batch: usize) {
        while !self.waiting.is_empty() {
            let mut step = Step::default();
            for _ in 0..batch {
                let Some(input) = self.waiting.pop_front() else {
                    break;
                };
                self.troupe
                    .handle(input, self.now, &mut step)
                    .expect("all is legal");
            }
            self.troupe
                .dispatch(self.now, &mut self.ids, &mut step)
                .expect("dispatches");
            self.passes += 1;
            self.events += step.events.len();
            for action in step.actions {
                self.act(action);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::PrepareAgent(agent) => {
                self.waiting
                    .push_back(Input::Outcome(Outcome::AgentReady(agent)));
            }
            Action::StartAttempt(spec) => {
                self.succeeded += 1;
                let key = spec.key;
                let started = Outcome::TurnStarted {
                    key: key.clone(),
                    turn: 1,
                    model: "m:m".into(),
                    others: Vec::new(),
                    simulated: true,
                    quote: Quote::default(),
                    prompt: String::new(),
                };
                let record = Box::new(record("text"));
                let completed = Outcome::TurnCompleted {
                    key: key.clone(),
                    turn: 1,
                    record,
                };
                let output = json!("text");
                for outcome in [started, completed, Outcome::Succeeded { key, output }] {
                    self.waiting.push_back(Input::Outcome(outcome));
                }
            }
            Action::SetTimer {
                timer: Timer::GoOn(key),
                ..
            } => {
                self.waiting.push_back(Input::Timer(Timer::GoOn(key)));
            }
            Action::SetTimer { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn tell(&self, what: &str, began: Instant) {
        let took = began.elapsed();
        let steps = self.succeeded as f64 / took.as_secs_f64();
        println!(
            "{what}: {} steps, {} events, {} passes in {took:?}: {steps:.0} steps/s",
            self.succeeded, self.events, self.passes
        );
    }
}

#[test]
#[ignore = "a measurement"]
fn five_hundred_runs_of_six_steps() {
    for agents in [50, 10_000] {
        let limits = Limits {
            max_agents: agents,
            ..Limits::default()
        };
        let mut track = Track::new(limits);
        for run in 0..500 {
            track.start(
                run,
                "a; b; c; d; e; f; a > b > d > f; a > c > e > f",
                json!({}),
            );
        }
        let began = Instant::now();
        track.go(BATCH);
        track.tell(
            &format!("500 runs of 6 steps, at most {agents} agents"),
            began,
        );
    }
}

#[test]
#[ignore = "a measurement"]
fn ten_thousand_idle_agents_cost_nothing() {
    let mut track = Track::new(Limits {
        max_agents: 20_000,
        ..Limits::default()
    });
    for number in 0..10_000 {
        let agent = AgentId(Uuid::from_u128(number + 1));
        let name = format!("agent-{number}");
        let spec = AgentSpec {
            name,
            ..AgentSpec::default()
        };
        track
            .waiting
            .push_back(by("x", Command::SpawnAgent { agent, spec }));
    }
    track.go(BATCH);
    for run in 0..500 {
        track.start(run, "a; b; c; d; e; f; a > b > c > d > e > f", json!({}));
    }
    let began = Instant::now();
    track.go(1);
    track.tell("one input a pass, 10,000 agents", began);
}

#[test]
#[ignore = "a measurement"]
fn large_maps() {
    let items: Vec<usize> = (0..10_000).collect();
    for (what, text) in [
        (
            "10,000 items, 100 agents at once",
            "m each input.items do a; b; a > b end; m at 100",
        ),
        (
            "10,000 items, all at once",
            "m each input.items do a; b; a > b end; m at 10000",
        ),
        (
            "10,000 items of transforms",
            "m each input.items do a = {{ item }}; b = {{ nodes.a.output }}; a > b end; m at 100",
        ),
    ] {
        let mut track = Track::new(Limits::default());
        track.start(1, text, json!({ "items": items }));
        let began = Instant::now();
        track.go(BATCH);
        track.tell(what, began);
        let live = &track.troupe.runs[&RunId(Uuid::from_u128(1))];
        assert_eq!(live.run.state.name(), "succeeded");
        let replayed = Instant::now();
        let again = domain::run::decide::LiveRun::new(live.run.clone(), Arc::clone(&live.graph));
        assert_eq!(again.run.tasks.len(), 20_001);
        println!("  taken up again in {:?}", replayed.elapsed());
    }
}
