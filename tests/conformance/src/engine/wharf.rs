//! Our worker: the binary of this workspace and its plugins, standalone.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use wharf_test_services::{ServiceError, built};

use super::process::Standalone;
use super::{Engine, Place, Workers, properties};

/// Wharf, standalone.
#[derive(Debug, Clone)]
pub struct Wharf {
    binary: PathBuf,
    plugins: PathBuf,
}

impl Wharf {
    /// What `cargo xtask` has built.
    pub fn new() -> Result<Self, ServiceError> {
        Ok(Self {
            binary: built::worker()?,
            plugins: built::plugins()?,
        })
    }
}

impl Engine for Wharf {
    fn name(&self) -> &'static str {
        "wharf"
    }

    fn start(&self, place: &Place) -> Result<Box<dyn Workers>> {
        let file = place.folder.join("worker.properties");
        fs::write(&file, properties(place, &self.plugins))
            .with_context(|| format!("cannot write into {}", place.folder.display()))?;
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        // Levels that the caller's environment sets would show in answers about loggers.
        let mut command = ["env", "-u", "WHARF_LOG"].map(str::to_owned).to_vec();
        command.extend([path(&self.binary), "standalone".to_owned(), path(&file)]);
        let worker = Standalone::start(command, place.folder.join("worker.log"), "REST API is at http://")?;
        Ok(Box::new(worker))
    }
}
