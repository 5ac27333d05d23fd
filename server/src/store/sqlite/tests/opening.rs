//! What is opened, what is refused, and that a refusal says why.

use std::path::Path;

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::*;
use crate::store::{StoreError, sqlite::DATABASE_FILE};

async fn connect(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .connect()
        .await
        .expect("another program opens the file")
}

async fn refusal(data: &Path) -> String {
    match SqliteStore::open(data).await {
        Ok(_) => panic!("{} was opened", data.display()),
        Err(error) => error
            .to_string()
            .replace(&data.display().to_string(), "DATA"),
    }
}

#[tokio::test]
async fn a_store_outlives_its_server() {
    let data = tempfile::tempdir().expect("a directory");
    let data = data.path().join("not/there/yet");
    let first = SqliteStore::open(&data)
        .await
        .expect("directories are made");
    let mut log = Log::default();
    first
        .append(&events(vec![log.started("1")]))
        .await
        .expect("it fits");
    let epoch = first.epoch().await.expect("it has one");
    // As after `kill -9`: the second opens while the first was never closed.
    let second = SqliteStore::open(&data).await.expect("it opens again");
    assert_eq!(second.head().await.expect("readable"), 1);
    assert_eq!(second.epoch().await.expect("it has one"), epoch);
    second
        .append(&events(vec![log.started("2")]))
        .await
        .expect("it goes on");
    second.close().await.expect("closed");
    first.close().await.expect("closed");
    assert!(
        !data.join("troupe.db-wal").exists(),
        "the log was merged into the file"
    );
    let other = SqliteStore::temporary().await.expect("another database");
    assert_ne!(other.epoch().await.expect("it has one"), epoch);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_look_inside() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().expect("a directory");
    let data = data.path().join("data");
    let store = SqliteStore::open(&data).await.expect("it opens");
    let mut log = Log::default();
    store
        .append(&events(vec![log.started("1")]))
        .await
        .expect("it fits");
    let mode = |path: &Path| {
        std::fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("troupe.db")), 0o600);
    assert_eq!(mode(&data.join("troupe.db-wal")), 0o600);
}

#[tokio::test]
async fn the_connections_are_set_up_to_keep_promises() {
    let data = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(data.path()).await.expect("it opens");
    let mut writer = store.writer.lock().await;
    let mut found = Vec::new();
    for pragma in [
        "PRAGMA journal_mode",
        "PRAGMA synchronous",
        "PRAGMA foreign_keys",
        "PRAGMA busy_timeout",
    ] {
        let row = sqlx::query(pragma)
            .fetch_one(writer.connection())
            .await
            .expect("a pragma");
        found.push(sqlx::Row::try_get_unchecked::<String, _>(&row, 0).expect("readable"));
    }
    assert_eq!(found, ["wal", "2", "1", "2000"]);
    let refused = sqlx::query("DELETE FROM meta")
        .execute(&store.readers)
        .await;
    assert!(refused.is_err(), "readers cannot write");
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let data = tempfile::tempdir().expect("a directory");
    SqliteStore::open(data.path())
        .await
        .expect("it opens")
        .close()
        .await
        .expect("closed");
    let mut other = connect(&data.path().join(DATABASE_FILE)).await;
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (99, 'later', 'now', true, x'00', 1)")
        .execute(&mut other)
        .await
        .expect("a newer version was here");
    other.close().await.expect("closed");
    let refused = SqliteStore::open(data.path()).await.err();
    assert!(
        matches!(refused, Some(StoreError::Newer { found: 99, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn files_of_others_are_refused_and_left_alone() {
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join(DATABASE_FILE);
    let mut other = connect(&file).await;
    sqlx::query("CREATE TABLE bookmarks (url TEXT)")
        .execute(&mut other)
        .await
        .expect("it is theirs");
    other.close().await.expect("closed");
    let before = std::fs::read(&file).expect("readable");
    let not_ours = "DATA/troupe.db is not a database of Troupe: move it away, or choose another data directory";
    assert_eq!(refusal(data.path()).await, not_ours);
    assert_eq!(std::fs::read(&file).expect("readable"), before);

    std::fs::write(&file, "Dear diary, today it snowed again. ".repeat(200)).expect("writable");
    assert_eq!(refusal(data.path()).await, not_ours);
    assert!(
        std::fs::read_to_string(&file)
            .expect("readable")
            .starts_with("Dear diary")
    );
}

#[tokio::test]
async fn places_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("file");
    std::fs::write(&data, "").expect("writable");
    let advice = "Choose another data directory with --data or TROUPE_DATA";
    assert_eq!(
        refusal(&data).await,
        format!(
            "DATA cannot be used: it, or a part of its path, is a file and no directory. {advice}"
        )
    );
    assert_eq!(
        refusal(&data.join("below")).await,
        format!(
            "DATA cannot be used: it, or a part of its path, is a file and no directory. {advice}"
        )
    );
    let data = directory.path().join("taken");
    std::fs::create_dir_all(data.join(DATABASE_FILE)).expect("writable");
    assert_eq!(
        refusal(&data).await,
        format!("DATA/troupe.db cannot be used: it is a directory. {advice}")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_place_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o500))
        .expect("it is ours");
    if std::fs::write(directory.path().join("probe"), "").is_ok() {
        return; // The administrator may write anywhere.
    }
    assert_eq!(
        refusal(&directory.path().join("data")).await,
        "DATA cannot be used: this user may not write there. Choose another data directory with --data or TROUPE_DATA"
    );
}

#[tokio::test]
async fn two_programs_may_make_the_database_at_once() {
    let data = tempfile::tempdir().expect("a directory");
    let (one, two, three) = tokio::join!(
        SqliteStore::open(data.path()),
        SqliteStore::open(data.path()),
        SqliteStore::open(data.path())
    );
    let epoch = one.expect("it opens").epoch;
    assert_eq!(two.expect("it opens").epoch, epoch);
    assert_eq!(three.expect("it opens").epoch, epoch);
}

#[tokio::test]
async fn a_temporary_store_leaves_no_files() {
    let store = SqliteStore::temporary().await.expect("it opens");
    let directory = store._scratch.as_ref().expect("it is temporary").0.clone();
    assert!(directory.join(DATABASE_FILE).exists());
    drop(store);
    assert!(!directory.exists());
}
