//! The commands of the binary.

pub mod backup;
pub mod check;
pub mod doctor;
pub mod run;
pub mod serve;

use clap::{Parser, Subcommand};

/// Runs a troupe of LLM agents: draw a workflow, press Run, watch it live.
#[derive(Debug, Parser)]
#[command(name = "troupe", version, about)]
pub struct Cli {
    /// What to write to the log: `info`, `debug`, `server=debug`.
    #[arg(long, env = "TROUPE_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the product.
    Serve(Box<crate::config::ServeArgs>),
    /// Run a workflow file to its end and print the result. Exit: 0 succeeded, 1 failed, 2 bad file.
    Run(Box<run::RunArgs>),
    /// Print what is wrong with a workflow file. Exit: 0 it can run, 2 it cannot.
    Check(check::CheckArgs),
    /// Write a copy of the database into a new file, also beside a running server.
    Backup(backup::BackupArgs),
    /// Print what is there and what is missing. Exit: 0 all good, 1 not.
    Doctor(Box<doctor::DoctorArgs>),
}
