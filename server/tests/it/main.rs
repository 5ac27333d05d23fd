//! The server from outside: one test binary, one file per behaviour.

mod engine;
mod redis;
mod tester;
mod web;
