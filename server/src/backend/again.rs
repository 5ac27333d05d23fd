//! Runs made from runs: the same one taken up again, a new one that keeps results of it, a single step.

use std::collections::{BTreeMap, BTreeSet};

use app::{
    api::dto::{Accepted, Actor, RetryRun, RunNode},
    error::ApiError,
};
use domain::{
    graph::NodeIx,
    id::{NodeId, RunId},
    run::{
        TaskState,
        again::{pinned, seed},
        decide::{Control, LiveRun},
        input::{self, Rejection},
    },
};
use serde_json::{Value, json};

use super::{
    Product,
    control::{is_gone, set_aside},
    refused, rejected,
    runs::{Runnable, start_key},
};
use crate::engine::kernel::{Refusal, StartKey};

impl Product {
    pub(super) async fn take_up_again(
        &self,
        actor: &Actor,
        request: RetryRun,
    ) -> Result<Accepted, ApiError> {
        let RetryRun {
            run,
            from,
            input,
            newest,
            idempotency_key,
        } = request;
        let asked = json!({ "from": from, "input": input, "newest": newest });
        let place = format!("retry/{run}");
        let key = start_key(actor, &place, idempotency_key.as_deref(), &asked)?;
        if let Some(accepted) = self.known_start(key.as_ref()).await? {
            return Ok(accepted);
        }
        let old = self.replayed(run).await?;
        if from.is_none() {
            // What would be done again has to be at its end first.
            old.run
                .state
                .allows(Control::Retry)
                .map_err(|rejection| rejected(&rejection))?;
        }
        let workflow = match newest {
            true => self.runnable(old.run.workflow_id).await?,
            false => Runnable::of(&old),
        };
        let same = !newest || workflow.is_version(old.run.workflow_version);
        if from.is_none() && input.is_none() && same {
            return self.same_again(actor, run, key).await;
        }
        let seeds = seed(&old.run, &old.graph, &workflow.graph, from.as_ref())
            .map_err(|rejection| rejected(&rejection))?;
        let given = input.unwrap_or_else(|| fitting(&old.run.input, &workflow));
        let start = input::StartRun {
            budget_usd: old.run.budget_usd,
            budget_tokens: old.run.budget_tokens,
            on_budget: old.run.on_budget,
            parent: Some(run),
            seed: seeds,
            ..workflow.start(given)?
        };
        self.accept(actor, start, key).await
    }

    /// The same run goes on. Between a look and the question it may have gone on by itself: then there
    /// is a second look, and no third.
    async fn same_again(
        &self,
        actor: &Actor,
        run: RunId,
        key: Option<StartKey>,
    ) -> Result<Accepted, ApiError> {
        let mut looks = 0;
        loop {
            looks += 1;
            let live = self.replayed(run).await?;
            let ended = live.run.state.is_final().then(|| Box::new(live));
            let is_over = ended.is_some();
            let retry = input::RetryRun { run, ended };
            let command = input::Command::RetryRun(Box::new(retry));
            match self.ask(actor, command, key.clone()).await? {
                Ok(receipt) => {
                    return Ok(Accepted {
                        id: run,
                        seq: receipt.seq,
                    });
                }
                Err(Refusal::Rejected(Rejection::Stale)) if looks < 2 => {}
                Err(refusal) if is_gone(&refusal) && looks < 2 => {}
                Err(refusal) if is_gone(&refusal) && !is_over => return Err(set_aside()),
                Err(refusal) => return Err(refused(&refusal)),
            }
        }
    }

    /// One step alone, in the version and with the input of a run that was. What it reads of other
    /// steps is what they brought there, unless it is pinned.
    pub(super) async fn run_alone(
        &self,
        actor: &Actor,
        request: RunNode,
    ) -> Result<Accepted, ApiError> {
        let RunNode {
            run,
            node,
            pins,
            idempotency_key,
        } = request;
        let asked = json!({ "only": node, "pins": pins });
        let place = format!("retry/{run}");
        let key = start_key(actor, &place, idempotency_key.as_deref(), &asked)?;
        if let Some(accepted) = self.known_start(key.as_ref()).await? {
            return Ok(accepted);
        }
        let old = self.replayed(run).await?;
        let mut known = outputs(&old, &node);
        known.extend(pins);
        let seeds = pinned(&old.graph, &node, &known).map_err(|rejection| rejected(&rejection))?;
        let start = input::StartRun {
            input: old.run.input.clone(),
            budget_usd: old.run.budget_usd,
            budget_tokens: old.run.budget_tokens,
            on_budget: old.run.on_budget,
            parent: Some(run),
            seed: seeds,
            only: Some(node),
            ..Runnable::of(&old).start(old.run.input.clone())?
        };
        self.accept(actor, start, key).await
    }
}

/// What the steps before a step brought.
fn outputs(live: &LiveRun, node: &NodeId) -> BTreeMap<NodeId, Value> {
    let graph = &live.graph;
    let mut todo: Vec<NodeIx> = graph.find(node.as_str()).into_iter().collect();
    let mut before = BTreeSet::new();
    while let Some(at) = todo.pop() {
        let from = graph.incoming[at]
            .iter()
            .map(|edge| graph.edges[*edge].from);
        todo.extend(from.filter(|from| before.insert(*from)));
    }
    let output = |at: NodeIx| match &live.run.tasks.get(graph.nodes[at].id.as_str())?.state {
        TaskState::Succeeded { output, .. } => Some((graph.nodes[at].id.clone(), output.clone())),
        TaskState::Blocked
        | TaskState::Ready { .. }
        | TaskState::Assigned { .. }
        | TaskState::Running { .. }
        | TaskState::Waiting { .. }
        | TaskState::Failed { .. }
        | TaskState::Skipped { .. }
        | TaskState::Cancelled
        | TaskState::Unknown { .. } => None,
    };
    before.into_iter().filter_map(output).collect()
}

/// The input of a run as far as another version of its workflow takes it.
fn fitting(input: &Value, workflow: &Runnable) -> Value {
    let Value::Object(input) = input else {
        return input.clone();
    };
    let is_known = |name: &str| {
        let mut inputs = workflow.graph.inputs.iter();
        inputs.any(|spec| spec.name == name)
    };
    let known = input.iter().filter(|(name, _)| is_known(name));
    Value::Object(
        known
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}
