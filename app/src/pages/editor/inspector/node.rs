//! The form of one node.

use domain::{
    graph::DrawnNode,
    kind::{KeySpec, Kind},
};
use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;

use super::field::KeyField;
use crate::{
    api,
    api::dto::WorkflowQuery,
    canvas::{edit::Edit, node_html},
    components::{Button, ButtonLook, Field, Glyph, IconButton, models::ModelsOnOffer},
    pages::editor::state::Editor,
};

/// The form of one node.
#[component]
pub fn NodeForm(editor: Editor, id: String) -> impl IntoView {
    let node = editor.node(id.clone());
    // The form is made anew for another kind, not for another value.
    let kind = Memo::new(move |_| node.with(|node| node.as_ref().map(|node| node.kind.clone())));
    let form = NodeRef::<html::Form>::new();
    Effect::new(move |_| {
        let (Some(key), Some(form)) = (editor.focus_key.get(), form.get()) else {
            return;
        };
        let field = form
            .query_selector(&format!(
                "[data-key=\"{key}\"] :is(input, textarea, select)"
            ))
            .ok()
            .flatten();
        if let Some(field) = field.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok()) {
            if let Some(details) = field.closest("details").ok().flatten() {
                let _opened = details.set_attribute("open", "");
            }
            let _focused = field.focus();
            if let Some(input) = field.dyn_ref::<web_sys::HtmlInputElement>() {
                input.select();
            }
        }
        editor.focus_key.set(None);
    });
    let id = StoredValue::new(id);
    move || {
        let kind = kind.get()?;
        let known = Kind::parse(&kind);
        let title = move || node.with(|node| node.as_ref().map(|node| node.title().to_owned()));
        let off = move || node.with(|node| node.as_ref().is_some_and(node_html::disabled));
        let remove = move |()| editor.remove(vec![id.get_value()], Vec::new());
        Some(view! {
            <header class="inspector-head">
                <h2>{title}</h2>
                <p class="muted">{known.map_or_else(|| format!("Unknown kind “{kind}”"), |kind| format!("{}. {}.", kind.label(), kind.summary()))}</p>
            </header>
            <form class="form" node_ref=form on:submit=|event| event.prevent_default()>
                <OwnProblems editor id=id.get_value()/>
                {known.map(|kind| view! { <Keys editor id=id.get_value() node kind/> })}
                <IdField editor id=id.get_value()/>
            </form>
            <Connections editor id=id.get_value()/>
            <div class="inspector-actions">
                <Button icon=Glyph::Duplicate on_press=move |()| editor.duplicate()>"Duplicate"</Button>
                {known.is_some_and(Kind::runs).then(|| view! {
                    <Button icon=Glyph::Pause on_press=move |()| editor.toggle_disabled()>
                        {move || if off() { "Enable" } else { "Disable" }}
                    </Button>
                })}
                <Button look=ButtonLook::Danger icon=Glyph::Trash on_press=remove>"Delete"</Button>
            </div>
            <Known/>
        })
    }
}

/// Title and own keys in sight, the rest behind “More”.
#[component]
fn Keys(editor: Editor, id: String, node: Memo<Option<DrawnNode>>, kind: Kind) -> impl IntoView {
    let field = move |spec: &'static KeySpec| {
        let value = Memo::new(move |_| {
            node.with(|node| {
                node.as_ref()
                    .and_then(|node| node.keys.get(spec.name).cloned())
            })
        });
        view! { <KeyField editor node=id.clone() spec value/> }
    };
    let title = kind.common_keys().iter().filter(|key| key.name == "title");
    let first =
        |key: &&KeySpec| key.required || kind.own_keys().len() <= 4 || FIRST.contains(&key.name);
    let own: Vec<_> = title
        .chain(kind.own_keys().iter().filter(first))
        .map(&field)
        .collect();
    // What the button below switches is no field as well.
    let rest = kind.own_keys().iter().filter(|key| !first(key));
    let common = kind
        .common_keys()
        .iter()
        .filter(|key| key.name != "title" && key.name != "disabled");
    let more: Vec<_> = rest.chain(common).map(&field).collect();
    view! {
        {own}
        {(!more.is_empty()).then(|| view! {
            <details class="more-keys">
                <summary>"More"</summary>
                <div class="form">{more}</div>
            </details>
        })}
    }
}

/// Keys that are in sight though they are not needed.
const FIRST: [&str; 3] = ["agent", "capabilities", "model"];

/// What is wrong with the node but with none of its fields.
#[component]
fn OwnProblems(editor: Editor, id: String) -> impl IntoView {
    let found = Memo::new(move |_| {
        let problems = editor.problems.read();
        let ours = problems
            .iter()
            .filter(|problem| problem.node.as_deref() == Some(&id) && problem.key.is_none());
        ours.map(|problem| problem.message.clone())
            .collect::<Vec<_>>()
    });
    move || {
        let found = found.get();
        (!found.is_empty()).then(|| view! {
            <ul class="own-problems">{found.into_iter().map(|message| view! { <li>{message}</li> }).collect_view()}</ul>
        })
    }
}

/// The id: changed when the field is left, because everything that names it changes with it.
#[component]
fn IdField(editor: Editor, id: String) -> impl IntoView {
    let field = NodeRef::<html::Input>::new();
    let wrong = RwSignal::new(None::<String>);
    let first = id.clone();
    let id = StoredValue::new(id);
    let done = move || {
        // A field that is taken out of the page loses the focus too, when everything else is gone already.
        let (Some(Some(field)), Some(node)) = (field.try_get_untracked(), id.try_get_value())
        else {
            return;
        };
        let to = field.value().trim().to_owned();
        match editor.try_apply(Edit::Rename {
            node,
            to: to.clone(),
        }) {
            Ok(applied) => {
                wrong.set(None);
                if applied.changed {
                    editor.select(&[to]);
                }
            }
            Err(reason) => wrong.set(Some(reason)),
        }
    };
    view! {
        <Field id="field-id" label="Id" help="How other steps name it. Everything that names it follows." error=wrong>
            <input
                id="field-id"
                class="mono"
                type="text"
                aria-describedby="field-id-help"
                autocomplete="off"
                spellcheck="false"
                node_ref=field
                value=first
                on:blur=move |_| done()
                on:keydown=move |event| {
                    if event.key() == "Enter" {
                        event.prevent_default();
                        done();
                    }
                }
            />
        </Field>
    }
}

/// Where it is connected to: for those who do not point at lines.
#[component]
fn Connections(editor: Editor, id: String) -> impl IntoView {
    let found = Memo::new(move |_| {
        editor.drawing(|drawing| {
            let ours = drawing
                .edges
                .iter()
                .filter(|edge| edge.source().0 == id || edge.target().0 == id);
            ours.map(|edge| {
                let ((from, port), (to, _)) = (edge.source(), edge.target());
                let text = if to == id {
                    format!(
                        "from {from}{}",
                        if port == "out" {
                            String::new()
                        } else {
                            format!(", port {port}")
                        }
                    )
                } else {
                    format!(
                        "{}to {to}",
                        if port == "out" {
                            String::new()
                        } else {
                            format!("{port} ")
                        }
                    )
                };
                (edge.id(), text)
            })
            .collect::<Vec<_>>()
        })
    });
    let line = move |(edge, text): (String, String)| {
        let (jump, gone) = (edge.clone(), edge);
        view! {
            <li>
                <button type="button" class="connection" on:click=move |_| editor.jump_to_edge(&jump)>{text.clone()}</button>
                <IconButton glyph=Glyph::Cross label=format!("Disconnect {text}") on_press=move |()| drop(editor.apply(Edit::Remove {
                    nodes: Vec::new(),
                    edges: vec![gone.clone()],
                }))/>
            </li>
        }
    };
    view! {
        <Show when=move || found.with(|found| !found.is_empty())>
            <section class="connections" aria-label="Connections">
                <h3>"Connections"</h3>
                <ul>{move || found.get().into_iter().take(40).map(line).collect_view()}</ul>
            </section>
        </Show>
    }
}

/// Names of models, agents and workflows, offered while typing.
#[component]
fn Known() -> impl IntoView {
    let (agents, workflows) = (RwSignal::new(Vec::new()), RwSignal::new(Vec::new()));
    Effect::new(move |_| {
        leptos::task::spawn_local(async move {
            if let Ok(known) = api::agents(false).await {
                let mut found: Vec<String> =
                    known.into_iter().map(|agent| agent.spec.name).collect();
                found.sort();
                found.dedup();
                let _gone = agents.try_set(found);
            }
            if let Ok(page) = api::workflows(WorkflowQuery::default()).await {
                let found = page.items.into_iter().map(|workflow| workflow.name);
                let _gone = workflows.try_set(found.collect::<Vec<_>>());
            }
        });
    });
    let options = |list: Vec<String>| {
        list.into_iter()
            .map(|text| view! { <option value=text></option> })
            .collect_view()
    };
    view! {
        <ModelsOnOffer id="known-models"/>
        <datalist id="known-agents">{move || options(agents.get())}</datalist>
        <datalist id="known-workflows">{move || options(workflows.get())}</datalist>
    }
}
