//! Files survive the round trip: nothing is lost, nothing moves, a diff shows what changed.

use domain::graph::{Drawing, DrawnEdge, drawing::Place};
use expect_test::{Expect, expect};

#[track_caller]
fn check(text: &str, expected: Expect) {
    let drawing = match Drawing::parse(text) {
        Ok((drawing, problems)) => {
            let said: Vec<String> = problems
                .into_iter()
                .map(|p| format!("{}: {}", p.code, p.message))
                .collect();
            (drawing, said.join("\n"))
        }
        Err(problem) => {
            return expected.assert_eq(&format!("{}: {}", problem.code, problem.message));
        }
    };
    let (drawing, said) = drawing;
    let text = drawing.to_text();
    let (again, problems) = Drawing::parse(&text).expect("what was written can be read");
    assert_eq!(again.nodes, drawing.nodes, "read again, it is the same");
    assert_eq!(again.edges, drawing.edges, "read again, it is the same");
    assert_eq!(
        (&again.inputs, &again.extra),
        (&drawing.inputs, &drawing.extra)
    );
    assert_eq!(again.to_text(), text, "written again, it is the same");
    assert!(
        problems.is_empty(),
        "what was written says it is a workflow: {problems:?}"
    );
    expected.assert_eq(&format!("{said}\n{text}"));
}

#[test]
fn a_file_comes_back_in_one_order_with_plain_numbers() {
    check(
        r#"{"layout": {"groups": [{"id": "g", "nodes": ["a"]}], "nodes": {"b": [10.0, 20.26, 100, 50], "a": [0, -5.04]}},
        "edges": [{"to": "b", "label": "go", "from": "a.out", "colour": 5}],
        "nodes": [{"retry": {"attempts": 3}, "x-mine": {"deep": [1.0, 1e3]}, "prompt": "Hi", "kind": "agent", "title": "A", "id": "a"},
                  {"id": "b", "kind": "future", "zeta": 1, "alpha": 2}],
        "inputs": [{"type": "number", "name": "n", "default": 5, "hint": "how many"}],
        "description": "D", "name": "N", "troupe": 1, "zoo": true, "author": "me"}"#,
        expect![[r#"

            {
              "troupe": 1,
              "name": "N",
              "description": "D",
              "inputs": [
                {
                  "name": "n",
                  "type": "number",
                  "required": false,
                  "default": 5,
                  "hint": "how many"
                }
              ],
              "nodes": [
                {
                  "id": "a",
                  "kind": "agent",
                  "title": "A",
                  "prompt": "Hi",
                  "retry": {
                    "attempts": 3
                  },
                  "x-mine": {
                    "deep": [
                      1.0,
                      1000.0
                    ]
                  }
                },
                {
                  "id": "b",
                  "kind": "future",
                  "zeta": 1,
                  "alpha": 2
                }
              ],
              "edges": [
                {
                  "from": "a.out",
                  "to": "b",
                  "label": "go",
                  "colour": 5
                }
              ],
              "layout": {
                "nodes": {
                  "a": [
                    0,
                    -5
                  ],
                  "b": [
                    10,
                    20.3,
                    100,
                    50
                  ]
                },
                "groups": [
                  {
                    "id": "g",
                    "nodes": [
                      "a"
                    ]
                  }
                ]
              },
              "zoo": true,
              "author": "me"
            }
        "#]],
    );
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_kept() {
    check(
        "{}",
        expect![[r#"
        missing_version: The file does not say "troupe": 1, so it may be no workflow file.
        {
          "troupe": 1,
          "name": "",
          "description": "",
          "inputs": [],
          "nodes": [],
          "edges": [],
          "layout": {
            "nodes": {}
          }
        }
    "#]],
    );
    check(
        "[]",
        expect!["not_an_object: A workflow file is a JSON object, this is something else."],
    );
    check(
        "{",
        expect!["bad_json: This is no JSON: EOF while parsing an object at line 1 column 1."],
    );
    check(
        r#"{"troupe": 2, "name": 5, "description": null, "inputs": [{"name": "a", "type": "colour"}, 5], "nodes": {}, "edges": [1, {"from": "a"}], "layout": []}"#,
        expect![[r#"
            unknown_version: The file says "troupe": 2; this version reads 1.
            wrong_type: `name` must be text.
            bad_input: Input 1 cannot be read: unknown variant `colour`, expected one of `string`, `text`, `number`, `boolean`, `json`.
            bad_input: Input 2 cannot be read: invalid type: integer `5`, expected struct InputSpec.
            wrong_type: `nodes` must be a list.
            wrong_type: Edge 1 must be an object.
            wrong_type: `to` of edge 2 must be text.
            wrong_type: `layout` must be an object.
            {
              "troupe": 1,
              "name": "",
              "description": "",
              "inputs": [],
              "nodes": [],
              "edges": [
                {
                  "from": "a",
                  "to": ""
                }
              ],
              "layout": {
                "nodes": {}
              }
            }
        "#]],
    );
    check(
        r#"{"troupe": 1, "nodes": [5, {"kind": "agent"}, {"id": 7, "kind": null, "title": "t"}], "layout": {"nodes": {"a": [1], "b": ["x", 2], "c": [1e300, 0], "d": [1, 2, 0, 5]}}}"#,
        expect![[r#"
            wrong_type: Node 1 must be an object.
            missing_key: Node 2 has no `id`.
            wrong_type: `id` of node 3 must be text.
            wrong_type: `kind` of node 3 must be text.
            bad_place: The place of `a` must be [x, y] or [x, y, width, height].
            bad_place: The place of `b` must be [x, y] or [x, y, width, height].
            bad_place: The place of `c` must be [x, y] or [x, y, width, height].
            bad_place: The place of `d` must be [x, y] or [x, y, width, height].
            {
              "troupe": 1,
              "name": "",
              "description": "",
              "inputs": [],
              "nodes": [
                {
                  "id": "",
                  "kind": "agent"
                },
                {
                  "id": "",
                  "kind": "",
                  "title": "t"
                }
              ],
              "edges": [],
              "layout": {
                "nodes": {}
              }
            }
        "#]],
    );
}

#[test]
fn a_change_touches_the_lines_that_it_changes() {
    let (mut drawing, _) = Drawing::parse(
        r#"{"troupe":1,"name":"N","nodes":[{"id":"a","kind":"agent","prompt":"x"},{"id":"b","kind":"agent","prompt":"y"}],"edges":[{"from":"a","to":"b"}]}"#,
    )
    .expect("a drawing");
    let before = drawing.to_text();
    drawing.layout.nodes.insert(
        "a".into(),
        Place {
            x: 10.0,
            y: 20.5,
            size: None,
        },
    );
    drawing.edges.push(DrawnEdge::between("a", "error", "b"));
    let after = drawing.to_text();
    let new = after
        .lines()
        .filter(|line| !before.lines().any(|old| old == *line));
    let new: Vec<&str> = new.map(str::trim).collect();
    expect![[r#"
        "from": "a.error",
        "nodes": {
        "a": [
        10,
        20.5
        ]"#]]
    .assert_eq(&new.join("\n"));
}
