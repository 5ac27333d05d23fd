//! The elements of nodes and edges that are near the view.

mod edges;
mod nodes;

pub use self::{edges::Edges, nodes::Nodes};
