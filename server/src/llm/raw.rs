//! What a server sent in the place of an answer, fit to be stored and shown: shortened, without
//! anything that looks like a key, and with no control characters but line ends.

use super::ApiKey;

/// The most that is kept.
pub const MAX_RAW_BYTES: usize = 8 * 1024;
/// What stands in the place of a secret.
const HIDDEN: &str = "[key]";
/// How the keys of well-known providers begin.
const KEY_STARTS: [&str; 5] = ["sk-", "gsk_", "xai-", "hf_", "AIza"];
/// A word shorter than that is no key.
const MIN_KEY_CHARS: usize = 16;

/// `bytes` fit to be kept; `None` when there is nothing in them.
pub fn kept(bytes: &[u8], key: Option<&ApiKey>) -> Option<String> {
    let mut shown = clean(&String::from_utf8_lossy(bytes), key);
    if shown.len() > MAX_RAW_BYTES {
        shown.truncate(shown.floor_char_boundary(MAX_RAW_BYTES));
        shown.push('…');
    }
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

/// `text` without secrets, and without control characters but line ends.
pub fn clean(text: &str, key: Option<&ApiKey>) -> String {
    let text: String = text
        .chars()
        .filter(|letter| matches!(letter, '\n' | '\t') || !letter.is_control())
        .collect();
    let text = match key {
        Some(key) => key.redact_cut(&text),
        None => text,
    };
    without_keys(&without_passwords(&text))
}

/// `text` without user and password in the addresses that it holds.
fn without_passwords(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + "://".len());
        clean.push_str(before);
        let host_ends = |letter: char| letter.is_whitespace() || "/?#\"'<>\\".contains(letter);
        let authority = &behind[..behind.find(host_ends).unwrap_or(behind.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                clean.push_str(HIDDEN);
                &behind[at..]
            }
            None => behind,
        };
    }
    clean.push_str(rest);
    clean
}

/// `text` without words that look like a key, also one that is not ours, and without what follows
/// a word that announces one.
fn without_keys(text: &str) -> String {
    let in_word =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let in_token = |letter: char| in_word(letter) || matches!(letter, '+' | '/' | '=' | '~' | '%');
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut announced = false;
    while !rest.is_empty() {
        let end = |part: &dyn Fn(char) -> bool| {
            let end = rest.find(|letter| !part(letter));
            end.unwrap_or(rest.len())
        };
        let end = if announced {
            end(&in_token)
        } else {
            end(&in_word)
        };
        let (word, behind) = rest.split_at(end);
        let looks_like = word.len() >= MIN_KEY_CHARS
            && (announced || KEY_STARTS.iter().any(|start| word.starts_with(start)));
        clean.push_str(if looks_like { HIDDEN } else { word });
        let between = behind.find(in_word).unwrap_or(behind.len());
        if !word.is_empty() {
            announced = announces(word, &behind[..between]);
        }
        clean.push_str(&behind[..between]);
        rest = &behind[between..];
    }
    clean
}

/// Whether a key comes after `word`, with `between` them.
fn announces(word: &str, between: &str) -> bool {
    let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    let short = between.len() <= 6;
    (is(&["bearer", "basic"]) && between.trim().is_empty())
        || (is(&["key", "token"]) && between == "=")
        || (short && is(&["api_key", "apikey", "api-key", "x-api-key", "access_token"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_stays() {
        let key = ApiKey::new("our own secret");
        let raw = br#"{"error": "our own secret, sk-or-v1-0123456789abcdef and Bearer abcdefghijklmnopqrst; sk-ip"}"#;
        let shown = kept(raw, Some(&key)).expect("something");
        assert_eq!(
            shown,
            r#"{"error": "[key], [key] and Bearer [key]; sk-ip"}"#
        );
    }

    #[track_caller]
    fn check(raw: &str, shown: &str) {
        let key = ApiKey::new("our+own/secret=1");
        assert_eq!(clean(raw, Some(&key)), shown);
    }

    #[test]
    fn a_key_is_found_in_every_spelling() {
        check("a our+own/secret=1 b", "a [key] b");
        check(r#"{"a":"our+own\/secret=1"}"#, r#"{"a":"[key]"}"#);
        check("?k=our%2Bown%2Fsecret%3D1&x", "?k=[key]&x");
        check(r#""our\u002Bown/secret\u003D1""#, r#""[key]""#);
    }

    #[test]
    fn a_key_that_was_cut_is_hidden_too() {
        check("wn/secret=1 said the server", "[key] said the server");
        check("the server said our+own/se", "the server said [key]");
    }

    #[test]
    fn what_announces_a_key_gives_it_away() {
        for (raw, shown) in [
            (
                "Authorization: Basic dXNlcjpw/XNz+W9yZA==",
                "Authorization: Basic [key]",
            ),
            ("x-api-key: 0123456789abcdef0123", "x-api-key: [key]"),
            (
                r#"{"api_key":"0123456789abcdef0123"}"#,
                r#"{"api_key":"[key]"}"#,
            ),
            (
                "GET /v1?key=0123456789abcdef0123&a=b",
                "GET /v1?key=[key]&a=b",
            ),
            (
                "at http://user:pa@ss@host:1/v1 and https://host/a@b",
                "at http://[key]@host:1/v1 and https://host/a@b",
            ),
            (
                "Bearer authentication is missing",
                "Bearer authentication is missing",
            ),
            ("no key that works", "no key that works"),
        ] {
            check(raw, shown);
        }
    }

    #[test]
    fn it_is_bounded_and_cut_between_characters() {
        let long = format!("x{}", "é".repeat(MAX_RAW_BYTES));
        let shown = kept(long.as_bytes(), None).expect("something");
        assert!(shown.len() <= MAX_RAW_BYTES + 3, "{}", shown.len());
        assert!(shown.ends_with('…'));
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(kept(b" \r\n\0", None), None);
    }
}
