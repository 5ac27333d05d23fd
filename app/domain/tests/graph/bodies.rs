//! What stands inside of maps and loops is checked as what stands around them.

use domain::{
    graph::{Drawing, Severity, Work, check::check as check_drawing},
    kind::{KeyType, Kind},
};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

/// The problems of a workflow with these nodes and edges.
#[track_caller]
fn check(nodes: Value, edges: Value, expected: Expect) {
    let file = json!({
        "troupe": 1, "name": "x", "inputs": [{ "name": "topic" }],
        "nodes": nodes, "edges": edges,
    });
    let (drawing, _) = Drawing::from_value(file).expect("an object");
    let (graph, problems) = check_drawing(&drawing);
    let errors = problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    assert_eq!(graph.is_none(), errors, "a graph and errors, or neither");
    let told: Vec<String> = problems
        .iter()
        .map(|problem| {
            let place = [&problem.node, &problem.key, &problem.edge];
            let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
            format!("{} {}: {}", problem.code, place.join(" "), problem.message)
        })
        .collect();
    expected.assert_eq(&told.join("\n"));
}

fn map(body: Value) -> Value {
    json!({ "id": "each", "kind": "map", "items": "[1]", "body": body })
}

#[test]
fn a_sound_body_has_no_problems() {
    check(
        json!([
            { "id": "plan", "kind": "transform", "template": "x" },
            { "id": "each", "kind": "map", "items": "nodes.plan.output", "body": {
                "nodes": [
                    { "id": "a", "kind": "transform", "template": "{{ item }}{{ index }}{{ nodes.plan.output }}{{ input.topic }}" },
                    { "id": "b", "kind": "loop", "until": "nodes.c.output == index", "body": {
                        "nodes": [{ "id": "c", "kind": "transform", "template": "{{ nodes.a.output }}{{ item }}" }], "edges": []
                    } }
                ],
                "edges": [{ "from": "a", "to": "b" }],
                "layout": { "nodes": { "a": [0, 0] } }
            } }
        ]),
        json!([{ "from": "plan", "to": "each" }]),
        expect![""],
    );
}

#[test]
fn problems_inside_have_a_path() {
    check(
        json!([map(json!({
            "nodes": [
                { "id": "a", "kind": "agnet" },
                { "id": "b", "kind": "agent" },
                { "id": "c", "kind": "transform", "template": "{{ nodes.d.output }}{{ input.topik }}{{ what }}" },
                { "id": "c", "kind": "transform", "template": "{{" },
                map(json!({ "nodes": [{ "id": "deep", "kind": "transform" }], "edges": [] }))
            ],
            "edges": [{ "from": "a", "to": "x" }]
        }))]),
        json!([]),
        expect![[r#"
            unknown_kind each.a: `agnet` is no kind of node: did you mean `agent`?
            missing_key each.b prompt: `prompt` is missing: What the agent is asked to do. Use {{ input.name }} and {{ nodes.id.output }}.
            unknown_name each.c template: There is no node `d`.
            unknown_name each.c template: There is no input `topik`: did you mean `input.topic`?
            unknown_name each.c template: There is no `what`: expressions here see `input`, `nodes`, `run`, `index` and, in a map, `item`.
            duplicate_id each.c: There are several nodes `c`: give each an id of its own.
            bad_expression each.c template: `template`: It cannot be read: unexpected end of input, expected expression.
            missing_key each.each.deep template: `template` is missing: What comes out, with {{ expressions }} filled in.
            dangling_edge each a.out->x.in: The edge leads to `x`, which does not exist."#]],
    );
}

#[test]
fn circles_inside_are_found() {
    check(
        json!([map(json!({
            "nodes": [{ "id": "a", "kind": "transform", "template": "x" }, { "id": "b", "kind": "transform", "template": "x" }],
            "edges": [{ "from": "a", "to": "b" }, { "from": "b", "to": "a" }]
        }))]),
        json!([]),
        expect![
            "cycle each.a: a → b → a is a circle, so none of it could ever start: remove one of its edges."
        ],
    );
}

#[test]
fn a_body_must_be_there_and_be_one() {
    check(
        json!([map(Value::Null)]),
        json!([]),
        expect!["missing_key each body: `body` is missing: add the steps inside."],
    );
    check(
        json!([map(json!("x"))]),
        json!([]),
        expect![
            "wrong_type each body: `body` must be a graph: an object with `nodes` and `edges`."
        ],
    );
    check(
        json!([map(json!({ "nodes": [], "edges": [] }))]),
        json!([]),
        expect!["no_nodes each body: There is nothing to run: add a step."],
    );
    check(
        json!([map(json!({ "nodes": 7 }))]),
        json!([]),
        expect![[r#"
        wrong_type each body: `nodes` must be a list.
        no_nodes each body: There is nothing to run: add a step."#]],
    );
}

#[test]
fn what_is_outside_must_come_before() {
    let body = json!({ "nodes": [{ "id": "a", "kind": "transform", "template": "{{ nodes.late.output }}" }], "edges": [] });
    check(
        json!([map(body), { "id": "late", "kind": "transform", "template": "x" }]),
        json!([{ "from": "each", "to": "late" }]),
        expect![
            "not_upstream each body: `late` need not have run before this step: connect them, or ask `is defined`."
        ],
    );
}

#[test]
fn what_is_inside_is_not_seen_outside() {
    let body =
        json!({ "nodes": [{ "id": "a", "kind": "transform", "template": "x" }], "edges": [] });
    check(
        json!([map(body), { "id": "b", "kind": "transform", "template": "{{ nodes.a.output }}{{ item }}{{ index }}" }]),
        json!([{ "from": "each", "to": "b" }]),
        expect![[r#"
            unknown_name b template: There is no node `a`.
            unknown_name b template: `item` is there only inside of a map."#]],
    );
}

#[test]
fn a_loop_has_no_item_and_asks_inside() {
    let body = json!({ "nodes": [{ "id": "a", "kind": "transform", "template": "{{ item }}{{ nodes.a.output }}" }], "edges": [] });
    check(
        json!([{ "id": "again", "kind": "loop", "until": "nodes.a.output and nodes.x.output and index", "max_iterations": 0, "body": body }]),
        json!([]),
        expect![[r#"
            out_of_range again max_iterations: `max_iterations` must be 1 to 1000 rounds.
            unknown_name again.a template: `item` is there only inside of a map.
            unknown_name again until: There is no node `x`.
            not_upstream again.a template: A step has no output of its own in the first round: ask `is defined`."#]],
    );
}

#[test]
fn bodies_end_somewhere() {
    let mut body =
        json!({ "nodes": [{ "id": "a", "kind": "transform", "template": "x" }], "edges": [] });
    for _ in 0..9 {
        body = json!({ "nodes": [map(body)], "edges": [] });
    }
    check(
        json!([map(body)]),
        json!([]),
        expect![
            "too_deep each.each.each.each.each.each.each.each.each body: Bodies stand in bodies more than 8 deep."
        ],
    );
}

#[test]
fn other_kinds_have_their_rules() {
    check(
        json!([
            { "id": "h", "kind": "http", "url": "ftp://x", "method": "BREW", "headers": [], "output": "xml" },
            { "id": "w", "kind": "wait" },
            { "id": "v", "kind": "wait", "duration_ms": 5, "until": "2030-01-31T09:00:00Z" },
            { "id": "q", "kind": "approval", "timeout_ms": 5 },
            { "id": "c", "kind": "workflow", "input": { "a": "{{ nodes.z.output }}", "b": 7 } },
            { "id": "m", "kind": "map", "items": "[", "concurrency": 0, "on_error": "fail", "body": 1 },
            { "id": "r", "kind": "transform", "template": "x", "repeatable": "no" }
        ]),
        json!([]),
        expect![[r#"
            out_of_range h method: `method` must be one of GET, POST, PUT, PATCH, DELETE, HEAD, not `BREW`.
            wrong_type h headers: `headers` must be an object: names and values.
            out_of_range h output: `output` must be one of text, json, not `xml`.
            bad_url h url: The URL must begin with http:// or https://.
            missing_key w duration_ms: Say how long to wait: `duration_ms`, or `until` a moment.
            two_waits v until: `until` and `duration_ms` are both there: keep one of the two.
            missing_key q message: `message` is missing: What a person is asked. The run waits for the answer.
            missing_key c workflow: `workflow` is missing: The workflow that is run as one step, by its name or id.
            unknown_name c input: There is no node `z`.
            bad_expression m items: `items`: It cannot be read: unexpected end of input, expected expression.
            out_of_range m concurrency: `concurrency` must be 1 to 10000 items.
            wrong_type m body: `body` must be a graph: an object with `nodes` and `edges`.
            out_of_range m on_error: `on_error` must be one of stop, continue, branch, not `fail`.
            wrong_type r repeatable: `repeatable` must be true or false.
            open_branch_port q message: Nothing follows at port `approved`: a yes ends the run there.
            open_branch_port q timeout_ms: Nothing follows at port `timeout`: without an answer the run ends there."#]],
    );
}

#[test]
fn ports_follow_from_the_kind() {
    let ports = |kind: Kind, keys: Value| {
        let Value::Object(keys) = keys else {
            return String::new();
        };
        kind.ports_out(&keys).join(" ")
    };
    assert_eq!(
        ports(Kind::Approval, json!({})),
        "approved rejected timeout"
    );
    assert_eq!(
        ports(Kind::Map, json!({ "on_error": "branch" })),
        "out error"
    );
    assert_eq!(ports(Kind::Map, json!({ "on_error": "continue" })), "out");
}

#[test]
fn every_kind_has_each_key_once() {
    for kind in Kind::ALL {
        let mut names: Vec<&str> = kind
            .own_keys()
            .iter()
            .chain(kind.common_keys())
            .map(|key| key.name)
            .collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{}", kind.name());
        assert_eq!(Kind::parse(kind.name()), Some(kind));
    }
    assert_eq!(
        Kind::Http.key("repeatable").map(|key| key.holds),
        Some(KeyType::FlagOn)
    );
}

#[test]
fn a_workflow_may_bound_its_runs() {
    let file = |timeout: Value| {
        json!({
            "troupe": 1, "timeout_ms": timeout, "max_parallel": 3,
            "nodes": [{ "id": "a", "kind": "transform", "template": "x" }], "edges": [],
        })
    };
    let (drawing, _) = Drawing::from_value(file(json!(5_000))).expect("an object");
    let graph = check_drawing(&drawing).0.expect("it can run");
    assert_eq!(
        (graph.timeout_ms, graph.max_parallel),
        (Some(5_000), Some(3))
    );
    let (drawing, _) = Drawing::from_value(file(json!("soon"))).expect("an object");
    let (none, problems) = check_drawing(&drawing);
    assert!(none.is_none());
    assert_eq!(problems[0].code, "out_of_range");
}

#[test]
fn what_comes_out_is_typed() {
    let file = json!({
        "troupe": 1,
        "nodes": [{ "id": "each", "kind": "map", "items": "[1]", "body": {
            "nodes": [{ "id": "a", "kind": "http", "url": "http://x/", "repeatable": false }], "edges": []
        } }], "edges": [],
    });
    let (drawing, _) = Drawing::from_value(file).expect("an object");
    let graph = check_drawing(&drawing).0.expect("it can run");
    let Work::Map(map) = &graph.nodes[0].work else {
        panic!("a map")
    };
    assert_eq!((map.concurrency, map.goes_on), (10, false));
    let inner = &map.body.nodes[0];
    assert_eq!((inner.repeatable, inner.timeout_ms), (false, Some(60_000)));
}
