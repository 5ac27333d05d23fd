//! `troupe doctor`: what is there, what is missing, what to do about it.

use std::{path::Path, process::ExitCode};

use clap::Args;

use crate::{
    config::{DataArgs, ProviderArgs},
    startup,
    store::{Store, StoreError, sqlite::SqliteStore},
};

/// Where to look.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// Where data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where models are.
    #[command(flatten)]
    pub providers: ProviderArgs,
}

/// How a check went.
enum Verdict {
    Good,
    Note,
    Bad,
}

/// Prints one line for each thing that was looked at; exit status 1 when one of them is bad.
pub async fn doctor(args: Box<DoctorArgs>) -> anyhow::Result<ExitCode> {
    let mut lines = vec![(
        Verdict::Good,
        "version",
        env!("CARGO_PKG_VERSION").to_owned(),
    )];
    lines.push(match SqliteStore::temporary().await {
        Ok(_) => (
            Verdict::Good,
            "sqlite",
            "new enough, and a database can be made".to_owned(),
        ),
        Err(error) => (Verdict::Bad, "sqlite", error.to_string()),
    });
    match args.data.directory() {
        Ok(data) => lines.push(data_directory(&data).await),
        Err(error) => lines.push((Verdict::Bad, "data", error.to_string())),
    }
    lines.push(site());
    match startup::providers(&args.providers) {
        Ok(providers) => {
            for about in providers.list() {
                let Some(llm) = providers.get(&about.name) else {
                    continue;
                };
                let place = about
                    .base_url
                    .clone()
                    .unwrap_or_else(|| "built in, answers are simulated".to_owned());
                lines.push(match llm.check().await {
                    Ok(()) => (
                        Verdict::Good,
                        "provider",
                        format!("{}: {place}", about.name),
                    ),
                    Err(error) => (
                        Verdict::Bad,
                        "provider",
                        format!("{}: {place}: {error}", about.name),
                    ),
                });
            }
            if providers.only_simulated() {
                let note = "no provider has a key: set OPENROUTER_API_KEY, OPENAI_BASE_URL or OLLAMA_HOST for real answers";
                lines.push((Verdict::Note, "provider", note.to_owned()));
            }
        }
        Err(error) => lines.push((Verdict::Bad, "provider", format!("{error:#}"))),
    }
    lines.push((
        Verdict::Note,
        "sandbox",
        "this version has no tool that starts programs, so nothing needs one".to_owned(),
    ));
    let mut good = true;
    for (verdict, what, found) in lines {
        let word = match verdict {
            Verdict::Good => "ok  ",
            Verdict::Note => "note",
            Verdict::Bad => {
                good = false;
                "BAD "
            }
        };
        println!("{word}  {what:<9} {found}");
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn data_directory(data: &Path) -> (Verdict, &'static str, String) {
    let place = data.display();
    if !data.exists() {
        return (
            Verdict::Note,
            "data",
            format!("{place} is not there yet; the first start makes it"),
        );
    }
    match look(data).await {
        Ok((events, workflows, damage)) if damage.is_empty() => (
            Verdict::Good,
            "data",
            format!("{place}: {events} events, {workflows} workflows, the file is sound"),
        ),
        Ok((_, _, damage)) => (
            Verdict::Bad,
            "data",
            format!(
                "{place}: the database is damaged ({}): stop Troupe and put a backup in its place, as the README says",
                damage.join("; ")
            ),
        ),
        Err(error) => (Verdict::Bad, "data", format!("{place}: {error}")),
    }
}

/// Events and workflows that are stored, and what is damaged.
async fn look(data: &Path) -> Result<(u64, u64, Vec<String>), StoreError> {
    let store = SqliteStore::open(data).await?;
    let damage = store.damage().await?;
    Ok((store.head().await?, store.workflow_count().await?, damage))
}

fn site() -> (Verdict, &'static str, String) {
    let set = std::env::var_os("TROUPE_SITE")
        .filter(|value| !value.is_empty())
        .map(std::path::PathBuf::from);
    let beside = std::env::current_exe()
        .ok()
        .and_then(|binary| Some(binary.parent()?.join("site")));
    match set.or(beside) {
        Some(site) if site.join("pkg").is_dir() => {
            (Verdict::Good, "site", site.display().to_string())
        }
        Some(site) => (
            Verdict::Bad,
            "site",
            format!(
                "the site files are not at {}: build them with `./x build`, or set TROUPE_SITE",
                site.display()
            ),
        ),
        None => (
            Verdict::Bad,
            "site",
            "nobody knows where this binary is: set TROUPE_SITE".to_owned(),
        ),
    }
}
