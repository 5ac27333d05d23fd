//! What templates and conditions make of their scope, what they say when they cannot, and that
//! hostile ones end soon.

use std::{collections::BTreeMap, time::Instant};

use domain::{
    expression::{Scope, evaluate, holds, render, render_value},
    graph::Source,
};
use expect_test::{Expect, expect};
use serde_json::{Value, json};

/// The world that every story here sees: `fix` did not run.
fn outputs() -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("plan".to_owned(), json!("Brew <tea> & serve.")),
        (
            "my-node".to_owned(),
            json!({"title": "Tea", "tags": ["hot", "green"], "n": 2, "ok": true}),
        ),
        (
            "list".to_owned(),
            json!([{"id": 1, "w": 2.5}, {"id": 2, "w": 1.0}]),
        ),
        ("nothing".to_owned(), Value::Null),
    ])
}

fn with_scope<T>(act: impl FnOnce(&Scope<'_>) -> T) -> T {
    let input = json!({"topic": "tea", "count": 3, "words": ["a", "b"], "empty": ""});
    let outputs = outputs();
    act(&Scope {
        run_id: "r1",
        input: &input,
        outputs: &outputs,
        item: None,
        index: None,
    })
}

fn said<T: ToString, E: ToString>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => format!("error: {}", error.to_string()),
    }
}

/// What a template makes, as text.
#[track_caller]
fn check(template: &str, expected: Expect) {
    let text = with_scope(|scope| {
        said(Source::template(template).and_then(|source| render(&source, scope)))
    });
    expected.assert_eq(&text);
}

/// What a template makes, as a value.
#[track_caller]
fn check_value(template: &str, expected: Expect) {
    let value = with_scope(|scope| {
        said(Source::template(template).and_then(|source| render_value(&source, scope)))
    });
    expected.assert_eq(&value);
}

/// What an expression gives, and whether it holds.
#[track_caller]
fn check_condition(expression: &str, expected: Expect) {
    let both = with_scope(|scope| {
        let source = Source::expression(expression)?;
        let value = evaluate(&source, scope)?;
        Ok::<_, domain::expression::ExpressionError>(match holds(&source, scope)? {
            true => format!("{value}: holds"),
            false => format!("{value}: does not hold"),
        })
    });
    expected.assert_eq(&said(both));
}

#[test]
fn text_is_bare_and_everything_else_is_json() {
    check("No code, no cost { } %", expect!["No code, no cost { } %"]);
    check("{{ nodes.plan.output }}", expect!["Brew <tea> & serve."]);
    check(
        "{{ nodes['my-node'].output }}",
        expect![[r#"{"title":"Tea","tags":["hot","green"],"n":2,"ok":true}"#]],
    );
    check(
        "{{ nodes.list.output }}|{{ nodes.nothing.output }}|{{ true }}|{{ 1.0 }}|{{ 7 // 2 }}",
        expect![[r#"[{"id":1,"w":2.5},{"id":2,"w":1.0}]|null|true|1.0|3"#]],
    );
    check(
        "About {{ input.topic }}, {{ input.count * 2 }} times, {{ run.id }}.",
        expect!["About tea, 6 times, r1."],
    );
}

#[test]
fn filters_loops_and_choices_work_as_people_know_them() {
    check(
        "{% for w in input.words %}{{ loop.index }}{{ w|upper }} {% endfor %}",
        expect!["1A 2B "],
    );
    check(
        "{{ nodes.list.output|map(attribute='id')|join(', ') }}",
        expect!["1, 2"],
    );
    check(
        "{{ nodes.plan.output[:4] }}-{{ nodes.plan.output|length }}",
        expect!["Brew-19"],
    );
    check(
        "{% if 'tea' in nodes.plan.output %}yes{% else %}no{% endif %}",
        expect!["yes"],
    );
    check(
        "{{ nodes['my-node'].output|tojson }} {{ '[1, {\"a\": null}]'|fromjson }}",
        expect![[r#"{"title":"Tea","tags":["hot","green"],"n":2,"ok":true} [1,{"a":null}]"#]],
    );
    check(
        "{{ nodes['my-node'].output.tags|tojson(2) }}",
        expect![[r#"
        [
          "hot",
          "green"
        ]"#]],
    );
    check(
        "{% set all = nodes.list.output|sum(attribute='w') %}{{ all }}{{ 'x' if false }}",
        expect!["3.5"],
    );
    check(
        "{{ nodes.list.output|sort(attribute='w')|first }}",
        expect![[r#"{"id":2,"w":1.0}"#]],
    );
}

#[test]
fn a_single_expression_keeps_its_type() {
    check_value(
        "{{ nodes.list.output }}",
        expect![[r#"[{"id":1,"w":2.5},{"id":2,"w":1.0}]"#]],
    );
    check_value("  {{ input.count }}\n", expect!["3"]);
    check_value("{{ input.count }}.", expect![[r#""3.""#]]);
    check_value(
        "{{ input.count > 2 and nodes['my-node'].output.ok }}",
        expect!["true"],
    );
    check_value("plain", expect![[r#""plain""#]]);
    check_value("{{ none }}", expect!["null"]);
}

#[test]
fn conditions_hold_or_do_not() {
    check_condition("'TODO' not in nodes.plan.output", expect!["true: holds"]);
    check_condition("input.empty", expect![[r#""": does not hold"#]]);
    check_condition("nodes.list.output|length == 2", expect!["true: holds"]);
    check_condition("input.count", expect!["3: holds"]);
    check_condition("nodes.nothing.output", expect!["null: does not hold"]);
}

#[test]
fn what_has_no_value_is_named() {
    check(
        "{{ nodes.fix.output }}",
        expect!["error: `nodes.fix.output` has no value: that step did not run."],
    );
    check(
        "{{ nodes['fix-it'].output.title|upper }}",
        expect![[r#"error: `nodes["fix-it"].output` has no value: that step did not run."#]],
    );
    check(
        "{{ nodes['my-node'].output.titel }}",
        expect![[
            r#"error: `nodes["my-node"].output.titel` has no value: the output of `my-node` has nothing of that name."#
        ]],
    );
    check(
        "{{ input.tpoic }}",
        expect!["error: `input.tpoic` has no value: the run was given no `tpoic`."],
    );
    check(
        "line one\n{{ input.tpoic ~ 'x' }}",
        expect!["error: `input.tpoic` has no value: the run was given no `tpoic`."],
    );
    check_condition(
        "nodes.fix.output",
        expect!["error: `nodes.fix.output` has no value: that step did not run."],
    );
    check_condition(
        "nodes.fix.output == 'x'",
        expect!["error: `nodes.fix.output` has no value: that step did not run."],
    );
    check_condition(
        "item",
        expect!["error: `item` has no value outside of a map."],
    );
}

#[test]
fn what_has_no_value_can_be_asked_about() {
    check(
        "{{ nodes.fix.output is defined }} {{ nodes.plan.output is defined }}",
        expect!["false true"],
    );
    check(
        "{{ nodes.fix.output|default('none yet') }}, {{ input.tpoic|default(input.topic) }}",
        expect!["none yet, tea"],
    );
    check(
        "{% if nodes.fix.output is defined %}{{ nodes.fix.output }}{% else %}skipped{% endif %}",
        expect!["skipped"],
    );
    check_condition(
        "nodes.fix.output is not defined or nodes.fix.output == 'x'",
        expect!["true: holds"],
    );
}

#[test]
fn what_cannot_be_read_says_where() {
    check(
        "one\ntwo {{ 1 + }}",
        expect!["error: It cannot be read: unexpected end of variable block."],
    );
    check(
        "{{ nodes.plan.output|uper }}",
        expect!["error: There is no filter `uper`. Did you mean `upper`?"],
    );
    check(
        "{{ rang(3) }}",
        expect!["error: There is no function `rang`. Did you mean `range`?"],
    );
    check(
        "{% include 'x' %}",
        expect!["error: It cannot be read: unknown statement include."],
    );
    check(
        "{% if input.topic %}never closed",
        expect!["error: It cannot be read: unexpected end of input, expected end of block."],
    );
    check(
        "{{ input.topic.upper() }}",
        expect!["error: It cannot be computed: string has no method named upper."],
    );
    check(
        "{{ '[1,'|fromjson }}",
        expect!["error: This is no JSON: EOF while parsing a value at line 1 column 3."],
    );
    check(
        "{{ 1 + 'x' }}",
        expect![
            "error: It cannot be computed: tried to use + operator on unsupported types number and string."
        ],
    );
    check_condition(
        "",
        expect!["error: It cannot be read: unexpected end of input, expected expression."],
    );
    check_condition(
        "a b",
        expect!["error: It cannot be read: unexpected input after expression."],
    );
}

#[test]
fn names_are_found_wherever_they_stand() {
    fn names(template: &str) -> String {
        match Source::template(template) {
            Ok(source) => format!("{:?}", source.names)
                .replace("Names { ", "")
                .replace(", all_nodes: false", "")
                .replace(", all_inputs: false", "")
                .replace(", item: false, index: false, run: false }", ""),
            Err(error) => format!("error: {error}"),
        }
    }
    for (template, expected) in [
        (
            "{{ nodes.a.output[:10] }}{{ nodes['b-c'].output.x|join(input.sep) }}",
            expect![[r#"nodes: {"a", "b-c"}, inputs: {"sep"}, unknown: []"#]],
        ),
        (
            "{% for n in nodes.a.output %}{{ n.x }}{{ loop.index }}{{ m }}{% endfor %}{{ n }}",
            expect![[r#"nodes: {"a"}, inputs: {}, unknown: ["m", "n"]"#]],
        ),
        (
            "{{ nodes[input.which].output }}{{ input|tojson }}",
            expect![[
                r#"nodes: {}, inputs: {"which"}, all_nodes: true, all_inputs: true, unknown: []"#
            ]],
        ),
        (
            "{{ nodes.a.result }}{{ run.name }}{{ nodes.my-node.output }}",
            expect![[
                r#"nodes: {"a", "my"}, inputs: {}, unknown: ["nodes.a.result", "run.name", "node"]"#
            ]],
        ),
        (
            "{% set x = nodes %}{{ x.a.output }}{% with y = 1 %}{{ y }}{% endwith %}{{ y }}",
            expect![[r#"nodes: {}, inputs: {}, all_nodes: true, unknown: ["y"]"#]],
        ),
        (
            "{{ range(input.n)|map('upper')|list }}{{ x|default('') }}",
            expect![[r#"nodes: {}, inputs: {"n"}, unknown: ["x"]"#]],
        ),
        (
            "{% filter replace(input.a, nodes.b.output) %}x{% endfilter %}",
            expect![[r#"nodes: {"b"}, inputs: {"a"}, unknown: []"#]],
        ),
        (
            "{% raw %}{{ nodes.a.output }}{% endraw %}{# nodes.b #}",
            expect!["nodes: {}, inputs: {}, unknown: []"],
        ),
    ] {
        expected.assert_eq(&names(template));
    }
}

/// Lists of lists of lists: small to write down, and 10^9 to walk.
fn laughs(name: &str, levels: usize) -> String {
    let mut text = format!("{{% set {name} = [1,1,1,1,1,1,1,1,1,1] %}}");
    for _ in 1..levels {
        text += &format!("{{% set {name} = [{}] %}}", [name; 10].join(","));
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is the point")]
fn hostile_templates_end_soon() {
    let two = laughs("a", 10) + &laughs("b", 10);
    let deep = format!("{{% set a = [] %}}{}", "{% set a = [a] %}".repeat(3_000));
    let chain = |link: &str| format!("{{{{ x{} }}}}", link.repeat(60_000 / link.len()));
    let hostile: Vec<(&str, String)> = vec![
        ("a huge range", "{{ range(1000000000)|length }}".into()),
        ("a long string", "{{ 'x' * 1000000000 }}".into()),
        ("a long list", "{{ [1] * 1000000000 }}".into()),
        ("a big power", "{{ 9 ** 9 ** 9 }}".into()),
        ("loops in loops", "{% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}{% endfor %}{% endfor %}{% endfor %}".into()),
        ("loops that write", "{% for i in range(9999) %}{% for j in range(9999) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}".into()),
        ("loops that capture", "{% for i in range(9999) %}{% set x %}{% for j in range(9999) %}xxxxxxxxxxxxxxxxxxxx{% endfor %}{% endset %}{% endfor %}".into()),
        ("a wide indent", "{{ 'x\ny'|indent(1000000000) }}".into()),
        ("wide JSON", "{{ nodes.list.output|tojson(1000000000) }}".into()),
        ("a wide format", "{{ '%1000000000d'|format(1) }}".into()),
        ("a big batch", "{{ [1]|batch(1000000000, 1)|list }}".into()),
        ("many slices", "{{ [1]|slice(1000000000)|list }}".into()),
        ("a growing replace", "{% set x = 'x' * 100000 %}{{ x|replace('x', x) }}".into()),
        ("a string that doubles", "{% set x = 'xxxxxxxxxx' %}".to_owned() + &"{% set x = x ~ x %}".repeat(100)),
        ("a list that doubles", "{% set x = [1] %}".to_owned() + &"{% set x = x + x %}".repeat(100) + "{{ x|length }}"),
        ("a list that doubles in a view", "{% set x = [1] %}".to_owned() + &"{% set x = x|chain(x) %}".repeat(100) + "{{ x|length }}"),
        ("an object in views", "{% set x = {'a': 1} %}".to_owned() + &"{% set x = x|chain(x)|chain(x) %}".repeat(100) + "{{ x|length }}"),
        ("long strings compared", "{% set x = 'x' * 1000000 %}{% set y = x ~ '' %}{% for i in range(9999) %}{% for j in range(9999) %}{% if x == y %}{% endif %}{% endfor %}{% endfor %}".into()),
        ("long strings searched", "{% set x = 'x' * 1000000 %}{% for i in range(9999) %}{% if 'xy' in x %}{% endif %}{{ x[999999] }}{{ x[5:6] }}{% endfor %}".into()),
        ("a laugh, written", laughs("a", 10) + "{{ a }}"),
        ("a laugh, glued", laughs("a", 10) + "{{ (a ~ '')|length }}"),
        ("a laugh, as text", laughs("a", 10) + "{{ a|string|length }}"),
        ("a laugh, as JSON", laughs("a", 10) + "{{ a|tojson|length }}"),
        ("a laugh, joined", laughs("a", 10) + "{{ a|join|length }}"),
        ("a laugh, mapped", laughs("a", 10) + "{{ a|map('string')|list|length }}"),
        ("a laugh, in a format", laughs("a", 10) + "{{ '%s'|format(a)|length }}"),
        ("a laugh, as a key", laughs("a", 10) + "{{ {a: 1}|length }}{{ nodes[a] }}"),
        ("two laughs compared", two.clone() + "{{ a == b }}"),
        ("two laughs ordered", two.clone() + "{{ a < b < a }}"),
        ("two laughs sorted", two.clone() + "{{ [a, b]|sort|length }}{{ [a, b]|unique|list|length }}"),
        ("a laugh in a laugh", two.clone() + "{{ a in b }}{{ b is in [a] }}"),
        ("a laugh, asked to change", two.clone() + "{% for i in [a, b] %}{{ loop.changed(i) }}{% endfor %}"),
        ("a laugh by repetition", "{% set a = [[[[1] * 1000] * 1000] * 1000] * 1000 %}{{ a ~ a }}".into()),
        ("deep lists", deep.clone() + "{{ a }}"),
        ("deep lists, dropped", deep),
        ("as many plus as may be", format!("{{{{ 1{} }}}}", " + input.count".repeat(199))),
        ("as many nots as may be", format!("{{{{ {}1 }}}}", "not ".repeat(399))),
        ("as many filters as may be", format!("{{{{ 1{} }}}}", "|string".repeat(399))),
        ("as many elifs as may be", format!("{{% if 0 %}}{}x{{% endif %}}", "{% elif 1 %}".repeat(399))),
        ("many plus", chain(" + x")),
        ("many dots", chain(".a")),
        ("many filters", chain("|abs")),
        ("many calls", chain("()")),
        ("many ands", chain(" and x")),
        ("many ifs", chain(" if x else x")),
        ("many nots", format!("{{{{ {}x }}}}", "not ".repeat(15_000))),
        ("many minuses", format!("{{{{ {}x }}}}", "-".repeat(60_000))),
        ("many brackets", format!("{{{{ {}x }}}}", "[".repeat(60_000))),
        ("many elifs", format!("{{% if x %}}{}{{% endif %}}", "{% elif x %}".repeat(5_000))),
        ("many ifs in ifs", "{% if 1 %}".repeat(6_000)),
        ("a recursive loop", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}".into()),
        ("a long source", "x".repeat(64 * 1024 + 1)),
        ("many lines", "{{ 1 }}".to_owned() + &"\n".repeat(65_000)),
        ("a namespace in itself", "{% set n = namespace() %}{% set n.n = n %}{{ n }}".into()),
    ];
    // As little stack as any thread has that evaluates: workers of the server have 2 MiB, a
    // browser has 1 MiB and needs less of it.
    let thread = std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || {
            let mut lines = String::new();
            let mut slowest = (0, "");
            for (name, template) in &hostile {
                let started = Instant::now();
                let text = with_scope(|scope| {
                    said(Source::template(template).and_then(|source| render(&source, scope)))
                });
                let took_ms = started.elapsed().as_millis();
                if std::env::var_os("SHOW_TIMES").is_some() {
                    println!("{took_ms:>5} ms  {name}");
                }
                if took_ms > slowest.0 {
                    slowest = (took_ms, name);
                }
                let words: Vec<&str> = text.split_whitespace().collect();
                let short: String = words.join(" ").chars().take(90).collect();
                lines += &format!("{name}: {short}\n");
            }
            (lines, slowest)
        });
    let (lines, (slowest_ms, name)) = thread.expect("a thread").join().expect("no panic");
    // Optimized, each takes less than 50 ms; this allows for a debug build on a busy machine.
    assert!(slowest_ms < 3_000, "{name} took {slowest_ms} ms");
    expect![[r#"
        a huge range: error: It cannot be computed: range has too many elements.
        a long string: error: It is too much work for one expression.
        a long list: error: It cannot be computed: repeated sequence is too large.
        a big power: error: It cannot be computed: unable to calculate 387420489 ** 9.
        loops in loops: error: It is too much work for one expression.
        loops that write: error: What comes out is larger than 1 MiB.
        loops that capture: error: It is too much work for one expression.
        a wide indent: error: It is too much work for one expression.
        wide JSON: [ { "id": 1, "w": 2.5 }, { "id": 2, "w": 1.0 } ]
        a wide format: error: It is too much work for one expression.
        a big batch: error: It is too much work for one expression.
        many slices: error: It is too much work for one expression.
        a growing replace: error: It is too much work for one expression.
        a string that doubles: error: It is too much work for one expression.
        a list that doubles: error: It is too much work for one expression.
        a list that doubles in a view: error: It is too much work for one expression.
        an object in views: 1
        long strings compared: error: It is too much work for one expression.
        long strings searched: error: It is too much work for one expression.
        a laugh, written: error: It is too much work for one expression.
        a laugh, glued: error: It is too much work for one expression.
        a laugh, as text: error: It is too much work for one expression.
        a laugh, as JSON: error: It is too much work for one expression.
        a laugh, joined: error: It is too much work for one expression.
        a laugh, mapped: error: It is too much work for one expression.
        a laugh, in a format: error: It is too much work for one expression.
        a laugh, as a key: error: It is too much work for one expression.
        two laughs compared: error: It is too much work for one expression.
        two laughs ordered: error: It is too much work for one expression.
        two laughs sorted: error: It is too much work for one expression.
        a laugh in a laugh: error: It is too much work for one expression.
        a laugh, asked to change: error: It is too much work for one expression.
        a laugh by repetition: error: It is too much work for one expression.
        deep lists: error: Lists and objects are nested too deeply in each other.
        deep lists, dropped: error: Lists and objects are nested too deeply in each other.
        as many plus as may be: 598
        as many nots as may be: false
        as many filters as may be: 1
        as many elifs as may be: 
        many plus: error: It is too long for one expression: split it up.
        many dots: error: It is too long for one expression: split it up.
        many filters: error: It is too long for one expression: split it up.
        many calls: error: It is too long for one expression: split it up.
        many ands: error: It is too long for one expression: split it up.
        many ifs: error: It is too long for one expression: split it up.
        many nots: error: It is too long for one expression: split it up.
        many minuses: error: It is too long for one expression: split it up.
        many brackets: error: It is too long for one expression: split it up.
        many elifs: error: It is too long for one expression: split it up.
        many ifs in ifs: error: It cannot be read: template exceeds maximum recursion limits.
        a recursive loop: error: It cannot be computed: recursion limit exceeded.
        a long source: error: It is longer than 64 KiB.
        many lines: 1
        a namespace in itself: error: There is no function `namespace`.
    "#]]
    .assert_eq(&lines);
}

/// Every operation that takes a list and gives one, on its own result, over and over: what it
/// gives must not be a view of a view of a view, which would take a stack as deep as that.
#[test]
fn views_of_views_need_no_stack() {
    let steps = [
        "x[0:]",
        "x[::-1]",
        "x + []",
        "x * 1",
        "x|list",
        "x|reverse",
        "x|sort",
        "x|unique",
        "x|map('string')",
        "x|map('int')",
        "x|select",
        "x|reject('none')",
        "x|chain([])",
        "x|zip(x)",
        "x|batch(2)",
        "x|slice(2)",
        "x|items",
        "x|dictsort",
        "x|groupby(0)",
        "x|selectattr('a', 'undefined')",
        "x|default(1)",
        "[x, 1]",
        "{1: x}",
        "dict(a=x)",
        "(x,)",
        "x|first",
        "x|string",
        "x ~ ''",
        "x|tojson|fromjson",
        "x|split('')",
        "x|lines",
        "x or 1",
    ];
    let thread = std::thread::Builder::new()
        .stack_size(512 * 1024)
        .spawn(move || {
            for step in steps {
                for start in ["[1, 2]", "{'a': 1}", "range(2)", "'ab'"] {
                    let start = format!("{{% set x = {start} %}}");
                    let template = start
                        + &format!("{{% set x = {step} %}}").repeat(500)
                        + "{{ x }}{{ x == x }}";
                    let _ = with_scope(|scope| {
                        said(Source::template(&template).and_then(|source| render(&source, scope)))
                    });
                }
            }
        });
    thread.expect("a thread").join().expect("no panic");
}
