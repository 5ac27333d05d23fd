//! Messages between agents and from people, and agents that do several things.

use domain::{
    agent::{AgentEvent, AgentSpec, Phase},
    budget::Quote,
    event::Fact,
    id::AgentId,
    message::{MAILBOX, MAX_TEXT, Recipient},
    run::{
        AttemptKey, TaskError,
        input::{Command, Input, Outcome, Rejection},
    },
};
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, by};

fn spawn(stage: &mut Stage, number: u128, spec: AgentSpec) -> AgentId {
    let agent = AgentId(Uuid::from_u128(number));
    stage
        .take(by("ann", Command::SpawnAgent { agent, spec }))
        .expect("a new name");
    agent
}

fn named(name: &str) -> AgentSpec {
    AgentSpec {
        name: name.into(),
        ..AgentSpec::default()
    }
}

fn can(name: &str, word: &str) -> AgentSpec {
    AgentSpec {
        capabilities: vec![word.into()],
        ..named(name)
    }
}

fn begin(stage: &mut Stage) {
    let start = stage.start_input(json!({}));
    stage.take(start).expect("starts");
}

fn key_of(stage: &Stage, task: &str) -> AttemptKey {
    let mut started = stage.started.iter();
    started
        .find(|spec| spec.key.task.as_str() == task)
        .expect("it is at work")
        .key
        .clone()
}

fn write(stage: &mut Stage, task: &str, to: Recipient, text: &str) -> Result<(), Rejection> {
    let (key, text) = (key_of(stage, task), text.to_owned());
    stage.take(Input::Outcome(Outcome::MessageSent { key, to, text }))
}

fn turn(stage: &mut Stage, task: &str, turn: u32) -> Vec<String> {
    let key = key_of(stage, task);
    let (model, simulated) = ("m:m".into(), false);
    let started = Outcome::TurnStarted {
        key: key.clone(),
        turn,
        model,
        others: Vec::new(),
        simulated,
        quote: Quote::default(),
        prompt: String::new(),
    };
    stage.take(Input::Outcome(started)).expect("begins");
    let run = &stage.troupe.runs[&key.run].run;
    let turns = &run.tasks[&key.task].attempts[0].turns;
    turns
        .last()
        .expect("a turn")
        .messages
        .iter()
        .map(|message| message.text.clone())
        .collect()
}

#[test]
fn what_an_agent_writes_is_handed_over_with_the_next_turn() {
    let mut stage = Stage::new("a; b; a by ada; b by bob", "");
    spawn(&mut stage, 1, named("ada"));
    let bob = spawn(&mut stage, 2, named("bob"));
    begin(&mut stage);
    assert!(turn(&mut stage, "b", 1).is_empty());
    write(
        &mut stage,
        "a",
        Recipient::Named("bob".into()),
        "mind the gap",
    )
    .expect("bob lives");
    write(&mut stage, "a", Recipient::Agent(bob), "and the step").expect("bob lives");
    assert_eq!(stage.troupe.agents[&bob].mailbox.len(), 2);
    let sent = stage
        .log
        .iter()
        .map(domain::event::Event::to_frame)
        .find(|frame| frame.kind == "message.sent");
    let sent = sent.expect("an event");
    assert_eq!(sent.topic, format!("agent.{bob}.messages"));
    assert_eq!(
        (&sent.data["from"]["name"], &sent.data["text"]),
        (&json!("ada"), &json!("mind the gap"))
    );
    assert_eq!(turn(&mut stage, "b", 2), ["mind the gap", "and the step"]);
    assert!(stage.troupe.agents[&bob].mailbox.is_empty());
    assert!(turn(&mut stage, "b", 3).is_empty(), "once is enough");
    stage.assert_sound();
}

#[test]
fn a_turn_that_is_cut_is_handed_the_same_again() {
    let mut stage = Stage::new("b; b by bob", "");
    let bob = spawn(&mut stage, 2, named("bob"));
    begin(&mut stage);
    let (to, text) = (Recipient::Agent(bob), "hello".to_owned());
    stage
        .take(by("ann", Command::SendMessage { to, text }))
        .expect("bob lives");
    assert_eq!(turn(&mut stage, "b", 1), ["hello"]);
    stage.restart();
    assert_eq!(turn(&mut stage, "b", 1), ["hello"]);
    stage.assert_sound();
}

#[test]
fn a_topic_is_heard_by_all_who_can_do_it() {
    let mut stage = Stage::new("a; a by ada", "");
    let ada = spawn(
        &mut stage,
        1,
        AgentSpec {
            capabilities: vec!["review".into()],
            ..named("ada")
        },
    );
    let eve = spawn(&mut stage, 2, can("eve", "review"));
    let bob = spawn(&mut stage, 3, can("bob", "law"));
    begin(&mut stage);
    write(&mut stage, "a", Recipient::Topic("review".into()), "look").expect("eve hears");
    let boxes = [ada, eve, bob].map(|agent| stage.troupe.agents[&agent].mailbox.len());
    assert_eq!(boxes, [0, 1, 0], "not the writer, not those who cannot");
    let nobody = write(&mut stage, "a", Recipient::Topic("music".into()), "la");
    assert_eq!(nobody, Err(Rejection::NobodyListens("music".into())));
}

#[test]
fn a_held_agent_keeps_its_mailbox() {
    let mut stage = Stage::new("b; b by bob", "");
    let bob = spawn(&mut stage, 2, named("bob"));
    stage
        .take(by("ann", Command::PauseAgent(bob)))
        .expect("idle can pause");
    let (to, text) = (Recipient::Agent(bob), "later".to_owned());
    stage
        .take(by("ann", Command::SendMessage { to, text }))
        .expect("bob lives");
    begin(&mut stage);
    stage
        .take(by("ann", Command::ResumeAgent(bob)))
        .expect("paused can resume");
    assert_eq!(turn(&mut stage, "b", 1), ["later"]);
}

#[test]
fn what_was_written_in_another_run_is_not_read_without_memory() {
    for (memory, read) in [
        (false, vec!["from ann"]),
        (true, vec!["from ada", "from ann"]),
    ] {
        let mut stage = Stage::new("a; b; b by bob; a by ada", "");
        spawn(&mut stage, 1, named("ada"));
        let bob = spawn(
            &mut stage,
            2,
            AgentSpec {
                memory,
                ..named("bob")
            },
        );
        begin(&mut stage);
        write(&mut stage, "a", Recipient::Agent(bob), "from ada").expect("bob lives");
        stage
            .take(by("ann", Command::CancelRun(stage.run)))
            .expect("cancels");
        let (to, text) = (Recipient::Agent(bob), "from ann".to_owned());
        stage
            .take(by("ann", Command::SendMessage { to, text }))
            .expect("bob lives");
        stage.run = domain::id::RunId(Uuid::from_u128(77));
        begin(&mut stage);
        assert_eq!(turn(&mut stage, "b", 1), read);
        assert!(stage.troupe.agents[&bob].mailbox.is_empty());
        let spec = stage
            .started
            .iter()
            .find(|spec| spec.key.task.as_str() == "b");
        assert_eq!(spec.map(|spec| spec.memory), Some(memory));
    }
}

#[test]
fn a_mailbox_has_an_end() {
    let mut stage = Stage::new("b", "");
    let bob = spawn(&mut stage, 2, named("bob"));
    let write = |text: &str| {
        let (to, text) = (Recipient::Agent(bob), text.to_owned());
        by("ann", Command::SendMessage { to, text })
    };
    for _ in 0..MAILBOX {
        stage.take(write("more")).expect("there is room");
    }
    assert_eq!(
        stage.take(write("more")),
        Err(Rejection::MailboxFull("bob".into()))
    );
    assert_eq!(
        stage.take(write(" ")),
        Err(Rejection::MessageSize(MAX_TEXT))
    );
    assert_eq!(
        stage.take(write(&"x".repeat(MAX_TEXT + 1))),
        Err(Rejection::MessageSize(MAX_TEXT))
    );
    stage
        .take(by("ann", Command::TerminateAgent(bob)))
        .expect("ends");
    assert_eq!(stage.take(write("gone")), Err(Rejection::NoSuchAgent(bob)));
}

#[test]
fn an_agent_does_as_many_tasks_as_its_spec_says() {
    let mut stage = Stage::new("a; b; c; a by ada; b by ada; c by ada", "");
    let ada = spawn(
        &mut stage,
        1,
        AgentSpec {
            max_tasks: 2,
            ..named("ada")
        },
    );
    begin(&mut stage);
    assert_eq!(stage.started.len(), 2);
    assert_eq!(stage.troupe.agents[&ada].attempts().count(), 2);
    stage.restart();
    assert_eq!(stage.started.len(), 2, "both go on");
    let spec = stage.started.remove(0);
    stage
        .take(Input::Outcome(Outcome::Succeeded {
            key: spec.key,
            output: json!(1),
        }))
        .expect("ends");
    assert_eq!(
        stage.troupe.agents[&ada].attempts().count(),
        2,
        "the third came"
    );
    stage.assert_sound();
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    let agent = &stage.troupe.agents[&ada];
    assert_eq!((agent.state.phase(), agent.attempts_done), (Phase::Idle, 3));
    let freed = |event: &&domain::event::Event| {
        matches!(
            &event.fact,
            Fact::Agent {
                event: AgentEvent::Freed { .. },
                ..
            }
        )
    };
    assert!(stage.log.iter().filter(freed).count() > 0);
}

#[test]
fn a_crash_takes_all_that_the_agent_was_at() {
    let mut stage = Stage::new("a; b; a by ada; b by ada", "");
    let ada = spawn(
        &mut stage,
        1,
        AgentSpec {
            max_tasks: 2,
            ..named("ada")
        },
    );
    begin(&mut stage);
    let key = stage.started[0].key.clone();
    let error = TaskError::passing("agent_crashed", "x");
    stage
        .take(Input::Outcome(Outcome::Crashed { key, error }))
        .expect("crashes");
    assert_eq!(stage.troupe.agents[&ada].state.phase(), Phase::Error);
    assert_eq!(stage.troupe.agents[&ada].attempts().count(), 0);
    stage.assert_sound();
    stage.play();
    let tries: Vec<_> = stage
        .run()
        .tasks
        .values()
        .map(|task| task.attempts.len())
        .collect();
    assert_eq!(tries, [2, 2], "both are done again");
    assert_eq!(stage.run().state.name(), "succeeded");
}

#[test]
fn an_agent_in_error_is_replaced_and_goes() {
    let mut stage = Stage::new("a; a can review", "a crashes");
    begin(&mut stage);
    let first = *stage.troupe.agents.keys().next().expect("one was spawned");
    stage.play();
    assert_eq!(stage.run().state.name(), "succeeded");
    assert_eq!(stage.troupe.agents.len(), 2, "another one took over");
    assert_eq!(stage.troupe.agents[&first].state.phase(), Phase::Terminated);
}

#[test]
fn a_large_run_does_not_starve_a_small_one() {
    let limits = domain::troupe::Limits {
        max_parallel: 2,
        ..domain::troupe::Limits::default()
    };
    let mut stage = Stage::new("m each input.items do a end; m at 1000", "").under(limits);
    let items: Vec<u32> = (0..500).collect();
    let start = stage.start_input(json!({ "items": items }));
    stage.take(start).expect("starts");
    stage.run = domain::id::RunId(Uuid::from_u128(77));
    stage.graph = crate::stage::graph("z");
    begin(&mut stage);
    for _ in 0..4 {
        stage.play_agents();
    }
    assert_eq!(
        stage.run().state.name(),
        "succeeded",
        "the small one had its turn"
    );
    stage.assert_sound();
}

#[test]
fn agents_that_break_at_birth_are_not_spawned_in_circles() {
    let mut stage = Stage::new("a; b", "");
    stage.broken_workspaces = 2;
    begin(&mut stage);
    assert_eq!(
        stage.troupe.agents.len(),
        2,
        "one for each task, and no more"
    );
    let began = stage.now;
    stage.play();
    let again = stage.run().tasks["a"].attempts[0].started_at;
    let waited_ms = again.ms_since(began);
    assert_eq!(waited_ms, 1_000, "those of one pass broke of the same");
    assert_eq!(stage.run().state.name(), "succeeded");
    stage.assert_sound();
}

#[test]
fn no_kind_of_task_waits_for_all_of_another() {
    let limits = domain::troupe::Limits {
        max_parallel: 1,
        ..domain::troupe::Limits::default()
    };
    let mut stage = Stage::new("a; b; c; h get http://x/", "").under(limits);
    begin(&mut stage);
    stage.play_agents();
    assert_eq!(
        (stage.started.len(), stage.requests.len()),
        (0, 1),
        "then it is the request's turn"
    );
}
