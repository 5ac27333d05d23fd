//! Parts of lists: how long they are, and where the next begins. A cursor names the last row that
//! was shown, so rows that come or go meanwhile neither repeat nor hide others.

use uuid::Uuid;

use crate::store::StoreError;

/// Rows of a part, as asked for: 1 to 1,000, 100 when nobody says.
pub(super) fn size(limit: Option<u32>) -> usize {
    limit.unwrap_or(100).clamp(1, 1_000) as usize
}

/// A place in a list that is ordered by moment and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) at: i64,
    pub(super) id: String,
}

impl Cursor {
    /// Reads what `text` wrote.
    pub(super) fn parse(raw: &str) -> Result<Self, StoreError> {
        let bad = || {
            let shown: String = raw.chars().take(80).collect();
            StoreError::BadQuery(format!(
                "`{shown}` is no cursor: pass on `next` of the part before, unchanged."
            ))
        };
        let (at, id) = raw.split_once('.').ok_or_else(bad)?;
        let at = at.parse().map_err(|_| bad())?;
        let id = Uuid::parse_str(id).map_err(|_| bad())?;
        Ok(Self {
            at,
            id: id.to_string(),
        })
    }

    /// The opaque form.
    pub(super) fn text(at: i64, id: impl std::fmt::Display) -> String {
        format!("{at}.{id}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip() {
        let id = Uuid::from_u128(7);
        let cursor = Cursor::parse(&Cursor::text(-5, id)).expect("it was written here");
        assert_eq!(
            cursor,
            Cursor {
                at: -5,
                id: id.to_string()
            }
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for raw in [
            "",
            ".",
            "5",
            "x.00000000-0000-0000-0000-000000000007",
            "5.7",
            "5.'; DROP TABLE runs",
        ] {
            assert!(
                matches!(Cursor::parse(raw), Err(StoreError::BadQuery(_))),
                "{raw}"
            );
        }
    }
}
