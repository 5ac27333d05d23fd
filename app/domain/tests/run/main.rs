//! Stories of runs: a graph, what its agents do, and the tree that comes out. And properties that
//! hold for any order of inputs.

mod agents;
mod bounds;
mod breaker;
mod controls;
mod kinds;
mod mail;
mod money;
mod properties;
mod replay;
mod speed;
mod stage;
mod stories;
