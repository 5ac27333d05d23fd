//! What happened in one attempt, from top to bottom: instructions, prompt, turns with their tools, the
//! result. While text comes in, the end stays in view as long as the reader is there.

use domain::run::{AttemptState, TaskState};
use leptos::{html, prelude::*};
use serde_json::Value;

use crate::run_view::{
    bottom::stay_at_bottom, data::ValueView, input::text_of, panel::Shown, stream::TurnKey,
    trouble::Trouble, turn::TurnView,
};

/// What happened in the attempt that is shown.
#[component]
pub fn Transcript(shown: Shown) -> impl IntoView {
    let scroller = NodeRef::<html::Div>::new();
    let begins_at_end = shown.task(|task| task.state.attempt().is_some());
    stay_at_bottom(scroller, begins_at_end);
    let numbers = Memo::new(move |_| {
        shown
            .of_attempt(|attempt| {
                attempt
                    .turns
                    .iter()
                    .map(|turn| turn.number)
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default()
    });
    // Turns of another attempt are other turns, though they have the same numbers.
    let keys = move || {
        let attempt = shown.attempt.get().unwrap_or(0);
        let task = shown.name.get_value();
        numbers
            .get()
            .into_iter()
            .map(|turn| TurnKey {
                task: task.clone(),
                attempt,
                turn,
            })
            .collect::<Vec<_>>()
    };
    view! {
        <div class="transcript" tabindex="0" aria-label="Transcript" role="region" node_ref=scroller>
            <div class="transcript-flow">
                <Asked shown/>
                <For each=keys key=Clone::clone let:key>
                    <TurnView shown key/>
                </For>
                <Ending shown/>
            </div>
        </div>
    }
}

/// Instructions and prompt.
#[component]
fn Asked(shown: Shown) -> impl IntoView {
    let part = move |key: &'static str| {
        Memo::new(move |_| shown.task(|task| text_of(task.input.as_ref(), key)))
    };
    let (instructions, prompt) = (part("instructions"), part("prompt"));
    view! {
        {move || {
            instructions
                .get()
                .map(|text| {
                    view! {
                        <details class="said">
                            <summary>"Instructions"</summary>
                            <pre class="plain-text">{text}</pre>
                        </details>
                    }
                })
        }}
        {move || {
            prompt
                .get()
                .map(|text| {
                    view! {
                        <details class="said" open>
                            <summary>"Prompt"</summary>
                            <pre class="plain-text">{text}</pre>
                        </details>
                    }
                })
        }}
    }
}

/// How the attempt ended, as far as the turns do not say it already.
#[derive(Debug, Clone, PartialEq)]
enum End {
    Nothing,
    /// The task's value, which is not just the last answer.
    Result(Value),
    Error(domain::run::TaskError),
    Cancelled,
}

#[component]
fn Ending(shown: Shown) -> impl IntoView {
    let end = Memo::new(move |_| end(shown));
    move || match end.get() {
        End::Nothing => ().into_any(),
        End::Result(value) => view! {
            <section class="result">
                <h3>"Result"</h3>
                <ValueView value what="the result"/>
            </section>
        }
        .into_any(),
        End::Error(error) => view! { <Trouble error/> }.into_any(),
        End::Cancelled => view! { <p class="muted">"Stopped here."</p> }.into_any(),
    }
}

fn end(shown: Shown) -> End {
    let attempt = shown.attempt.get();
    shown
        .name
        .with_value(|name| {
            shown.watch.task(name, |task| {
                let Some(attempt) = attempt.and_then(|number| task.attempt(number)) else {
                    // Failed or ended without a try.
                    return match &task.state {
                        TaskState::Failed { error, .. } | TaskState::Unknown { error, .. } => {
                            End::Error(error.clone())
                        }
                        TaskState::Succeeded { output, .. } => End::Result(output.clone()),
                        TaskState::Blocked
                        | TaskState::Ready { .. }
                        | TaskState::Assigned { .. }
                        | TaskState::Running { .. }
                        | TaskState::Waiting { .. }
                        | TaskState::Skipped { .. }
                        | TaskState::Cancelled => End::Nothing,
                    };
                };
                match &attempt.state {
                    AttemptState::Assigned | AttemptState::Running => End::Nothing,
                    AttemptState::Cancelled => End::Cancelled,
                    AttemptState::Failed { error } | AttemptState::Unknown { error } => {
                        End::Error(error.clone())
                    }
                    AttemptState::Succeeded => {
                        let last = attempt.records().last().map(|record| record.text.trim());
                        match task.state.output() {
                            Some(Value::String(text)) if last == Some(text.trim()) => End::Nothing,
                            Some(value) => End::Result(value.clone()),
                            None => End::Nothing,
                        }
                    }
                }
            })
        })
        .unwrap_or(End::Nothing)
}
