//! The server from outside: one test binary, one file per behaviour.

mod cli;
mod durable;
mod engine;
mod kinds;
mod money;
mod product;
mod providers;
mod redis;
mod tester;
mod troubles;
mod upkeep;
mod web;
