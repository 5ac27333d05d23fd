//! Moving nodes: by a pointer, by arrow keys; and what else follows a pointer that is held.

use std::collections::HashSet;

use super::{Ask, Gesture, Model, PointerInput, snapped};
use crate::canvas::{
    edit::Edit,
    geometry::{GRID, NOTE_MIN, Point, Rect, at, snap},
};

/// Nodes on their way.
#[derive(Debug)]
pub(super) struct Drag {
    pub(super) pointer: i32,
    /// Where the pointer was, on the canvas.
    from: Point,
    /// The node that was grabbed: the selection snaps as it does.
    grabbed: Point,
    /// Where the nodes stood.
    pub(super) starts: Vec<(u32, Point)>,
    pub(super) free: bool,
}

impl Drag {
    /// The nodes that are dragged.
    pub(super) fn nodes(&self) -> impl Iterator<Item = u32> {
        self.starts.iter().map(|(n, _)| *n)
    }
}

impl Model {
    pub(super) fn grab(&mut self, node: u32, input: PointerInput, from: Point) -> Gesture {
        if !self.scene.is_selected(node) {
            if input.mods.shift || input.mods.ctrl {
                self.select(node, true);
            } else {
                self.select_only(&[node]);
            }
        }
        self.set_active(Some(node));
        let start = |n: u32| {
            let rect = self.scene.rect(n);
            (n, at(rect.x, rect.y))
        };
        let starts = self.scene.selected().map(start).collect();
        Gesture::Drag(Drag {
            pointer: input.id,
            from,
            grabbed: start(node).1,
            starts,
            free: input.mods.alt,
        })
    }

    /// Carries the gesture to a point of the screen.
    pub(super) fn drag_to(&mut self, screen: Point) {
        let p = self.view.to_canvas(screen);
        match &mut self.gesture {
            Gesture::Pan { last, .. } => {
                let (dx, dy) = (screen.x - last.x, screen.y - last.y);
                *last = screen;
                self.set_view(self.view.panned(dx, dy));
            }
            Gesture::Box { from, kept, .. } => {
                let area = Rect::between(*from, p);
                let kept = kept.clone();
                let corner = self.view.to_screen(at(area.x, area.y));
                self.box_ = Some(Rect {
                    x: corner.x,
                    y: corner.y,
                    w: area.w * self.view.z,
                    h: area.h * self.view.z,
                });
                self.dirty.overlay = true;
                self.select_in(area, &kept);
            }
            Gesture::Drag(drag) => {
                let mut goal = at(
                    drag.grabbed.x + p.x - drag.from.x,
                    drag.grabbed.y + p.y - drag.from.y,
                );
                if !drag.free {
                    goal = snapped(goal);
                }
                let (dx, dy) = (goal.x - drag.grabbed.x, goal.y - drag.grabbed.y);
                for (n, start) in &drag.starts {
                    self.scene.place(*n, start.plus(dx, dy));
                    self.dirty.moved.push(*n);
                }
            }
            Gesture::Resize { node, before, .. } => {
                let w = snap(p.x - before.x).max(NOTE_MIN.0);
                let h = snap(p.y - before.y).max(NOTE_MIN.1);
                let node = *node;
                self.scene.resize(node, (w, h));
                self.dirty.moved.push(node);
            }
            Gesture::Wire { .. } => self.wire_follows(screen),
            Gesture::Idle | Gesture::Press(_) | Gesture::Pinch { .. } => {}
        }
    }

    fn select_in(&mut self, area: Rect, kept: &[u32]) {
        let mut found = Vec::new();
        self.scene.nodes_in(area, &mut found);
        let wanted: HashSet<u32> = found.iter().chain(kept).copied().collect();
        let gone: Vec<u32> = self
            .scene
            .selected()
            .filter(|n| !wanted.contains(n))
            .collect();
        for n in gone {
            self.select(n, false);
        }
        for n in wanted {
            self.select(n, true);
        }
    }

    pub(super) fn drop_nodes(&mut self, drag: Drag) {
        let moved: Vec<(String, Point)> = drag
            .starts
            .iter()
            .map(|(n, _)| {
                let rect = self.scene.rect(*n);
                (self.scene.ids[*n as usize].to_string(), at(rect.x, rect.y))
            })
            .collect();
        if drag.starts.iter().any(|(n, start)| {
            let rect = self.scene.rect(*n);
            (rect.x, rect.y) != (start.x, start.y)
        }) {
            self.asks.push(Ask::Edit(Edit::Move(moved)));
        }
    }

    /// Arrow keys: moves the selected nodes.
    pub fn nudge(&mut self, dx: f64, dy: f64) {
        let moved: Vec<(String, Point)> = self
            .scene
            .selected()
            .map(|n| {
                let rect = self.scene.rect(n);
                (
                    self.scene.ids[n as usize].to_string(),
                    at(rect.x + dx * GRID, rect.y + dy * GRID),
                )
            })
            .collect();
        let Some((_, first)) = moved.first() else {
            return;
        };
        let text = if moved.len() == 1 {
            format!("Moved to x {}, y {}", first.x, first.y)
        } else {
            format!(
                "Moved {} nodes, the first to x {}, y {}",
                moved.len(),
                first.x,
                first.y
            )
        };
        self.asks.push(Ask::Edit(Edit::Move(moved)));
        self.say(text);
    }
}
