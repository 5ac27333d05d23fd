//! One graph at work: the workflow itself, or one round of a map or a loop. It counts which ways
//! into each node are decided and which were taken; all of it follows from the states of its tasks.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{LiveRun, Next, TaskIx, Todo};
use crate::{
    graph::{Join, NodeIx, OnError, ValidGraph, Work},
    id::{PortName, TaskName},
    run::{SkipReason, TaskError, TaskState},
};

/// A graph at work.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The graph.
    pub graph: Arc<ValidGraph>,
    /// The place of its first task; the others follow in the order of its nodes.
    pub base: TaskIx,
    /// The map or loop that it is a round of.
    pub owner: Option<TaskIx>,
    /// Which round.
    pub index: u32,
    /// The round before, for a loop.
    pub previous: Option<usize>,
    /// How it stands.
    pub fate: Fate,
    /// Tasks that can still change.
    pub open: usize,
    /// Per node: ways in that are not decided yet.
    undecided: Vec<u32>,
    /// Per node: ways in that were taken.
    taken: Vec<u32>,
}

/// How a scope stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// At work.
    Open,
    /// Came to its end.
    Done,
    /// A task failed that it could not go on without; its other tasks were stopped.
    Dead(TaskError),
}

/// The rounds of a map or a loop.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    /// Their scopes, in order.
    pub scopes: Vec<usize>,
    /// How many are at work.
    pub active: usize,
}

impl Scope {
    /// The workflow itself.
    pub fn root(graph: &Arc<ValidGraph>) -> Self {
        Self::new(graph, 0)
    }

    /// A graph whose tasks stand from `base` on.
    pub fn new(graph: &Arc<ValidGraph>, base: TaskIx) -> Self {
        let ways = |edges: &Vec<usize>| u32::try_from(edges.len()).unwrap_or(u32::MAX);
        Self {
            graph: Arc::clone(graph),
            base,
            owner: None,
            index: 0,
            previous: None,
            fate: Fate::Open,
            open: graph.nodes.len(),
            undecided: graph.incoming.iter().map(ways).collect(),
            taken: vec![0; graph.nodes.len()],
        }
    }

    /// Whether enough is decided for a node to begin, or to be skipped.
    fn is_decided(&self, node: NodeIx) -> bool {
        let all = self.undecided[node] == 0;
        match self.graph.nodes[node].join {
            Join::All => all,
            Join::Any => all || self.taken[node] > 0,
        }
    }

    /// Whether a way leads into a node: always where none is drawn.
    pub fn is_reached(&self, node: NodeIx) -> bool {
        self.graph.incoming[node].is_empty() || self.taken[node] > 0
    }
}

impl LiveRun {
    /// Finds the rounds of maps and loops of a scope among the tasks, after a replay.
    pub(super) fn find_rounds(&mut self, scope: usize) {
        let (graph, base) = (
            Arc::clone(&self.scopes[scope].graph),
            self.scopes[scope].base,
        );
        for (node, step) in graph.nodes.iter().enumerate() {
            let Some(first) = step.work.body().and_then(|body| body.nodes.first()) else {
                continue;
            };
            let owner = base + node;
            let name = self.name(owner);
            for round in 0..self.task(owner).rounds {
                let first = TaskName::inside(&name, round, &first.id);
                if let Some(base) = self.find(&first) {
                    self.add_scope(owner, round, base);
                }
            }
        }
    }

    /// Takes in a round whose tasks stand from `base` on.
    pub(super) fn add_scope(&mut self, owner: TaskIx, index: u32, base: TaskIx) {
        let (Some(body), again) = (
            self.node(owner).work.body().map(Arc::clone),
            matches!(self.node(owner).work, Work::Loop(_)),
        ) else {
            return;
        };
        let at = self.scopes.len();
        self.place.resize(self.run.tasks.len(), 0);
        self.place[base..base + body.nodes.len()].fill(at);
        let rounds = self.rounds.entry(owner).or_default();
        let previous = rounds.scopes.last().copied().filter(|_| again);
        rounds.scopes.push(at);
        rounds.active += 1;
        self.scopes.push(Scope {
            owner: Some(owner),
            index,
            previous,
            ..Scope::new(&body, base)
        });
    }

    /// Counts what is settled in all scopes, after a replay.
    pub(super) fn count_all(&mut self) {
        for scope in 0..self.scopes.len() {
            let base = self.scopes[scope].base;
            for task in base..base + self.scopes[scope].graph.nodes.len() {
                if !self.state(task).is_settled() {
                    continue;
                }
                self.count_settled(task, None);
                if let TaskState::Failed { error, .. } = self.state(task)
                    && self.node(task).on_error == OnError::Fail
                {
                    self.scopes[scope].fate = Fate::Dead(error.clone());
                }
            }
            if self.scopes[scope].open == 0 && self.scopes[scope].fate == Fate::Open {
                self.scopes[scope].fate = Fate::Done;
            }
            if self.scopes[scope].fate != Fate::Open
                && let Some(owner) = self.scopes[scope].owner
                && let Some(rounds) = self.rounds.get_mut(&owner)
            {
                rounds.active -= 1;
            }
        }
    }

    /// Tasks of a scope that may begin, in the order of work.
    pub(super) fn enterable(&self, scope: usize) -> Vec<TaskIx> {
        let at = &self.scopes[scope];
        let may = |node: &NodeIx| {
            at.is_decided(*node) && matches!(self.state(at.base + node), TaskState::Blocked)
        };
        let nodes = at.graph.order.iter().copied().filter(may);
        nodes.map(|node| at.base + node).collect()
    }

    /// Takes a settled task into the counts; tells which tasks may begin by that.
    pub(super) fn count_settled(&mut self, task: TaskIx, mut todo: Option<&mut Todo>) {
        let scope = self.place[task];
        let (graph, base) = (
            Arc::clone(&self.scopes[scope].graph),
            self.scopes[scope].base,
        );
        self.scopes[scope].open -= 1;
        for edge in &graph.outgoing[task - base] {
            let edge = &graph.edges[*edge];
            let taken = self.is_taken(task, &edge.port);
            let at = &mut self.scopes[scope];
            at.undecided[edge.to] -= 1;
            at.taken[edge.to] += u32::from(taken);
            if let Some(todo) = &mut todo
                && self.scopes[scope].is_decided(edge.to)
                && matches!(self.state(base + edge.to), TaskState::Blocked)
            {
                todo.push_back(Next::Enter(base + edge.to));
            }
        }
    }

    fn is_taken(&self, task: TaskIx, port: &PortName) -> bool {
        let on_error = self.node(task).on_error;
        let error_port = port.as_str() == PortName::ERROR && on_error == OnError::Branch;
        match self.state(task) {
            TaskState::Succeeded {
                port: Some(taken), ..
            } => taken == port,
            TaskState::Succeeded { port: None, .. }
            | TaskState::Skipped {
                reason: SkipReason::Disabled,
            } => !error_port,
            TaskState::Failed { .. } => match on_error {
                OnError::Fail => false,
                OnError::Continue => true,
                OnError::Branch => error_port,
            },
            TaskState::Blocked
            | TaskState::Ready { .. }
            | TaskState::Assigned { .. }
            | TaskState::Running { .. }
            | TaskState::Waiting { .. }
            | TaskState::Skipped {
                reason: SkipReason::NotTaken | SkipReason::NotAsked,
            }
            | TaskState::Unknown { .. }
            | TaskState::Cancelled => false,
        }
    }

    /// The result of a scope: the value of its output node; without one, of its last node; an
    /// object by id where there are several.
    pub(super) fn output_of(&self, scope: usize) -> Value {
        let at = &self.scopes[scope];
        let value = |node: NodeIx| self.state(at.base + node).output().cloned();
        if let (Some(only), 0) = (&self.run.only, scope) {
            return self.run.tasks[only]
                .state
                .output()
                .cloned()
                .unwrap_or_default();
        }
        let is_output = |node: &NodeIx| matches!(at.graph.nodes[*node].work, Work::Output { .. });
        let mut last: Vec<NodeIx> = (0..at.graph.nodes.len()).filter(is_output).collect();
        if last.is_empty() {
            last = at.graph.last().collect();
        }
        match last[..] {
            [only] => value(only).unwrap_or(Value::Null),
            _ => {
                let named = last.iter().filter_map(|node| {
                    Some((at.graph.nodes[*node].id.as_str().to_owned(), value(*node)?))
                });
                Value::Object(named.collect::<Map<_, _>>())
            }
        }
    }
}
