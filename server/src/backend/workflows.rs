//! Verbs about workflows.

use app::{
    api::dto::{Actor, Saved, WorkflowDetail},
    error::{ApiError, ErrorKind},
};
use domain::{
    graph::{Drawing, MAX_NODES, layout::place_missing, problems::problems},
    id::WorkflowId,
};
use serde_json::json;
use uuid::Uuid;

use super::{Product, broken};
use crate::store::{SaveResult, StoredWorkflow};

/// Longest name, in characters.
const MAX_NAME: usize = 200;

impl Product {
    pub(super) async fn read_workflow(
        &self,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<WorkflowDetail, ApiError> {
        let stored = self.stored(id, version).await?;
        Ok(WorkflowDetail {
            id,
            version: stored.version,
            newest: stored.newest,
            updated_at: stored.saved_at,
            updated_by: stored.saved_by,
            drawing: stored.drawing,
        })
    }

    pub(super) async fn stored(
        &self,
        id: WorkflowId,
        version: Option<u32>,
    ) -> Result<StoredWorkflow, ApiError> {
        let stored = self.store.workflow(id, version).await.map_err(broken)?;
        // A named version stays readable: runs show what they executed.
        stored
            .filter(|stored| !stored.deleted || version.is_some())
            .ok_or_else(|| ApiError::not_found("workflow"))
    }

    pub(super) async fn store_workflow(
        &self,
        actor: &Actor,
        mut drawing: Drawing,
    ) -> Result<Saved, ApiError> {
        storable(&drawing)?;
        if drawing.name.trim().is_empty() {
            drawing.name = "Untitled workflow".to_owned();
        }
        place_missing(&mut drawing);
        let id = WorkflowId(Uuid::now_v7());
        self.store
            .create_workflow(id, &drawing, &actor.name, self.clock.now())
            .await
            .map_err(broken)?;
        Ok(Saved {
            id,
            version: 1,
            problems: problems(&drawing),
        })
    }

    pub(super) async fn store_version(
        &self,
        actor: &Actor,
        id: WorkflowId,
        expected: u32,
        drawing: Drawing,
    ) -> Result<Saved, ApiError> {
        storable(&drawing)?;
        self.stored(id, None).await?;
        let saved = self
            .store
            .save_workflow(id, expected, &drawing, &actor.name, self.clock.now())
            .await;
        match saved.map_err(broken)? {
            SaveResult::Saved(version) => Ok(Saved { id, version, problems: problems(&drawing) }),
            SaveResult::Missing => Err(ApiError::not_found("workflow")),
            SaveResult::Conflict(newest) => Err(ApiError::new(
                ErrorKind::Conflict,
                "version_conflict",
                format!("Somebody saved version {newest} while you worked on version {expected}. Nothing of yours was stored: take theirs, or save yours on top of it."),
            )
            .with_detail(json!({ "expected": expected, "newest": newest }))),
        }
    }

    pub(super) async fn mark_deleted(&self, id: WorkflowId, deleted: bool) -> Result<(), ApiError> {
        if self
            .store
            .set_deleted(id, deleted, self.clock.now())
            .await
            .map_err(broken)?
        {
            Ok(())
        } else {
            Err(ApiError::not_found("workflow"))
        }
    }
}

/// A drawing with problems may be stored; one that is too large may not.
fn storable(drawing: &Drawing) -> Result<(), ApiError> {
    if drawing.nodes.len() > MAX_NODES {
        return Err(ApiError::new(
            ErrorKind::Invalid,
            "too_many_nodes",
            format!(
                "A workflow may have {MAX_NODES} nodes; this one has {}. Split it.",
                drawing.nodes.len()
            ),
        ));
    }
    if drawing.name.chars().count() > MAX_NAME {
        return Err(ApiError::new(
            ErrorKind::Invalid,
            "bad_name",
            format!("The name is longer than {MAX_NAME} characters."),
        ));
    }
    Ok(())
}
