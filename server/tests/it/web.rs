//! The doors, from outside: a router over a backend, a log and a bus that do what a test says.

mod api;
mod entrance;
mod fake;
mod pages;
mod socket;
mod storage;
