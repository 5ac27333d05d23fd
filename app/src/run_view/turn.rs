//! One model call: who answered, the answer while and after it is written, and the tools it called.

use domain::{
    message::{Message, Sender},
    run::{CostIs, FinishReason, ToolCall, ToolOutcome, ToolResult, Turn, TurnRecord},
};
use leptos::prelude::*;

use crate::{
    components::{Badge, Glyph, Icon, Markdown},
    run_view::{failures::Failures, panel::Shown, said, stream::TurnKey},
    words,
};

/// One model call.
#[component]
pub fn TurnView(shown: Shown, key: TurnKey) -> impl IntoView {
    let number = key.turn;
    let turn = {
        let key = key.clone();
        Memo::new(move |_| {
            shown.task(|task| {
                task.attempt(key.attempt)?
                    .turns
                    .iter()
                    .find(|turn| turn.number == key.turn)
                    .cloned()
            })
        })
    };
    let record =
        Memo::new(move |_| turn.with(|turn| turn.as_ref().and_then(|turn| turn.done.clone())));
    let failed = {
        let key = key.clone();
        Memo::new(move |_| {
            let over = shown.task(|task| {
                task.attempt(key.attempt)
                    .is_none_or(|attempt| attempt.ended_at.is_some())
            });
            over && turn.with(|turn| turn.as_ref().is_some_and(|turn| !turn.failures.is_empty()))
        })
    };
    let key = StoredValue::new(key);
    view! {
        <article class="turn" aria-label=format!("Turn {number}")>
            <TurnHead turn number/>
            <Mail turn/>
            <Failures turn/>
            {move || match record.get() {
                Some(record) => view! { <Answer record/> }.into_any(),
                // Nothing is being written where the last call failed.
                None if failed.get() => ().into_any(),
                None => view! { <Streaming shown key=key.get_value()/> }.into_any(),
            }}
            <Tools turn/>
        </article>
    }
}

#[component]
fn TurnHead(turn: Memo<Option<Turn>>, number: u32) -> impl IntoView {
    let simulated =
        Memo::new(move |_| turn.with(|turn| turn.as_ref().is_some_and(|turn| turn.simulated)));
    let replayed = Memo::new(move |_| {
        turn.with(|turn| {
            let done = turn.as_ref().and_then(|turn| turn.done.as_ref());
            done.is_some_and(|done| done.replayed)
        })
    });
    let model = Memo::new(move |_| {
        turn.with(|turn| {
            turn.as_ref()
                .map(|turn| turn.model.clone())
                .unwrap_or_default()
        })
    });
    let figures = Memo::new(move |_| {
        turn.with(|turn| {
            turn.as_ref()
                .and_then(|turn| turn.done.as_ref())
                .map(figures)
        })
    });
    let details = move || {
        turn.with(|turn| {
            turn.as_ref()
                .and_then(|turn| turn.done.as_ref())
                .map(in_detail)
        })
    };
    view! {
        <header class="turn-head">
            <h3>{format!("Turn {number}")}</h3>
            <span class="turn-model" title="Provider and model">{model}</span>
            <Show when=move || simulated.get()>
                <Badge status="simulated">"Simulated"</Badge>
            </Show>
            <Show when=move || replayed.get()>
                <Badge status="replayed">"Played back"</Badge>
            </Show>
            <span class="turn-figures number" title=details>{figures}</span>
        </header>
    }
}

/// Messages that the agent was handed with the turn.
#[component]
fn Mail(turn: Memo<Option<Turn>>) -> impl IntoView {
    let messages = Memo::new(move |_| {
        turn.with(|turn| turn.as_ref().map(|turn| turn.messages.clone()))
            .unwrap_or_default()
    });
    let message = |message: Message| {
        let from = match message.from {
            Sender::Person { name } | Sender::Agent { name, .. } => name,
        };
        view! {
            <details class="said">
                <summary>"Message from " {from}</summary>
                <pre class="plain-text">{message.text}</pre>
            </details>
        }
    };
    move || messages.get().into_iter().map(message).collect_view()
}

/// All that is known about what a call took, one thing a line.
fn in_detail(record: &TurnRecord) -> String {
    if record.replayed {
        return "A recorded answer: no model was called, and nothing was spent.".to_owned();
    }
    let count = |label: &str, number: Option<u64>| {
        number.map(|number| format!("{label}: {}", words::count(number)))
    };
    let first = record
        .first_token_ms
        .map(|ms| format!("First text after: {}", words::duration(ms)));
    let assumed = record
        .assumed_usd
        .map(|usd| format!("Budgets count for it: {}", words::money(usd)));
    let call = record.generation_id.as_ref();
    [
        Some(format!(
            "Whole call: {}",
            words::duration(record.duration_ms)
        )),
        first,
        count("Tokens read", record.prompt_tokens),
        count("of these cached", record.cached_tokens),
        count("Tokens written", record.completion_tokens),
        count("of these thought", record.reasoning_tokens),
        assumed,
        call.map(|id| format!("Call: {id}")),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join("\n")
}

/// `2.1 s · 240 tokens · $0.0042`
fn figures(record: &TurnRecord) -> String {
    if record.replayed {
        return "no call".to_owned();
    }
    let tokens = domain::run::Tokens {
        prompt: record.prompt_tokens,
        completion: record.completion_tokens,
    };
    let cost = record.cost_usd.filter(|cost| cost.0 > 0).map(|cost| {
        let cost = words::money(cost);
        match record.cost_is {
            CostIs::Charged | CostIs::Unknown => cost,
            CostIs::Estimated => format!("{cost} estimated"),
        }
    });
    let unknown = (record.cost_usd.is_none()).then(|| "cost unknown".to_owned());
    [
        Some(words::duration(record.duration_ms)),
        said::tokens(tokens),
        cost,
        unknown,
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" · ")
}

/// An answer that is still being written, exactly as it comes.
#[component]
fn Streaming(shown: Shown, key: TurnKey) -> impl IntoView {
    let attempt = key.attempt;
    let text = Memo::new(move |_| shown.watch.heard(&key).unwrap_or_default());
    let ended = Memo::new(move |_| {
        shown.task(|task| {
            task.attempt(attempt)
                .is_none_or(|attempt| attempt.ended_at.is_some())
        })
    });
    view! {
        <div class="streaming" data-streaming=move || (!ended.get()).to_string()>
            <pre class="plain-text">{text}</pre>
            <Show when=move || ended.get()>
                <p class="muted">"This answer was cut off here. What was not finished is not stored."</p>
            </Show>
        </div>
    }
}

#[component]
fn Answer(record: TurnRecord) -> impl IntoView {
    let TurnRecord {
        text,
        finish_reason,
        tool_calls,
        ..
    } = record;
    let note = match finish_reason {
        FinishReason::Stop | FinishReason::ToolCalls => None,
        FinishReason::Length => {
            Some("The answer reached the limit of tokens and ends in the middle.")
        }
        FinishReason::ContentFilter => Some("The provider's filter stopped this answer."),
        FinishReason::Other => {
            Some("The model stopped for a reason that the provider did not name.")
        }
    };
    let silent = text.trim().is_empty() && tool_calls.is_empty();
    view! {
        <div class="answer">
            {if silent {
                view! { <p class="muted">"The model said nothing."</p> }.into_any()
            } else {
                view! { <Markdown text/> }.into_any()
            }}
            {note.map(|note| view! { <p class="muted">{note}</p> })}
        </div>
    }
}

/// A tool call, and how far it is.
#[derive(Debug, Clone, PartialEq)]
struct Call {
    call: ToolCall,
    begun: bool,
    outcome: Option<ToolOutcome>,
}

/// Calls in the order in which the model asked for them, those not yet begun included.
fn calls(turn: &Turn) -> Vec<Call> {
    let mut calls: Vec<Call> = turn
        .tools
        .iter()
        .map(
            |ToolResult {
                 call,
                 started_at: _,
                 outcome,
             }| Call {
                call: call.clone(),
                begun: true,
                outcome: outcome.clone(),
            },
        )
        .collect();
    for asked in turn.done.iter().flat_map(|record| &record.tool_calls) {
        if !calls
            .iter()
            .any(|known| known.call.call_id == asked.call_id)
        {
            calls.push(Call {
                call: asked.clone(),
                begun: false,
                outcome: None,
            });
        }
    }
    calls
}

#[component]
fn Tools(turn: Memo<Option<Turn>>) -> impl IntoView {
    let calls = Memo::new(move |_| turn.with(|turn| turn.as_ref().map(calls).unwrap_or_default()));
    let ids = move || {
        calls.with(|calls| {
            calls
                .iter()
                .map(|call| call.call.call_id.clone())
                .collect::<Vec<_>>()
        })
    };
    view! {
        <For each=ids key=Clone::clone let:id>
            <ToolLine call=Memo::new(move |_| calls.with(|calls| calls.iter().find(|call| call.call.call_id == id).cloned()))/>
        </For>
    }
}

/// A tool call folded to one line.
#[component]
fn ToolLine(call: Memo<Option<Call>>) -> impl IntoView {
    let first = call.get_untracked();
    let (name, arguments) = first
        .map(|call| (call.call.name, call.call.arguments))
        .unwrap_or_default();
    let status = move || call.with(|call| call.as_ref().map_or("blocked", tool_status));
    let said = move || call.with(|call| call.as_ref().map(tool_said).unwrap_or_default());
    let output = move || {
        call.with(|call| {
            call.as_ref()
                .and_then(|call| call.outcome.as_ref())
                .map(|outcome| outcome.output.clone())
        })
    };
    view! {
        <details class="tool" data-status=status>
            <summary>
                <Icon glyph=Glyph::Wrench/>
                <code class="tool-name">{name}</code>
                <span class="tool-arguments">{words::short(&arguments, 120)}</span>
                <span class="tool-said number">{said}</span>
            </summary>
            <h4>"Arguments"</h4>
            <pre class="json">{readable(&arguments)}</pre>
            <h4>"Returned"</h4>
            <pre class="plain-text">{move || output().unwrap_or_else(|| "Nothing yet.".to_owned())}</pre>
        </details>
    }
}

fn tool_status(call: &Call) -> &'static str {
    match &call.outcome {
        Some(outcome) if outcome.failed => "failed",
        Some(_) => "succeeded",
        None if call.begun => "running",
        None => "blocked",
    }
}

fn tool_said(call: &Call) -> String {
    match &call.outcome {
        Some(outcome) if outcome.failed => {
            format!("failed after {}", words::duration(outcome.duration_ms))
        }
        Some(outcome) => words::duration(outcome.duration_ms),
        None if call.begun => "running".to_owned(),
        None => "not begun".to_owned(),
    }
}

/// Arguments should be JSON, and are then shown as such; they may be anything.
fn readable(arguments: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(arguments) {
        Ok(value) => super::data::pretty(&value),
        Err(_) => arguments.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_view::story::{name, state_after};

    fn tools_after(events: usize) -> String {
        let run = state_after(events);
        let turn = &run.tasks[&name("plan")].attempt(2).unwrap().turns[0];
        calls(turn)
            .iter()
            .map(|call| {
                format!(
                    "{} {}: {}",
                    call.call.name,
                    tool_status(call),
                    tool_said(call)
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn a_tool_call_is_seen_from_the_wish_to_the_end() {
        assert_eq!(tools_after(10), "");
        assert_eq!(tools_after(11), "note blocked: not begun");
        assert_eq!(tools_after(12), "note running: running");
        assert_eq!(tools_after(13), "note succeeded: 5 ms");
    }

    #[test]
    fn arguments_may_be_anything() {
        assert_eq!(readable("{\"a\":1}"), "{\n  \"a\": 1\n}");
        assert_eq!(readable("<script>"), "<script>");
    }
}
