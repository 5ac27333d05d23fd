//! A drawing while it is edited: the drawing, its history, and what changed since somebody last looked.

use domain::graph::Drawing;
use serde_json::Value;

use super::{
    edit::Edit,
    history::History,
    op::{Touched, apply_all},
};

/// A drawing that is being edited.
#[derive(Debug, Clone, Default)]
pub struct Document {
    drawing: Drawing,
    history: History,
    touched: Touched,
    revision: u64,
}

/// What an edit did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applied {
    /// Whether anything is different now.
    pub changed: bool,
    /// Ids of nodes that came into being.
    pub created: Vec<String>,
}

impl Document {
    /// A document without a past.
    pub fn new(drawing: Drawing) -> Self {
        Self {
            drawing,
            ..Self::default()
        }
    }

    /// The drawing as it is now.
    pub fn drawing(&self) -> &Drawing {
        &self.drawing
    }

    /// Counts every change, undo and redo included.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Does it, or says why not.
    pub fn apply(&mut self, edit: Edit, now_ms: f64) -> Result<Applied, String> {
        let (label, key) = (edit.label(), edit.coalesces_as());
        let plan = edit.plan(&self.drawing)?;
        if plan.ops.is_empty() {
            return Ok(Applied::default());
        }
        let back = apply_all(&mut self.drawing, plan.ops, &mut self.touched);
        self.history.record(label, back, key, now_ms);
        self.revision += 1;
        Ok(Applied {
            changed: true,
            created: plan.created,
        })
    }

    /// Takes the last step back; returns what it was.
    pub fn undo(&mut self) -> Option<String> {
        let label = self
            .history
            .undo(|ops| apply_all(&mut self.drawing, ops, &mut self.touched))?;
        self.revision += 1;
        Some(label)
    }

    /// Does the step again that was taken back; returns what it was.
    pub fn redo(&mut self) -> Option<String> {
        let label = self
            .history
            .redo(|ops| apply_all(&mut self.drawing, ops, &mut self.touched))?;
        self.revision += 1;
        Some(label)
    }

    /// What can be taken back and done again.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The next edit begins a step of its own.
    pub fn part(&mut self) {
        self.history.part();
    }

    /// What changed since this was last asked.
    pub fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }
}

/// A drawing as the value of a `body` key: what a file holds besides, a body does not need.
pub fn body_value(body: &Drawing) -> Value {
    let mut value = body.to_value();
    if let Some(file) = value.as_object_mut() {
        file.shift_remove("troupe");
        for (key, idle) in [
            ("name", body.name.is_empty()),
            ("description", body.description.is_empty()),
            ("inputs", body.inputs.is_empty()),
        ] {
            if idle {
                file.shift_remove(key);
            }
        }
    }
    value
}

#[cfg(test)]
mod tests;
