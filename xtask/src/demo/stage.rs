//! What the demo starts: a folder, the embedded broker, the worker. All of it is gone when the stage is dropped,
//! unless it was handed over to the user.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use wharf_test_services::process::{log_tail, signal, wait_until};
use wharf_test_services::target_dir;

/// A folder of its own below the build folder, removed on drop.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// A new one; `keep` leaves it there on drop.
    pub(crate) fn new(keep: bool) -> Result<Self> {
        let path = target_dir().join(format!("demo-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, keep })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file into it and says where.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// A child process that is killed on drop, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    keep: bool,
}

impl Process {
    /// The worker, with its output in `log`.
    pub(crate) fn worker(binary: &Path, files: &[PathBuf], log: &Path, keep: bool) -> Result<Self> {
        let out = fs::File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut command = Command::new(binary);
        command
            .arg("standalone")
            .args(files)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        Self::spawn("worker", command, log, keep)
    }

    /// The embedded broker, and the address that it prints when it is ready.
    pub(crate) fn broker(binary: &Path, log: &Path, keep: bool) -> Result<(Self, String)> {
        let out = fs::File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut command = Command::new(binary);
        command.stdout(Stdio::piped()).stderr(out);
        if keep {
            command.arg("--detached").stdin(Stdio::null());
        } else {
            // Held open by us: the broker ends when we do, however that happens.
            command.stdin(Stdio::piped());
        }
        let mut broker = Self::spawn("embedded broker", command, log, keep)?;
        let mut line = String::new();
        if let Some(stdout) = broker.child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .context("cannot read the broker's address")?;
        }
        if line.trim().is_empty() {
            bail!(
                "the embedded broker ended without an address: {}",
                log_tail(log, 10)
            );
        }
        Ok((broker, line.trim().to_owned()))
    }

    fn spawn(name: &'static str, mut command: Command, log: &Path, keep: bool) -> Result<Self> {
        if keep {
            // Its own group: Ctrl-C in this terminal must not reach it.
            command.process_group(0);
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
            keep,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error when it has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the {} ended on its own: {status}", self.name),
        }
    }

    /// The last lines it wrote.
    pub(crate) fn tail(&self) -> String {
        log_tail(&self.log, 30)
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(&mut self, patience: Duration) -> Result<ExitStatus> {
        signal(self.pid(), "TERM")?;
        let mut status = None;
        wait_until(patience, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        status.with_context(|| {
            format!(
                "the {} did not end within {} s of SIGTERM",
                self.name,
                patience.as_secs()
            )
        })
    }

    /// Ends the broker by closing its standard input.
    pub(crate) fn close(&mut self, patience: Duration) -> Result<()> {
        drop(self.child.stdin.take());
        if wait_until(patience, || matches!(self.child.try_wait(), Ok(Some(_)))) {
            Ok(())
        } else {
            bail!(
                "the {} did not end within {} s of the end of its input",
                self.name,
                patience.as_secs()
            )
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.keep {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Whether a worker that got SIGTERM ended as it should: in an orderly way, with 0 or with 143 as a JVM does.
///
/// To be ended *by* the signal looks alike in a shell and is not the same: nothing was flushed.
pub(crate) fn orderly(status: ExitStatus) -> Result<()> {
    match (status.code(), status.signal()) {
        (Some(0 | 143), _) => Ok(()),
        (None, Some(signal)) => {
            bail!("the worker was ended by signal {signal} and did not stop in an orderly way")
        }
        _ => bail!("the worker answered SIGTERM with {status}, expected exit status 0 or 143"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_die_of_the_signal_is_not_an_orderly_stop() {
        // Wait statuses as the kernel gives them: exit code in the second byte, signal in the first.
        let cases = [
            (0, true),
            (143 << 8, true),
            (1 << 8, false),
            (15, false),
            (9, false),
        ];
        for (raw, expected) in cases {
            assert_eq!(orderly(ExitStatus::from_raw(raw)).is_ok(), expected, "{raw}");
        }
    }
}
