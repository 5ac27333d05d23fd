//! What people do to agents while runs are under way, and what a restart does.

use domain::{
    agent::{AgentEvent, AgentSpec, Phase},
    budget::Quote,
    event::Fact,
    id::{AgentId, RunId},
    run::{
        Run, TaskError,
        decide::LiveRun,
        input::{Command, Input, Outcome, Rejection},
    },
    time::Timestamp,
    troupe::{Limits, Troupe},
};
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

use crate::stage::{Stage, play, record};

fn command(command: Command) -> Input {
    Input::Command {
        by: "tester".into(),
        command,
    }
}

fn spawn(stage: &mut Stage, number: u128, name: &str, can: &[&str]) -> AgentId {
    let agent = AgentId(Uuid::from_u128(number));
    let spec = AgentSpec {
        name: name.into(),
        capabilities: can.iter().map(|word| (*word).to_owned()).collect(),
        ..AgentSpec::default()
    };
    stage
        .take(command(Command::SpawnAgent { agent, spec }))
        .expect("a new name can be spawned");
    agent
}

fn phase(stage: &Stage, agent: AgentId) -> Phase {
    stage.troupe.agents[&agent].state.phase()
}

#[test]
fn a_named_agent_takes_what_is_meant_for_it() {
    let mut stage = Stage::new("a\na by ada", "");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    assert_eq!(phase(&stage, ada), Phase::Working);
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn two_agents_cannot_have_one_name() {
    let mut stage = Stage::new("a", "");
    spawn(&mut stage, 1, "ada", &[]);
    let spec = AgentSpec {
        name: "ada".into(),
        ..AgentSpec::default()
    };
    let refused = stage.take(command(Command::SpawnAgent {
        agent: AgentId(Uuid::from_u128(2)),
        spec,
    }));
    assert_eq!(refused, Err(Rejection::NameTaken("ada".into())));
}

#[test]
fn a_paused_agent_takes_no_work_until_it_is_resumed() {
    let mut stage = Stage::new("a\na by ada", "");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    stage
        .take(command(Command::PauseAgent(ada)))
        .expect("idle can pause");
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage.play();
    assert_eq!(stage.run().tasks["a"].state.name(), "ready");
    stage
        .take(command(Command::ResumeAgent(ada)))
        .expect("paused can resume");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn pausing_lets_the_work_under_way_end() {
    let mut stage = Stage::new("a\nb\na > b\na by ada\nb by ada", "");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage
        .take(command(Command::PauseAgent(ada)))
        .expect("working can pause");
    stage.play();
    assert_eq!(stage.run().tasks["a"].state.name(), "succeeded");
    assert_eq!(stage.run().tasks["b"].state.name(), "ready");
    assert_eq!(phase(&stage, ada), Phase::Paused);
    stage.assert_sound();
}

#[test]
fn the_work_of_a_terminated_agent_goes_to_another() {
    let mut stage = Stage::new("a", "");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    assert_eq!(phase(&stage, ada), Phase::Working);
    stage
        .take(command(Command::TerminateAgent(ada)))
        .expect("working can end");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    assert_eq!(stage.run().tasks["a"].attempts.len(), 2);
    stage.assert_sound();
}

#[test]
fn a_terminated_agent_is_gone_for_good() {
    let mut stage = Stage::new("a", "");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    stage
        .take(command(Command::TerminateAgent(ada)))
        .expect("idle can end");
    let refused = stage.take(command(Command::ResumeAgent(ada)));
    assert!(
        matches!(refused, Err(Rejection::IllegalMove(_))),
        "{refused:?}"
    );
}

#[test]
fn a_workspace_that_cannot_be_made_is_an_error_of_that_agent() {
    let mut stage = Stage::new("a", "");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let error = TaskError::passing("no_workspace", "disk full");
    // It is idle by now; an agent can break at any time.
    stage
        .take(Input::Outcome(Outcome::AgentBroken { agent: ada, error }))
        .expect("idle can break");
    assert_eq!(phase(&stage, ada), Phase::Error);
    stage
        .take(command(Command::ResumeAgent(ada)))
        .expect("a person brings it back");
    assert_eq!(phase(&stage, ada), Phase::Idle);
}

#[test]
fn an_agent_at_work_cannot_be_resumed() {
    let mut stage = Stage::new("a\nb", "");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    let refused = stage.take(command(Command::ResumeAgent(ada)));
    assert!(
        matches!(refused, Err(Rejection::IllegalMove(_))),
        "{refused:?}"
    );
    assert_eq!(phase(&stage, ada), Phase::Working);
    stage.assert_sound();
}

#[test]
fn agents_that_cannot_be_made_ready_are_not_spawned_without_end() {
    let mut stage = Stage::new("a", "");
    stage.broken_workspaces = 9;
    let began = stage.now;
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    let ended = stage
        .troupe
        .agents
        .values()
        .filter(|agent| agent.state.phase() == Phase::Terminated);
    assert_eq!(ended.count(), 9, "none of the broken ones stays");
    let taken_up = stage.run().tasks["a"].attempts[0].started_at;
    let waited_s = taken_up.ms_since(began) / 1_000;
    assert_eq!(waited_s, 1 + 2 + 4 + 8 + 16 + 32 + 3 * 60);
    stage.assert_sound();
}

#[test]
fn an_agent_that_crashed_is_brought_back_by_a_task_that_names_it() {
    let mut stage = Stage::new("a\na by ada", "a crashes");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage.play_agents();
    assert_eq!(phase(&stage, ada), Phase::Error);
    assert_eq!(
        stage.run().tasks["a"].state.name(),
        "waiting",
        "it is not brought back before somebody asks for it"
    );
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    assert_eq!(stage.run().tasks["a"].attempts.len(), 2);
    let by_troupe = stage.log.iter().filter(|event| {
        let resumed = AgentEvent::Resumed {
            by: "troupe".into(),
        };
        matches!(&event.fact, Fact::Agent { agent, event } if *agent == ada && *event == resumed)
    });
    assert_eq!(by_troupe.count(), 1, "once for the one crash");
    stage.assert_sound();
}

#[test]
fn an_agent_that_always_crashes_is_brought_back_as_often_as_its_task_is_tried() {
    let mut stage = Stage::new("a\na by ada\na retry 4", "");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    for _ in 0..4 {
        let key = stage.started.remove(0).key;
        let error = TaskError::passing("agent_crashed", "x");
        stage
            .take(Input::Outcome(Outcome::Crashed { key, error }))
            .expect("crashes");
        stage.assert_sound();
        stage.play_timers();
    }
    assert!(stage.started.is_empty());
    assert_eq!(stage.run().state.name(), "failed");
    assert_eq!(phase(&stage, ada), Phase::Error, "nobody asks for it now");
}

#[test]
fn an_agent_that_crashed_is_brought_back_after_a_restart_too() {
    let mut stage = Stage::new("a\na by ada", "a crashes");
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage.play_agents();
    let mut after = restart(&stage);
    assert_eq!(phase(&after, ada), Phase::Error);
    after.play();
    assert_eq!(after.run().state.name(), "succeeded");
    after.assert_sound();
}

#[test]
fn an_agent_without_a_workspace_is_for_a_person_to_bring_back() {
    let mut stage = Stage::new("a\na by ada", "");
    stage.broken_workspaces = 1;
    let ada = spawn(&mut stage, 1, "ada", &[]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage.play();
    assert_eq!(phase(&stage, ada), Phase::Error);
    assert_eq!(stage.run().tasks["a"].state.name(), "ready");
    stage
        .take(command(Command::ResumeAgent(ada)))
        .expect("a person brings it back");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn specialists_are_kept_for_what_only_they_can_do() {
    let mut stage = Stage::new("a\na can review", "");
    let both = spawn(&mut stage, 1, "both", &["review", "law"]);
    let one = spawn(&mut stage, 2, "one", &["review"]);
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    assert_eq!(
        (phase(&stage, both), phase(&stage, one)),
        (Phase::Idle, Phase::Working)
    );
}

#[test]
fn an_idle_agent_that_nobody_asked_for_by_name_goes_away() {
    let mut stage = play("a", "");
    let agent = *stage.troupe.agents.keys().next().expect("one was spawned");
    let since = stage.troupe.agents[&agent].updated_at;
    let timer = domain::run::input::Timer::AgentIdle { agent, since };
    stage
        .take(Input::Timer(timer))
        .expect("timers are never refused");
    assert_eq!(phase(&stage, agent), Phase::Terminated);
}

#[test]
fn outcomes_of_an_attempt_that_is_over_are_refused() {
    let mut stage = Stage::new("a", "");
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    let spec = stage.started[0].clone();
    stage
        .take(Input::Outcome(Outcome::Succeeded {
            key: spec.key.clone(),
            output: json!(1),
        }))
        .expect("the first counts");
    let again = stage.take(Input::Outcome(Outcome::Succeeded {
        key: spec.key.clone(),
        output: json!(2),
    }));
    assert_eq!(again, Err(Rejection::AttemptOver(spec.key)));
    assert_eq!(stage.run().tasks["a"].state.output(), Some(&json!(1)));
}

/// A server that was killed: the log and the agents' rows are all that is left.
pub fn restart(stage: &Stage) -> Stage {
    let mut after = Stage::new("a", "");
    after.graph = Arc::clone(&stage.graph);
    after.graphs = stage.graphs.clone();
    after.now = stage.now;
    after.log = stage.log.clone();
    after.troupe = Troupe::new(stage.troupe.head, Limits::default());
    for agent in stage.troupe.agents.values() {
        after.troupe.adopt_agent(agent.clone());
    }
    let run = Run::replay(
        &stage
            .log
            .iter()
            .filter(|event| event.fact.run().is_some())
            .cloned()
            .collect::<Vec<_>>(),
        &stage.graph,
    )
    .expect("the log fits itself")
    .expect("there is a run");
    after
        .troupe
        .adopt_run(LiveRun::new(run, Arc::clone(&stage.graph)));
    after
        .take(Input::Recovered(stage.run))
        .expect("a run recovers");
    for agent in stage.troupe.agents.keys() {
        after
            .take(Input::AgentRecovered(*agent))
            .expect("an agent recovers");
    }
    after
}

#[test]
fn after_a_kill_the_attempt_goes_on_from_its_last_finished_turn() {
    let mut stage = Stage::new("a", "");
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    let key = stage.started[0].key.clone();
    let turn = |turn| Outcome::TurnStarted {
        key: key.clone(),
        turn,
        model: "m:m".into(),
        others: Vec::new(),
        simulated: false,
        quote: Quote::default(),
        prompt: String::new(),
    };
    stage.take(Input::Outcome(turn(1))).expect("begins");
    stage
        .take(Input::Outcome(Outcome::TurnCompleted {
            key: key.clone(),
            turn: 1,
            record: Box::new(record("paid for")),
        }))
        .expect("ends");
    stage.take(Input::Outcome(turn(2))).expect("begins again");

    let mut after = restart(&stage);
    assert_eq!(after.started.len(), 1, "the attempt is taken up again");
    let spec = after.started[0].clone();
    assert_eq!((spec.key.attempt, spec.turns.len()), (1, 2));
    assert_eq!(
        spec.turns[0].done.as_ref().map(|done| done.text.as_str()),
        Some("paid for")
    );
    assert!(
        spec.turns[1].done.is_none(),
        "the cut call is made again under its number"
    );
    after
        .take(Input::Outcome(turn(2)))
        .expect("the cut call is begun again");
    let frame = after.log.last().expect("an event").to_frame();
    assert_eq!(
        (frame.kind.as_str(), &frame.data["resumed"]),
        ("turn.started", &json!(true))
    );
    after.play();
    assert_eq!(after.run().state.name(), "succeeded");
    after.assert_sound();
}

#[test]
fn after_a_kill_everything_else_goes_on_too() {
    let mut stage = Stage::new(
        "a\nb\nc\ng ? 'c' in nodes.c.output\nd\nz = {{ nodes.d.output }}\na > b > c > g\ng.true > d > z",
        "b fails once",
    );
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
    stage.play();
    let mut continued = 0;
    for cut in stage.commits.clone() {
        // The same story, known only up to one of its commits.
        let log: Vec<_> = stage.log.iter().take(cut).cloned().collect();
        let Ok(Some(run)) = Run::replay(
            &log.iter()
                .filter(|event| event.fact.run().is_some())
                .cloned()
                .collect::<Vec<_>>(),
            &stage.graph,
        ) else {
            continue;
        };
        if run.state.is_final() {
            continue;
        }
        let mut after = Stage::new("a", "");
        after.graph = Arc::clone(&stage.graph);
        after.graphs = stage.graphs.clone();
        after.now = stage.now;
        after.troupe = Troupe::new(log.len() as u64, Limits::default());
        after.log = log;
        after
            .troupe
            .adopt_run(LiveRun::new(run, Arc::clone(&stage.graph)));
        after
            .take(Input::Recovered(stage.run))
            .expect("a run recovers");
        after.play();
        assert_eq!(after.run().state.name(), "succeeded", "cut at {cut}");
        after.assert_sound();
        continued += 1;
    }
    assert!(continued > 10, "only {continued} kills were tried");
}

#[test]
fn commands_to_what_does_not_live_are_refused_by_name() {
    let mut stage = Stage::new("a", "");
    let (run, agent) = (RunId(Uuid::from_u128(5)), AgentId(Uuid::from_u128(6)));
    stage.now = Timestamp(5);
    assert_eq!(
        stage.take(command(Command::CancelRun(run))),
        Err(Rejection::NoSuchRun(run))
    );
    assert_eq!(
        stage.take(command(Command::PauseAgent(agent))),
        Err(Rejection::NoSuchAgent(agent))
    );
    assert!(stage.log.is_empty());
}
