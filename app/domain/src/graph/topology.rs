//! The shape of a graph: its order, its circles, what lies before and behind a node, and which
//! new connection would be legal. All of it walks with a list of its own instead of recursion: a
//! chain of 100,000 steps is legal.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    fmt,
};

use petgraph::{algo::kosaraju_scc, graph::DiGraph};

use super::{Drawing, NodeIx, ValidGraph};
use crate::kind::Kind;

/// Every node after all that it depends on; of those that could come next, the first one in the
/// file. Nodes on a circle, or behind one, are left out.
pub fn order(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let next = neighbours(nodes, edges.iter().copied());
    let mut open = vec![0_usize; nodes];
    for &(_, to) in edges {
        open[to] += 1;
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..nodes)
        .filter(|&node| open[node] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(nodes);
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for &to in &next[node] {
            open[to] -= 1;
            if open[to] == 0 {
                ready.push(Reverse(to));
            }
        }
    }
    order
}

/// One circle for each knot of circles, as its nodes in the order of the edges, the first one of
/// the file first.
pub fn cycles(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(nodes, edges.len());
    for _ in 0..nodes {
        graph.add_node(());
    }
    for &(from, to) in edges {
        graph.add_edge((from as u32).into(), (to as u32).into(), ());
    }
    let next = neighbours(nodes, edges.iter().copied());
    let mut knot_of = vec![usize::MAX; nodes];
    let mut found = Vec::new();
    for (knot, members) in kosaraju_scc(&graph).into_iter().enumerate() {
        let members: Vec<usize> = members.into_iter().map(|node| node.index()).collect();
        for &node in &members {
            knot_of[node] = knot;
        }
        let Some(&first) = members.iter().min() else {
            continue;
        };
        if let Some(circle) = shortest(&next, first, first, |node| knot_of[node] == knot) {
            found.push(circle);
        }
    }
    found.sort_unstable();
    found
}

/// The shortest way of one edge or more from a node to another, without the node it ends at.
fn shortest(
    next: &[Vec<usize>],
    from: usize,
    to: usize,
    allowed: impl Fn(usize) -> bool,
) -> Option<Vec<usize>> {
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(node) = waiting.pop_front() {
        for &step in &next[node] {
            if step == to {
                let mut way = vec![node];
                let mut at = node;
                while at != from {
                    at = came_from[&at];
                    way.push(at);
                }
                way.reverse();
                return Some(way);
            }
            if allowed(step) && step != from && !came_from.contains_key(&step) {
                came_from.insert(step, node);
                waiting.push_back(step);
            }
        }
    }
    None
}

/// For each node those that its edges lead to, in the order of the edges.
pub(super) fn neighbours(
    nodes: usize,
    edges: impl Iterator<Item = (usize, usize)>,
) -> Vec<Vec<usize>> {
    let mut next = vec![Vec::new(); nodes];
    for (from, to) in edges {
        next[from].push(to);
    }
    next
}

impl ValidGraph {
    /// Nodes that nothing leads to: they start with the run.
    pub fn first(&self) -> impl Iterator<Item = NodeIx> + '_ {
        (0..self.nodes.len()).filter(|&node| self.incoming[node].is_empty())
    }

    /// Nodes that lead nowhere: with them the run ends.
    pub fn last(&self) -> impl Iterator<Item = NodeIx> + '_ {
        (0..self.nodes.len()).filter(|&node| self.outgoing[node].is_empty())
    }

    /// Every node that some way leads to from `node`, in the order of work; not `node` itself.
    pub fn behind(&self, node: NodeIx) -> Vec<NodeIx> {
        self.walk(node, |at| {
            self.outgoing[at].iter().map(|&edge| self.edges[edge].to)
        })
    }

    /// Every node that some way leads from to `node`, in the order of work; not `node` itself.
    pub fn before(&self, node: NodeIx) -> Vec<NodeIx> {
        self.walk(node, |at| {
            self.incoming[at].iter().map(|&edge| self.edges[edge].from)
        })
    }

    fn walk<I: Iterator<Item = NodeIx>>(
        &self,
        start: NodeIx,
        steps: impl Fn(NodeIx) -> I,
    ) -> Vec<NodeIx> {
        let mut seen = vec![false; self.nodes.len()];
        let mut waiting = vec![start];
        while let Some(at) = waiting.pop() {
            for step in steps(at) {
                if !std::mem::replace(&mut seen[step], true) {
                    waiting.push(step);
                }
            }
        }
        self.order
            .iter()
            .copied()
            .filter(|&node| seen[node])
            .collect()
    }
}

/// Whether a new edge may be drawn. `Reach` answers the same for many edges of one drawing.
pub fn legal_connection(
    drawing: &Drawing,
    from: &str,
    port: &str,
    to: &str,
) -> Result<(), Refusal> {
    Reach::new(drawing).connect(from, port, to)
}

/// A drawing, prepared to be asked about new connections: make it when a gesture starts, ask it
/// at every move.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    place: HashMap<String, usize>,
    steps: Vec<Step>,
    before: Vec<Vec<usize>>,
    taken: HashSet<(usize, String, usize)>,
}

#[derive(Debug, Clone)]
struct Step {
    id: String,
    title: String,
    kind: Option<Kind>,
    ports_out: Vec<String>,
}

/// Why a connection cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such node.
    UnknownNode {
        /// The id that nothing has.
        id: String,
    },
    /// The node has no such port.
    UnknownPort {
        /// What people call the node.
        node: String,
        /// The port that it does not have.
        port: String,
    },
    /// One of the two is a note.
    Note,
    /// Both ends are the same node.
    Itself,
    /// The same edge is there already.
    Twice,
    /// The new edge would close a circle.
    Circle {
        /// What people call the nodes on the way back from the end of the new edge to its start.
        through: Vec<String>,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::UnknownNode { id } => write!(f, "There is no step `{id}`."),
            Refusal::UnknownPort { node, port } => write!(f, "{node} has no port `{port}`."),
            Refusal::Note => {
                f.write_str("A note takes no part in the run, so no edge leads to or from it.")
            }
            Refusal::Itself => f.write_str("A step cannot wait for itself."),
            Refusal::Twice => f.write_str("These two are connected already."),
            Refusal::Circle { through } => {
                let way = match through.as_slice() {
                    [first, .., last] if through.len() > 5 => {
                        format!("{first} → {} more → {last}", through.len() - 2)
                    }
                    _ => through.join(" → "),
                };
                write!(
                    f,
                    "That would be a circle, as a way leads back already: {way}."
                )
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl Reach {
    /// Prepares a drawing, however wrong it is.
    pub fn new(drawing: &Drawing) -> Self {
        let mut reach = Self::default();
        for node in &drawing.nodes {
            // Of several with one id, the first counts, as everywhere.
            reach
                .place
                .entry(node.id.clone())
                .or_insert(reach.steps.len());
            reach.steps.push(Step {
                id: node.id.clone(),
                title: node.title().to_owned(),
                kind: node.known_kind(),
                ports_out: node.ports_out(),
            });
        }
        reach.before = vec![Vec::new(); reach.steps.len()];
        for edge in &drawing.edges {
            let ((from, port), (to, _)) = (edge.source(), edge.target());
            if let (Some(&from), Some(&to)) = (reach.place.get(from), reach.place.get(to)) {
                reach.before[to].push(from);
                reach.taken.insert((from, port.to_owned(), to));
            }
        }
        reach
    }

    /// Whether an edge from this port of one node to another node may be drawn.
    pub fn connect(&self, from: &str, port: &str, to: &str) -> Result<(), Refusal> {
        let find = |id: &str| {
            self.place
                .get(id)
                .copied()
                .ok_or_else(|| Refusal::UnknownNode { id: id.to_owned() })
        };
        let (start, end) = (find(from)?, find(to)?);
        let is_note = |node: usize| self.steps[node].kind.is_some_and(|kind| !kind.runs());
        if is_note(start) || is_note(end) {
            return Err(Refusal::Note);
        }
        if start == end {
            return Err(Refusal::Itself);
        }
        let step = &self.steps[start];
        if step.kind.is_some() && !step.ports_out.iter().any(|known| known == port) {
            let (node, port) = (step.title.clone(), port.to_owned());
            return Err(Refusal::UnknownPort { node, port });
        }
        if self.taken.contains(&(start, port.to_owned(), end)) {
            return Err(Refusal::Twice);
        }
        match shortest(&self.before, start, end, |_| true) {
            Some(way) => {
                let back = std::iter::once(end).chain(way.into_iter().rev());
                let through = back.map(|node| self.steps[node].title.clone()).collect();
                Err(Refusal::Circle { through })
            }
            None => Ok(()),
        }
    }

    /// Ids of all nodes that an edge from this port could lead to: the others are dimmed while
    /// it is drawn.
    pub fn targets(&self, from: &str, port: &str) -> HashSet<String> {
        let Some(&start) = self.place.get(from) else {
            return HashSet::new();
        };
        let mut before = vec![false; self.steps.len()];
        before[start] = true;
        let mut waiting = vec![start];
        while let Some(at) = waiting.pop() {
            for &step in &self.before[at] {
                if !std::mem::replace(&mut before[step], true) {
                    waiting.push(step);
                }
            }
        }
        let legal = |&(place, step): &(usize, &Step)| {
            let twice = || self.taken.contains(&(start, port.to_owned(), place));
            !before[place] && step.kind.is_none_or(Kind::runs) && !twice()
        };
        let steps = self.steps.iter().enumerate().filter(legal);
        steps.map(|(_, step)| step.id.clone()).collect()
    }
}
