//! What went wrong with a task: what happened, what it means, what to do.

use domain::run::TaskError;
use leptos::prelude::*;

use crate::components::StatusGlyph;

/// An error of a task or a run.
#[component]
pub fn Trouble(error: TaskError) -> impl IntoView {
    let TaskError {
        code,
        message,
        retryable,
        retry_after_ms: _,
    } = error;
    let advice = match (code.as_str(), retryable) {
        ("daily_limit", _) => {
            "Run it again when calls are allowed again; nothing in the workflow has to change for that."
        }
        ("no_credit", _) => {
            "Run it again once there is credit; nothing in the workflow has to change for that."
        }
        (_, true) => {
            "This can pass by itself: run it again, or allow the step more attempts in the workflow."
        }
        (_, false) => {
            "Running it again as it is would end the same way: change what the message names first."
        }
    };
    view! {
        <div class="trouble" data-status="failed">
            <p class="trouble-message"><StatusGlyph status="failed" plain=true/><span>{message}</span></p>
            <p class="muted">{advice} " " <code>{code}</code></p>
        </div>
    }
}
