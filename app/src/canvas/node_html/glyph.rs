//! What stands for each kind of node: the inside of an SVG.

use domain::kind::Kind;

/// The inside of an SVG of 16 by 16 that stands for a kind.
pub fn kind_glyph(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Agent) => {
            r#"<circle cx="8" cy="5" r="2.75"/><path d="M2.75 13.5c.5-3 2.5-4.5 5.25-4.5s4.75 1.5 5.25 4.5"/>"#
        }
        Some(Kind::Transform) => {
            r#"<path d="M6 2.5c-1.6 0-2 .7-2 1.9v1.7c0 1-.5 1.6-1.5 1.9C3.5 8.3 4 8.9 4 9.9v1.7c0 1.2.4 1.9 2 1.9M10 2.5c1.6 0 2 .7 2 1.9v1.7c0 1 .5 1.6 1.5 1.9-1 .3-1.5.9-1.5 1.9v1.7c0 1.2-.4 1.9-2 1.9"/>"#
        }
        Some(Kind::Branch) => {
            r#"<path d="M2.5 8H6l4-4h3.5M6 8l4 4h3.5"/><path d="m11.5 2 2 2-2 2M11.5 10l2 2-2 2"/>"#
        }
        Some(Kind::Map) => {
            r#"<rect x="2.5" y="5.5" width="8" height="8" rx="1"/><path d="M5.5 5.5v-3h8v8h-3"/><path d="M5 9.5h3"/>"#
        }
        Some(Kind::Loop) => r#"<path d="M13 8a5 5 0 1 1-1.5-3.6"/><path d="M13 2.5v2.5h-2.5"/>"#,
        Some(Kind::Http) => {
            r#"<circle cx="8" cy="8" r="5.5"/><path d="M2.5 8h11M8 2.5c-3.3 3.5-3.3 7.5 0 11 3.3-3.5 3.3-7.5 0-11"/>"#
        }
        Some(Kind::Approval) => {
            r#"<circle cx="6" cy="5" r="2.5"/><path d="M1.75 13.5c.4-3 2-4.5 4.25-4.5"/><path d="m8.5 11.5 2 2 4-4.5"/>"#
        }
        Some(Kind::Wait) => r#"<circle cx="8" cy="8" r="5.5"/><path d="M8 4.5V8l2.5 1.5"/>"#,
        Some(Kind::Workflow) => {
            r#"<rect x="2" y="2.5" width="5" height="4" rx="1"/><rect x="9" y="9.5" width="5" height="4" rx="1"/><path d="M4.5 6.5v5H9"/>"#
        }
        Some(Kind::Output) => r#"<path d="M4 14V2.5h8.5L10.5 6l2 3.5H4"/>"#,
        Some(Kind::Note) => {
            r#"<path d="M3 2.5h10v7.5l-3.5 3.5H3z"/><path d="M5.5 6h5M5.5 9h2.5"/>"#
        }
        None => r#"<path d="M5.8 6a2.2 2.2 0 1 1 3.3 1.9c-.8.4-1.1.9-1.1 1.6M8 12v.4"/>"#,
    }
}
