//! Where nodes are put: left to right, never over each other, always the same.

use domain::graph::{
    Drawing, DrawnNode,
    drawing::Place,
    layout::{place_missing, tidy, usual_size},
};
use expect_test::{Expect, expect};

use crate::sketch::sketch;

/// Nodes that cover each other, notes aside.
pub fn overlaps(places: &[(&DrawnNode, (f64, f64))]) -> Vec<(String, String)> {
    let mut boxes: Vec<(f64, f64, f64, f64, &str)> = places
        .iter()
        .filter(|(node, _)| node.kind != "note")
        .map(|(node, (x, y))| {
            let (width, height) = usual_size(node);
            (*x, *y, x + width, y + height, node.id.as_str())
        })
        .collect();
    boxes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut found = Vec::new();
    for (at, a) in boxes.iter().enumerate() {
        for b in boxes[at + 1..].iter().take_while(|b| b.0 < a.2) {
            if a.1 < b.3 && b.1 < a.3 {
                found.push((a.4.to_owned(), b.4.to_owned()));
            }
        }
    }
    found
}

/// Nodes with the places that `tidy` gives them.
pub fn tidied(drawing: &Drawing) -> Vec<(&DrawnNode, (f64, f64))> {
    let places = tidy(drawing, &usual_size);
    let mut seen = std::collections::HashSet::new();
    let once = drawing.nodes.iter().filter(|node| seen.insert(&node.id));
    once.map(|node| (node, places[&node.id])).collect()
}

#[track_caller]
fn check(text: &str, expected: Expect) {
    let drawing = sketch(text);
    let places = tidied(&drawing);
    assert_eq!(overlaps(&places), [], "no two nodes over each other");
    assert_eq!(tidied(&drawing), places, "the same again");
    let lines: Vec<String> = places
        .iter()
        .map(|(node, (x, y))| format!("{} {x},{y}", node.id))
        .collect();
    expected.assert_eq(&lines.join("  "));
}

#[test]
fn work_goes_from_left_to_right() {
    check("a -> b; b -> c", expect!["a 0,0  b 260,0  c 520,0"]);
    check(
        "a -> b; a -> c; b -> d; c -> d",
        expect!["a 0,52  b 260,0  c 260,104  d 520,52"],
    );
    check(
        "g branch; p -> g; g.true -> a; g.false -> b; a -> end; b -> end; p -> end",
        expect!["g 260,46  p 0,0  a 520,0  b 520,116  end 780,0"],
    );
}

#[test]
fn parts_and_single_steps_stand_apart() {
    check(
        "a -> b; c -> d; x; y",
        expect!["x 0,288  y 272,288  a 0,0  b 260,0  c 0,144  d 260,144"],
    );
    check("x; y; z", expect!["x 0,0  y 272,0  z 0,144"]);
    check("", expect![[""]]);
}

#[test]
fn circles_and_self_loops_can_be_laid_out() {
    check(
        "a -> b; b -> c; c -> a; c -> c; a -> b",
        expect!["a 0,0  b 260,52  c 520,0"],
    );
    check("a -> a", expect!["a 0,0"]);
}

#[test]
fn notes_stay_where_they_are() {
    let mut drawing = sketch("n note; m note; a -> b");
    drawing.layout.nodes.insert(
        "n".into(),
        Place {
            x: -50.0,
            y: 7.0,
            size: Some((300.0, 80.0)),
        },
    );
    let places = tidied(&drawing);
    assert_eq!(places[0].1, (-50.0, 7.0));
    assert!(
        places[1].1.1 > places[2].1.1,
        "a note without a place stands below the work"
    );
}

#[test]
fn what_has_no_place_gets_one_and_the_rest_stays() {
    let places = |drawing: &Drawing| {
        let places = drawing.layout.nodes.iter();
        places
            .map(|(id, at)| format!("{id} {},{}", at.x, at.y))
            .collect::<Vec<_>>()
            .join("  ")
    };
    let mut drawing = sketch("a -> b; b -> c; n note");
    place_missing(&mut drawing);
    expect!["a 0,0  b 260,0  c 520,0  n 0,144"].assert_eq(&places(&drawing));
    drawing.layout.nodes.remove("b");
    drawing.layout.nodes.insert(
        "c".into(),
        Place {
            x: 500.0,
            y: 100.0,
            size: None,
        },
    );
    place_missing(&mut drawing);
    expect!["a 0,0  b 0,336  c 500,100  n 0,144"].assert_eq(&places(&drawing));
    let whole = drawing.clone();
    place_missing(&mut drawing);
    assert_eq!(drawing, whole, "nothing is missing, nothing moves");
}

#[test]
fn sizes_that_make_no_sense_do_no_harm() {
    let drawing = sketch("a -> b; b -> c; d");
    for size in [f64::NAN, f64::INFINITY, -5.0, 0.0, 1e300] {
        let places = tidy(&drawing, &|_| (size, size));
        assert!(
            places.values().all(|(x, y)| x.is_finite() && y.is_finite()),
            "{size}"
        );
    }
}

/// A name, a number of nodes, and the edges between them.
type Shape = (&'static str, usize, Vec<(usize, usize)>);

/// Parts that are too large or too tangled for the crate that orders small ones.
#[test]
fn large_parts_are_laid_out_as_well() {
    let spread = |at: usize, of: usize| (at * 7_919 + at * at * 31) % of;
    let shapes: [Shape; 5] = [
        (
            "random",
            500,
            (0..800)
                .map(|at| (spread(at, 400), 400 + spread(at, 99)))
                .collect(),
        ),
        (
            "tangled",
            100,
            (1..1_200)
                .map(|at| (spread(at, 60), 60 + spread(at + 3, 40)))
                .collect(),
        ),
        (
            "chain with shortcuts",
            400,
            (1..400)
                .flat_map(|at| [(at - 1, at), (at / 2, at)])
                .collect(),
        ),
        ("star", 1_000, (1..1_000).map(|at| (0, at)).collect()),
        ("tree", 1_000, (1..1_000).map(|at| (at / 3, at)).collect()),
    ];
    for (what, count, edges) in shapes {
        let mut text: String = (0..count)
            .map(|at| match at % 3 {
                0 => format!("n{at} branch\n"),
                _ => format!("n{at}\n"),
            })
            .collect();
        for (from, to) in edges.iter().filter(|(from, to)| from != to) {
            text += &format!("n{from} -> n{to}\n");
        }
        let drawing = sketch(&text);
        let places = tidied(&drawing);
        assert_eq!(overlaps(&places), [], "{what}");
        assert_eq!(tidied(&drawing), places, "{what}");
        for (from, to) in edges.iter().filter(|(from, to)| from < to) {
            assert!(
                places[*from].1.0 < places[*to].1.0,
                "{what}: n{from} before n{to}"
            );
        }
    }
}
