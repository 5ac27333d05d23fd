//! The markup of one node, as text. The server writes it into the page, and the painter into the
//! viewport: the same function, so the same picture.
//!
//! Titles, ids, texts and labels come from strangers: everything goes through `escape`.

mod glyph;
mod note;

use std::fmt::Write;

use domain::{graph::DrawnNode, kind::Kind};
use serde_json::Value;

pub use self::glyph::kind_glyph;
use super::{
    NodeStatus,
    geometry::{HEAD_PORT_Y, Rect},
    scene::OutPort,
    status,
};
use crate::words;

/// Everything that a node's markup depends on.
#[derive(Debug, Clone, Copy)]
pub struct NodeView<'a> {
    /// The node as drawn.
    pub node: &'a DrawnNode,
    /// What it is; `None` for a kind that is unknown.
    pub kind: Option<Kind>,
    /// Where it stands.
    pub rect: Rect,
    /// Its place in the drawing: later ones lie over earlier ones.
    pub place: u32,
    /// Its ports that go out.
    pub ports: &'a [OutPort],
    /// Whether it has a port that things come in by.
    pub port_in: bool,
    /// Whether it is selected.
    pub selected: bool,
    /// Whether it is the one that Tab goes to.
    pub active: bool,
    /// Errors and warnings about it.
    pub problems: (u32, u32),
    /// Whether a run is shown: the state, and no ports to pull wires from.
    pub watching: bool,
    /// State of its task.
    pub status: Option<&'a NodeStatus>,
}

/// Longest title or line that is put into the page; CSS cuts what is wider than the node.
const MOST_TEXT: usize = 120;

/// Appends the markup of a node.
pub fn node_html(view: &NodeView<'_>, out: &mut String) {
    out.push_str("<div class=\"node\"");
    for (name, write) in ATTRIBUTES {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        let start = out.len();
        write(view, out);
        if out[start..].contains(['&', '<', '>', '"', '\'']) {
            let raw = out.split_off(start);
            escape(&raw, out);
        }
        out.push('"');
    }
    out.push('>');
    node_inner(view, out);
    out.push_str("</div>");
}

/// Writes the value of an attribute, not escaped.
pub type WriteAttribute = fn(&NodeView<'_>, &mut String);

/// The attributes of a node's element. The painter sets the same ones when a node has changed.
pub const ATTRIBUTES: [(&str, WriteAttribute); 10] = [
    ("data-node-id", |view, out| out.push_str(&view.node.id)),
    ("data-kind", |view, out| out.push_str(&view.node.kind)),
    ("data-selected", |view, out| {
        out.push_str(if view.selected { "true" } else { "false" })
    }),
    ("data-status", |view, out| {
        out.push_str(view.status.map_or("", |status| &status.status))
    }),
    ("data-disabled", |view, out| {
        out.push_str(if disabled(view.node) { "true" } else { "false" })
    }),
    ("role", |_, out| out.push_str("group")),
    ("aria-roledescription", |_, out| out.push_str("step")),
    ("aria-label", write_label),
    ("tabindex", |view, out| {
        out.push_str(if view.active { "0" } else { "-1" })
    }),
    ("style", |view, out| {
        write_style(view.rect, z_index(view.kind, view.place), out)
    }),
];

/// Appends what stands inside a node.
pub fn node_inner(view: &NodeView<'_>, out: &mut String) {
    match view.kind {
        Some(Kind::Note) => note_body(view, out),
        Some(
            Kind::Agent
            | Kind::Transform
            | Kind::Branch
            | Kind::Map
            | Kind::Loop
            | Kind::Http
            | Kind::Approval
            | Kind::Wait
            | Kind::Workflow
            | Kind::Output,
        )
        | None => {
            step_body(view, out);
        }
    }
}

fn note_body(view: &NodeView<'_>, out: &mut String) {
    out.push_str("<div class=\"node-note\">");
    if view
        .node
        .keys
        .get("title")
        .and_then(Value::as_str)
        .is_some_and(|title| !title.trim().is_empty())
    {
        out.push_str("<p class=\"node-note-title\">");
        escape(cut(view.node.title(), MOST_TEXT), out);
        out.push_str("</p>");
    }
    note::write(view.node.text("text").unwrap_or_default(), out);
    out.push_str("</div>");
    if !view.watching {
        out.push_str("<div class=\"node-corner\" data-resize=\"\"></div>");
    }
}

fn step_body(view: &NodeView<'_>, out: &mut String) {
    let status = view.status.map_or("", |status| status.status.as_str());
    out.push_str("<div class=\"node-head\"><span class=\"node-kind\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">");
    out.push_str(kind_glyph(view.kind));
    out.push_str("</svg></span><span class=\"node-title\">");
    escape(cut(view.node.title(), MOST_TEXT), out);
    out.push_str("</span>");
    if view.watching {
        out.push_str("<span class=\"node-state\">");
        write_state(status, out);
        out.push_str("</span>");
    } else {
        write_badge(view.problems, out);
    }
    out.push_str("</div><div class=\"node-line\">");
    write_line(view, out);
    out.push_str("</div>");
    if view.watching {
        out.push_str("<div class=\"node-run\">");
        escape(view.status.map_or("", |status| status.note.as_str()), out);
        out.push_str("</div>");
    }
    let mut port = |name: &str, out_of: bool, y: f64| {
        let tag = if view.watching { "span" } else { "button" };
        // `write!` into a String cannot fail.
        let _ = write!(
            out,
            "<{tag} class=\"port\" data-port-dir=\"{}\" data-port=\"",
            if out_of { "out" } else { "in" }
        );
        escape(name, out);
        if view.watching {
            out.push('"');
        } else {
            out.push_str("\" type=\"button\" aria-label=\"");
            out.push_str(if out_of {
                "Connect from "
            } else {
                "Connect to "
            });
            escape(cut(view.node.title(), MOST_TEXT), out);
            if out_of && name != "out" {
                out.push_str(", port ");
                escape(name, out);
            }
            out.push_str(if view.active {
                "\" tabindex=\"0\""
            } else {
                "\" tabindex=\"-1\""
            });
        }
        let _ = write!(out, " style=\"top:{y}px\"></{tag}>");
        if y > HEAD_PORT_Y {
            let _ = write!(out, "<span class=\"port-name\" style=\"top:{y}px\">");
            escape(name, out);
            out.push_str("</span>");
        }
    };
    if view.port_in {
        port("in", false, HEAD_PORT_Y);
    }
    for known in view.ports {
        port(&known.name, true, known.y);
    }
}

/// The style that puts a node in its place.
pub fn write_style(rect: Rect, z_index: u32, out: &mut String) {
    // `write!` into a String cannot fail.
    let _ = write!(
        out,
        "transform:translate({}px,{}px);width:{}px;height:{}px;z-index:{z_index}",
        rect.x, rect.y, rect.w, rect.h
    );
}

/// Notes lie below the edges (1) and their labels (2), other nodes above them in the order of the file.
pub fn z_index(kind: Option<Kind>, place: u32) -> u32 {
    if kind == Some(Kind::Note) {
        0
    } else {
        place + 3
    }
}

/// What a screen reader says about a node; not escaped.
pub fn write_label(view: &NodeView<'_>, out: &mut String) {
    out.push_str(cut(view.node.title(), MOST_TEXT));
    out.push_str(", ");
    match view.kind {
        Some(kind) => out.push_str(&kind.label().to_lowercase()),
        None => out.push_str("unknown kind"),
    }
    if disabled(view.node) {
        out.push_str(", disabled");
    }
    if let Some(status) = view
        .status
        .map(|status| status::words(&status.status))
        .filter(|words| !words.is_empty())
    {
        out.push_str(", ");
        out.push_str(status);
    }
    // `write!` into a String cannot fail.
    let _ = match view.problems {
        (0, 0) => Ok(()),
        (0, 1) => write!(out, ", 1 warning"),
        (0, many) => write!(out, ", {many} warnings"),
        (1, _) => write!(out, ", 1 error"),
        (many, _) => write!(out, ", {many} errors"),
    };
}

/// The glyph of a state, as SVG.
pub fn write_state(status: &str, out: &mut String) {
    let glyph = status::glyph(status);
    if !glyph.is_empty() {
        out.push_str("<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">");
        out.push_str(glyph);
        out.push_str("</svg>");
    }
}

fn write_badge((errors, warnings): (u32, u32), out: &mut String) {
    let (severity, count) = match (errors, warnings) {
        (0, 0) => return,
        (0, warnings) => ("warning", warnings),
        (errors, _) => ("error", errors),
    };
    // `write!` into a String cannot fail.
    let _ = write!(
        out,
        "<span class=\"node-badge\" data-severity=\"{severity}\" aria-hidden=\"true\">{count}</span>"
    );
}

/// One line that says what the node does.
fn write_line(view: &NodeView<'_>, out: &mut String) {
    let node = view.node;
    match view.kind {
        Some(Kind::Agent) => {
            if let Some(agent) = view.status.and_then(|status| status.agent.as_deref()) {
                escape(cut(agent, MOST_TEXT), out);
                return;
            }
            let who = match node.text("agent").filter(|name| !name.is_empty()) {
                Some(name) => name.to_owned(),
                None => words_of(node.keys.get("capabilities")),
            };
            // The provider is the same for most steps; the model is what tells them apart.
            let model = node
                .text("model")
                .map(|model| model.split_once(':').map_or(model, |(_, name)| name));
            match (who.as_str(), model.filter(|model| !model.is_empty())) {
                ("", None) => escape(first_line(node.text("prompt").unwrap_or_default()), out),
                ("", Some(model)) => escape(cut(model, MOST_TEXT), out),
                (who, None) => escape(cut(who, MOST_TEXT), out),
                (who, Some(model)) => {
                    escape(cut(who, MOST_TEXT), out);
                    out.push_str(" · ");
                    escape(cut(model, MOST_TEXT), out);
                }
            }
        }
        Some(Kind::Transform) => escape(first_line(node.text("template").unwrap_or_default()), out),
        Some(Kind::Branch) => match node.keys.get("cases").and_then(Value::as_array) {
            Some(cases) => {
                // `write!` into a String cannot fail.
                let _ = write!(out, "{} cases", cases.len());
            }
            None => escape(first_line(node.text("condition").unwrap_or_default()), out),
        },
        Some(Kind::Map) => {
            out.push_str("each of ");
            escape(first_line(node.text("items").unwrap_or_default()), out);
            steps_inside(node, out);
        }
        Some(Kind::Loop) => {
            match node
                .text("until")
                .map(first_line)
                .filter(|until| !until.is_empty())
            {
                Some(until) => {
                    out.push_str("until ");
                    escape(until, out);
                }
                None => out.push_str("every round"),
            }
            steps_inside(node, out);
        }
        Some(Kind::Http) => {
            escape(cut(node.text("method").unwrap_or("GET"), MOST_TEXT), out);
            out.push(' ');
            escape(first_line(node.text("url").unwrap_or_default()), out);
        }
        Some(Kind::Approval) => escape(first_line(node.text("message").unwrap_or_default()), out),
        Some(Kind::Wait) => match node.keys.get("duration_ms").and_then(Value::as_u64) {
            Some(ms) => out.push_str(&words::duration(ms)),
            None => escape(first_line(node.text("until").unwrap_or_default()), out),
        },
        Some(Kind::Workflow) => escape(first_line(node.text("workflow").unwrap_or_default()), out),
        Some(Kind::Output) => escape(first_line(node.text("value").unwrap_or_default()), out),
        Some(Kind::Note) => {}
        None => {
            out.push_str("unknown kind: ");
            escape(cut(&node.kind, MOST_TEXT), out);
        }
    }
}

/// How many steps the body of a map or loop has.
fn steps_inside(node: &DrawnNode, out: &mut String) {
    let body = node.keys.get("body").and_then(|body| body.get("nodes"));
    let steps = body.and_then(Value::as_array).map_or(0, Vec::len);
    // `write!` into a String cannot fail.
    let _ = write!(out, " · {steps} inside");
}

/// Whether the node is switched off.
pub fn disabled(node: &DrawnNode) -> bool {
    node.keys.get("disabled").and_then(Value::as_bool) == Some(true)
}

fn words_of(value: Option<&Value>) -> String {
    let words: Vec<&str> = value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    words.join(", ")
}

fn first_line(text: &str) -> &str {
    cut(
        text.trim_start().lines().next().unwrap_or_default(),
        MOST_TEXT,
    )
}

/// At most so many bytes, cut between characters.
fn cut(text: &str, most: usize) -> &str {
    match text.char_indices().map(|(at, _)| at).find(|at| *at >= most) {
        Some(at) => &text[..at],
        None => text,
    }
}

/// Appends text so that it is text wherever it stands in HTML, within quotes too.
pub fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests;
