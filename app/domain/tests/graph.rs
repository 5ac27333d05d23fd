//! Stories about drawings and what can be told from them before anything runs: expressions,
//! problems, order, layout, round trips. One short text in, one short text out.

#[path = "graph/bodies.rs"]
mod bodies;
#[path = "graph/connections.rs"]
mod connections;
#[path = "graph/drawings.rs"]
mod drawings;
#[path = "graph/expressions.rs"]
mod expressions;
#[path = "graph/layouts.rs"]
mod layouts;
#[path = "graph/limits.rs"]
mod limits;
#[path = "graph/problems.rs"]
mod problems;
#[path = "graph/properties.rs"]
mod properties;
#[path = "graph/sketch.rs"]
mod sketch;
