//! The log: one line per thing worth knowing, on standard error, so that standard output stays free
//! for results. Holds no secret and no model text.

use tracing_subscriber::EnvFilter;

/// Sets up the log by a filter like `info` or `server=debug`. Commands other than `serve` keep quiet
/// below warnings unless they are told otherwise.
pub fn init(filter: &Option<String>, serving: bool) {
    // Our own crates; some libraries tell every step they take.
    let usual = if serving { "warn,server=info" } else { "warn" };
    let filter = filter.as_deref().unwrap_or(usual);
    let (filter, bad) = match EnvFilter::try_new(filter) {
        Ok(good) => (good, None),
        Err(error) => (EnvFilter::new(usual), Some(error)),
    };
    let coloured = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(coloured)
        .with_target(false)
        .compact()
        .init();
    if let Some(error) = bad {
        tracing::warn!(%error, "TROUPE_LOG is not used");
    }
}
