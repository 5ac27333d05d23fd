//! What a command of the keyboard does.

use domain::graph::{Drawing, DrawnEdge};

use super::{Ask, Model, WireBy};
use crate::canvas::{
    edit::Edit,
    geometry::{Point, Rect},
    keyboard::Command,
    scene::Direction,
    viewport::ZOOM_STEP,
};

impl Model {
    /// Does it. Says whether it meant anything here: if not, the key is somebody else's.
    pub fn command(&mut self, command: Command, drawing: &Drawing, now_ms: f64) -> bool {
        if self
            .wire
            .as_ref()
            .is_some_and(|wire| wire.by == WireBy::Keys)
            && let Some(done) = self.wire_command(command, drawing)
        {
            return done;
        }
        match command {
            Command::Escape => return self.escape(),
            Command::Fit => self.fit(now_ms),
            Command::FitSelection => self.fit_selection(now_ms),
            Command::ZoomReset => self.zoom_reset(now_ms),
            Command::ZoomIn => self.zoom_by(ZOOM_STEP, now_ms),
            Command::ZoomOut => self.zoom_by(1.0 / ZOOM_STEP, now_ms),
            Command::Minimap => self.asks.push(Ask::ToggleMinimap),
            Command::Arrow(direction, far) => return self.arrow(direction, far, drawing, now_ms),
            Command::Activate => return self.activate(),
            Command::Undo if self.editable => self.asks.push(Ask::Undo),
            Command::Redo if self.editable => self.asks.push(Ask::Redo),
            Command::SelectAll if self.editable => {
                self.select_all();
                let count = self.scene.selected_count();
                self.say(format!("{count} selected"));
            }
            Command::Tool if self.editable => self.asks.push(Ask::ToggleTool),
            Command::Rename if self.editable => {
                match self.scene.selected().next().or(self.active) {
                    Some(n) => self.asks.push(Ask::Rename(n)),
                    None => match self.scene.selected_edges().next() {
                        Some(e) => self.asks.push(Ask::Label(e)),
                        None => return false,
                    },
                }
            }
            Command::Delete if self.may_edit() => return self.delete(drawing),
            Command::Duplicate if self.may_edit() => self.asks.push(Ask::Duplicate),
            Command::Disable if self.may_edit() => self.asks.push(Ask::ToggleDisabled),
            Command::Tidy if self.may_edit() => self.asks.push(Ask::Tidy),
            Command::Add if self.may_edit() => self.ask_palette(),
            Command::Undo
            | Command::Redo
            | Command::SelectAll
            | Command::Tool
            | Command::Rename
            | Command::Delete
            | Command::Duplicate
            | Command::Disable
            | Command::Tidy
            | Command::Add
            | Command::NextTarget(_) => return false,
        }
        true
    }

    fn wire_command(&mut self, command: Command, drawing: &Drawing) -> Option<bool> {
        match command {
            Command::Arrow(direction, _) => self.aim(direction, drawing),
            Command::NextTarget(back) => self.aim_next(back, drawing),
            Command::Activate => self.land(),
            Command::Escape => {
                self.end_wire();
                self.say("Not connected.");
            }
            Command::Fit
            | Command::FitSelection
            | Command::ZoomReset
            | Command::ZoomIn
            | Command::ZoomOut
            | Command::Minimap
            | Command::Undo
            | Command::Redo
            | Command::SelectAll
            | Command::Tool
            | Command::Rename
            | Command::Delete
            | Command::Duplicate
            | Command::Disable
            | Command::Tidy
            | Command::Add => return None,
        }
        Some(true)
    }

    fn escape(&mut self) -> bool {
        if self.busy() || self.wire.is_some() {
            self.cancel();
            return true;
        }
        if self.scene.selected_count() > 0 || self.scene.selected_edges().next().is_some() {
            self.clear_selection();
            return true;
        }
        false
    }

    fn delete(&mut self, drawing: &Drawing) -> bool {
        let nodes: Vec<String> = self
            .scene
            .selected()
            .map(|n| self.scene.ids[n as usize].to_string())
            .collect();
        let chosen = self
            .scene
            .selected_edges()
            .filter_map(|e| drawing.edges.get(e as usize));
        let edges: Vec<String> = chosen.map(DrawnEdge::id).collect();
        if nodes.is_empty() && edges.is_empty() {
            return false;
        }
        self.asks.push(Ask::Edit(Edit::Remove { nodes, edges }));
        true
    }

    /// Arrow keys move what is selected; with nothing selected they go from node to node.
    fn arrow(&mut self, direction: Direction, far: bool, drawing: &Drawing, now_ms: f64) -> bool {
        if self.scene.selected_count() > 0 && self.may_edit() {
            let by = if far { 4.0 } else { 1.0 };
            let (dx, dy) = match direction {
                Direction::Left => (-by, 0.0),
                Direction::Right => (by, 0.0),
                Direction::Up => (0.0, -by),
                Direction::Down => (0.0, by),
            };
            self.nudge(dx, dy);
            return true;
        }
        let next = match self.active {
            Some(n) => self
                .scene
                .next(self.scene.rect(n).centre(), direction, |_| true),
            None => self.scene.first(),
        };
        let Some(n) = next else {
            return self.active.is_some();
        };
        self.set_active(Some(n));
        self.reveal(n, now_ms);
        self.asks.push(Ask::Focus(n));
        if !self.editable {
            // Watching: the panel follows the keys.
            self.select_only(&[n]);
        }
        if self.far() {
            let title = drawing
                .nodes
                .get(n as usize)
                .map(|node| node.title().to_owned());
            self.say(title.unwrap_or_default());
        }
        true
    }

    /// Enter or Space on a node selects it.
    fn activate(&mut self) -> bool {
        let Some(n) = self.active else {
            return false;
        };
        self.select_only(&[n]);
        true
    }

    /// Offers what can be added, at the pointer if it is on the canvas.
    fn ask_palette(&mut self) {
        let inside = Rect {
            x: 0.0,
            y: 0.0,
            w: self.pane.w,
            h: self.pane.h,
        }
        .holds(self.pointer);
        let screen = if inside && self.pointer != Point::default() {
            self.pointer
        } else {
            self.pane.centre()
        };
        let place = self.view.to_canvas(screen);
        self.asks.push(Ask::Palette {
            screen,
            place,
            from: None,
            to: None,
        });
    }
}
