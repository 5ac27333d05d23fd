//! Markdown of models, shown as text with structure. It is hostile text: HTML in it is dropped before
//! rendering, what comes out is cleaned by a list of allowed tags, and no image is loaded from elsewhere.

use ammonia::Builder;
use leptos::prelude::*;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

/// Longer texts are shown as they are: nobody reads their structure, and rendering would stop the page.
const LONGEST_BYTES: usize = 200_000;

/// Safe HTML for hostile Markdown.
pub fn to_html(text: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut images = 0_u32;
    let events = Parser::new_ext(text, options).filter_map(|event| match event {
        // What was written as HTML is shown as it was written.
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        // An image would call home: its description stays, in brackets.
        Event::Start(Tag::Image { .. }) => {
            images += 1;
            Some(Event::Text(CowStr::Borrowed("[image: ")))
        }
        Event::End(TagEnd::Image) => {
            images = images.saturating_sub(1);
            Some(Event::Text(CowStr::Borrowed("]")))
        }
        // The page has one heading of the first level and parts of the second: the text stands below.
        Event::Start(Tag::Heading {
            level,
            id,
            classes,
            attrs,
        }) => Some(Event::Start(Tag::Heading {
            level: lowered(level),
            id,
            classes,
            attrs,
        })),
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lowered(level)))),
        other => Some(other),
    });
    let mut html = String::with_capacity(text.len() * 2);
    push_html(&mut html, events);
    cleaner().clean(&html).to_string()
}

fn lowered(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

fn cleaner() -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(std::collections::HashSet::from([
            "p",
            "br",
            "hr",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "strong",
            "em",
            "del",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "a",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "input",
        ]))
        .tag_attributes(std::collections::HashMap::from([
            ("a", std::collections::HashSet::from(["href", "title"])),
            ("ol", std::collections::HashSet::from(["start"])),
            (
                "input",
                std::collections::HashSet::from(["type", "checked", "disabled"]),
            ),
        ]))
        .url_schemes(std::collections::HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"));
    builder
}

/// Markdown as formatted text.
#[component]
pub fn Markdown(
    /// The text as the model wrote it.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    move || {
        text.with(|text| {
            if text.len() > LONGEST_BYTES {
                view! { <pre class="markdown-plain">{text.clone()}</pre> }.into_any()
            } else {
                view! { <div class="markdown" inner_html=to_html(text)></div> }.into_any()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::to_html;

    #[test]
    fn structure_comes_through() {
        assert_eq!(
            to_html("**a** `b`").trim(),
            "<p><strong>a</strong> <code>b</code></p>"
        );
        assert!(to_html("| a |\n|---|\n| 1 |").contains("<td>1</td>"));
    }

    #[test]
    fn nothing_hostile_comes_through() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](data:text/html;base64,AAAA)",
            "![x](https://evil.example/p.png)",
            "<a href=\"/api/x\" onclick=\"y()\">z</a>",
            "[x](https://a.example \"\\\" onmouseover=alert(1)\")",
            "<style>*{display:none}</style>",
            "<iframe src=//evil.example></iframe>",
        ] {
            let html = to_html(hostile);
            let tags: Vec<&str> = html
                .split('<')
                .skip(1)
                .filter_map(|rest| rest.split('>').next())
                .collect();
            for tag in tags {
                let name = tag
                    .trim_start_matches('/')
                    .split(' ')
                    .next()
                    .unwrap_or_default();
                assert!(["p", "a"].contains(&name), "{hostile} became {html}");
                // What stands in quotes is a value: only the address of a link can act.
                let outside: String = tag.split('"').step_by(2).collect();
                assert!(!outside.contains(" on"), "{hostile} became {html}");
                assert!(
                    !tag.contains("href=\"javascript") && !tag.contains("href=\"data"),
                    "{hostile} became {html}"
                );
            }
        }
    }

    #[test]
    fn links_leave_no_trace_of_the_page() {
        assert!(
            to_html("[x](https://a.example/)").contains("rel=\"noopener noreferrer nofollow\"")
        );
    }

    #[test]
    fn an_image_is_named_but_not_loaded() {
        assert_eq!(
            to_html("![a cat](https://a.example/c.png)").trim(),
            "<p>[image: a cat]</p>"
        );
    }
}
