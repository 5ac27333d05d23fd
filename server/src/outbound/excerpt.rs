//! The beginning of a foreign text, fit for an error: without what the workflow sent as secret, on one line,
//! not too long. Some servers repeat a bad key in their complaint.

use reqwest::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT,
};

/// The most of a foreign text that is shown.
const MAX_CHARS: usize = 300;
/// A shorter value is a flag or a number rather than a secret, and cutting it out would tear words apart.
const MIN_SECRET_CHARS: usize = 6;
/// Headers whose values everybody may read.
const OPEN: [HeaderName; 5] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
];

/// The beginning of `text`, without any value of `sent`.
pub fn of(text: &str, sent: &HeaderMap) -> String {
    let mut text = text.to_owned();
    for secret in secrets(sent) {
        text = text.replace(&secret, "[hidden]");
    }
    clean(&text, MAX_CHARS)
}

/// `text` on one line, without control characters and what turns reading direction, at most `chars` long.
pub fn clean(text: &str, chars: usize) -> String {
    let mut words = String::new();
    let mut left = chars;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let shown = word.chars().filter(|c| !is_invisible(*c));
        let gap = usize::from(!words.is_empty());
        let mut word: String = shown.take(left.saturating_sub(gap) + 1).collect();
        if word.is_empty() {
            continue;
        }
        if gap == 1 {
            words.push(' ');
        }
        left = left.saturating_sub(gap);
        let cut = word.char_indices().nth(left).map(|(at, _)| at);
        if let Some(at) = cut {
            word.truncate(at);
            words.push_str(&word);
            words.push('…');
            return words;
        }
        left -= word.chars().count();
        words.push_str(&word);
    }
    words
}

/// Values, and what stands behind a scheme: `Bearer abc` is two ways to repeat `abc`. Longest first, so that
/// no part of one is left when another is cut out of it.
fn secrets(sent: &HeaderMap) -> Vec<String> {
    let mut found: Vec<String> = sent
        .iter()
        .filter(|(name, _)| !OPEN.contains(name) && *name != super::headers::IDEMPOTENCY_KEY)
        .flat_map(|(_, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let credential = value.split_once(' ').map(|(_, rest)| rest.to_owned());
            [Some(value), credential].into_iter().flatten()
        })
        .filter(|secret| secret.len() >= MIN_SECRET_CHARS)
        .collect();
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_without_tricks_and_not_too_long() {
        for (text, chars, shown) in [
            ("  a\r\n\tb\0c ", 9, "a b c"),
            ("abcdef", 3, "abc…"),
            ("ab cdef", 3, "ab …"),
            ("ab cd", 5, "ab cd"),
            ("\u{202e}evil\u{200b}\u{1b}[31m", 20, "evil [31m"),
            ("äöü", 2, "äö…"),
            ("", 5, ""),
        ] {
            assert_eq!(clean(text, chars), shown, "{text:?}");
        }
    }

    #[test]
    fn what_was_sent_as_a_secret_is_not_repeated() {
        let mut sent = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer sk-123456"),
            ("x-flag", "on"),
            ("content-type", "application/json"),
        ] {
            sent.insert(name, value.parse().expect("a value"));
        }
        assert_eq!(
            of(
                "on: bad key sk-123456 (Bearer sk-123456), want application/json",
                &sent
            ),
            "on: bad key [hidden] ([hidden]), want application/json"
        );
    }
}
