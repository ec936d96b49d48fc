//! The peer: `ConnectStandalone` and `ConnectDistributed` of Apache Kafka, with the file connectors in `plugin.path`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use wharf_test_services::bundle::Bundle;
use wharf_test_services::{ServiceError, jvm_connect};

use super::process::Processes;
use super::{Engine, Place, Workers, properties, with_environment};
use crate::mode::Mode;

/// JVM Kafka Connect.
#[derive(Debug, Clone)]
pub struct Jvm {
    jars: PathBuf,
    plugins: PathBuf,
}

impl Jvm {
    /// Fetches its jars where they are not there yet.
    pub fn new() -> Result<Self, ServiceError> {
        Ok(Self {
            jars: Bundle::connect().fetch()?,
            plugins: Bundle::connect_file().fetch()?,
        })
    }
}

impl Engine for Jvm {
    fn name(&self) -> &'static str {
        "jvm"
    }

    fn refuses_in_rebalances(&self) -> bool {
        true
    }

    fn start(&self, place: &Place) -> Result<Box<dyn Workers>> {
        let file = place.folder.join("worker.properties");
        let class = match place.mode {
            Mode::Standalone => "ConnectStandalone",
            Mode::Distributed => "ConnectDistributed",
        };
        let java = fs::write(&file, properties(place, &self.plugins))
            .and_then(|()| {
                jvm_connect::command(
                    &self.jars,
                    &jvm_connect::SHORT_RUN,
                    class,
                    &[&file],
                    &place.folder,
                )
            })
            .with_context(|| format!("cannot write into {}", place.folder.display()))?;
        let mut command = with_environment();
        command.extend(java);
        let workers = Processes::start(place, command, "REST server listening at http://")?;
        Ok(Box::new(workers))
    }
}
