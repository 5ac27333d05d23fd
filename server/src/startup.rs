//! The only place where ports and their real implementations meet. Read it as a list of what there is.

mod mirror;

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use anyhow::Context;
use domain::{
    budget::day_of,
    frame::Metrics,
    id::WorkflowId,
    run::{input::Input, recording::Recording},
    troupe::Limits,
};
use leptos::config::{Env, LeptosOptions};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    backend::{Known, Product},
    bus::{Bus, redis},
    clock::{Clock, SystemClock},
    config::{ProviderArgs, ServeArgs},
    engine::{
        effects::{Effects, Means},
        health::{self, Health},
        kernel::{self, Handle, Kernel},
        late_costs::{self, late_costs},
        metrics::{self, Gauges, Streamed},
        open_turns::OpenTurns,
        quotas::{self, LowQuotas},
        recordings::StoredRecordings,
        recovery::{Marker, recover, trust},
        upkeep,
        worker::{AgentWorker, KernelDesk},
    },
    llm::{
        ProviderKind, Providers,
        desk::ProviderDesk,
        nearby,
        openai::{OpenAi, Reach, Settings as ServerSettings, Timeouts, ollama_url},
        rehearsal::Rehearsal,
    },
    outbound::{self, AllowList, Guard, Outbound, SystemResolver},
    samples,
    store::{Store, StoreError, sqlite::SqliteStore, upkeep::Upkeep},
    vault::Vault,
    web,
    workspace::Workspaces,
};

/// How long model calls and requests that are under way may take to their end at a stop: what was paid
/// for is stored then, and not paid for again.
const WIND_DOWN: Duration = Duration::from_secs(4);

/// Where data goes.
#[derive(Debug, Clone)]
pub enum Data {
    /// Into this directory, for good.
    Directory(PathBuf),
    /// Into one that goes when the process ends.
    Temporary,
}

/// What a start needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where data goes.
    pub data: Data,
    /// Where models are.
    pub providers: ProviderArgs,
    /// Where copies of events go; nowhere when there is none.
    pub redis: Option<redis::Server>,
    /// Where http steps may go besides the public internet.
    pub http_allow: AllowList,
    /// Ports that this process listens on: http steps do not go there by themselves.
    pub own_ports: Vec<u16>,
    /// A recording that a run plays back.
    pub recording: Option<Recording>,
    /// Bounds.
    pub limits: Limits,
    /// Ends everything.
    pub shutdown: CancellationToken,
}

/// The product at work.
pub struct Running {
    /// The engine's door.
    pub kernel: Handle,
    /// The engine; ends at shutdown, or when the log refused it.
    pub kernel_task: JoinHandle<Result<(), StoreError>>,
    /// What keeps the database small.
    pub upkeep: upkeep::Handle,
    /// All other work.
    pub tracker: TaskTracker,
    /// Truth.
    pub store: Arc<dyn Store>,
    /// Copies of it.
    pub bus: Arc<dyn Bus>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where model calls go.
    pub providers: Arc<Providers>,
    /// Where they are set up.
    pub desk: Arc<ProviderDesk>,
    /// What does not work.
    pub health: Health,
    /// What is being said.
    pub open: OpenTurns,
    /// Figures of the moment.
    pub metrics: watch::Receiver<Metrics>,
    /// What the kernel knows.
    pub gauges: watch::Receiver<Gauges>,
    /// Open WebSockets.
    pub sockets: Arc<AtomicU64>,
    /// Agents' directories.
    pub workspaces: Workspaces,
    /// Ends everything.
    pub shutdown: CancellationToken,
    /// Keeps other processes out of the data directory, and a temporary one alive.
    _hold: Hold,
}

struct Hold {
    _lock: File,
    temporary: Option<PathBuf>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(directory) = self.temporary.take()
            && let Err(error) = std::fs::remove_dir_all(&directory)
        {
            tracing::warn!(directory = %directory.display(), %error, "temporary data is left behind");
        }
    }
}

/// Builds the product and lets it go on from where it was.
pub async fn build(settings: Settings) -> anyhow::Result<Running> {
    let (data, hold) = data_directory(&settings.data)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = Arc::new(SqliteStore::open(&data).await?);
    // Nobody else uses the file yet. A database that cannot be changed so (a full disk) works as before.
    if let Err(error) = database.modernise().await {
        tracing::warn!(%error, "the database cannot give pages back to the disk yet");
    }
    let store: Arc<dyn Store> = database.clone();
    let providers = Arc::new(providers(&settings.providers)?);
    let workspaces = Workspaces::below(&data);
    let health = Health::default();
    let tracker = TaskTracker::new();
    let shutdown = settings.shutdown;
    let bus = mirror::bus(settings.redis, &store, &health, &tracker, &shutdown).await?;
    let vault = Vault::below(&data).context("the providers' keys cannot be opened")?;
    let desk = Arc::new(ProviderDesk::new(
        Arc::clone(&providers),
        Arc::clone(&store),
        vault,
        Arc::clone(&clock),
    ));
    let troubles = desk.load().await?;
    if !troubles.is_empty() {
        let more = "Enter it again in Settings, under Providers.";
        health.degrade("providers", format!("{} {more}", troubles.join(" ")));
    }
    if matches!(settings.data, Data::Directory(_)) {
        tracker.spawn(find_ollama(Arc::clone(&providers), Arc::clone(&clock)));
        tracker.spawn(Arc::clone(&desk).keep_fresh(shutdown.child_token()));
    }
    let streamed = Streamed::default();
    let sockets = Arc::new(AtomicU64::new(0));

    if matches!(settings.data, Data::Directory(_)) && store.workflow_count().await? == 0 {
        // The first sample is stored last: lists show the newest change first.
        for drawing in samples::drawings().iter().rev() {
            store
                .create_workflow(WorkflowId(Uuid::now_v7()), drawing, "troupe", clock.now())
                .await?;
        }
    }

    let mut marker = match settings.data {
        Data::Directory(_) => Marker::below(&data),
        Data::Temporary => Marker::default(),
    };
    let version = env!("CARGO_PKG_VERSION");
    let today = day_of(clock.now());
    let recovered = recover(&*store, settings.limits, version, &mut marker, today).await?;
    if let [(run, reason), others @ ..] = recovered.left_out.as_slice() {
        let more = match others.len() {
            0 => String::new(),
            count => format!(" So do {count} more, which the log names."),
        };
        health.degrade(
            "recovery",
            format!("Run {run} stays where it was: {reason}.{more} The others go on."),
        );
    }
    let open = OpenTurns::recalled(recovered.said);
    tracker.spawn(trust(
        Arc::clone(&store),
        recovered.suspects,
        shutdown.child_token(),
    ));
    let (kernel, inbox) = kernel::inbox();
    let (gauges, gauges_seen) = watch::channel(Gauges::default());
    let (calls, looking) = late_costs(late_costs::Means {
        calls: database.clone(),
        store: Arc::clone(&store),
        providers: Arc::clone(&providers),
        kernel: kernel.clone(),
        clock: Arc::clone(&clock),
        shutdown: shutdown.child_token(),
    });
    tracker.spawn(looking.run());
    let kernel_desk = KernelDesk {
        kernel: kernel.clone(),
        bus: Arc::clone(&bus),
        streamed: streamed.clone(),
        open: open.clone(),
        calls,
    };
    let worker = AgentWorker::new(
        Arc::clone(&providers),
        Arc::new(StoredRecordings::new(
            Arc::clone(&store),
            settings.recording,
        )),
        workspaces.clone(),
        Arc::clone(&clock),
        kernel_desk,
    );
    let guard = Guard::new(Arc::new(SystemResolver), settings.http_allow)
        .with_own_ports(settings.own_ports);
    let effects = Effects::new(Means {
        kernel: kernel.clone(),
        worker: Arc::new(worker),
        workspaces: workspaces.clone(),
        outbound: Outbound::new(guard, outbound::Limits::default(), Arc::clone(&clock)),
        store: Arc::clone(&store),
        health: health.clone(),
        tracker: tracker.clone(),
    });
    let parts = kernel::Parts {
        store: Arc::clone(&store),
        bus: Arc::clone(&bus),
        clock: Arc::clone(&clock),
        health: health.clone(),
        gauges,
        open: open.clone(),
        marker,
        patience: match settings.data {
            Data::Directory(_) => WIND_DOWN,
            // Nothing of it is there at the next start.
            Data::Temporary => Duration::ZERO,
        },
        shutdown: shutdown.child_token(),
    };
    let kernel_task =
        tokio::spawn(Kernel::new(parts, recovered.troupe, recovered.inputs, effects, inbox).run());

    let log = kernel.clone();
    tracker.spawn(health::record(
        health.clone(),
        shutdown.child_token(),
        async move |event| {
            // Refused only when the server goes down.
            let _written = log.submit(Input::System(event)).await;
        },
    ));

    let (low, low_quotas) = watch::channel(LowQuotas::new());
    if matches!(settings.data, Data::Directory(_)) {
        let log = kernel.clone();
        tracker.spawn(quotas::watch(
            Arc::clone(&providers),
            desk.changes(),
            Arc::clone(&clock),
            low,
            shutdown.child_token(),
            async move |event| {
                // Refused only when the server goes down.
                let _written = log.submit(Input::System(event)).await;
            },
        ));
    }

    let (latest, metrics) = watch::channel(Metrics::default());
    let sources = metrics::Sources {
        gauges: gauges_seen.clone(),
        streamed,
        sockets: Arc::clone(&sockets),
        health: health.clone(),
        low_quotas,
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
    };
    tracker.spawn(metrics::report(
        sources,
        Arc::clone(&bus),
        latest,
        shutdown.child_token(),
    ));

    let (upkeep, work) = upkeep::upkeep(database, Arc::clone(&clock), shutdown.child_token());
    tracker.spawn(work.run());

    Ok(Running {
        kernel,
        kernel_task,
        upkeep,
        tracker,
        store,
        bus,
        clock,
        providers,
        desk,
        health,
        open,
        metrics,
        gauges: gauges_seen,
        sockets,
        workspaces,
        shutdown,
        _hold: hold,
    })
}

/// The pages and the API over a running product.
fn product(running: &Running) -> Arc<Product> {
    Arc::new(Product {
        kernel: running.kernel.clone(),
        store: Arc::clone(&running.store),
        providers: Arc::clone(&running.providers),
        desk: Arc::clone(&running.desk),
        clock: Arc::clone(&running.clock),
        open: running.open.clone(),
        known: Known::default(),
        gauges: running.gauges.clone(),
        metrics: running.metrics.clone(),
        workspaces: running.workspaces.clone(),
        upkeep: running.upkeep.clone(),
    })
}

/// All doors of the product.
pub fn router(
    running: &Running,
    args: &ServeArgs,
    address: SocketAddr,
    site: PathBuf,
) -> anyhow::Result<axum::Router> {
    // Set by `./x dev`: pages then reload themselves after a rebuild.
    let watched = std::env::var_os("LEPTOS_WATCH").is_some();
    // A published site names its files by their content; a site under development does not.
    let hashes = site.join("hash.txt");
    let leptos = LeptosOptions::builder()
        .output_name("troupe")
        .hash_files(hashes.is_file())
        .hash_file(Arc::from(hashes.display().to_string()))
        .site_root(site.display().to_string())
        .site_pkg_dir("pkg")
        .site_addr(address)
        .env(if watched { Env::DEV } else { Env::PROD })
        .build();
    let product = product(running);
    let state = web::WebState {
        backend: product.clone(),
        batches: product,
        bus: Arc::clone(&running.bus),
        log: Arc::new(web::socket::log::StoredLog(Arc::clone(&running.store))),
        config: Arc::new(web::WebConfig {
            entrance: web::Entrance::new(address, None)?,
            site,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sockets: web::SocketRules {
                most: args.max_sockets as u64,
                ..web::SocketRules::default()
            },
            reload_port: watched.then(|| u16::try_from(leptos.reload_port).unwrap_or_default()),
        }),
        leptos,
        health: running.health.clone(),
        metrics: running.metrics.clone(),
        sockets: Arc::clone(&running.sockets),
        tasks: running.tracker.clone(),
        shutdown: running.shutdown.clone(),
    };
    Ok(web::router(state))
}

/// Every provider that the settings name, and Rehearsal.
pub fn providers(args: &ProviderArgs) -> anyhow::Result<Providers> {
    let providers = Providers::default();
    let server =
        |name: &str, kind, base_url: String, key, default_model: Option<&str>| ServerSettings {
            name: name.to_owned(),
            kind,
            base_url,
            key,
            default_model: default_model.map(str::to_owned),
            app_url: None,
            timeouts: Timeouts::default(),
            reach: Reach::Anywhere,
            clock: Arc::new(SystemClock),
        };
    if let Some(key) = ProviderArgs::key(&args.openrouter_api_key) {
        let base = args
            .openrouter_base_url
            .clone()
            .unwrap_or_else(|| "https://openrouter.ai/api/v1".to_owned());
        let settings = server(
            "openrouter",
            ProviderKind::Openrouter,
            base,
            Some(key),
            Some("openrouter/auto"),
        );
        providers.add(Arc::new(OpenAi::new(settings)?));
    }
    let key = ProviderArgs::key(&args.openai_api_key);
    if key.is_some() || args.openai_base_url.is_some() {
        let (kind, default) = match &args.openai_base_url {
            Some(_) => (ProviderKind::Compatible, None),
            None => (ProviderKind::Openai, Some("gpt-4.1-mini")),
        };
        let base = args
            .openai_base_url
            .clone()
            .unwrap_or_else(|| "https://api.openai.com/v1".to_owned());
        providers.add(Arc::new(OpenAi::new(server(
            "openai", kind, base, key, default,
        ))?));
    }
    if let Some(host) = args
        .ollama_host
        .as_deref()
        .filter(|host| !host.trim().is_empty())
    {
        let settings = server(
            "ollama",
            ProviderKind::Compatible,
            ollama_url(host),
            None,
            None,
        );
        providers.add(Arc::new(OpenAi::new(settings)?));
    }
    providers.add(Arc::new(Rehearsal::new(args.rehearsal_tps)));
    Ok(providers)
}

/// Adds Ollama where it listens on this machine and nobody named it. It has no default model: nobody
/// said that its models should be used.
async fn find_ollama(providers: Arc<Providers>, clock: Arc<dyn Clock>) {
    if providers.get("ollama").is_some() {
        return;
    }
    let found = nearby::look(&nearby::USUAL[..1], &clock).await;
    let Some(found) = found.into_iter().find(|found| !found.needs_key) else {
        return;
    };
    let added = OpenAi::new(ServerSettings {
        name: found.name.to_owned(),
        kind: ProviderKind::Compatible,
        base_url: found.base_url,
        key: None,
        default_model: None,
        app_url: None,
        timeouts: Timeouts::default(),
        reach: Reach::Private,
        clock,
    });
    match added {
        Ok(server) if providers.get("ollama").is_none() => providers.add(Arc::new(server)),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "Ollama was found and cannot be used"),
    }
}

fn data_directory(data: &Data) -> anyhow::Result<(PathBuf, Hold)> {
    let (directory, temporary) = match data {
        Data::Directory(directory) => (directory.clone(), None),
        Data::Temporary => {
            let directory = std::env::temp_dir().join(format!("troupe-{}", Uuid::now_v7()));
            (directory.clone(), Some(directory))
        }
    };
    make_private(&directory)
        .with_context(|| format!("the data directory {} cannot be made", directory.display()))?;
    let lock = File::create(directory.join("lock")).with_context(|| {
        format!(
            "the data directory {} cannot be written",
            directory.display()
        )
    })?;
    lock.try_lock().map_err(|_| {
        anyhow::anyhow!(
            "another troupe uses {}: stop it, or choose another directory with --data",
            directory.display()
        )
    })?;
    Ok((
        directory,
        Hold {
            _lock: lock,
            temporary,
        },
    ))
}

/// Readable by this user alone: it holds prompts, answers and, later, keys.
fn make_private(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}
