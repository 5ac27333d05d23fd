//! `send_message`: writes to another agent, or to all that have a capability. The receiver reads it with
//! its next turn. Refuses nothing by itself: what the rules are against comes back as the tool's error.

use domain::message::{MAX_TEXT, Recipient};
use futures::{FutureExt, future::BoxFuture};
use serde_json::{Map, Value, json};

use super::{Bench, Tool, ToolError};
use crate::{agent::NotSent, llm::ToolSpec};

/// The tool's name.
pub const NAME: &str = "send_message";

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct SendMessage;

impl Tool for SendMessage {
    fn spec(&self) -> ToolSpec {
        let line = |description: &str| json!({"type": "string", "minLength": 1, "description": description});
        ToolSpec {
            name: NAME.to_owned(),
            description: "Writes to another agent by its name (`agent`), or to every other agent with a capability (`topic`). \
                          They read it with their next turn; there is no answer to wait for."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "agent": line("The name of one agent."),
                    "topic": line("A capability: all other agents that have it."),
                    "text": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "description": "What to say."}
                },
                "required": ["text"],
                "additionalProperties": false
            }),
        }
    }

    fn run<'a>(
        &'a self,
        arguments: Map<String, Value>,
        bench: &'a Bench<'a>,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        async move {
            let word = |name: &str| {
                arguments
                    .get(name)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            let (to, told) = match (word("agent"), word("topic")) {
                (Some(agent), None) => (Recipient::Named(agent.clone()), agent),
                (None, Some(topic)) => {
                    (Recipient::Topic(topic.clone()), format!("all at `{topic}`"))
                }
                (Some(_), Some(_)) | (None, None) => {
                    let rule = "give either `agent` or `topic`, not both and not neither";
                    return Err(ToolError::Arguments(rule.to_owned()));
                }
            };
            let text = word("text").unwrap_or_default();
            match bench.desk.send(bench.key.clone(), to, text).await {
                Ok(()) => Ok(format!("Sent to {told}.")),
                Err(NotSent::Refused(reason)) => {
                    Err(ToolError::Failed(format!("It was not sent: {reason}.")))
                }
                // The attempt is over: nobody reads this.
                Err(NotSent::Over) => Err(ToolError::Failed("This work was ended.".to_owned())),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use domain::{
        id::{RunId, TaskName},
        run::AttemptKey,
    };
    use uuid::Uuid;

    use super::*;
    use crate::agent::tests::Notebook;

    async fn send(arguments: Value) -> (Result<String, ToolError>, Vec<(Recipient, String)>) {
        let key = AttemptKey {
            run: RunId(Uuid::nil()),
            task: TaskName::parse("a").expect("a name"),
            attempt: 1,
        };
        let notebook = Notebook::default();
        let bench = Bench {
            workspace: Path::new("/nowhere"),
            key: &key,
            desk: &notebook,
            memory: false,
        };
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let told = SendMessage.run(arguments, &bench).await;
        let sent = notebook.sent.lock().expect("not poisoned").clone();
        (told, sent)
    }

    #[tokio::test]
    async fn a_message_goes_to_an_agent_or_to_a_topic() {
        let (told, sent) = send(json!({ "agent": "Bob", "text": "hello" })).await;
        assert_eq!(told, Ok("Sent to Bob.".to_owned()));
        assert_eq!(sent, [(Recipient::Named("Bob".into()), "hello".to_owned())]);
        let (told, sent) = send(json!({ "topic": "review", "text": "look" })).await;
        assert_eq!(told, Ok("Sent to all at `review`.".to_owned()));
        assert_eq!(
            sent,
            [(Recipient::Topic("review".into()), "look".to_owned())]
        );
    }

    #[tokio::test]
    async fn what_is_refused_is_told_to_the_model() {
        for arguments in [
            json!({ "text": "x" }),
            json!({ "text": "x", "agent": "a", "topic": "b" }),
        ] {
            let (told, sent) = send(arguments).await;
            assert!(matches!(told, Err(ToolError::Arguments(_))), "{told:?}");
            assert!(sent.is_empty());
        }
        let (told, _) = send(json!({ "agent": "nobody", "text": "x" })).await;
        let refused = "It was not sent: no live agent is called `nobody`.".to_owned();
        assert_eq!(told, Err(ToolError::Failed(refused)));
    }
}
