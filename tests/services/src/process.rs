//! Processes that tests start: found, watched, signalled and surely ended.
//!
//! A test process can end in ways that run no destructor (abort, SIGKILL, a static that is never dropped). A
//! service is therefore started under a tiny shell guardian that holds the read end of a pipe: when the
//! last writer, the test process, is gone, the guardian kills the service. Signals go through `sh`, whose `kill`
//! is built in, which needs neither `unsafe` nor a dependency.

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often conditions of other processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The service starts first and the traps come after it: an ignored signal would be inherited, and the JVM
/// respects that. The guardian itself must outlive Ctrl-C, or nobody would be left to end the service.
const GUARDIAN: &str = r#"log=$1; shift
"$@" </dev/null >>"$log" 2>&1 &
trap '' INT HUP TERM
echo $!
read -r _
kill -9 $! 2>/dev/null
wait $! 2>/dev/null"#;

/// What happens to a service when the process that started it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It ends too, at once, whatever way that process ended.
    WithParent,
    /// It goes on until somebody stops it by its process id.
    Detached,
}

/// A running service process, known by its own id.
#[derive(Debug)]
pub struct Service {
    pid: u32,
    log: PathBuf,
    /// Length of the log before this start; what is behind it was written by this process.
    log_start: u64,
    lifetime: Lifetime,
    /// The guardian ([`Lifetime::WithParent`]) or the service itself.
    child: Child,
}

impl Service {
    /// Starts `command`, a program and its arguments, with its output appended to `log`.
    pub fn start(command: &[String], log: &Path, lifetime: Lifetime) -> io::Result<Self> {
        let log_start = std::fs::metadata(log).map_or(0, |file| file.len());
        let (child, pid) = match lifetime {
            Lifetime::WithParent => guarded(command, log)?,
            Lifetime::Detached => detached(command, log)?,
        };
        Ok(Self {
            pid,
            log: log.to_owned(),
            log_start,
            lifetime,
            child,
        })
    }

    /// Process id of the service itself, never that of its guardian.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the service still runs.
    pub fn is_running(&mut self) -> bool {
        // A detached service is our own child and would stay a zombie if nobody asked for its status.
        if self.lifetime == Lifetime::Detached && matches!(self.child.try_wait(), Ok(Some(_))) {
            return false;
        }
        is_alive(self.pid)
    }

    /// Asks the service to end and waits; after `patience` it is killed. Says whether it went by itself.
    pub fn terminate(&mut self, patience: Duration) -> io::Result<bool> {
        if !self.is_running() {
            return Ok(true);
        }
        signal(self.pid, "TERM")?;
        let gentle = wait_until(patience, || !self.is_running());
        if !gentle {
            self.kill()?;
        }
        Ok(gentle)
    }

    /// Kills the service with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) -> io::Result<()> {
        if self.is_running() {
            signal(self.pid, "KILL")?;
        }
        if wait_until(Duration::from_secs(10), || !self.is_running()) {
            Ok(())
        } else {
            Err(io::Error::other(format!(
                "process {} is still there 10 s after SIGKILL",
                self.pid
            )))
        }
    }

    /// What the service has logged since this start; the log may hold earlier ones.
    pub fn log_since_start(&self) -> String {
        let raw = std::fs::read(&self.log).unwrap_or_default();
        let start = usize::try_from(self.log_start)
            .unwrap_or(usize::MAX)
            .min(raw.len());
        String::from_utf8_lossy(&raw[start..]).into_owned()
    }

    /// The last `lines` lines of the service's log.
    pub fn log_tail(&self, lines: usize) -> String {
        log_tail(&self.log, lines)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::WithParent {
            let _ = self.kill();
            // Closing the pipe releases the guardian; waiting for it leaves no zombie behind.
            drop(self.child.stdin.take());
            let _ = self.child.wait();
        }
    }
}

fn guarded(command: &[String], log: &Path) -> io::Result<(Child, u32)> {
    let mut child = Command::new("sh")
        .args(["-c", GUARDIAN, "guardian"])
        .arg(log)
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let pid = line.trim().parse().map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("guardian answered `{}` instead of a process id", line.trim()),
        )
    })?;
    Ok((child, pid))
}

fn detached(command: &[String], log: &Path) -> io::Result<(Child, u32)> {
    use std::os::unix::process::CommandExt as _;
    let (program, args) = command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "empty command"))?;
    let out = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        // Its own group: Ctrl-C in the terminal that started it must not reach it.
        .process_group(0)
        .spawn()?;
    let pid = child.id();
    Ok((child, pid))
}

/// Whether a process of this id exists and has anything left that runs.
pub fn is_alive(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The state letter follows the name, which is in parentheses and may itself hold any character.
        Ok(stat)
            if stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .trim_start()
                .starts_with(['Z', 'X']) =>
        {
            // A killed process is called a zombie as soon as its first thread is gone; its files and sockets stay
            // open until the last one is.
            std::fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|threads| threads.count() > 1)
        }
        Ok(_) => true,
        Err(_) if Path::new("/proc/self/stat").exists() => false,
        // No /proc on this system: ask `ps`, which is slower.
        Err(_) => Command::new("ps")
            .args(["-o", "stat=", "-p", &pid.to_string()])
            .output()
            .is_ok_and(|out| out.status.success() && !out.stdout.starts_with(b"Z")),
    }
}

/// Sends a signal, named as in `TERM`, to one process.
pub fn signal(pid: u32, name: &str) -> io::Result<()> {
    let status = Command::new("sh")
        .args([
            "-c",
            "kill -s \"$1\" \"$2\" 2>/dev/null",
            "kill",
            name,
            &pid.to_string(),
        ])
        .stdin(Stdio::null())
        .status()?;
    if status.success() || !is_alive(pid) {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "cannot send SIG{name} to process {pid}"
        )))
    }
}

/// Waits until `condition` holds, looking often; `false` when `patience` ran out first.
pub fn wait_until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Whether a program of this name is found on `PATH`.
pub fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

/// The last `lines` lines of a file; an unreadable file is an empty text.
pub fn log_tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read(path)
        .map(|raw| String::from_utf8_lossy(&raw).into_owned())
        .unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that is there from the start: a process may be killed before it opens its output.
    fn log() -> PathBuf {
        let dir = crate::target_dir().join("services");
        std::fs::create_dir_all(&dir).unwrap();
        let log = dir.join(format!(
            "process-test-{}-{:?}.log",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&log, "").unwrap();
        log
    }

    fn command(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn a_service_dies_when_the_pipe_of_its_parent_closes() {
        let log = log();
        let mut service = Service::start(&command(&["sleep", "600"]), &log, Lifetime::WithParent).unwrap();
        let pid = service.pid();
        assert!(service.is_running());
        // What the kernel does to the pipe when the parent is killed, without its destructors.
        drop(service.child.stdin.take());
        assert!(
            wait_until(Duration::from_secs(10), || !is_alive(pid)),
            "process {pid} outlived its parent"
        );
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn terminate_is_gentle_first_and_kills_what_does_not_listen() {
        let log = log();
        let mut kind = Service::start(&command(&["sleep", "600"]), &log, Lifetime::WithParent).unwrap();
        assert!(kind.terminate(Duration::from_secs(10)).unwrap());
        std::fs::write(&log, "said by another one\n").unwrap();
        let deaf = command(&["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]);
        let mut deaf = Service::start(&deaf, &log, Lifetime::WithParent).unwrap();
        assert!(wait_until(Duration::from_secs(10), || deaf.log_since_start() == "deaf\n"));
        assert!(!deaf.terminate(Duration::from_millis(100)).unwrap());
        assert!(!deaf.is_running());
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_detached_service_is_known_by_its_own_pid() {
        let log = log();
        let mut service = Service::start(&command(&["sleep", "600"]), &log, Lifetime::Detached).unwrap();
        assert!(service.is_running());
        service.kill().unwrap();
        assert!(!service.is_running());
        std::fs::remove_file(log).unwrap();
    }
}
