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
        data: startup::Data::Directory(args.data.directory()?),
        providers: args.providers.clone(),
        redis: args.redis.server()?,
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
    let served = tokio::select! {
        served = web::serve(listener, router, stop.clone()) => served.context("the listener failed"),
        ended = &mut kernel => {
            stop.cancel();
            return match ended {
                Ok(Ok(())) => Ok(ExitCode::SUCCESS),
                Ok(Err(error)) => Err(error).context("the log refused what happened; start again to go on from what is stored"),
                Err(panic) => Err(panic).context("the engine crashed; start again to go on from what is stored"),
            };
        }
    };
    stop.cancel();
    product.tracker.close();
    let drained = tokio::time::timeout(DRAIN, async {
        product.tracker.wait().await;
        kernel.await
    });
    if drained.await.is_err() {
        tracing::warn!("some work did not wind down in time; it goes on at the next start");
    }
    served?;
    Ok(ExitCode::SUCCESS)
}
