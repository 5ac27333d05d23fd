//! A workflow as it is drawn (`Drawing`, which may be wrong in any way) and as it can run
//! (`ValidGraph`, which cannot). The way from one to the other is `ValidGraph::check`, and what
//! stands in the way are `Problem`s, all of them at once.

pub mod check;
pub mod drawing;
pub mod layout;
pub mod preferences;
pub mod problems;
pub mod topology;

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

pub use self::{
    drawing::{Drawing, DrawnEdge, DrawnNode, InputSpec, Layout},
    preferences::Preferences,
    problems::{Problem, Severity},
};
use crate::{
    expression::Names,
    id::{NodeId, PortName},
    kind::Kind,
    retry::RetryPolicy,
};

/// Most nodes that one workflow may have.
pub const MAX_NODES: usize = 100_000;

/// How deep bodies may stand in bodies, and child runs under runs.
pub const MAX_DEPTH: u32 = 8;

/// Where a node stands in `ValidGraph::nodes`.
pub type NodeIx = usize;
/// Where an edge stands in `ValidGraph::edges`.
pub type EdgeIx = usize;

/// A graph that can run: typed, connected as it should be, without cycles. Notes are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidGraph {
    /// What the run may be given.
    pub inputs: Vec<InputSpec>,
    /// Every node that runs, in the order of the file.
    pub nodes: Vec<Node>,
    /// Every connection between them, in the order of the file.
    pub edges: Vec<Edge>,
    /// Edges that end at a node.
    pub incoming: Vec<Vec<EdgeIx>>,
    /// Edges that start at a node.
    pub outgoing: Vec<Vec<EdgeIx>>,
    /// Every node, each after all that it depends on.
    pub order: Vec<NodeIx>,
    /// From name to place.
    pub index: HashMap<NodeId, NodeIx>,
    /// The longest that a run may take, in milliseconds; only the workflow itself has one.
    pub timeout_ms: Option<u64>,
    /// Most tasks that are worked on at once in all runs of it together; only the workflow itself has it.
    pub max_parallel: Option<usize>,
}

/// A step that can run.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name in the workflow.
    pub id: NodeId,
    /// What people call it; its id where the drawing says nothing.
    pub title: String,
    /// What it does.
    pub work: Work,
    /// What it waits for.
    pub join: Join,
    /// What its failure means to the run.
    pub on_error: OnError,
    /// How often it is tried.
    pub retry: RetryPolicy,
    /// The longest that one attempt may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Whether it may be done once more when nobody knows how the first time ended.
    pub repeatable: bool,
    /// Skipped, as if it had succeeded with nothing.
    pub disabled: bool,
}

/// A connection that can be walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Where it starts.
    pub from: NodeIx,
    /// The port it starts at.
    pub port: PortName,
    /// Where it ends (always at port `in`).
    pub to: NodeIx,
}

/// What a node does, with the data that this needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// A model works on a prompt.
    Agent(Box<AgentWork>),
    /// A template makes a value.
    Transform {
        /// What is rendered.
        template: Source,
        /// Whether the text is then read as JSON.
        json: bool,
    },
    /// The first case that holds is taken, else `otherwise`.
    Branch {
        /// Port and condition, in order.
        cases: Vec<(PortName, Source)>,
        /// The port taken when none holds; `None` fails the task.
        otherwise: Option<PortName>,
    },
    /// The body is done once for each item.
    Map(Box<MapWork>),
    /// The body is done again and again.
    Loop(Box<LoopWork>),
    /// A request to another server.
    Http(Box<HttpWork>),
    /// A person is asked.
    Approval {
        /// What.
        message: Source,
        /// How long the run waits for the answer, in milliseconds; `None` is for ever.
        timeout_ms: Option<u64>,
    },
    /// Time passes.
    Wait(WaitWork),
    /// Another workflow is run as one step.
    Workflow {
        /// Its name or id.
        workflow: String,
        /// What it is given.
        input: Vec<(String, Field)>,
    },
    /// The run's result, or that of the body that it stands in.
    Output {
        /// What is rendered; a single expression keeps its type.
        value: Source,
    },
}

/// What a map does.
#[derive(Debug, Clone, PartialEq)]
pub struct MapWork {
    /// The list.
    pub items: Source,
    /// How many items are worked on at once.
    pub concurrency: usize,
    /// What is done for each.
    pub body: Arc<ValidGraph>,
    /// Whether the others go on when an item fails.
    pub goes_on: bool,
}

/// What a loop does.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopWork {
    /// What is done in each round.
    pub body: Arc<ValidGraph>,
    /// Asked after each round: whether that was the last one.
    pub until: Option<Source>,
    /// Most rounds.
    pub max_iterations: u32,
}

/// What an HTTP node sends.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpWork {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Where it goes.
    pub url: Source,
    /// What goes with it.
    pub headers: Vec<(String, Field)>,
    /// What is sent.
    pub body: Option<Source>,
    /// Whether the answer's body is read as JSON.
    pub json: bool,
}

/// How long a wait takes.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitWork {
    /// So many milliseconds.
    For(u64),
    /// To a moment, which the template names.
    Until(Source),
}

/// One of several named values.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// Filled in; a single expression keeps its type.
    Template(Source),
    /// As it stands in the file.
    Plain(Value),
}

/// What an agent node asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentWork {
    /// The task, as a template.
    pub prompt: Source,
    /// Who must do it.
    pub who: Who,
    /// Overrides the agent's own model.
    pub model: Option<String>,
    /// Models that are asked, in order, when that one brings no answer; `None`: the agent's own.
    pub models: Option<Vec<String>>,
    /// What it wants of the servers behind its provider; `None`: what the agent wants.
    pub preferences: Option<Preferences>,
    /// Overrides the agent's own instructions; a template.
    pub instructions: Option<Source>,
    /// Overrides the agent's own tools.
    pub tools: Option<Vec<String>>,
    /// JSON Schema that the answer must satisfy.
    pub output_schema: Option<Value>,
    /// Most model calls in one attempt.
    pub max_turns: u32,
    /// Longest answer, in tokens.
    pub max_tokens: u32,
    /// Sampling temperature, 0 to 2.
    pub temperature: Option<f64>,
}

/// Who may do a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// The agent of this name and nobody else.
    Named(String),
    /// Anyone who has all of these; one is spawned when none is free.
    Capable(Vec<String>),
}

/// A template or expression together with the names that it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The text as it was written.
    pub text: Arc<str>,
    /// How the text is meant.
    pub form: Form,
    /// What it reads.
    pub names: Arc<Names>,
}

/// How the text of a source is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text with `{{ expressions }}` inside.
    Template,
    /// One expression, without braces.
    Expression,
}

/// When a node starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// When every way in is decided; it is skipped when none of them was taken.
    All,
    /// When the first way in is taken; it is skipped when all are decided and none was taken.
    Any,
}

/// What the failure of a node means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The run fails.
    Fail,
    /// The run goes on at every port but `error`, without an output of this node.
    Continue,
    /// The run goes on at port `error`.
    Branch,
}

impl ValidGraph {
    /// The place of a node by its name.
    pub fn find(&self, id: &str) -> Option<NodeIx> {
        self.index.get(id).copied()
    }
}

impl Work {
    /// The kind of node that does this.
    pub fn kind(&self) -> Kind {
        match self {
            Work::Agent(_) => Kind::Agent,
            Work::Transform { .. } => Kind::Transform,
            Work::Branch { .. } => Kind::Branch,
            Work::Map(_) => Kind::Map,
            Work::Loop(_) => Kind::Loop,
            Work::Http(_) => Kind::Http,
            Work::Approval { .. } => Kind::Approval,
            Work::Wait(_) => Kind::Wait,
            Work::Workflow { .. } => Kind::Workflow,
            Work::Output { .. } => Kind::Output,
        }
    }

    /// The graph that it does again and again, where it has one.
    pub fn body(&self) -> Option<&Arc<ValidGraph>> {
        match self {
            Work::Map(map) => Some(&map.body),
            Work::Loop(looped) => Some(&looped.body),
            Work::Agent(_)
            | Work::Transform { .. }
            | Work::Branch { .. }
            | Work::Http(_)
            | Work::Approval { .. }
            | Work::Wait(_)
            | Work::Workflow { .. }
            | Work::Output { .. } => None,
        }
    }
}
