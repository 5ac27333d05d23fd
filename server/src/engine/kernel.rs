//! The loop: take what waits, decide, store in one transaction, publish, answer, act.
//!
//! What an input led to is kept in memory at once but told to nobody before it is stored. When the
//! store is busy (locked, disk full) the same batch is tried again until it is in: inputs wait in the
//! channel meanwhile, the pages say "degraded". When the store refuses a batch for good, memory and
//! log contradict each other: the kernel ends, and with it the process; the next start reads the log.

mod door;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{
    event::{Event, Fact, SystemEvent},
    frame::{Delta, Frame},
    id::{AgentId, IdSource, RunId, TaskName},
    message,
    run::{
        TaskEvent,
        input::{Action, Command, Input, Outcome},
    },
    time::Timestamp,
    troupe::{Step, Troupe},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::door::{Answer, Message};
pub use self::door::{Handle, Inbox, Receipt, Refusal, StartKey, inbox};
use super::{
    effects::Effects,
    health::{self, Health},
    metrics::{Gauges, gauges},
    open_turns::OpenTurns,
    recovery::{Marker, is_under_way},
    rows,
    timers::Timers,
};
use crate::{
    bus::{Bus, Payload},
    clock::Clock,
    failpoint,
    store::{Start, Store, StoreError},
};

/// Inputs that share one commit at most, so that no batch grows without bound.
const BATCH: usize = 1_024;

/// The wait before a batch is tried again on a busy store.
const STORE_RETRY: Duration = Duration::from_millis(250);

/// Text that is being said is stored at most this often, all of it in one commit: a crash costs half a
/// second of it, and a thousand agents at once cost two commits a second.
const KEEP_EVERY: Duration = Duration::from_millis(500);

/// Keys of starts that are remembered here; older ones the store knows.
const REMEMBERED_STARTS: usize = 10_000;

/// Ids at random, ordered by time.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn agent_id(&mut self) -> AgentId {
        AgentId(Uuid::now_v7())
    }
}

/// What the kernel needs.
pub struct Parts {
    /// Where truth is kept.
    pub store: Arc<dyn Store>,
    /// Where copies of it go.
    pub bus: Arc<dyn Bus>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where trouble is shown.
    pub health: Health,
    /// Figures for `metrics.updated`.
    pub gauges: watch::Sender<Gauges>,
    /// What is being said; with what had been said before a crash.
    pub open: OpenTurns,
    /// Where it is said which run is being taken up again.
    pub marker: Marker,
    /// How long what is under way may take to its end once the loop is to end.
    pub patience: Duration,
    /// Ends the loop.
    pub shutdown: CancellationToken,
}

/// The loop's state.
pub struct Kernel {
    parts: Parts,
    troupe: Troupe,
    timers: Timers,
    effects: Effects,
    inbox: mpsc::Receiver<Message>,
    /// Inputs that come before all others: those of recovery.
    first: VecDeque<Input>,
    starts: HashMap<String, Start>,
    starts_in_order: VecDeque<String>,
    /// Tasks of which the store keeps what they said.
    kept: HashSet<(RunId, TaskName)>,
    /// From when on more of it may be stored.
    keep_at: Instant,
    /// Whether the server goes down: nothing begins any more.
    closing: bool,
}

impl Kernel {
    /// A kernel over what was recovered, with the inputs that finish the recovery.
    pub fn new(
        parts: Parts,
        troupe: Troupe,
        first: VecDeque<Input>,
        effects: Effects,
        inbox: Inbox,
    ) -> Self {
        Self {
            kept: parts.open.tasks().into_iter().collect(),
            keep_at: Instant::now(),
            closing: false,
            parts,
            troupe,
            timers: Timers::default(),
            effects,
            inbox: inbox.0,
            first,
            starts: HashMap::new(),
            starts_in_order: VecDeque::new(),
        }
    }

    /// Runs until shutdown. An error means that the log refused a batch for good.
    pub async fn run(mut self) -> Result<(), StoreError> {
        loop {
            let mut batch = Vec::new();
            if !self.first.is_empty() {
                batch.push(Message {
                    inputs: self.first.drain(..).map(|input| (input, None)).collect(),
                    reply: None,
                });
            }
            if batch.is_empty() && !self.wait(&mut batch).await {
                return unless_busy(self.wind_down().await);
            }
            while batch.len() < BATCH
                && let Ok(message) = self.inbox.try_recv()
            {
                batch.push(message);
            }
            match self.turn(batch).await {
                Ok(()) => {}
                Err(error) => return unless_busy(Err(error)),
            }
        }
    }

    /// Nothing begins any more; what is under way has a while to its end. What is cut after that goes
    /// on at the next start.
    async fn wind_down(&mut self) -> Result<(), StoreError> {
        self.closing = true;
        let deadline = Instant::now() + self.parts.patience;
        loop {
            let message = tokio::select! {
                biased;
                message = self.inbox.recv() => message,
                () = self.effects.idle() => None,
                () = tokio::time::sleep_until(deadline) => None,
            };
            match message {
                Some(message) => self.turn(vec![message]).await?,
                None => break,
            }
        }
        self.effects.stop_all();
        // What was handed in before counts, and nothing else comes in.
        self.inbox.close();
        while let Some(message) = self.inbox.recv().await {
            self.turn(vec![message]).await?;
        }
        Ok(())
    }

    /// Waits for an input or a timer; `false` at shutdown.
    async fn wait(&mut self, batch: &mut Vec<Message>) -> bool {
        let now = self.parts.clock.now();
        let due = self
            .timers
            .next_due()
            .map(|at| Duration::from_millis(at.ms_since(now)));
        let timer = async {
            match due {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        let unkept = async {
            self.parts.open.unkept().await;
            tokio::time::sleep_until(self.keep_at).await;
        };
        tokio::select! {
            biased;
            () = self.parts.shutdown.cancelled() => false,
            message = self.inbox.recv() => match message {
                Some(message) => {
                    batch.push(message);
                    true
                }
                None => false,
            },
            () = timer => true,
            () = unkept => true,
        }
    }

    async fn turn(&mut self, batch: Vec<Message>) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let mut step = Step::default();
        let mut starts = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        for timer in self.timers.take_due(now, BATCH) {
            // What a moment leads to is told to nobody; that it came too late is no error.
            if let Err(rejection) = self.troupe.handle(Input::Timer(timer), now, &mut step) {
                tracing::debug!(%rejection, "timer");
            }
        }
        for Message { inputs, reply } in batch {
            let mut all = Vec::with_capacity(inputs.len());
            for (input, key) in inputs {
                all.push(self.take(input, key, now, &mut step, &mut starts));
            }
            match reply {
                Some(reply) => answers.push((reply, all)),
                None => {
                    for refusal in all.into_iter().filter_map(Result::err) {
                        tracing::warn!(%refusal, "input");
                    }
                }
            }
        }
        self.parts.marker.clear();
        if !self.closing
            && let Err(rejection) = self.troupe.dispatch(now, &mut RandomIds, &mut step)
        {
            tracing::error!(%rejection, "dispatch");
        }
        let said = self.said();
        if !step.events.is_empty() || !said.is_empty() {
            self.store(&mut step, starts, said).await?;
        }
        for (reply, answer) in answers {
            failpoint::reach("before-reply");
            // Who asked may have gone away; what was asked is done all the same.
            let _gone = reply.send(answer);
            failpoint::reach("after-reply");
        }
        // What is recorded as begun is begun by the next start.
        if !self.closing {
            self.act(step.actions);
        }
        self.troupe.forget_those_that_ended();
        self.parts.gauges.send_replace(gauges(&self.troupe));
        Ok(())
    }

    fn take(
        &mut self,
        input: Input,
        key: Option<StartKey>,
        now: Timestamp,
        step: &mut Step,
        starts: &mut Vec<Start>,
    ) -> Answer {
        if self.closing && begins(&input) {
            return Err(Refusal::Closing);
        }
        if let Some(key) = &key
            && let Some(known) = self.starts.get(&key.key)
        {
            return if known.digest == key.digest {
                Ok(Receipt {
                    run: Some(known.run),
                    seq: known.seq,
                    messages: Vec::new(),
                })
            } else {
                Err(Refusal::KeyReused)
            };
        }
        let seq = self.troupe.head + 1;
        let run = match &input {
            Input::Command {
                command: Command::StartRun(start),
                ..
            } => Some(start.run),
            Input::Command {
                command: Command::RetryRun(retry),
                ..
            } => Some(retry.run),
            Input::Recovered(run) => {
                self.parts.marker.at(*run);
                failpoint::reach("take-up");
                None
            }
            Input::Command { .. }
            | Input::Outcome(_)
            | Input::Timer(_)
            | Input::AgentRecovered(_)
            | Input::ServerStarted { .. }
            | Input::System(_) => None,
        };
        let before = step.events.len();
        self.troupe.handle(input, now, step)?;
        if let (Some(StartKey { key, digest }), Some(run)) = (key, run) {
            let start = Start {
                key: key.clone(),
                run,
                seq,
                digest,
            };
            starts.push(start.clone());
            self.remember(key, start);
        }
        Ok(Receipt {
            run,
            seq: seq.min(self.troupe.head),
            messages: handed(&step.events[before..]),
        })
    }

    fn remember(&mut self, key: String, start: Start) {
        self.starts.insert(key.clone(), start);
        self.starts_in_order.push_back(key);
        if self.starts_in_order.len() > REMEMBERED_STARTS
            && let Some(oldest) = self.starts_in_order.pop_front()
        {
            self.starts.remove(&oldest);
        }
    }

    /// What was said since it was stored last, if that is long enough ago. What nobody waits for any
    /// more is not stored: no event would remove it.
    fn said(&mut self) -> Vec<Delta> {
        if Instant::now() < self.keep_at {
            return Vec::new();
        }
        let mut said = self.parts.open.take_unkept();
        said.retain(|piece| is_under_way(&self.troupe, piece));
        if !said.is_empty() {
            self.keep_at = Instant::now() + KEEP_EVERY;
            let tasks = said.iter().map(|piece| (piece.run_id, piece.task.clone()));
            self.kept.extend(tasks);
        }
        said
    }

    /// Stores what was decided, however long that takes, and publishes it then.
    async fn store(
        &mut self,
        step: &mut Step,
        starts: Vec<Start>,
        said: Vec<Delta>,
    ) -> Result<(), StoreError> {
        let events = std::mem::take(&mut step.events);
        let mut unsaid = Vec::new();
        if !self.kept.is_empty() {
            for task in events.iter().filter_map(answered) {
                unsaid.extend(self.kept.take(&task));
            }
        }
        let mut batch = rows::batch(events, starts, said, unsaid, &self.troupe);
        let mut trouble: Option<String> = None;
        loop {
            failpoint::reach("before-commit");
            match self.parts.store.append(&batch).await {
                Ok(()) => break,
                Err(StoreError::Busy(reason)) => {
                    let message = format!(
                        "The database cannot be written ({reason}). Runs wait and go on by themselves; free disk space, or end the program that holds the file."
                    );
                    self.parts.health.degrade(health::STORE, message.clone());
                    tracing::warn!(%reason, "store is busy; the batch is tried again");
                    trouble = Some(message);
                    tokio::select! {
                        () = tokio::time::sleep(STORE_RETRY) => {}
                        // Nobody was told of any of it: the next start goes on from what is stored.
                        () = self.out_of_patience() => return Err(StoreError::Busy(reason)),
                    }
                }
                Err(fatal) => {
                    tracing::error!(error = %fatal, "the log refused a batch");
                    return Err(fatal);
                }
            }
        }
        failpoint::reach("after-commit");
        for (run, task) in &batch.unsaid {
            self.parts.open.forget(*run, task);
        }
        for event in batch.events.drain(..) {
            failpoint::reach("before-publish");
            let frame = event.to_frame();
            let topic = frame.topic.clone();
            let seq = frame.seq;
            match serde_json::to_string(&Frame::Event(frame)) {
                Ok(json) => self.parts.bus.publish(&topic, Payload::event(seq, json)),
                Err(error) => tracing::error!(%error, seq, "an event cannot be written as JSON"),
            }
            failpoint::reach("after-publish");
        }
        if let Some(message) = trouble
            && self.parts.health.recover(health::STORE)
        {
            let part = health::STORE.to_owned();
            self.first.push_back(Input::System(SystemEvent::Degraded {
                part: part.clone(),
                message,
            }));
            self.first
                .push_back(Input::System(SystemEvent::Recovered { part }));
        }
        Ok(())
    }

    /// Comes a while after the stop of the server.
    async fn out_of_patience(&self) {
        self.parts.shutdown.cancelled().await;
        tokio::time::sleep(self.parts.patience).await;
    }

    fn act(&mut self, actions: Vec<Action>) {
        let (mut to_prepare, mut to_release) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::SetTimer { at, timer } => self.timers.set(at, timer),
                Action::PrepareAgent(agent) => to_prepare.push(agent),
                Action::ReleaseAgent(agent) => to_release.push(agent),
                Action::StartAttempt(spec) => self.effects.start_attempt(*spec),
                Action::StartHttp(spec) => self.effects.start_http(*spec),
                Action::FindWorkflow(spec) => self.effects.find_workflow(*spec),
                Action::StopAttempt(key) => self.effects.stop_attempt(&key),
            }
        }
        self.effects.prepare_agents(to_prepare);
        self.effects.release_agents(to_release);
    }
}

/// A stop of the server while the store is busy is no failure of the engine.
fn unless_busy(ended: Result<(), StoreError>) -> Result<(), StoreError> {
    match ended {
        Err(StoreError::Busy(reason)) => {
            tracing::warn!(%reason, "what could not be stored before the stop is done again");
            Ok(())
        }
        other => other,
    }
}

/// Whether this begins something, instead of telling what came of what is under way.
fn begins(input: &Input) -> bool {
    match input {
        Input::Command { .. } => true,
        Input::Outcome(outcome) => match outcome {
            Outcome::TurnStarted { .. }
            | Outcome::PlayedBack { .. }
            | Outcome::ToolCalled { .. }
            | Outcome::ChildFound { .. } => true,
            Outcome::AgentReady(_)
            | Outcome::AgentBroken { .. }
            | Outcome::TurnCompleted { .. }
            | Outcome::CallBegan { .. }
            | Outcome::TurnFailed { .. }
            | Outcome::CallPriced(_)
            | Outcome::PromptChanged { .. }
            | Outcome::ToolReturned { .. }
            | Outcome::MessageSent { .. }
            | Outcome::Succeeded { .. }
            | Outcome::Failed { .. }
            | Outcome::Crashed { .. } => false,
        },
        Input::Timer(_)
        | Input::Recovered(_)
        | Input::AgentRecovered(_)
        | Input::ServerStarted { .. }
        | Input::System(_) => false,
    }
}

/// The task whose answer this ends, as a whole or by ending its attempt.
fn answered(event: &Event) -> Option<(RunId, TaskName)> {
    let Fact::Task {
        run, task, event, ..
    } = &event.fact
    else {
        return None;
    };
    match event {
        // What was said so far stands until the call that a crash cut is made again.
        TaskEvent::TurnFailed { failure, .. } if failure.is_cut() => None,
        TaskEvent::TurnCompleted { .. }
        | TaskEvent::TurnFailed { .. }
        | TaskEvent::Retrying { .. }
        | TaskEvent::Waiting { .. }
        | TaskEvent::Unknown { .. }
        | TaskEvent::Completed { .. }
        | TaskEvent::Failed { .. }
        | TaskEvent::Skipped { .. }
        | TaskEvent::Cancelled { .. } => Some((*run, task.clone())),
        TaskEvent::Ready { .. }
        | TaskEvent::Opened { .. }
        | TaskEvent::Assigned { .. }
        | TaskEvent::Started { .. }
        | TaskEvent::TurnStarted { .. }
        | TaskEvent::TurnBegan { .. }
        | TaskEvent::TurnPriced { .. }
        | TaskEvent::ToolCalled { .. }
        | TaskEvent::ToolReturned { .. }
        | TaskEvent::Answered { .. } => None,
    }
}

/// Messages that the start of a turn hands to its agent.
fn handed(events: &[Event]) -> Vec<message::Message> {
    events
        .iter()
        .find_map(|event| match &event.fact {
            Fact::Task {
                event: TaskEvent::TurnStarted { messages, .. },
                ..
            } => Some(messages.clone()),
            Fact::Run { .. } | Fact::Task { .. } | Fact::Agent { .. } | Fact::System(_) => None,
        })
        .unwrap_or_default()
}
