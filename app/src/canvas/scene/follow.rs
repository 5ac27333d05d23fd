//! How a scene follows its drawing: built once, then changed where the drawing was.

use std::{collections::HashMap, sync::Arc};

use domain::{
    graph::{Drawing, DrawnEdge, DrawnNode},
    kind::Kind,
};

use super::{Changed, NOWHERE, OutPort, Scene};
use crate::canvas::{
    edge_path::Curve,
    geometry::{HEAD_PORT_Y, at, port_out_y, size_of},
    op::Touched,
    status::Tint,
};

impl Scene {
    /// Takes over what changed in the drawing. Selected nodes stay selected.
    pub fn update(&mut self, drawing: &Drawing, touched: &Touched) -> Changed {
        if touched.structure
            || drawing.nodes.len() != self.nodes()
            || drawing.edges.len() != self.edges()
        {
            self.rebuild(drawing);
            return Changed {
                all: true,
                ..Changed::default()
            };
        }
        let mut changed = Changed::default();
        for n in &touched.nodes {
            if let Some(node) = drawing.nodes.get(*n) {
                self.update_node(*n as u32, node, drawing, &mut changed);
            }
        }
        for e in &touched.edges {
            let Some(edge) = drawing.edges.get(*e) else {
                continue;
            };
            let e = *e as u32;
            let (from, to, ..) = self.attach(edge);
            if (from, to) != self.ends(e) {
                self.rebuild(drawing);
                return Changed {
                    all: true,
                    ..Changed::default()
                };
            }
            self.set_edge(e, edge);
            changed.edges.push(e);
        }
        if touched.places {
            for n in 0..self.nodes() as u32 {
                let place = drawing.layout.nodes.get(&*self.ids[n as usize]);
                let before = self.rect(n);
                if let Some(place) = place {
                    self.place(n, at(place.x, place.y));
                    if let Some(size) = place
                        .size
                        .filter(|_| self.kinds[n as usize] == Some(Kind::Note))
                    {
                        self.resize(n, size);
                    }
                }
                if self.rect(n) != before {
                    changed.moved.push(n);
                }
            }
        }
        changed
    }

    fn update_node(&mut self, n: u32, node: &DrawnNode, drawing: &Drawing, changed: &mut Changed) {
        if *self.ids[n as usize] != *node.id {
            let id: Arc<str> = node.id.as_str().into();
            if self.by_id.get(&self.ids[n as usize]) == Some(&n) {
                self.by_id.remove(&self.ids[n as usize]);
            }
            self.by_id.entry(id.clone()).or_insert(n);
            self.ids[n as usize] = id;
        }
        let before = self.rect(n);
        let (kind, ports, size) = self.shape(node, drawing);
        self.kinds[n as usize] = kind;
        self.ports[n as usize] = ports;
        self.resize(n, size);
        for slot in self.touching_at[n as usize] as usize..self.touching_at[n as usize + 1] as usize
        {
            let e = self.touching[slot];
            if let Some(edge) = drawing.edges.get(e as usize) {
                self.set_edge(e, edge);
                changed.edges.push(e);
            }
        }
        changed.nodes.push(n);
        if self.rect(n) != before {
            changed.moved.push(n);
        }
    }

    fn set_edge(&mut self, e: u32, edge: &DrawnEdge) {
        let (.., y, broken) = self.attach(edge);
        self.from_y[e as usize] = y;
        self.broken[e as usize] = broken;
        self.edge_follows(e);
    }

    fn shape(
        &self,
        node: &DrawnNode,
        drawing: &Drawing,
    ) -> (Option<Kind>, Vec<OutPort>, (f64, f64)) {
        let kind = node.known_kind();
        let mut names = node.ports_out();
        if kind.is_none() {
            names.push("out".into());
        }
        let size = size_of(
            kind,
            &names,
            drawing.layout.nodes.get(&node.id),
            self.run_row,
        );
        let y = |name: &str| port_out_y(&names, name, self.run_row).unwrap_or(HEAD_PORT_Y);
        let ports = names
            .iter()
            .map(|name| OutPort {
                y: y(name),
                name: name.clone(),
            })
            .collect();
        (kind, ports, size)
    }

    /// From, to, height of the port, and whether an end of it is attached to nothing.
    fn attach(&self, edge: &DrawnEdge) -> (u32, u32, f64, bool) {
        let ((from, out), (to, into)) = (edge.source(), edge.target());
        let from = self.find(from).unwrap_or(NOWHERE);
        let to = self
            .find(to)
            .filter(|to| self.has_port_in(*to))
            .unwrap_or(NOWHERE);
        let port = (from != NOWHERE)
            .then(|| {
                self.ports[from as usize]
                    .iter()
                    .find(|port| port.name == out)
            })
            .flatten();
        let y = port.map_or(HEAD_PORT_Y, |port| port.y);
        (from, to, y, port.is_none() || to == NOWHERE || into != "in")
    }

    pub(super) fn rebuild(&mut self, drawing: &Drawing) {
        let selected: Vec<Arc<str>> = self
            .selected()
            .map(|n| self.ids[n as usize].clone())
            .collect();
        let tints: HashMap<Arc<str>, Tint> = std::mem::take(&mut self.ids)
            .into_iter()
            .zip(std::mem::take(&mut self.tints))
            .filter(|(_, tint)| *tint != Tint::None)
            .collect();
        let count = drawing.nodes.len();
        *self = Self {
            run_row: self.run_row,
            ..Self::default()
        };
        self.by_id.reserve(count);
        for node in &drawing.nodes {
            let n = self.ids.len() as u32;
            let (kind, ports, (w, h)) = self.shape(node, drawing);
            let place = drawing
                .layout
                .nodes
                .get(&node.id)
                .copied()
                .unwrap_or_default();
            let id: Arc<str> = node.id.as_str().into();
            self.tints.push(tints.get(&id).copied().unwrap_or_default());
            self.by_id.entry(id.clone()).or_insert(n);
            self.ids.push(id);
            self.kinds.push(kind);
            self.ports.push(ports);
            self.x.push(place.x);
            self.y.push(place.y);
            self.w.push(w);
            self.h.push(h);
            self.selected.push(false);
            self.node_grid.insert(n, self.rect(n));
        }
        for id in selected {
            if let Some(n) = self.find(&id) {
                self.select(n, true);
            }
        }
        self.rebuild_edges(drawing);
    }

    fn rebuild_edges(&mut self, drawing: &Drawing) {
        let count = self.nodes();
        let mut degree = vec![0u32; count + 1];
        for edge in &drawing.edges {
            let e = self.from.len() as u32;
            let (from, to, y, broken) = self.attach(edge);
            self.from.push(from);
            self.to.push(to);
            self.from_y.push(y);
            self.broken.push(broken);
            self.edge_selected.push(false);
            let area = self.curve(e).map(Curve::bounds).unwrap_or_default();
            self.edge_rects.push(area);
            self.edge_grid.insert(e, area);
            for end in both(from, to) {
                degree[end as usize] += 1;
            }
        }
        let mut sum = 0;
        self.touching_at = degree
            .iter()
            .map(|degree| {
                let start = sum;
                sum += degree;
                start
            })
            .collect();
        self.touching = vec![0; sum as usize];
        let mut next = self.touching_at.clone();
        for e in 0..self.from.len() {
            for end in both(self.from[e], self.to[e]) {
                self.touching[next[end as usize] as usize] = e as u32;
                next[end as usize] += 1;
            }
        }
    }
}

/// The ends that are attached to something; a self-loop counts once.
fn both(from: u32, to: u32) -> impl Iterator<Item = u32> {
    let second = (to != from).then_some(to);
    [Some(from), second]
        .into_iter()
        .flatten()
        .filter(|end| *end != NOWHERE)
}
