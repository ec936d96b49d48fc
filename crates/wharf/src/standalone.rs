//! `wharf standalone`: from the command line to a running worker and back to an exit code.
//!
//! The order is upstream's: worker file → plugins → Kafka → REST socket → worker → REST routes → connector files; what
//! fails before the worker starts ends with code 2, after that with 3. REST answers while connector files are worked on.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wharf_rest::{BoundServer, RunningServer, Timeouts};
use wharf_runtime::config::{StandaloneConfig, WorkerMode, read_connector_file};
use wharf_runtime::config_providers::ConfigProviders;
use wharf_runtime::herder::Herder;
use wharf_runtime::herder::standalone::StandaloneHerder;
use wharf_runtime::standalone::PreparedWorker;

use crate::cli::StandaloneArgs;
use crate::exit::Exit;
use crate::signals::Signals;
use crate::worker_file;

/// How long answers may still go out after the worker has stopped.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// What runs behind the REST API.
pub(crate) trait Worker: Send + Sync {
    /// Its control side.
    fn herder(&self) -> Arc<dyn Herder>;

    /// All connectors of the command line exist: from now on it is healthy.
    fn startup_complete(&self);

    /// Stops tasks and connectors, commits their offsets, within its configured time.
    fn stop(&self) -> impl Future<Output = ()> + Send;
}

impl Worker for StandaloneHerder {
    fn herder(&self) -> Arc<dyn Herder> {
        Arc::new(self.clone())
    }

    fn startup_complete(&self) {
        self.set_ready();
    }

    async fn stop(&self) {
        self.shut_down().await;
    }
}

/// Runs a worker until a signal comes or its start fails.
pub(crate) fn run(args: &StandaloneArgs) -> Exit {
    let config = match worker_file::log_and_read(
        &args.worker_file,
        WorkerMode::Standalone,
        StandaloneConfig::parse,
        |config| &config.worker.config_providers,
    ) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let providers = config.worker.config_providers.clone();
    block_on(start(config, &args.connector_files), &providers)
}

/// Runs a worker's life; an error is one of its setup, told without values of config providers.
pub(crate) fn block_on(
    life: impl Future<Output = Result<Exit, String>>,
    providers: &ConfigProviders,
) -> Exit {
    // two threads carry all of REST and control; connectors and tasks have threads of their own
    match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(life).unwrap_or_else(|reason| {
            tracing::error!("cannot start the worker: {}", providers.hide(&reason));
            Exit::Setup
        }),
        Err(error) => {
            tracing::error!("the system gives no threads: {error}");
            Exit::Setup
        }
    }
}

/// Everything up to the running worker; an error is one of the setup.
async fn start(config: StandaloneConfig, connector_files: &[PathBuf]) -> Result<Exit, String> {
    let signals = Signals::catch().map_err(|error| format!("signals cannot be caught: {error}"))?;
    let stop = signals.stop();
    tokio::pin!(stop);
    let rest = config.worker.rest.clone();
    // loads libraries and waits for Kafka, so it has a thread of its own, and a signal need not wait for it
    let prepared = tokio::task::spawn_blocking(|| PreparedWorker::new(config));
    let prepared = tokio::select! {
        prepared = prepared => prepared.map_err(|error| error.to_string())?.map_err(|error| format!("{error:#}"))?,
        // what is being prepared has nothing to stop; leaving waits for no thread
        exit = &mut stop => std::process::exit(exit.code().into()),
    };
    let bound = BoundServer::bind(rest).await.map_err(|error| error.to_string())?;
    let herder = prepared
        .start(&bound.worker_id())
        .map_err(|error| format!("{error:#}"))?;
    let created = create_connectors(&herder, connector_files);
    Ok(serve(bound, &herder, created, stop).await)
}

/// Serves a worker until `stop` is ready, then stops it in order. It is healthy when its connectors are `created`.
pub(crate) async fn serve(
    bound: BoundServer,
    worker: &impl Worker,
    created: impl Future<Output = Result<(), String>>,
    stop: impl Future<Output = Exit>,
) -> Exit {
    let url = bound.advertised_url();
    let server = bound.serve(worker.herder(), Timeouts::default());
    tracing::info!("REST API is at {url}");
    let work = async {
        if let Err(reason) = created.await {
            tracing::error!("{reason}");
            return Exit::Start;
        }
        worker.startup_complete();
        tracing::info!("Kafka Connect worker started");
        std::future::pending().await
    };
    let exit = tokio::select! {
        exit = stop => exit,
        exit = work => exit,
    };
    tracing::info!("Kafka Connect worker stopping");
    // requests that wait for the worker are answered while it stops; nobody waits for one that hangs
    let answers = tokio::spawn(server.stop(RunningServer::GRACE));
    worker.stop().await;
    let answered = tokio::time::timeout(LAST_ANSWERS, answers).await;
    if !matches!(answered, Ok(Ok(true))) {
        tracing::warn!("some REST requests were left without an answer");
    }
    tracing::info!("Kafka Connect worker stopped");
    exit
}

/// Creates the connectors of the command line one after another.
async fn create_connectors(herder: &StandaloneHerder, files: &[PathBuf]) -> Result<(), String> {
    for file in files {
        let connector = read_connector_file(file).map_err(|error| format!("{error:#}"))?;
        let reply = herder.create_at_start(&connector.name, connector.config, connector.initial_state);
        reply.await.map_err(|error| {
            format!(
                "cannot create connector {} of {}: {error}",
                connector.name,
                file.display()
            )
        })?;
        tracing::info!("created connector {} of {}", connector.name, file.display());
    }
    Ok(())
}
