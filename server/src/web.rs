//! The doors: pages, server functions, HTTP API, live stream, health. Each door parses what comes,
//! calls one verb of the backend, and writes the answer. The only part of the server that speaks
//! axum and Leptos; `startup` hands it Leptos' options.
//!
//! Refused here: rules, SQL, model calls. And requests: from a host or an origin that is not this
//! server's (`guard`), too large, too deep, not understood (`problem` says how that is told).

pub mod api_v1;
pub mod body;
pub mod files;
pub mod guard;
pub mod headers;
pub mod health;
pub mod openapi;
pub mod pages;
pub mod problem;
pub mod router;
pub mod serve;
pub mod socket;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

use app::backend::Backend;
use domain::frame::Metrics;
use leptos::config::LeptosOptions;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    api_v1::runs::batch::Batches, guard::Entrance, router::router, serve::serve,
    socket::SocketRules, socket::log::LogReader,
};
use crate::{bus::Bus, engine::health::Health};

/// All that the doors need.
#[derive(Clone)]
pub struct WebState {
    /// Every verb of the product.
    pub backend: Arc<dyn Backend>,
    /// Many runs in one commit, which programs ask for and pages do not.
    pub batches: Arc<dyn Batches>,
    /// What was just stored or streamed.
    pub bus: Arc<dyn Bus>,
    /// What was stored, for sockets that catch up and for the events of a run.
    pub log: Arc<dyn LogReader>,
    /// How this server is reached and what it serves.
    pub config: Arc<WebConfig>,
    /// How Leptos finds the page's program.
    pub leptos: LeptosOptions,
    /// Parts that do not work.
    pub health: Health,
    /// Figures of the moment, new every 2 s.
    pub metrics: watch::Receiver<Metrics>,
    /// Open sockets; this side counts, others read.
    pub sockets: Arc<AtomicU64>,
    /// Owns the tasks of sockets: wait for it at the end, so that each gets its goodbye.
    pub tasks: TaskTracker,
    /// Cancelled when the server goes down.
    pub shutdown: CancellationToken,
}

/// How this server is reached and what it serves.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Hosts and origins that are this server.
    pub entrance: Entrance,
    /// Directory of the site files.
    pub site: PathBuf,
    /// The product's version.
    pub version: String,
    /// Bounds of sockets.
    pub sockets: SocketRules,
    /// Port of the script that reloads pages while developing; `None` in the product.
    pub reload_port: Option<u16>,
}
