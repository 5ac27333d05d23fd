//! What joins the nodes: every edge leads from a port that is there to a node that is there.

use std::collections::{HashMap, HashSet};

use super::{Findings, Place, short};
use crate::{graph::Drawing, id::PortName, kind::Kind};

/// An edge that leads somewhere. Places are those in the drawing.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub from: usize,
    pub port: PortName,
    pub to: usize,
}

/// Every edge that leads somewhere, in the order of the file, each once.
pub(super) fn read(
    drawing: &Drawing,
    index: &HashMap<&str, usize>,
    findings: &mut Findings<'_>,
) -> Vec<Wire> {
    let mut wires: Vec<Wire> = Vec::with_capacity(drawing.edges.len());
    let mut seen = HashSet::with_capacity(drawing.edges.len());
    let ports: Vec<Vec<String>> = drawing.nodes.iter().map(|node| node.ports_out()).collect();
    for (at, edge) in drawing.edges.iter().enumerate() {
        let ((from, port), (to, into)) = (edge.source(), edge.target());
        let mut find = |id: &str, way: &str| {
            let found = index.get(id).copied();
            if found.is_none() {
                let ids = drawing.nodes.iter().map(|node| node.id.as_str());
                let hint = match findings.suggest(id, ids) {
                    Some(other) => format!(" Did you mean `{other}`?"),
                    None => String::new(),
                };
                let message = format!(
                    "The edge {way} `{}`, which does not exist.{hint}",
                    short(id)
                );
                findings.error("dangling_edge", Place::Edge(at), message);
            }
            found
        };
        let (from, to) = (find(from, "starts at"), find(to, "leads to"));
        let (Some(from), Some(to)) = (from, to) else {
            continue;
        };
        let kinds = [from, to].map(|node| drawing.nodes[node].known_kind());
        if kinds.iter().flatten().any(|kind| !kind.runs()) {
            let message = "A note takes no part in the run: remove its edge.".to_owned();
            findings.error("edge_to_note", Place::Edge(at), message);
            continue;
        }
        let mut whole = true;
        if kinds[0].is_some() && !ports[from].iter().any(|known| known == port) {
            let id = short(&drawing.nodes[from].id);
            let message = match (port, ports[from].as_slice()) {
                (PortName::ERROR, _) => {
                    format!("`{id}` has no port `error`: it has one when `on_error` is `branch`.")
                }
                (_, known) => format!(
                    "`{id}` has no port `{}` that leads out: it has {}.",
                    short(port),
                    list(known)
                ),
            };
            findings.error("unknown_port", Place::Edge(at), message);
            whole = false;
        }
        if kinds[1].is_some() && !Kind::Agent.ports_in().contains(&into) {
            let id = short(&drawing.nodes[to].id);
            let message = format!(
                "`{id}` has no port `{}` that leads in: it has `in`.",
                short(into)
            );
            findings.error("unknown_port", Place::Edge(at), message);
            whole = false;
        }
        // An edge at a wrong port still says what its writer wanted to come after what.
        let port = PortName::parse(port).unwrap_or_else(|_| PortName::out());
        if whole && !seen.insert((from, port.clone(), to)) {
            let message = "The same two ports are connected twice: remove one edge.".to_owned();
            findings.warning("duplicate_edge", Place::Edge(at), message);
            continue;
        }
        wires.push(Wire { from, port, to });
    }
    wires
}

fn list(ports: &[String]) -> String {
    let quoted: Vec<String> = ports
        .iter()
        .take(8)
        .map(|port| format!("`{port}`"))
        .collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
