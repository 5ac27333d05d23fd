//! The rules of the live connection, told as short stories.

use domain::{event::EventSeverity, frame::EventFrame};
use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn event(seq: u64) -> Frame {
    Frame::Event(EventFrame {
        seq,
        run_seq: None,
        at: Timestamp(0),
        kind: "system.recovered".into(),
        topic: "broadcast.system".into(),
        workflow_id: None,
        run_id: None,
        task: None,
        agent_id: None,
        severity: EventSeverity::Info,
        data: json!({"part": "bus"}),
    })
}

fn unreadable(seq: u64) -> Frame {
    match event(seq) {
        Frame::Event(frame) => Frame::Event(EventFrame {
            kind: "moon.rose".into(),
            ..frame
        }),
        other => other,
    }
}

fn hello(epoch: &str, head: u64) -> Frame {
    Frame::Hello {
        epoch: epoch.into(),
        head,
    }
}

fn metrics(head: u64) -> Frame {
    Frame::Metrics {
        name: "metrics.updated".into(),
        data: Metrics {
            head,
            ..Metrics::default()
        },
    }
}

fn frame(frame: Frame) -> Input {
    Input::Frame(Box::new(frame))
}

fn say(action: &Action) -> String {
    match action {
        Action::Open { after, topics } => {
            format!("open after {after} with {} topics", topics.len())
        }
        Action::Close => "close".into(),
        Action::Send(frame) => serde_json::to_string(frame).expect("frames can be written"),
        Action::Deliver(event) => format!("deliver {}", event.seq),
        Action::Delta(delta) => format!("delta {}", delta.text),
        Action::Metrics(_) => "metrics".into(),
        Action::Reload => "reload".into(),
        Action::Wake { in_ms } => format!("wake in {in_ms}"),
    }
}

/// Feeds inputs at seconds and tells what came out, with the state that the page then shows.
fn check(story: Vec<(u64, Input)>, expected: &Expect) {
    let mut session = Session::default();
    let mut told = Vec::new();
    for (second, input) in story {
        let now = Timestamp(0).plus_ms(second * 1_000);
        let actions: Vec<String> = session.step(input, now, 0).iter().map(say).collect();
        told.push(format!(
            "{second} s  {:<40}  {:?}",
            actions.join(", "),
            session.connection(now)
        ));
    }
    expected.assert_eq(&told.join("\n"));
}

#[test]
fn an_undisturbed_stream() {
    check(
        vec![
            (0, Input::Start { after: 7 }),
            (0, frame(hello("a", 8))),
            (0, frame(event(8))),
            (1, frame(event(8))),
            (2, frame(metrics(8))),
            (3, frame(event(9))),
        ],
        &expect![[r#"
            0 s  open after 7 with 3 topics                Connecting
            0 s                                            Current
            0 s  deliver 8                                 Current
            1 s                                            Current
            2 s  metrics                                   Current
            3 s  deliver 9                                 Current"#]],
    );
}

#[test]
fn a_lost_connection_resumes_behind_the_last_event() {
    check(
        vec![
            (0, Input::Start { after: 0 }),
            (0, frame(hello("a", 1))),
            (0, frame(event(1))),
            (5, Input::Closed),
            (6, Input::Tick),
            (6, Input::Closed),
            (7, Input::Tick),
            (7, Input::Closed),
            (8, Input::Tick),
            (9, frame(hello("a", 2))),
            (9, frame(event(2))),
        ],
        &expect![[r#"
            0 s  open after 0 with 3 topics                Connecting
            0 s                                            Current
            0 s  deliver 1                                 Current
            5 s  wake in 125                               Reconnecting { since: Timestamp(5000), attempt: 1 }
            6 s  open after 1 with 3 topics                Reconnecting { since: Timestamp(5000), attempt: 1 }
            6 s  wake in 125                               Reconnecting { since: Timestamp(5000), attempt: 2 }
            7 s  open after 1 with 3 topics                Reconnecting { since: Timestamp(5000), attempt: 2 }
            7 s  wake in 125                               Unreachable { since: Timestamp(5000), attempt: 3 }
            8 s  open after 1 with 3 topics                Unreachable { since: Timestamp(5000), attempt: 3 }
            9 s                                            Current
            9 s  deliver 2                                 Current"#]],
    );
}

#[test]
fn a_silent_connection_is_pinged_and_then_given_up() {
    check(
        vec![
            (0, Input::Start { after: 0 }),
            (0, frame(hello("a", 0))),
            (21, Input::Tick),
            (30, Input::Tick),
            (46, Input::Tick),
        ],
        &expect![[r#"
            0 s  open after 0 with 3 topics                Connecting
            0 s                                            Current
            21 s  {"kind":"ping"}                           Current
            30 s                                            Current
            46 s  close, wake in 125                        Reconnecting { since: Timestamp(46000), attempt: 1 }"#]],
    );
}

#[test]
fn a_socket_that_never_says_hello_is_given_up() {
    check(
        vec![
            (0, Input::Start { after: 0 }),
            (10, Input::Tick),
            (16, Input::Tick),
        ],
        &expect![[r#"
            0 s  open after 0 with 3 topics                Connecting
            10 s                                            Connecting
            16 s  close, wake in 125                        Reconnecting { since: Timestamp(16000), attempt: 1 }"#]],
    );
}

#[test]
fn what_was_passed_over_is_loaded_again() {
    check(
        vec![
            (0, Input::Start { after: 0 }),
            (0, frame(hello("a", 900))),
            (1, frame(Frame::Snapshot { head: 900 })),
            (1, frame(event(901))),
            (2, frame(unreadable(902))),
            (3, Input::Garbage),
        ],
        &expect![[r#"
            0 s  open after 0 with 3 topics                Connecting
            0 s                                            Current
            1 s  reload                                    Current
            1 s  deliver 901                               Current
            2 s  reload                                    Current
            3 s  reload                                    Current"#]],
    );
}

#[test]
fn another_database_makes_all_numbers_void() {
    check(
        vec![
            (0, Input::Start { after: 50 }),
            (0, frame(hello("a", 50))),
            (1, Input::Closed),
            (2, Input::Tick),
            (2, frame(hello("b", 60))),
            (2, frame(event(60))),
            (2, frame(event(61))),
        ],
        &expect![[r#"
            0 s  open after 50 with 3 topics               Connecting
            0 s                                            Current
            1 s  wake in 125                               Reconnecting { since: Timestamp(1000), attempt: 1 }
            2 s  open after 50 with 3 topics               Reconnecting { since: Timestamp(1000), attempt: 1 }
            2 s  reload                                    Current
            2 s                                            Current
            2 s  deliver 61                                Current"#]],
    );
}

#[test]
fn a_lag_is_told_when_it_lasts() {
    check(
        vec![
            (0, Input::Start { after: 0 }),
            (0, frame(hello("a", 0))),
            (2, frame(metrics(40))),
            (4, frame(metrics(50))),
            (5, frame(event(50))),
        ],
        &expect![[r#"
            0 s  open after 0 with 3 topics                Connecting
            0 s                                            Current
            2 s  metrics                                   Current
            4 s  metrics                                   Behind { events: 50 }
            5 s  deliver 50                                Current"#]],
    );
}

#[test]
fn topics_are_asked_for_once_and_again_after_a_loss() {
    check(
        vec![
            (0, Input::Watch("early".into())),
            (0, Input::Start { after: 0 }),
            (0, frame(hello("a", 0))),
            (1, Input::Watch("d".into())),
            (1, Input::Watch("d".into())),
            (2, Input::Unwatch("d".into())),
            (3, Input::Closed),
            (3, Input::Nudge),
            (4, frame(hello("a", 0))),
            (5, Input::Unwatch("d".into())),
            (5, Input::Unwatch("d".into())),
        ],
        &expect![[r#"
            0 s                                            Connecting
            0 s  open after 0 with 4 topics                Connecting
            0 s                                            Current
            1 s  {"kind":"subscribe","topics":["d"]}       Current
            1 s                                            Current
            2 s                                            Current
            3 s  wake in 125                               Reconnecting { since: Timestamp(3000), attempt: 1 }
            3 s  open after 0 with 5 topics                Reconnecting { since: Timestamp(3000), attempt: 1 }
            4 s                                            Current
            5 s  {"kind":"unsubscribe","topics":["d"]}     Current
            5 s                                            Current"#]],
    );
}

#[test]
fn waits_grow_up_to_ten_seconds() {
    let mut session = Session::default();
    session.step(Input::Start { after: 0 }, Timestamp(0), 0);
    let mut longest = Vec::new();
    for _ in 0..8 {
        let actions = session.step(Input::Closed, Timestamp(0), u64::MAX);
        longest.push(actions.iter().map(say).collect::<String>());
        session.step(Input::Nudge, Timestamp(0), 0);
    }
    expect!["wake in 240, wake in 240, wake in 740, wake in 1740, wake in 3740, wake in 7740, wake in 1740, wake in 1740"].assert_eq(&longest.join(", "));
}
