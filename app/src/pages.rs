//! Pages: each loads its data and composes components. What a page shows at first comes with the page
//! itself, so that it is useful before the browser's half has arrived.

pub mod agent;
pub mod agents;
mod by_id;
pub mod dashboard;
pub mod editor;
pub mod events;
pub mod loaded;
pub mod not_found;
pub mod run;
pub mod runs;
pub mod settings;
pub mod usage;
pub mod workflows;
