//! `troupe doctor`: what is there, what is missing, what to do about it.

use std::{path::Path, process::ExitCode};

use app::words::bytes;
use clap::Args;
use domain::retention::Keep;

use crate::{
    config::{DataArgs, ProviderArgs},
    startup,
    store::{
        Store, StoreError,
        sqlite::{DATABASE_FILE, SqliteStore},
        upkeep::Upkeep,
    },
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
        Ok(data) => {
            lines.push(data_directory(&data).await);
            lines.extend(space(&data).await);
        }
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
        Ok(found) if found.damage.is_empty() => (
            Verdict::Good,
            "data",
            format!(
                "{place}: {} events so far, {} workflows, the file is sound",
                found.events, found.workflows
            ),
        ),
        Ok(found) => (
            Verdict::Bad,
            "data",
            format!(
                "{place}: the database is damaged ({}): stop Troupe and put a backup in its place, as the README says",
                found.damage.join("; ")
            ),
        ),
        Err(error) => (Verdict::Bad, "data", format!("{place}: {error}")),
    }
}

/// How large the database is, where there is one that can be read.
async fn space(data: &Path) -> Option<(Verdict, &'static str, String)> {
    if !data.join(DATABASE_FILE).is_file() {
        return None;
    }
    let store = SqliteStore::open(data).await.ok()?;
    let (sizes, rules) = (store.sizes().await.ok()?, store.retention().await.ok()?);
    let kept = match rules.keep {
        Keep::Days(days) => format!("finished runs stay {days} days"),
        Keep::Forever => "finished runs stay for ever".to_owned(),
    };
    let limit = rules.max_bytes.map_or_else(
        || "no limit of size".to_owned(),
        |most| format!("limit {}", bytes(most)),
    );
    let mut text = format!(
        "{} in use, {} free in the file, {} write-ahead log; {kept}, {limit}",
        bytes(sizes.used()),
        bytes(sizes.free),
        bytes(sizes.wal)
    );
    let over = rules.excess(sizes.used());
    let mut verdict = Verdict::Good;
    if over > 0 {
        verdict = Verdict::Note;
        text.push_str(&format!(
            "; {} over the limit, which the next clean-up lowers as far as runs may go",
            bytes(over)
        ));
    }
    if !sizes.gives_back {
        verdict = Verdict::Note;
        text.push_str(
            "; made by an older version, so free space is filled again but not given back to the disk: a start of Troupe changes that while the file is below 256 MiB",
        );
    }
    Some((verdict, "space", text))
}

/// What is in a database.
struct Found {
    events: u64,
    workflows: u64,
    damage: Vec<String>,
}

async fn look(data: &Path) -> Result<Found, StoreError> {
    let store = SqliteStore::open(data).await?;
    let damage = store.damage().await?;
    Ok(Found {
        events: store.head().await?,
        workflows: store.workflow_count().await?,
        damage,
    })
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
