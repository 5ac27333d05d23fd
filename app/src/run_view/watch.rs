//! What every part of the run page holds on to: the run, the text that is being written, the server's
//! clock. Copyable; reads track just what they read, so that an event of one task touches that task
//! alone, and a piece of text nothing but the transcript that shows it.
//!
//! What comes is applied at once but shown once per batch: a burst of a hundred events costs one update.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use domain::{
    event::{Event, Fact},
    frame::Delta,
    graph::Drawing,
    id::{AgentId, RunId, TaskName, WorkflowId},
    run::{Run, Task, TaskEvent},
    time::Timestamp,
};
use leptos::prelude::*;

use crate::{
    api::dto::RunSnapshot,
    live::local_now,
    run_view::{
        store::{Change, Follower},
        stream::{Streams, TurnKey},
    },
};

/// How often what waits is shown while nobody looks: frames come only to pages in view.
const UNSEEN_FLUSH: Duration = Duration::from_millis(250);

/// One run under observation.
#[derive(Clone, Copy)]
pub struct Watch {
    /// The run.
    pub id: RunId,
    /// Its workflow.
    pub workflow: WorkflowId,
    /// What it executes.
    pub drawing: StoredValue<Arc<Drawing>>,
    /// Names of the agents that took part.
    pub agents: RwSignal<HashMap<AgentId, String>>,
    /// The server's clock: stands still until the page is mounted.
    pub now: RwSignal<Timestamp>,
    clock: StoredValue<Option<ClockBase>>,
    follower: StoredValue<Follower>,
    streams: StoredValue<Streams>,
    told: StoredValue<Told>,
    news: StoredValue<News>,
}

/// The server's clock, and what this machine's said at the same moment.
#[derive(Debug, Clone, Copy)]
struct ClockBase {
    server: Timestamp,
    local: Timestamp,
}

/// Who is told about what.
#[derive(Default)]
struct Told {
    run: ArcTrigger,
    anything: ArcTrigger,
    tasks: HashMap<TaskName, ArcTrigger>,
    turns: HashMap<TurnKey, ArcTrigger>,
}

/// What is known already but not yet shown.
#[derive(Default)]
struct News {
    run: bool,
    everything: bool,
    tasks: HashSet<TaskName>,
    turns: HashSet<TurnKey>,
    scheduled: bool,
}

impl Watch {
    /// Begins with a snapshot.
    pub fn new(snapshot: RunSnapshot) -> Self {
        let RunSnapshot {
            run,
            drawing,
            head: _,
            now,
            agents,
            written,
        } = snapshot;
        let mut streams = Streams::default();
        for delta in &written {
            streams.hear(delta);
        }
        Self {
            id: run.id,
            workflow: run.workflow_id,
            drawing: StoredValue::new(Arc::new(drawing)),
            agents: RwSignal::new(
                agents
                    .into_iter()
                    .map(|agent| (agent.id, agent.name))
                    .collect(),
            ),
            now: RwSignal::new(now),
            clock: StoredValue::new(None),
            follower: StoredValue::new(Follower::new(run)),
            streams: StoredValue::new(streams),
            told: StoredValue::new(Told::default()),
            news: StoredValue::new(News::default()),
        }
    }

    /// Reads the run; told again when its state changes.
    pub fn run<T>(self, read: impl FnOnce(&Run) -> T) -> T {
        self.told.with_value(|told| told.run.clone()).track();
        self.follower.with_value(|follower| read(follower.run()))
    }

    /// Reads the run; told again when anything in it changes. For sums over all tasks.
    pub fn whole<T>(self, read: impl FnOnce(&Run) -> T) -> T {
        self.told.with_value(|told| told.anything.clone()).track();
        self.follower.with_value(|follower| read(follower.run()))
    }

    /// Reads the run without being told again.
    pub fn peek<T>(self, read: impl FnOnce(&Run) -> T) -> T {
        self.follower.with_value(|follower| read(follower.run()))
    }

    /// Reads one task; told again when it changes. `None` when the run has no such task.
    pub fn task<T>(self, name: &TaskName, read: impl FnOnce(&Task) -> T) -> Option<T> {
        self.told
            .try_update_value(|told| told.tasks.entry(name.clone()).or_default().clone())?
            .track();
        self.follower
            .with_value(|follower| follower.run().tasks.get(name).map(read))
    }

    /// What was heard of an answer that is still being written; told again when more comes.
    pub fn heard(self, key: &TurnKey) -> Option<String> {
        self.told
            .try_update_value(|told| told.turns.entry(key.clone()).or_default().clone())?
            .track();
        self.streams.with_value(|streams| streams.text(key))
    }

    /// The name of an agent; a piece of its id when the name is not known.
    pub fn agent_name(self, id: AgentId) -> String {
        self.agents
            .with(|agents| agents.get(&id).cloned())
            .unwrap_or_else(|| id.to_string().chars().take(8).collect())
    }

    /// An event came. Says what it did, so that the caller can fetch where something was missed.
    pub fn event(self, event: &Event) -> Change {
        let Some(change) = self
            .follower
            .try_update_value(|follower| follower.event(event))
        else {
            return Change::Nothing;
        };
        if change != Change::Nothing {
            self.advance_clock(event.at);
            self.learn(event);
            self.announce(&change);
        }
        change
    }

    /// A snapshot came.
    pub fn snapshot(self, snapshot: RunSnapshot) -> Change {
        let RunSnapshot {
            run,
            drawing,
            head: _,
            now,
            agents,
            written,
        } = snapshot;
        let Some(change) = self
            .follower
            .try_update_value(|follower| follower.snapshot(run))
        else {
            return Change::Nothing;
        };
        self.drawing.set_value(Arc::new(drawing));
        self.agents
            .update(|known| known.extend(agents.into_iter().map(|agent| (agent.id, agent.name))));
        self.advance_clock(now);
        self.announce(&change);
        for delta in &written {
            self.delta(delta);
        }
        change
    }

    /// A piece of text came; whether others are missing before it. Pieces of other runs and of answers
    /// that are known already are dropped.
    pub fn delta(self, delta: &Delta) -> bool {
        let wanted =
            |follower: &Follower| delta.run_id == self.id && !is_over(follower.run(), delta);
        if self.follower.try_with_value(wanted) != Some(true) {
            return false;
        }
        let key = TurnKey::of(delta);
        let heard = self
            .streams
            .try_update_value(|streams| (streams.hear(delta), streams.has_hole(&key)));
        let Some((true, hole)) = heard else {
            return false;
        };
        self.tell(|news| {
            news.turns.insert(key);
        });
        hole
    }

    /// Something may have been missed.
    pub fn doubt(self) {
        self.follower.update_value(Follower::doubt);
    }

    /// Whether a snapshot is needed; `false` once the page is gone.
    pub fn is_stale(self) -> bool {
        self.follower
            .try_with_value(Follower::is_stale)
            .unwrap_or(false)
    }

    /// The clock starts to run.
    pub fn start_clock(self) {
        self.clock.set_value(Some(ClockBase {
            server: self.now.get_untracked(),
            local: local_now(),
        }));
    }

    /// Moves the clock on to this moment.
    pub fn tick(self) {
        if let Some(Some(base)) = self.clock.try_get_value() {
            self.now
                .set(base.server.plus_ms(local_now().ms_since(base.local)));
        }
    }

    /// The server's clock is at least there: what the page took to load was not counted before.
    fn advance_clock(self, at: Timestamp) {
        self.clock.update_value(|clock| {
            if let Some(base) = clock {
                let local = local_now();
                if at > base.server.plus_ms(local.ms_since(base.local)) {
                    *base = ClockBase { server: at, local };
                }
            }
        });
    }

    /// Names that an event brings, and text that it makes superfluous.
    fn learn(self, event: &Event) {
        let Fact::Task { task, event, .. } = &event.fact else {
            return;
        };
        match event {
            TaskEvent::Assigned {
                agent_id,
                agent_name,
                ..
            } => {
                self.agents.update(|known| {
                    known.insert(*agent_id, agent_name.clone());
                });
            }
            TaskEvent::TurnStarted {
                attempt,
                turn,
                resumed: true,
                ..
            } => {
                let key = TurnKey {
                    task: task.clone(),
                    attempt: *attempt,
                    turn: *turn,
                };
                self.streams.update_value(|streams| streams.cut(&key));
            }
            // What was said so far stands until the call that a crash cut is made again.
            TaskEvent::TurnFailed { failure, .. } if failure.is_cut() => {}
            TaskEvent::TurnCompleted { attempt, turn, .. }
            | TaskEvent::TurnFailed { attempt, turn, .. } => {
                let key = TurnKey {
                    task: task.clone(),
                    attempt: *attempt,
                    turn: *turn,
                };
                self.streams.update_value(|streams| streams.forget(&key));
            }
            TaskEvent::TurnPriced { .. }
            | TaskEvent::Ready { .. }
            | TaskEvent::Opened { .. }
            | TaskEvent::Answered { .. }
            | TaskEvent::Unknown { .. }
            | TaskEvent::Started { .. }
            | TaskEvent::TurnStarted { .. }
            | TaskEvent::TurnBegan { .. }
            | TaskEvent::ToolCalled { .. }
            | TaskEvent::ToolReturned { .. }
            | TaskEvent::Retrying { .. }
            | TaskEvent::Waiting { .. }
            | TaskEvent::Completed { .. }
            | TaskEvent::Failed { .. }
            | TaskEvent::Skipped { .. }
            | TaskEvent::Cancelled { .. } => {}
        }
    }

    fn announce(self, change: &Change) {
        match change {
            Change::Nothing | Change::Stale => {}
            Change::Run => self.tell(|news| news.run = true),
            Change::Task(name) => self.tell(|news| {
                news.tasks.insert(name.clone());
            }),
            Change::Everything => self.tell(|news| news.everything = true),
        }
    }

    /// Adds to what waits to be shown, and has it shown with all that comes with it.
    fn tell(self, add: impl FnOnce(&mut News)) {
        let scheduled = self.news.try_update_value(|news| {
            add(news);
            std::mem::replace(&mut news.scheduled, true)
        });
        if scheduled != Some(false) {
            return;
        }
        if document().hidden() {
            set_timeout(move || self.flush(), UNSEEN_FLUSH);
        } else {
            // News come in batches, at most one in a frame's time: each is shown as a whole.
            queue_microtask(move || self.flush());
        }
    }

    fn flush(self) {
        let Some(news) = self.news.try_update_value(std::mem::take) else {
            return;
        };
        // Text alone moves no clock: times would be drawn anew with every token.
        if news.run || news.everything || !news.tasks.is_empty() {
            self.tick();
        }
        let Some(triggers) = self.told.try_with_value(|told| told.concerned(&news)) else {
            return;
        };
        for trigger in triggers {
            trigger.notify();
        }
    }
}

impl Told {
    fn concerned(&self, news: &News) -> Vec<ArcTrigger> {
        let mut triggers = Vec::new();
        if news.everything {
            triggers.extend([self.run.clone(), self.anything.clone()]);
            triggers.extend(self.tasks.values().cloned());
            triggers.extend(self.turns.values().cloned());
            return triggers;
        }
        if news.run {
            triggers.push(self.run.clone());
        }
        if news.run || !news.tasks.is_empty() {
            triggers.push(self.anything.clone());
        }
        triggers.extend(
            news.tasks
                .iter()
                .filter_map(|name| self.tasks.get(name))
                .cloned(),
        );
        triggers.extend(
            news.turns
                .iter()
                .filter_map(|key| self.turns.get(key))
                .cloned(),
        );
        triggers
    }
}

/// Whether the answer that a piece belongs to is known, or its attempt has ended.
fn is_over(run: &Run, delta: &Delta) -> bool {
    let Some(attempt) = run
        .tasks
        .get(&delta.task)
        .and_then(|task| task.attempt(delta.attempt))
    else {
        return false;
    };
    let turn = attempt.turns.iter().find(|turn| turn.number == delta.turn);
    attempt.ended_at.is_some() || turn.is_some_and(|turn| turn.done.is_some())
}
