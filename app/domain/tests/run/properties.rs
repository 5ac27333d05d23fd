//! Any graph, any order of inputs, some of them nonsense: the invariants hold.

use domain::{
    budget::Quote,
    id::AgentId,
    message::Recipient,
    run::{
        AttemptKey, TaskError, ToolCall,
        input::{Command, Input, Outcome, RetryRun, Timer},
    },
};
use proptest::prelude::*;
use serde_json::json;

use crate::stage::{Stage, answer, record};

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
    Hold,
    LetGo,
    TakeUpAgain,
    Answer(usize, usize),
    FindWorkflow,
    Moment(usize),
    Write(usize, usize),
    Kill,
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
        1 => Just(Move::Hold),
        2 => Just(Move::LetGo),
        2 => Just(Move::TakeUpAgain),
        4 => (any::<usize>(), 0usize..5).prop_map(|(at, port)| Move::Answer(at, port)),
        3 => Just(Move::FindWorkflow),
        3 => any::<usize>().prop_map(Move::Moment),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Move::Write(from, to)),
        1 => Just(Move::Kill),
    ]
}

/// A graph without cycles: edges go from lower to higher numbers.
fn graphs() -> impl Strategy<Value = String> {
    let node = (0u8..16, any::<bool>(), 0u8..5);
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
                    2 => format!("n{at} each [1, 2, 3] do a; b = x; a > b end\nn{at} at 2\n"),
                    3 => {
                        format!("n{at} each [1, 2] do l loop 2 do a; c; c once end; b; l > b end\n")
                    }
                    4 => format!("n{at} loop 3 do a; h get http://x/; a > h end\n"),
                    5 => format!("n{at} get http://x/\nn{at} once\n"),
                    6 => format!("n{at} approve ok?\n"),
                    7 => format!("n{at} wait 700\n"),
                    8 => format!("n{at} runs other\n"),
                    9 => format!("n{at} each [1, 2] do c runs other; q approve ok?; c > q end\n"),
                    10 | 11 => format!("n{at}\nn{at} once\n"),
                    _ => format!("n{at}\n"),
                });
                if *any_join {
                    text.push_str(&format!("n{at} join any\n"));
                }
                match on_error {
                    0 => text.push_str(&format!("n{at} on_error continue\n")),
                    4 if *kind > 1 && *kind != 6 => text.push_str(&format!("n{at} timeout 900\n")),
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
                    6 if flip => ".approved",
                    6 => ".rejected",
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
    let mut runs: Vec<_> = stage.troupe.runs.values().collect();
    runs.sort_by_key(|live| live.run.id);
    let live = runs[at / 7 % runs.len()];
    let tasks = &live.run.tasks;
    let (name, task) = tasks.get_index(at % tasks.len()).expect("a run has tasks");
    let attempt = task.attempts.last().map_or(1, |last| last.number);
    AttemptKey {
        run: live.run.id,
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
            others: Vec::new(),
            simulated: false,
            quote: Quote::default(),
            prompt: String::new(),
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
        Move::Hold => command(Command::PauseRun(stage.run)),
        Move::LetGo => command(Command::ResumeRun(stage.run)),
        Move::TakeUpAgain => {
            let (run, ended) = (stage.run, None);
            command(Command::RetryRun(Box::new(RetryRun { run, ended })))
        }
        Move::Answer(at, port) => {
            let key = key(stage, *at);
            let port = ["approved", "rejected", "succeeded", "retry", "failed"][*port];
            command(answer(key.run, key.task.as_str(), port, json!("said")))
        }
        Move::Moment(at) => {
            let timers: Vec<_> = stage.timers.values().cloned().collect();
            (!timers.is_empty()).then(|| Input::Timer(timers[at % timers.len()].clone()))
        }
        Move::Write(from, to) => outcome(Outcome::MessageSent {
            key: key(stage, *from),
            to: Recipient::Agent(agent(stage, *to)),
            text: "hello".into(),
        }),
        Move::Wait(_) | Move::FindWorkflow | Move::Kill => None,
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
        let mut stage = Stage::new(&graph, "workflow other: x; y get http://x/; x > y");
        let start = stage.start_input(json!({}));
        stage.take(start).expect("a valid graph can start");
        for (at, next) in moves.iter().enumerate() {
            if let Move::Wait(ms) = next {
                stage.now = stage.now.plus_ms(*ms);
            }
            match next {
                Move::FindWorkflow => stage.play_wanted(),
                Move::Kill => stage.restart(),
                _ => {}
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
                if settled && !matches!(next, Move::TakeUpAgain) {
                    let more = stage.log[before..].iter().any(|event| event.fact.run() == Some(stage.run));
                    prop_assert!(!more, "an ended run went on");
                }
            }
            stage.assert_sound();
        }
        // Left alone from here, every run comes to its end.
        stage.finish();
        stage.assert_sound();
        prop_assert!(stage.run().state.is_final(), "stuck:\n{}\n{graph}", stage.tree());
    }
}

/// A kill after any commit of a story, then a second one soon after: it comes to the same end.
#[test]
fn killed_after_any_commit_every_story_comes_to_its_end() {
    for (graph, script) in [
        ("a; b; c; a > b > c", "b fails once"),
        ("a; b; c; d; a > b > d; a > c > d", ""),
        (
            "m each [1, 2, 3] do a; b = x; c; a > b > c end; m at 2; z; m > z",
            "m[1].a fails once",
        ),
        ("l until index == 2 do a; b; a > b end; z; l > z", ""),
        (
            "a; q approve ok?; b; a > q; q.approved > b",
            "q is approved",
        ),
        (
            "c runs other; b; c > b",
            "workflow other: x; y get http://x/; w wait 50; x > y > w",
        ),
        (
            "m each [[1, 2], [3]] do n each item do a; q approve ok?; b = x; a > q; q.approved > b end end",
            "",
        ),
        (
            "a; w wait 500; h get http://x/; a > w > h",
            "hold when a\nh fails once",
        ),
    ] {
        let mut stage = Stage::new(graph, script);
        let start = stage.start_input(json!({}));
        stage.take(start).expect("starts");
        stage.finish();
        assert_eq!(stage.run().state.name(), "succeeded", "{}", stage.tree());
        for commit in 0..stage.commits.len() {
            let mut after = stage.cut(commit);
            after.assert_sound();
            after.play_agents();
            after.restart();
            after.finish();
            after.assert_sound();
            assert_eq!(
                after.run().state,
                stage.run().state,
                "{graph} cut at {commit}:\n{}",
                after.tree()
            );
        }
    }
}
