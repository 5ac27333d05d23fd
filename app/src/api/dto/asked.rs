//! What a person asks of a run that is there: do it again in part, and take this answer.

use std::collections::BTreeMap;

use domain::{
    id::{NodeId, PortName, RunId, TaskName},
    run::OnChange,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A run to be taken up again. With the run alone, the same run goes on from what failed; with any
/// of the others a new run begins that names this one as its parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetryRun {
    /// Which run.
    pub run: RunId,
    /// Do this step and all behind it again, keeping the results of the others.
    #[serde(default)]
    pub from: Option<NodeId>,
    /// What the new run is given; `None`: what this one was given.
    #[serde(default)]
    pub input: Option<Value>,
    /// In the newest version of the workflow; refused where a finished step that is kept has changed.
    #[serde(default)]
    pub newest: bool,
    /// A start with the same key is the same start.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// A run whose recorded answers are given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayBack {
    /// Which run.
    pub run: RunId,
    /// What becomes of a call whose prompt is another one than that which was recorded.
    #[serde(default)]
    pub on_change: OnChange,
}

/// One step to be run alone, in the version and with the input of a run that was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunNode {
    /// The run.
    pub run: RunId,
    /// The step.
    pub node: NodeId,
    /// Outputs of other steps that it reads.
    #[serde(default)]
    pub pins: BTreeMap<NodeId, Value>,
    /// A start with the same key is the same start.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// What a person answers to a task that waits for one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenAnswer {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskName,
    /// `approved` or `rejected`; for an unknown end `succeeded`, `retry` or `failed`.
    pub port: PortName,
    /// A remark; may be empty.
    #[serde(default)]
    pub comment: String,
    /// Whatever belongs to it; the output, where an unknown end is said to have succeeded.
    #[serde(default)]
    pub data: Value,
}
