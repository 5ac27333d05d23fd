//! Markdown of models, shown as text with structure. It is hostile text, so nothing of it becomes HTML
//! by itself: every tag stands in this file, everything else is escaped, links lead to the web only,
//! and images are named but never loaded. What was written as HTML is shown as it was written.
//!
//! The tests let a cleaner of HTML judge what comes out: it must find nothing to remove. The cleaner
//! itself stays out of the browser, where it would weigh as much as half of the pages.

use leptos::prelude::*;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Longer texts are shown as they are: nobody reads their structure, and rendering would stop the page.
const LONGEST_BYTES: usize = 200_000;

/// Safe HTML for hostile Markdown.
pub fn to_html(text: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut writer = Writer {
        html: String::with_capacity(text.len() * 3 / 2),
        ..Writer::default()
    };
    Parser::new_ext(text, options).for_each(|event| writer.event(event));
    writer.html
}

#[derive(Default)]
struct Writer {
    html: String,
    /// Whether each open link was written, or left out because of where it leads.
    links: Vec<bool>,
    in_table_head: bool,
}

impl Writer {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(code) | Event::InlineMath(code) | Event::DisplayMath(code) => {
                self.raw("<code>");
                self.text(&code);
                self.raw("</code>");
            }
            Event::SoftBreak => self.raw("\n"),
            Event::HardBreak => self.raw("<br>"),
            Event::Rule => self.raw("<hr>"),
            Event::TaskListMarker(done) => self.raw(if done { "☑ " } else { "☐ " }),
            Event::FootnoteReference(name) => {
                self.raw("[");
                self.text(&name);
                self.raw("]");
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Link {
                dest_url, title, ..
            } => self.link(&dest_url, &title),
            Tag::List(Some(first)) if first != 1 => {
                self.raw("<ol start=\"");
                self.raw(&first.to_string());
                self.raw("\">");
            }
            Tag::Image { .. } => self.raw("[image: "),
            Tag::Table(_) => self.raw("<table>"),
            Tag::TableHead => {
                self.in_table_head = true;
                self.raw("<thead><tr>");
            }
            other => self.raw(match self.name(&other.to_end()) {
                Some(name) => name.0,
                None => "",
            }),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Link => {
                if self.links.pop() == Some(true) {
                    self.raw("</a>");
                }
            }
            TagEnd::Image => self.raw("]"),
            TagEnd::Table => self.raw("</tbody></table>"),
            TagEnd::TableHead => {
                self.in_table_head = false;
                self.raw("</tr></thead><tbody>");
            }
            other => self.raw(match self.name(&other) {
                Some(name) => name.1,
                None => "",
            }),
        }
    }

    /// What opens and closes an element that needs nothing else.
    fn name(&self, tag: &TagEnd) -> Option<(&'static str, &'static str)> {
        Some(match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => ("<p>", "</p>"),
            TagEnd::Heading(level) => heading(*level),
            TagEnd::BlockQuote(_) => ("<blockquote>", "</blockquote>"),
            TagEnd::CodeBlock => ("<pre><code>", "</code></pre>"),
            TagEnd::List(true) => ("<ol>", "</ol>"),
            TagEnd::List(false) => ("<ul>", "</ul>"),
            TagEnd::Item => ("<li>", "</li>"),
            TagEnd::TableRow => ("<tr>", "</tr>"),
            TagEnd::TableCell if self.in_table_head => ("<th>", "</th>"),
            TagEnd::TableCell => ("<td>", "</td>"),
            TagEnd::Emphasis => ("<em>", "</em>"),
            TagEnd::Strong => ("<strong>", "</strong>"),
            TagEnd::Strikethrough => ("<del>", "</del>"),
            // Extensions that are not switched on, and what a newer parser may know.
            _ => return None,
        })
    }

    fn link(&mut self, address: &str, title: &str) {
        let safe = leads_to_the_web(address);
        self.links.push(safe);
        if !safe {
            return;
        }
        self.raw("<a href=\"");
        self.attribute(address);
        if !title.is_empty() {
            self.raw("\" title=\"");
            self.attribute(title);
        }
        self.raw("\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">");
    }

    fn raw(&mut self, html: &str) {
        self.html.push_str(html);
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                // Browsers read NUL as something else.
                '\0' => {}
                other => self.html.push(other),
            }
        }
    }

    fn attribute(&mut self, text: &str) {
        for part in text.split_inclusive('"') {
            self.text(part.trim_end_matches('"'));
            if part.ends_with('"') {
                self.raw("&quot;");
            }
        }
    }
}

/// The page has one heading of the first level and parts of the second: the text stands below.
fn heading(level: HeadingLevel) -> (&'static str, &'static str) {
    match level {
        HeadingLevel::H1 => ("<h3>", "</h3>"),
        HeadingLevel::H2 => ("<h4>", "</h4>"),
        HeadingLevel::H3 => ("<h5>", "</h5>"),
        HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => ("<h6>", "</h6>"),
    }
}

/// Whether an address is one that may be pressed: a whole one, by a scheme that only opens a page or a
/// letter. Relative ones would lead into this product.
fn leads_to_the_web(address: &str) -> bool {
    let plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
    let scheme = ["http://", "https://", "mailto:"].iter().any(|scheme| {
        address
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    plain && scheme
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

    /// A cleaner that knows nothing of this file must find nothing to remove.
    fn judge(html: &str) {
        let mut cleaner = ammonia::Builder::default();
        cleaner
            .link_rel(None)
            .url_schemes(["http", "https", "mailto"].into())
            .url_relative(ammonia::UrlRelative::Deny)
            .rm_tags(["img"])
            .add_tag_attributes("a", ["href", "title", "target", "rel"]);
        assert_eq!(cleaner.clean(html).to_string(), html);
    }

    fn check(markdown: &str, expected: &str) {
        let html = to_html(markdown);
        judge(&html);
        assert_eq!(html, expected, "{markdown}");
    }

    #[test]
    fn structure_comes_through() {
        check(
            "**a** `b` ~~c~~ *d*",
            "<p><strong>a</strong> <code>b</code> <del>c</del> <em>d</em></p>",
        );
        check("# a\n\nb\nc", "<h3>a</h3><p>b\nc</p>");
        check("3. a\n4. b", "<ol start=\"3\"><li>a</li><li>b</li></ol>");
        check("- [x] a\n- [ ] b", "<ul><li>☑ a</li><li>☐ b</li></ul>");
        check("> a\n\n---", "<blockquote><p>a</p></blockquote><hr>");
        check("```rust\na < b\n```", "<pre><code>a &lt; b\n</code></pre>");
        check(
            "| a |\n|---|\n| 1 |",
            "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>",
        );
    }

    #[test]
    fn links_lead_to_the_web_and_leave_no_trace_of_the_page() {
        check(
            "[x](https://a.example/?b=1&c \"t\")",
            "<p><a href=\"https://a.example/?b=1&amp;c\" title=\"t\" target=\"_blank\" rel=\"noopener noreferrer nofollow\">x</a></p>",
        );
        check(
            "[x](/settings) [y](javascript:a) [z](//b.example)",
            "<p>x y z</p>",
        );
    }

    #[test]
    fn an_image_is_named_but_not_loaded() {
        check("![a cat](https://a.example/c.png)", "<p>[image: a cat]</p>");
    }

    #[test]
    fn what_is_hostile_is_shown_not_obeyed() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a <b onclick=x()>b</b>",
            "[x](JavaScript:alert(1))",
            "[x](data:text/html;base64,AAAA)",
            "[x](java\tscript:alert(1))",
            "[x](https://a.example \"\\\" onmouseover=alert(1) x=\\\"\")",
            "[x](https://a.example/\"onclick=alert(1))",
            "![<script>](https://a.example)",
            "[![x](https://a.example/p.png)](javascript:alert(1))",
            "<style>*{display:none}</style>",
            "<iframe src=//evil.example></iframe>",
            "<!-- --><svg/onload=alert(1)>",
            "| <td onclick=a> |\n|---|\n| </table><script> |",
            "&lt;script&gt; &#60;script&#62; \0<\0script>",
            "```</code></pre><script>\n</code></pre><script>\n```",
        ] {
            judge(&to_html(hostile));
        }
    }
}
