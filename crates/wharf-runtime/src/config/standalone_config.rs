//! The worker's configuration in standalone mode.

use std::path::PathBuf;
use std::sync::Arc;

use wharf_api::{ConfigMap, ConnectError};

use super::worker_config::WorkerConfig;
use super::worker_mode::WorkerMode;

/// The checked configuration of a standalone worker.
#[derive(Debug, Clone)]
pub struct StandaloneConfig {
    /// What it shares with a distributed worker.
    pub worker: Arc<WorkerConfig>,
    /// The file that keeps source offsets.
    pub offset_storage_file: PathBuf,
}

impl StandaloneConfig {
    /// Checks the properties of a worker file.
    ///
    /// # Errors
    ///
    /// Every mistake: values that do not parse or are out of range, required keys that are missing, keys that ask for
    /// something this build does not do.
    pub fn parse(properties: &ConfigMap) -> Result<Self, Vec<ConnectError>> {
        let (worker, parsed) = WorkerConfig::parse(WorkerMode::Standalone, properties, Vec::new())?;
        let file = parsed.string("offset.storage.file.filename");
        Ok(Self {
            worker: Arc::new(worker),
            offset_storage_file: PathBuf::from(file.map_err(|error| vec![error])?),
        })
    }
}
