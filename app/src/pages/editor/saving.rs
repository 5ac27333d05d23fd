//! Saving by itself: a moment after the last change, again and again while the server cannot be
//! reached, never over somebody else's version. What is not saved yet is kept in this browser.

mod kept;

use std::time::Duration;

use domain::{graph::Drawing, id::WorkflowId};
use leptos::{prelude::*, task::spawn_local};

use super::state::Editor;
use crate::{
    api,
    api::dto::WorkflowDetail,
    canvas::edit::Edit,
    components::toast::{Toasts, use_toasts},
    error::{ApiError, ErrorKind},
};

/// How long nothing must change before it is saved.
const SAVE_AFTER: Duration = Duration::from_millis(800);

/// Where saving stands.
#[derive(Debug, Clone, PartialEq)]
pub enum SaveState {
    /// Everything is stored; when it was, by this browser's clock, where it was since the page came.
    Saved {
        /// Milliseconds since 1970.
        at_ms: Option<f64>,
    },
    /// Something has changed and will be saved in a moment.
    Changed,
    /// On its way.
    Saving,
    /// The server could not be reached or could not store it; tried again by itself.
    Failed {
        /// Tries that failed in a row.
        attempt: u32,
        /// What happened.
        reason: String,
    },
    /// The server will not store this; the next change is the next try.
    Refused {
        /// Why.
        reason: String,
    },
    /// Somebody else was faster.
    Conflict {
        /// Their version, once it is known.
        theirs: Option<Box<WorkflowDetail>>,
        /// Its number.
        newest: u32,
    },
}

impl SaveState {
    /// Whether closing the page now would lose nothing.
    pub fn is_safe(&self) -> bool {
        match self {
            SaveState::Saved { .. } => true,
            SaveState::Changed
            | SaveState::Saving
            | SaveState::Failed { .. }
            | SaveState::Refused { .. }
            | SaveState::Conflict { .. } => false,
        }
    }
}

/// Saves one workflow.
#[derive(Clone, Copy)]
pub struct Saver {
    /// Where it stands.
    pub state: RwSignal<SaveState>,
    /// The version that is edited.
    pub version: RwSignal<u32>,
    id: WorkflowId,
    editor: Editor,
    /// The revision of the document that is stored.
    stored: StoredValue<u64>,
    /// What was sent and never answered, with its revision: it may be stored all the same.
    unanswered: StoredValue<Option<(u64, Drawing)>>,
    timer: StoredValue<Option<TimeoutHandle>>,
    toasts: Toasts,
}

impl Saver {
    /// Begins with a version that is stored.
    pub fn new(id: WorkflowId, version: u32, editor: Editor) -> Self {
        let saver = Self {
            state: RwSignal::new(SaveState::Saved { at_ms: None }),
            version: RwSignal::new(version),
            id,
            editor,
            stored: StoredValue::new(
                editor
                    .document
                    .with_untracked(|document| document.revision()),
            ),
            unanswered: StoredValue::new(None),
            timer: StoredValue::new(None),
            toasts: use_toasts(),
        };
        // Before the first change counts: what an earlier page could not save.
        Effect::new(move |_| saver.bring_back());
        Effect::new(move |_| {
            let revision = editor.document.read().revision();
            if revision != saver.stored.get_value() {
                saver.changed();
            }
        });
        Effect::new(move |_| {
            let listener = window_event_listener(leptos::ev::beforeunload, move |event| {
                if saver
                    .state
                    .try_with_untracked(|state| !state.is_safe())
                    .unwrap_or(false)
                {
                    saver.keep();
                    event.prevent_default();
                    event.set_return_value("Not everything is saved.");
                }
            });
            on_cleanup(move || listener.remove());
        });
        on_cleanup(move || saver.leave());
        saver
    }

    fn changed(self) {
        self.state.update(|state| match state {
            // While somebody decides what to do with two versions, nothing is stored.
            SaveState::Conflict { .. } | SaveState::Saving => {}
            SaveState::Saved { .. }
            | SaveState::Changed
            | SaveState::Failed { .. }
            | SaveState::Refused { .. } => *state = SaveState::Changed,
        });
        if matches!(self.state.get_untracked(), SaveState::Changed) {
            self.after(SAVE_AFTER);
        }
    }

    fn after(self, wait: Duration) {
        if let Some(timer) = self.timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
        let start = move || spawn_local(async move { self.save().await });
        self.timer
            .set_value(set_timeout_with_handle(start, wait).ok());
    }

    /// Saves now, and again until nothing is left to save. `Err` says why that did not work.
    pub async fn save_now(self) -> Result<(), String> {
        for _ in 0..8 {
            match self.state.get_untracked() {
                SaveState::Saved { .. } => return Ok(()),
                SaveState::Saving => sleep(Duration::from_millis(60)).await,
                SaveState::Conflict { .. } => {
                    return Err(
                        "It was changed elsewhere: decide first which version counts.".into(),
                    );
                }
                SaveState::Changed | SaveState::Failed { .. } | SaveState::Refused { .. } => {
                    self.save().await
                }
            }
            if let SaveState::Failed { reason, .. } | SaveState::Refused { reason } =
                self.state.get_untracked()
            {
                return Err(reason);
            }
        }
        if self.state.get_untracked().is_safe() {
            Ok(())
        } else {
            Err("It could not be saved in time.".into())
        }
    }

    async fn save(self) {
        let Some(state) = self.state.try_get_untracked() else {
            return;
        };
        let attempt = match state {
            SaveState::Saving | SaveState::Conflict { .. } | SaveState::Saved { .. } => return,
            SaveState::Failed { attempt, .. } => attempt,
            SaveState::Changed | SaveState::Refused { .. } => 0,
        };
        self.keep();
        self.state.set(SaveState::Saving);
        let (revision, drawing) = self
            .editor
            .document
            .with_untracked(|document| (document.revision(), document.drawing().clone()));
        let version = self.version.get_untracked();
        let result = api::save_workflow(self.id, version, drawing.clone()).await;
        if self.state.is_disposed() {
            return;
        }
        match result {
            Ok(saved) => self.saved(saved.version, revision),
            Err(error) => {
                if error.kind == ErrorKind::Unreachable {
                    self.unanswered.set_value(Some((revision, drawing)));
                }
                self.failed(error, attempt + 1);
            }
        }
    }

    fn saved(self, version: u32, revision: u64) {
        self.unanswered.set_value(None);
        self.version.set(version);
        self.stored.set_value(revision);
        let now = self
            .editor
            .document
            .with_untracked(|document| document.revision());
        if now == revision {
            self.state.set(SaveState::Saved {
                at_ms: Some(js_sys::Date::now()),
            });
            self.forget();
        } else {
            self.state.set(SaveState::Changed);
            self.after(SAVE_AFTER);
        }
    }

    fn failed(self, error: ApiError, attempt: u32) {
        match error.kind {
            ErrorKind::Conflict => {
                let newest = error
                    .detail
                    .get("newest")
                    .and_then(|newest| newest.as_u64());
                let newest = newest
                    .and_then(|newest| u32::try_from(newest).ok())
                    .unwrap_or_default();
                self.state.set(SaveState::Conflict {
                    theirs: None,
                    newest,
                });
                self.fetch_theirs();
            }
            ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::Unreachable => {
                self.state.set(SaveState::Failed {
                    attempt,
                    reason: error.message,
                });
                self.after(backoff(attempt));
            }
            ErrorKind::BadRequest
            | ErrorKind::Unauthorised
            | ErrorKind::Forbidden
            | ErrorKind::NotFound
            | ErrorKind::TooLarge
            | ErrorKind::Invalid
            | ErrorKind::PreconditionRequired => {
                self.state.set(SaveState::Refused {
                    reason: error.message,
                });
            }
        }
    }

    // ----------------------------------------------------------------------------------- conflicts

    fn fetch_theirs(self) {
        spawn_local(async move {
            let found = api::workflow(self.id, None).await;
            if let Ok(detail) = &found
                && let Some(Some((revision, sent))) = self.unanswered.try_get_value()
                && sent == detail.drawing
            {
                // It was ours, and only the answer was lost.
                self.saved(detail.version, revision);
                return;
            }
            let _gone = self.state.try_update(|state| {
                if let (SaveState::Conflict { theirs, newest }, Ok(detail)) = (state, found) {
                    *newest = detail.version;
                    *theirs = Some(Box::new(detail));
                }
            });
        });
    }

    /// The stored version replaces ours. Undo brings ours back.
    pub fn take_theirs(self) {
        let SaveState::Conflict {
            theirs: Some(detail),
            ..
        } = self.state.get_untracked()
        else {
            self.fetch_theirs();
            return;
        };
        let WorkflowDetail {
            version, drawing, ..
        } = *detail;
        self.version.set(version);
        self.editor.apply(Edit::Replace(Box::new(drawing)));
        self.stored.set_value(
            self.editor
                .document
                .with_untracked(|document| document.revision()),
        );
        self.state.set(SaveState::Saved { at_ms: None });
        self.forget();
        self.toasts
            .say("This is their version now. Undo brings yours back.");
    }

    /// Ours is stored on top of theirs.
    pub fn keep_mine(self) {
        let SaveState::Conflict { newest, .. } = self.state.get_untracked() else {
            return;
        };
        self.version.set(newest);
        self.state.set(SaveState::Changed);
        self.after(Duration::ZERO);
    }
}

/// How long to wait after so many failures in a row.
fn backoff(attempt: u32) -> Duration {
    Duration::from_secs(1 << attempt.saturating_sub(1).min(5)).min(Duration::from_secs(30))
}

async fn sleep(time: Duration) {
    gloo_timers::future::TimeoutFuture::new(u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_again_soon_and_then_less_often() {
        let waits: Vec<u64> = (1..=8).map(|attempt| backoff(attempt).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn only_what_is_saved_is_safe() {
        assert!(SaveState::Saved { at_ms: None }.is_safe());
        assert!(
            !SaveState::Failed {
                attempt: 1,
                reason: String::new()
            }
            .is_safe()
        );
        assert!(
            !SaveState::Conflict {
                theirs: None,
                newest: 2
            }
            .is_safe()
        );
    }
}
