//! What stands inside of maps and loops: a graph like the one around it, which sees more. What is
//! wrong with it is told with the path of its node.

use std::{rc::Rc, sync::Arc};

use serde_json::Value;

use super::{
    Around, Reads, check_within,
    keys::{Keys, Outline},
};
use crate::{
    expression::Names,
    graph::{Drawing, LoopWork, MAX_DEPTH, MapWork, ValidGraph, Work},
};

impl Keys<'_, '_, '_> {
    pub(super) fn map(&mut self, around: &Around<'_>) -> Option<Work> {
        let items = self.source("items");
        let concurrency = self.integer("concurrency").unwrap_or(10);
        // Whether it is a word that means something is told where all nodes are asked for it.
        let goes_on = self.value("on_error").and_then(Value::as_str) == Some("continue");
        let (body, _) = self.body(around, true);
        Some(Work::Map(Box::new(MapWork {
            items: items?,
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
            body: body?,
            goes_on,
        })))
    }

    pub(super) fn looped(&mut self, around: &Around<'_>) -> Option<Work> {
        let max_iterations = self.integer("max_iterations").unwrap_or(10);
        let before = self.reads.len();
        let until = self.source("until");
        let asks = self.reads.drain(before..).collect::<Vec<_>>();
        let (body, ids) = self.body(around, false);
        // `until` is asked inside, after the body: what the body has is there.
        for Reads { key, names } in asks {
            let mut names = Names::clone(&names);
            names.nodes.retain(|name| !ids.contains(name));
            names.index = false;
            let names = Arc::new(names);
            self.reads.push(Reads { key, names });
        }
        let asked = self.value("until").is_some();
        if asked && until.is_none() {
            return None;
        }
        Some(Work::Loop(Box::new(LoopWork {
            body: body?,
            until,
            max_iterations: u32::try_from(max_iterations).unwrap_or(u32::MAX),
        })))
    }

    /// The graph under `body` where it can run, and the names of its nodes; what it reads of nodes
    /// around it counts as read by this node.
    fn body(&mut self, around: &Around<'_>, item: bool) -> (Option<Arc<ValidGraph>>, Outline) {
        let nothing = (None, Outline::new());
        let Some(value) = self.value("body") else {
            self.error(
                "missing_key",
                "body",
                "`body` is missing: add the steps inside.",
            );
            return nothing;
        };
        if around.depth > MAX_DEPTH {
            let message = format!("Bodies stand in bodies more than {MAX_DEPTH} deep.");
            self.error("too_deep", "body", message);
            return nothing;
        }
        let (drawing, problems) = match Drawing::body(value) {
            Ok(read) => read,
            Err(problem) => {
                self.error("wrong_type", "body", problem.message);
                return nothing;
            }
        };
        let readable = problems.is_empty();
        for problem in problems {
            self.findings.adopt(self.at, problem);
        }
        let inside = Around {
            nodes: around.nodes.clone(),
            inputs: around.inputs,
            item: item || around.item,
            index: true,
            again: !item,
            depth: around.depth,
            suggested: Rc::clone(&around.suggested),
        };
        let checked = check_within(&drawing, &inside);
        for problem in checked.problems {
            self.findings.adopt(self.at, problem);
        }
        if !checked.reads_around.is_empty() {
            let names = Names {
                nodes: checked.reads_around,
                ..Names::default()
            };
            self.reads.push(Reads {
                key: "body",
                names: Arc::new(names),
            });
        }
        let ids = drawing.nodes.iter().map(|node| node.id.clone()).collect();
        (checked.graph.filter(|_| readable).map(Arc::new), ids)
    }
}
