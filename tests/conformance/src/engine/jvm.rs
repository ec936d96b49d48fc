//! The peer: `ConnectStandalone` and `ConnectDistributed` of Apache Kafka, with the file connectors in `plugin.path`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use wharf_test_services::ServiceError;
use wharf_test_services::bundle::Bundle;

use super::process::Processes;
use super::{Engine, Place, Workers, properties};
use crate::mode::Mode;

/// As the file that comes with Kafka: INFO for the root, nothing else named, so that the list of loggers starts alike.
const LOGGING: &str = "status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %X{connector.context}%m (%c:%L)%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
";

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
        let logging = place.folder.join("log4j2.properties");
        fs::write(&file, properties(place, &self.plugins))
            .and_then(|()| fs::write(&logging, LOGGING))
            .with_context(|| format!("cannot write into {}", place.folder.display()))?;
        let mut command: Vec<String> = [
            "java",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            // Short runs are over before the second compiler pays.
            "-XX:TieredStopAtLevel=1",
            // Errors then name their classes and messages as on any other machine.
            "-Duser.language=en",
        ]
        .map(str::to_owned)
        .to_vec();
        command.push(format!("-Dlog4j2.configurationFile={}", logging.display()));
        command.push("-cp".to_owned());
        command.push(format!("{}/*", self.jars.display()));
        let class = match place.mode {
            Mode::Standalone => "ConnectStandalone",
            Mode::Distributed => "ConnectDistributed",
        };
        command.push(format!("org.apache.kafka.connect.cli.{class}"));
        command.push(file.to_string_lossy().into_owned());
        let workers = Processes::start(place, command, "REST server listening at http://")?;
        Ok(Box::new(workers))
    }
}
