//! A run again in part: from a step on, with other input, in the newest version; or one step alone with
//! what it reads pinned. Both begin a new run that names this one.

use std::collections::BTreeMap;

use domain::{
    id::NodeId,
    run::{Run, decide::Control},
};
use leptos::{ev::SubmitEvent, prelude::*};
use serde_json::Value;

use crate::{
    api,
    api::dto::{RetryRun, RunNode},
    canvas::references::nodes_named_by,
    components::{Button, ButtonLook, Dialog, ErrorView, Field, Glyph, go_to::use_go_to},
    error::ApiError,
    run_view::{data::pretty, rounds, watch::Watch},
};

/// What a person writes as a value: JSON, or text as it stands.
pub fn read_value(text: &str) -> Value {
    match text.trim() {
        "" => Value::Null,
        trimmed => serde_json::from_str(trimmed).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

/// How a value stands in a field, so that [`read_value`] reads the same.
pub fn write_value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if read_value(text) == *value => text.clone(),
        value => pretty(value),
    }
}

/// Asks from where, with which input and in which version.
#[component]
pub fn AgainDialog(
    watch: Watch,
    open: RwSignal<bool>,
    /// The step that is chosen at first; `None`: what did not succeed.
    from: Option<NodeId>,
) -> impl IntoView {
    let from = StoredValue::new(from);
    view! {
        <Dialog title="Run again from a step" open>
            <AgainForm watch open from=from.get_value()/>
        </Dialog>
    }
}

/// Steps that a run can begin again from: id and what people call them.
fn steps(run: &Run) -> Vec<(String, String)> {
    rounds::top(run)
        .map(|(name, task)| (name.to_string(), task.title.clone()))
        .collect()
}

#[component]
fn AgainForm(watch: Watch, open: RwSignal<bool>, from: Option<NodeId>) -> impl IntoView {
    let may_retry = watch.peek(|run| run.state.allows(Control::Retry).is_ok());
    let steps = watch.peek(steps);
    let first = match &from {
        Some(node) => node.to_string(),
        None if may_retry => String::new(),
        None => steps.first().map(|(id, _)| id.clone()).unwrap_or_default(),
    };
    let chosen = RwSignal::new(first);
    let given = watch.peek(|run| run.input.clone());
    let input = RwSignal::new(pretty(&given));
    let newest = RwSignal::new(false);
    let wrong = RwSignal::new(None::<String>);
    let to = use_go_to();
    let starting = Action::new(move |request: &RetryRun| {
        let request = request.clone();
        async move {
            let accepted = api::retry_run(request).await?;
            let _gone = open.try_set(false);
            if accepted.id != watch.id {
                to.go(format!("/runs/{}", accepted.id));
            }
            Ok::<(), ApiError>(())
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let input = match serde_json::from_str::<Value>(&input.get_untracked()) {
            Ok(input @ Value::Object(_)) => input,
            Ok(_) => return wrong.set(Some("The input is a JSON object.".into())),
            Err(error) => return wrong.set(Some(format!("This is no JSON: {error}."))),
        };
        wrong.set(None);
        starting.dispatch(RetryRun {
            run: watch.id,
            from: NodeId::parse(&chosen.get_untracked()).ok(),
            input: (input != given).then_some(input),
            newest: newest.get_untracked(),
            idempotency_key: None,
        });
    };
    let option = move |(id, title): (String, String)| {
        let value = id.clone();
        view! { <option value=value selected=move || chosen.with(|chosen| *chosen == id)>{title}</option> }
    };
    view! {
        <form class="form" on:submit=submit>
            <Field id="again-from" label="From" help="This step and all behind it are done again. Results of the others are kept.">
                <select
                    id="again-from"
                    aria-describedby="again-from-help"
                    data-focus=""
                    on:change:target=move |event| chosen.set(event.target().value())
                >
                    {may_retry.then(|| view! {
                        <option value="" selected=move || chosen.with(String::is_empty)>"What did not succeed"</option>
                    })}
                    {steps.into_iter().map(option).collect_view()}
                </select>
            </Field>
            <Field id="again-input" label="Input" help="What the run is given, as JSON. Steps whose results are kept have read the old one." error=wrong>
                <textarea
                    id="again-input"
                    class="mono"
                    aria-describedby="again-input-help"
                    rows="6"
                    spellcheck="false"
                    prop:value=move || input.get()
                    on:input:target=move |event| input.set(event.target().value())
                ></textarea>
            </Field>
            <Field id="again-newest" label="In the newest version of the workflow" help="Possible as long as no step whose result is kept has changed.">
                <input
                    id="again-newest"
                    aria-describedby="again-newest-help"
                    type="checkbox"
                    prop:checked=move || newest.get()
                    on:change:target=move |event| newest.set(event.target().checked())
                />
            </Field>
            {move || starting.value().get().and_then(Result::err).map(|error| view! { <ErrorView error/> })}
            <div class="form-actions">
                <Button on_press=move |()| open.set(false)>"Leave it"</Button>
                <Button look=ButtonLook::Primary icon=Glyph::Play submit=true busy=starting.pending()>"Run again"</Button>
            </div>
        </form>
    }
}

/// Asks for what a step reads, and runs it alone.
#[component]
pub fn AloneDialog(watch: Watch, open: RwSignal<bool>, node: NodeId) -> impl IntoView {
    let node = StoredValue::new(node);
    view! {
        <Dialog title="Run this step alone" open>
            <AloneForm watch open node=node.get_value()/>
        </Dialog>
    }
}

/// What a step reads of others, with the values that they brought in this run.
fn pins(watch: Watch, node: &NodeId) -> Vec<(String, String)> {
    let read = watch.drawing.with_value(|drawing| {
        let node = drawing.node(node.as_str());
        node.map(nodes_named_by).unwrap_or_default()
    });
    watch.peek(|run| {
        let value = |id: &String| {
            let task = run.tasks.get(id.as_str());
            task.and_then(|task| task.state.output())
                .map(write_value)
                .unwrap_or_default()
        };
        let pin = |id: String| {
            let value = value(&id);
            (id, value)
        };
        read.into_iter().map(pin).collect()
    })
}

#[component]
fn AloneForm(watch: Watch, open: RwSignal<bool>, node: NodeId) -> impl IntoView {
    let fields: Vec<(String, RwSignal<String>)> = pins(watch, &node)
        .into_iter()
        .map(|(id, text)| (id, RwSignal::new(text)))
        .collect();
    let to = use_go_to();
    let starting = Action::new(move |request: &RunNode| {
        let request = request.clone();
        async move {
            let accepted = api::run_node(request).await?;
            let _gone = open.try_set(false);
            to.go(format!("/runs/{}", accepted.id));
            Ok::<(), ApiError>(())
        }
    });
    let texts = fields.clone();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let pins: BTreeMap<NodeId, Value> = texts
            .iter()
            .filter_map(|(id, text)| {
                Some((NodeId::parse(id).ok()?, read_value(&text.get_untracked())))
            })
            .collect();
        starting.dispatch(RunNode {
            run: watch.id,
            node: node.clone(),
            pins,
            idempotency_key: None,
        });
    };
    let nothing = fields.is_empty();
    let field = |(id, text): (String, RwSignal<String>)| {
        let field = format!("pin-{id}");
        let help = format!("{field}-help");
        view! {
            <Field id=field.clone() label=format!("Output of {id}") help="JSON, or text as it stands.">
                <textarea
                    id=field
                    class="mono"
                    aria-describedby=help
                    rows="4"
                    spellcheck="false"
                    prop:value=move || text.get()
                    on:input:target=move |event| text.set(event.target().value())
                ></textarea>
            </Field>
        }
    };
    view! {
        <form class="form" on:submit=submit>
            <p class="muted">
                {if nothing {
                    "The step reads no other step. A new run of it alone begins, with this run's input."
                } else {
                    "A new run of this step alone begins, with this run's input. What it reads of other steps:"
                }}
            </p>
            {fields.into_iter().map(field).collect_view()}
            {move || starting.value().get().and_then(Result::err).map(|error| view! { <ErrorView error/> })}
            <div class="form-actions">
                <Button on_press=move |()| open.set(false)>"Leave it"</Button>
                <Button look=ButtonLook::Primary icon=Glyph::Play submit=true busy=starting.pending()>"Run the step"</Button>
            </div>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_survive_their_field() {
        for value in [
            json!(null),
            json!("a plan\nof two lines"),
            json!("12"),
            json!("{\"a\": 1}"),
            json!(""),
            json!([1, "b"]),
            json!({"a": null}),
            json!(1.5),
        ] {
            assert_eq!(read_value(&write_value(&value)), value);
        }
    }
}
