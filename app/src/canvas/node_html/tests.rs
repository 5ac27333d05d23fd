//! Markup is what it should be, and hostile text stays text.

use serde_json::json;

use super::*;
use crate::canvas::geometry::rect;

fn node(id: &str, kind: &str, keys: Value) -> DrawnNode {
    DrawnNode {
        id: id.into(),
        kind: kind.into(),
        keys: keys.as_object().cloned().unwrap_or_default(),
    }
}

fn view<'a>(node: &'a DrawnNode, ports: &'a [OutPort]) -> NodeView<'a> {
    NodeView {
        node,
        kind: node.known_kind(),
        rect: rect(20.0, 40.0, 220.0, 60.0),
        place: 3,
        ports,
        port_in: true,
        selected: false,
        active: false,
        problems: (0, 0),
        watching: false,
        status: None,
    }
}

fn html(view: &NodeView<'_>) -> String {
    let mut out = String::new();
    node_html(view, &mut out);
    out
}

fn ports(names: &[(&str, f64)]) -> Vec<OutPort> {
    names
        .iter()
        .map(|(name, y)| OutPort {
            name: (*name).into(),
            y: *y,
        })
        .collect()
}

#[test]
fn a_step_says_what_the_contract_promises() {
    let node = node(
        "plan",
        "agent",
        json!({"title": "Plan it", "capabilities": ["planning"], "model": "openrouter:a/b"}),
    );
    let html = html(&view(&node, &ports(&[("out", 20.0), ("error", 80.0)])));
    for part in [
        "data-node-id=\"plan\" data-kind=\"agent\" data-selected=\"false\" data-status=\"\"",
        "aria-label=\"Plan it, agent\" tabindex=\"-1\"",
        "transform:translate(20px,40px);width:220px;height:60px;z-index:6",
        "data-port-dir=\"in\" data-port=\"in\" type=\"button\" aria-label=\"Connect to Plan it\" tabindex=\"-1\"",
        "data-port-dir=\"out\" data-port=\"out\" type=\"button\" aria-label=\"Connect from Plan it\"",
        "aria-label=\"Connect from Plan it, port error\"",
        "planning · a/b",
    ] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
}

#[test]
fn hostile_text_stays_text() {
    const BAD: &str = "\"><script>alert('x')</script>&";
    for kind in ["agent", "transform", "branch", "output", "note", BAD] {
        let keys = json!({
            "title": BAD, "prompt": BAD, "template": BAD, "condition": BAD, "value": BAD, "text": BAD, "model": BAD,
            "agent": BAD, "capabilities": [BAD],
        });
        let node = node(BAD, kind, keys);
        let status = NodeStatus {
            status: BAD.into(),
            note: BAD.into(),
            agent: Some(BAD.into()),
        };
        for watching in [false, true] {
            let ports = ports(&[(BAD, 80.0)]);
            let view = NodeView {
                watching,
                status: Some(&status),
                ..view(&node, &ports)
            };
            let html = html(&view);
            assert!(!html.contains("<script"), "{html}");
            assert_eq!(html.matches("alert('x')").count(), 0, "{html}");
        }
    }
}

#[test]
fn notes_show_markdown_and_nothing_dangerous() {
    let text = "# Hi\n*you* and `me` <b onclick=x>[link](javascript:alert(1)) ![i](http://e.x/y.png)\n\n- a\n- b";
    let node = node("n", "note", json!({"text": text}));
    let html = html(&NodeView {
        port_in: false,
        ..view(&node, &[])
    });
    assert!(
        html.contains("<h3>Hi</h3>")
            && html.contains("<em>you</em>")
            && html.contains("<li>b</li>"),
        "{html}"
    );
    assert!(
        html.contains("&lt;b onclick=x&gt;link")
            && !html.contains("javascript")
            && !html.contains("<img"),
        "{html}"
    );
    assert!(html.contains("z-index:0"));
}

#[test]
fn a_run_shows_state_numbers_and_agent_and_nothing_to_pull() {
    let node = node("plan", "agent", json!({"capabilities": ["planning"]}));
    let status = NodeStatus {
        status: "running".into(),
        note: "3 s · 120 tokens".into(),
        agent: Some("Ada".into()),
    };
    let html = html(&NodeView {
        watching: true,
        status: Some(&status),
        ..view(&node, &ports(&[("out", 20.0)]))
    });
    for part in [
        "data-status=\"running\"",
        "3 s · 120 tokens",
        "Ada",
        "aria-label=\"plan, agent, running\"",
        "node-state\"><svg",
    ] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    assert!(!html.contains("<button"));
}

#[test]
fn problems_and_disabled_are_seen_and_heard() {
    let node = node("x", "output", json!({"disabled": true}));
    let html = html(&NodeView {
        problems: (2, 1),
        ..view(&node, &[])
    });
    assert!(html.contains("data-disabled=\"true\""));
    assert!(html.contains("aria-label=\"x, output, disabled, 2 errors\""));
    assert!(html.contains("data-severity=\"error\" aria-hidden=\"true\">2<"));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let node = node(
        "x",
        "transform",
        json!({"title": "é".repeat(500), "template": "ü".repeat(500)}),
    );
    assert!(html(&view(&node, &[])).len() < 2_000);
}

#[test]
fn glyphs_are_whole_paths() {
    for kind in Kind::ALL.map(Some).into_iter().chain([None]) {
        let glyph = kind_glyph(kind);
        assert!(
            glyph.starts_with('<') && glyph.ends_with("/>") && !glyph.contains("00"),
            "{glyph}"
        );
    }
}
