//! Durability: what was accepted comes to its end, whatever dies and when, and a model call that was
//! finished is never made again. The program itself runs as a child of the test and is killed.
//!
//! Wider, by the environment: `TROUPE_TEST_KILLS=1000`, `TROUPE_TEST_SEED=7`, `TROUPE_TEST_WALK=all`.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests start the program itself, and kill it"
)]

mod checker;
mod client;
mod damage;
mod drain;
mod flows;
mod kills;
mod leaks;
mod process;
mod provider;
mod quarantine;
mod said;
mod storage;
mod walk;
