//! Ctrl K: go to any page, workflow or run, or start a workflow, without leaving the keyboard.

use domain::id::WorkflowId;
use leptos::{ev::KeyboardEvent, html, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    dialog::follow,
    icon::{Glyph, Icon},
    shortcuts::{GO_TO, use_shortcuts},
    starter::{Starter, StarterDialog, use_starter},
};
use crate::{
    api,
    api::dto::{RunQuery, RunSummary, WorkflowQuery, WorkflowSummary},
};

/// What a line does when it is taken.
#[derive(Debug, Clone, PartialEq)]
enum Does {
    Go(String),
    Start(WorkflowId),
}

/// A line to choose.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    glyph: Glyph,
    text: String,
    note: String,
    does: Does,
}

/// Lines that fit what is typed: every word must stand in the line. Those that begin with it come first.
fn fitting(lines: &[Line], typed: &str) -> Vec<Line> {
    let typed = typed.trim().to_lowercase();
    let words: Vec<&str> = typed.split_whitespace().collect();
    let mut found: Vec<(bool, usize, &Line)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| {
            let text = format!("{} {}", line.text, line.note).to_lowercase();
            words
                .iter()
                .all(|word| text.contains(word))
                .then(|| (!text.starts_with(&typed), at, line))
        })
        .collect();
    found.sort_by_key(|(later, at, _)| (*later, *at));
    found
        .into_iter()
        .take(50)
        .map(|(_, _, line)| line.clone())
        .collect()
}

fn page_lines() -> impl Iterator<Item = Line> {
    GO_TO.into_iter().map(|(key, path, label)| Line {
        glyph: Glyph::Right,
        text: label.to_owned(),
        note: format!("g {key}"),
        does: Does::Go(path.to_owned()),
    })
}

fn workflow_lines(workflows: &[WorkflowSummary]) -> impl Iterator<Item = Line> {
    workflows.iter().flat_map(|one| {
        let open = Line {
            glyph: Glyph::Workflow,
            text: one.name.clone(),
            note: "open workflow".into(),
            does: Does::Go(format!("/workflows/{}", one.id)),
        };
        let start = one.runnable.then(|| Line {
            glyph: Glyph::Play,
            text: format!("Run {}", one.name),
            note: "start a run".into(),
            does: Does::Start(one.id),
        });
        [Some(open), start].into_iter().flatten()
    })
}

fn run_lines(runs: &[RunSummary]) -> impl Iterator<Item = Line> {
    runs.iter().map(|run| Line {
        glyph: Glyph::Play,
        text: run.workflow_name.clone(),
        note: format!("{} run {}", run.status, run.id),
        does: Does::Go(format!("/runs/{}", run.id)),
    })
}

/// The palette; opens with Ctrl K or Cmd K.
#[component]
pub fn Palette() -> impl IntoView {
    let open = use_shortcuts().palette;
    let starter = use_starter();
    let node = NodeRef::<html::Dialog>::new();
    follow(node, open);
    view! {
        <dialog
            class="palette"
            aria-label="Go to or start anything"
            node_ref=node
            on:close=move |_| open.set(false)
            on:click=move |event| {
                if event.target().is_some() && event.target() == event.current_target() {
                    open.set(false);
                }
            }
        >
            <Show when=move || open.get()><Choices open starter/></Show>
        </dialog>
        <StarterDialog starter/>
    }
}

#[component]
fn Choices(open: RwSignal<bool>, starter: Starter) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let all = RwSignal::new(page_lines().collect::<Vec<_>>());
    let load = Action::new(move |(): &()| async move {
        let workflows = api::workflows(WorkflowQuery {
            limit: Some(200),
            ..WorkflowQuery::default()
        })
        .await;
        let runs = api::runs(RunQuery {
            limit: Some(30),
            ..RunQuery::default()
        })
        .await;
        // What cannot be loaded is not offered; the pages still are.
        let workflows = workflows.map(|page| page.items).unwrap_or_default();
        let runs = runs.map(|page| page.items).unwrap_or_default();
        let lines = page_lines()
            .chain(workflow_lines(&workflows))
            .chain(run_lines(&runs))
            .collect();
        let _closed_meanwhile = all.try_set(lines);
    });
    load.dispatch(());
    let found = Memo::new(move |_| fitting(&all.read(), &typed.read()));
    let navigate = use_navigate();
    let take = Callback::new(move |line: Line| {
        open.set(false);
        match line.does {
            Does::Go(path) => navigate(&path, NavigateOptions::default()),
            Does::Start(workflow) => starter.ask(workflow),
        }
    });
    let key = move |event: KeyboardEvent| {
        let last = found.read_untracked().len().saturating_sub(1);
        match event.key().as_str() {
            "ArrowDown" => at.update(|at| *at = if *at >= last { 0 } else { *at + 1 }),
            "ArrowUp" => at.update(|at| *at = if *at == 0 { last } else { *at - 1 }),
            "Enter" => {
                let chosen = found.read_untracked().get(at.get_untracked()).cloned();
                if let Some(line) = chosen {
                    take.run(line);
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    view! {
        <input
            type="text"
            data-focus=""
            role="combobox"
            aria-expanded="true"
            aria-controls="palette-list"
            aria-activedescendant=move || format!("palette-{}", at.get())
            aria-label="Go to or start anything"
            placeholder="Go to a page, workflow or run; run a workflow"
            autocomplete="off"
            spellcheck="false"
            on:keydown=key
            on:input:target=move |event| {
                typed.set(event.target().value());
                at.set(0);
            }
        />
        <ul id="palette-list" role="listbox" aria-label="Found">
            {move || found.get().into_iter().enumerate().map(|(number, line)| view! { <Choice number line at take/> }).collect_view()}
        </ul>
        <Show when=move || found.read().is_empty()><p class="empty">"Nothing by that name."</p></Show>
    }
    .into_any()
}

#[component]
fn Choice(number: usize, line: Line, at: RwSignal<usize>, take: Callback<Line>) -> impl IntoView {
    let node = NodeRef::<html::Li>::new();
    Effect::new(move |_| {
        if at.get() == number
            && let Some(line) = node.get()
        {
            line.scroll_into_view_with_bool(false);
        }
    });
    let Line {
        glyph, text, note, ..
    } = line.clone();
    view! {
        <li
            node_ref=node
            id=format!("palette-{number}")
            role="option"
            aria-selected=move || if at.get() == number { "true" } else { "false" }
            on:pointermove=move |_| if at.get_untracked() != number { at.set(number) }
            on:click=move |_| take.run(line.clone())
        >
            <Icon glyph/>
            <span>{text}</span>
            <span class="muted">{note}</span>
        </li>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(typed: &str, expected: &[&str]) {
        let lines: Vec<Line> = page_lines().collect();
        let found: Vec<String> = fitting(&lines, typed)
            .into_iter()
            .map(|line| line.text)
            .collect();
        assert_eq!(found, expected, "{typed}");
    }

    #[test]
    fn what_begins_with_the_words_comes_first() {
        check("e", &["Events", "Home", "Agents", "Usage", "Settings"]);
        check("wor", &["Workflows"]);
        check("g w", &["Workflows"]);
        check("nothing like it", &[]);
    }
}
