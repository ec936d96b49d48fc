//! Our worker: the binary of this workspace and its plugins.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use wharf_test_services::{ServiceError, built};

use super::process::Processes;
use super::{Engine, Place, Workers, properties, with_environment};

/// The library with the file connectors.
const PLUGIN: &str = "libwharf_file.so";

/// Wharf.
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

    fn refuses_in_rebalances(&self) -> bool {
        false
    }

    fn start(&self, place: &Place) -> Result<Box<dyn Workers>> {
        let file = place.folder.join("worker.properties");
        // What is in its plugin.path shows in many answers: the same plugins as the peer's.
        let plugins = place.folder.join("plugins");
        let library = plugins.join(PLUGIN);
        fs::create_dir_all(&plugins)
            .and_then(|()| match library.exists() {
                true => Ok(()),
                false => std::os::unix::fs::symlink(self.plugins.join(PLUGIN), &library),
            })
            .and_then(|()| fs::write(&file, properties(place, &plugins)))
            .with_context(|| format!("cannot write into {}", place.folder.display()))?;
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let mut command = with_environment();
        command.extend([path(&self.binary), place.mode.name().to_owned(), path(&file)]);
        let workers = Processes::start(place, command, "REST API is at http://")?;
        Ok(Box::new(workers))
    }
}
