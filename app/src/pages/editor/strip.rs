//! Below the canvas: what is wrong, how near one looks, whether it is saved.

use domain::graph::{Problem, Severity};
use leptos::prelude::*;

use super::{
    saving::{SaveState, Saver},
    state::{Editor, Levels},
};
use crate::{
    canvas::controls::ZoomControls,
    components::{Glyph, Icon},
};

/// More problems than this are counted but not listed.
const MOST_LISTED: usize = 200;

/// The strip at the bottom.
#[component]
pub fn Strip(
    editor: Editor,
    /// The workflow's own drawing: all problems are listed, wherever they are.
    root: Editor,
    saver: Saver,
    levels: Levels,
) -> impl IntoView {
    view! {
        <footer class="strip">
            <Problems editor=root levels/>
            <SavedState saver/>
            <ZoomControls handle=editor.handle minimap=editor.minimap/>
        </footer>
    }
}

/// How many problems there are; pressed, the list of them.
#[component]
fn Problems(editor: Editor, levels: Levels) -> impl IntoView {
    let open = RwSignal::new(false);
    let errors = Memo::new(move |_| editor.errors());
    let count = Memo::new(move |_| editor.problems.read().len());
    let worst = move || match (errors.get(), count.get()) {
        (0, 0) => "none",
        (0, _) => "warning",
        (_, _) => "error",
    };
    let text = move || match count.get() {
        0 => "No problems".to_owned(),
        1 => "1 problem".to_owned(),
        many => format!("{many} problems"),
    };
    view! {
        <div class="strip-problems">
            <button
                class="strip-button"
                type="button"
                data-severity=worst
                aria-expanded=move || if open.get() { "true" } else { "false" }
                aria-controls="problem-list"
                disabled=move || count.get() == 0
                on:click=move |_| open.update(|on| *on = !*on)
            >
                <Icon glyph=Signal::derive(move || if count.get() == 0 { Glyph::Check } else { Glyph::Warning })/>
                {text}
            </button>
            <Show when=move || open.get() && (count.get() > 0)>
                <ProblemList editor levels open/>
            </Show>
        </div>
    }
}

#[component]
fn ProblemList(editor: Editor, levels: Levels, open: RwSignal<bool>) -> impl IntoView {
    let item = move |problem: Problem| {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let place = match (&problem.node, &problem.edge) {
            (Some(node), _) => editor.peek(|drawing| {
                drawing
                    .node(node)
                    .map_or_else(|| node.clone(), |known| known.title().to_owned())
            }),
            (None, Some(edge)) => edge.clone(),
            (None, None) => "Workflow".to_owned(),
        };
        let message = problem.message.clone();
        let jump = move |_| {
            match (&problem.node, &problem.edge) {
                (Some(node), _) => {
                    let here = levels.path.with_untracked(Vec::is_empty);
                    if here && !node.contains('.') {
                        editor.jump(node, problem.key.as_deref());
                    } else {
                        levels.jump(node, problem.key.as_deref());
                    }
                }
                (None, Some(edge)) => {
                    levels.back_to(0);
                    editor.jump_to_edge(edge);
                }
                (None, None) => {
                    editor.handle.with(|stage| stage.model.clear_selection());
                }
            }
            open.set(false);
        };
        view! {
            <li>
                <button type="button" class="problem" data-severity=severity on:click=jump>
                    <span class="problem-place">{place}</span>
                    <span>{message}</span>
                </button>
            </li>
        }
    };
    let more = move || editor.problems.read().len().saturating_sub(MOST_LISTED);
    view! {
        <ul
            id="problem-list"
            class="problem-list"
            aria-label="Problems"
            on:keydown=move |event| {
                if event.key() == "Escape" {
                    open.set(false);
                }
            }
        >
            {move || editor.problems.get().iter().take(MOST_LISTED).cloned().map(item).collect_view()}
            {move || (more() > 0).then(|| view! { <li class="muted problem-more">{format!("and {} more", more())}</li> })}
        </ul>
    }
}

/// Whether everything is stored.
#[component]
fn SavedState(saver: Saver) -> impl IntoView {
    let text = move || match &*saver.state.read() {
        SaveState::Saved { at_ms: None } => "Saved".to_owned(),
        SaveState::Saved { at_ms: Some(at_ms) } => format!("Saved {}", time_of_day(*at_ms)),
        SaveState::Changed | SaveState::Saving => "Saving…".to_owned(),
        SaveState::Failed { .. } => "Not saved: retrying, kept in this browser".to_owned(),
        SaveState::Refused { reason } => format!("Not saved: {reason}"),
        SaveState::Conflict { .. } => "Not saved: there is another version".to_owned(),
    };
    let why = move || match &*saver.state.read() {
        SaveState::Failed { reason, .. } | SaveState::Refused { reason } => Some(reason.clone()),
        SaveState::Saved { .. }
        | SaveState::Changed
        | SaveState::Saving
        | SaveState::Conflict { .. } => None,
    };
    let name = move || match &*saver.state.read() {
        SaveState::Saved { .. } => "saved",
        SaveState::Changed | SaveState::Saving => "saving",
        SaveState::Failed { .. } => "failed",
        SaveState::Refused { .. } | SaveState::Conflict { .. } => "refused",
    };
    view! {
        <p class="saved" role="status" data-save=name title=why>
            <span>{text}</span>
            <span class="muted">{move || format!(" · version {}", saver.version.get())}</span>
        </p>
    }
}

/// Hours and minutes where the reader is.
fn time_of_day(at_ms: f64) -> String {
    let date = js_sys::Date::new(&at_ms.into());
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}
