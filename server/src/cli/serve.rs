//! `troupe serve`: the product, until a signal.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;

use crate::{config::ServeArgs, shutdown, startup, web};

/// How long work in progress may take to wind down after a signal.
const DRAIN: Duration = Duration::from_secs(8);

/// Serves until a signal; exit status 0 then.
pub async fn serve(args: Box<ServeArgs>) -> anyhow::Result<ExitCode> {
    args.check()?;
    let site = args.site()?;
    let listener = tokio::net::TcpListener::bind(args.addr)
        .await
        .with_context(|| {
            format!(
                "{} cannot be used: is another program there? Choose another with --addr",
                args.addr
            )
        })?;
    let address = listener.local_addr()?;
    let stop = shutdown::on_signal()?;
    let product = startup::build(startup::Settings {
        recording: None,
        data: startup::Data::Directory(args.data.directory()?),
        providers: args.providers.clone(),
        redis: args.redis.server()?,
        http_allow: args.outbound.http_allow.clone(),
        own_ports: vec![address.port()],
        limits: args.limits.limits(),
        shutdown: stop.clone(),
    })
    .await?;
    let router = startup::router(&product, &args, address, site)?;
    println!(
        "Troupe {} is at http://{address}",
        env!("CARGO_PKG_VERSION")
    );
    if product.providers.only_simulated() {
        println!(
            "No provider has a key: answers are simulated. Set OPENROUTER_API_KEY for real ones."
        );
    }
    let mut kernel = product.kernel_task;
    let mut server = tokio::spawn(web::serve(listener, router, stop.clone()));
    let mut served = None;
    let mut ended = None;
    tokio::select! {
        result = &mut server => served = Some(result),
        result = &mut kernel => ended = Some(result),
    }
    // Whichever came first, a signal or a failure: everything else winds down now.
    stop.cancel();
    product.tracker.close();
    let drain = async {
        if served.is_none() {
            served = Some((&mut server).await);
        }
        product.tracker.wait().await;
        if ended.is_none() {
            ended = Some((&mut kernel).await);
        }
    };
    if tokio::time::timeout(DRAIN, drain).await.is_err() {
        tracing::warn!("some work did not wind down in time; it goes on at the next start");
    }
    match ended {
        None | Some(Ok(Ok(()))) => {}
        Some(Ok(Err(error))) => {
            return Err(error).context(
                "the log refused what happened; start again to go on from what is stored",
            );
        }
        Some(Err(panic)) => {
            return Err(panic)
                .context("the engine crashed; start again to go on from what is stored");
        }
    }
    if let Some(served) = served {
        served
            .context("the web server crashed")?
            .context("the listener failed")?;
    }
    Ok(ExitCode::SUCCESS)
}
