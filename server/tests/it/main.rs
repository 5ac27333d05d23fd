//! The server from outside: one test binary, one file per behaviour.

mod engine;
mod tester;
mod web;
