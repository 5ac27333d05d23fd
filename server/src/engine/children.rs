//! Finds the workflow of a child run, and makes the run to be from it.

use std::sync::Arc;

use domain::{
    budget::OnBudget,
    graph::check::check,
    id::{RunId, WorkflowId},
    run::{
        TaskError,
        input::{ChildSpec, StartRun},
    },
};
use uuid::Uuid;

use super::run_input::complete_input;
use crate::store::{Store, StoreError, StoredWorkflow};

/// The child that is asked for, in the newest version of its workflow.
pub async fn find(store: &dyn Store, spec: ChildSpec) -> Result<StartRun, TaskError> {
    let (id, stored) = named(store, &spec.workflow).await?;
    let (graph, problems) = check(&stored.drawing);
    let Some(graph) = graph else {
        let first = problems.first().map(|problem| problem.message.as_str());
        return Err(TaskError::lasting(
            "workflow_has_problems",
            format!(
                "The workflow `{}` cannot run: {} Repair it, then try again.",
                spec.workflow,
                first.unwrap_or_default()
            ),
        ));
    };
    let input = complete_input(&graph.inputs, spec.input).map_err(|bad| {
        TaskError::lasting(
            "bad_input",
            format!("The workflow `{}` cannot take this: {bad}", spec.workflow),
        )
    })?;
    Ok(StartRun {
        run: RunId(Uuid::now_v7()),
        workflow: id,
        version: stored.version,
        workflow_name: stored.drawing.name,
        graph: Arc::new(graph),
        input,
        // What it may spend is for the runs above it to say: its calls count for them.
        budget_usd: None,
        budget_tokens: None,
        on_budget: OnBudget::Wait,
        parent: None,
        seed: Vec::new(),
        only: None,
        // The run above it says that.
        replay: None,
    })
}

/// A workflow by its id, or by its name where only one has that.
async fn named(store: &dyn Store, name: &str) -> Result<(WorkflowId, StoredWorkflow), TaskError> {
    let missing = |why: &str| TaskError::lasting("no_such_workflow", format!("{why} `{name}`."));
    let id = match name.trim().parse() {
        Ok(id) => id,
        Err(_) => match *store.workflows_named(name).await.map_err(unreadable)? {
            [id] => id,
            [] => return Err(missing("There is no workflow called")),
            [..] => {
                return Err(missing("Name the workflow by its id: several are called"));
            }
        },
    };
    let stored = store.workflow(id, None).await.map_err(unreadable)?;
    match stored.filter(|stored| !stored.deleted) {
        Some(stored) => Ok((id, stored)),
        None => Err(missing("There is no workflow with the id")),
    }
}

fn unreadable(error: StoreError) -> TaskError {
    tracing::error!(%error, "the workflow of a child run cannot be read");
    TaskError::passing(
        "store_unreadable",
        "The workflow could not be read from the database; the server's log says why. A retry helps when it was only busy.",
    )
}
