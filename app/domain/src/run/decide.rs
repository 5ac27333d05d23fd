//! What follows in one run from a command, an outcome or a moment: which events, which actions.
//! Every event is applied as it is recorded, so that what follows from it is decided on the state
//! behind it; nobody hears of any of it before it was stored.
//!
//! A live run is a list of scopes: the workflow itself, and each round of a map or a loop. `scope`
//! counts what is decided in each, `enter` begins tasks, `settle` says what their ends lead to,
//! `rounds` does maps and loops, `outcome` takes what workers and timers tell, `control` what
//! people ask, `recover` goes on after a stop of the server, `replay` asks about
//! prompts that changed.

mod budget;
mod control;
mod enter;
mod outcome;
mod recover;
mod replay;
mod rounds;
mod scope;
mod settle;
mod view;
mod weight;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use serde_json::Value;

pub use self::{
    budget::{BegunCall, OpenCall, refused, without_price},
    control::Control,
    recover::cut_off,
};
use self::{
    scope::{Rounds, Scope},
    view::View,
};
use super::{
    AttemptKey, Run, RunEvent, Task, TaskEvent, TaskState, TurnFailure, Waiting,
    input::{Action, Rejection},
    render::Renderer,
};
use crate::{
    agent::AgentSpec,
    dispatch::{Lane, Ready},
    event::{Event, Fact},
    graph::{Node, ValidGraph, Work},
    id::{AgentId, RunId, TaskName},
    money::MicroUsd,
    time::Timestamp,
};

/// Where a task stands in `Run::tasks`.
pub type TaskIx = usize;

/// Most tasks that one run may have, rounds included.
pub const MAX_TASKS: usize = 500_000;

/// Most bytes that the outputs of all tasks of one run may take together, about as memory holds them.
pub const MAX_OUTPUT_BYTES: usize = 64 * 1024 * 1024;

/// Where events and actions are written down.
pub struct Pen<'a> {
    /// `seq` of the newest event.
    pub head: &'a mut u64,
    /// The moment at which all this is decided.
    pub now: Timestamp,
    /// What happened.
    pub events: &'a mut Vec<Event>,
    /// What is to be done about it.
    pub actions: &'a mut Vec<Action>,
    /// Agents whose attempt ended, with what it cost.
    pub freed: Vec<(AgentId, AttemptKey, Option<MicroUsd>)>,
    /// Providers whose load grew by one, once for each.
    pub loaded: Vec<Arc<str>>,
    /// Providers whose load became less by one, once for each.
    pub eased: Vec<Arc<str>>,
    /// Child runs that nobody waits for any more.
    pub orphans: Vec<RunId>,
    /// What was done in this decision so far.
    pub done: Done,
}

/// What was done in one decision: when it is enough, the rest waits until others had their turn.
#[derive(Debug, Default)]
pub struct Done {
    /// Rounds that were opened.
    opened: usize,
    /// Expressions that were evaluated; those that were much work count as several.
    evaluated: Cell<usize>,
    /// Maps and loops that go on in the next decision.
    yielded: HashSet<TaskIx>,
}

impl Done {
    /// Counts expressions, or what is as much as so many.
    fn count(&self, expressions: usize) {
        self.evaluated
            .set(self.evaluated.get().saturating_add(expressions));
    }
}

/// A run that is not at its end, with what follows from its state and is kept at hand.
#[derive(Debug, Clone)]
pub struct LiveRun {
    /// Its state.
    pub run: Run,
    /// What it executes.
    pub graph: Arc<ValidGraph>,
    /// Ready tasks that wait for an agent, or for others to end.
    pub ready: Ready,
    scopes: Vec<Scope>,
    /// For each task the scope that it stands in.
    place: Vec<usize>,
    /// For each map and loop what its rounds are.
    rounds: HashMap<TaskIx, Rounds>,
    /// Tasks that are worked on, with the provider that their load is counted for.
    load: HashMap<TaskIx, Arc<str>>,
    /// By when agents have to be done, for tasks with a time limit. Time in which a task waits for others does
    /// not count, so timers that were set before are too early.
    due: HashMap<TaskIx, Timestamp>,
    /// Bytes of all outputs, about as memory holds them.
    output_bytes: usize,
    /// Tasks that may begin in the next decision, as enough was done in the one before.
    later: VecDeque<TaskIx>,
    /// Whether the timer that begins them is set.
    later_is_set: bool,
}

/// What is to be looked at next.
enum Next {
    /// A task that was settled just now.
    Settled(TaskIx),
    /// A task that may begin.
    Enter(TaskIx),
    /// A scope in which nothing is left to do.
    Over(usize),
    /// A map or loop that may open rounds.
    Advance(TaskIx),
}

type Decided = Result<(), Rejection>;
type Todo = VecDeque<Next>;

impl LiveRun {
    /// A run as it stands, be it new or replayed.
    pub fn new(run: Run, graph: Arc<ValidGraph>) -> Self {
        let mut live = Self {
            place: vec![0; run.tasks.len()],
            scopes: vec![Scope::root(&graph)],
            run,
            graph,
            ready: Ready::default(),
            rounds: HashMap::new(),
            load: HashMap::new(),
            due: HashMap::new(),
            output_bytes: 0,
            later: VecDeque::new(),
            later_is_set: false,
        };
        let mut at = 0;
        while at < live.scopes.len() {
            live.find_rounds(at);
            at += 1;
        }
        live.count_all();
        for task in 0..live.run.tasks.len() {
            live.output_bytes += live.state(task).output().map_or(0, weight::bytes);
            if matches!(live.state(task), TaskState::Ready { .. }) {
                live.enqueue(task);
            }
            if live.state(task).attempt().is_some() && live.lane(task).is_some() {
                live.load.insert(task, live.provider_of(task, None));
            }
        }
        live
    }

    /// The place of a task.
    pub fn find(&self, task: &TaskName) -> Option<TaskIx> {
        self.run.tasks.get_index_of(task)
    }

    /// The node that a task does.
    pub fn node(&self, task: TaskIx) -> &Node {
        let scope = &self.scopes[self.place[task]];
        &scope.graph.nodes[task - scope.base]
    }

    /// The attempt that the task's next try will be.
    pub fn next_attempt(&self, task: TaskIx) -> u32 {
        self.run.tasks[task]
            .attempts
            .last()
            .map_or(1, |last| last.number + 1)
    }

    /// Names an attempt.
    pub fn key(&self, task: TaskIx, attempt: u32) -> AttemptKey {
        AttemptKey {
            run: self.run.id,
            task: self.name(task),
            attempt,
        }
    }

    /// Gives an agent that begins, or goes on, so much time from now; `None` where the step sets no limit.
    pub fn limit_agent(&mut self, task: TaskIx, now: Timestamp) -> Option<Timestamp> {
        let due = now.plus_ms(self.node(task).timeout_ms?);
        self.due.insert(task, due);
        Some(due)
    }

    /// Whether this very attempt is under way.
    pub fn is_current(&self, key: &AttemptKey) -> bool {
        self.find(&key.task)
            .is_some_and(|task| self.state(task).attempt() == Some(key.attempt))
    }

    /// What a task needs to be worked on; `None` for what the engine does by itself.
    pub fn lane(&self, task: TaskIx) -> Option<Lane> {
        match &self.node(task).work {
            Work::Agent(work) => Some(Lane::Agent {
                who: work.who.clone(),
                model: work.model.clone(),
            }),
            Work::Http(_) => Some(Lane::Http),
            Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Map(_)
            | Work::Loop(_)
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Workflow { .. }
            | Work::Output { .. } => None,
        }
    }

    /// How many tasks are worked on.
    pub fn at_work(&self) -> usize {
        self.load.len()
    }

    /// For each task that is worked on the provider that its load is counted for.
    pub fn load(&self) -> impl Iterator<Item = &Arc<str>> {
        self.load.values()
    }

    /// The provider that a task is counted for: that of its node's model, else of its agent's.
    pub fn provider_of(&self, task: TaskIx, agents_model: Option<&str>) -> Arc<str> {
        let model = match &self.node(task).work {
            Work::Agent(work) => work.model.as_deref().or(agents_model),
            Work::Http(_) => return "http".into(),
            Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Map(_)
            | Work::Loop(_)
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Workflow { .. }
            | Work::Output { .. } => None,
        };
        provider(model).into()
    }

    /// The models that a task may ask, in order; never empty. An empty name is the server's default.
    pub fn models_of(&self, task: TaskIx, agent: Option<&AgentSpec>) -> Vec<String> {
        let Work::Agent(work) = &self.node(task).work else {
            return vec![String::new()];
        };
        let own = || agent.and_then(|agent| agent.model.clone());
        let first = work.model.clone().or_else(own).unwrap_or_default();
        let more = match (&work.models, agent) {
            (Some(models), _) => models.clone(),
            (None, Some(agent)) => agent.models.clone(),
            (None, None) => Vec::new(),
        };
        let mut models = vec![first];
        for model in more {
            if !models.contains(&model) {
                models.push(model);
            }
        }
        models
    }

    /// Where a task waits for its next try: what it waits for, and the agent that tried last.
    pub fn waits_for_try(&self, key: &AttemptKey) -> Option<(TaskIx, Option<AgentId>)> {
        let task = self.find(&key.task)?;
        let waits = matches!(
            self.state(task),
            TaskState::Waiting {
                reason: Waiting::Timer | Waiting::Provider,
                ..
            }
        );
        let known = self.task(task);
        let next = waits
            && matches!(self.node(task).work, Work::Agent(_))
            && known.open_attempt().is_none()
            && self.next_attempt(task) == key.attempt;
        next.then(|| (task, known.attempts.last().and_then(|last| last.agent)))
    }

    /// The model that a call of an attempt asks.
    pub fn model_of_turn(&self, key: &AttemptKey, turn: u32) -> Option<&str> {
        let attempt = self.task(self.find(&key.task)?).attempt(key.attempt)?;
        let turn = attempt.turns.iter().find(|known| known.number == turn)?;
        Some(&turn.model)
    }

    /// The model that brought no answer last in an attempt, if that was its end.
    pub fn failed_model(&self, key: &AttemptKey) -> Option<&TurnFailure> {
        let attempt = self.task(self.find(&key.task)?).attempt(key.attempt)?;
        let last = attempt.turns.last()?;
        let mut failures = last.failures.iter().filter(|_| last.done.is_none());
        failures.rfind(|failure| !failure.is_cut())
    }

    fn state(&self, task: TaskIx) -> &TaskState {
        &self.run.tasks[task].state
    }

    fn task(&self, task: TaskIx) -> &Task {
        &self.run.tasks[task]
    }

    fn name(&self, task: TaskIx) -> TaskName {
        self.run.tasks.get_index(task).map_or_else(
            || TaskName::of(&self.node(task).id),
            |(name, _)| name.clone(),
        )
    }

    /// Counts a task that is worked on from now on.
    fn take_on(&mut self, pen: &mut Pen<'_>, task: TaskIx, provider: Arc<str>) {
        pen.loaded.push(Arc::clone(&provider));
        self.load.insert(task, provider);
    }

    fn enqueue(&mut self, task: TaskIx) {
        if let Some(lane) = self.lane(task) {
            self.ready.push(lane, task);
        }
    }

    // -- what expressions see ---------------------------------------------------------------------

    /// Runs `read` with what a task in this scope can read, and counts what that is.
    fn read<T>(&self, done: &Done, scope: usize, read: impl FnOnce(&Renderer<'_>) -> T) -> T {
        let view = View {
            live: self,
            scope,
            done,
        };
        let index = self.scopes[scope]
            .owner
            .map(|_| self.scopes[scope].index as usize);
        read(&Renderer::new(&self.run, &view, self.item(scope), index))
    }

    /// The item of the nearest map around a scope.
    fn item(&self, mut scope: usize) -> Option<&Value> {
        loop {
            let at = &self.scopes[scope];
            let owner = at.owner?;
            if matches!(self.node(owner).work, Work::Map(_)) {
                return self.items(owner).get(at.index as usize);
            }
            scope = self.place[owner];
        }
    }

    /// The list that a map goes through.
    fn items(&self, map: TaskIx) -> &[Value] {
        let items = self
            .task(map)
            .input
            .as_ref()
            .and_then(|input| input.get("items"));
        items.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    // -- recording --------------------------------------------------------------------------------

    /// Records what happens to the run as a whole.
    fn record_run(&mut self, pen: &mut Pen<'_>, event: RunEvent) -> Decided {
        let fact = Fact::Run {
            run: self.run.id,
            workflow: self.run.workflow_id,
            event,
        };
        self.record(pen, fact)
    }

    fn record_task(
        &mut self,
        pen: &mut Pen<'_>,
        task: TaskIx,
        agent: Option<AgentId>,
        event: TaskEvent,
    ) -> Decided {
        if event.ends_attempt() {
            self.count_cut_call(pen, task)?;
        }
        let fact = Fact::Task {
            run: self.run.id,
            workflow: self.run.workflow_id,
            task: self.name(task),
            agent,
            event,
        };
        self.record(pen, fact)?;
        // Whatever ended the work on it, it is no load any more.
        if self.state(task).attempt().is_none()
            && let Some(provider) = self.load.remove(&task)
        {
            self.due.remove(&task);
            pen.eased.push(provider);
        }
        Ok(())
    }

    fn record(&mut self, pen: &mut Pen<'_>, fact: Fact) -> Decided {
        let event = Event {
            seq: *pen.head + 1,
            run_seq: Some(self.run.last_run_seq + 1),
            at: pen.now,
            fact,
        };
        self.run
            .apply(&event)
            .map_err(|misfit| Rejection::Contradiction(misfit.to_string()))?;
        *pen.head += 1;
        pen.events.push(event);
        Ok(())
    }
}

/// The provider in `provider:model`; the server's default has no name here.
pub fn provider(model: Option<&str>) -> &str {
    model
        .and_then(|model| model.split_once(':'))
        .map_or("", |(provider, _)| provider)
}
