//! Workers as processes: started, waited for, restarted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use wharf_test_services::http;
use wharf_test_services::process::{Lifetime, Service, wait_until};

use super::{Place, Workers};

/// A cold JVM on a busy machine with two cores needs tens of seconds.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// Longer than tasks get to end, in either worker.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// Workers that were started with the same command.
pub(super) struct Processes {
    command: Vec<String>,
    /// What the log says right before the address of the REST API.
    address_after: &'static str,
    workers: Vec<Process>,
}

struct Process {
    log: PathBuf,
    service: Service,
    address: String,
}

impl Processes {
    /// Starts as many as `place` says, one after the other, and waits until each of them answers.
    pub(super) fn start(place: &Place, command: Vec<String>, address_after: &'static str) -> Result<Self> {
        let mut workers = Vec::with_capacity(place.workers);
        for number in 0..place.workers {
            let log = place.folder.join(format!("worker-{number}.log"));
            let (service, address) = launch(&command, &log, address_after)?;
            workers.push(Process {
                log,
                service,
                address,
            });
        }
        Ok(Self {
            command,
            address_after,
            workers,
        })
    }
}

impl Workers for Processes {
    fn addresses(&self) -> Vec<String> {
        self.workers.iter().map(|worker| worker.address.clone()).collect()
    }

    fn restart(&mut self, worker: usize) -> Result<()> {
        let process = self
            .workers
            .get_mut(worker)
            .with_context(|| format!("there is no worker {worker}"))?;
        if !process.service.terminate(STOP_PATIENCE)? {
            bail!("the worker did not end in {STOP_PATIENCE:?} after SIGTERM");
        }
        (process.service, process.address) = launch(&self.command, &process.log, self.address_after)?;
        Ok(())
    }

    fn log(&self, worker: usize) -> &Path {
        &self.workers[worker].log
    }
}

fn launch(command: &[String], log: &Path, address_after: &str) -> Result<(Service, String)> {
    let mut service = Service::start(command, log, Lifetime::WithParent)
        .with_context(|| format!("cannot start {}", command[0]))?;
    let mut address = None;
    let healthy = |address: &str| {
        http::send(address, "GET", "/health", &[], None).is_ok_and(|response| response.status == 200)
    };
    wait_until(START_PATIENCE, || {
        if address.is_none() {
            address = find_address(&service.log_since_start(), address_after);
        }
        address.as_deref().is_some_and(healthy) || !service.is_running()
    });
    match address {
        Some(address) if healthy(&address) => Ok((service, address)),
        _ => bail!(
            "the worker did not come up, see {}; its last lines:\n{}",
            log.display(),
            service.log_tail(30)
        ),
    }
}

/// The host and port behind `after`, once the line is complete.
fn find_address(log: &str, after: &str) -> Option<String> {
    let (_, rest) = log.split_once(after)?;
    let (address, _) = rest.split_once(['/', '\n', ' ', ','])?;
    Some(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_when_it_is_complete() {
        let cases = [
            ("at http://127.0.0.1:80/ now", Some("127.0.0.1:80")),
            ("at http://[::1]:80\n", Some("[::1]:80")),
            ("at http://127.0.0.1:8", None),
            ("nothing", None),
        ];
        for (log, expected) in cases {
            assert_eq!(find_address(log, "at http://").as_deref(), expected, "{log}");
        }
    }
}
