//! The steps inside of a map or loop as a drawing of their own: what is changed there goes into the
//! `body` of the node around it, and what changes that comes back in. One history each: undo inside
//! takes back what was done inside.

use std::sync::Arc;

use domain::{
    graph::{Drawing, Problem, layout::place_missing},
    kind::Kind,
};
use leptos::prelude::*;

use super::Editor;
use crate::{
    canvas::{document::body_value, edit::Edit},
    pages::editor::inspector::upstream::{MOST, Name, names},
};

/// Where an inner drawing belongs.
#[derive(Clone)]
pub struct Inside {
    /// The drawing around it.
    pub around: Editor,
    /// The map or loop there.
    pub node: String,
}

/// The steps inside of a node, each with a place; `None` where the node is gone or holds no graph.
fn body_of(drawing: &Drawing, node: &str) -> Option<Drawing> {
    let node = drawing.node(node)?;
    let mut body = match node.keys.get("body") {
        Some(value) => Drawing::body(value).ok()?.0,
        None => Drawing::default(),
    };
    place_missing(&mut body);
    Some(body)
}

/// Problems of what is inside of a node, as the drawing inside knows them.
fn problems_inside(problems: &[Problem], node: &str) -> Vec<Problem> {
    let inside = |problem: &Problem| {
        let place = problem.node.as_deref()?;
        let mut problem = problem.clone();
        if let Some(inner) = place
            .strip_prefix(node)
            .and_then(|rest| rest.strip_prefix('.'))
        {
            problem.node = Some(inner.to_owned());
            return Some(problem);
        }
        // Of the graph inside as a whole, or of one of its edges.
        let own =
            place == node && (problem.edge.is_some() || problem.key.as_deref() == Some("body"));
        problem.node = None;
        problem.key = None;
        own.then_some(problem)
    };
    problems.iter().filter_map(inside).collect()
}

impl Editor {
    /// An editor of what is inside of a node.
    pub fn inside(self, node: &str) -> Self {
        let body = self.peek(|drawing| body_of(drawing, node));
        let problems = problems_inside(&self.problems.get_untracked(), node);
        let inside = Inside {
            around: self,
            node: node.to_owned(),
        };
        let editor = Self::with(body.unwrap_or_default(), problems, Some(inside));
        let (around, node) = (self, StoredValue::new(node.to_owned()));
        Effect::new(move |before: Option<u64>| {
            let revision = editor.document.read().revision();
            if before.is_some_and(|before| before != revision) {
                let value = editor.peek(body_value);
                node.with_value(|node| around.set_key(node, "body", Some(value)));
            }
            revision
        });
        Effect::new(move |_| {
            let there = node.with_value(|node| around.drawing(|drawing| body_of(drawing, node)));
            if let Some(there) = there
                && editor.peek(|mine| body_value(mine) != body_value(&there))
            {
                editor.apply(Edit::Replace(Box::new(there)));
            }
        });
        Effect::new(move |_| {
            let found = node.with_value(|node| problems_inside(&around.problems.read(), node));
            if editor.problems.with_untracked(|known| **known != found) {
                editor.problems.set(Arc::new(found));
            }
        });
        editor
    }

    /// Where this drawing belongs; `None` for that of the workflow.
    pub fn place_inside(self) -> Option<Inside> {
        self.inside.get_value()
    }

    /// What the form of a node calls what is around: the title of the map or loop, and its kind.
    pub fn around(self) -> Option<(String, Option<Kind>)> {
        let Inside { around, node } = self.place_inside()?;
        around.drawing(|drawing| {
            let node = drawing.node(&node)?;
            Some((node.title().to_owned(), node.known_kind()))
        })
    }

    /// What an expression of this node can name, nearest first; of what is around it too.
    pub fn names(self, node: &str) -> Vec<Name> {
        let mut found = self.drawing(|drawing| names(drawing, node));
        let Some(Inside { around, node }) = self.place_inside() else {
            return found;
        };
        let kind = around.drawing(|drawing| drawing.node(&node).and_then(|node| node.known_kind()));
        let item = (kind == Some(Kind::Map)).then_some("item");
        for word in item.into_iter().chain(["index"]) {
            found.push(Name {
                label: word.to_owned(),
                expression: word.to_owned(),
            });
        }
        for name in around.names(&node) {
            if found.len() < MOST && !found.contains(&name) {
                found.push(name);
            }
        }
        found
    }
}

/// Which drawing is open: the workflow's, or what is inside of its maps and loops. Copyable.
#[derive(Clone, Copy)]
pub struct Levels {
    /// The nodes on the way in; empty for the workflow itself.
    pub path: RwSignal<Vec<String>>,
    /// What to select once the drawing is there: a node, and the key whose field gets the focus.
    pub wanted: StoredValue<Option<(String, Option<String>)>>,
}

impl Levels {
    /// Begins with the workflow itself.
    pub fn new() -> Self {
        Self {
            path: RwSignal::new(Vec::new()),
            wanted: StoredValue::new(None),
        }
    }

    /// Opens what is inside of a node of the drawing that is open.
    pub fn enter(self, node: &str) {
        self.path.update(|path| path.push(node.to_owned()));
    }

    /// Goes back to so many nodes deep.
    pub fn back_to(self, depth: usize) {
        self.path.update(|path| path.truncate(depth));
    }

    /// Opens the drawing that a problem is in (`each.draft`) and shows the node.
    pub fn jump(self, place: &str, key: Option<&str>) {
        let mut path: Vec<String> = place.split('.').map(str::to_owned).collect();
        let Some(node) = path.pop() else { return };
        self.wanted.set_value(Some((node, key.map(str::to_owned))));
        self.path.set(path);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn problems_lose_the_way_in() {
        let (drawing, _) = Drawing::from_value(json!({
            "troupe": 1, "name": "x",
            "nodes": [
                {"id": "each", "kind": "map", "items": "[1]", "body": {
                    "nodes": [
                        {"id": "draft", "kind": "agent"},
                        {"id": "again", "kind": "loop", "body": {"nodes": [{"id": "deep", "kind": "agent"}], "edges": []}},
                    ],
                    "edges": [{"from": "draft", "to": "gone"}],
                }},
                {"id": "each2", "kind": "agent"},
            ],
            "edges": [],
        }))
        .unwrap();
        let all = domain::graph::problems::problems(&drawing);
        let places = |problems: &[Problem]| {
            let mut places: Vec<String> = problems
                .iter()
                .map(|problem| {
                    let node = problem.node.as_deref().unwrap_or("-");
                    let edge = problem.edge.as_deref().map(|_| " edge").unwrap_or_default();
                    format!("{node}{edge}")
                })
                .collect();
            places.sort();
            places.dedup();
            places.join(", ")
        };
        let inside = problems_inside(&all, "each");
        expect_test::expect!["- edge, again.deep, draft"].assert_eq(&places(&inside));
        let deeper = problems_inside(&inside, "again");
        expect_test::expect!["deep"].assert_eq(&places(&deeper));
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        let value = json!({"nodes": [{"id": "draft", "kind": "agent", "prompt": "x"}], "edges": [],
            "layout": {"nodes": {"draft": [40.0, 80.0]}}});
        let (drawing, _) = Drawing::from_value(json!({
            "troupe": 1, "name": "x",
            "nodes": [{"id": "each", "kind": "map", "body": value}], "edges": [],
        }))
        .unwrap();
        let body = body_of(&drawing, "each").unwrap();
        let again = Drawing::body(&body_value(&body)).unwrap().0;
        assert_eq!(again, body);
        assert_eq!(body_of(&drawing, "gone"), None);
    }
}
