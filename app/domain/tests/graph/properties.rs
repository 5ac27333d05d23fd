//! What holds for every drawing, however wrong: nothing panics, and what is promised is so.

use std::time::Instant;

use domain::{
    expression::{Scope, render_value},
    graph::{
        Drawing, DrawnEdge, DrawnNode, Severity, Source,
        check::check,
        layout::{place_missing, tidy, usual_size},
        problems::problems,
        topology::{Reach, legal_connection},
    },
    kind::Kind,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::layouts::{overlaps, tidied};

/// JSON that is likely to hit something: keys of the file, values of every type.
fn any_json() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("troupe"),
        Just("name"),
        Just("nodes"),
        Just("edges"),
        Just("layout"),
        Just("inputs"),
        Just("id"),
        Just("kind"),
        Just("from"),
        Just("to"),
        Just("prompt"),
        Just("cases"),
        Just("port"),
        Just("when"),
        Just("retry"),
        Just("attempts"),
        Just("title"),
        Just("default"),
        Just("type"),
        Just("condition"),
        Just("on_error"),
        Just("model"),
        Just("else"),
        Just("x"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        any::<i64>().prop_map(Value::from),
        prop_oneof![
            Just("a"),
            Just("b"),
            Just("a.out"),
            Just("b.in"),
            Just("a.b.c"),
            Just(""),
            Just("."),
            Just("agent"),
            Just("branch"),
            Just("note"),
            Just("output"),
            Just("transform"),
            Just("{{ nodes.a.output }}"),
            Just("{% if"),
            Just("{{ x"),
            Just("error"),
            Just("ä 🎭"),
        ]
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|pairs| {
                pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            }),
        ]
    })
}

/// Graphs with a little of everything wrong: the same ids, edges to nowhere, circles, loops.
fn any_graph(most: usize) -> impl Strategy<Value = Drawing> {
    let node = (0..most, 0..7_usize, 0..6_usize, 0..most);
    let edge = (0..most + 2, 0..most + 2, 0..6_usize);
    let parts = (
        prop::collection::vec(node, 0..most),
        prop::collection::vec(edge, 0..2 * most),
    );
    parts.prop_map(|(nodes, edges)| {
        let nodes = nodes.into_iter().enumerate().map(|(at, (twin, kind, keys, other))| {
            let id = if kind == 6 { format!("n{twin}") } else { format!("n{at}") };
            let kind = ["agent", "transform", "branch", "output", "note", "future", "agent"][kind];
            let keys = match keys {
                0 => json!({}),
                1 => json!({"prompt": format!("{{{{ nodes.n{other}.output }}}}"), "on_error": "branch"}),
                2 => json!({"condition": "input.x", "disabled": true}),
                3 => json!({"cases": [{"port": "true", "when": "1"}, {"port": "p", "when": "0"}], "else": "q"}),
                4 => json!({"value": "{{ input }}", "template": "{{ nodes[input.x] }}", "join": "any"}),
                _ => json!({"prompt": "x", "template": "x", "condition": "true", "value": "x"}),
            };
            DrawnNode { id, kind: kind.into(), keys: keys.as_object().cloned().unwrap_or_default() }
        });
        let edges = edges.into_iter().map(|(from, to, port)| {
            let port = ["out", "out", "true", "false", "error", "p"][port];
            DrawnEdge::between(&format!("n{from}"), port, &format!("n{to}"))
        });
        Drawing { nodes: nodes.collect(), edges: edges.collect(), ..Drawing::default() }
    })
}

/// Graphs that can run.
fn sound_graph(most: usize) -> impl Strategy<Value = Drawing> {
    let edges = prop::collection::vec((0..most, 0..most), 0..2 * most);
    (1..most, edges).prop_map(|(count, edges)| {
        let keys: Map<String, Value> = Map::from_iter([("prompt".to_owned(), "x".into())]);
        let node = |at| DrawnNode {
            id: format!("n{at}"),
            kind: "agent".into(),
            keys: keys.clone(),
        };
        let edges = edges
            .into_iter()
            .map(|(a, b)| (a % count, b % count))
            .filter(|(a, b)| a != b);
        let edges = edges.map(|(a, b)| {
            DrawnEdge::between(&format!("n{}", a.min(b)), "out", &format!("n{}", a.max(b)))
        });
        // Not in the order of the work: the file may have any.
        let nodes = (0..count).rev().map(node).collect();
        Drawing {
            nodes,
            edges: edges.collect(),
            ..Drawing::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_json_can_be_read_checked_written_and_laid_out(value in any_json()) {
        let mut wrapped = value.clone();
        if let Value::Object(file) = &mut wrapped {
            file.insert("nodes".into(), json!([value, {"id": "a", "kind": "branch", "cases": value, "retry": value, "when": 1}]));
            file.insert("edges".into(), json!([value, {"from": "a", "to": value}]));
        }
        for value in [value, wrapped] {
            let Ok((mut drawing, _)) = Drawing::from_value(value) else { continue };
            let text = drawing.to_text();
            let (again, _) = Drawing::parse(&text).expect("what was written can be read");
            prop_assert_eq!(again.to_text(), text);
            check(&drawing);
            place_missing(&mut drawing);
            tidy(&drawing, &usual_size);
        }
    }

    #[test]
    fn a_graph_that_can_run_has_an_order(drawing in any_graph(12)) {
        let (graph, problems) = check(&drawing);
        let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
        prop_assert_eq!(graph.is_some(), !errors);
        let Some(graph) = graph else { return Ok(()) };
        prop_assert_eq!(graph.order.len(), graph.nodes.len());
        let mut place = vec![usize::MAX; graph.nodes.len()];
        for (turn, &node) in graph.order.iter().enumerate() {
            place[node] = turn;
        }
        for edge in &graph.edges {
            prop_assert!(place[edge.from] < place[edge.to]);
        }
    }

    #[test]
    fn sound_graphs_can_run(drawing in sound_graph(30)) {
        let (graph, problems) = check(&drawing);
        prop_assert!(graph.is_some(), "{problems:?}");
    }

    /// A legal edge never brings an error, and a refused one always has a reason that `problems`
    /// sees as well.
    #[test]
    fn a_connection_is_legal_exactly_when_it_does_no_harm(
        drawing in sound_graph(12), from in 0..13_usize, to in 0..13_usize, port in 0..3_usize,
    ) {
        let (from, to) = (format!("n{from}"), format!("n{to}"));
        let port = ["out", "error", "true"][port];
        let mut after = drawing.clone();
        after.edges.push(DrawnEdge::between(&from, port, &to));
        let harm = |drawing: &Drawing| {
            let codes = ["cycle", "dangling_edge", "duplicate_edge", "unknown_port", "edge_to_note"];
            problems(drawing).iter().filter(|problem| codes.contains(&problem.code.as_str())).count()
        };
        let legal = legal_connection(&drawing, &from, port, &to).is_ok();
        prop_assert_eq!(legal, harm(&after) == harm(&drawing));
        let reach = Reach::new(&drawing);
        if port == "out" && drawing.node(&from).is_some() {
            prop_assert_eq!(reach.targets(&from, port).contains(&to), legal);
        }
    }

    #[test]
    fn any_graph_is_laid_out_without_overlaps(drawing in any_graph(30)) {
        let places = tidied(&drawing);
        prop_assert_eq!(overlaps(&places), vec![]);
        prop_assert_eq!(&tidied(&drawing), &places);
        for edge in &drawing.edges {
            let _ = legal_connection(&drawing, edge.source().0, edge.source().1, edge.target().0);
        }
        let mut placed = drawing.clone();
        place_missing(&mut placed);
        let notes = |node: &&DrawnNode| node.known_kind() != Some(Kind::Note);
        prop_assert!(placed.nodes.iter().filter(notes).all(|node| placed.layout.nodes.contains_key(&node.id)));
    }

    #[test]
    fn work_is_laid_out_left_to_right(drawing in sound_graph(40)) {
        let places = tidy(&drawing, &usual_size);
        for edge in &drawing.edges {
            prop_assert!(places[edge.source().0].0 < places[edge.target().0].0);
        }
    }

    #[test]
    fn any_text_is_a_template_or_an_error(text in "[ -~]{0,60}|(\\{\\{|\\}\\}|\\{%|%\\}|if|for|x|in|set|=|nodes|\\.|\\[|\\]|'a'|1|\\||,|input|\\(|\\)|-| |end){0,24}") {
        let outputs = std::collections::BTreeMap::from([("a".to_owned(), json!([1, {"b": "c"}]))]);
        let input = json!({"a": 1});
        let scope = Scope { run_id: "r", input: &input, outputs: &outputs, item: None, index: None };
        for source in [Source::template(&text), Source::expression(&text)].into_iter().flatten() {
            let _ = render_value(&source, &scope);
        }
    }
}

/// How long large drawings take. Run it optimized: `cargo test --release -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn times() {
    fn random(seed: &mut u64) -> usize {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize
    }
    fn drawing(count: usize, edges: usize, window: usize) -> Drawing {
        let mut seed = 7;
        let nodes = (0..count).map(|at| {
            let earlier = at - (random(&mut seed) % window).min(at);
            let prompt = format!(
                "Do {{{{ input.topic }}}} with {{{{ nodes.n{earlier}.output|default('') }}}}"
            );
            let keys =
                json!({"title": format!("Step {at}"), "prompt": prompt, "capabilities": ["x"]});
            let keys = keys.as_object().cloned().unwrap_or_default();
            DrawnNode {
                id: format!("n{at}"),
                kind: "agent".into(),
                keys,
            }
        });
        let nodes = nodes.collect();
        let mut seed = 11;
        let edges = (0..edges).map(|_| {
            let to = 1 + random(&mut seed) % (count - 1);
            let from = to - 1 - (random(&mut seed) % window).min(to - 1);
            DrawnEdge::between(&format!("n{from}"), "out", &format!("n{to}"))
        });
        Drawing {
            nodes,
            edges: edges.collect(),
            ..Drawing::default()
        }
    }
    #[expect(clippy::disallowed_methods, reason = "how long it takes is the point")]
    fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = act();
        println!(
            "{:>8.1} ms  {what}",
            started.elapsed().as_secs_f64() * 1_000.0
        );
        result
    }
    for (count, edges, window) in [
        (1_000, 1_500, 40),
        (1_000, 1_500, 1_000),
        (1_000, 5_000, 1_000),
        (1_000, 1_000, 1),
        (2_000, 3_000, 40),
        (2_000, 3_000, 2_000),
        (10_000, 15_000, 40),
        (10_000, 15_000, 10_000),
        (100_000, 150_000, 100),
    ] {
        println!("{count} nodes, {edges} edges, {window} apart at most");
        let drawing = drawing(count, edges, window);
        timed("check", || check(&drawing));
        timed("tidy", || tidy(&drawing, &usual_size));
        let reach = timed("prepare connecting", || Reach::new(&drawing));
        timed("one connection", || {
            reach
                .connect(&format!("n{}", count - 1), "out", "n0")
                .is_ok()
        });
        timed("all targets", || reach.targets("n5", "out").len());
        let text = timed("write", || drawing.to_text());
        timed("read", || Drawing::parse(&text).is_ok());
    }
}
