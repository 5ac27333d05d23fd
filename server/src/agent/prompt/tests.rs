use domain::{
    id::{AgentId, RunId, TaskName, WorkflowId},
    run::AttemptKey,
};
use serde_json::json;
use uuid::Uuid;

use super::*;

fn spec(instructions: &str) -> AttemptSpec {
    AttemptSpec {
        key: AttemptKey {
            run: RunId(Uuid::nil()),
            task: TaskName::parse("a").expect("a name"),
            attempt: 1,
        },
        workflow: WorkflowId(Uuid::nil()),
        agent: AgentId(Uuid::nil()),
        agent_name: "Ada".into(),
        prompt: "Do it.".into(),
        instructions: instructions.into(),
        model: None,
        models: Vec::new(),
        preferences: domain::graph::Preferences::default(),
        tools: Vec::new(),
        output_schema: None,
        max_turns: 1,
        max_tokens: 1,
        temperature: None,
        turns: Vec::new(),
        memory: false,
        replay: None,
    }
}

#[test]
fn without_orders_there_is_no_system_message() {
    let form = Form::of(None).expect("no schema");
    assert_eq!(
        messages(&spec(" \n"), &form, &[], &[]),
        [ChatMessage::User("Do it.".into())]
    );
}

#[test]
fn a_schema_stands_behind_the_instructions() {
    let form = Form::of(Some(&json!({"type": "object"}))).expect("a schema");
    let orders = "Be kind.\n\nAnswer with JSON alone, without any text around it. It must satisfy this JSON Schema:\n{\"type\":\"object\"}";
    assert_eq!(
        messages(&spec("Be kind."), &form, &[], &[]),
        [
            ChatMessage::System(orders.into()),
            ChatMessage::User("Do it.".into())
        ]
    );
}

#[test]
fn messages_stand_before_the_turn_that_they_were_handed_out_with() {
    let form = Form::of(None).expect("no schema");
    let message = |name: &str, text: &str, topic: Option<&str>| Message {
        id: 1,
        from: Sender::Person { name: name.into() },
        to_topic: topic.map(str::to_owned),
        text: text.into(),
    };
    let handed = [
        message("Ada", "Be quick.", None),
        message("Bob", "All of you.", Some("review")),
    ];
    let told = messages(&spec(""), &form, &[], &handed);
    let letters = "Message from the person Ada:\nBe quick.\n\nMessage from the person Bob, to all at `review`:\nAll of you.";
    assert_eq!(
        told,
        [
            ChatMessage::User("Do it.".into()),
            ChatMessage::User(letters.into())
        ]
    );
}
