//! A new connection on its way: by dragging, by two clicks, or by keys. What it may lead to is worked
//! out once, when it begins.

use std::collections::VecDeque;

use domain::{
    graph::{Drawing, topology::Reach},
    id::PortName,
    kind::Kind,
};

use super::{Ask, Model};
use crate::canvas::{
    edge_path::Curve,
    edit::{Edit, PortRef},
    geometry::Point,
    scene::{Direction, Hit, NOWHERE},
};

/// How near (canvas pixels) a wire must be to a port to snap to it.
const SNAP: f64 = 20.0;

/// Where a wire begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireStart {
    /// At a port that goes out.
    Out(u32, usize),
    /// At the port of a node that things come in by: drawn backwards.
    In(u32),
}

/// What draws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireBy {
    /// A pointer that is held.
    Drag,
    /// A click at either end.
    Click,
    /// The keyboard.
    Keys,
}

/// A connection on its way.
#[derive(Debug)]
pub struct Wire {
    /// Where it begins.
    pub start: WireStart,
    /// What draws it.
    pub by: WireBy,
    /// Where its loose end is.
    pub loose: Point,
    /// The port that it has snapped to.
    pub target: Option<Hit>,
    /// Why it cannot end at that port.
    pub refusal: Option<String>,
    reach: Reach,
    legal: Vec<bool>,
}

impl Wire {
    /// Whether it may end at this node, as far as can be said before the port is known.
    pub fn legal(&self, node: u32) -> bool {
        self.legal.get(node as usize).copied().unwrap_or(false)
    }

    /// The node that it begins at.
    pub fn node(&self) -> u32 {
        match self.start {
            WireStart::Out(n, _) | WireStart::In(n) => n,
        }
    }

    fn backwards(&self) -> bool {
        matches!(self.start, WireStart::In(_))
    }
}

impl Model {
    /// Begins a wire.
    pub fn start_wire(&mut self, drawing: &Drawing, start: WireStart, by: WireBy) {
        if !self.may_edit() {
            return;
        }
        let reach = Reach::new(drawing);
        let legal = match start {
            WireStart::Out(n, port) => {
                let Some(port) = self.port_ref(n, port) else {
                    return;
                };
                let targets = reach.targets(&port.node, &port.port);
                self.scene
                    .ids
                    .iter()
                    .map(|id| targets.contains(&**id))
                    .collect()
            }
            WireStart::In(n) => self.legal_sources(n),
        };
        let loose = match start {
            WireStart::Out(n, port) => self.scene.port_out_at(n, port).unwrap_or_default(),
            WireStart::In(n) => self.scene.port_in_at(n),
        };
        self.wire = Some(Wire {
            start,
            by,
            loose,
            target: None,
            refusal: None,
            reach,
            legal,
        });
        self.dirty.overlay = true;
        self.dirty.legal = true;
        if by == WireBy::Keys {
            self.say(format!(
                "Connecting {} {}. Arrow keys choose a step, Enter connects, Escape ends.",
                if matches!(start, WireStart::In(_)) {
                    "to"
                } else {
                    "from"
                },
                self.title_of(drawing, start),
            ));
            self.aim(Direction::Right, drawing);
        }
    }

    fn title_of(&self, drawing: &Drawing, start: WireStart) -> String {
        let (WireStart::Out(n, _) | WireStart::In(n)) = start;
        drawing
            .nodes
            .get(n as usize)
            .map(|node| node.title().to_owned())
            .unwrap_or_default()
    }

    /// Nodes that an edge to `to` may come from: all but those that come after it.
    fn legal_sources(&self, to: u32) -> Vec<bool> {
        let mut legal: Vec<bool> = self
            .scene
            .kinds
            .iter()
            .map(|kind| *kind != Some(Kind::Note))
            .collect();
        let mut waiting = VecDeque::from([to]);
        legal[to as usize] = false;
        while let Some(n) = waiting.pop_front() {
            for e in self.scene.edges_of(n) {
                let (from, next) = self.scene.ends(*e);
                if from == n
                    && next != NOWHERE
                    && std::mem::replace(&mut legal[next as usize], false)
                {
                    waiting.push_back(next);
                }
            }
        }
        legal
    }

    /// The loose end follows the pointer and snaps to what is near.
    pub(super) fn wire_follows(&mut self, screen: Point) {
        let Some(wire) = &self.wire else {
            return;
        };
        if wire.by == WireBy::Keys {
            return;
        }
        let p = self.view.to_canvas(screen);
        let (start, backwards) = (wire.start, wire.backwards());
        let (WireStart::Out(own, _) | WireStart::In(own)) = start;
        let away = |hit: &Hit| !matches!(hit, Hit::PortIn(n) | Hit::PortOut(n, _) if *n == own);
        let target = self.scene.wire_end(p, SNAP, backwards).filter(away);
        self.wire_to(p, target);
    }

    fn wire_to(&mut self, loose: Point, target: Option<Hit>) {
        let place = target.map(|target| self.scene.port_place(target));
        let refusal = target
            .and_then(|target| self.ends(target))
            .and_then(|(from, to)| {
                let wire = self.wire.as_ref()?;
                wire.reach
                    .connect(&from.node, &from.port, &to)
                    .err()
                    .map(|refusal| refusal.to_string())
            });
        if let Some(wire) = &mut self.wire {
            wire.loose = place.filter(|_| refusal.is_none()).unwrap_or(loose);
            wire.target = target;
            wire.refusal = refusal;
            self.dirty.overlay = true;
        }
    }

    /// What an edge would join if the wire ended at this port.
    fn ends(&self, target: Hit) -> Option<(PortRef, String)> {
        let id = |n: u32| self.scene.ids[n as usize].to_string();
        let (n, port, to) = match (self.wire.as_ref()?.start, target) {
            (WireStart::Out(n, port), Hit::PortIn(to))
            | (WireStart::In(to), Hit::PortOut(n, port)) => (n, port, to),
            (
                WireStart::Out(..) | WireStart::In(_),
                Hit::PortIn(_)
                | Hit::PortOut(..)
                | Hit::Node(_)
                | Hit::Corner(_)
                | Hit::Edge(_)
                | Hit::Pane,
            ) => return None,
        };
        Some((self.port_ref(n, port)?, id(to)))
    }

    /// The line to paint: from the port that goes out to the one that comes in.
    pub fn wire_curve(&self) -> Option<Curve> {
        let wire = self.wire.as_ref()?;
        match wire.start {
            WireStart::Out(n, port) => {
                Some(Curve::between(self.scene.port_out_at(n, port)?, wire.loose))
            }
            WireStart::In(n) => Some(Curve::between(wire.loose, self.scene.port_in_at(n))),
        }
    }

    /// The wire is let go.
    pub(super) fn drop_wire(&mut self, screen: Point) {
        let Some(wire) = &self.wire else {
            return;
        };
        let (start, by) = (wire.start, wire.by);
        if let Some(target) = wire.target {
            let refusal = wire.refusal.clone();
            match (refusal, self.ends(target)) {
                (None, Some((from, to))) => self.connect(from, to),
                (Some(reason), _) => self.asks.push(Ask::Refused(reason)),
                (None, None) => {}
            }
            self.end_wire();
            return;
        }
        // Let go on its own node or port: a slip of the hand, not a wish.
        let home = self.view.to_screen(self.scene.port_place(match start {
            WireStart::Out(n, port) => Hit::PortOut(n, port),
            WireStart::In(n) => Hit::PortIn(n),
        }));
        if self.hit(screen) == Hit::Pane && home.distance(screen) > SNAP {
            let place = self.view.to_canvas(screen);
            let (from, to) = match start {
                WireStart::Out(n, port) => (self.port_ref(n, port), None),
                WireStart::In(n) => (None, Some(self.scene.ids[n as usize].to_string())),
            };
            self.asks.push(Ask::Palette {
                screen,
                place,
                from,
                to,
            });
        } else if by == WireBy::Drag && home.distance(screen) <= SNAP / 2.0 {
            // The hand shook while it clicked: go on as if it had been a click.
            if let Some(wire) = &mut self.wire {
                wire.by = WireBy::Click;
            }
            return;
        }
        self.end_wire();
    }

    fn connect(&mut self, from: PortRef, to: String) {
        let said = format!(
            "Connected {} to {to}",
            if from.port == PortName::OUT {
                from.node.clone()
            } else {
                format!("{} at {}", from.node, from.port)
            }
        );
        self.asks.push(Ask::Edit(Edit::Connect { from, to }));
        self.say(said);
    }

    /// There is no wire any more.
    pub fn end_wire(&mut self) {
        if self.wire.take().is_some() {
            self.dirty.overlay = true;
            self.dirty.legal = true;
        }
    }

    // ------------------------------------------------------------------------------ by keyboard

    /// The next legal target in a direction.
    pub fn aim(&mut self, direction: Direction, drawing: &Drawing) {
        let Some(wire) = &self.wire else {
            return;
        };
        let from = match wire.target {
            Some(Hit::PortIn(n) | Hit::PortOut(n, _)) => self.scene.rect(n).centre(),
            Some(_) | None => self.scene.rect(wire.node()).centre(),
        };
        let next = self
            .scene
            .next(from, direction, |n| wire.legal(n))
            .or_else(|| {
                // The first aim has to find something, wherever it stands.
                let any = || (0..self.scene.nodes() as u32).filter(|n| wire.legal(*n));
                let far = |n: &u32| self.scene.rect(*n).centre().distance(from);
                if wire.target.is_none() {
                    any().min_by(|a, b| far(a).total_cmp(&far(b)))
                } else {
                    None
                }
            });
        match next {
            Some(n) => self.aim_at(n, drawing),
            None => self.say("There is no step that way that this can lead to."),
        }
    }

    /// The next legal target in reading order, or the one before.
    pub fn aim_next(&mut self, back: bool, drawing: &Drawing) {
        let Some(wire) = &self.wire else {
            return;
        };
        let mut legal: Vec<u32> = (0..self.scene.nodes() as u32)
            .filter(|n| wire.legal(*n))
            .collect();
        legal.sort_by(|a, b| {
            let (a, b) = (self.scene.rect(*a), self.scene.rect(*b));
            a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y))
        });
        let now = match wire.target {
            Some(Hit::PortIn(n) | Hit::PortOut(n, _)) => legal.iter().position(|known| *known == n),
            Some(_) | None => None,
        };
        let count = legal.len();
        let next = match (now, back) {
            (_, _) if count == 0 => None,
            (Some(now), false) => legal.get((now + 1) % count),
            (Some(now), true) => legal.get((now + count - 1) % count),
            (None, false) => legal.first(),
            (None, true) => legal.last(),
        };
        match next.copied() {
            Some(n) => self.aim_at(n, drawing),
            None => self.say("There is no step that this can lead to."),
        }
    }

    fn aim_at(&mut self, n: u32, drawing: &Drawing) {
        let backwards = self.wire.as_ref().is_some_and(Wire::backwards);
        let target = if backwards {
            Hit::PortOut(n, 0)
        } else {
            Hit::PortIn(n)
        };
        self.wire_to(self.scene.port_place(target), Some(target));
        let rect = self.scene.rect(n);
        if !self.far() {
            self.set_view(self.view.revealing(rect, self.pane, 32.0));
        }
        let title = drawing
            .nodes
            .get(n as usize)
            .map(|node| node.title().to_owned())
            .unwrap_or_default();
        self.say(title);
    }

    /// Enter: ends the wire at what it aims at.
    pub fn land(&mut self) {
        let place = self
            .wire
            .as_ref()
            .map(|wire| self.view.to_screen(wire.loose));
        if let Some(place) = place
            && self.wire.as_ref().is_some_and(|wire| wire.target.is_some())
        {
            self.drop_wire(place);
        }
    }
}
