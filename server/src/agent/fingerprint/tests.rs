use domain::{
    id::{AgentId, RunId, TaskName},
    message::{Message, Sender},
    run::{CostIs, FinishReason, ToolCall, ToolOutcome, ToolResult, TurnRecord},
    time::Timestamp,
};
use uuid::Uuid;

use super::*;
use crate::agent::tests::stage;

fn form() -> Form {
    Form::of(None).expect("no schema")
}

/// A finished turn that used a tool, with whatever providers draw.
fn turn(call_id: &str, reasoning: &str) -> Turn {
    let call = ToolCall {
        call_id: call_id.into(),
        name: "note".into(),
        arguments: r#"{"op":"list"}"#.into(),
    };
    Turn {
        number: 1,
        model: "a:b".into(),
        simulated: false,
        reserved: None,
        started_at: Timestamp(0),
        began: None,
        done: Some(TurnRecord {
            provider: "a".into(),
            model: "b".into(),
            text: "Let me look.".into(),
            tool_calls: vec![call.clone()],
            reasoning_details: vec![json!({ "signature": reasoning })],
            prompt_tokens: None,
            completion_tokens: None,
            cached_tokens: None,
            reasoning_tokens: None,
            cost_usd: None,
            assumed_usd: None,
            assumed_tokens: None,
            simulated: false,
            replayed: false,
            cost_is: CostIs::Unknown,
            finish_reason: FinishReason::ToolCalls,
            generation_id: None,
            first_token_ms: None,
            duration_ms: 0,
        }),
        tools: vec![ToolResult {
            call,
            started_at: Timestamp(0),
            outcome: Some(ToolOutcome {
                output: "nothing".into(),
                failed: false,
                duration_ms: 0,
            }),
        }],
        messages: Vec::new(),
        failures: Vec::new(),
        late: Vec::new(),
        unpriced: Vec::new(),
    }
}

fn print(change: impl FnOnce(&mut AttemptSpec)) -> String {
    let mut spec = stage::spec();
    change(&mut spec);
    of(&spec, &form(), &[turn("call_1", "x")], &[])
}

#[test]
fn what_is_drawn_by_chance_or_does_not_reach_the_model_is_left_out() {
    let first = print(|_| {});
    assert_eq!(first.len(), 64);
    assert!(first.chars().all(|c| c.is_ascii_hexdigit()), "{first}");
    assert_eq!(
        first,
        print(|spec| {
            spec.agent = AgentId(Uuid::from_u128(7));
            spec.agent_name = "agent-17".into();
            spec.key.attempt = 3;
            spec.model = Some("other:model".into());
            spec.temperature = Some(1.5);
            spec.max_tokens = 9;
        })
    );
    let mut other = turn("toolu_99", "y");
    other.messages = vec![Message {
        id: 4,
        from: Sender::Agent {
            agent_id: AgentId(Uuid::nil()),
            name: "agent-3".into(),
            run_id: RunId(Uuid::nil()),
            task: TaskName::parse("plan").expect("a name"),
        },
        to_topic: None,
        text: "Hello".into(),
    }];
    assert_eq!(first, of(&stage::spec(), &form(), &[other], &[]));
}

#[test]
fn the_run_may_name_itself() {
    let of_run = |id: u128| {
        print(|spec| {
            spec.key.run = RunId(Uuid::from_u128(id));
            spec.prompt = format!("Sign with {}.", spec.key.run);
        })
    };
    assert_eq!(of_run(1), of_run(2));
    assert_ne!(of_run(1), print(|spec| spec.prompt = "Sign with x.".into()));
}

#[test]
fn what_the_model_is_told_makes_the_difference() {
    let first = print(|_| {});
    let changed = [
        print(|spec| spec.prompt.push('!')),
        print(|spec| spec.instructions.push('!')),
        print(|spec| spec.output_schema = Some(json!({ "type": "object" }))),
        of(&stage::spec(), &form(), &[], &[]),
        of(
            &stage::spec(),
            &form(),
            &[turn("call_1", "x")],
            &[ToolSpec {
                name: "note".into(),
                description: "Notes.".into(),
                parameters: json!({}),
            }],
        ),
    ];
    for other in &changed {
        assert_ne!(*other, first);
    }
    let mut told = turn("call_1", "x");
    if let Some(outcome) = &mut told.tools[0].outcome {
        outcome.output = "something".into();
    }
    assert_ne!(of(&stage::spec(), &form(), &[told], &[]), first);
}
