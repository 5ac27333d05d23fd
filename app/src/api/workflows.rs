//! Workflows: list, read, save, copy, hide, import.

use domain::{
    graph::{Drawing, Problem, Severity},
    id::WorkflowId,
};
use leptos::{prelude::*, server_fn::codec::Json};

#[cfg(feature = "ssr")]
use crate::{api::answer, backend::backend};
use crate::{
    api::dto::{
        Imported, Page, Saved, VersionInfo, WorkflowDetail, WorkflowQuery, WorkflowSummary,
    },
    error::ApiError,
};

/// Workflows, newest change first.
#[server(prefix = "/api", endpoint = "workflows", input = Json)]
pub async fn workflows(query: WorkflowQuery) -> Result<Page<WorkflowSummary>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.workflows(&actor, query).await)
}

/// One workflow in its newest version, or in the one named.
#[server(prefix = "/api", endpoint = "workflow", input = Json)]
pub async fn workflow(id: WorkflowId, version: Option<u32>) -> Result<WorkflowDetail, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.workflow(&actor, id, version).await)
}

/// Stores a new workflow.
#[server(prefix = "/api", endpoint = "create_workflow", input = Json)]
pub async fn create_workflow(drawing: Drawing) -> Result<Saved, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.create_workflow(&actor, drawing).await)
}

/// Stores a new version on top of `expected`.
#[server(prefix = "/api", endpoint = "save_workflow", input = Json)]
pub async fn save_workflow(
    id: WorkflowId,
    expected: u32,
    drawing: Drawing,
) -> Result<Saved, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.save_workflow(&actor, id, expected, drawing).await)
}

/// A copy under a new name.
#[server(prefix = "/api", endpoint = "duplicate_workflow", input = Json)]
pub async fn duplicate_workflow(id: WorkflowId) -> Result<Saved, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.duplicate_workflow(&actor, id).await)
}

/// Hides a workflow; `restore_workflow` takes that back.
#[server(prefix = "/api", endpoint = "delete_workflow", input = Json)]
pub async fn delete_workflow(id: WorkflowId) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.delete_workflow(&actor, id).await)
}

/// Takes a deletion back.
#[server(prefix = "/api", endpoint = "restore_workflow", input = Json)]
pub async fn restore_workflow(id: WorkflowId) -> Result<(), ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.restore_workflow(&actor, id).await)
}

/// Every version, newest first.
#[server(prefix = "/api", endpoint = "versions", input = Json)]
pub async fn versions(id: WorkflowId) -> Result<Vec<VersionInfo>, ApiError> {
    let (backend, actor) = backend()?;
    answer(backend.versions(&actor, id).await)
}

/// Stores the text of a workflow file, or says everything that is wrong with it. `as_draft` stores it
/// even where it cannot run yet.
#[server(prefix = "/api", endpoint = "import_workflow", input = Json)]
pub async fn import_workflow(text: String, as_draft: bool) -> Result<Imported, ApiError> {
    let (backend, actor) = backend()?;
    let drawing = match read_file(&text, as_draft) {
        Ok(drawing) => drawing,
        Err(refused) => return Ok(refused),
    };
    let saved = answer(backend.create_workflow(&actor, drawing).await)?;
    Ok(Imported::Saved { saved })
}

/// The drawing in a file that may be stored.
#[cfg_attr(not(feature = "ssr"), allow(dead_code))]
fn read_file(text: &str, as_draft: bool) -> Result<Drawing, Imported> {
    let (drawing, mut problems) = Drawing::parse(text).map_err(|problem| Imported::Refused {
        problems: vec![problem],
        draft_possible: false,
    })?;
    // What could not even be read would be lost by storing the rest: that is no draft, that is damage.
    let damaged = problems.iter().any(is_error);
    problems.extend(domain::graph::problems::problems(&drawing));
    if damaged || (!as_draft && problems.iter().any(is_error)) {
        return Err(Imported::Refused {
            problems,
            draft_possible: !damaged,
        });
    }
    Ok(drawing)
}

#[cfg_attr(not(feature = "ssr"), allow(dead_code))]
fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_json_is_never_a_draft() {
        let refused = read_file("{", true).expect_err("broken");
        let Imported::Refused {
            problems,
            draft_possible,
        } = refused
        else {
            panic!("stored")
        };
        assert_eq!(problems[0].code, "bad_json");
        assert!(!draft_possible);
    }

    #[test]
    fn parts_that_cannot_be_read_keep_the_file_out() {
        let refused =
            read_file(r#"{"troupe":1,"name":"x","nodes":[1]}"#, true).expect_err("damaged");
        let Imported::Refused { problems, .. } = refused else {
            panic!("stored")
        };
        assert!(problems.iter().any(|problem| problem.code == "wrong_type"));
    }
}
