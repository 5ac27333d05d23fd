//! A provider's key. It can be sent and it can be searched for; it cannot be printed or serialised.

use std::{fmt, sync::Arc};

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
        if self.0.is_empty() {
            text.to_owned()
        } else {
            text.replace(&*self.0, "[key]")
        }
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
