use domain::id::{RunId, TaskName};
use futures::FutureExt;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::agent::tests::Notebook;

/// A tool that says much.
struct Flood;

impl Tool for Flood {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "flood".into(),
            description: "Says much.".into(),
            parameters: json!({"type": "object", "properties": {"times": {"type": "integer", "maximum": 100_000}}}),
        }
    }

    fn run<'a>(
        &'a self,
        arguments: Map<String, Value>,
        _: &'a Bench<'a>,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        let times = arguments.get("times").and_then(Value::as_u64).unwrap_or(1);
        async move { Ok("ü".repeat(usize::try_from(times).unwrap_or(0))) }.boxed()
    }
}

fn tools() -> Tools {
    let mut tools = Tools::default();
    tools.add(Arc::new(Flood));
    tools
}

async fn call(name: &str, arguments: &str) -> ToolOutcome {
    let offered = tools().offered(&["flood".to_owned()]).expect("known tools");
    let call = ToolCall {
        call_id: "a".into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    let key = AttemptKey {
        run: RunId(Uuid::nil()),
        task: TaskName::parse("a").expect("a name"),
        attempt: 1,
    };
    let bench = Bench {
        workspace: Path::new("/nowhere"),
        key: &key,
        desk: &Notebook::default(),
        memory: false,
    };
    run(&offered, &call, &bench).await
}

#[test]
fn who_may_use_tools_may_take_notes() {
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        tools().offered(&names).map(|tools| names_of(&tools))
    };
    assert_eq!(names(&[]), Ok(vec![]));
    assert_eq!(names(&["note"]), Ok(vec!["note".to_owned()]));
    assert_eq!(
        names(&["flood"]),
        Ok(vec!["note".to_owned(), "flood".to_owned()])
    );
    let unknown = names(&["note", "web"]).expect_err("unknown");
    assert_eq!(
        unknown.to_string(),
        "There is no tool `web`. Known: note, send_message, flood. Correct the tools of this step or of its agent."
    );
}

#[tokio::test]
async fn arguments_are_checked_before_the_tool_runs() {
    assert_eq!(call("flood", "").await.output, "ü");
    assert_eq!(call("flood", " {\"times\": 2} ").await.output, "üü");
    for bad in [
        "[]",
        "7",
        "\"x\"",
        "{\"times\": \"x\"}",
        "{\"times\": 1000000}",
        "{\"times\":",
        "null",
    ] {
        let outcome = call("flood", bad).await;
        assert!(
            outcome.failed
                && outcome
                    .output
                    .starts_with("These arguments cannot be used: "),
            "{bad}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let output = call("flood", "{\"times\": 50000}").await.output;
    assert_eq!(
        output.chars().count(),
        MAX_OUTPUT_CHARS + "\n(cut here)".chars().count()
    );
}
