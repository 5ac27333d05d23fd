//! What a person is asked by a task, and what was answered: an approval, or what became of work that was
//! cut off and must not be done twice.

use domain::{
    id::PortName,
    run::{Answer, Task, TaskState, Waiting},
};
use leptos::prelude::*;
use serde_json::Value;

use crate::{
    api,
    api::dto::GivenAnswer,
    components::{Button, ButtonLook, ErrorView, Field, Glyph, Markdown, RelativeTime},
    run_view::{again::read_value, data::ValueView, input::text_of, panel::Shown},
};

/// What there is to answer, or was answered.
#[derive(Debug, Clone, PartialEq, Default)]
enum Asked {
    #[default]
    Nothing,
    /// An approval, with its message.
    Approval(String),
    /// What becomes of a prompt that is not the recorded one, with what is said of it.
    Changed(String),
    /// An end that nobody knows.
    Unknown,
    /// It was answered.
    Answered(Answer),
}

fn asked(task: &Task) -> Asked {
    match (&task.state, &task.answer) {
        (
            TaskState::Waiting {
                reason: Waiting::Approval,
                ..
            },
            _,
        ) => Asked::Approval(text_of(task.input.as_ref(), "message").unwrap_or_default()),
        (
            TaskState::Waiting {
                reason: Waiting::Replay,
                ..
            },
            None,
        ) => Asked::Changed(task.question.clone().unwrap_or_default()),
        (TaskState::Unknown { .. }, _) => Asked::Unknown,
        (
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Succeeded { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Cancelled,
            Some(answer),
        ) => Asked::Answered(answer.clone()),
        (
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Succeeded { .. }
            | TaskState::Failed { .. }
            | TaskState::Skipped { .. }
            | TaskState::Cancelled,
            None,
        ) => Asked::Nothing,
    }
}

/// An answer in words, for the sentence with who gave it.
fn verdict(port: &str) -> String {
    match port {
        "approved" => "Approved".to_owned(),
        "rejected" => "Rejected".to_owned(),
        "succeeded" => "Said to have succeeded".to_owned(),
        "retry" => "Done once more, as asked".to_owned(),
        "failed" => "Said to have failed".to_owned(),
        "replay" => "Goes on with the recorded answer, as said".to_owned(),
        "live" => "Calls the model, as said".to_owned(),
        "fail" => "Let fail".to_owned(),
        other => format!("Answered “{other}”"),
    }
}

/// What a task asks a person, or was answered; nothing for most tasks.
#[component]
pub fn Answering(shown: Shown) -> impl IntoView {
    let asked = Memo::new(move |_| {
        // A run that is over takes no answer any more.
        let over = shown.watch.run(|run| run.state.is_final());
        match shown.task(asked) {
            Asked::Approval(_) | Asked::Changed(_) | Asked::Unknown if over => Asked::Nothing,
            asked => asked,
        }
    });
    move || match asked.get() {
        Asked::Nothing => ().into_any(),
        Asked::Approval(message) => view! { <Approval shown message/> }.into_any(),
        Asked::Changed(question) => view! { <Changed shown question/> }.into_any(),
        Asked::Unknown => view! { <UnknownEnd shown/> }.into_any(),
        Asked::Answered(answer) => view! { <Given answer/> }.into_any(),
    }
}

/// A remark, an answer, and what came of sending it. Copyable.
#[derive(Clone, Copy)]
struct Form {
    comment: RwSignal<String>,
    sending: Action<(&'static str, Value), Result<(), crate::error::ApiError>>,
}

impl Form {
    fn new(shown: Shown) -> Self {
        let comment = RwSignal::new(String::new());
        let sending = Action::new(move |(port, data): &(&'static str, Value)| {
            let given = PortName::parse(port).map(|port| GivenAnswer {
                run: shown.watch.id,
                task: shown.name.get_value(),
                port,
                comment: comment.get_untracked().trim().to_owned(),
                data: data.clone(),
            });
            async move {
                match given {
                    Ok(given) => api::answer_task(given).await,
                    Err(error) => Err(crate::error::ApiError::internal(error.to_string())),
                }
            }
        });
        Self { comment, sending }
    }

    fn send(self, port: &'static str, data: Value) {
        self.sending.dispatch((port, data));
    }
}

#[component]
fn Comment(form: Form) -> impl IntoView {
    let comment = form.comment;
    view! {
        <Field id="answer-comment" label="Comment" help="Kept with the answer; later steps can read it.">
            <textarea
                id="answer-comment"
                aria-describedby="answer-comment-help"
                rows="2"
                prop:value=move || comment.get()
                on:input:target=move |event| comment.set(event.target().value())
            ></textarea>
        </Field>
        {move || form.sending.value().get().and_then(Result::err).map(|error| view! { <ErrorView error/> })}
    }
}

#[component]
fn Approval(shown: Shown, message: String) -> impl IntoView {
    let form = Form::new(shown);
    let busy = form.sending.pending();
    view! {
        <section class="asked" data-status="waiting" aria-label="Approval">
            <div class="asked-message"><Markdown text=message/></div>
            <Comment form/>
            <div class="form-actions">
                <Button look=ButtonLook::Danger icon=Glyph::Cross busy on_press=move |()| form.send("rejected", Value::Null)>"Reject"</Button>
                <Button look=ButtonLook::Primary icon=Glyph::Check busy on_press=move |()| form.send("approved", Value::Null)>"Approve"</Button>
            </div>
        </section>
    }
}

#[component]
fn Changed(shown: Shown, question: String) -> impl IntoView {
    let form = Form::new(shown);
    let busy = form.sending.pending();
    view! {
        <section class="asked" data-status="waiting" aria-label="Changed prompt">
            <p>{question} " This run plays recorded answers back. What shall this step do from here on?"</p>
            <Comment form/>
            <div class="form-actions">
                <Button look=ButtonLook::Danger busy icon=Glyph::Cross on_press=move |()| form.send("fail", Value::Null)>"Let it fail"</Button>
                <Button busy icon=Glyph::Play on_press=move |()| form.send("live", Value::Null)>"Call the model"</Button>
                <Button look=ButtonLook::Primary busy icon=Glyph::Check on_press=move |()| form.send("replay", Value::Null)>"Use the recorded answer"</Button>
            </div>
        </section>
    }
}

#[component]
fn UnknownEnd(shown: Shown) -> impl IntoView {
    let form = Form::new(shown);
    let busy = form.sending.pending();
    let data = RwSignal::new(String::new());
    view! {
        <section class="asked" data-status="unknown" aria-label="Decision">
            <p>"Find out whether it happened, then say so. The run waits here until then."</p>
            <Field id="answer-data" label="Result" help="What the step brought, if it succeeded: JSON, or text as it stands.">
                <textarea
                    id="answer-data"
                    class="mono"
                    aria-describedby="answer-data-help"
                    rows="3"
                    spellcheck="false"
                    prop:value=move || data.get()
                    on:input:target=move |event| data.set(event.target().value())
                ></textarea>
            </Field>
            <Comment form/>
            <div class="form-actions">
                <Button look=ButtonLook::Danger busy on_press=move |()| form.send("failed", Value::Null)>"It failed"</Button>
                <Button busy icon=Glyph::Retry on_press=move |()| form.send("retry", Value::Null)>"Do it again"</Button>
                <Button look=ButtonLook::Primary busy icon=Glyph::Check on_press=move |()| form.send("succeeded", read_value(&data.get_untracked()))>
                    "It succeeded"
                </Button>
            </div>
        </section>
    }
}

#[component]
fn Given(answer: Answer) -> impl IntoView {
    let Answer {
        by,
        at,
        port,
        comment,
        data,
    } = answer;
    view! {
        <section class="asked" aria-label="Answer">
            <p>{verdict(port.as_str())} " by " {by} ", " <RelativeTime at/></p>
            {(!comment.is_empty()).then(|| view! { <blockquote>{comment}</blockquote> })}
            {(!data.is_null()).then(|| view! { <ValueView value=data what="what was answered"/> })}
        </section>
    }
}

#[cfg(test)]
mod tests {
    use domain::{run::TaskError, time::Timestamp};
    use serde_json::json;

    use super::*;
    use crate::run_view::story::blocked;

    #[test]
    fn a_changed_prompt_asks_until_it_is_answered() {
        let mut task = blocked("plan");
        task.question = Some("It changed.".into());
        task.state = TaskState::Waiting {
            reason: Waiting::Replay,
            until: None,
        };
        assert_eq!(asked(&task), Asked::Changed("It changed.".into()));
        let answer = Answer {
            by: "Ada".into(),
            at: Timestamp(1),
            port: PortName::parse("live").unwrap(),
            comment: String::new(),
            data: Value::Null,
        };
        // In a pause it waits for the end of that, and nobody is asked once more.
        task.answer = Some(answer.clone());
        assert_eq!(asked(&task), Asked::Answered(answer));
    }

    #[test]
    fn a_task_asks_until_it_is_answered() {
        let mut task = blocked("ok");
        assert_eq!(asked(&task), Asked::Nothing);
        task.input = Some(json!({"message": "Go on?"}));
        task.state = TaskState::Waiting {
            reason: Waiting::Approval,
            until: None,
        };
        assert_eq!(asked(&task), Asked::Approval("Go on?".into()));
        let answer = Answer {
            by: "Ada".into(),
            at: Timestamp(1),
            port: PortName::parse("retry").unwrap(),
            comment: String::new(),
            data: Value::Null,
        };
        task.answer = Some(answer.clone());
        task.state = TaskState::Running { attempt: 2 };
        assert_eq!(asked(&task), Asked::Answered(answer));
        // Cut off once more, it asks once more.
        task.state = TaskState::Unknown {
            attempt: 2,
            error: TaskError::lasting("cut_off", "Cut off."),
            at: Timestamp(2),
        };
        assert_eq!(asked(&task), Asked::Unknown);
    }
}
