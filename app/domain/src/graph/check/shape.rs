//! What nodes and edges amount to: circles, steps that are never reached, ways that lead nowhere.

use std::collections::HashSet;

use super::{Findings, Place, edges::Wire, short};
use crate::{
    graph::{Drawing, topology},
    id::PortName,
    kind::Kind,
};

/// Looks at the whole; gives the order in which the nodes can run, without those on a circle.
pub(super) fn check(drawing: &Drawing, wires: &[Wire], findings: &mut Findings<'_>) -> Vec<usize> {
    let pairs: Vec<(usize, usize)> = wires.iter().map(|wire| (wire.from, wire.to)).collect();
    let order = topology::order(drawing.nodes.len(), &pairs);
    if order.len() < drawing.nodes.len() {
        circles(drawing, &pairs, findings);
    }
    loose_ends(drawing, wires, &order, findings);
    outputs(drawing, findings);
    order
}

fn circles(drawing: &Drawing, pairs: &[(usize, usize)], findings: &mut Findings<'_>) {
    for circle in topology::cycles(drawing.nodes.len(), pairs) {
        let id = |at: usize| short(&drawing.nodes[at].id);
        let mut names: Vec<String> = circle.iter().take(12).map(|&at| id(at)).collect();
        if circle.len() > names.len() {
            names.push(format!("… {} more", circle.len() - names.len()));
        }
        names.push(id(circle[0]));
        let message = format!(
            "{} is a circle, so none of it could ever start: remove one of its edges.",
            names.join(" → ")
        );
        findings.error("cycle", Place::Node(circle[0]), message);
    }
}

/// Steps that never start, steps that stand apart, and ports that lead nowhere.
fn loose_ends(drawing: &Drawing, wires: &[Wire], order: &[usize], findings: &mut Findings<'_>) {
    let count = drawing.nodes.len();
    let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut outgoing: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (at, wire) in wires.iter().enumerate() {
        outgoing[wire.from].push(at);
        incoming[wire.to].push(at);
    }
    let runs = |at: usize| drawing.nodes[at].known_kind().is_some_and(Kind::runs);
    let flag = |at: usize, key: &str| drawing.nodes[at].keys.get(key).and_then(|v| v.as_bool());
    // What is on a circle, or behind one, has its error already.
    let mut reached = vec![true; count];
    for &at in order {
        let taken = |wire: &usize| {
            let wire = &wires[*wire];
            let disabled = flag(wire.from, "disabled") == Some(true);
            reached[wire.from] && !(disabled && wire.port.as_str() == PortName::ERROR)
        };
        reached[at] = incoming[at].is_empty() || incoming[at].iter().any(taken);
        if !reached[at] {
            let message = "This step is never reached: every way to it starts at a port that is \
                           never taken, because its step is disabled.";
            findings.warning("unreachable", Place::Node(at), message.to_owned());
        }
    }
    for at in (0..count).filter(|&at| runs(at)) {
        let node = &drawing.nodes[at];
        if !wires.is_empty() && incoming[at].is_empty() && outgoing[at].is_empty() {
            let message = "This step is connected with nothing: it starts with the run, and \
                           nothing waits for it.";
            findings.warning("unreachable", Place::Node(at), message.to_owned());
            continue;
        }
        let is_branch = node.known_kind() == Some(Kind::Branch);
        let is_approval = node.known_kind() == Some(Kind::Approval);
        let may_expire = node
            .keys
            .get("timeout_ms")
            .is_some_and(|limit| !limit.is_null());
        let followed: HashSet<&str> = outgoing[at]
            .iter()
            .map(|&wire| wires[wire].port.as_str())
            .collect();
        for port in node.ports_out() {
            let used = followed.contains(port.as_str());
            let (key, message) = match port.as_str() {
                _ if used => continue,
                PortName::ERROR if node.text("on_error") == Some("branch") => (
                    "on_error",
                    "Nothing follows at port `error`: a failure of this step ends its way unseen."
                        .to_owned(),
                ),
                "approved" if is_approval => (
                    "message",
                    "Nothing follows at port `approved`: a yes ends the run there.".to_owned(),
                ),
                "timeout" if is_approval && may_expire => (
                    "timeout_ms",
                    "Nothing follows at port `timeout`: without an answer the run ends there."
                        .to_owned(),
                ),
                _ if !is_branch => continue,
                other => {
                    let key = if node.keys.contains_key("cases") {
                        "cases"
                    } else {
                        "condition"
                    };
                    let other = short(other);
                    (
                        key,
                        format!("Nothing follows at port `{other}`: the run ends there."),
                    )
                }
            };
            findings.warning("open_branch_port", Place::Key(at, key), message);
        }
    }
}

/// Several outputs are legal, but the result is not what one output would give.
fn outputs(drawing: &Drawing, findings: &mut Findings<'_>) {
    let is_output = |at: &usize| drawing.nodes[*at].known_kind() == Some(Kind::Output);
    let outputs: Vec<usize> = (0..drawing.nodes.len()).filter(is_output).collect();
    for &at in outputs.iter().skip(1) {
        let message = format!(
            "There are {} output nodes: the result of a run is an object with the value of each \
             under its id.",
            outputs.len()
        );
        findings.warning("several_outputs", Place::Node(at), message);
    }
}
