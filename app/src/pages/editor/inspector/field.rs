//! One key of a node as a field of the form.

use domain::kind::{KeySpec, KeyType};
use leptos::{html, prelude::*};
use serde_json::{Map, Value, json};
use web_sys::HtmlTextAreaElement;

use super::{
    body::BodyField,
    retry::RetryField,
    rows::FieldsField,
    text::{area_html, read, shown},
    upstream::Name,
};
use crate::{
    components::{
        Button, ButtonLook, Field, Glyph, IconButton,
        models::{AnotherModel, ModelTerms},
        preferences::PreferencesField,
    },
    pages::editor::state::Editor,
};

/// One key of a node.
#[component]
pub fn KeyField(
    editor: Editor,
    /// The node.
    node: String,
    /// The key.
    spec: &'static KeySpec,
    /// What it holds now.
    #[prop(into)]
    value: Signal<Option<Value>>,
) -> impl IntoView {
    let id = format!("field-{}", spec.name);
    let wrong = RwSignal::new(None::<String>);
    let error = {
        let node = node.clone();
        // What the form itself finds wrong is newer than what the whole drawing was found to be.
        Signal::derive(move || wrong.get().or_else(|| problem_of(editor, &node, spec.name)))
    };
    let put = {
        let node = node.clone();
        Callback::new(move |value: Option<Value>| editor.set_key(&node, spec.name, value))
    };
    let control = match spec.holds {
        KeyType::Flag => view! { <FlagField id=id.clone() missing=false value put/> }.into_any(),
        KeyType::FlagOn => view! { <FlagField id=id.clone() missing=true value put/> }.into_any(),
        KeyType::Choice(words) => view! { <ChoiceField id=id.clone() words value put/> }.into_any(),
        KeyType::Body => {
            view! { <BodyField editor id=id.clone() node value put wrong/> }.into_any()
        }
        KeyType::Fields => view! { <FieldsField id=id.clone() value put wrong/> }.into_any(),
        KeyType::Cases => view! { <CasesField id=id.clone() value put/> }.into_any(),
        KeyType::Preferences => view! { <PreferencesField id=id.clone() value put/> }.into_any(),
        KeyType::Retry => view! { <RetryField id=id.clone() value put/> }.into_any(),
        KeyType::Line
        | KeyType::Text
        | KeyType::Template
        | KeyType::Expression
        | KeyType::Integer { .. }
        | KeyType::Number { .. }
        | KeyType::Words
        | KeyType::Models
        | KeyType::Model
        | KeyType::AgentName
        | KeyType::Workflow
        | KeyType::Schema => {
            view! { <TextField editor id=id.clone() node holds=spec.holds value put wrong/> }
                .into_any()
        }
    };
    let terms = (spec.holds == KeyType::Model).then(|| {
        let named = move || {
            value
                .get()
                .and_then(|value| value.as_str().map(str::to_owned))
        };
        view! { <ModelTerms named=Signal::derive(move || named().unwrap_or_default())/> }
    });
    let more = (spec.holds == KeyType::Models).then(|| {
        let add = move |model: String| {
            let mut words = words_of(value.get_untracked().as_ref());
            if !words.contains(&model) {
                words.push(model);
            }
            put.run(Some(words.into()));
        };
        view! { <AnotherModel list="known-models" on_add=add/> }
    });
    view! {
        <div data-key=spec.name>
            <Field id label=spec.label help=spec.help required=spec.required error=error>{control}</Field>
            {terms}
            {more}
        </div>
    }
}

fn words_of(value: Option<&Value>) -> Vec<String> {
    let words = value.and_then(Value::as_array).into_iter().flatten();
    words
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}

fn problem_of(editor: Editor, node: &str, key: &str) -> Option<String> {
    let problems = editor.problems.read();
    let ours = problems.iter().filter(|problem| {
        problem.node.as_deref() == Some(node) && problem.key.as_deref() == Some(key)
    });
    let messages: Vec<&str> = ours.map(|problem| problem.message.as_str()).collect();
    (!messages.is_empty()).then(|| messages.join(" "))
}

/// Anything that is typed.
#[component]
pub fn TextField(
    editor: Editor,
    id: String,
    node: String,
    holds: KeyType,
    value: Signal<Option<Value>>,
    put: Callback<Option<Value>>,
    wrong: RwSignal<Option<String>>,
) -> impl IntoView {
    let text = RwSignal::new(shown(holds, value.get_untracked().as_ref()));
    // What was changed elsewhere (undo) replaces what was typed; what only looks different does not.
    Effect::new(move |_| {
        let value = value.get();
        if read(holds, &text.get_untracked()).as_ref() != Ok(&value) {
            text.set(shown(holds, value.as_ref()));
            wrong.set(None);
        }
    });
    let typed = move |now: String| match read(holds, &now) {
        Ok(value) => {
            text.set(now);
            wrong.set(None);
            put.run(value);
        }
        Err(reason) => {
            text.set(now);
            wrong.set(Some(reason));
        }
    };
    let help_id = format!("{id}-help");
    let rows = match holds {
        KeyType::Template => 7,
        KeyType::Text
        | KeyType::Schema
        | KeyType::Preferences
        | KeyType::Body
        | KeyType::Fields => 5,
        KeyType::Expression => 2,
        KeyType::Line
        | KeyType::Integer { .. }
        | KeyType::Number { .. }
        | KeyType::Flag
        | KeyType::FlagOn
        | KeyType::Workflow
        | KeyType::Choice(_)
        | KeyType::Words
        | KeyType::Models
        | KeyType::Model
        | KeyType::AgentName
        | KeyType::Cases
        | KeyType::Retry => 1,
    };
    if rows == 1 {
        let numeric = matches!(holds, KeyType::Integer { .. } | KeyType::Number { .. });
        let list = match holds {
            KeyType::Model => Some("known-models"),
            KeyType::AgentName => Some("known-agents"),
            KeyType::Workflow => Some("known-workflows"),
            KeyType::Line
            | KeyType::Text
            | KeyType::Template
            | KeyType::Expression
            | KeyType::Integer { .. }
            | KeyType::Number { .. }
            | KeyType::Flag
            | KeyType::FlagOn
            | KeyType::Choice(_)
            | KeyType::Words
            | KeyType::Models
            | KeyType::Schema
            | KeyType::Preferences
            | KeyType::Body
            | KeyType::Fields
            | KeyType::Cases
            | KeyType::Retry => None,
        };
        return view! {
            <input
                id=id
                type="text"
                class:mono=matches!(holds, KeyType::Model | KeyType::Models)
                aria-describedby=help_id
                autocomplete="off"
                inputmode=numeric.then_some("decimal")
                list=list
                value=text.get_untracked()
                prop:value=move || text.get()
                on:input:target=move |event| typed(event.target().value())
            />
        }
        .into_any();
    }
    let area = NodeRef::<html::Textarea>::new();
    let braces = holds == KeyType::Template;
    let chips = braces || holds == KeyType::Expression;
    let insert = move |name: Name| {
        let Some(area) = area.get_untracked() else {
            return;
        };
        let piece = if braces {
            format!("{{{{ {} }}}}", name.expression)
        } else {
            name.expression
        };
        insert_at_caret(&area, &piece);
        typed(area.value());
    };
    view! {
        <textarea
            id=id
            class:mono=holds != KeyType::Text
            aria-describedby=help_id
            rows=rows
            spellcheck=if braces || holds == KeyType::Text { "true" } else { "false" }
            node_ref=area
            inner_html=area_html(&text.get_untracked())
            prop:value=move || text.get()
            on:input:target=move |event| typed(event.target().value())
        ></textarea>
        {chips.then(|| {
            let list = Memo::new(move |_| NameList(editor.names(&node)));
            view! { <Chips list insert=Callback::new(insert)/> }
        })}
    }
    .into_any()
}

/// Names, compared as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NameList(Vec<Name>);

/// Names that a press puts into the text.
#[component]
fn Chips(list: Memo<NameList>, insert: Callback<Name>) -> impl IntoView {
    let chip = move |name: Name| {
        let label = name.label.clone();
        let title = format!("Insert {}", name.expression);
        view! {
            <button
                type="button"
                class="chip"
                title=title.clone()
                aria-label=title
                // The text keeps its caret.
                on:pointerdown=|event| event.prevent_default()
                on:mousedown=|event| event.prevent_default()
                on:click=move |_| insert.run(name.clone())
            >
                {label}
            </button>
        }
    };
    view! {
        <Show when=move || list.with(|list| !list.0.is_empty())>
            <div class="chips" role="group" aria-label="Insert">
                {move || list.get().0.into_iter().map(chip).collect_view()}
            </div>
        </Show>
    }
}

fn insert_at_caret(area: &HtmlTextAreaElement, piece: &str) {
    let end = u32::try_from(area.value().encode_utf16().count()).unwrap_or_default();
    let from = area.selection_start().ok().flatten().unwrap_or(end);
    let to = area.selection_end().ok().flatten().unwrap_or(from);
    let behind = from + u32::try_from(piece.encode_utf16().count()).unwrap_or_default();
    let _selected = area.set_selection_range(from, to);
    let _inserted = area.set_range_text(piece);
    let _moved = area.set_selection_range(behind, behind);
    let _focused = area.focus();
}

#[component]
fn FlagField(
    id: String,
    /// What a missing key means.
    missing: bool,
    value: Signal<Option<Value>>,
    put: Callback<Option<Value>>,
) -> impl IntoView {
    view! {
        <input
            id=id.clone()
            type="checkbox"
            aria-describedby=format!("{id}-help")
            prop:checked=move || value.get().and_then(|value| value.as_bool()).unwrap_or(missing)
            on:change:target=move |event| {
                let on = event.target().checked();
                put.run((on != missing).then_some(Value::Bool(on)));
            }
        />
    }
}

#[component]
fn ChoiceField(
    id: String,
    words: &'static [&'static str],
    value: Signal<Option<Value>>,
    put: Callback<Option<Value>>,
) -> impl IntoView {
    let first = words.first().copied().unwrap_or_default();
    let now = move || {
        value
            .get()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_else(|| first.to_owned())
    };
    let option = move |word: &'static str| {
        view! { <option value=word selected=move || now() == word>{word}</option> }
    };
    view! {
        <select
            id=id.clone()
            aria-describedby=format!("{id}-help")
            prop:value=now
            on:change:target=move |event| {
                let word = event.target().value();
                // The first one is what a missing key means.
                put.run((word != first).then(|| word.into()));
            }
        >
            {words.iter().copied().map(option).collect_view()}
        </select>
    }
}

/// The cases of a branch: rows of a port and a condition.
#[component]
fn CasesField(
    id: String,
    value: Signal<Option<Value>>,
    put: Callback<Option<Value>>,
) -> impl IntoView {
    let rows = Memo::new(move |_| {
        value
            .get()
            .and_then(|value| value.as_array().cloned())
            .unwrap_or_default()
    });
    let count = Memo::new(move |_| rows.with(Vec::len));
    let change = move |change: &dyn Fn(&mut Vec<Value>)| {
        let mut rows = rows.get_untracked();
        change(&mut rows);
        put.run((!rows.is_empty()).then_some(Value::Array(rows)));
    };
    let set = move |at: usize, name: &'static str, text: String| {
        change(&|rows| {
            if let Some(case) = rows.get_mut(at) {
                let mut keys = case.as_object().cloned().unwrap_or_else(Map::new);
                keys.insert(name.into(), text.clone().into());
                *case = Value::Object(keys);
            }
        });
    };
    let part = move |at: usize, name: &'static str| {
        rows.with(|rows| {
            rows.get(at)
                .and_then(|case| case.get(name))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        })
    };
    let row = move |at: usize| {
        view! {
            <li class="case">
                <input type="text" aria-label=format!("Port of case {}", at + 1) placeholder="port"
                    prop:value=move || part(at, "port") on:input:target=move |event| set(at, "port", event.target().value())/>
                <input type="text" class="mono" aria-label=format!("Condition of case {}", at + 1) placeholder="when"
                    prop:value=move || part(at, "when") on:input:target=move |event| set(at, "when", event.target().value())/>
                <IconButton glyph=Glyph::Cross label=format!("Remove case {}", at + 1)
                    on_press=move |()| change(&|rows| { if at < rows.len() { rows.remove(at); } })/>
            </li>
        }
    };
    view! {
        <ul class="cases" id=id>{move || (0..count.get()).map(row).collect_view()}</ul>
        <div>
            <Button look=ButtonLook::Quiet icon=Glyph::Plus on_press=move |()| change(&|rows| {
                rows.push(json!({"port": free_port(rows), "when": ""}));
            })>"Add a case"</Button>
        </div>
    }
}

fn free_port(rows: &[Value]) -> String {
    let taken = |name: &str| {
        rows.iter()
            .any(|case| case.get("port").and_then(Value::as_str) == Some(name))
    };
    (1..)
        .map(|number| format!("case {number}"))
        .find(|name| !taken(name))
        .unwrap_or_default()
}
