//! A provider's key. It can be sent and it can be searched for; it cannot be printed or serialised.

use std::{fmt, sync::Arc};

/// What stands in the place of a secret.
const HIDDEN: &str = "[key]";
/// A shorter part of a secret is any word.
const MIN_PART_BYTES: usize = 6;

/// A shorter key is a word that a server without keys was given.
const MIN_SECRET_BYTES: usize = 12;

/// A secret that opens a provider's door.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Arc<str>);

impl ApiKey {
    /// The key in `raw`, without the blanks and line ends that copying leaves around it.
    pub fn new(raw: &str) -> Self {
        Self(raw.trim().into())
    }

    /// The secret itself, for the header that carries it.
    pub(in crate::llm) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the secret: some servers repeat a bad key in their complaint.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for spelling in self.spellings() {
            if clean.contains(&spelling) {
                clean = clean.replace(&spelling, HIDDEN);
            }
        }
        clean
    }

    /// The same for a text that was cut out of a longer one: its ends may hold a part of the secret.
    pub(super) fn redact_cut(&self, text: &str) -> String {
        let mut clean = self.redact(text);
        let inner = |key: &str| {
            let places = key.char_indices().map(|(at, _)| at).skip(1);
            places.collect::<Vec<_>>()
        };
        let places = inner(&self.0);
        let head = places
            .iter()
            .map(|at| &self.0[*at..])
            .filter(|part| part.len() >= MIN_PART_BYTES)
            .find(|part| clean.starts_with(part));
        if let Some(part) = head {
            clean.replace_range(..part.len(), HIDDEN);
        }
        let tail = places
            .iter()
            .rev()
            .map(|at| &self.0[..*at])
            .filter(|part| part.len() >= MIN_PART_BYTES)
            .find(|part| clean.ends_with(part));
        if let Some(part) = tail {
            clean.truncate(clean.len() - part.len());
            clean.push_str(HIDDEN);
        }
        clean
    }

    /// Takes the secret out of an answer. A short one is what people type in for a server that wants
    /// any: it is a word, and may be said.
    pub(super) fn hide_in(&self, text: &mut String) {
        if self.0.len() >= MIN_SECRET_BYTES && text.contains(&*self.0) {
            *text = text.replace(&*self.0, HIDDEN);
        }
    }

    /// The secret as JSON, as a part of an address, and as it is.
    fn spellings(&self) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let plain = self.0.to_string();
        if plain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            return vec![plain];
        }
        let in_address: String = url::form_urlencoded::byte_serialize(plain.as_bytes()).collect();
        let in_json = serde_json::to_string(&plain).unwrap_or_default();
        let in_json = in_json.trim_matches('"').to_owned();
        // Some writers of JSON spell out whatever could mean something in HTML.
        let spelt = |small: bool| -> String {
            let letter = |letter: char| match letter {
                '+' | '<' | '>' | '&' | '\'' | '=' if small => {
                    format!("\\u{:04x}", u32::from(letter))
                }
                '+' | '<' | '>' | '&' | '\'' | '=' => format!("\\u{:04X}", u32::from(letter)),
                other => other.to_string(),
            };
            plain.chars().map(letter).collect()
        };
        vec![
            in_json.replace('/', "\\/"),
            in_json,
            spelt(true),
            spelt(false),
            in_address,
            plain,
        ]
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new(" sk-or-v1-0123 \n");
        assert_eq!(format!("{key:?}"), "ApiKey(hidden)");
        assert_eq!(
            key.redact("no such key: sk-or-v1-0123."),
            "no such key: [key]."
        );
        assert_eq!(key.expose(), "sk-or-v1-0123");
    }

    #[test]
    fn an_empty_key_hides_nothing() {
        assert_eq!(ApiKey::new(" \t").redact("text"), "text");
    }
}
