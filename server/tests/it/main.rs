//! The server from outside: one test binary, one file per behaviour.

mod cli;
mod engine;
mod product;
mod redis;
mod tester;
mod web;
