//! `wharf standalone`: from the command line to a running worker and back to an exit code.
//!
//! The order is upstream's: worker file → plugins → Kafka → REST socket → worker → REST routes → connector files; what
//! fails before the worker starts ends with code 2, after that with 3. REST answers while connector files are worked on.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wharf_api::ConfigMap;
use wharf_rest::{BoundServer, RunningServer, Timeouts};
use wharf_runtime::config::{StandaloneConfig, read_connector_file, read_properties};
use wharf_runtime::herder::Herder;

use crate::exit::Exit;

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

/// Reads and checks the worker file. An empty path stands for no properties.
///
/// # Errors
/// Every mistake, one line each.
pub(crate) fn read_worker_file(path: &Path) -> Result<StandaloneConfig, Vec<String>> {
    let properties = if path.as_os_str().is_empty() {
        ConfigMap::new()
    } else {
        read_properties(path).map_err(|error| vec![format!("{error:#}")])?
    };
    StandaloneConfig::parse(&properties).map_err(|errors| errors.iter().map(|error| format!("{error:#}")).collect())
}

/// Serves a worker until `stop` is ready, then stops it in order.
pub(crate) async fn serve(
    bound: BoundServer,
    worker: &impl Worker,
    connector_files: &[PathBuf],
    stop: impl Future<Output = Exit>,
) -> Exit {
    let url = bound.advertised_url();
    let server = bound.serve(worker.herder(), Timeouts::default());
    tracing::info!("REST API is at {url}");
    let work = async {
        if let Err(reason) = create_connectors(worker.herder().as_ref(), connector_files).await {
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
async fn create_connectors(herder: &dyn Herder, files: &[PathBuf]) -> Result<(), String> {
    for file in files {
        let connector = read_connector_file(file).map_err(|error| format!("{error:#}"))?;
        let config = connector.config.into_iter().map(|(key, value)| (key, Some(value))).collect();
        let reply = herder.put_connector_config(&connector.name, config, connector.initial_state, false);
        reply.await.map_err(|error| {
            format!("cannot create connector {} of {}: {error}", connector.name, file.display())
        })?;
        tracing::info!("created connector {} of {}", connector.name, file.display());
    }
    Ok(())
}
