//! Copies of the whole file, and whether it is sound. `removal` takes away what is old, `rules` says what
//! that is, `space` measures.

pub(super) mod removal;
pub(super) mod rules;
pub(super) mod space;

use std::{fs, io::ErrorKind, path::Path};

use sqlx::{ConnectOptions, Connection, Row, SqlitePool, sqlite::SqliteConnectOptions};

use crate::store::StoreError;

/// Writes everything as it is at one moment into a new file. Reads only: nobody waits for it.
pub(super) async fn backup(readers: &SqlitePool, file: &Path) -> Result<(), StoreError> {
    let refused = |reason: &str| {
        StoreError::CannotOpen(format!("{} cannot take a backup: {reason}", file.display()))
    };
    let name = file
        .to_str()
        .ok_or_else(|| refused("its name is no UTF-8 text"))?;
    make(file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => refused("it is there already, and nothing is overwritten"),
        _ => refused(&error.to_string()),
    })?;
    let written = match copy(readers, name).await {
        Ok(()) => sync(file).map_err(|error| refused(&error.to_string())),
        Err(error) => Err(error),
    };
    if written.is_err() {
        // Half a copy is worse than none; that it cannot be removed changes nothing about the error.
        let _half = fs::remove_file(file);
    }
    written
}

/// Readers may not write, not even into another file: this one may, for as long as it copies.
async fn copy(readers: &SqlitePool, file: &str) -> Result<(), StoreError> {
    let mut connection = readers.acquire().await?.detach();
    sqlx::query("PRAGMA query_only = OFF")
        .execute(&mut connection)
        .await?;
    let copied = sqlx::query("VACUUM INTO ?1")
        .bind(file)
        .execute(&mut connection)
        .await;
    connection.close().await?;
    copied.map_err(|error| StoreError::from(error).while_doing("writing the backup"))?;
    unname(file)
        .await
        .map_err(|error| error.while_doing("writing the backup"))
}

/// Takes the name from a copy: whoever opens it gives it one of its own. So browsers and programs that
/// followed the database notice that another one stands in its place, whose numbers mean other events.
async fn unname(file: &str) -> Result<(), StoreError> {
    let mut copy = SqliteConnectOptions::new()
        .filename(file)
        .disable_statement_logging()
        .connect()
        .await?;
    let unnamed = sqlx::query("DELETE FROM meta WHERE key = 'epoch'")
        .execute(&mut copy)
        .await;
    copy.close().await?;
    unnamed?;
    Ok(())
}

/// An empty file for this user alone: SQLite fills it.
fn make(file: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// On the disk, before anybody is told that it is there.
fn sync(file: &Path) -> std::io::Result<()> {
    fs::File::open(file)?.sync_all()
}

/// What SQLite finds when it reads the whole file: at most 100 lines of each kind.
pub(super) async fn damage(readers: &SqlitePool) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(100)")
        .fetch_all(readers)
        .await?;
    found.retain(|line| line != "ok");
    let dangling = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(readers)
        .await?;
    for row in dangling.iter().take(100) {
        let table: String = row.try_get(0)?;
        let parent: String = row.try_get(2)?;
        found.push(format!("a row of {table} points to nothing in {parent}"));
    }
    Ok(found)
}
