//! Verbs about the database itself.

use app::{
    api::dto::Storage,
    error::{ApiError, ErrorKind},
};
use domain::retention::Retention;

use super::{Product, broken, sentence};

impl Product {
    pub(super) async fn read_storage(&self) -> Result<Storage, ApiError> {
        let state = self.upkeep.state().await;
        let sizes = self.upkeep.sizes().await.map_err(broken)?;
        let (measured_at, space) = state.measured.unzip();
        let space = space.unwrap_or_default();
        Ok(Storage {
            file_bytes: sizes.file,
            used_bytes: sizes.used(),
            free_bytes: sizes.free,
            wal_bytes: sizes.wal,
            gives_back: sizes.gives_back,
            workflows: space.workflows,
            tables: space.tables,
            measured_at,
            retention: self.upkeep.retention().await.map_err(broken)?,
            cleaning: state.cleaning,
            last: state.last,
        })
    }

    pub(super) async fn change_retention(&self, rules: Retention) -> Result<(), ApiError> {
        rules.check().map_err(|bad| {
            ApiError::new(
                ErrorKind::Invalid,
                "bad_retention",
                sentence(&bad.to_string()),
            )
        })?;
        self.upkeep.set_retention(&rules).await.map_err(broken)
    }
}
