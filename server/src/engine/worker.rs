//! Who does the work on an attempt: an agent with models, tools and a workspace.

use std::sync::Arc;

use domain::{
    frame::{Delta, Frame},
    message::{Message, Recipient},
    run::{
        AttemptKey,
        input::{AttemptSpec, Input, Outcome, Rejection},
    },
    topic,
};
use futures::{FutureExt, future::BoxFuture};
use tokio_util::sync::CancellationToken;

use super::{
    kernel::{Handle, Refusal},
    late_costs::Calls,
    metrics::Streamed,
    open_turns::OpenTurns,
};
use crate::{
    agent::{self, AttemptContext, Desk, NoCall, NotSent, Over, Recordings, Tools},
    bus::{Bus, Payload},
    clock::Clock,
    llm::Providers,
    store::calls::OpenCall,
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
    clock: Arc<dyn Clock>,
    tools: Arc<Tools>,
    recordings: Arc<dyn Recordings>,
    workspaces: Workspaces,
    open: OpenTurns,
}

impl AgentWorker {
    /// Agents that call these providers or play these recordings back, keep their files here, and hand
    /// in there.
    pub fn new(
        providers: Arc<Providers>,
        recordings: Arc<dyn Recordings>,
        workspaces: Workspaces,
        clock: Arc<dyn Clock>,
        desk: KernelDesk,
    ) -> Self {
        Self {
            clock,
            open: desk.open.clone(),
            desk: Arc::new(desk),
            providers,
            tools: Arc::new(Tools::default()),
            recordings,
            workspaces,
        }
    }
}

impl Worker for AgentWorker {
    fn attempt(&self, spec: AttemptSpec, stop: CancellationToken) -> BoxFuture<'static, ()> {
        let context = AttemptContext {
            desk: Arc::clone(&self.desk),
            providers: Arc::clone(&self.providers),
            clock: Arc::clone(&self.clock),
            tools: Arc::clone(&self.tools),
            recordings: Arc::clone(&self.recordings),
            workspace: self.workspaces.path(spec.agent),
            stop,
        };
        let closing = Closing(self.open.clone(), spec.key.clone());
        async move {
            let _closing = closing;
            agent::attempt(spec, context).await;
        }
        .boxed()
    }
}

/// However an attempt ends, what was said in its last turn is of no use any more.
struct Closing(OpenTurns, AttemptKey);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.over(&self.1);
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
    /// Keeps it until the turn ends.
    pub open: OpenTurns,
    /// Looks for costs that nobody told.
    pub calls: Calls,
}

impl Desk for KernelDesk {
    fn report(&self, outcome: Outcome) -> BoxFuture<'_, Result<Vec<Message>, Over>> {
        async {
            let ended = match &outcome {
                Outcome::TurnCompleted { key, .. } => Some(key.clone()),
                Outcome::AgentReady(_)
                | Outcome::AgentBroken { .. }
                | Outcome::TurnStarted { .. }
                | Outcome::PlayedBack { .. }
                | Outcome::PromptChanged { .. }
                | Outcome::CallBegan { .. }
                | Outcome::TurnFailed { .. }
                | Outcome::CallPriced(_)
                | Outcome::ToolCalled { .. }
                | Outcome::ToolReturned { .. }
                | Outcome::MessageSent { .. }
                | Outcome::ChildFound { .. }
                | Outcome::Succeeded { .. }
                | Outcome::Failed { .. }
                | Outcome::Crashed { .. } => None,
            };
            let stored = self.kernel.submit(Input::Outcome(outcome)).await;
            if let Some(key) = ended {
                self.open.over(&key);
            }
            stored.map(|receipt| receipt.messages).map_err(|refusal| {
                tracing::debug!(%refusal, "an attempt is over");
                Over
            })
        }
        .boxed()
    }

    fn ask(&self, call: Outcome) -> BoxFuture<'_, Result<Vec<Message>, NoCall>> {
        async {
            match self.kernel.submit(Input::Outcome(call)).await {
                Ok(receipt) => Ok(receipt.messages),
                Err(Refusal::Rejected(Rejection::ModelShut(model))) => {
                    tracing::debug!(model, "a model may not be called now");
                    Err(NoCall::Shut)
                }
                Err(Refusal::Rejected(Rejection::NoOther(model))) => {
                    tracing::debug!(model, "no model may be called now");
                    Err(NoCall::NoOther)
                }
                Err(refusal) => {
                    tracing::debug!(%refusal, "an attempt is over, or put off");
                    Err(NoCall::Over)
                }
            }
        }
        .boxed()
    }

    fn send(
        &self,
        key: AttemptKey,
        to: Recipient,
        text: String,
    ) -> BoxFuture<'_, Result<(), NotSent>> {
        async {
            let outcome = Outcome::MessageSent { key, to, text };
            match self.kernel.submit(Input::Outcome(outcome)).await {
                Ok(_) => Ok(()),
                Err(Refusal::Rejected(rejection)) => Err(not_sent(&rejection)),
                Err(Refusal::KeyReused | Refusal::Closing) => Err(NotSent::Over),
            }
        }
        .boxed()
    }

    fn call_over(&self, call: OpenCall) {
        self.calls.over(call);
    }

    fn show(&self, delta: Delta) {
        self.streamed.add(delta.text.len());
        self.open.said(&delta);
        let topic = topic::workflow_deltas(delta.workflow_id);
        match serde_json::to_string(&Frame::Delta(delta)) {
            Ok(json) => self.bus.publish(&topic, Payload::delta(json)),
            Err(error) => tracing::error!(%error, "a delta cannot be written as JSON"),
        }
    }
}

/// What a refused message means to whoever wrote it.
fn not_sent(rejection: &Rejection) -> NotSent {
    match rejection {
        Rejection::NoSuchAgent(_)
        | Rejection::NobodyCalled(_)
        | Rejection::NobodyListens(_)
        | Rejection::MailboxFull(_)
        | Rejection::MessageSize(_) => NotSent::Refused(rejection.to_string()),
        Rejection::NoSuchRun(_)
        | Rejection::NameTaken(_)
        | Rejection::IllegalMove(_)
        | Rejection::TooManyAgents(_)
        | Rejection::AttemptOver(_)
        | Rejection::CallRefused(_)
        | Rejection::ModelShut(_)
        | Rejection::NoOther(_)
        | Rejection::BadBudget(_)
        | Rejection::RunOver(_)
        | Rejection::StillRunning(_)
        | Rejection::NothingToRetry
        | Rejection::Stale
        | Rejection::NoSuchTask(_)
        | Rejection::NoSuchNode(_)
        | Rejection::FinishedPartChanged(_)
        | Rejection::AlreadyAnswered { .. }
        | Rejection::NotWaiting { .. }
        | Rejection::NoSuchAnswer { .. }
        | Rejection::Contradiction(_) => NotSent::Over,
    }
}
