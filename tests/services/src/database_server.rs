//! What the database servers under test have in common: a port, a log that says when they answer, a restart with the same data.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::data_folder::DataFolder;
use crate::process::{Lifetime, Service, wait_until};
use crate::{ServiceError, ports};

/// A cold start on a busy machine takes seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A kind of server.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// What it logs when it answers.
    pub(crate) ready: &'static str,
}

/// A running server. Its data are removed when it is dropped.
#[derive(Debug)]
pub(crate) struct DatabaseServer {
    kind: &'static Kind,
    service: Service,
    command: Vec<String>,
    log: PathBuf,
    port: u16,
    folder: DataFolder,
}

impl DatabaseServer {
    /// Starts one by this command and what tells it its port, and waits until it answers.
    ///
    /// # Errors
    /// [`ServiceError::Failed`] when it does not.
    pub(crate) fn start(
        kind: &'static Kind,
        folder: DataFolder,
        command: &[String],
        with_port: impl Fn(u16) -> Vec<String>,
    ) -> Result<Self, ServiceError> {
        let log = folder.path().join("log");
        let mut attempt = 0;
        let (port, command, service) = loop {
            attempt += 1;
            let [port] = ports::lasting().map_err(|e| ServiceError::failed(format!("no free port: {e}")))?;
            let command: Vec<String> = command.iter().cloned().chain(with_port(port)).collect();
            match started(kind, &command, &log) {
                // Another process was faster.
                Err(ServiceError::Failed(reason))
                    if reason.contains("Address already in use") && attempt < 5 => {}
                service => break (port, command, service?),
            }
        };
        Ok(Self {
            kind,
            service,
            command,
            log,
            port,
            folder,
        })
    }

    /// Its port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.service.pid()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.service.kill()
    }

    /// Starts it again, with the data that it had.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub(crate) fn restart(&mut self) -> Result<(), ServiceError> {
        self.service = started(self.kind, &self.command, &self.log)?;
        Ok(())
    }
}

/// A process that answers.
fn started(kind: &Kind, command: &[String], log: &Path) -> Result<Service, ServiceError> {
    let mut service = Service::start(command, log, Lifetime::WithParent)
        .map_err(|e| ServiceError::failed(format!("cannot start {}: {e}", kind.name)))?;
    let is_ready = |service: &Service| service.log_since_start().contains(kind.ready);
    wait_until(PATIENCE, || is_ready(&service) || !service.is_running());
    if is_ready(&service) {
        return Ok(service);
    }
    Err(ServiceError::failed(format!(
        "{} did not come up:\n{}",
        kind.name,
        service.log_tail(20)
    )))
}
