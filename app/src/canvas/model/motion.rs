//! What moves by itself: the view on its way somewhere, nodes on their way into order, and the canvas
//! under a gesture at its edge. One step per frame.

use super::{Gesture, Model};
use crate::canvas::{
    geometry::{Point, at},
    viewport::{View, auto_pan},
};

const FLY_MS: f64 = 160.0;
const TIDY_MS: f64 = 240.0;
/// What `auto_pan` counts per frame of this length.
const FRAME_MS: f64 = 1000.0 / 60.0;

/// Something on its way.
#[derive(Debug)]
pub(super) enum Motion {
    View {
        from: View,
        to: View,
        since_ms: f64,
    },
    Nodes {
        moves: Vec<(u32, Point, Point)>,
        since_ms: f64,
    },
}

/// How a way is travelled: `ease(0) = 0`, `ease(1) = 1`, slow at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Easing;

impl Easing {
    /// The part of the way after this part of the time.
    pub fn out(t: f64) -> f64 {
        1.0 - (1.0 - t.clamp(0.0, 1.0)).powi(3)
    }
}

impl Model {
    /// Goes to a view, visibly.
    pub fn fly_to(&mut self, to: View, now_ms: f64) {
        if self.still || self.pane.w <= 0.0 {
            self.motion = None;
            self.set_view(to);
        } else if to != self.view {
            self.motion = Some(Motion::View {
                from: self.view,
                to,
                since_ms: now_ms,
            });
        }
    }

    /// The view that a flight ends at.
    pub(super) fn motion_target(&self) -> Option<View> {
        match &self.motion {
            Some(Motion::View { to, .. }) => Some(*to),
            Some(Motion::Nodes { .. }) | None => None,
        }
    }

    /// Lets nodes go from where they stood to where they stand now. More than a thousand just jump.
    pub fn glide_from(&mut self, before: Vec<(u32, Point)>, now_ms: f64) {
        let moves: Vec<_> = before
            .into_iter()
            .map(|(n, from)| {
                let rect = self.scene.rect(n);
                (n, from, at(rect.x, rect.y))
            })
            .filter(|(_, from, to)| from != to)
            .collect();
        if self.still || moves.is_empty() || moves.len() > 1_000 {
            return;
        }
        for (n, from, _) in &moves {
            self.scene.place(*n, *from);
        }
        self.motion = Some(Motion::Nodes {
            moves,
            since_ms: now_ms,
        });
        self.dirty.view = true;
    }

    /// Ends what is on its way, where it ends.
    pub fn settle(&mut self) {
        match self.motion.take() {
            Some(Motion::View { to, .. }) => self.set_view(to),
            Some(Motion::Nodes { moves, .. }) => {
                for (n, _, to) in moves {
                    self.scene.place(n, to);
                    self.dirty.moved.push(n);
                }
            }
            None => {}
        }
    }

    /// One frame. Says whether another one is needed.
    pub fn tick(&mut self, now_ms: f64, frame_ms: f64) -> bool {
        match &self.motion {
            Some(Motion::View { from, to, since_ms }) => {
                let t = (now_ms - since_ms) / FLY_MS;
                let view = from.towards(*to, self.pane, Easing::out(t));
                if t >= 1.0 {
                    self.motion = None;
                }
                self.set_view(view);
            }
            Some(Motion::Nodes { moves, since_ms }) => {
                let t = (now_ms - since_ms) / TIDY_MS;
                if t >= 1.0 {
                    self.settle();
                } else {
                    let share = Easing::out(t);
                    for (n, from, to) in moves {
                        let x = from.x + (to.x - from.x) * share;
                        let y = from.y + (to.y - from.y) * share;
                        self.scene.place(*n, at(x, y));
                        self.dirty.moved.push(*n);
                    }
                }
            }
            None => {}
        }
        let pulled = self.auto_pan(frame_ms);
        pulled || self.motion.is_some()
    }

    fn auto_pan(&mut self, frame_ms: f64) -> bool {
        let pulls = match &self.gesture {
            Gesture::Drag(_) | Gesture::Box { .. } => true,
            // What the wire has found must not slip away from below the pointer.
            Gesture::Wire { .. } => self.wire.as_ref().is_some_and(|wire| wire.target.is_none()),
            Gesture::Idle
            | Gesture::Press(_)
            | Gesture::Pan { .. }
            | Gesture::Resize { .. }
            | Gesture::Pinch { .. } => false,
        };
        if !pulls {
            return false;
        }
        let times = (frame_ms / FRAME_MS).clamp(0.0, 3.0);
        let (dx, dy) = (
            auto_pan(self.pointer.x, self.pane.w) * times,
            auto_pan(self.pointer.y, self.pane.h) * times,
        );
        if dx == 0.0 && dy == 0.0 {
            return false;
        }
        self.set_view(self.view.panned(dx, dy));
        let pointer = self.pointer;
        self.drag_to(pointer);
        true
    }
}
