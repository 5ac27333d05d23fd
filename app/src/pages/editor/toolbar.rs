//! Over the canvas: undo, redo, tidy, lock on the left; Run on the right.

use domain::id::WorkflowId;
use leptos::{prelude::*, task::spawn_local};

use super::{saving::Saver, state::Editor};
use crate::{
    canvas::{controls::Control, document::Document},
    components::{
        Button, ButtonLook, Glyph, IconButton,
        starter::{Starter, StarterDialog, use_starter},
        use_toasts,
    },
};

/// The buttons over the canvas.
#[component]
pub fn Toolbar(
    editor: Editor,
    /// The workflow's own drawing: that one is run.
    root: Editor,
    saver: Saver,
    workflow: WorkflowId,
) -> impl IntoView {
    let label = |word: &'static str, keys: &'static str, what: fn(&Document) -> Option<String>| {
        let what = Memo::new(move |_| editor.document.with(what));
        let text = Signal::derive(move || match what.get() {
            Some(what) => format!("{word}: {what} ({keys})"),
            None => format!("{word} ({keys})"),
        });
        (text, Signal::derive(move || what.with(Option::is_none)))
    };
    let (undo, no_undo) = label("Undo", "Ctrl Z", |document| {
        document.history().undo_label().map(str::to_owned)
    });
    let (redo, no_redo) = label("Redo", "Ctrl Shift Z", |document| {
        document.history().redo_label().map(str::to_owned)
    });
    let locked = editor.locked;
    let lock = move |()| {
        locked.update(|locked| *locked = !*locked);
        let on = locked.get_untracked();
        editor.handle.with(|stage| {
            stage.model.locked = on;
            stage.model.dirty.chrome = true;
        });
    };
    view! {
        <div class="toolbar" role="toolbar" aria-label="Canvas">
            <div class="controls">
                <Control name="undo" label="Undo" title=undo glyph=Glyph::Undo disabled=no_undo on_press=move |()| editor.undo()/>
                <Control name="redo" label="Redo" title=redo glyph=Glyph::Redo disabled=no_redo on_press=move |()| editor.redo()/>
                <Control name="tidy" label="Tidy up" title="Tidy up (t)" glyph=Glyph::Tidy disabled=locked on_press=move |()| editor.tidy()/>
                <Control name="select" label="Drag selects" title="Drag selects (v)" glyph=Glyph::Select pressed=editor.selecting.into() on_press=move |()| editor.toggle_tool()/>
                <Control name="lock" label="Lock" title="Lock: nothing can be changed" glyph=Glyph::Lock pressed=locked.into() on_press=lock/>
            </div>
            <RunButton editor=root saver workflow/>
        </div>
    }
}

/// Saves what is not saved, then starts a run and goes to it.
#[component]
fn RunButton(editor: Editor, saver: Saver, workflow: WorkflowId) -> impl IntoView {
    let starter = use_starter();
    let saving = RwSignal::new(false);
    let toasts = use_toasts();
    let reason = Memo::new(move |_| match editor.errors() {
        0 if editor.drawing(|drawing| {
            !drawing
                .nodes
                .iter()
                .any(|node| node.known_kind().is_some_and(domain::kind::Kind::runs))
        }) =>
        {
            Some("Add a step first.".to_owned())
        }
        0 => None,
        1 => Some("1 error keeps it from running: see Problems below.".to_owned()),
        many => Some(format!(
            "{many} errors keep it from running: see Problems below."
        )),
    });
    let press = move |begin: fn(Starter, WorkflowId)| {
        saving.set(true);
        spawn_local(async move {
            let saved = saver.save_now().await;
            let _gone = saving.try_set(false);
            match saved {
                Ok(()) => begin(starter, workflow),
                Err(reason) => toasts.warn(format!(
                    "It was not started, because it could not be saved. {reason}"
                )),
            }
        });
    };
    let busy = Signal::derive(move || saving.get() || starter.busy().get());
    let cannot = Signal::derive(move || reason.with(Option::is_some));
    view! {
        <div class="run" title=move || reason.get()>
            <Button
                look=ButtonLook::Primary
                icon=Glyph::Play
                disabled=cannot
                busy
                on_press=move |()| press(Starter::ask)
            >
                "Run"
            </Button>
            <IconButton
                glyph=Glyph::Down
                label="Run with a budget"
                disabled=Signal::derive(move || cannot.get() || busy.get())
                on_press=move |()| press(Starter::ask_for_budget)
            />
            <span class="only-said">{move || reason.get()}</span>
        </div>
        <StarterDialog starter/>
    }
}
