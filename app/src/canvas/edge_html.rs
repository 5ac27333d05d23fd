//! The markup of edges and their labels, as text, for server and painter alike.

use std::fmt::Write;

use super::{edge_path::Curve, geometry::Point, node_html::escape};

/// Everything that an edge's markup depends on.
#[derive(Debug, Clone, Copy)]
pub struct EdgeView<'a> {
    /// Its name, `from.port->to.port`.
    pub id: &'a str,
    /// Its line.
    pub curve: Curve,
    /// Whether it is selected.
    pub selected: bool,
    /// Whether an end of it is attached to nothing.
    pub broken: bool,
    /// The text on it.
    pub label: &'a str,
    /// State of the task that it starts at.
    pub status: &'a str,
}

/// Appends the markup of an edge, for inside an SVG: a line to see, and a wider one to press.
pub fn edge_html(view: &EdgeView<'_>, out: &mut String) {
    out.push_str("<g class=\"edge\" data-edge-id=\"");
    escape(view.id, out);
    out.push_str(if view.selected {
        "\" data-selected=\"true\""
    } else {
        "\" data-selected=\"false\""
    });
    if view.broken {
        out.push_str(" data-broken=\"true\"");
    }
    out.push_str(" data-status=\"");
    escape(view.status, out);
    out.push_str("\"><path class=\"edge-hit\" d=\"");
    write_hit(view.curve, out);
    out.push_str("\"/><path class=\"edge-line\" d=\"");
    view.curve.write_svg(out);
    out.push_str("\"/></g>");
}

/// Writes the line that is pressed. A short stroke across its middle gives a level line a height: what
/// has none counts as invisible.
pub fn write_hit(curve: Curve, out: &mut String) {
    curve.write_svg(out);
    let middle = curve.middle();
    // `write!` into a String cannot fail.
    let _ = write!(out, "M{} {}v6", middle.x.round(), middle.y.round() - 3.0);
}

/// Appends the markup of a label, for over the SVG.
pub fn label_html(view: &EdgeView<'_>, out: &mut String) {
    out.push_str("<div class=\"edge-label\" data-edge-label=\"");
    escape(view.id, out);
    out.push_str("\" style=\"");
    write_label_style(view.curve.middle(), out);
    out.push_str("\">");
    escape(view.label, out);
    out.push_str("</div>");
}

/// The style that puts a label on the middle of its line.
pub fn write_label_style(middle: Point, out: &mut String) {
    // `write!` into a String cannot fail.
    let _ = write!(
        out,
        "transform:translate({}px,{}px) translate(-50%,-50%)",
        middle.x.round(),
        middle.y.round()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::geometry::at;

    #[test]
    fn hostile_labels_and_ids_stay_text() {
        const BAD: &str = "\"/><script>x</script>";
        let view = EdgeView {
            id: BAD,
            curve: Curve::between(at(0.0, 0.0), at(100.0, 0.0)),
            selected: true,
            broken: true,
            label: BAD,
            status: BAD,
        };
        let mut out = String::new();
        edge_html(&view, &mut out);
        label_html(&view, &mut out);
        assert!(!out.contains("<script") && !out.contains("\"/><s"), "{out}");
        assert_eq!(out.matches("M0 0C50 0 50 0 100 0\"").count(), 1);
        assert_eq!(out.matches("M0 0C50 0 50 0 100 0M50 -3v6\"").count(), 1);
        assert!(out.contains("translate(50px,0px) translate(-50%,-50%)"));
    }
}
