//! The one connection that writes, and the life of its transactions.
//!
//! Transactions are begun and ended in SQL, not through sqlx: when a disk is full SQLite may roll
//! back by itself, and sqlx would then count a transaction as open for ever and refuse every other.

use sqlx::SqliteConnection;

use crate::store::StoreError;

/// The connection that writes.
pub(super) struct Writer {
    connection: SqliteConnection,
    /// A transaction may be open: one that failed, or whose caller went away in the middle.
    unsettled: bool,
    /// `seq` of the newest event, while it is certain.
    head: Option<u64>,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection,
            unsettled: false,
            head: None,
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
        let head: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM events")
            .fetch_one(&mut self.connection)
            .await?;
        Ok(head.and_then(|head| u64::try_from(head).ok()).unwrap_or(0))
    }

    /// Remembers the head; `None` where a failure left it uncertain.
    pub(super) fn remember_head(&mut self, head: Option<u64>) {
        self.head = head;
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
