//! The server of Troupe: engine, agents, store, bus, model clients, and the web in front of them.
//!
//! Reading order: [`startup`] (what there is, as an annotated list) · [`engine`] (the loop that owns
//! every run) · [`store`] (truth) · [`agent`], [`llm`] and
//! [`outbound`] (the work) · [`web`] (the doors).

// Pages are deep types; what renders them nests as deep.
#![recursion_limit = "512"]

pub mod agent;
pub mod backend;
pub mod bus;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod failpoint;
pub mod llm;
pub mod outbound;
pub mod samples;
pub mod shutdown;
pub mod startup;
pub mod store;
pub mod telemetry;
pub mod vault;
pub mod web;
pub mod workspace;
