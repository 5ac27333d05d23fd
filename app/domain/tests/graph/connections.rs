//! Which new edges may be drawn, and what is said about the others.

use domain::graph::{
    ValidGraph, check,
    topology::{Reach, cycles, legal_connection, order},
};
use expect_test::{Expect, expect};

use crate::sketch::sketch;

#[track_caller]
fn check_edge(drawing: &str, edge: &str, expected: Expect) {
    let (from, to) = edge.split_once(" -> ").expect("an edge");
    let (from, port) = from.split_once('.').unwrap_or((from, "out"));
    let said = match legal_connection(&sketch(drawing), from, port, to) {
        Ok(()) => "legal".to_owned(),
        Err(refusal) => refusal.to_string(),
    };
    expected.assert_eq(&said);
}

#[test]
fn legal_edges() {
    check_edge("a -> b; c", "b -> c", expect!["legal"]);
    check_edge("a -> b; b -> c", "a -> c", expect!["legal"]);
    check_edge("x branch; x.true -> b", "x.false -> b", expect!["legal"]);
    check_edge("a thing; b", "a.whatever -> b", expect!["legal"]);
}

#[test]
fn edges_that_are_refused() {
    check_edge(
        "a -> b",
        "a -> b",
        expect!["These two are connected already."],
    );
    check_edge(
        "a.out -> b.in",
        "a -> b",
        expect!["These two are connected already."],
    );
    check_edge(
        "a -> b",
        "a -> a",
        expect!["A step cannot wait for itself."],
    );
    check_edge(
        "a -> b",
        "b -> a",
        expect!["That would be a circle, as a way leads back already: a → b."],
    );
    check_edge(
        r#"a agent {"title": "Plan"}; a -> b; b -> c; b -> d; d -> c"#,
        "c -> a",
        expect!["That would be a circle, as a way leads back already: Plan → b → c."],
    );
    check_edge(
        "a -> b; b -> c; c -> d; d -> e; e -> f; f -> g",
        "g -> a",
        expect!["That would be a circle, as a way leads back already: a → 5 more → g."],
    );
    check_edge(
        "a; n note",
        "a -> n",
        expect!["A note takes no part in the run, so no edge leads to or from it."],
    );
    check_edge(
        "a; n note",
        "n -> a",
        expect!["A note takes no part in the run, so no edge leads to or from it."],
    );
    check_edge("a; b", "a.true -> b", expect!["a has no port `true`."]);
    check_edge("a; b", "a -> c", expect!["There is no step `c`."]);
}

#[test]
fn targets_are_the_legal_ones() {
    let drawing = sketch("a -> b; b -> c; c -> d; b -> e; n note; f");
    let mut targets: Vec<String> = Reach::new(&drawing)
        .targets("c", "out")
        .into_iter()
        .collect();
    targets.sort();
    assert_eq!(targets, ["e", "f"]);
}

#[test]
fn a_drawing_that_is_wrong_already_can_be_asked_about() {
    check_edge("a -> b; b -> a; c", "b -> c", expect!["legal"]);
    check_edge("a; a; a -> !x; b", "a -> b", expect!["legal"]);
    check_edge("a -> a; b", "b -> a", expect!["legal"]);
}

#[test]
fn order_follows_the_file_where_it_is_free() {
    assert_eq!(order(5, &[(3, 0), (0, 1)]), [2, 3, 0, 1, 4]);
    assert_eq!(order(3, &[(0, 1), (1, 0)]), [2]);
    assert_eq!(
        cycles(6, &[(1, 0), (0, 1), (4, 3), (3, 5), (5, 4), (2, 2)]),
        [vec![0, 1], vec![2], vec![3, 5, 4]]
    );
}

#[test]
fn a_long_chain_needs_no_stack() {
    let count = 100_000;
    let edges: Vec<(usize, usize)> = (1..count).map(|at| (at - 1, at)).collect();
    assert_eq!(order(count, &edges).len(), count);
    let ring: Vec<(usize, usize)> = (0..count).map(|at| (at, (at + 1) % count)).collect();
    assert_eq!(cycles(count, &ring)[0].len(), count);
    let mut drawing = sketch("n0");
    let node = drawing.nodes.remove(0);
    for at in 0..count {
        drawing.nodes.push(domain::graph::DrawnNode {
            id: format!("n{at}"),
            ..node.clone()
        });
    }
    for (from, to) in &edges {
        let edge = domain::graph::DrawnEdge::between(&format!("n{from}"), "out", &format!("n{to}"));
        drawing.edges.push(edge);
    }
    let (graph, problems) = check::check(&drawing);
    let graph: ValidGraph = graph.unwrap_or_else(|| panic!("{problems:?}"));
    assert_eq!(graph.behind(0).len(), count - 1);
    assert!(legal_connection(&drawing, "n99999", "out", "n0").is_err());
}
