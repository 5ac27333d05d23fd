//! Calls of a turn that brought no answer: who was asked, what it means, and what the provider sent,
//! word for word, one click away.

use domain::run::{Task, Turn, TurnFailure};
use leptos::prelude::*;

/// Every call of the turn that failed, in order.
#[component]
pub fn Failures(turn: Memo<Option<Turn>>) -> impl IntoView {
    let failures = Memo::new(move |_| {
        turn.with(|turn| turn.as_ref().map(|turn| turn.failures.clone()))
            .unwrap_or_default()
    });
    let failure = |failure: TurnFailure| {
        let TurnFailure {
            model, error, raw, ..
        } = failure;
        view! {
            <div class="call-failed" data-status="failed">
                <p><span class="mono">{model}</span> " brought no answer. " {error.message}</p>
                {raw.map(|raw| view! { <RawAnswer raw/> })}
            </div>
        }
    };
    move || failures.get().into_iter().map(failure).collect_view()
}

/// What a provider sent in the place of an answer.
#[component]
pub fn RawAnswer(raw: String) -> impl IntoView {
    view! {
        <details class="said">
            <summary>"Raw answer"</summary>
            <pre class="plain-text">{raw}</pre>
        </details>
    }
}

/// What came in the place of the last answer that a task asked for, or the answer, where that was no use.
pub fn last_raw(task: &Task) -> Option<String> {
    let turn = task.attempts.last()?.turns.last()?;
    let answer = turn.done.as_ref().map(|record| record.text.clone());
    match turn.failures.last() {
        Some(failure) if answer.is_none() => failure.raw.clone(),
        Some(_) | None => answer.filter(|text| !text.is_empty()),
    }
}
