//! The server from outside: one test binary, one file per behaviour.

mod cli;
mod engine;
mod product;
mod tester;
mod web;
