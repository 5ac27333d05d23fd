//! `troupe backup FILE`: a copy of the database as it is at one moment, also beside a running server.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    config::DataArgs,
    store::{
        Store,
        sqlite::{DATABASE_FILE, SqliteStore},
    },
};

/// Where from, and where to.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The new file; nothing is overwritten.
    pub file: PathBuf,
    /// Where data is.
    #[command(flatten)]
    pub data: DataArgs,
}

/// Writes the copy.
pub async fn backup(args: BackupArgs) -> anyhow::Result<ExitCode> {
    let data = args.data.directory()?;
    // Opening would make a database where there is none.
    anyhow::ensure!(
        data.join(DATABASE_FILE).is_file(),
        "there is no database in {}: choose the data directory with --data",
        data.display()
    );
    let store = SqliteStore::open(&data).await?;
    store.backup(&args.file).await?;
    println!("{} holds everything up to now", args.file.display());
    Ok(ExitCode::SUCCESS)
}
