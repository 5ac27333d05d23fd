//! The pages, shared by server (feature `ssr`) and browser (feature `hydrate`): what they show, what
//! they ask for (`backend`), how they stay current (`live`).
//!
//! Reading order: [`app`] (frame and routes) · [`pages`] (load data, compose) · [`components`] (are
//! told what to show) · [`api`] (what pages ask for) · [`live`] (how they stay current).
//!
//! Refused here: knowing what stands behind the backend. No SQLite, no Redis, no process is named.

// Views are nested types; the compiler has to look as deep as a page is nested.
#![recursion_limit = "512"]

pub mod api;
pub mod app;
#[cfg(feature = "ssr")]
pub mod backend;
pub mod canvas;
pub mod components;
pub mod error;
pub mod live;
pub mod pages;
pub mod run_view;
pub mod words;
