//! Where nodes stand when nobody has placed them: left to right in the order of the work, the
//! same drawing always the same way, no two nodes over each other. It knows no screen: sizes are
//! passed in.
//!
//! For a part of ordinary size, columns and the order within them come from `rust-sugiyama`, which
//! finds few crossings. Its time grows much faster than the graph (seconds for 1,000 tangled
//! nodes) and it recurses as deep as the graph, so what is larger is ordered here, plainly and in
//! nearly linear time. Gaps, parts and what may cover what are decided here in either case.

mod crossings;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, HashSet},
};

use rust_sugiyama::configure::{Config, CrossingMinimization, RankingType};

use super::{Drawing, DrawnNode, drawing::Place, topology};
use crate::kind::Kind;

/// Between two columns.
const GAP_X: f64 = 60.0;
/// Between two nodes of a column.
const GAP_Y: f64 = 32.0;
/// Between parts of the drawing that nothing connects.
const GAP_PARTS: f64 = 72.0;

/// Most nodes of a part that `rust-sugiyama` is asked about, and most of nodes, edges and
/// stand-ins together: it takes some 50 ms for as many.
const MOST_NODES: usize = 300;
const MOST_TANGLE: usize = 1_200;

/// The size of a node as the canvas draws it, where nothing better is known.
pub fn usual_size(node: &DrawnNode) -> (f64, f64) {
    match node.known_kind() {
        Some(Kind::Note) => (240.0, 120.0),
        Some(
            Kind::Agent
            | Kind::Transform
            | Kind::Branch
            | Kind::Map
            | Kind::Loop
            | Kind::Http
            | Kind::Approval
            | Kind::Wait
            | Kind::Workflow
            | Kind::Output,
        )
        | None => {
            let ports = node.ports_out().len().max(1);
            (200.0, 48.0 + 24.0 * ports as f64)
        }
    }
}

/// The top left corner of every node. Notes keep their places; those without one stand below.
pub fn tidy(
    drawing: &Drawing,
    sizes: &dyn Fn(&DrawnNode) -> (f64, f64),
) -> BTreeMap<String, (f64, f64)> {
    let mut places = BTreeMap::new();
    let (mut work, mut loose_notes) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for node in drawing
        .nodes
        .iter()
        .filter(|node| seen.insert(node.id.as_str()))
    {
        match (node.known_kind(), drawing.layout.nodes.get(&node.id)) {
            (Some(Kind::Note), Some(place)) => {
                places.insert(node.id.clone(), (place.x, place.y));
            }
            (Some(Kind::Note), None) => loose_notes.push(node),
            _ => work.push(node),
        }
    }
    let mut block = arrange(drawing, &work, sizes);
    block.add_row_below(&loose_notes, sizes);
    places.extend(block.places);
    places
}

/// Gives every node without a place one: all of them anew where no step has a place yet, else
/// only the missing ones, below the others.
pub fn place_missing(drawing: &mut Drawing) {
    let missing = |node: &&DrawnNode| !drawing.layout.nodes.contains_key(&node.id);
    let is_note = |node: &DrawnNode| node.known_kind() == Some(Kind::Note);
    let mut seen = HashSet::new();
    let lost: Vec<&DrawnNode> = drawing
        .nodes
        .iter()
        .filter(missing)
        .filter(|node| seen.insert(&node.id))
        .collect();
    if lost.is_empty() {
        return;
    }
    let placed: Vec<(&DrawnNode, &Place)> = drawing
        .nodes
        .iter()
        .filter_map(|node| Some((node, drawing.layout.nodes.get(&node.id)?)))
        .collect();
    let places = if placed.iter().all(|(node, _)| is_note(node)) {
        tidy(drawing, &usual_size)
    } else {
        let left = placed
            .iter()
            .map(|(_, place)| place.x)
            .fold(f64::INFINITY, f64::min);
        let bottom = placed
            .iter()
            .map(|(node, place)| place.y + place.size.unwrap_or_else(|| usual_size(node)).1)
            .fold(f64::NEG_INFINITY, f64::max);
        let (notes, work): (Vec<&DrawnNode>, Vec<&DrawnNode>) =
            lost.into_iter().partition(|node| is_note(node));
        let mut block = arrange(drawing, &work, &usual_size);
        block.add_row_below(&notes, &usual_size);
        let moved = |(id, (x, y)): (String, (f64, f64))| {
            (id, ((x + left).round(), (y + bottom + GAP_PARTS).round()))
        };
        block.places.into_iter().map(moved).collect()
    };
    for (id, (x, y)) in places {
        drawing
            .layout
            .nodes
            .entry(id)
            .or_insert(Place { x, y, size: None });
    }
}

/// Nodes with places, all of them right of and below the origin.
#[derive(Default)]
struct Block {
    places: Vec<(String, (f64, f64))>,
    width: f64,
    height: f64,
}

impl Block {
    fn add_row_below(&mut self, nodes: &[&DrawnNode], sizes: &dyn Fn(&DrawnNode) -> (f64, f64)) {
        if nodes.is_empty() {
            return;
        }
        let top = if self.height > 0.0 {
            self.height + GAP_PARTS
        } else {
            0.0
        };
        let mut left = 0.0;
        for node in nodes {
            let (width, height) = size_of(node, sizes);
            self.places.push((node.id.clone(), (left, top)));
            left += width + GAP_X;
            self.height = self.height.max(top + height);
        }
        self.width = self.width.max(left - GAP_X);
    }
}

/// What can be laid out: whole numbers, at least 1 and not without end.
fn size_of(node: &DrawnNode, sizes: &dyn Fn(&DrawnNode) -> (f64, f64)) -> (f64, f64) {
    let sane = |length: f64| match length.is_finite() {
        true => length.ceil().clamp(1.0, 10_000.0),
        false => 1.0,
    };
    let (width, height) = sizes(node);
    (sane(width), sane(height))
}

/// Lays out some nodes of a drawing: each connected part for itself, the parts in rows.
fn arrange(
    drawing: &Drawing,
    nodes: &[&DrawnNode],
    sizes: &dyn Fn(&DrawnNode) -> (f64, f64),
) -> Block {
    let index: HashMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| (node.id.as_str(), at))
        .collect();
    let ports: Vec<Vec<String>> = nodes.iter().map(|node| node.ports_out()).collect();
    let mut ranked: Vec<(usize, usize, usize)> = drawing
        .edges
        .iter()
        .filter_map(|edge| {
            let ((from, port), (to, _)) = (edge.source(), edge.target());
            let (from, to) = (*index.get(from)?, *index.get(to)?);
            let rank = ports[from].iter().position(|known| known == port);
            Some((from, rank.unwrap_or(usize::MAX), to))
        })
        .collect();
    // Upper ports first: what follows them should stand higher.
    ranked.sort_by_key(|&(from, rank, _)| (from, rank));
    let mut known = HashSet::new();
    let edges: Edges = ranked
        .into_iter()
        .map(|(from, _, to)| (from, to))
        .filter(|&(from, to)| from != to && known.insert((from, to)))
        .collect();
    let boxes: Vec<(f64, f64)> = nodes.iter().map(|node| size_of(node, sizes)).collect();
    let edges = forward(nodes.len(), &edges);
    let mut parts: Vec<(Vec<usize>, Part)> = parts(nodes.len(), &edges)
        .into_iter()
        .map(|(members, edges)| {
            let boxes = members.iter().map(|&at| boxes[at]).collect();
            (members, Part::lay_out(boxes, &edges))
        })
        .collect();
    // Single steps stand behind what is connected.
    parts.sort_by_key(|(members, _)| members.len() == 1);
    shelve(nodes, &parts)
}

/// Turns round the edges that close circles, so that all of them lead forward.
fn forward(nodes: usize, edges: &[(usize, usize)]) -> Edges {
    let next = topology::neighbours(nodes, edges.iter().copied());
    let (mut done, mut place) = (vec![false; nodes], vec![0_usize; nodes]);
    let mut turn = nodes;
    for start in 0..nodes {
        if std::mem::replace(&mut done[start], true) {
            continue;
        }
        // A node gets its place when everything behind it has one: later places first.
        let mut way = vec![(start, 0)];
        while let Some((at, tried)) = way.last_mut() {
            match next[*at].get(*tried) {
                Some(&step) => {
                    *tried += 1;
                    if !std::mem::replace(&mut done[step], true) {
                        way.push((step, 0));
                    }
                }
                None => {
                    turn -= 1;
                    place[*at] = turn;
                    way.pop();
                }
            }
        }
    }
    let mut known = HashSet::new();
    let turned = |&(from, to): &(usize, usize)| {
        if place[from] < place[to] {
            (from, to)
        } else {
            (to, from)
        }
    };
    edges
        .iter()
        .map(turned)
        .filter(|edge| known.insert(*edge))
        .collect()
}

/// Edges by the places of their nodes.
type Edges = Vec<(usize, usize)>;

/// The connected parts, in the order of their first nodes: members, and edges between them by
/// their places among the members.
fn parts(nodes: usize, edges: &[(usize, usize)]) -> Vec<(Vec<usize>, Edges)> {
    let both = edges
        .iter()
        .flat_map(|&(from, to)| [(from, to), (to, from)]);
    let next = topology::neighbours(nodes, both);
    let mut part_of = vec![usize::MAX; nodes];
    let mut count = 0;
    for start in 0..nodes {
        if part_of[start] != usize::MAX {
            continue;
        }
        part_of[start] = count;
        let mut waiting = vec![start];
        while let Some(at) = waiting.pop() {
            for &step in &next[at] {
                if part_of[step] == usize::MAX {
                    part_of[step] = count;
                    waiting.push(step);
                }
            }
        }
        count += 1;
    }
    let mut parts = vec![(Vec::new(), Vec::new()); count];
    let mut place = vec![0; nodes];
    for at in 0..nodes {
        let members: &mut Vec<usize> = &mut parts[part_of[at]].0;
        place[at] = members.len();
        members.push(at);
    }
    for &(from, to) in edges {
        parts[part_of[from]].1.push((place[from], place[to]));
    }
    parts
}

/// One connected part, laid out for itself.
struct Part {
    places: Vec<(f64, f64)>,
    width: f64,
    height: f64,
}

impl Part {
    /// Lays out nodes of these sizes, joined by edges that all lead forward.
    fn lay_out(boxes: Vec<(f64, f64)>, edges: &[(usize, usize)]) -> Self {
        let columns = columns(boxes.len(), edges);
        let stand_ins: usize = edges
            .iter()
            .map(|&(from, to)| columns[to] - columns[from] - 1)
            .sum();
        let ordinary =
            boxes.len() <= MOST_NODES && boxes.len() + edges.len() + stand_ins <= MOST_TANGLE;
        let (columns, wishes) = match (ordinary, edges.is_empty()) {
            (_, true) => (columns, vec![0.0; boxes.len()]),
            (true, false) => ask_sugiyama(&boxes, edges),
            (false, false) => {
                let wishes = crossings::untangle(&boxes, edges, &columns, stand_ins);
                (columns, wishes)
            }
        };
        let wishes = match upside_down(edges, &columns, &wishes) {
            true => wishes.iter().map(|wish| -wish).collect(),
            false => wishes,
        };
        Self::stack(&boxes, &columns, &wishes)
    }

    /// Puts nodes into their columns, each as near as can be to the middle that it wishes for.
    fn stack(boxes: &[(f64, f64)], columns: &[usize], wishes: &[f64]) -> Self {
        let mut stacks: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (node, &column) in columns.iter().enumerate() {
            stacks.entry(column).or_default().push(node);
        }
        let mut places = vec![(0.0, 0.0); boxes.len()];
        let mut left = 0.0;
        for stack in stacks.values_mut() {
            stack.sort_by(|&a, &b| wishes[a].total_cmp(&wishes[b]).then(a.cmp(&b)));
            let broad = stack.iter().map(|&node| boxes[node].0).fold(0.0, f64::max);
            let tops = settle(stack, boxes, wishes);
            for (&node, top) in stack.iter().zip(tops) {
                let indent = ((broad - boxes[node].0) / 2.0).floor();
                places[node] = (left + indent, top);
            }
            left += broad + GAP_X;
        }
        let top = places
            .iter()
            .map(|place| place.1)
            .fold(f64::INFINITY, f64::min);
        let mut height = 0.0_f64;
        for (place, size) in places.iter_mut().zip(boxes) {
            place.1 -= top;
            height = height.max(place.1 + size.1);
        }
        Self {
            places,
            width: left - GAP_X,
            height,
        }
    }
}

/// The top edges of a column's nodes: in this order, with gaps, and in sum as near as possible to
/// what they wish for. Nodes that would overlap are moved together, as one block.
fn settle(stack: &[usize], boxes: &[(f64, f64)], wishes: &[f64]) -> Vec<f64> {
    // Without the space that those above take, every order is kept by a rising row of numbers.
    let mut blocks: Vec<(f64, usize)> = Vec::with_capacity(stack.len());
    let mut above = 0.0;
    let mut offsets = Vec::with_capacity(stack.len());
    for &node in stack {
        let mut block = (wishes[node] - boxes[node].1 / 2.0 - above, 1);
        while let Some(&(mean, count)) = blocks.last().filter(|last| last.0 >= block.0) {
            let sum = mean * count as f64 + block.0 * block.1 as f64;
            block = (sum / (count + block.1) as f64, count + block.1);
            blocks.pop();
        }
        blocks.push(block);
        offsets.push(above);
        above += boxes[node].1 + GAP_Y;
    }
    let means = blocks
        .into_iter()
        .flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
    means
        .zip(offsets)
        .map(|(mean, above)| mean.round() + above)
        .collect()
}

/// Whether, where several nodes of a column follow the same node, more of them stand in the wrong
/// order than in the right one, so that the mirror image would be better: the port `true` is above
/// the port `false`.
fn upside_down(edges: &[(usize, usize)], columns: &[usize], wishes: &[f64]) -> bool {
    let pairs = edges.iter().zip(edges.iter().skip(1));
    let siblings = pairs.filter(|(a, b)| a.0 == b.0 && columns[a.1] == columns[b.1]);
    let wrong = siblings.map(
        |(upper, lower)| match wishes[upper.1].total_cmp(&wishes[lower.1]) {
            Ordering::Less => -1_i64,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        },
    );
    wrong.sum::<i64>() > 0
}

/// The column of each node: as far left as what comes before it allows, but near to what comes
/// after it where that makes the edges shorter.
fn columns(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let next = topology::neighbours(nodes, edges.iter().copied());
    let order = topology::order(nodes, edges);
    let mut columns = vec![0; nodes];
    let mut ways_in = vec![0; nodes];
    for &at in &order {
        for &to in &next[at] {
            columns[to] = columns[to].max(columns[at] + 1);
            ways_in[to] += 1;
        }
    }
    for &at in order
        .iter()
        .rev()
        .filter(|&&at| next[at].len() > ways_in[at])
    {
        columns[at] = next[at]
            .iter()
            .map(|&to| columns[to] - 1)
            .min()
            .unwrap_or(0);
    }
    columns
}

/// Column and middle of each node, with few crossings. It draws from top to bottom: width and
/// height change places on the way there and back.
fn ask_sugiyama(boxes: &[(f64, f64)], edges: &[(usize, usize)]) -> (Vec<usize>, Vec<f64>) {
    let vertices: Vec<(u32, (f64, f64))> = boxes
        .iter()
        .enumerate()
        .map(|(at, (width, height))| (at as u32, (height + GAP_Y, width + GAP_X)))
        .collect();
    let edges: Vec<(u32, u32)> = edges
        .iter()
        .map(|&(from, to)| (from as u32, to as u32))
        .collect();
    let config = Config {
        minimum_length: 1,
        vertex_spacing: 0.0,
        dummy_vertices: true,
        dummy_size: GAP_Y,
        ranking_type: RankingType::MinimizeEdgeLength,
        c_minimization: CrossingMinimization::Barycenter,
        transpose: true,
    };
    let mut middles = vec![(0.0, 0.0); boxes.len()];
    for (places, _, _) in rust_sugiyama::from_vertices_and_edges(&vertices, &edges, &config) {
        for (at, middle) in places {
            middles[at] = middle;
        }
    }
    // Nodes of one column have the very same y; columns follow each other by it.
    let mut rows: Vec<f64> = middles.iter().map(|middle| middle.1).collect();
    rows.sort_by(f64::total_cmp);
    rows.dedup();
    let column = |y: f64| rows.partition_point(|row| *row < y);
    (
        middles.iter().map(|middle| column(middle.1)).collect(),
        middles.iter().map(|m| m.0).collect(),
    )
}

/// Puts parts side by side into rows, about twice as wide as all of it is high.
fn shelve(nodes: &[&DrawnNode], parts: &[(Vec<usize>, Part)]) -> Block {
    let area: f64 = parts
        .iter()
        .map(|(_, part)| (part.width + GAP_PARTS) * (part.height + GAP_PARTS))
        .sum();
    let broadest = parts.iter().map(|(_, part)| part.width).fold(0.0, f64::max);
    let limit = broadest.max((area * 2.0).sqrt());
    let mut block = Block::default();
    let (mut left, mut top, mut row) = (0.0, 0.0, 0.0_f64);
    for (members, part) in parts {
        if left > 0.0 && left + part.width > limit {
            top += row + GAP_PARTS;
            (left, row) = (0.0, 0.0);
        }
        for (&member, place) in members.iter().zip(&part.places) {
            block
                .places
                .push((nodes[member].id.clone(), (left + place.0, top + place.1)));
        }
        block.width = block.width.max(left + part.width);
        block.height = block.height.max(top + part.height);
        row = row.max(part.height);
        left += part.width + GAP_PARTS;
    }
    block
}
