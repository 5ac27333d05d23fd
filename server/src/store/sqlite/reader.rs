//! One row, column by column. What stands in a file may be anything: nothing here panics, and what
//! cannot be read is an error that names its column.

use std::str::FromStr;

use domain::{money::MicroUsd, time::Timestamp};
use serde::de::DeserializeOwned;
use sqlx::{Decode, Row, Sqlite, Type, sqlite::SqliteRow};

use crate::store::StoreError;

/// A row, its columns read by their place.
pub(super) struct Columns<'r>(pub(super) &'r SqliteRow);

impl<'r> Columns<'r> {
    /// Any value that sqlx can read.
    pub(super) fn get<T>(&self, at: usize) -> Result<T, StoreError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.0.try_get(at).map_err(|error| unreadable(at, error))
    }

    /// A number that is never negative.
    pub(super) fn count(&self, at: usize) -> Result<u64, StoreError> {
        u64::try_from(self.get::<i64>(at)?).map_err(|error| unreadable(at, error))
    }

    /// A number that is never negative nor large.
    pub(super) fn small(&self, at: usize) -> Result<u32, StoreError> {
        u32::try_from(self.get::<i64>(at)?).map_err(|error| unreadable(at, error))
    }

    /// A number that may be missing.
    pub(super) fn maybe_count(&self, at: usize) -> Result<Option<u64>, StoreError> {
        self.get::<Option<i64>>(at)?
            .map(|number| u64::try_from(number).map_err(|error| unreadable(at, error)))
            .transpose()
    }

    /// An amount that may be unknown.
    pub(super) fn maybe_money(&self, at: usize) -> Result<Option<MicroUsd>, StoreError> {
        Ok(self.maybe_count(at)?.map(MicroUsd))
    }

    /// A moment.
    pub(super) fn moment(&self, at: usize) -> Result<Timestamp, StoreError> {
        self.get(at).map(Timestamp)
    }

    /// A moment that may be missing.
    pub(super) fn maybe_moment(&self, at: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get::<Option<i64>>(at)?.map(Timestamp))
    }

    /// An id, or whatever else is read from a text.
    pub(super) fn parsed<T>(&self, at: usize) -> Result<T, StoreError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.get::<&str>(at)?
            .parse()
            .map_err(|error| unreadable(at, error))
    }

    /// An id that may be missing.
    pub(super) fn maybe_parsed<T>(&self, at: usize) -> Result<Option<T>, StoreError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        self.get::<Option<&str>>(at)?
            .map(|raw| raw.parse().map_err(|error| unreadable(at, error)))
            .transpose()
    }

    /// JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, at: usize) -> Result<T, StoreError> {
        serde_json::from_str(self.get(at)?).map_err(|error| unreadable(at, error))
    }
}

/// A column that does not hold what it should.
pub(super) fn unreadable(at: usize, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Unreadable(format!("column {at}: {reason}"))
}
