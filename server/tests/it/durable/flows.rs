//! Six shapes of a graph, each with models, tools of the outside or people in it. No step has a second
//! try: whatever a crash does is no failure of a step.

use serde_json::{Value, json};

/// All of them, by name.
pub fn shapes(port: u16) -> Vec<(&'static str, Value)> {
    let fan = json!([agent("a", "Begin"), agent("b", "{{ nodes.a.output }} left"), agent("c", "{{ nodes.a.output }} right"),
        agent("d", "{{ nodes.a.output }} down"),
        { "id": "out", "kind": "output", "value": "{{ nodes.b.output }}/{{ nodes.c.output }}/{{ nodes.d.output }}" }]);
    let diamond = json!([
        agent("a", "Begin"),
        agent("b", "{{ nodes.a.output }} left"),
        agent("c", "{{ nodes.a.output }} right"),
        agent("d", "{{ nodes.b.output }} and {{ nodes.c.output }}")
    ]);
    let body = json!({ "nodes": [agent("again", "Better, {{ index }}: {{ nodes.again.output | default('none') }}")], "edges": [] });
    let looped = json!([{ "id": "l", "kind": "loop", "until": "index == 2", "body": body },
        { "id": "out", "kind": "output", "value": "{{ nodes.l.output }}" }]);
    let approval = json!([agent("a", "Propose"), { "id": "may", "kind": "approval", "message": "{{ nodes.a.output }}?" },
        agent("b", "Do {{ nodes.a.output }}")]);
    let parent = json!([agent("a", "Begin"), { "id": "sub", "kind": "workflow", "workflow": "Inner", "input": { "word": "{{ nodes.a.output }}" } },
        agent("b", "{{ nodes.sub.output }}!")]);
    vec![
        ("chain", chain(port)),
        (
            "fan-out",
            flow(
                "fan-out",
                &fan,
                json!([
                    ["a", "b"],
                    ["a", "c"],
                    ["a", "d"],
                    ["b", "out"],
                    ["c", "out"],
                    ["d", "out"]
                ]),
            ),
        ),
        (
            "diamond",
            flow(
                "diamond",
                &diamond,
                json!([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]),
            ),
        ),
        ("loop", flow("loop", &looped, json!([["l", "out"]]))),
        (
            "approval",
            flow(
                "approval",
                &approval,
                json!([["a", "may"], ["may.approved", "b"]]),
            ),
        ),
        (
            "child",
            flow("child", &parent, json!([["a", "sub"], ["sub", "b"]])),
        ),
    ]
}

/// The workflow that `child` runs.
pub fn inner() -> Value {
    let nodes = json!([agent("x", "Inside: {{ input.word }}"), { "id": "t", "kind": "transform", "template": "<{{ nodes.x.output }}>" }]);
    let mut flow = flow("Inner", &nodes, json!([["x", "t"]]));
    flow["inputs"] = json!([{ "name": "word", "type": "string", "required": true }]);
    flow
}

/// An agent, a request to another server, an agent.
pub fn chain(port: u16) -> Value {
    let nodes = json!([agent("a", "Begin"),
        { "id": "ask", "kind": "http", "method": "POST", "url": format!("http://127.0.0.1:{port}/effect"), "body": "x",
          "output": "json", "retry": { "attempts": 1 } },
        agent("b", "{{ nodes.a.output }} and {{ nodes.ask.output.body.n }}")]);
    flow("chain", &nodes, json!([["a", "ask"], ["ask", "b"]]))
}

/// One agent alone.
pub fn alone() -> Value {
    flow("alone", &json!([agent("a", "Say something.")]), json!([]))
}

fn agent(id: &str, prompt: &str) -> Value {
    json!({ "id": id, "kind": "agent", "prompt": prompt, "capabilities": [], "model": "openai:m", "retry": { "attempts": 1 } })
}

fn flow(name: &str, nodes: &Value, edges: Value) -> Value {
    let edges: Vec<Value> = edges
        .as_array()
        .expect("pairs")
        .iter()
        .map(|pair| json!({ "from": pair[0], "to": pair[1] }))
        .collect();
    json!({ "troupe": 1, "name": name, "nodes": nodes, "edges": edges })
}
