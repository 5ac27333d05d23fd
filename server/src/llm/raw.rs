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
    let text = String::from_utf8_lossy(bytes);
    let text = match key {
        Some(key) => key.redact(&text),
        None => text.into_owned(),
    };
    let mut shown = without_keys(&text);
    shown.retain(|letter| matches!(letter, '\n' | '\t') || !letter.is_control());
    if shown.len() > MAX_RAW_BYTES {
        let end = (0..=MAX_RAW_BYTES)
            .rev()
            .find(|at| shown.is_char_boundary(*at));
        shown.truncate(end.unwrap_or(0));
        shown.push('…');
    }
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

/// `text` without words that look like a key, also one that is not ours, and without what follows
/// `Bearer`.
fn without_keys(text: &str) -> String {
    let part_of_key =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut behind_bearer = false;
    while !rest.is_empty() {
        let end = rest
            .find(|letter| !part_of_key(letter))
            .unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let looks_like = word.len() >= MIN_KEY_CHARS
            && (behind_bearer || KEY_STARTS.iter().any(|start| word.starts_with(start)));
        clean.push_str(if looks_like { HIDDEN } else { word });
        if !word.is_empty() {
            behind_bearer = word.eq_ignore_ascii_case("bearer");
        }
        let between = behind.find(part_of_key).unwrap_or(behind.len());
        clean.push_str(&behind[..between]);
        rest = &behind[between..];
    }
    clean
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
