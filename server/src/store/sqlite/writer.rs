//! The one connection that writes, and the life of its transactions.
//!
//! Transactions are begun and ended in SQL, not through sqlx: when a disk is full SQLite may roll
//! back by itself, and sqlx would then count a transaction as open for ever and refuse every other.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use sqlx::SqliteConnection;

use super::events;
use crate::store::{StoreError, upkeep::Checkpoint};

/// A write-ahead log larger than this is emptied before anything else is written. By itself it begins
/// anew at 16 MB, but only in a moment when no reader is looking at it, and such a moment may not come.
pub(super) const WAL_LIMIT: u64 = 40 << 20;

/// How much it may grow until that is tried again, where a reader did not let go.
const WAL_STEP: u64 = 4 << 20;

/// How long writers wait for readers to let go of the log, in milliseconds.
const WAL_PATIENCE_MS: u64 = 100;

/// The connection that writes.
pub(super) struct Writer {
    connection: SqliteConnection,
    /// A transaction may be open: one that failed, or whose caller went away in the middle.
    unsettled: bool,
    /// `seq` of the newest event, while it is certain.
    head: Option<u64>,
    file: PathBuf,
    busy_timeout_ms: u64,
    /// How large the write-ahead log may become.
    wal_most: u64,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, file: &Path, busy_timeout_ms: u64) -> Self {
        Self {
            connection,
            unsettled: false,
            head: None,
            file: file.to_owned(),
            busy_timeout_ms,
            wal_most: WAL_LIMIT,
        }
    }

    /// Begins a transaction that may write at once. What the caller did not finish is undone first.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        if self.unsettled {
            self.undo().await;
        }
        self.unsettled = true;
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// The connection, for what is written inside the transaction.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Ends the transaction: makes it durable after `Ok`, undoes it after `Err`.
    pub(super) async fn finish<T>(
        &mut self,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = match result {
            Ok(done) => match sqlx::query("COMMIT").execute(&mut self.connection).await {
                Ok(_) => {
                    self.unsettled = false;
                    self.bound_log().await;
                    return Ok(done);
                }
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        };
        self.undo().await;
        result
    }

    /// `seq` of the newest event, read inside the open transaction.
    pub(super) async fn head(&mut self) -> Result<u64, StoreError> {
        if let Some(head) = self.head {
            return Ok(head);
        }
        events::head(&mut self.connection).await
    }

    /// Remembers the head; `None` where a failure left it uncertain.
    pub(super) fn remember_head(&mut self, head: Option<u64>) {
        self.head = head;
    }

    /// The connection outside of any transaction.
    pub(super) async fn idle(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        if self.unsettled {
            self.undo().await;
        }
        Ok(&mut self.connection)
    }

    /// Moves the write-ahead log into the file.
    pub(super) async fn checkpoint(&mut self, how: Checkpoint) -> Result<(), StoreError> {
        let connection = self.idle().await?;
        match how {
            Checkpoint::Passive => {
                sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
                    .fetch_all(connection)
                    .await?;
                Ok(())
            }
            Checkpoint::Truncate => self.truncate().await,
        }
    }

    /// Empties the log, if readers let go of it soon enough.
    async fn truncate(&mut self) -> Result<(), StoreError> {
        self.set_patience(WAL_PATIENCE_MS).await?;
        let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_all(&mut self.connection)
            .await;
        self.set_patience(self.busy_timeout_ms).await?;
        emptied?;
        Ok(())
    }

    async fn set_patience(&mut self, ms: u64) -> Result<(), StoreError> {
        // A number, not a text of anybody: a pragma takes no bound value.
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {ms}")))
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Keeps the log below its limit. What was committed stays committed, whatever comes of this.
    async fn bound_log(&mut self) {
        if wal_bytes(&self.file) < self.wal_most {
            return;
        }
        if let Err(error) = self.truncate().await {
            tracing::warn!(%error, "the write-ahead log cannot be emptied; it is tried again");
        }
        let left = wal_bytes(&self.file);
        self.wal_most = WAL_LIMIT.max(left.saturating_add(WAL_STEP));
        if left >= WAL_LIMIT {
            tracing::info!(
                bytes = left,
                "somebody reads for long: the write-ahead log grows"
            );
        }
    }

    async fn undo(&mut self) {
        // It fails when SQLite has rolled back already. That cannot be told from other failures,
        // so `unsettled` stays and the next `begin` tries once more.
        if sqlx::query("ROLLBACK")
            .execute(&mut self.connection)
            .await
            .is_ok()
        {
            self.unsettled = false;
        }
    }

    /// Ends the connection.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        sqlx::Connection::close(self.connection).await
    }
}

/// The size of the write-ahead log beside a database.
pub(super) fn wal_bytes(file: &Path) -> u64 {
    wal(file).map_or(0, |about| about.len())
}

/// The write-ahead log beside a database, where there is one.
pub(super) fn wal(file: &Path) -> Option<fs::Metadata> {
    let mut name = OsString::from(file);
    name.push("-wal");
    fs::metadata(name).ok()
}
