//! Any graph, any order of inputs, some of them nonsense: the invariants hold.

use domain::{
    id::AgentId,
    run::{
        AttemptKey, TaskError, ToolCall,
        input::{Command, Input, Outcome, Timer},
    },
};
use proptest::prelude::*;
use serde_json::json;

use crate::stage::{Stage, record};

/// What somebody does next; numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Move {
    TurnStarted(usize, u32),
    TurnCompleted(usize, u32),
    ToolCalled(usize, u32),
    ToolReturned(usize, u32),
    Succeed(usize),
    FailForNow(usize),
    FailForGood(usize),
    Crash(usize),
    Timeout(usize),
    Retry(usize),
    Pause(usize),
    Resume(usize),
    Terminate(usize),
    Idle(usize),
    Cancel,
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Move> {
    let turn = (any::<usize>(), 1u32..4);
    prop_oneof![
        4 => turn.clone().prop_map(|(at, turn)| Move::TurnStarted(at, turn)),
        3 => turn.clone().prop_map(|(at, turn)| Move::TurnCompleted(at, turn)),
        1 => turn.clone().prop_map(|(at, turn)| Move::ToolCalled(at, turn)),
        1 => turn.prop_map(|(at, turn)| Move::ToolReturned(at, turn)),
        6 => any::<usize>().prop_map(Move::Succeed),
        2 => any::<usize>().prop_map(Move::FailForNow),
        1 => any::<usize>().prop_map(Move::FailForGood),
        1 => any::<usize>().prop_map(Move::Crash),
        1 => any::<usize>().prop_map(Move::Timeout),
        3 => any::<usize>().prop_map(Move::Retry),
        1 => any::<usize>().prop_map(Move::Pause),
        1 => any::<usize>().prop_map(Move::Resume),
        1 => any::<usize>().prop_map(Move::Terminate),
        1 => any::<usize>().prop_map(Move::Idle),
        1 => (1u64..5_000).prop_map(Move::Wait),
    ]
}

/// A graph without cycles: edges go from lower to higher numbers.
fn graphs() -> impl Strategy<Value = String> {
    let node = (0u8..6, any::<bool>(), 0u8..4);
    (
        prop::collection::vec(node, 1..9),
        prop::collection::vec((any::<usize>(), any::<usize>(), any::<bool>()), 0..14),
    )
        .prop_map(|(nodes, edges)| {
            let mut text = String::new();
            for (at, (kind, any_join, on_error)) in nodes.iter().enumerate() {
                text.push_str(&match kind {
                    0 => format!("n{at} = x{at}\n"),
                    1 => format!("n{at} ? {}\n", at % 2 == 0),
                    _ => format!("n{at}\n"),
                });
                if *any_join {
                    text.push_str(&format!("n{at} join any\n"));
                }
                match on_error {
                    0 => text.push_str(&format!("n{at} on_error continue\n")),
                    1 => text.push_str(&format!("n{at} on_error branch\n")),
                    _ => {}
                }
            }
            let mut seen = std::collections::BTreeSet::new();
            for (from, to, flip) in edges {
                let (from, to) = (from % nodes.len(), to % nodes.len());
                let (from, to) = (from.min(to), from.max(to));
                if from == to {
                    continue;
                }
                let port = match nodes[from].0 {
                    1 if flip => ".true",
                    1 => ".false",
                    _ => "",
                };
                if seen.insert((from, port, to)) {
                    text.push_str(&format!("n{from}{port} > n{to}\n"));
                }
            }
            text
        })
}

fn key(stage: &Stage, at: usize) -> AttemptKey {
    let tasks = &stage.troupe.runs[&stage.run].run.tasks;
    let (name, task) = tasks.get_index(at % tasks.len()).expect("a run has tasks");
    let attempt = task.attempts.last().map_or(1, |last| last.number);
    AttemptKey {
        run: stage.run,
        task: name.clone(),
        attempt,
    }
}

fn agent(stage: &Stage, at: usize) -> AgentId {
    let agents: Vec<AgentId> = stage.troupe.agents.keys().copied().collect();
    agents
        .get(at % agents.len().max(1))
        .copied()
        .unwrap_or(AgentId(uuid::Uuid::nil()))
}

fn input(stage: &Stage, next: &Move) -> Option<Input> {
    let outcome = |outcome| Some(Input::Outcome(outcome));
    let command = |command| {
        Some(Input::Command {
            by: "tester".into(),
            command,
        })
    };
    match next {
        Move::TurnStarted(at, turn) => outcome(Outcome::TurnStarted {
            key: key(stage, *at),
            turn: *turn,
            model: "m:m".into(),
            simulated: false,
        }),
        Move::TurnCompleted(at, turn) => outcome(Outcome::TurnCompleted {
            key: key(stage, *at),
            turn: *turn,
            record: Box::new(record("text")),
        }),
        Move::ToolCalled(at, turn) => outcome(Outcome::ToolCalled {
            key: key(stage, *at),
            turn: *turn,
            call: ToolCall {
                call_id: "1".into(),
                name: "note".into(),
                arguments: "{".into(),
            },
        }),
        Move::ToolReturned(at, turn) => outcome(Outcome::ToolReturned {
            key: key(stage, *at),
            turn: *turn,
            call_id: "1".into(),
            output: "done".into(),
            failed: false,
            duration_ms: 1,
        }),
        Move::Succeed(at) => outcome(Outcome::Succeeded {
            key: key(stage, *at),
            output: json!("text"),
        }),
        Move::FailForNow(at) => outcome(Outcome::Failed {
            key: key(stage, *at),
            error: TaskError::passing("busy", "busy"),
        }),
        Move::FailForGood(at) => outcome(Outcome::Failed {
            key: key(stage, *at),
            error: TaskError::lasting("refused", "no"),
        }),
        Move::Crash(at) => outcome(Outcome::Crashed {
            key: key(stage, *at),
            error: TaskError::passing("agent_crashed", "x"),
        }),
        Move::Timeout(at) => Some(Input::Timer(Timer::AttemptTimeout(key(stage, *at)))),
        Move::Retry(at) => {
            let mut key = key(stage, *at);
            key.attempt += 1;
            Some(Input::Timer(Timer::Retry(key)))
        }
        Move::Pause(at) => command(Command::PauseAgent(agent(stage, *at))),
        Move::Resume(at) => command(Command::ResumeAgent(agent(stage, *at))),
        Move::Terminate(at) => command(Command::TerminateAgent(agent(stage, *at))),
        Move::Idle(at) => {
            let agent = agent(stage, *at);
            let since = stage
                .troupe
                .agents
                .get(&agent)
                .map(|agent| agent.updated_at)?;
            Some(Input::Timer(Timer::AgentIdle { agent, since }))
        }
        Move::Cancel => command(Command::CancelRun(stage.run)),
        Move::Wait(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_inputs_keeps_the_invariants(
        graph in graphs(),
        moves in prop::collection::vec(moves(), 0..80),
        cancel_at in prop::option::of(0usize..80),
    ) {
        let mut stage = Stage::new(&graph, "");
        let start = stage.start_input(json!({}));
        stage.take(start).expect("a valid graph can start");
        for (at, next) in moves.iter().enumerate() {
            if let Move::Wait(ms) = next {
                stage.now = stage.now.plus_ms(*ms);
            }
            let next = if cancel_at == Some(at) { &Move::Cancel } else { next };
            if let Some(input) = input(&stage, next) {
                let before = stage.log.len();
                let settled = stage.run().state.is_final();
                let taken = stage.take(input);
                if let Err(refused) = taken {
                    let contradicts = matches!(refused, domain::run::input::Rejection::Contradiction(_));
                    // Turns that were never begun and tools that were never called are nonsense that
                    // only a broken worker could send; they change nothing.
                    prop_assert!(!contradicts || stage.log.len() == before, "{refused}");
                }
                if settled {
                    let more = stage.log[before..].iter().any(|event| event.fact.run().is_some());
                    prop_assert!(!more, "an ended run went on");
                }
            }
            stage.assert_sound();
        }
        // Left alone from here, every run comes to its end.
        stage.play();
        let agents: Vec<AgentId> = stage.troupe.agents.keys().copied().collect();
        for agent in agents {
            let resume = Input::Command { by: "tester".into(), command: Command::ResumeAgent(agent) };
            let _not_paused = stage.take(resume);
        }
        stage.play();
        stage.assert_sound();
        prop_assert!(stage.run().state.is_final(), "stuck:\n{}\n{graph}", stage.tree());
    }
}
