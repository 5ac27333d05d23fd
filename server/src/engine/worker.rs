//! Who does the work on an attempt: an agent with models, tools and a workspace.

use std::sync::Arc;

use domain::{
    frame::{Delta, Frame},
    run::input::{AttemptSpec, Input, Outcome},
    topic,
};
use futures::{FutureExt, future::BoxFuture};
use tokio_util::sync::CancellationToken;

use super::{kernel::Handle, metrics::Streamed};
use crate::{
    agent::{self, AttemptContext, Desk, Over, Tools},
    bus::{Bus, Payload},
    llm::Providers,
    workspace::Workspaces,
};

/// Works on attempts. Its twins in tests do what a test tells them to.
pub trait Worker: Send + Sync {
    /// Works on one attempt to its end, or until it is stopped. Everything that comes of it goes to
    /// the kernel as outcomes.
    fn attempt(&self, spec: AttemptSpec, stop: CancellationToken) -> BoxFuture<'static, ()>;
}

/// The real one.
pub struct AgentWorker {
    desk: Arc<dyn Desk>,
    providers: Arc<Providers>,
    tools: Arc<Tools>,
    workspaces: Workspaces,
}

impl AgentWorker {
    /// Agents that call these providers, keep their files here, and hand in there.
    pub fn new(providers: Arc<Providers>, workspaces: Workspaces, desk: KernelDesk) -> Self {
        Self {
            desk: Arc::new(desk),
            providers,
            tools: Arc::new(Tools::default()),
            workspaces,
        }
    }
}

impl Worker for AgentWorker {
    fn attempt(&self, spec: AttemptSpec, stop: CancellationToken) -> BoxFuture<'static, ()> {
        let context = AttemptContext {
            desk: Arc::clone(&self.desk),
            providers: Arc::clone(&self.providers),
            tools: Arc::clone(&self.tools),
            workspace: self.workspaces.path(spec.agent),
            stop,
        };
        agent::attempt(spec, context).boxed()
    }
}

/// Where agents hand in: outcomes to the kernel, streaming text to the bus.
pub struct KernelDesk {
    /// Decides and stores.
    pub kernel: Handle,
    /// Carries text that is being written.
    pub bus: Arc<dyn Bus>,
    /// Counts it.
    pub streamed: Streamed,
}

impl Desk for KernelDesk {
    fn report(&self, outcome: Outcome) -> BoxFuture<'_, Result<(), Over>> {
        async {
            let stored = self.kernel.submit(Input::Outcome(outcome)).await;
            stored.map(|_| ()).map_err(|refusal| {
                tracing::debug!(%refusal, "an attempt is over");
                Over
            })
        }
        .boxed()
    }

    fn show(&self, delta: Delta) {
        self.streamed.add(delta.text.len());
        let topic = topic::workflow_deltas(delta.workflow_id);
        match serde_json::to_string(&Frame::Delta(delta)) {
            Ok(json) => self.bus.publish(&topic, Payload::delta(json)),
            Err(error) => tracing::error!(%error, "a delta cannot be written as JSON"),
        }
    }
}
