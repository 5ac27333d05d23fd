//! The way from a drawing to a graph that can run, and everything that stands in it: all problems
//! at once, each with its place and with what to do about it. Errors keep the graph from running,
//! warnings do not. It repairs nothing and asks nothing of the world: whether an agent, a tool or
//! a model exists is for others to say.
//!
//! `keys` reads what stands inside of nodes, `edges` what joins them, `shape` what all of it
//! together amounts to, `names` what expressions read. Each walks the drawing once or twice; none
//! looks a node up by searching.

mod edges;
mod findings;
mod inputs;
mod keys;
mod names;
mod shape;

use std::{collections::HashMap, sync::Arc};

use self::{
    edges::Wire,
    findings::{Findings, Place},
    keys::Step,
};
use super::{Drawing, Edge, MAX_NODES, Node, Problem, ValidGraph, topology};
use crate::{expression::Names, id::NodeId, kind::Kind};

/// Everything that is wrong with a drawing, errors before warnings, else in the order of the file;
/// and the graph that can run, exactly when none of it is an error.
pub fn check(drawing: &Drawing) -> (Option<ValidGraph>, Vec<Problem>) {
    let mut findings = Findings::new(drawing);
    if drawing.nodes.len() > MAX_NODES {
        let message = format!(
            "There are {} steps; at most {MAX_NODES} can run.",
            drawing.nodes.len()
        );
        findings.error("too_many_nodes", Place::File, message);
        return (None, findings.into_problems());
    }
    let index = index(drawing, &mut findings);
    inputs::check(drawing, &mut findings);
    let steps: Vec<Step> = (0..drawing.nodes.len())
        .map(|at| keys::read(drawing, at, &mut findings))
        .collect();
    let wires = edges::read(drawing, &index, &mut findings);
    let order = shape::check(drawing, &wires, &mut findings);
    names::check(drawing, &index, &steps, &wires, &order, &mut findings);
    if findings.has_errors() {
        return (None, findings.into_problems());
    }
    (
        Some(assemble(drawing, steps, wires)),
        findings.into_problems(),
    )
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
fn assemble(drawing: &Drawing, steps: Vec<Step>, wires: Vec<Wire>) -> ValidGraph {
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
