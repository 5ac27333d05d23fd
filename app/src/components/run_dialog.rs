//! Starting a run by hand: a form made from the workflow's inputs.

use domain::{
    budget::{Budget, OnBudget, Period},
    graph::{InputSpec, drawing::InputType},
    id::WorkflowId,
};
use leptos::{ev::SubmitEvent, prelude::*};
use serde_json::{Map, Number, Value};

use super::{
    budget_form,
    button::{Button, ButtonLook},
    dialog::Dialog,
    error_view::ErrorView,
    field::Field,
    go_to::use_go_to,
    icon::Glyph,
};
use crate::{api, api::dto, error::ApiError};

/// What a form's texts mean, or what is wrong with which of them.
pub fn read_inputs(inputs: &[InputSpec], texts: &[String]) -> Result<Value, Vec<(String, String)>> {
    let mut values = Map::new();
    let mut wrong = Vec::new();
    for (spec, text) in inputs.iter().zip(texts) {
        match read_input(spec, text) {
            Ok(Some(value)) => {
                values.insert(spec.name.clone(), value);
            }
            Ok(None) => {}
            Err(message) => wrong.push((spec.name.clone(), message)),
        }
    }
    if wrong.is_empty() {
        Ok(Value::Object(values))
    } else {
        Err(wrong)
    }
}

fn read_input(spec: &InputSpec, text: &str) -> Result<Option<Value>, String> {
    if text.trim().is_empty() {
        // Left empty: the default counts, where there is one.
        return if spec.required && spec.default.is_none() {
            Err("This is needed.".into())
        } else {
            Ok(None)
        };
    }
    match spec.holds {
        InputType::String | InputType::Text => Ok(Some(Value::String(text.to_owned()))),
        InputType::Number => {
            let number = text.trim().parse::<i64>().map(Number::from).ok();
            let number =
                number.or_else(|| text.trim().parse::<f64>().ok().and_then(Number::from_f64));
            number
                .map(|number| Some(Value::Number(number)))
                .ok_or_else(|| "This is no number.".into())
        }
        InputType::Boolean => Ok(Some(Value::Bool(text == "true"))),
        InputType::Json => serde_json::from_str(text)
            .map(Some)
            .map_err(|error| format!("This is no JSON: {error}.")),
    }
}

/// What stands in the field at first.
fn first_text(spec: &InputSpec) -> String {
    match &spec.default {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Asks for the inputs of a workflow, starts a run and goes to it.
#[component]
pub fn RunDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// What to run.
    #[prop(into)]
    workflow: Signal<Option<WorkflowId>>,
    /// What it may be given.
    #[prop(into)]
    inputs: Signal<Vec<InputSpec>>,
    /// Its name.
    #[prop(into)]
    name: Signal<String>,
    /// Whether what it may spend is asked for first.
    #[prop(optional, into)]
    limited: Signal<bool>,
) -> impl IntoView {
    let title = Signal::derive(move || format!("Run {}", name.get()));
    view! {
        <Dialog title open>
            {move || workflow.get().map(|workflow| view! { <RunForm workflow inputs=inputs.get() limited=limited.get_untracked()/> })}
        </Dialog>
    }
}

#[component]
fn RunForm(workflow: WorkflowId, inputs: Vec<InputSpec>, limited: bool) -> impl IntoView {
    let texts: Vec<RwSignal<String>> = inputs
        .iter()
        .map(|spec| RwSignal::new(first_text(spec)))
        .collect();
    let wrong = RwSignal::new(Vec::<(String, String)>::new());
    let starting = start_action();
    let (usd, tokens) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let fails = RwSignal::new(false);
    let wrong_budget = RwSignal::new((None::<String>, None::<String>));
    let fields = inputs
        .iter()
        .zip(&texts)
        .enumerate()
        .map(|(at, (spec, text))| view! { <InputField spec=spec.clone() text=*text wrong first={at == 0 && !limited}/> })
        .collect_view();
    let nothing = inputs.is_empty();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let texts: Vec<String> = texts.iter().map(RwSignal::get_untracked).collect();
        let on_budget = match fails.get_untracked() {
            true => OnBudget::Fail,
            false => OnBudget::Wait,
        };
        let (usd, tokens) = (usd.get_untracked(), tokens.get_untracked());
        let limit = budget_form::read(&usd, &tokens, Period::Total, on_budget);
        match (read_inputs(&inputs, &texts), limit) {
            (Ok(input), Ok(budget)) => {
                wrong.set(Vec::new());
                wrong_budget.set((None, None));
                starting.dispatch((workflow, input, budget));
            }
            (input, limit) => {
                wrong.set(input.err().unwrap_or_default());
                wrong_budget.set(limit.err().unwrap_or_default());
            }
        }
    };
    view! {
        <form class="form" on:submit=submit>
            {nothing.then(|| view! { <p class="muted">"This workflow asks for no input."</p> })}
            {fields}
            <details class="run-budget" open=limited>
                <summary>"Budget"</summary>
                <div class="form">
                    <Field id="run-usd" label="Dollars at most" help="Empty: no limit." error=Signal::derive(move || wrong_budget.get().0)>
                        <input id="run-usd" data-focus=limited.then_some("") aria-describedby="run-usd-help" type="text" inputmode="decimal" bind:value=usd/>
                    </Field>
                    <Field id="run-tokens" label="Tokens at most" help="Read and written together. Empty: no limit." error=Signal::derive(move || wrong_budget.get().1)>
                        <input id="run-tokens" aria-describedby="run-tokens-help" type="text" inputmode="numeric" bind:value=tokens/>
                    </Field>
                    <Field id="run-then" label="A call that could pass it">
                        <select id="run-then" aria-describedby="run-then-help" on:change:target=move |event| fails.set(event.target().value() == "fail")>
                            <option value="wait">"waits for you"</option>
                            <option value="fail">"fails its step"</option>
                        </select>
                    </Field>
                </div>
            </details>
            {move || starting.value().get().and_then(Result::err).map(|error| view! { <ErrorView error/> })}
            <div class="form-actions">
                <Button look=ButtonLook::Primary icon=Glyph::Play submit=true busy=starting.pending()>"Run"</Button>
            </div>
        </form>
    }
}

#[component]
fn InputField(
    spec: InputSpec,
    text: RwSignal<String>,
    wrong: RwSignal<Vec<(String, String)>>,
    first: bool,
) -> impl IntoView {
    let InputSpec {
        name,
        holds,
        required,
        ..
    } = spec;
    let id = format!("input-{name}");
    let help_id = format!("{id}-help");
    let error = {
        let name = name.clone();
        Signal::derive(move || {
            wrong
                .get()
                .into_iter()
                .find(|(known, _)| *known == name)
                .map(|(_, message)| message)
        })
    };
    let help = match holds {
        InputType::String | InputType::Text | InputType::Boolean => None,
        InputType::Number => Some("A number."),
        InputType::Json => Some("JSON."),
    };
    let control = {
        let id = id.clone();
        match holds {
            InputType::String => view! { <input id=id data-focus=first.then_some("") aria-describedby=help_id type="text" bind:value=text/> }.into_any(),
            InputType::Number => view! { <input id=id data-focus=first.then_some("") aria-describedby=help_id type="text" inputmode="decimal" bind:value=text/> }.into_any(),
            InputType::Text => view! { <textarea id=id data-focus=first.then_some("") aria-describedby=help_id rows="5" prop:value=move || text.get() on:input:target=move |event| text.set(event.target().value())></textarea> }.into_any(),
            InputType::Json => view! { <textarea id=id data-focus=first.then_some("") aria-describedby=help_id class="mono" rows="5" spellcheck="false" prop:value=move || text.get() on:input:target=move |event| text.set(event.target().value())></textarea> }.into_any(),
            InputType::Boolean => view! {
                <select id=id data-focus=first.then_some("") aria-describedby=help_id prop:value=move || text.get() on:change:target=move |event| text.set(event.target().value())>
                    <option value="">"as the workflow says"</option>
                    <option value="true">"yes"</option>
                    <option value="false">"no"</option>
                </select>
            }
            .into_any(),
        }
    };
    view! { <Field id label=name required={required} help=help.unwrap_or_default() error>{control}</Field> }
}

/// Starts a run and goes to it. Also for the places that start a workflow with one press.
pub fn start_action() -> Action<(WorkflowId, Value, Budget), Result<(), ApiError>> {
    let to = use_go_to();
    Action::new(
        move |(workflow, input, budget): &(WorkflowId, Value, Budget)| {
            let request = dto::StartRun {
                workflow: *workflow,
                input: input.clone(),
                budget_usd: budget.usd,
                budget_tokens: budget.tokens,
                on_budget: budget.on_budget,
                replay: None,
                idempotency_key: None,
            };
            async move {
                let accepted = api::start_run(request).await?;
                to.go(format!("/runs/{}", accepted.id));
                Ok(())
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(name: &str, holds: InputType, required: bool) -> InputSpec {
        InputSpec {
            name: name.into(),
            holds,
            required,
            ..InputSpec::default()
        }
    }

    fn check(holds: InputType, text: &str, expected: Result<Value, &str>) {
        let read = read_inputs(&[spec("x", holds, true)], &[text.to_owned()]);
        let read = read
            .map(|value| value["x"].clone())
            .map_err(|wrong| wrong[0].1.clone());
        assert_eq!(read, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn texts_become_what_the_workflow_asks_for() {
        check(InputType::String, "a b", Ok(json!("a b")));
        check(InputType::Number, "3", Ok(json!(3)));
        check(InputType::Number, " 0.5 ", Ok(json!(0.5)));
        check(InputType::Number, "three", Err("This is no number."));
        check(InputType::Boolean, "false", Ok(json!(false)));
        check(InputType::Json, r#"{"a":[1]}"#, Ok(json!({"a":[1]})));
        check(InputType::Text, "  ", Err("This is needed."));
    }

    #[test]
    fn an_empty_field_leaves_it_to_the_default() {
        let with_default = InputSpec {
            default: Some(json!("a haiku")),
            ..spec("topic", InputType::String, true)
        };
        assert_eq!(
            read_inputs(&[with_default], &[String::new()]),
            Ok(json!({}))
        );
    }
}
