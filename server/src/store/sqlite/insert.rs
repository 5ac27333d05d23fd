//! Many rows in few statements. Binding a value costs a fraction of what a statement costs, and
//! statements of 128, 16 and 1 rows, prepared once, serve every number of rows.

use std::sync::{Arc, OnceLock};

use sqlx::{AssertSqlSafe, SqliteConnection, error::BoxDynError, sqlite::SqliteArguments};

use crate::store::StoreError;

/// Rows per statement, largest first.
const SIZES: [usize; 3] = [128, 16, 1];

/// How rows of one table are written.
pub(super) struct Insert {
    /// For messages: what is stored.
    what: &'static str,
    /// `INSERT OR ROLLBACK INTO table (columns)`: a row that does not fit undoes the whole
    /// transaction, which is what happens to it anyway. Else SQLite would keep a journal for each
    /// statement, a third of the work.
    head: &'static str,
    /// Number of columns.
    columns: usize,
    /// What to do with a row that is there already; may be empty.
    tail: &'static str,
    statements: [OnceLock<Arc<str>>; 3],
}

impl Insert {
    pub(super) const fn new(
        what: &'static str,
        head: &'static str,
        columns: usize,
        tail: &'static str,
    ) -> Self {
        Self {
            what,
            head,
            columns,
            tail,
            statements: [const { OnceLock::new() }; 3],
        }
    }

    /// Writes the rows; `bind` adds the columns of one row in their order.
    pub(super) async fn rows<R>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &[R],
        bind: impl Fn(&R, &mut SqliteArguments) -> Result<(), BoxDynError>,
    ) -> Result<(), StoreError> {
        for (size, statement) in SIZES.iter().zip(&self.statements) {
            while rows.len() >= *size {
                let (now, later) = rows.split_at(*size);
                rows = later;
                let mut arguments = SqliteArguments::default();
                for row in now {
                    bind(row, &mut arguments)
                        .map_err(|error| StoreError::Broken(format!("{}: {error}", self.what)))?;
                }
                let sql = statement.get_or_init(|| self.statement(*size)).clone();
                sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .execute(&mut *connection)
                    .await
                    .map_err(|error| StoreError::from(error).while_doing(self.what))?;
            }
        }
        Ok(())
    }

    fn statement(&self, rows: usize) -> Arc<str> {
        let row = format!("({})", vec!["?"; self.columns].join(", "));
        format!(
            "{} VALUES {} {}",
            self.head,
            vec![row.as_str(); rows].join(", "),
            self.tail
        )
        .into()
    }
}

/// An unsigned number as SQLite stores it; what does not fit becomes the largest that does.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
