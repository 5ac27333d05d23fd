//! What a task was given: prompt and instructions of an agent, or what another kind of step reads.

use domain::{graph::Drawing, id::TaskName, run::TaskState};
use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::{
    components::{Button, ButtonLook, StatusGlyph},
    run_view::{
        data::{JsonView, ValueView, pretty},
        panel::Shown,
        rounds,
        selection::Selection,
    },
};

/// A text of an agent's input: `prompt` or `instructions`; `None` where there is none.
pub fn text_of(input: Option<&Value>, key: &str) -> Option<String> {
    input?
        .get(key)?
        .as_str()
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
}

/// What a task was given.
#[component]
pub fn TaskInput(shown: Shown, selection: Selection) -> impl IntoView {
    let input = Memo::new(move |_| shown.task(|task| task.input.clone()));
    let waits = Memo::new(move |_| shown.task(|task| matches!(task.state, TaskState::Blocked)));
    move || {
        match input.get() {
        Some(input) => view! { <Given input/> }.into_any(),
        None => view! {
            {waits.get().then(|| view! { <p class="muted">"Its input is made when the tasks before it are done."</p> })}
            <Reads shown selection/>
        }
        .into_any(),
    }
    }
}

#[component]
fn Given(input: Value) -> impl IntoView {
    let (prompt, instructions) = (
        text_of(Some(&input), "prompt"),
        text_of(Some(&input), "instructions"),
    );
    if prompt.is_none() && instructions.is_none() {
        return view! { <ValueView value=input what="the input"/> }.into_any();
    }
    view! {
        {prompt.map(|text| view! { <h3>"Prompt"</h3><ValueView value=Value::String(text) what="the prompt"/> })}
        {instructions
            .map(|text| view! { <h3>"Instructions"</h3><ValueView value=Value::String(text) what="the instructions"/> })}
    }
    .into_any()
}

/// What a step that no agent does is made from: its own keys, and the tasks before it.
#[component]
fn Reads(shown: Shown, selection: Selection) -> impl IntoView {
    let name = shown.name.get_value();
    let read = |drawing: &Drawing| {
        let node = shown
            .task(|task| Some(task.node.to_string()))
            .unwrap_or_default();
        let keys = drawing
            .node(&node)
            .map(|node| node.keys.clone())
            .unwrap_or_default();
        let before: Vec<String> = drawing
            .edges
            .iter()
            .filter(|edge| edge.target().0 == node)
            .map(|edge| format!("{}{}", rounds::prefix(name.as_str()), edge.source().0))
            .collect();
        (keys, before)
    };
    let (keys, before) = shown
        .watch
        .drawing
        .with_value(|drawing| rounds::within(drawing, name.as_str(), read))
        .unwrap_or_default();
    let before = before
        .iter()
        .filter_map(|node| TaskName::parse(node).ok())
        .map(|name| view! { <Before shown selection name/> })
        .collect_view();
    view! {
        <h3>"The step"</h3>
        <JsonView text=pretty(&Value::Object(own(keys))) what="the step"/>
        <h3>"Tasks before it"</h3>
        <ul class="before">{before}</ul>
    }
}

/// The keys of a step without those that only say what it is called.
fn own(mut keys: Map<String, Value>) -> Map<String, Value> {
    keys.shift_remove("title");
    keys
}

#[component]
fn Before(shown: Shown, selection: Selection, name: TaskName) -> impl IntoView {
    let name = StoredValue::new(name);
    let title = move || name.with_value(|name| shown.watch.task(name, |task| task.title.clone()));
    let status = Memo::new(move |_| {
        name.with_value(|name| shown.watch.task(name, |task| task.state.name().to_owned()))
            .unwrap_or_default()
    });
    view! {
        <li>
            <StatusGlyph status/>
            <Button look=ButtonLook::Quiet on_press=move |()| selection.choose(Some(name.get_value()))>{title}</Button>
        </li>
    }
}
