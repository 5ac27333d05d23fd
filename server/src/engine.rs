//! The engine: one task, the kernel, owns every live run and agent in memory. Inputs come in by its
//! handle; it decides, stores, publishes and acts, in this order.
//!
//! Refused here: rules (they stand in `domain`), SQL (in `store`), model HTTP (in `llm`).

pub mod children;
pub mod effects;
pub mod health;
pub mod kernel;
pub mod late_costs;
pub mod metrics;
pub mod open_turns;
pub mod quotas;
pub mod recordings;
pub mod recovery;
pub mod rows;
pub mod run_input;
pub mod timers;
pub mod upkeep;
pub mod worker;
