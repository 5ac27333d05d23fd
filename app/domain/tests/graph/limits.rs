//! Files made to be slow: what is too much is said in one sentence, and found in no time.

#![expect(
    clippy::disallowed_methods,
    reason = "it looks at the clock to tell quick from slow"
)]

use std::time::{Duration, Instant};

use domain::graph::{Drawing, DrawnEdge, DrawnNode, Problem, problems::problems};
use serde_json::{Map, Value, json};

fn node(id: &str, kind: &str, keys: Value) -> DrawnNode {
    let keys = match keys {
        Value::Object(keys) => keys,
        _ => Map::new(),
    };
    DrawnNode {
        id: id.into(),
        kind: kind.into(),
        keys,
    }
}

fn edge(from: &str, to: &str) -> DrawnEdge {
    DrawnEdge {
        from: from.into(),
        to: to.into(),
        ..DrawnEdge::default()
    }
}

/// What is wrong, found soon.
#[track_caller]
fn soon(drawing: &Drawing) -> Vec<Problem> {
    let began = Instant::now();
    let found = problems(drawing);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "it took {took:?}");
    found
}

#[track_caller]
fn told(problems: &[Problem], code: &str) -> String {
    let told = problems.iter().find(|problem| problem.code == code);
    told.unwrap_or_else(|| panic!("no {code} in {problems:#?}"))
        .message
        .clone()
}

fn branch(cases: usize) -> Drawing {
    let case = |at: usize| json!({ "port": format!("p{at}"), "when": "true" });
    let cases: Vec<Value> = (0..cases).map(case).collect();
    let mut drawing = Drawing::default();
    drawing
        .nodes
        .push(node("b", "branch", json!({ "cases": cases, "else": "no" })));
    drawing
}

#[test]
fn a_branch_has_at_most_a_hundred_cases() {
    let codes: Vec<String> = problems(&branch(100)).into_iter().map(|p| p.code).collect();
    assert!(!codes.contains(&"too_many_cases".to_owned()), "{codes:?}");
    let found = soon(&branch(100_000));
    assert_eq!(
        told(&found, "too_many_cases"),
        "There are 100000 cases; a branch has at most 100. Let one branch follow another."
    );
}

#[test]
fn edges_at_many_cases_are_read_soon() {
    let mut drawing = branch(50_000);
    drawing
        .nodes
        .push(node("z", "transform", json!({ "template": "x" })));
    for at in 0..50_000 {
        drawing.edges.push(edge(&format!("b.p{at}"), "z"));
    }
    told(&soon(&drawing), "too_many_cases");
}

#[test]
fn lists_of_words_have_at_most_a_hundred() {
    let words: Vec<String> = (0..101).map(|at| format!("w{at}")).collect();
    let mut drawing = Drawing::default();
    for key in ["capabilities", "tools"] {
        let id = format!("with-{key}");
        let keys = json!({ "prompt": "x", key: words });
        drawing.nodes.push(node(&id, "agent", keys));
        let keys = json!({ "prompt": "x", key: words[..100] });
        drawing
            .nodes
            .push(node(&format!("few-{key}"), "agent", keys));
    }
    let found = soon(&drawing);
    let many: Vec<_> = found
        .iter()
        .filter(|problem| problem.code == "too_many_words")
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        many,
        [
            "`capabilities` holds 101 words; at most 100 are taken: leave some out.",
            "`tools` holds 101 words; at most 100 are taken: leave some out.",
        ]
    );
}

#[test]
fn values_by_name_are_at_most_a_hundred() {
    let headers: Map<String, Value> = (0..101).map(|at| (format!("x-{at}"), json!("y"))).collect();
    let mut drawing = Drawing::default();
    let keys = json!({ "url": "http://x/", "headers": headers });
    drawing.nodes.push(node("h", "http", keys));
    assert_eq!(
        told(&soon(&drawing), "too_many_fields"),
        "`headers` holds 101 values; at most 100 are taken: leave some out."
    );
}

#[test]
fn a_node_may_have_any_number_of_edges() {
    let mut drawing = Drawing::default();
    let step = |id: &str| node(id, "transform", json!({ "template": "x" }));
    drawing.nodes.push(step("first"));
    drawing.nodes.push(step("last"));
    for at in 0..40_000 {
        let id = format!("n{at}");
        drawing.nodes.push(step(&id));
        drawing.edges.push(edge("first", &id));
        drawing.edges.push(edge(&id, "last"));
    }
    assert_eq!(soon(&drawing), []);
}

#[test]
fn many_names_that_are_nothing_are_found_soon() {
    let text: String = (0..6_000).map(|at| format!("{{{{u{at}}}}}")).collect();
    let mut drawing = Drawing::default();
    for at in 0..20 {
        let keys = json!({ "template": text });
        drawing
            .nodes
            .push(node(&format!("t{at}"), "transform", keys));
    }
    told(&soon(&drawing), "unknown_name");
}

#[test]
fn many_bodies_are_read_soon() {
    let mut drawing = Drawing::default();
    let body = json!({
        "nodes": [{ "id": "a", "kind": "transform", "template": "{{ item }} {{ nodes.nobody.output }}" }],
        "edges": [],
    });
    for at in 0..20_000 {
        let keys = json!({ "items": "[1]", "body": body });
        drawing.nodes.push(node(&format!("m{at}"), "map", keys));
    }
    told(&soon(&drawing), "unknown_name");
}
