//! The form of the workflow itself: name, description, and what a run may be given.

use domain::{
    budget::Scope,
    graph::{InputSpec, drawing::InputType},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde_json::Value;

use super::text::area_html;
use crate::{
    canvas::edit::Edit,
    components::{Button, ButtonLook, Field, Glyph, IconButton, budget_panel::BudgetPanel},
    pages::editor::state::Editor,
};

/// The form of the workflow itself.
#[component]
pub fn WorkflowForm(editor: Editor) -> impl IntoView {
    let name = move || editor.drawing(|drawing| drawing.name.clone());
    let params = use_params_map();
    let id = params.with_untracked(|params| params.get_str("id").and_then(|id| id.parse().ok()));
    let description = move || editor.drawing(|drawing| drawing.description.clone());
    view! {
        <header class="inspector-head"><h2>"Workflow"</h2></header>
        <form class="form" on:submit=|event| event.prevent_default()>
            <Field id="field-name" label="Name">
                <input id="field-name" type="text" autocomplete="off" value=untrack(name) prop:value=name
                    on:input:target=move |event| drop(editor.apply(Edit::SetName(event.target().value())))/>
            </Field>
            <Field id="field-description" label="Description">
                <textarea id="field-description" rows="3" inner_html=area_html(&untrack(description)) prop:value=description
                    on:input:target=move |event| drop(editor.apply(Edit::SetDescription(event.target().value())))></textarea>
            </Field>
            <Inputs editor/>
        </form>
        {id.map(|id| view! { <BudgetPanel scope=Scope::Workflow(id)/> })}
    }
}

/// What a run may be given.
#[component]
fn Inputs(editor: Editor) -> impl IntoView {
    let inputs = Memo::new(move |_| editor.drawing(|drawing| drawing.inputs.clone()));
    let count = Memo::new(move |_| inputs.with(Vec::len));
    let add = move |()| {
        let mut next = inputs.get_untracked();
        let taken = |name: &str| next.iter().any(|input| input.name == name);
        let name = (1..)
            .map(|number| format!("input_{number}"))
            .find(|name| !taken(name))
            .unwrap_or_default();
        next.push(InputSpec {
            name,
            ..InputSpec::default()
        });
        editor.apply(Edit::SetInputs(next));
    };
    view! {
        <section class="inputs" aria-label="Inputs">
            <h3>"Inputs"</h3>
            <p class="help">"Asked for when a run starts; templates read them as {{ input.name }}."</p>
            <ul>{move || (0..count.get()).map(|at| view! { <Input editor inputs at/> }).collect_view()}</ul>
            <Button look=ButtonLook::Quiet icon=Glyph::Plus on_press=add>"Add an input"</Button>
        </section>
    }
}

const TYPES: [(InputType, &str, &str); 5] = [
    (InputType::String, "string", "one line"),
    (InputType::Text, "text", "several lines"),
    (InputType::Number, "number", "number"),
    (InputType::Boolean, "boolean", "yes or no"),
    (InputType::Json, "json", "JSON"),
];

#[component]
fn Input(editor: Editor, inputs: Memo<Vec<InputSpec>>, at: usize) -> impl IntoView {
    let part = move |read: fn(&InputSpec) -> String| {
        inputs.with(|inputs| inputs.get(at).map(read).unwrap_or_default())
    };
    let change = move |change: &dyn Fn(&mut InputSpec)| {
        let mut next = inputs.get_untracked();
        if let Some(input) = next.get_mut(at) {
            change(input);
            editor.apply(Edit::SetInputs(next));
        }
    };
    let remove = move |()| {
        let mut next = inputs.get_untracked();
        if at < next.len() {
            next.remove(at);
            editor.apply(Edit::SetInputs(next));
        }
    };
    let number = at + 1;
    let kind = move || part(|input| name_of(input.holds).to_owned());
    let option = move |(_, name, words): (InputType, &'static str, &'static str)| {
        view! { <option value=name selected=move || kind() == name>{words}</option> }
    };
    view! {
        <li class="input">
            <input type="text" class="mono" aria-label=format!("Input {number}") autocomplete="off" spellcheck="false"
                value=untrack(move || part(|input| input.name.clone()))
                prop:value=move || part(|input| input.name.clone())
                on:input:target=move |event| { let name = event.target().value(); change(&|input| input.name.clone_from(&name)); }/>
            <select aria-label=format!("Input {number}: type") prop:value=kind
                on:change:target=move |event| { let name = event.target().value(); change(&|input| input.holds = type_of(&name)); }>
                {TYPES.into_iter().map(option).collect_view()}
            </select>
            <IconButton glyph=Glyph::Cross label=format!("Remove input {number}") on_press=remove/>
            <input type="text" class="input-default" aria-label=format!("Input {number}: default") placeholder="default" autocomplete="off"
                value=untrack(move || part(shown_default))
                prop:value=move || part(shown_default)
                on:change:target=move |event| { let text = event.target().value(); change(&|input| input.default = read_default(input.holds, &text)); }/>
            <label class="input-required">
                <input type="checkbox" checked=untrack(move || inputs.with(|inputs| inputs.get(at).is_some_and(|input| input.required))) prop:checked=move || inputs.with(|inputs| inputs.get(at).is_some_and(|input| input.required))
                    on:change:target=move |event| { let on = event.target().checked(); change(&|input| input.required = on); }/>
                "required"
            </label>
        </li>
    }
}

fn name_of(holds: InputType) -> &'static str {
    TYPES
        .into_iter()
        .find(|(known, ..)| *known == holds)
        .map_or("string", |(_, name, _)| name)
}

fn type_of(name: &str) -> InputType {
    TYPES
        .into_iter()
        .find(|(_, known, _)| *known == name)
        .map(|(holds, ..)| holds)
        .unwrap_or_default()
}

fn shown_default(input: &InputSpec) -> String {
    match &input.default {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// What does not fit the type is kept as text: the problems say so.
fn read_default(holds: InputType, text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return None;
    }
    let as_text = || Value::String(text.to_owned());
    Some(match holds {
        InputType::String | InputType::Text => as_text(),
        InputType::Number => match serde_json::from_str::<Value>(text.trim()) {
            Ok(number @ Value::Number(_)) => number,
            Ok(_) | Err(_) => as_text(),
        },
        InputType::Boolean => match text.trim() {
            "true" | "yes" => Value::Bool(true),
            "false" | "no" => Value::Bool(false),
            _ => as_text(),
        },
        InputType::Json => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_take_the_type_of_their_input() {
        assert_eq!(read_default(InputType::Number, " 3 "), Some(json!(3)));
        assert_eq!(
            read_default(InputType::Number, "three"),
            Some(json!("three"))
        );
        assert_eq!(read_default(InputType::Boolean, "yes"), Some(json!(true)));
        assert_eq!(read_default(InputType::Json, "[1]"), Some(json!([1])));
        assert_eq!(read_default(InputType::Text, "  "), None);
        for (holds, name, _) in TYPES {
            assert_eq!((type_of(name), name_of(holds)), (holds, name));
        }
    }
}
