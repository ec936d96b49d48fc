//! A worker process and its REST API, as a user sees them.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_test_services::http::{self, Response};
use wharf_test_services::process::{signal, wait_until};

/// Longest time that anything may take before a test gives up; generous, for machines that are busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the same thing.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// What stands before the address of the REST API in the log, of a worker of this project and of a JVM worker.
const REST_AT: [&str; 2] = ["REST API is at http://", "REST server listening at http://"];
const READY: &str = "Kafka Connect worker started";

/// How a worker is started, where that differs from the usual.
#[derive(Debug, Default)]
pub struct Launch {
    /// Standard input is a pipe ([`Worker::stdin`]) instead of nothing.
    pub stdin: bool,
    /// Value of `WHARF_LOG`.
    pub log: Option<&'static str>,
    /// Further variables of its environment.
    pub variables: &'static [(&'static str, &'static str)],
}

/// A running worker; killed when dropped, and also when the test process ends without dropping it.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    /// Kills the worker when the pipe to it closes, as it does when the test process dies.
    guardian: Child,
    log: PathBuf,
    /// Length of the log before this start.
    log_start: usize,
    address: OnceLock<String>,
    is_jvm: bool,
}

impl Worker {
    /// Starts `binary` in `folder`; standard output and error go to `worker.log` there.
    pub fn spawn(binary: &Path, arguments: &[OsString], folder: &Path, launch: Launch) -> Self {
        let log = folder.join("worker.log");
        let log_start = fs::metadata(&log).map_or(0, |file| file.len() as usize);
        let out = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(binary);
        command
            .args(arguments)
            .current_dir(folder)
            .stdin(if launch.stdin {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .env_remove("WHARF_LOG")
            .envs(launch.variables.iter().copied());
        if let Some(levels) = launch.log {
            command.env("WHARF_LOG", levels);
        }
        let child = command.spawn().unwrap();
        // It outlives the signals that end a whole process group, or nobody would be left to end the worker.
        let guardian = Command::new("sh")
            .args([
                "-c",
                "trap '' INT HUP TERM; read -r _; kill -9 \"$1\" 2>/dev/null",
                "guardian",
            ])
            .arg(child.id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            guardian,
            log,
            log_start,
            address: OnceLock::new(),
            is_jvm: binary.ends_with("java"),
        }
    }

    /// Waits until the connectors of the command line exist.
    pub fn wait_ready(&self) {
        self.wait_log(READY);
    }

    /// Waits until the log has this text.
    pub fn wait_log(&self, text: &str) {
        let mut ended = false;
        let found = wait_until(PATIENCE, || {
            ended = self.has_ended();
            self.log().contains(text) || ended
        });
        assert!(
            found && self.log().contains(text),
            "no '{text}' in the log of the worker (ended: {ended})"
        );
    }

    /// What it has logged since its start.
    pub fn log(&self) -> String {
        let all = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&all[self.log_start.min(all.len())..]).into_owned()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it reads its standard input from.
    pub fn stdin(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Whether nothing of it runs any more.
    pub fn has_ended(&self) -> bool {
        !wharf_test_services::process::is_alive(self.child.id())
    }

    /// Host and port of the REST API.
    pub fn address(&self) -> &str {
        self.address.get_or_init(|| {
            let mut address = None;
            wait_until(PATIENCE, || {
                address = rest_address(&self.log());
                address.is_some() || self.has_ended()
            });
            address.unwrap_or_else(|| panic!("no address of a REST API in the log of the worker"))
        })
    }

    /// One request; every status is an answer.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        let body = body.map(Value::to_string);
        http::request(self.address(), method, path, body.as_deref())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// One request that must be answered with `status`; the body, or null.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
        let response = self.request(method, path, body);
        assert_eq!(response.status, status, "{method} {path}: {}", response.body);
        serde_json::from_str(&response.body).unwrap_or(Value::Null)
    }

    /// Whether it is Kafka's own.
    pub fn is_jvm(&self) -> bool {
        self.is_jvm
    }

    /// A GET that must succeed.
    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, None, 200)
    }

    /// The `message` of a request that must be refused with `status`.
    pub fn refused(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> String {
        let answer = self.call(method, path, body, status);
        assert_eq!(answer["error_code"], status, "{answer}");
        answer["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Creates a connector that must be accepted.
    pub fn create(&self, name: &str, config: Value) -> Value {
        self.call(
            "POST",
            "/connectors",
            Some(&json!({"name": name, "config": config})),
            201,
        )
    }

    /// Repeats a GET until it answers 200 and `done` holds for the body.
    pub fn until(&self, path: &str, what: &str, mut done: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.request("GET", path, None);
            if response.status == 200
                && let Ok(value) = serde_json::from_str(&response.body)
                && done(&value)
            {
                return value;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain until {what}; last answer of GET {path}: {} {}",
                response.status,
                response.body
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until the connector and its tasks are in these states: the connector's first, then task by task.
    pub fn until_states(&self, name: &str, wanted: &[&str]) -> Value {
        self.until(
            &format!("/connectors/{name}/status"),
            &format!("{name} is {wanted:?}"),
            |status| states(status) == wanted,
        )
    }

    /// Sends it a signal, named as in `TERM`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name).unwrap();
    }

    /// Waits for its end; the exit code, or `None` when a signal ended it.
    pub fn end(&mut self, patience: Duration) -> Option<i32> {
        let mut status = None;
        wait_until(patience, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status
            .unwrap_or_else(|| panic!("the worker is still there after {patience:?}"))
            .code()
    }

    /// SIGTERM and its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        self.signal("TERM");
        self.end(PATIENCE)
    }

    /// SIGKILL, as a power failure would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Largest amount of memory it ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Worker {
    #[allow(clippy::print_stderr, reason = "a failed test shows what its worker said")]
    fn drop(&mut self) {
        // The guardian first: once the worker is reaped its process id may be another's.
        let _ = self.guardian.kill();
        let _ = self.guardian.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("end of the worker's log:\n{tail}\n");
        }
    }
}

/// Host and port of the REST API, once its line in the log is there so far.
fn rest_address(log: &str) -> Option<String> {
    let rest = REST_AT
        .iter()
        .find_map(|before| Some(log.split_once(before)?.1))?;
    let (address, _) = rest.split_once(['/', '\n', ' ', ','])?;
    Some(address.to_owned())
}

/// The states within the answer of `GET /connectors/X/status`: the connector's first, then task by task.
pub fn states(status: &Value) -> Vec<&str> {
    let tasks = status["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(&status["connector"])
        .chain(tasks)
        .map(|part| part["state"].as_str().unwrap_or_default())
        .collect()
}

/// Whether the connector and all of its tasks, at least one, are in this state.
pub fn has_state(status: &Value, state: &str) -> bool {
    let all = states(status);
    all.len() > 1 && all.iter().all(|one| *one == state)
}
