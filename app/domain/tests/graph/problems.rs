//! What is wrong with a drawing, told all at once.

use domain::graph::{
    Drawing, DrawnNode, Problem, Severity, Who, Work, check::check as check_drawing,
    problems::problems,
};
use domain::kind::{KeyType, Kind};
use expect_test::{Expect, expect};
use serde_json::{Map, Value, json};

use crate::sketch::sketch;

/// `severity code place: message`, one problem a line.
fn told(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| {
            let severity = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let mut place = String::new();
            for part in [&problem.node, &problem.key, &problem.edge]
                .into_iter()
                .flatten()
            {
                place += &format!(" {part}");
            }
            format!("{severity} {}{place}: {}\n", problem.code, problem.message)
        })
        .collect()
}

/// The problems of a sketch. A graph comes out exactly when none of them is an error.
#[track_caller]
fn check(text: &str, expected: Expect) {
    let drawing = sketch(text);
    let (graph, problems) = check_drawing(&drawing);
    let errors = problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    assert_eq!(graph.is_none(), errors, "a graph and errors, or neither");
    expected.assert_eq(&told(&problems));
}

#[test]
fn nothing_is_wrong_with_a_sound_drawing() {
    check(
        r#"input topic
        plan agent {"prompt": "Plan {{ input.topic }}", "capabilities": ["planning"]}
        good branch {"condition": "'TODO' not in nodes.plan.output"}
        build agent {"prompt": "Do: {{ nodes.plan.output }}", "agent": "Ada"}
        fix transform {"template": "{{ nodes.plan.output|default('') }}"}
        end output {"value": "{{ nodes.build.output }}", "join": "any"}
        memo note {"text": "**Why** we do this"}
        plan -> good; good.true -> build; good.false -> fix; build -> end; fix -> end"#,
        expect![[""]],
    );
}

#[test]
fn circles() {
    check(
        "a -> b; b -> c; c -> a",
        expect![[r#"
        error cycle a: a → b → c → a is a circle, so none of it could ever start: remove one of its edges.
    "#]],
    );
    check(
        "a -> a",
        expect![[r#"
        error cycle a: a → a is a circle, so none of it could ever start: remove one of its edges.
    "#]],
    );
    check(
        "start -> a; a -> b; b -> a; b -> end; x -> y; y -> x",
        expect![[r#"
        error cycle a: a → b → a is a circle, so none of it could ever start: remove one of its edges.
        error cycle x: x → y → x is a circle, so none of it could ever start: remove one of its edges.
    "#]],
    );
    check(
        "a -> b; b -> c; c -> d; d -> b; c -> b",
        expect![[r#"
        error cycle b: b → c → b is a circle, so none of it could ever start: remove one of its edges.
    "#]],
    );
}

#[test]
fn edges_that_lead_nowhere() {
    check(
        "plan -> !biuld; build",
        expect![[r#"
        error dangling_edge plan.out->biuld.in: The edge leads to `biuld`, which does not exist. Did you mean `build`?
    "#]],
    );
    check(
        "!ghost -> build",
        expect![[r#"
        error dangling_edge ghost.out->build.in: The edge starts at `ghost`, which does not exist.
    "#]],
    );
    check(
        "a -> b; a.out -> b.in",
        expect![[r#"
        warning duplicate_edge a.out->b.in: The same two ports are connected twice: remove one edge.
    "#]],
    );
    check(
        "a.true -> b",
        expect![[r#"
        error unknown_port a.true->b.in: `a` has no port `true` that leads out: it has `out`.
    "#]],
    );
    check(
        "a -> b.out",
        expect![[r#"
        error unknown_port a.out->b.out: `b` has no port `out` that leads in: it has `in`.
    "#]],
    );
    check(
        "a.error -> b",
        expect![[r#"
        error unknown_port a.error->b.in: `a` has no port `error`: it has one when `on_error` is `branch`.
    "#]],
    );
    check(
        "a branch; a.true -> b; a.false -> c; a -> d",
        expect![[r#"
        error unknown_port a.out->d.in: `a` has no port `out` that leads out: it has `true` and `false`.
    "#]],
    );
    check(
        "a -> b; n note; n -> b; a -> n",
        expect![[r#"
        error edge_to_note n.out->b.in: A note takes no part in the run: remove its edge.
        error edge_to_note a.out->n.in: A note takes no part in the run: remove its edge.
    "#]],
    );
}

#[test]
fn ids_and_kinds() {
    check(
        "a; a; a -> b",
        expect![[r#"
        error duplicate_id a: There are several nodes `a`: give each an id of its own.
        warning unreachable a: This step is connected with nothing: it starts with the run, and nothing waits for it.
    "#]],
    );
    check(
        "Big",
        expect![[r#"
        error bad_id Big: `Big` is no node id: 1 to 64 of a-z, 0-9, _ and -.
    "#]],
    );
    check(
        "a agnet; b",
        expect![[r#"
        error unknown_kind a: `agnet` is no kind of node: did you mean `agent`?
    "#]],
    );
    check(
        "a thing",
        expect![[r#"
        error unknown_kind a: `thing` is no kind of node: use one of agent, transform, branch, map, loop, http, approval, wait, workflow, output, note.
    "#]],
    );
    check(
        "n note",
        expect![[r#"
        error no_nodes: There is nothing to run: add a step.
    "#]],
    );
    check(
        "",
        expect![[r#"
        error no_nodes: There is nothing to run: add a step.
    "#]],
    );
}

#[test]
fn what_is_missing() {
    check(
        r#"a agent {"prompt": null}"#,
        expect![[r#"
        error missing_key a prompt: `prompt` is missing: What the agent is asked to do. Use {{ input.name }} and {{ nodes.id.output }}.
    "#]],
    );
    check(
        r#"a agent {"prompt": "  "}; t transform {"template": null}; o output {"value": null}"#,
        expect![[r#"
        error missing_key a prompt: `prompt` is missing: What the agent is asked to do. Use {{ input.name }} and {{ nodes.id.output }}.
        error missing_key t template: `template` is missing: What comes out, with {{ expressions }} filled in.
        error missing_key o value: `value` is missing: The result of the run. A single {{ expression }} keeps its type.
    "#]],
    );
    check(
        r#"a branch {"condition": null}; a.true -> b; a.false -> b"#,
        expect![[r#"
        error missing_key a condition: A branch needs a condition (or several cases): say when it goes on at `true`.
    "#]],
    );
}

#[test]
fn what_has_the_wrong_type_or_size() {
    check(
        r#"a agent {"prompt": 1, "capabilities": "planning", "tools": [1], "output_schema": [], "max_turns": "5", "max_tokens": 1, "temperature": 3, "model": "gpt", "agent": 5}"#,
        expect![[r#"
            error wrong_type a prompt: `prompt` must be text.
            error wrong_type a agent: `agent` must be text.
            error wrong_type a capabilities: `capabilities` must be a list of words.
            error bad_model a model: `gpt` is no model: write `provider:model`, like `rehearsal:default`.
            error wrong_type a tools: `tools` must be a list of words.
            error wrong_type a output_schema: `output_schema` must be a JSON Schema, which is an object.
            error wrong_type a max_turns: `max_turns` must be a whole number.
            error out_of_range a max_tokens: `max_tokens` must be 16 to 200000 tokens.
            error out_of_range a temperature: `temperature` must be 0 to 2.
        "#]],
    );
    check(
        r#"a agent {"title": [], "join": "some", "on_error": true, "timeout_ms": 0, "disabled": "yes", "retry": 3}"#,
        expect![[r#"
            error wrong_type a title: `title` must be text.
            error out_of_range a join: `join` must be one of all, any, not `some`.
            error wrong_type a on_error: `on_error` must be one of fail, continue, branch.
            error wrong_type a retry: `retry` must be an object with `attempts`, `min_wait_ms` and `max_wait_ms`.
            error out_of_range a timeout_ms: `timeout_ms` must be 1 to 604800000 ms.
            error wrong_type a disabled: `disabled` must be true or false.
        "#]],
    );
    check(
        r#"a agent {"retry": {"attempts": 0, "min_wait_ms": "x", "tries": 3}}"#,
        expect![[r#"
        error out_of_range a retry: `attempts` of `retry` must be 1 to 100.
        error wrong_type a retry: `min_wait_ms` of `retry` must be a whole number.
        warning unknown_key a retry: `retry` has a key `tries`, which means nothing here.
    "#]],
    );
    check(
        r#"a agent {"retry": {"min_wait_ms": 5, "max_wait_ms": 4}, "max_turns": 20.0}"#,
        expect![[r#"
        error out_of_range a retry: `min_wait_ms` of `retry` is more than `max_wait_ms`: swap them.
    "#]],
    );
    check(
        r#"a transform {"as": "xml"}; n note {"text": 5}; n2 note {"join": "any"}"#,
        expect![[r#"
        error out_of_range a as: `as` must be one of text, json, not `xml`.
        error wrong_type n text: `text` must be text.
        warning unknown_key n2 join: `join` means nothing to a node of kind note: it is kept but not used.
    "#]],
    );
}

#[test]
fn cases_of_a_branch() {
    check(
        r#"b branch {"cases": [{"port": "big", "when": "1 > 0"}, {"port": "small", "when": "true"}], "else": "other"}; b.big -> x; b.small -> x; b.other -> x"#,
        expect![[""]],
    );
    check(
        r#"b branch {"cases": {}}"#,
        expect![[r#"
        error wrong_type b cases: `cases` must be a list of `{"port", "when"}`.
        warning open_branch_port b cases: Nothing follows at port `true`: the run ends there.
        warning open_branch_port b cases: Nothing follows at port `false`: the run ends there.
    "#]],
    );
    check(
        r#"b branch {"cases": [5, {"port": "a", "when": ""}, {"port": "a/b", "when": "1"}, {"port": "c", "when": "1 +"}, {"port": "c", "when": "1"}, {"port": "c", "when": "1", "then": 2}]}"#,
        expect![[r#"
            error bad_case b cases: Case 1 needs a `port` and the condition `when` it is taken.
            error bad_case b cases: Case 2 needs a `port` and the condition `when` it is taken.
            error bad_port b cases: `a/b` is no port name: 1 to 64 letters, digits, spaces, _ and -.
            error bad_expression b cases: `cases`: It cannot be read: unexpected end of input, expected expression.
            error bad_case b cases: Two cases lead to port `c`: join them with `or`.
            warning unknown_key b cases: Case 6 has a key `then`, which means nothing here.
            warning open_branch_port b cases: Nothing follows at port `a`: the run ends there.
            warning open_branch_port b cases: Nothing follows at port `a/b`: the run ends there.
            warning open_branch_port b cases: Nothing follows at port `c`: the run ends there.
        "#]],
    );
    check(
        r#"b branch {"cases": [{"port": "error", "when": "1"}], "else": "a", "condition": "1"}; b.a -> x"#,
        expect![[r#"
        error bad_port b cases: Port `error` is where failures go: call this one something else.
        warning unused_key b condition: `cases` are there, so `condition` is not asked: keep one of the two.
        warning open_branch_port b cases: Nothing follows at port `error`: the run ends there.
    "#]],
    );
    check(
        r#"b branch {"cases": [], "condition": "1", "else": "a"}; b.true -> x; b.false -> x"#,
        expect![[r#"
        warning unused_key b else: `else` belongs to `cases`: a condition goes on at `true` or `false`.
    "#]],
    );
}

#[test]
fn keys_that_mean_nothing() {
    check(
        r#"a agent {"promt": "x", "colour": "red"}"#,
        expect![[r#"
        warning unknown_key a promt: `promt` means nothing to a node of kind agent: did you mean `prompt`?
        warning unknown_key a colour: `colour` means nothing to a node of kind agent: it is kept but not used.
    "#]],
    );
    check(
        r#"a agent {"agent": "Ada", "capabilities": ["x"]}"#,
        expect![[r#"
        warning unused_key a capabilities: An agent is named, so `capabilities` is not asked: keep one of the two.
    "#]],
    );
}

#[test]
fn names_in_expressions() {
    check(
        r#"a; b agent {"prompt": "{{ nodes.aa.output }}"}; a -> b"#,
        expect![[r#"
        error unknown_name b prompt: There is no node `aa`. Did you mean `nodes.a`?
    "#]],
    );
    check(
        r#"my-node; b agent {"prompt": "{{ nodes.my-node.output }}"}; my-node -> b"#,
        expect![[r#"
        error unknown_name b prompt: There is no node `my`. Did you mean `nodes["my-node"]`?
    "#]],
    );
    check(
        r#"my-node; b agent {"prompt": "{{ nodes['my_node'].output }}"}; my-node -> b"#,
        expect![[r#"
        error unknown_name b prompt: There is no node `my_node`. Did you mean `nodes["my-node"]`?
    "#]],
    );
    check(
        r#"input topic; a agent {"prompt": "{{ input.tpoic }} {{ topic }} {{ inptu.topic }} {{ foo }} {{ env.HOME }}"}"#,
        expect![[r#"
        error unknown_name a prompt: There is no input `tpoic`: did you mean `input.topic`?
        error unknown_name a prompt: `topic` is an input: write `input.topic`.
        error unknown_name a prompt: There is no `inptu`. Did you mean `input`?
        error unknown_name a prompt: There is no `foo`: expressions see `input`, `nodes` and `run`.
        error unknown_name a prompt: There is no `env`: expressions see `input`, `nodes` and `run`.
    "#]],
    );
    check(
        r#"a agent {"prompt": "{{ input.anything }}"}"#,
        expect![[r#"
        warning unknown_name a prompt: `anything` is no input of this workflow: declare it, so that a run is asked for it.
    "#]],
    );
    check(
        r#"a; b agent {"prompt": "{{ nodes.a.result }}{{ nodes.a }}{{ run.name }}{{ run.id }}{{ item }}{{ a }}"}; a -> b"#,
        expect![[r#"
        error unknown_name b prompt: A node has no `result`: write `nodes.a.output`.
        error unknown_name b prompt: A run has no `name` here: there is `run.id`.
        error unknown_name b prompt: `a` is a node: write `nodes.a.output`.
        error unknown_name b prompt: `item` is there only inside of a map.
    "#]],
    );
    check(
        r#"n note; b agent {"prompt": "{{ nodes.n.output }}"}"#,
        expect![[r#"
        error unknown_name b prompt: `n` is a note: it has no output.
    "#]],
    );
    check(
        r#"a agent {"instructions": "{{ nodes.x.output }}"}; c branch {"condition": "nodes.x.output"}; a -> c; c.true -> d; c.false -> d"#,
        expect![[r#"
        error unknown_name a instructions: There is no node `x`.
        error unknown_name c condition: There is no node `x`.
    "#]],
    );
}

#[test]
fn expressions_that_cannot_be_read() {
    check(
        r#"a agent {"prompt": "one\ntwo {{ 1 + }}"}"#,
        expect![[r#"
        error bad_expression a prompt: Line 2 of `prompt`: It cannot be read: unexpected end of variable block.
    "#]],
    );
    check(
        r#"a branch {"condition": "a =="}; a.true -> b; a.false -> b"#,
        expect![[r#"
        error bad_expression a condition: `condition`: It cannot be read: unexpected end of input, expected expression.
    "#]],
    );
    check(
        r#"a agent {"prompt": "{{ input.x|uper }}"}"#,
        expect![[r#"
        error bad_expression a prompt: `prompt`: There is no filter `uper`. Did you mean `upper`?
    "#]],
    );
}

#[test]
fn what_is_read_before_it_is_there() {
    check(
        r#"a agent {"prompt": "{{ nodes.b.output }}"}; a -> b"#,
        expect![[r#"
        warning not_upstream a prompt: `b` need not have run before this step: connect them, or ask `is defined`.
    "#]],
    );
    check(
        r#"a agent {"prompt": "{{ nodes.a.output }}"}"#,
        expect![[r#"
        warning not_upstream a prompt: A step cannot read its own output: it has none yet.
    "#]],
    );
    check(
        r#"c agent {"prompt": "{{ nodes.a.output }}{{ nodes.b.output }}"}; a -> b; b -> c; b -> d"#,
        expect![[""]],
    );
    check(
        r#"c agent {"prompt": "{{ nodes.d.output }}"}; a -> b; b -> c; b -> d"#,
        expect![[r#"
        warning not_upstream c prompt: `d` need not have run before this step: connect them, or ask `is defined`.
    "#]],
    );
}

#[test]
fn steps_that_are_never_reached_or_stand_apart() {
    check(
        "a -> b; c",
        expect![[r#"
        warning unreachable c: This step is connected with nothing: it starts with the run, and nothing waits for it.
    "#]],
    );
    check(
        r#"a agent {"on_error": "branch", "disabled": true}; a.error -> b; b -> c; a -> d"#,
        expect![[r#"
        warning unreachable b: This step is never reached: every way to it starts at a port that is never taken, because its step is disabled.
        warning unreachable c: This step is never reached: every way to it starts at a port that is never taken, because its step is disabled.
    "#]],
    );
    check("a; b", expect![[""]]);
}

#[test]
fn ports_that_nothing_follows() {
    check(
        "a branch; a.true -> b",
        expect![[r#"
        warning open_branch_port a condition: Nothing follows at port `false`: the run ends there.
    "#]],
    );
    check(
        r#"a agent {"on_error": "branch"}; a -> b"#,
        expect![[r#"
        warning open_branch_port a on_error: Nothing follows at port `error`: a failure of this step ends its way unseen.
    "#]],
    );
    check(
        r#"a branch {"cases": [{"port": "x", "when": "1"}], "else": "y"}; a.x -> b"#,
        expect![[r#"
        warning open_branch_port a cases: Nothing follows at port `y`: the run ends there.
    "#]],
    );
}

#[test]
fn outputs() {
    check(
        "a -> o; a -> p; o output; p output",
        expect![[r#"
        warning several_outputs p: There are 2 output nodes: the result of a run is an object with the value of each under its id.
    "#]],
    );
}

#[test]
fn inputs() {
    check(
        "a; input topic; input topic; input a b; input {}",
        expect![[r#"
        error duplicate_input: There are several inputs `topic`: give each a name of its own.
        error bad_input: `a b` is no name of an input: use 1 to 64 letters, digits, _ and -.
        error bad_input: Input 4 has no name: give it one.
    "#]],
    );
    check(
        r#"a; input {"name": "n", "type": "number", "default": "5"}; input {"name": "s", "default": null, "hint": "x"}; input {"name": "j", "type": "json", "default": [1]}"#,
        expect![[r#"
            error bad_input: The default of input `n` must be a number.
            warning unknown_key: Input `s` has a key `hint`, which means nothing here.
        "#]],
    );
}

#[test]
fn all_of_it_is_told_errors_first_in_the_order_of_the_file() {
    check(
        r#"input a b; b branch {"condition": "x", "extra": 1}; a agent {"prompt": "{{"}; a -> !c; a -> b; b.true -> a"#,
        expect![[r#"
            error bad_input: `a b` is no name of an input: use 1 to 64 letters, digits, _ and -.
            error cycle b: b → a → b is a circle, so none of it could ever start: remove one of its edges.
            error unknown_name b condition: There is no `x`: expressions see `input`, `nodes` and `run`.
            error bad_expression a prompt: `prompt`: It cannot be read: unexpected end of input, expected expression.
            error dangling_edge a.out->c.in: The edge leads to `c`, which does not exist.
            warning unknown_key b extra: `extra` means nothing to a node of kind branch: it is kept but not used.
            warning open_branch_port b condition: Nothing follows at port `false`: the run ends there.
        "#]],
    );
}

#[test]
fn more_problems_than_anybody_reads_are_counted() {
    let nodes = (0..3_000).map(|at| format!("n{at} agent {{\"prompt\": null, \"x\": 1}}\n"));
    let problems = problems(&sketch(&nodes.collect::<String>()));
    let last = problems.last().expect("a problem");
    expect![[r#"
        1000 error more_problems: There are 5001 more problems: solve these first.
    "#]]
    .assert_eq(&format!(
        "{} {}",
        problems.len(),
        told(std::slice::from_ref(last))
    ));
}

#[test]
fn too_many_nodes_are_refused_at_once() {
    let node = DrawnNode {
        id: "a".into(),
        kind: "agent".into(),
        keys: Map::new(),
    };
    let drawing = Drawing {
        nodes: vec![node; 100_001],
        ..Drawing::default()
    };
    expect![[r#"
        error too_many_nodes: There are 100001 steps; at most 100000 can run.
    "#]]
    .assert_eq(&told(&problems(&drawing)));
}

/// Whatever the table says of a key is asked of it: each key of each kind refuses what it cannot
/// hold, and says so at that key.
#[test]
fn every_key_of_the_table_is_read() {
    for kind in Kind::ALL {
        for spec in kind.own_keys().iter().chain(kind.common_keys()) {
            let wrong: Value = match spec.holds {
                KeyType::Words
                | KeyType::Models
                | KeyType::Cases
                | KeyType::Schema
                | KeyType::Preferences
                | KeyType::Retry => json!(true),
                _ => json!([{}]),
            };
            let keys = Map::from_iter([(spec.name.to_owned(), wrong)]);
            let node = DrawnNode {
                id: "a".into(),
                kind: kind.name().into(),
                keys,
            };
            let found = problems(&Drawing {
                nodes: vec![node],
                ..Drawing::default()
            });
            let told = |problem: &&Problem| {
                problem.code == "wrong_type" && problem.key.as_deref() == Some(spec.name)
            };
            assert!(
                found.iter().any(|problem| told(&problem)),
                "{} of {}",
                spec.name,
                kind.name()
            );
        }
    }
}

#[test]
fn what_comes_out_is_typed() {
    let (graph, problems) = check_drawing(&sketch(
        r#"n note
        a agent {"prompt": "Plan", "title": "Think"}
        b agent {"agent": " Ada ", "timeout_ms": 5, "retry": {"attempts": 1}, "join": "any", "tools": []}
        c transform {"as": "json", "disabled": true, "on_error": "continue"}
        d branch
        d.true -> b; a -> d; d.false -> c"#,
    ));
    let graph = graph.unwrap_or_else(|| panic!("{}", told(&problems)));
    let names = |places: &[usize]| {
        let names: Vec<&str> = places
            .iter()
            .map(|&at| graph.nodes[at].id.as_str())
            .collect();
        names.join(" ")
    };
    let place = |id: &str| graph.find(id).expect("a node");
    let agents: Vec<String> = graph
        .nodes
        .iter()
        .filter_map(|node| match &node.work {
            Work::Agent(work) => Some(format!(
                "{} {:?} {} {} {:?}",
                node.title, work.who, work.max_turns, work.max_tokens, work.tools
            )),
            Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Map(_)
            | Work::Loop(_)
            | Work::Http(_)
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Workflow { .. }
            | Work::Output { .. } => None,
        })
        .collect();
    expect![[r#"
        Think Capable([]) 20 2048 None
        b Named("Ada") 20 2048 Some([])
        order a d b c
        first a
        last b c
        behind d b c
        before b a d
        Some(600000) RetryPolicy { attempts: 1, min_wait_ms: 2000, max_wait_ms: 10000 }
        Node { id: NodeId("c"), title: "c", work: Transform { template: Source { text: "x", form: Template, names: Names { nodes: {}, inputs: {}, all_nodes: false, all_inputs: false, unknown: [], item: false, index: false, run: false } }, json: true }, join: All, on_error: Continue, retry: RetryPolicy { attempts: 3, min_wait_ms: 2000, max_wait_ms: 10000 }, timeout_ms: None, repeatable: true, disabled: true }"#]].assert_eq(&format!(
        "{}\norder {}\nfirst {}\nlast {}\nbehind d {}\nbefore b {}\n{:?} {:?}\n{:?}",
        agents.join("\n"),
        names(&graph.order),
        names(&graph.first().collect::<Vec<_>>()),
        names(&graph.last().collect::<Vec<_>>()),
        names(&graph.behind(place("d"))),
        names(&graph.before(place("b"))),
        graph.nodes[place("a")].timeout_ms,
        graph.nodes[place("b")].retry,
        graph.nodes[place("c")],
    ));
    assert_eq!(graph.nodes[place("b")].timeout_ms, Some(5));
    assert!(
        matches!(&graph.nodes[place("a")].work, Work::Agent(work) if work.who == Who::Capable(vec![]))
    );
}
