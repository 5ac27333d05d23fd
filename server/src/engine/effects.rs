//! What follows from events and touches the world: agents' work, their workspaces. Each piece of
//! work is a task of its own with a token that stops it; what it comes to goes back to the kernel as
//! an outcome. A panic in it fails that attempt and nothing else.

use std::{
    any::Any,
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    id::AgentId,
    run::{
        AttemptKey, TaskError,
        input::{AttemptSpec, Input, Outcome},
    },
};
use futures::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{health::Health, kernel::Handle, worker::Worker};
use crate::workspace::Workspaces;

/// What `Health` calls the agents' directories.
const WORKSPACES: &str = "workspaces";

/// Hands for the kernel.
pub struct Effects {
    kernel: Handle,
    worker: Arc<dyn Worker>,
    workspaces: Workspaces,
    health: Health,
    running: Running,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

/// Attempts that are under way, each with what stops it.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<HashMap<AttemptKey, CancellationToken>>>);

impl Running {
    fn table(&self) -> MutexGuard<'_, HashMap<AttemptKey, CancellationToken>> {
        // Nothing that holds the lock can panic halfway through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an attempt off the table when its work ends, however that is.
struct Entry {
    running: Running,
    key: AttemptKey,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.table().remove(&self.key);
    }
}

impl Effects {
    /// `tracker` owns all work that is begun here; `shutdown` stops it.
    pub fn new(
        kernel: Handle,
        worker: Arc<dyn Worker>,
        workspaces: Workspaces,
        health: Health,
        tracker: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            kernel,
            worker,
            workspaces,
            health,
            running: Running::default(),
            tracker,
            shutdown,
        }
    }

    /// Makes the agent's workspace.
    pub fn prepare_agent(&self, agent: AgentId) {
        let (kernel, workspaces) = (self.kernel.clone(), self.workspaces.clone());
        let health = self.health.clone();
        self.tracker.spawn(async move {
            let outcome = match workspaces.create(agent).await {
                Ok(_) => {
                    health.recover(WORKSPACES);
                    Outcome::AgentReady(agent)
                }
                Err(error) => {
                    let message = format!(
                        "An agent's directory cannot be made ({error}). Tasks wait and go on by themselves; check space and permissions of the data directory."
                    );
                    health.degrade(WORKSPACES, message.clone());
                    Outcome::AgentBroken {
                        agent,
                        error: TaskError::passing("no_workspace", message),
                    }
                }
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
        let stop = self.shutdown.child_token();
        self.running.table().insert(spec.key.clone(), stop.clone());
        let entry = Entry {
            running: self.running.clone(),
            key: spec.key.clone(),
        };
        let (kernel, worker) = (self.kernel.clone(), Arc::clone(&self.worker));
        self.tracker.spawn(async move {
            let _entry = entry;
            let key = spec.key.clone();
            let work = AssertUnwindSafe(worker.attempt(spec, stop)).catch_unwind();
            if let Err(panic) = work.await {
                let error = TaskError::passing(
                    "agent_crashed",
                    format!(
                        "The agent's work crashed ({}) and the agent is set aside. If the task names no agent, another one tries again; if it names this one, resume it on its page.",
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
        if let Some(token) = self.running.table().remove(key) {
            token.cancel();
        }
    }

    /// Stops everything, at shutdown.
    pub fn stop_all(&mut self) {
        for (_, token) in self.running.table().drain() {
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
