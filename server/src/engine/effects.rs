//! What follows from events and touches the world: agents' work, their workspaces, requests to other
//! servers, and the look for a child's workflow. Each piece of
//! work is a task of its own with a token that stops it; what it comes to goes back to the kernel as
//! an outcome. A panic in it fails that attempt and nothing else.

use std::{
    any::Any,
    collections::HashMap,
    future::Future,
    io,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    id::AgentId,
    run::{
        AttemptKey, TaskError,
        input::{AttemptSpec, ChildSpec, HttpSpec, Input, Outcome},
    },
};
use futures::FutureExt;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{children, health::Health, kernel::Handle, worker::Worker};
use crate::{
    failpoint,
    outbound::{self, Outbound, Wants},
    store::Store,
    workspace::Workspaces,
};

/// What `Health` calls the agents' directories.
const WORKSPACES: &str = "workspaces";

/// Workspaces that are made together: the first agents begin while the others' are being made.
const AT_ONCE: usize = 256;

/// What the hands work with.
pub struct Means {
    /// Where outcomes go.
    pub kernel: Handle,
    /// Who works on attempts.
    pub worker: Arc<dyn Worker>,
    /// Agents' directories.
    pub workspaces: Workspaces,
    /// Sends what http steps ask for.
    pub outbound: Outbound,
    /// Where workflows of child runs are found.
    pub store: Arc<dyn Store>,
    /// Where trouble is shown.
    pub health: Health,
    /// Owns all work that is begun here.
    pub tracker: TaskTracker,
}

/// Hands for the kernel.
pub struct Effects {
    means: Means,
    running: Running,
    /// Stops all work. Cancelled when nobody holds the hands any more, whatever the reason.
    stop: CancellationToken,
    /// Pieces of work that were begun so far.
    begun: u64,
}

/// Attempts that are under way, each with what stops it.
#[derive(Clone, Default)]
struct Running {
    attempts: Arc<Mutex<HashMap<AttemptKey, Token>>>,
    /// Rings when one has ended.
    ended: Arc<Notify>,
}

/// What stops one piece of work. An attempt that was held may be taken up again before the work of
/// before has laid down its tools: its number tells them apart.
struct Token {
    number: u64,
    stop: CancellationToken,
}

impl Running {
    fn table(&self) -> MutexGuard<'_, HashMap<AttemptKey, Token>> {
        // Nothing that holds the lock can panic halfway through a change.
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an attempt off the table when its work ends, however that is.
struct Entry {
    running: Running,
    key: AttemptKey,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        {
            let mut table = self.running.table();
            if table
                .get(&self.key)
                .is_some_and(|token| token.number == self.number)
            {
                table.remove(&self.key);
            }
        }
        self.running.ended.notify_one();
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Effects {
    /// Hands with nothing in them yet.
    pub fn new(means: Means) -> Self {
        Self {
            means,
            running: Running::default(),
            stop: CancellationToken::new(),
            begun: 0,
        }
    }

    /// Makes workspaces; what came of those that were made together is told together.
    pub fn prepare_agents(&self, mut agents: Vec<AgentId>) {
        if agents.is_empty() {
            return;
        }
        let kernel = self.means.kernel.clone();
        let workspaces = self.means.workspaces.clone();
        let health = self.means.health.clone();
        self.means.tracker.spawn(async move {
            while !agents.is_empty() {
                let rest = agents.split_off(agents.len().min(AT_ONCE));
                let these = std::mem::replace(&mut agents, rest);
                let made = workspaces.create(these.clone()).await;
                let outcome = |(agent, made): (AgentId, io::Result<()>)| match made {
                    Ok(()) => {
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
                let outcomes = these.into_iter().zip(made).map(outcome);
                let inputs = outcomes.map(|outcome| (Input::Outcome(outcome), None));
                // Agents may be gone by now; then there is nothing to be told.
                let _late = kernel.submit_together(inputs.collect()).await;
            }
        });
    }

    /// Removes what agents that are gone left behind, if that is nothing.
    pub fn release_agents(&self, agents: Vec<AgentId>) {
        if agents.is_empty() {
            return;
        }
        let workspaces = self.means.workspaces.clone();
        self.means
            .tracker
            .spawn(async move { workspaces.remove_if_empty(agents).await });
    }

    /// Begins an attempt, or takes it up again.
    pub fn start_attempt(&mut self, spec: AttemptSpec) {
        let worker = Arc::clone(&self.means.worker);
        self.begin(spec.key.clone(), |stop| async move {
            worker.attempt(spec, stop).await;
        });
    }

    /// Sends a request, or sends it again after a stop of the server.
    pub fn start_http(&mut self, spec: HttpSpec) {
        let outbound = self.means.outbound.clone();
        let kernel = self.means.kernel.clone();
        self.begin(spec.key.clone(), |stop| async move {
            let key = spec.key.clone();
            failpoint::reach("before-http");
            let answer = outbound.request(request(spec), stop.clone()).await;
            failpoint::reach("http-answered");
            // Whoever stopped it knows; at a stop of the server it is sent again at the next start.
            if stop.is_cancelled() {
                return;
            }
            let outcome = match answer.map(serde_json::to_value) {
                Ok(Ok(output)) => Outcome::Succeeded { key, output },
                Ok(Err(error)) => Outcome::Failed {
                    key,
                    error: TaskError::lasting("http_bad_answer", error.to_string()),
                },
                Err(error) => Outcome::Failed { key, error },
            };
            tell(&kernel, outcome).await;
        });
    }

    /// Looks for the workflow of a child run.
    pub fn find_workflow(&mut self, spec: ChildSpec) {
        let store = Arc::clone(&self.means.store);
        let kernel = self.means.kernel.clone();
        self.begin(spec.key.clone(), |stop| async move {
            let key = spec.key.clone();
            let found = tokio::select! {
                found = children::find(&*store, spec) => found,
                () = stop.cancelled() => return,
            };
            let outcome = match found {
                Ok(start) => Outcome::ChildFound {
                    key,
                    start: Box::new(start),
                },
                Err(error) => Outcome::Failed { key, error },
            };
            tell(&kernel, outcome).await;
        });
    }

    /// Begins work that has a name and can be stopped. A panic in it fails the attempt.
    fn begin<W>(&mut self, key: AttemptKey, work: impl FnOnce(CancellationToken) -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.child_token();
        self.begun += 1;
        let number = self.begun;
        let token = Token {
            number,
            stop: stop.clone(),
        };
        self.running.table().insert(key.clone(), token);
        let entry = Entry {
            running: self.running.clone(),
            key: key.clone(),
            number,
        };
        let kernel = self.means.kernel.clone();
        let work = AssertUnwindSafe(work(stop)).catch_unwind();
        self.means.tracker.spawn(async move {
            let _entry = entry;
            if let Err(panic) = work.await {
                let error = TaskError::passing(
                    "agent_crashed",
                    format!(
                        "The agent's work crashed ({}) and the agent is set aside. If the task names no agent, another one tries again; if it names this one, resume it on its page.",
                        reason(&*panic)
                    ),
                );
                tracing::error!(?key, %error.message, "the work on an attempt panicked");
                let crashed = Outcome::Crashed {
                    key: key.clone(),
                    error: error.clone(),
                };
                // What never was at an agent cannot crash there: then it failed.
                if kernel.submit(Input::Outcome(crashed)).await.is_err() {
                    tell(&kernel, Outcome::Failed { key, error }).await;
                }
            }
        });
    }

    /// Stops an attempt: closes its connections at once.
    pub fn stop_attempt(&mut self, key: &AttemptKey) {
        if let Some(token) = self.running.table().remove(key) {
            token.stop.cancel();
        }
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        while !self.running.table().is_empty() {
            self.running.ended.notified().await;
        }
    }

    /// Stops everything.
    pub fn stop_all(&mut self) {
        self.stop.cancel();
    }
}

fn request(spec: HttpSpec) -> outbound::Request {
    let HttpSpec {
        key: _,
        workflow: _,
        idempotency_key,
        request,
        json,
        timeout_ms,
    } = spec;
    outbound::Request {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body,
        wants: if json { Wants::Json } else { Wants::Text },
        idempotency_key,
        total_ms: Some(timeout_ms),
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
