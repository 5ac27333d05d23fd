//! The way from a drawing to a graph that can run, and everything that stands in it: all problems
//! at once, each with its place and with what to do about it. Errors keep the graph from running,
//! warnings do not. It repairs nothing and asks nothing of the world: whether an agent, a tool or
//! a model exists is for others to say.
//!
//! `keys` reads what stands inside of nodes, `edges` what joins them, `shape` what all of it
//! together amounts to, `names` what expressions read, `bodies` what stands inside of maps and loops.
//! Each walks the drawing once or twice; none
//! looks a node up by searching.

mod bodies;
mod edges;
mod findings;
mod inputs;
mod keys;
mod names;
mod shape;

use std::{
    cell::Cell,
    collections::{BTreeSet, HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

use self::{
    edges::Wire,
    findings::{Findings, Place},
    inputs::RunLimits,
    keys::Step,
};
use super::{Drawing, Edge, InputSpec, MAX_NODES, Node, Problem, ValidGraph, topology};
use crate::{expression::Names, id::NodeId, kind::Kind};

/// Everything that is wrong with a drawing, errors before warnings, else in the order of the file;
/// and the graph that can run, exactly when none of it is an error.
pub fn check(drawing: &Drawing) -> (Option<ValidGraph>, Vec<Problem>) {
    let checked = check_within(drawing, &Around::default());
    (checked.graph, checked.problems)
}

/// What is around a graph: nothing for a workflow; for a body, what its expressions see beyond it.
#[derive(Default)]
struct Around<'a> {
    /// Names of nodes outside, for each graph around: shared, as a graph may have many bodies.
    nodes: Vec<Rc<HashSet<&'a str>>>,
    /// Inputs of the workflow; `None` at the top, where the drawing itself has them.
    inputs: Option<&'a [InputSpec]>,
    /// Whether `item` is there.
    item: bool,
    /// Whether `index` is there.
    index: bool,
    /// Whether the graph is done again and again: a node may read what it brought last time.
    again: bool,
    /// How many bodies are around.
    depth: u32,
    /// How many names were given a suggestion, in all graphs together.
    suggested: Rc<Cell<usize>>,
}

/// What came of checking one graph.
struct Checked {
    graph: Option<ValidGraph>,
    problems: Vec<Problem>,
    /// Names of nodes around it that it reads.
    reads_around: BTreeSet<String>,
}

fn check_within<'a>(drawing: &'a Drawing, around: &Around<'a>) -> Checked {
    let mut findings = Findings::new(drawing, Rc::clone(&around.suggested));
    let failed = |findings: Findings<'_>, reads_around| Checked {
        graph: None,
        problems: findings.into_problems(),
        reads_around,
    };
    if drawing.nodes.len() > MAX_NODES {
        let message = format!(
            "There are {} steps; at most {MAX_NODES} can run.",
            drawing.nodes.len()
        );
        findings.error("too_many_nodes", Place::File, message);
        return failed(findings, BTreeSet::new());
    }
    let index = index(drawing, &mut findings);
    inputs::check(drawing, &mut findings);
    let limits = inputs::limits(drawing, &mut findings);
    let inside = around.inside(drawing, &index);
    let steps: Vec<Step> = (0..drawing.nodes.len())
        .map(|at| keys::read(drawing, at, &inside, &mut findings))
        .collect();
    let wires = edges::read(drawing, &index, &mut findings);
    let order = shape::check(drawing, &wires, &mut findings);
    let reads_around = names::check(
        drawing,
        &index,
        around,
        &steps,
        &wires,
        &order,
        &mut findings,
    );
    if findings.has_errors() {
        return failed(findings, reads_around);
    }
    Checked {
        graph: Some(assemble(drawing, steps, wires, limits)),
        problems: findings.into_problems(),
        reads_around,
    }
}

impl<'a> Around<'a> {
    /// What is around the bodies of a graph that has this around it.
    fn inside(&self, drawing: &'a Drawing, index: &HashMap<&'a str, usize>) -> Self {
        let notes = |at: usize| drawing.nodes[at].known_kind() == Some(Kind::Note);
        let own = index.iter().filter(|(_, at)| !notes(**at));
        let mut nodes = self.nodes.clone();
        nodes.push(Rc::new(own.map(|(id, _)| *id).collect()));
        Self {
            nodes,
            inputs: Some(self.inputs.unwrap_or(&drawing.inputs)),
            item: self.item,
            index: self.index,
            again: false,
            depth: self.depth + 1,
            suggested: Rc::clone(&self.suggested),
        }
    }
}

impl Around<'_> {
    /// Whether a node outside has this name.
    fn has(&self, name: &str) -> bool {
        self.nodes.iter().any(|names| names.contains(name))
    }
}

/// Where each id stands; of several nodes with one id, the first.
fn index<'a>(drawing: &'a Drawing, findings: &mut Findings<'a>) -> HashMap<&'a str, usize> {
    let mut index = HashMap::with_capacity(drawing.nodes.len());
    let mut runs = false;
    for (at, node) in drawing.nodes.iter().enumerate() {
        let known = node.known_kind();
        runs |= known.is_none_or(Kind::runs);
        if let Err(error) = NodeId::parse(&node.id) {
            findings.error("bad_id", Place::Node(at), format!("{error}."));
        }
        if index.contains_key(node.id.as_str()) {
            let message = format!(
                "There are several nodes `{}`: give each an id of its own.",
                node.id
            );
            findings.error("duplicate_id", Place::Node(at), message);
        } else {
            index.insert(node.id.as_str(), at);
        }
        if known.is_none() {
            let kinds = Kind::ALL.map(Kind::name);
            let hint = match findings.suggest(&node.kind, kinds) {
                Some(kind) => format!("did you mean `{kind}`?"),
                None => format!("use one of {}.", kinds.join(", ")),
            };
            let message = format!("`{}` is no kind of node: {hint}", short(&node.kind));
            findings.error("unknown_kind", Place::Node(at), message);
        }
    }
    if !runs {
        let message = "There is nothing to run: add a step.".to_owned();
        findings.error("no_nodes", Place::File, message);
    }
    index
}

/// The graph of a drawing in which nothing is wrong.
fn assemble(
    drawing: &Drawing,
    steps: Vec<Step>,
    wires: Vec<Wire>,
    limits: RunLimits,
) -> ValidGraph {
    let mut nodes: Vec<Node> = Vec::with_capacity(steps.len());
    // From the place in the drawing to the place in the graph, which has no notes.
    let mut place = vec![None; steps.len()];
    for (at, step) in steps.into_iter().enumerate() {
        if let Some(node) = step.node {
            place[at] = Some(nodes.len());
            nodes.push(node);
        }
    }
    let edges: Vec<Edge> = wires
        .into_iter()
        .filter_map(|wire| {
            let (from, to) = (place[wire.from]?, place[wire.to]?);
            Some(Edge {
                from,
                port: wire.port,
                to,
            })
        })
        .collect();
    let mut incoming = vec![Vec::new(); nodes.len()];
    let mut outgoing = vec![Vec::new(); nodes.len()];
    for (at, edge) in edges.iter().enumerate() {
        outgoing[edge.from].push(at);
        incoming[edge.to].push(at);
    }
    let pairs: Vec<(usize, usize)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let order = topology::order(nodes.len(), &pairs);
    let index = nodes
        .iter()
        .enumerate()
        .map(|(at, node)| (node.id.clone(), at))
        .collect();
    let inputs = drawing.inputs.clone();
    ValidGraph {
        inputs,
        nodes,
        edges,
        incoming,
        outgoing,
        order,
        index,
        timeout_ms: limits.timeout_ms,
        max_parallel: limits.max_parallel,
    }
}

/// What one source of a node reads.
struct Reads {
    /// The key that holds the source.
    key: &'static str,
    /// What it reads.
    names: Arc<Names>,
}

/// A text from a file, cut to what fits into a sentence.
fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
