//! What an error of SQLite means: try again, or do not.

use sqlx::Error;

use crate::store::StoreError;

// Primary result codes of SQLite that can pass by themselves: <https://sqlite.org/rescode.html>.
const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const NO_MEMORY: i64 = 7;
const IO_ERROR: i64 = 10;
const FULL: i64 = 13;
const CANNOT_OPEN: i64 = 14;
const PROTOCOL: i64 = 15;

/// The primary result code, if the database itself said what is wrong.
pub(super) fn code(error: &Error) -> Option<i64> {
    let extended: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let text = match error.as_database_error() {
            Some(said) => said.message().to_owned(),
            None => error.to_string(),
        };
        match (code(&error), &error) {
            (Some(BUSY | LOCKED | NO_MEMORY | IO_ERROR | FULL | CANNOT_OPEN | PROTOCOL), _)
            | (None, Error::PoolTimedOut | Error::Io(_)) => StoreError::Busy(text),
            (None, Error::ColumnDecode { .. } | Error::Decode(_)) => StoreError::Unreadable(text),
            _ => StoreError::Broken(text),
        }
    }
}

impl StoreError {
    /// The same, saying what was being done.
    pub(super) fn while_doing(self, what: &str) -> Self {
        match self {
            StoreError::Busy(text) => StoreError::Busy(format!("{what}: {text}")),
            StoreError::Broken(text) => StoreError::Broken(format!("{what}: {text}")),
            StoreError::Unreadable(text) => StoreError::Unreadable(format!("{what}: {text}")),
            StoreError::BadQuery(_)
            | StoreError::CannotOpen(_)
            | StoreError::Newer { .. }
            | StoreError::OldSqlite(_) => self,
        }
    }
}
