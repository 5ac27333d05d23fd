//! What follows from events and touches the world: agents' work, their workspaces. Each piece of
//! work is a task of its own with a token that stops it; what it comes to goes back to the kernel as
//! an outcome. A panic in it fails that attempt and nothing else.

use std::{any::Any, collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use domain::{
    id::AgentId,
    run::{
        AttemptKey, TaskError,
        input::{AttemptSpec, Input, Outcome},
    },
};
use futures::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{kernel::Handle, worker::Worker};
use crate::workspace::Workspaces;

/// Hands for the kernel.
pub struct Effects {
    kernel: Handle,
    worker: Arc<dyn Worker>,
    workspaces: Workspaces,
    running: HashMap<AttemptKey, CancellationToken>,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Effects {
    /// `tracker` owns all work that is begun here; `shutdown` stops it.
    pub fn new(
        kernel: Handle,
        worker: Arc<dyn Worker>,
        workspaces: Workspaces,
        tracker: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            kernel,
            worker,
            workspaces,
            running: HashMap::new(),
            tracker,
            shutdown,
        }
    }

    /// Makes the agent's workspace.
    pub fn prepare_agent(&self, agent: AgentId) {
        let (kernel, workspaces) = (self.kernel.clone(), self.workspaces.clone());
        self.tracker.spawn(async move {
            let outcome = match workspaces.create(agent).await {
                Ok(_) => Outcome::AgentReady(agent),
                Err(error) => Outcome::AgentBroken {
                    agent,
                    error: TaskError::passing(
                        "no_workspace",
                        format!("The agent's directory cannot be made: {error}. Check space and permissions of the data directory."),
                    ),
                },
            };
            tell(&kernel, outcome).await;
        });
    }

    /// Removes what an agent that is gone left behind, if that is nothing.
    pub fn release_agent(&self, agent: AgentId) {
        let workspaces = self.workspaces.clone();
        self.tracker
            .spawn(async move { workspaces.remove_if_empty(agent).await });
    }

    /// Begins an attempt, or takes it up again.
    pub fn start_attempt(&mut self, spec: AttemptSpec) {
        self.running.retain(|_, token| !token.is_cancelled());
        let stop = self.shutdown.child_token();
        // Dropped at the end of the work, so that the table forgets it.
        let done = stop.clone().drop_guard();
        self.running.insert(spec.key.clone(), stop.clone());
        let (kernel, worker) = (self.kernel.clone(), Arc::clone(&self.worker));
        self.tracker.spawn(async move {
            let _done = done;
            let key = spec.key.clone();
            let work = AssertUnwindSafe(worker.attempt(spec, stop)).catch_unwind();
            if let Err(panic) = work.await {
                let error = TaskError::passing(
                    "agent_crashed",
                    format!(
                        "The agent's work crashed ({}). It is tried again by another agent.",
                        reason(&*panic)
                    ),
                );
                tracing::error!(?key, %error.message, "an agent's work panicked");
                tell(&kernel, Outcome::Crashed { key, error }).await;
            }
        });
    }

    /// Stops an attempt: closes its connections at once.
    pub fn stop_attempt(&mut self, key: &AttemptKey) {
        if let Some(token) = self.running.remove(key) {
            token.cancel();
        }
    }

    /// Stops everything, at shutdown.
    pub fn stop_all(&mut self) {
        for (_, token) in self.running.drain() {
            token.cancel();
        }
    }
}

async fn tell(kernel: &Handle, outcome: Outcome) {
    if let Err(refusal) = kernel.submit(Input::Outcome(outcome)).await {
        tracing::debug!(%refusal, "an outcome came too late");
    }
}

/// What a panic said, cut to one line.
fn reason(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    said.and_then(|text| text.lines().next())
        .unwrap_or("no reason given")
        .chars()
        .take(200)
        .collect()
}
