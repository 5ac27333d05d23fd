//! The text of a note: Markdown without anything that could leave the note. No raw HTML, no links, no
//! images: what they say is shown as text.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{cut, escape};

/// More than this never fits a note.
const MOST_TEXT: usize = 4_000;

/// Appends the text as HTML.
pub fn write(text: &str, out: &mut String) {
    for event in Parser::new_ext(cut(text, MOST_TEXT), Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(tag) => {
                if let Some(name) = name_of(&tag) {
                    out.push('<');
                    out.push_str(name);
                    out.push('>');
                }
            }
            Event::End(tag) => {
                if let Some(name) = name_of_end(tag) {
                    out.push_str("</");
                    out.push_str(name);
                    out.push('>');
                }
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => escape(&text, out),
            Event::Code(text) => {
                out.push_str("<code>");
                escape(&text, out);
                out.push_str("</code>");
            }
            Event::SoftBreak | Event::HardBreak => out.push_str("<br>"),
            Event::Rule => out.push_str("<hr>"),
            _ => {}
        }
    }
}

fn name_of(tag: &Tag<'_>) -> Option<&'static str> {
    name_of_end(tag.to_end())
}

fn name_of_end(tag: TagEnd) -> Option<&'static str> {
    match tag {
        TagEnd::Paragraph => Some("p"),
        // A note is no page: its headings are not headings of the page either.
        TagEnd::Heading(HeadingLevel::H1 | HeadingLevel::H2) => Some("h3"),
        TagEnd::Heading(_) => Some("h4"),
        TagEnd::BlockQuote(_) => Some("blockquote"),
        TagEnd::CodeBlock => Some("pre"),
        TagEnd::List(true) => Some("ol"),
        TagEnd::List(false) => Some("ul"),
        TagEnd::Item => Some("li"),
        TagEnd::Emphasis => Some("em"),
        TagEnd::Strong => Some("strong"),
        TagEnd::Strikethrough => Some("s"),
        _ => None,
    }
}
