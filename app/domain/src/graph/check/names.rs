//! What expressions read: every name must be there, and should come before.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::{Around, Findings, Place, Reads, edges::Wire, keys::Step, short};
use crate::{
    expression::nearest,
    graph::{Drawing, InputSpec, topology},
    kind::Kind,
};

/// How far the search goes for nodes that come before those that read them, in steps over all: a
/// graph made to be slow is not searched to its end, it only gets fewer warnings.
const SEARCH_STEPS: usize = 5_000_000;

/// Gives the names of nodes around this graph that it reads.
pub(super) fn check<'a>(
    drawing: &'a Drawing,
    index: &HashMap<&'a str, usize>,
    around: &Around<'a>,
    steps: &[Step],
    wires: &[Wire],
    order: &[usize],
    findings: &mut Findings<'a>,
) -> BTreeSet<String> {
    let declared = around.inputs.unwrap_or(&drawing.inputs);
    let inputs = declared.iter().map(|input| input.name.as_str()).collect();
    let mut names = NameCheck {
        drawing,
        index,
        around,
        declared,
        inputs,
        findings,
        read_around: BTreeSet::new(),
    };
    let mut readers: HashMap<usize, Vec<(usize, &'static str)>> = HashMap::new();
    for (at, step) in steps.iter().enumerate() {
        for reads in &step.reads {
            for read in names.check(at, reads) {
                readers.entry(read).or_default().push((at, reads.key));
            }
        }
    }
    let read_around = names.read_around;
    not_upstream(drawing, readers, wires, order, around.again, findings);
    read_around
}

struct NameCheck<'a, 'b> {
    drawing: &'a Drawing,
    index: &'b HashMap<&'a str, usize>,
    around: &'b Around<'a>,
    declared: &'a [InputSpec],
    inputs: HashSet<&'a str>,
    findings: &'b mut Findings<'a>,
    read_around: BTreeSet<String>,
}

impl<'a> NameCheck<'a, '_> {
    /// Reports what one source reads that is not there; gives the nodes that it reads.
    fn check(&mut self, at: usize, reads: &Reads) -> Vec<usize> {
        let names = &reads.names;
        let mut found = Vec::new();
        // `nodes.my-node` reads as `nodes.my` minus `node`: one slip, told once.
        let mut told: Vec<&str> = Vec::new();
        for name in &names.nodes {
            match self.index.get(name.as_str()) {
                Some(&node) if self.drawing.nodes[node].known_kind() == Some(Kind::Note) => {
                    self.unknown(
                        at,
                        reads.key,
                        format!("`{}` is a note: it has no output.", short(name)),
                    );
                }
                Some(&node) => found.push(node),
                None if self.around.has(name.as_str()) => {
                    self.read_around.insert(name.clone());
                }
                None => {
                    let hint = match self.meant(name) {
                        Some(id) => {
                            told.extend(id.split('-'));
                            format!(" Did you mean `{}`?", path("nodes", id))
                        }
                        None => String::new(),
                    };
                    let message = format!("There is no node `{}`.{hint}", short(name));
                    self.unknown(at, reads.key, message);
                }
            }
        }
        for name in &names.inputs {
            self.input(at, reads.key, name);
        }
        for name in &names.unknown {
            if !told.contains(&name.as_str()) {
                let message = self.stranger(name);
                self.unknown(at, reads.key, message);
            }
        }
        if names.item && !self.around.item {
            let message = "`item` is there only inside of a map.".to_owned();
            self.unknown(at, reads.key, message);
        } else if names.index && !self.around.index {
            let message = "`index` is there only inside of a map or a loop.".to_owned();
            self.unknown(at, reads.key, message);
        }
        found
    }

    /// The node that an unknown name probably means; first of all one of which a dash was taken
    /// for a minus.
    fn meant(&mut self, name: &str) -> Option<&'a str> {
        if !self.findings.may_suggest() {
            return None;
        }
        let around = self.around.nodes.iter().flat_map(|names| names.iter());
        let mut outside: Vec<&'a str> = around.copied().collect();
        outside.sort_unstable();
        let drawn = self.drawing.nodes.iter().map(|node| node.id.as_str());
        let all: Vec<&'a str> = drawn.chain(outside).collect();
        let ids = || all.iter().copied();
        let dashed = |id: &&str| {
            id.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('-'))
        };
        ids().find(dashed).or_else(|| nearest(name, ids()))
    }

    fn input(&mut self, at: usize, key: &'static str, name: &str) {
        if self.inputs.contains(name) {
            return;
        }
        if self.inputs.is_empty() {
            // A workflow that declares no inputs takes whatever a run is given.
            let message = format!(
                "`{}` is no input of this workflow: declare it, so that a run is asked for it.",
                short(name)
            );
            self.findings
                .warning("unknown_name", Place::Key(at, key), message);
            return;
        }
        let known = self.declared.iter().map(|input| input.name.as_str());
        let hint = match self.findings.suggest(name, known) {
            Some(other) => format!("did you mean `{}`?", path("input", other)),
            None => "declare it as an input.".to_owned(),
        };
        self.unknown(
            at,
            key,
            format!("There is no input `{}`: {hint}", short(name)),
        );
    }

    /// A name that is nothing of what an expression sees.
    fn stranger(&mut self, name: &str) -> String {
        let name = short(name);
        if let Some((node, part)) = name
            .strip_prefix("nodes.")
            .and_then(|rest| rest.split_once('.'))
        {
            return format!(
                "A node has no `{part}`: write `{}.output`.",
                path("nodes", node)
            );
        }
        if let Some(part) = name.strip_prefix("run.") {
            return format!("A run has no `{part}` here: there is `run.id`.");
        }
        if self.inputs.contains(name.as_str()) {
            return format!("`{name}` is an input: write `{}`.", path("input", &name));
        }
        if self.index.contains_key(name.as_str()) || self.around.has(name.as_str()) {
            return format!(
                "`{name}` is a node: write `{}.output`.",
                path("nodes", &name)
            );
        }
        match self.findings.suggest(&name, ["input", "nodes", "run"]) {
            Some(other) => format!("There is no `{name}`. Did you mean `{other}`?"),
            None if self.around.index => format!(
                "There is no `{name}`: expressions here see `input`, `nodes`, `run`, `index` and, in a map, `item`."
            ),
            None => format!("There is no `{name}`: expressions see `input`, `nodes` and `run`."),
        }
    }

    fn unknown(&mut self, at: usize, key: &'static str, message: String) {
        self.findings
            .error("unknown_name", Place::Key(at, key), message);
    }
}

/// How an expression writes it: `nodes.plan`, `nodes["my-node"]`.
fn path(root: &str, name: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let plain = name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain {
        format!("{root}.{name}")
    } else {
        format!("{root}[\"{name}\"]")
    }
}

/// Warns of nodes whose output is read where it need not be there yet. Readers are searched from
/// the node that they read, so one walk answers for all who read the same node.
fn not_upstream(
    drawing: &Drawing,
    readers: HashMap<usize, Vec<(usize, &'static str)>>,
    wires: &[Wire],
    order: &[usize],
    again: bool,
    findings: &mut Findings<'_>,
) {
    let count = drawing.nodes.len();
    let next = topology::neighbours(count, wires.iter().map(|wire| (wire.from, wire.to)));
    // Nodes on a circle have no place in the order; they have an error instead.
    let mut place = vec![usize::MAX; count];
    for (turn, &node) in order.iter().enumerate() {
        place[node] = turn;
    }
    let mut readers: Vec<_> = readers.into_iter().collect();
    readers.sort_unstable_by_key(|(read, _)| *read);
    let mut seen = vec![usize::MAX; count];
    let mut wanted = vec![usize::MAX; count];
    let mut left = SEARCH_STEPS;
    for (read, mut readers) in readers {
        readers.retain(|(reader, _)| place[*reader] != usize::MAX);
        let Some(farthest) = readers.iter().map(|(reader, _)| place[*reader]).max() else {
            continue;
        };
        let mut sought = 0_usize;
        for &(reader, _) in &readers {
            if reader != read && std::mem::replace(&mut wanted[reader], read) != read {
                sought += 1;
            }
        }
        let mut waiting = VecDeque::from([read]);
        seen[read] = read;
        while sought > 0
            && let Some(at) = waiting.pop_front()
        {
            for &step in &next[at] {
                let Some(rest) = left.checked_sub(1) else {
                    return;
                };
                left = rest;
                if place[step] <= farthest && std::mem::replace(&mut seen[step], read) != read {
                    sought -= usize::from(wanted[step] == read);
                    waiting.push_back(step);
                }
            }
        }
        for (reader, key) in readers {
            let message = if reader == read && again {
                "A step has no output of its own in the first round: ask `is defined`.".to_owned()
            } else if reader == read {
                "A step cannot read its own output: it has none yet.".to_owned()
            } else if seen[reader] == read {
                continue;
            } else {
                let id = short(&drawing.nodes[read].id);
                format!(
                    "`{id}` need not have run before this step: connect them, or ask `is defined`."
                )
            };
            findings.warning("not_upstream", Place::Key(reader, key), message);
        }
    }
}
