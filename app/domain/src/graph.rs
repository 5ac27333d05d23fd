//! A workflow as it is drawn (`Drawing`, which may be wrong in any way) and as it can run
//! (`ValidGraph`, which cannot). The way from one to the other is `ValidGraph::check`, and what
//! stands in the way are `Problem`s, all of them at once.

pub mod check;
pub mod drawing;
pub mod layout;
pub mod problems;
pub mod topology;

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

pub use self::{
    drawing::{Drawing, DrawnEdge, DrawnNode, InputSpec, Layout},
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

/// Where a node stands in `ValidGraph::nodes`.
pub type NodeIx = usize;
/// Where an edge stands in `ValidGraph::edges`.
pub type EdgeIx = usize;

/// A graph that can run: typed, connected as it should be, without cycles. Notes are left out.
#[derive(Debug, Clone)]
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
}

/// A step that can run.
#[derive(Debug, Clone)]
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
    /// Skipped, as if it had succeeded with nothing.
    pub disabled: bool,
}

/// A connection that can be walked.
#[derive(Debug, Clone)]
pub struct Edge {
    /// Where it starts.
    pub from: NodeIx,
    /// The port it starts at.
    pub port: PortName,
    /// Where it ends (always at port `in`).
    pub to: NodeIx,
}

/// What a node does, with the data that this needs.
#[derive(Debug, Clone)]
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
    /// The run's result.
    Output {
        /// What is rendered; a single expression keeps its type.
        value: Source,
    },
}

/// What an agent node asks for.
#[derive(Debug, Clone)]
pub struct AgentWork {
    /// The task, as a template.
    pub prompt: Source,
    /// Who must do it.
    pub who: Who,
    /// Overrides the agent's own model.
    pub model: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The agent of this name and nobody else.
    Named(String),
    /// Anyone who has all of these; one is spawned when none is free.
    Capable(Vec<String>),
}

/// A template or expression together with the names that it reads.
#[derive(Debug, Clone)]
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
            Work::Output { .. } => Kind::Output,
        }
    }
}
