//! Opening the file: whether it is ours and of a version that is understood, then the schema.
//! A file that is refused is left as it was.

use std::{
    borrow::Cow,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, SqlSafeStr, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{SqliteStore, failure, writer::Writer};
use crate::store::StoreError;

/// The database's name in the data directory.
pub const DATABASE_FILE: &str = "troupe.db";

/// Every change of the schema, in order. One that was released is never edited: databases exist
/// that were made with it.
const MIGRATIONS: [(i64, &str, &str); 9] = [
    (
        1,
        "start",
        include_str!("../../../../migrations/0001_start.sql"),
    ),
    (
        2,
        "kinds",
        include_str!("../../../../migrations/0002_kinds.sql"),
    ),
    (
        3,
        "upkeep",
        include_str!("../../../../migrations/0003_upkeep.sql"),
    ),
    (
        4,
        "said",
        include_str!("../../../../migrations/0004_said.sql"),
    ),
    (
        5,
        "providers",
        include_str!("../../../../migrations/0005_providers.sql"),
    ),
    (
        6,
        "money",
        include_str!("../../../../migrations/0006_money.sql"),
    ),
    (
        7,
        "calls",
        include_str!("../../../../migrations/0007_calls.sql"),
    ),
    (
        8,
        "questions",
        include_str!("../../../../migrations/0008_questions.sql"),
    ),
    (
        9,
        "assumed_tokens",
        include_str!("../../../../migrations/0009_assumed_tokens.sql"),
    ),
];

/// `application_id` of our files.
const APPLICATION: i64 = 1_416_787_312;

/// The first SQLite that cannot lose a commit: before it, a checkpoint and a writer at the same
/// moment could damage the file (<https://sqlite.org/wal.html#walresetbug>).
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// Connections that read. Each has a thread and, when in use, a page cache of half a megabyte.
const READERS: u32 = 4;

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file; made when there is none.
    pub file: PathBuf,
    /// Whether a commit waits until the disk has it. Only tests do without.
    pub durable: bool,
    /// How long a write waits for another program that writes, in milliseconds. Short: the kernel
    /// waits meanwhile, and tries again by itself.
    pub busy_timeout_ms: u64,
}

impl SqliteOptions {
    /// This file, made to last.
    pub fn at(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            durable: true,
            busy_timeout_ms: 2_000,
        }
    }

    fn connect(&self) -> SqliteConnectOptions {
        let synchronous = if self.durable {
            SqliteSynchronous::Full
        } else {
            SqliteSynchronous::Off
        };
        SqliteConnectOptions::new()
            .filename(&self.file)
            .foreign_keys(true)
            .synchronous(synchronous)
            .busy_timeout(Duration::from_millis(self.busy_timeout_ms))
            .disable_statement_logging()
    }
}

impl SqliteStore {
    /// The database of a data directory; both are made when missing.
    pub async fn open(data: &Path) -> Result<Self, StoreError> {
        make_directory(data)?;
        Self::open_with(SqliteOptions::at(data.join(DATABASE_FILE))).await
    }

    /// The database of these options.
    pub async fn open_with(options: SqliteOptions) -> Result<Self, StoreError> {
        make_file(&options.file)?;
        let mut connection = options
            .connect()
            .thread_name(|_| "sqlite-writer".to_owned())
            // A new database can give back what becomes free; an older one learns it in `modernise`.
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            // The pages that a large batch touches must fit, or they are written twice.
            .pragma("cache_size", "-4096")
            // What a statement needs to undo itself stays out of the disk.
            .pragma("temp_store", "MEMORY")
            // Merged into the file every 16 MB: a page that many batches touch is then merged once.
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "33554432")
            // On a Mac, commits wait for the disk itself and not only for its cache.
            .pragma("fullfsync", "ON")
            .connect()
            .await
            .map_err(|error| cannot_open(&options.file, error))?;
        let epoch = prepare(&mut connection, &options.file).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            // With either limit sqlx counts idle connections in the background, and its count can wrap
            // below zero beside an acquire: the loop over it then never ends and takes a whole core.
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(
                options
                    .connect()
                    .thread_name(|at| format!("sqlite-reader-{at}"))
                    .pragma("query_only", "ON")
                    .pragma("cache_size", "-512"),
            );
        Ok(Self {
            writer: Mutex::new(Writer::new(
                connection,
                &options.file,
                options.busy_timeout_ms,
            )),
            file: options.file,
            readers,
            epoch,
            _scratch: None,
        })
    }

    /// The twin for tests: the same thing in a directory of its own that goes away with the store.
    /// It does not wait for the disk.
    pub async fn temporary() -> Result<Self, StoreError> {
        let directory = std::env::temp_dir().join(format!("troupe-{}", Uuid::now_v7()));
        make_directory(&directory)?;
        let scratch = Scratch(directory);
        let options = SqliteOptions {
            durable: false,
            ..SqliteOptions::at(scratch.0.join(DATABASE_FILE))
        };
        Ok(Self {
            _scratch: Some(scratch),
            ..Self::open_with(options).await?
        })
    }

    /// Ends every connection; the write-ahead log is merged into the file.
    pub async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await;
        Ok(self.writer.into_inner().close().await?)
    }
}

/// A directory that is removed in the end.
pub(super) struct Scratch(pub(super) PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, directory = %self.0.display(), "a temporary directory stays");
        }
    }
}

/// Only the owner may look inside: prompts, answers and files of agents are nobody else's.
fn make_directory(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| unusable(path, &error))
}

/// SQLite gives its other files the permissions of this one.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map(drop)
        .map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> StoreError {
    let reason = match error.kind() {
        ErrorKind::PermissionDenied => "this user may not write there".to_owned(),
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            "it, or a part of its path, is a file and no directory".to_owned()
        }
        ErrorKind::IsADirectory => "it is a directory".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => error.to_string(),
    };
    StoreError::CannotOpen(format!(
        "{} cannot be used: {reason}. Choose another data directory with --data or TROUPE_DATA",
        path.display()
    ))
}

fn cannot_open(file: &Path, error: sqlx::Error) -> StoreError {
    const READ_ONLY: i64 = 8;
    const CANNOT_OPEN: i64 = 14;
    const NOT_A_DATABASE: i64 = 26;
    let file = file.display();
    match failure::code(&error) {
        Some(READ_ONLY | CANNOT_OPEN) => StoreError::CannotOpen(format!(
            "{file} cannot be written: check who owns it and its directory, or choose another data directory"
        )),
        Some(NOT_A_DATABASE) => not_ours(&file),
        Some(_) | None => StoreError::from(error).while_doing(&format!("opening {file}")),
    }
}

fn not_ours(file: &impl std::fmt::Display) -> StoreError {
    StoreError::CannotOpen(format!(
        "{file} is not a database of Troupe: move it away, or choose another data directory"
    ))
}

/// Refuses what cannot be used, brings the schema up to date, and reads the epoch.
async fn prepare(connection: &mut SqliteConnection, file: &Path) -> Result<String, StoreError> {
    let failed = |error| cannot_open(file, error);
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !new_enough(&version) {
        return Err(StoreError::OldSqlite(version));
    }
    refuse_strangers(connection, file).await?;
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode = WAL")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if journal != "wal" {
        return Err(StoreError::CannotOpen(format!(
            "{} is on a file system that SQLite cannot share between connections (a network drive?): choose another data directory",
            file.display()
        )));
    }
    // Two programs may start at once: the second waits here, then finds everything done.
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    migrator().run(&mut *transaction).await.map_err(|error| {
        StoreError::Broken(format!("bringing {} up to date: {error}", file.display()))
    })?;
    let epoch = sqlx::query_scalar(
        "INSERT INTO meta (key, value) VALUES ('epoch', ?1)
         ON CONFLICT (key) DO UPDATE SET value = value RETURNING value",
    )
    .bind(Uuid::now_v7().to_string())
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(epoch)
}

/// Nothing is written before this has passed.
async fn refuse_strangers(
    connection: &mut SqliteConnection,
    file: &Path,
) -> Result<(), StoreError> {
    let failed = |error| cannot_open(file, error);
    let application: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if tables == 0 {
        return Ok(());
    }
    if application != APPLICATION {
        return Err(not_ours(&file.display()));
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let known = MIGRATIONS
        .iter()
        .map(|(version, _, _)| *version)
        .max()
        .unwrap_or(0);
    match found {
        Some(found) if found > known => Err(StoreError::Newer { found, known }),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn migrator() -> Migrator {
    Migrator::with_migrations(
        MIGRATIONS
            .into_iter()
            .map(|(version, name, sql)| {
                Migration::new(
                    version,
                    Cow::Borrowed(name),
                    MigrationType::Simple,
                    sql.into_sql_str(),
                    false,
                )
            })
            .collect(),
    )
}

/// Whether this SQLite can be trusted with the file.
fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let number: Option<Vec<u32>> = std::iter::from_fn(|| parts.next()).collect();
    number.is_some_and(|number| number.as_slice() >= OLDEST_SQLITE.as_slice())
}

#[cfg(test)]
mod tests {
    use super::new_enough;

    #[test]
    fn old_libraries_are_refused() {
        for version in ["3.51.3", "3.51.10", "3.54.1", "4.0.0"] {
            assert!(new_enough(version), "{version}");
        }
        for version in ["3.51.2", "3.50.9", "3.9.99", "2.99.99", "3.51", "", "new"] {
            assert!(!new_enough(version), "{version}");
        }
    }
}
