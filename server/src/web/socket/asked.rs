//! What a client may ask of the stream: topics by pattern, and where to begin.

use std::str::FromStr;

use serde::Deserialize;

use crate::web::api_v1::{ask::maybe, list::Seq};

/// Most patterns that one socket listens to: each is tried on every topic.
const MAX_PATTERNS: usize = 64;

/// Longest pattern, in bytes; topics are shorter.
const MAX_PATTERN: usize = 128;

/// The parameters of `/ws/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamAsked {
    /// The last `seq` that the client has; without it the stream starts now.
    #[serde(default, deserialize_with = "maybe")]
    pub after: Option<Seq>,
    /// Patterns of topics, with commas between them; without it everything is sent.
    #[serde(default, deserialize_with = "maybe")]
    pub topics: Option<Topics>,
}

/// Patterns of topics, those of Redis.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics(Vec<String>);

/// Patterns that will not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTopics {
    /// There is nothing between two commas.
    #[error("a topic is empty")]
    Empty,
    /// It cannot fit any topic.
    #[error("a topic has 1 to {MAX_PATTERN} printable ASCII characters")]
    Unprintable,
    /// Too many.
    #[error("at most {MAX_PATTERNS} topics at once")]
    TooMany,
}

impl Topics {
    /// Everything there is.
    pub fn all() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// Checks patterns, and leaves out those that are there twice.
    pub fn new<T: AsRef<str>>(raw: impl IntoIterator<Item = T>) -> Result<Self, BadTopics> {
        let mut topics = Self::default();
        for pattern in raw {
            let pattern = pattern.as_ref().trim();
            if pattern.is_empty() {
                return Err(BadTopics::Empty);
            }
            if pattern.len() > MAX_PATTERN || !pattern.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(BadTopics::Unprintable);
            }
            topics.push(pattern)?;
        }
        Ok(topics)
    }

    /// These and those.
    pub fn with(&self, more: &Topics) -> Result<Self, BadTopics> {
        let mut all = self.clone();
        for pattern in &more.0 {
            all.push(pattern)?;
        }
        Ok(all)
    }

    /// These without those.
    pub fn without(&self, less: &Topics) -> Self {
        Self(
            self.0
                .iter()
                .filter(|pattern| !less.0.contains(pattern))
                .cloned()
                .collect(),
        )
    }

    /// The patterns.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    fn push(&mut self, pattern: &str) -> Result<(), BadTopics> {
        if self.0.iter().any(|known| known == pattern) {
            return Ok(());
        }
        if self.0.len() == MAX_PATTERNS {
            return Err(BadTopics::TooMany);
        }
        self.0.push(pattern.to_owned());
        Ok(())
    }
}

impl FromStr for Topics {
    type Err = BadTopics;

    fn from_str(raw: &str) -> Result<Self, BadTopics> {
        Self::new(raw.split(','))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_once_each() {
        let topics: Topics = "workflow.*, agent.*,workflow.*".parse().expect("topics");
        assert_eq!(topics.patterns(), ["workflow.*", "agent.*"]);
        let less = topics.without(&Topics::new(["agent.*", "other"]).expect("topics"));
        assert_eq!(less.patterns(), ["workflow.*"]);
    }

    #[test]
    fn what_is_no_topic_is_refused() {
        assert_eq!("a,,b".parse::<Topics>(), Err(BadTopics::Empty));
        assert_eq!("a b".parse::<Topics>(), Err(BadTopics::Unprintable));
        assert_eq!("ä".parse::<Topics>(), Err(BadTopics::Unprintable));
        assert_eq!(
            "x".repeat(129).parse::<Topics>(),
            Err(BadTopics::Unprintable)
        );
        let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
        assert_eq!(Topics::new(&many), Err(BadTopics::TooMany));
    }
}
