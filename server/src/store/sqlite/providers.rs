//! Providers that people set up. Their keys come sealed and go sealed: nothing here can open one.

use sqlx::SqlitePool;
use tokio::sync::Mutex;

use super::{reader::Columns, writer::Writer};
use crate::store::{StoreError, StoredProvider};

/// All that there are, by name.
pub(super) async fn list(readers: &SqlitePool) -> Result<Vec<StoredProvider>, StoreError> {
    let rows = sqlx::query(
        "SELECT name, kind, base_url, default_model, private_ok, version, sealed_key
         FROM providers ORDER BY name",
    )
    .fetch_all(readers)
    .await?;
    let provider = |row| {
        let row = Columns(row);
        Ok(StoredProvider {
            name: row.get(0)?,
            kind: row.get(1)?,
            base_url: row.get(2)?,
            default_model: row.get(3)?,
            private_ok: row.get(4)?,
            version: row.count(5)?,
            sealed_key: row.get(6)?,
        })
    };
    rows.iter().map(provider).collect()
}

/// Stores one, in the place of an earlier one of that name.
pub(super) async fn save(
    writer: &Mutex<Writer>,
    provider: &StoredProvider,
    at: i64,
) -> Result<(), StoreError> {
    let version = i64::try_from(provider.version).unwrap_or(i64::MAX);
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let saved = sqlx::query(
        "INSERT INTO providers
             (name, kind, base_url, default_model, private_ok, version, sealed_key, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (name) DO UPDATE SET kind = ?2, base_url = ?3, default_model = ?4,
             private_ok = ?5, version = ?6, sealed_key = ?7, updated_at = ?8",
    )
    .bind(&provider.name)
    .bind(&provider.kind)
    .bind(&provider.base_url)
    .bind(&provider.default_model)
    .bind(provider.private_ok)
    .bind(version)
    .bind(&provider.sealed_key)
    .bind(at)
    .execute(writer.connection())
    .await;
    let result = saved.map(|_| ()).map_err(StoreError::from);
    writer.finish(result).await
}

/// Removes one.
pub(super) async fn remove(writer: &Mutex<Writer>, name: &str) -> Result<(), StoreError> {
    let mut writer = writer.lock().await;
    writer.begin().await?;
    let removed = sqlx::query("DELETE FROM providers WHERE name = ?1")
        .bind(name)
        .execute(writer.connection())
        .await;
    let result = removed.map(|_| ()).map_err(StoreError::from);
    writer.finish(result).await
}
