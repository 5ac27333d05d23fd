//! Reads the command line, sets up the log, does what was asked.

use std::process::ExitCode;

use clap::Parser;
use server::{
    cli::{self, Cli, Command},
    telemetry,
};

fn main() -> ExitCode {
    // A file that is missing is fine; one that cannot be read is said, and the rest still counts.
    if let Err(error) = dotenvy::dotenv()
        && !error.not_found()
    {
        eprintln!("troupe: .env is not used: {error}");
    }
    let cli = Cli::parse();
    telemetry::init(&cli.log, matches!(cli.command, Command::Serve(_)));
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| match cli.command {
            Command::Serve(serve) => runtime.block_on(cli::serve::serve(serve)),
            Command::Run(run) => runtime.block_on(cli::run::run(run)),
            Command::Check(check) => cli::check::check(&check),
            Command::Backup(backup) => runtime.block_on(cli::backup::backup(backup)),
            Command::Doctor(doctor) => runtime.block_on(cli::doctor::doctor(doctor)),
        });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("troupe: {error:#}");
            ExitCode::FAILURE
        }
    }
}
