//! The rules of Troupe: what a workflow is, what is wrong with one, how a run of it goes on, who
//! does which task. Pure: it performs no I/O, reads no clock, draws no random numbers, and builds
//! for wasm32 with no features, so browser and server run the very same code.
//!
//! Reading order: [`kind`] (which nodes there are) · [`graph`] (a drawing, and the graph that can
//! run) · [`run`] (the state of a run and the events that change it) · [`agent`] · [`message`] ·
//! [`troupe`] (everything that lives, and the one function that decides what happens next) ·
//! [`dispatch`] (who does it) · [`breaker`] (whether a model may be called now) · [`frame`] (how all this looks on the wire).
//!
//! The invariant: nothing changes a [`run::Run`] but [`run::Run::apply`], and nothing changes an
//! [`agent::Agent`] but [`agent::Agent::apply`]. Kernel, recovery and browser all call these.

pub mod agent;
pub mod breaker;
pub mod budget;
pub mod dispatch;
pub mod event;
pub mod expression;
pub mod frame;
pub mod graph;
pub mod id;
pub mod kind;
pub mod message;
pub mod money;
pub mod quota;
pub mod retention;
pub mod retry;
pub mod run;
pub mod time;
pub mod topic;
pub mod troupe;
