//! What is not saved yet, kept in this browser: nothing is lost with a closed tab or a dead server.

use domain::graph::Drawing;
use leptos::{prelude::*, task::spawn_local};
use serde::{Deserialize, Serialize};

use super::{SaveState, Saver};
use crate::{api, canvas::edit::Edit};

/// What is kept in this browser while it is not saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// The version that it is based on.
    version: u32,
    drawing: Drawing,
}

impl Saver {
    fn key(self) -> String {
        format!("troupe.unsaved.{}", self.id)
    }

    /// Everything is stored: what is kept here is not needed any more.
    pub(super) fn forget(self) {
        storage_remove(&self.key());
    }

    /// Keeps the drawing here.
    pub(super) fn keep(self) {
        let kept = self.editor.document.try_with_untracked(|document| Kept {
            version: self.version.get_untracked(),
            drawing: document.drawing().clone(),
        });
        if let Some(Ok(text)) = kept.map(|kept| serde_json::to_string(&kept)) {
            storage_set(&self.key(), &text);
        }
    }

    /// What an earlier page could not save.
    pub(super) fn bring_back(self) {
        let text = storage_get(&self.key());
        let Some(kept) = text.and_then(|text| serde_json::from_str::<Kept>(&text).ok()) else {
            return;
        };
        let version = self.version.get_untracked();
        if self.editor.peek(|drawing| *drawing == kept.drawing) {
            self.forget();
            return;
        }
        self.editor.apply(Edit::Replace(Box::new(kept.drawing)));
        if kept.version == version {
            self.toasts
                .say("Changes that were not saved yet were kept in this browser; here they are.");
        } else {
            self.state.set(SaveState::Conflict {
                theirs: None,
                newest: version,
            });
            self.fetch_theirs();
        }
    }

    /// The page is left within the product: the last change goes out at once.
    pub(super) fn leave(self) {
        if let Some(timer) = self.timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
        if self.state.try_with_untracked(|state| !state.is_safe()) == Some(true) {
            self.keep();
        }
        let waiting = matches!(self.state.try_get_untracked(), Some(SaveState::Changed));
        let drawing = self
            .editor
            .document
            .try_with_untracked(|document| document.drawing().clone());
        if let (true, Some(drawing), Some(version)) =
            (waiting, drawing, self.version.try_get_untracked())
        {
            let (id, key) = (self.id, self.key());
            spawn_local(async move {
                if api::save_workflow(id, version, drawing).await.is_ok() {
                    storage_remove(&key);
                }
            });
        }
    }
}

// A browser that keeps nothing (private windows, a full disk) is no reason to stop.

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn storage_get(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

fn storage_set(key: &str, value: &str) {
    if let Some(storage) = storage() {
        let _kept = storage.set_item(key, value);
    }
}

fn storage_remove(key: &str) {
    if let Some(storage) = storage() {
        let _removed = storage.remove_item(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_as_it_was() {
        let (drawing, _) = Drawing::from_value(serde_json::json!({
            "troupe": 1, "name": "x", "nodes": [{"id": "a", "kind": "agent", "zzz": 1}], "later": true,
        }))
        .expect("an object");
        let kept = Kept {
            version: 3,
            drawing,
        };
        let text = serde_json::to_string(&kept).expect("text");
        assert_eq!(serde_json::from_str::<Kept>(&text).expect("kept"), kept);
    }
}
