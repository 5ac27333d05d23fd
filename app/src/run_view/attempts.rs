//! Every try of a task, in a table; a press shows its transcript.

use domain::{
    run::{Attempt, AttemptState},
    time::Timestamp,
};
use leptos::prelude::*;

use crate::{
    components::{Button, ButtonLook, StatusBadge},
    run_view::{
        bars::attempt_status,
        panel::{Shown, TaskTab},
    },
    words,
};

/// Every try of a task.
#[component]
pub fn Attempts(shown: Shown, tab: RwSignal<TaskTab>) -> impl IntoView {
    let attempts = Memo::new(move |_| shown.task(|task| task.attempts.clone()));
    let rows = move || {
        attempts
            .get()
            .into_iter()
            .map(|attempt| view! { <AttemptRow shown tab attempt/> })
            .collect_view()
    };
    view! {
        <Show
            when=move || !attempts.read().is_empty()
            fallback=|| view! { <p class="muted">"Nobody has tried yet."</p> }
        >
            <table class="attempts">
                <thead>
                    <tr>
                        <th scope="col">"Attempt"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Agent"</th>
                        <th scope="col">"Began (UTC)"</th>
                        <th scope="col">"Took"</th>
                        <th scope="col">"Turns"</th>
                        <th scope="col">"Cost"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </Show>
    }
}

#[component]
fn AttemptRow(shown: Shown, tab: RwSignal<TaskTab>, attempt: Attempt) -> impl IntoView {
    let cost = attempt.cost().map_or_else(|| "–".to_owned(), words::money);
    let Attempt {
        number,
        agent,
        state,
        started_at,
        ended_at,
        turns,
    } = attempt;
    let turns = turns.len();
    let status = attempt_status(&state);
    let error = match state {
        AttemptState::Failed { error } | AttemptState::Unknown { error } => Some(error.message),
        AttemptState::Assigned
        | AttemptState::Running
        | AttemptState::Succeeded
        | AttemptState::Cancelled => None,
    };
    let press = move |()| {
        shown.chosen.set(Some(number));
        tab.set(TaskTab::Transcript);
    };
    let took = move || {
        let end = ended_at.unwrap_or_else(|| shown.watch.now.get());
        took(started_at, end, ended_at.is_some())
    };
    view! {
        <tr>
            <th scope="row"><Button look=ButtonLook::Quiet on_press=press>{format!("Attempt {number}")}</Button></th>
            <td><StatusBadge status/></td>
            <td>{agent.map(|agent| move || shown.watch.agent_name(agent))}</td>
            <td class="number" title=words::exact(started_at)>{words::clock(started_at)}</td>
            <td class="number">{took}</td>
            <td class="number">{turns}</td>
            <td class="number">{cost}</td>
        </tr>
        {error.map(|error| view! { <tr class="attempt-error"><td colspan="7">{error}</td></tr> })}
    }
}

fn took(began: Timestamp, end: Timestamp, ended: bool) -> String {
    let ms = end.ms_since(began);
    if ended {
        words::duration(ms)
    } else {
        words::elapsed(ms)
    }
}
