//! How lists look, and how a part of one is asked for.

use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

/// A part of a list, and where the next part begins.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items<T> {
    /// The part.
    pub items: Vec<T>,
    /// Ask for the next part with this; null at the end of the list.
    pub next: Option<String>,
}

impl<T> Items<T> {
    /// A part, made of what the backend brought.
    pub fn part<U>(page: app::api::dto::Page<U>, show: impl Fn(U) -> T) -> Self {
        Self {
            items: page.items.into_iter().map(show).collect(),
            next: page.next,
        }
    }

    /// A list that fits in one part.
    pub fn whole(items: impl IntoIterator<Item = T>) -> Self {
        Self {
            items: items.into_iter().collect(),
            next: None,
        }
    }
}

/// How many at most: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub u32);

impl Limit {
    /// What a missing limit means.
    pub const DEFAULT: Self = Self(100);
    /// The most that may be asked for.
    pub const MOST: u32 = 1_000;
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        match raw.parse() {
            Ok(limit) if (1..=Self::MOST).contains(&limit) => Ok(Self(limit)),
            Ok(_) | Err(_) => Err(format!("write a whole number from 1 to {}", Self::MOST)),
        }
    }
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seq(pub u64);

impl FromStr for Seq {
    type Err = &'static str;

    fn from_str(raw: &str) -> Result<Self, &'static str> {
        // Databases count in signed numbers.
        match raw.parse() {
            Ok(seq) if i64::try_from(seq).is_ok() => Ok(Self(seq)),
            Ok(_) | Err(_) => Err("write the number of an event, or 0"),
        }
    }
}
