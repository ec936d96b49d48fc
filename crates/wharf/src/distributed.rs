//! `wharf distributed`: from the command line to a worker of a group and back to an exit code.
//!
//! The order is upstream's: worker file → plugins → Kafka → REST socket → internal topics → group → REST routes. What fails
//! before the worker is a member ends with code 2; a membership that is lost for good ends with code 1.

use std::sync::Arc;

use wharf_rest::BoundServer;
use wharf_runtime::config::{DistributedConfig, WorkerMode};
use wharf_runtime::distributed::PreparedDistributedWorker;
use wharf_runtime::herder::Herder;
use wharf_runtime::herder::distributed::DistributedHerder;

use crate::cli::DistributedArgs;
use crate::exit::Exit;
use crate::signals::Signals;
use crate::standalone::{Worker, block_on, serve};
use crate::worker_file;

impl Worker for DistributedHerder {
    fn herder(&self) -> Arc<dyn Herder> {
        Arc::new(self.clone())
    }

    fn startup_complete(&self) {}

    async fn stop(&self) {
        self.shut_down().await;
    }
}

/// Runs a worker until a signal comes, its start fails or its membership is lost.
pub(crate) fn run(args: &DistributedArgs) -> Exit {
    match worker_file::log_and_read(
        &args.worker_file,
        WorkerMode::Distributed,
        DistributedConfig::parse,
        |config| &config.worker.config_providers,
    ) {
        Ok(config) => {
            let providers = config.worker.config_providers.clone();
            block_on(start(config), &providers)
        }
        Err(exit) => exit,
    }
}

/// Everything up to the running worker; an error is one of the setup.
async fn start(config: DistributedConfig) -> Result<Exit, String> {
    let signals = Signals::catch().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let stop = signals.stop();
    tokio::pin!(stop);
    let rest = config.worker.rest.clone();
    // Libraries, Kafka and topics are waited for on threads of their own, and a signal waits for none of them.
    let prepared = tokio::task::spawn_blocking(|| PreparedDistributedWorker::new(config));
    let prepared = tokio::select! {
        prepared = prepared => prepared.map_err(|error| error.to_string())?.map_err(|error| format!("{error:#}"))?,
        exit = &mut stop => std::process::exit(exit.code().into()),
    };
    let bound = BoundServer::bind(rest).await.map_err(|error| error.to_string())?;
    let (worker_id, url) = (bound.worker_id(), bound.advertised_url());
    let runtime = tokio::runtime::Handle::current();
    let started = tokio::task::spawn_blocking(move || {
        let _runtime = runtime.enter();
        prepared.start(&worker_id, url)
    });
    let herder = tokio::select! {
        started = started => started.map_err(|error| error.to_string())?.map_err(|error| format!("{error:#}"))?,
        exit = &mut stop => std::process::exit(exit.code().into()),
    };
    let ended = lost(&herder);
    Ok(serve(bound, &herder, async { Ok(()) }, async {
        tokio::select! {
            exit = stop => exit,
            exit = ended => exit,
        }
    })
    .await)
}

/// Waits until the worker can no longer be a member.
async fn lost(herder: &DistributedHerder) -> Exit {
    match herder.ended().await {
        Some(reason) => {
            tracing::error!("this worker can no longer be a member of its group and ends: {reason}");
            Exit::Lost
        }
        None => std::future::pending().await,
    }
}
