//! The order of nodes within columns, so that few edges cross, and heights that keep edges
//! straight: the classic sweeps (each node to the middle of its neighbours, column by column, back
//! and forth), in nearly linear time and without recursion.

use super::{Edges, settle};
use crate::graph::topology::neighbours;

/// The height that is kept free where an edge passes a column.
const LANE: f64 = 8.0;

/// Most stand-ins for edges that pass columns; where there would be more, edges may pass behind
/// nodes.
const MOST_STAND_INS: usize = 50_000;

/// How often the order is improved at most, and how often in vain before it is left as it is.
const SWEEPS: usize = 24;
const VAIN_SWEEPS: usize = 4;

/// Work that all sweeps may take together, in links: the largest graphs get fewer of them.
const MOST_WORK: usize = 1_000_000;

/// The middle of each node. Edges lead to later columns; those that pass columns get a stand-in
/// there, which moves like a node and keeps their way free.
pub(super) fn untangle(
    boxes: &[(f64, f64)],
    edges: &[(usize, usize)],
    columns: &[usize],
    stand_ins: usize,
) -> Vec<f64> {
    let (mut boxes, mut columns) = (boxes.to_vec(), columns.to_vec());
    let nodes = boxes.len();
    let mut links: Edges = Vec::with_capacity(edges.len());
    for &(from, to) in edges {
        let mut at = from;
        if stand_ins <= MOST_STAND_INS {
            for column in columns[from] + 1..columns[to] {
                links.push((at, boxes.len()));
                at = boxes.len();
                boxes.push((0.0, LANE));
                columns.push(column);
            }
        }
        links.push((at, to));
    }
    let sweeps = SWEEPS.min(MOST_WORK / links.len().max(1)).max(2);
    let mut weave = Weave::new(&columns, &links);
    weave.improve(sweeps);
    let mut middles = weave.heights(&boxes, sweeps.min(8));
    middles.truncate(nodes);
    middles
}

/// Columns of nodes, and the links between neighbouring columns.
struct Weave {
    stacks: Vec<Vec<usize>>,
    /// Where each node stands in its column.
    place: Vec<usize>,
    before: Vec<Vec<usize>>,
    behind: Vec<Vec<usize>>,
}

impl Weave {
    /// At first nodes stand in the order in which a walk along the links finds them.
    fn new(columns: &[usize], links: &[(usize, usize)]) -> Self {
        let count = columns.len();
        let behind = neighbours(count, links.iter().copied());
        let before = neighbours(count, links.iter().map(|&(from, to)| (to, from)));
        let mut stacks = vec![Vec::new(); columns.iter().max().map_or(0, |last| last + 1)];
        let (mut place, mut seen) = (vec![0; count], vec![false; count]);
        let mut waiting: Vec<usize> = (0..count)
            .rev()
            .filter(|&node| before[node].is_empty())
            .collect();
        while let Some(at) = waiting.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            place[at] = stacks[columns[at]].len();
            stacks[columns[at]].push(at);
            waiting.extend(behind[at].iter().rev().filter(|next| !seen[**next]));
        }
        Self {
            stacks,
            place,
            before,
            behind,
        }
    }

    /// Sweeps until it helps no more; the best order found stays.
    fn improve(&mut self, sweeps: usize) {
        let mut best = (self.crossings(), self.stacks.clone());
        let mut vain = 0;
        for sweep in 0..sweeps {
            let forward = sweep % 2 == 0;
            for step in 0..self.stacks.len() {
                let column = if forward {
                    step
                } else {
                    self.stacks.len() - 1 - step
                };
                self.sort(column, forward);
            }
            self.swap_neighbours();
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.stacks.clone());
                vain = 0;
            } else {
                vain += 1;
            }
            if vain == VAIN_SWEEPS || best.0 == 0 {
                break;
            }
        }
        self.stacks = best.1;
        for column in 0..self.stacks.len() {
            self.renumber(column);
        }
    }

    /// Sorts a column by the mean place of each node's neighbours on one side.
    fn sort(&mut self, column: usize, forward: bool) {
        let sides = if forward { &self.before } else { &self.behind };
        let place = &self.place;
        let mean = |node: usize| match sides[node].as_slice() {
            [] => place[node] as f64,
            side => {
                side.iter().map(|&other| place[other]).sum::<usize>() as f64 / side.len() as f64
            }
        };
        let mut keyed: Vec<(f64, usize)> = self.stacks[column]
            .iter()
            .map(|&node| (mean(node), node))
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.stacks[column] = keyed.into_iter().map(|(_, node)| node).collect();
        self.renumber(column);
    }

    fn renumber(&mut self, column: usize) {
        for (place, &node) in self.stacks[column].iter().enumerate() {
            self.place[node] = place;
        }
    }

    /// Swaps nodes that stand side by side wherever fewer links cross then, a few times over.
    fn swap_neighbours(&mut self) {
        for column in 0..self.stacks.len() {
            for _ in 0..4 {
                let mut swapped = false;
                for at in 1..self.stacks[column].len() {
                    let (upper, lower) = (self.stacks[column][at - 1], self.stacks[column][at]);
                    if self.crossings_of(upper, lower) > self.crossings_of(lower, upper) {
                        self.stacks[column].swap(at - 1, at);
                        (self.place[upper], self.place[lower]) = (at, at - 1);
                        swapped = true;
                    }
                }
                if !swapped {
                    break;
                }
            }
        }
    }

    /// Crossings of the links of two nodes of one column, when one stands above the other. Nodes
    /// with very many links are left where the sorting put them.
    fn crossings_of(&self, upper: usize, lower: usize) -> usize {
        let mut crossings = 0;
        for sides in [&self.before, &self.behind] {
            let (upper, lower) = (&sides[upper], &sides[lower]);
            if upper.len() * lower.len() > 256 {
                continue;
            }
            for &high in upper {
                crossings += lower
                    .iter()
                    .filter(|&&low| self.place[low] < self.place[high])
                    .count();
            }
        }
        crossings
    }

    /// All crossings: for each column, the pairs of links to the next one that are out of order.
    fn crossings(&self) -> usize {
        let mut crossings = 0;
        for (column, stack) in self.stacks.iter().enumerate() {
            let width = self.stacks.get(column + 1).map_or(0, Vec::len);
            // How many ends were seen at each place so far, as a tree of sums.
            let mut ends = vec![0_usize; width + 1];
            let mut seen = 0;
            for &node in stack {
                let mut places: Vec<usize> = self.behind[node]
                    .iter()
                    .map(|&next| self.place[next])
                    .collect();
                places.sort_unstable();
                for &place in &places {
                    let mut above = 0;
                    let mut at = (place + 1).min(width);
                    while at > 0 {
                        above += ends[at];
                        at &= at - 1;
                    }
                    crossings += seen - above;
                }
                for place in places {
                    let mut at = (place + 1).min(width);
                    while at > 0 && at <= width {
                        ends[at] += 1;
                        at += at & at.wrapping_neg();
                    }
                    seen += 1;
                }
            }
        }
        crossings
    }

    /// Heights that draw every node towards its neighbours and keep the order that was found.
    fn heights(&self, boxes: &[(f64, f64)], sweeps: usize) -> Vec<f64> {
        let mut middles = vec![0.0; boxes.len()];
        for sweep in 0..sweeps {
            let forward = sweep % 2 == 0;
            for step in 0..self.stacks.len() {
                let column = if forward {
                    step
                } else {
                    self.stacks.len() - 1 - step
                };
                let stack = &self.stacks[column];
                for &node in stack {
                    let side = if forward {
                        &self.before[node]
                    } else {
                        &self.behind[node]
                    };
                    if !side.is_empty() {
                        let sum: f64 = side.iter().map(|&other| middles[other]).sum();
                        middles[node] = sum / side.len() as f64;
                    }
                }
                let tops = settle(stack, boxes, &middles);
                for (&node, top) in stack.iter().zip(tops) {
                    middles[node] = top + boxes[node].1 / 2.0;
                }
            }
        }
        middles
    }
}
