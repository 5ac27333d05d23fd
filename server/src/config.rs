//! What can be set: flags win over the environment, the environment over `.env`. Everything is read
//! and checked once, before anything starts.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use domain::troupe::Limits;

use crate::{
    bus::redis::{BadUrl, Server},
    llm::ApiKey,
    outbound::AllowList,
};

/// Where the product keeps its data.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// Data directory: database, workspaces. Default: the user's data directory.
    #[arg(long = "data", env = "TROUPE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Where model calls can go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Providers")]
pub struct ProviderArgs {
    /// Key for OpenRouter.
    #[arg(long, env = "OPENROUTER_API_KEY", hide_env_values = true, hide = true)]
    pub openrouter_api_key: Option<String>,
    /// Another base URL for OpenRouter.
    #[arg(long, env = "OPENROUTER_BASE_URL", hide = true)]
    pub openrouter_base_url: Option<String>,
    /// Key for an OpenAI-compatible server.
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true, hide = true)]
    pub openai_api_key: Option<String>,
    /// Base URL of an OpenAI-compatible server.
    #[arg(long, env = "OPENAI_BASE_URL", hide = true)]
    pub openai_base_url: Option<String>,
    /// Ollama, as host:port or URL.
    #[arg(long, env = "OLLAMA_HOST", hide = true)]
    pub ollama_host: Option<String>,
    /// Speed of the built-in offline provider in tokens per second; 0 is at once.
    #[arg(long, env = "TROUPE_REHEARSAL_TPS", default_value_t = 60, hide = true)]
    pub rehearsal_tps: u32,
}

/// Where copies of events go, for other programs.
#[derive(Debug, Clone, Args)]
pub struct RedisArgs {
    /// Redis, as URL; without it there is only the bus in memory.
    #[arg(long, env = "REDIS_URL", hide_env_values = true, hide = true)]
    pub redis_url: Option<RedisUrl>,
    /// Goes before every key and channel. Each database needs its own.
    #[arg(
        long,
        env = "TROUPE_REDIS_PREFIX",
        default_value = "",
        hide_default_value = true,
        hide = true
    )]
    pub redis_prefix: String,
    /// About how many events the stream keeps.
    #[arg(
        long,
        env = "TROUPE_REDIS_MAXLEN",
        default_value_t = 100_000,
        hide = true
    )]
    pub redis_maxlen: u64,
}

/// An address that may hold a password: it is not shown.
#[derive(Clone)]
pub struct RedisUrl(String);

/// Bounds of the whole server.
#[derive(Debug, Clone, Args)]
pub struct LimitArgs {
    /// Most agents alive at once.
    #[arg(long, env = "TROUPE_MAX_AGENTS", default_value_t = 10_000, hide = true)]
    pub max_agents: usize,
    /// Most tasks at work at once.
    #[arg(
        long,
        env = "TROUPE_MAX_PARALLEL",
        default_value_t = 10_000,
        hide = true
    )]
    pub max_parallel: usize,
    /// Most of them in one run, where its workflow does not say.
    #[arg(
        long,
        env = "TROUPE_MAX_PARALLEL_PER_RUN",
        default_value_t = 10_000,
        hide = true
    )]
    pub max_parallel_per_run: usize,
    /// Most of them that call one provider.
    #[arg(
        long,
        env = "TROUPE_MAX_PARALLEL_PER_PROVIDER",
        default_value_t = 10_000,
        hide = true
    )]
    pub max_parallel_per_provider: usize,
}

/// Where http steps may go besides the public internet.
#[derive(Debug, Clone, Default, Args)]
pub struct OutboundArgs {
    /// Hosts, host:port or networks, separated by commas.
    #[arg(
        long,
        env = "TROUPE_HTTP_ALLOW",
        default_value = "",
        hide_default_value = true,
        hide = true
    )]
    pub http_allow: AllowList,
}

/// `troupe serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address to listen on; loopback only, because nobody has to log in yet.
    #[arg(long, env = "TROUPE_ADDR", default_value = "127.0.0.1:3000")]
    pub addr: SocketAddr,
    /// Site files; default: `site` beside the binary.
    #[arg(long, env = "TROUPE_SITE", value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// Most open WebSockets.
    #[arg(long, env = "TROUPE_MAX_SOCKETS", default_value_t = 2_000, hide = true)]
    pub max_sockets: usize,
    /// Where data is.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where models are.
    #[command(flatten)]
    pub providers: ProviderArgs,
    /// Where copies of events go.
    #[command(flatten)]
    pub redis: RedisArgs,
    /// Where http steps may go.
    #[command(flatten)]
    pub outbound: OutboundArgs,
    /// Bounds.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Something that is set in a way that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// Anyone on the network could use the product.
    #[error(
        "{0} can be reached from other machines, and nobody has to log in yet: use 127.0.0.1 or [::1]"
    )]
    NotLoopback(SocketAddr),
    /// Nowhere to keep data.
    #[error("no data directory: set TROUPE_DATA, or HOME")]
    NoData,
    /// The page would be without its program.
    #[error("the site files are not at {0}: build them with `./x build`, or set TROUPE_SITE")]
    NoSite(PathBuf),
    /// Nowhere to copy events to.
    #[error(transparent)]
    Redis(#[from] BadUrl),
}

impl DataArgs {
    /// The data directory, made absolute.
    pub fn directory(&self) -> Result<PathBuf, BadConfig> {
        if let Some(data) = &self.data {
            return Ok(std::path::absolute(data).unwrap_or_else(|_| data.clone()));
        }
        let set = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        set("XDG_DATA_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".local/share")))
            .map(|base| base.join("troupe"))
            .ok_or(BadConfig::NoData)
    }
}

impl RedisArgs {
    /// The server that is set, if one is.
    pub fn server(&self) -> Result<Option<Server>, BadConfig> {
        let url = self.redis_url.as_ref().map(|url| url.0.trim());
        match url.filter(|url| !url.is_empty()) {
            Some(url) => Ok(Some(Server::parse(
                url,
                &self.redis_prefix,
                self.redis_maxlen,
            )?)),
            None => Ok(None),
        }
    }
}

impl FromStr for RedisUrl {
    type Err = Infallible;

    fn from_str(raw: &str) -> Result<Self, Infallible> {
        Ok(Self(raw.to_owned()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(..)")
    }
}

impl LimitArgs {
    /// As the domain wants them.
    pub fn limits(&self) -> Limits {
        Limits {
            max_agents: self.max_agents,
            max_parallel: self.max_parallel,
            max_parallel_per_run: self.max_parallel_per_run,
            max_parallel_per_provider: self.max_parallel_per_provider,
            ..Limits::default()
        }
    }
}

impl ProviderArgs {
    /// A key that is set and not blank.
    pub fn key(raw: &Option<String>) -> Option<ApiKey> {
        raw.as_deref()
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .map(ApiKey::new)
    }
}

impl ServeArgs {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), BadConfig> {
        if self.addr.ip().is_loopback() {
            Ok(())
        } else {
            Err(BadConfig::NotLoopback(self.addr))
        }
    }

    /// The site files: as set, else `site` beside the binary.
    pub fn site(&self) -> Result<PathBuf, BadConfig> {
        let site = match &self.site {
            Some(site) => site.clone(),
            None => beside_binary("site"),
        };
        if site.join("pkg").is_dir() {
            Ok(site)
        } else {
            Err(BadConfig::NoSite(site))
        }
    }
}

fn beside_binary(name: &str) -> PathBuf {
    let binary = std::env::current_exe().unwrap_or_default();
    // A link beside the real binary is followed by whoever reads it.
    binary.parent().unwrap_or(Path::new(".")).join(name)
}
