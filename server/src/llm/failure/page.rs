//! A web page in the place of an answer, in a few words: a proxy's error page, a sign-in form. Its title
//! says most. This is no reader of HTML: it takes tags out, for people to read what is left.

use std::borrow::Cow;

/// The most of a page that is looked at.
const MAX_PAGE_BYTES: usize = 64 * 1024;

/// `body` in words; unchanged where it is no web page.
pub fn words(body: &str) -> Cow<'_, str> {
    let end = body.floor_char_boundary(MAX_PAGE_BYTES);
    let page = body[..end].trim_start_matches('\u{feff}').trim();
    let low = page.to_ascii_lowercase();
    let is_page = low.starts_with('<') && (low.contains("<html") || low.starts_with("<!doctype"));
    if !is_page {
        return Cow::Borrowed(body);
    }
    let title = between(&low, "<title", "</title").map(|(from, to)| &page[from..to]);
    let title = title
        .and_then(|title| title.split_once('>'))
        .map(|(_, title)| title.trim());
    let said = match title.filter(|title| !title.is_empty()) {
        Some(title) => text(title),
        None => text(page),
    };
    match said.is_empty() {
        true => Cow::Borrowed("a web page"),
        false => Cow::Owned(format!("a web page, \u{201c}{said}\u{201d}")),
    }
}

/// Where in `low` something stands that begins with `open` and ends before `close`.
fn between(low: &str, open: &str, close: &str) -> Option<(usize, usize)> {
    let from = low.find(open)? + open.len();
    Some((from, from + low[from..].find(close)?))
}

/// What is left of `page` without its tags.
fn text(page: &str) -> String {
    let mut left = String::new();
    let mut inside = false;
    for letter in page.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                left.push(' ');
            }
            _ if !inside => left.push(letter),
            _ => {}
        }
    }
    left.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_by_its_title_or_else_by_its_text() {
        for (body, found) in [
            (
                "<!DOCTYPE html><html><head><TITLE>Sign\n in</TITLE></head><body>x</body></html>",
                "a web page, “Sign in”",
            ),
            (
                "<html><body>A timeout\n<b>occurred</b></body></html>",
                "a web page, “A timeout occurred”",
            ),
            ("<html></html>", "a web page"),
            ("<html><title>", "a web page"),
            ("<x>no page</x>", "<x>no page</x>"),
            ("Not found", "Not found"),
            ("", ""),
        ] {
            assert_eq!(words(body), found, "{body}");
        }
    }
}
