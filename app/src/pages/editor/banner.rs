//! What is shown when somebody else has saved the workflow in the meantime.

use leptos::prelude::*;

use super::{
    diff::difference,
    saving::{SaveState, Saver},
    state::Editor,
};
use crate::components::{Button, ButtonLook};

/// Offers to take theirs, to keep ours, and to see what differs.
#[component]
pub fn ConflictBanner(editor: Editor, saver: Saver) -> impl IntoView {
    let newest = Memo::new(move |_| match &*saver.state.read() {
        SaveState::Conflict { newest, .. } => Some(*newest),
        SaveState::Saved { .. }
        | SaveState::Changed
        | SaveState::Saving
        | SaveState::Failed { .. }
        | SaveState::Refused { .. } => None,
    });
    let differs = RwSignal::new(false);
    view! {
        {move || newest.get().map(|newest| view! {
            <div class="banner" role="alert">
                <p><strong>"Changed elsewhere"</strong>" (version "{newest}"). Nothing of yours is lost; it is not saved yet either."</p>
                <div class="banner-actions">
                    <Button on_press=move |()| saver.take_theirs()>"Take theirs"</Button>
                    <Button look=ButtonLook::Primary on_press=move |()| saver.keep_mine()>"Keep mine as a new version"</Button>
                    <Button look=ButtonLook::Quiet on_press=move |()| differs.update(|on| *on = !*on)>"Show what differs"</Button>
                </div>
                <Show when=move || differs.get()><Differences editor saver/></Show>
            </div>
        })}
    }
}

#[component]
fn Differences(editor: Editor, saver: Saver) -> impl IntoView {
    let found = Memo::new(move |_| match &*saver.state.read() {
        SaveState::Conflict {
            theirs: Some(theirs),
            ..
        } => Some(editor.drawing(|mine| difference(mine, &theirs.drawing))),
        SaveState::Conflict { theirs: None, .. }
        | SaveState::Saved { .. }
        | SaveState::Changed
        | SaveState::Saving
        | SaveState::Failed { .. }
        | SaveState::Refused { .. } => None,
    });
    let line = |name: &'static str, ids: Vec<String>| {
        (!ids.is_empty()).then(|| view! { <dt>{name}</dt><dd class="mono">{ids.join(", ")}</dd> })
    };
    move || match found.get() {
        None => view! { <p class="muted">"Their version is being fetched."</p> }.into_any(),
        Some(found) if found.is_empty() => {
            view! { <p class="muted">"Nothing differs."</p> }.into_any()
        }
        Some(found) => view! {
            <dl class="differences">
                {line("Only in mine", found.only_mine)}
                {line("Only in theirs", found.only_theirs)}
                {line("Different", found.changed)}
            </dl>
        }
        .into_any(),
    }
}
