//! Who does the work on an attempt: an agent with models, tools and a workspace.

use std::sync::Arc;

use domain::run::input::AttemptSpec;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{kernel::Handle, metrics::Streamed};
use crate::{bus::Bus, llm::Providers, workspace::Workspaces};

/// Works on attempts. Its twins in tests do what a test tells them to.
pub trait Worker: Send + Sync {
    /// Works on one attempt to its end, or until it is stopped. Everything that comes of it goes to
    /// the kernel as outcomes.
    fn attempt(&self, spec: AttemptSpec, stop: CancellationToken) -> BoxFuture<'static, ()>;
}

/// The real one.
pub struct AgentWorker {
    /// Where outcomes go.
    pub kernel: Handle,
    /// Where model calls go.
    pub providers: Arc<Providers>,
    /// Where agents keep their files.
    pub workspaces: Workspaces,
    /// Where streaming text goes.
    pub bus: Arc<dyn Bus>,
    /// Counts streaming text.
    pub streamed: Streamed,
}
