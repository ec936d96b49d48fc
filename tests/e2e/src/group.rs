//! A group of workers of one test, and what such tests ask of it.

use std::time::{Duration, Instant};

use crate::stage::{Stage, properties};
use crate::worker::{Launch, PATIENCE, Worker};
use serde_json::{Value, json};

/// How soon the group forgets a member that is silent.
pub const SESSION: Duration = Duration::from_millis(6_000);

/// The common settings of all workers of one test.
#[derive(Debug)]
pub struct Group {
    /// Where it plays.
    pub stage: Stage,
}

impl Group {
    /// `None` when the test may return because this machine cannot run it.
    pub fn set_up(name: &str) -> Option<Self> {
        Some(Self {
            stage: Stage::set_up(name)?,
        })
    }

    /// Starts a worker of the group and waits until it answers.
    pub fn start(&self, name: &str) -> Worker {
        self.start_with(name, &[])
    }

    /// What all workers have in common; `more` comes last and so wins.
    pub fn properties(&self, more: &[(&str, &str)]) -> String {
        let stage = &self.stage;
        let string = "org.apache.kafka.connect.storage.StringConverter";
        let session = SESSION.as_millis().to_string();
        let base = properties(&[
            ("bootstrap.servers", stage.bootstrap()),
            ("group.id", &stage.named("workers")),
            ("listeners", "http://127.0.0.1:0"),
            ("key.converter", string),
            ("value.converter", string),
            ("plugin.path", &stage.file("plugins")),
            ("config.storage.topic", &stage.named("configs")),
            ("offset.storage.topic", &stage.named("offsets")),
            ("status.storage.topic", &stage.named("statuses")),
            ("config.storage.replication.factor", "1"),
            ("offset.storage.replication.factor", "1"),
            ("status.storage.replication.factor", "1"),
            ("offset.storage.partitions", "3"),
            ("status.storage.partitions", "2"),
            ("offset.flush.interval.ms", "500"),
            ("session.timeout.ms", &session),
            ("heartbeat.interval.ms", "200"),
            ("consumer.session.timeout.ms", "6000"),
            ("consumer.heartbeat.interval.ms", "400"),
        ]);
        base + &properties(more)
    }

    /// With further worker properties.
    pub fn start_with(&self, name: &str, more: &[(&str, &str)]) -> Worker {
        let worker = self.launch_with(name, more);
        worker.wait_ready();
        worker
    }

    /// The same, without waiting for anything.
    pub fn launch_with(&self, name: &str, more: &[(&str, &str)]) -> Worker {
        self.launch(name, more, Launch::default())
    }

    /// The same, started in another way than usual.
    pub fn launch(&self, name: &str, more: &[(&str, &str)], launch: Launch) -> Worker {
        let stage = &self.stage;
        let folder = stage.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = stage.write(&format!("{name}/worker.properties"), self.properties(more));
        let arguments = ["distributed".into(), file.into_os_string()];
        Worker::spawn(stage.binary(), &arguments, &folder, launch)
    }
}

/// `worker_id` of a connector instance and of its tasks, in their order.
pub fn workers_of(status: &Value) -> Vec<String> {
    let tasks = status["tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(&status["connector"])
        .chain(tasks)
        .map(|part| part["worker_id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// A file source.
pub fn file_source(file: &str, topic: &str) -> Value {
    json!({
        "connector.class": "FileStreamSource",
        "tasks.max": "1",
        "file": file,
        "topic": topic,
    })
}

/// A file sink.
pub fn file_sink(file: &str, topic: &str) -> Value {
    json!({
        "connector.class": "FileStreamSink",
        "tasks.max": "1",
        "file": file,
        "topics": topic,
    })
}

/// Waits until a condition holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    eventually_ok(what, || holds().then_some(()).ok_or("it does not hold"));
}

/// The same of a condition that says what is otherwise.
pub fn eventually_ok<E: std::fmt::Display>(what: &str, mut outcome: impl FnMut() -> Result<(), E>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(reason) = outcome() {
        assert!(Instant::now() < deadline, "waited in vain until {what}: {reason}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// What a command that looks at the group answered.
#[derive(Debug)]
pub struct Looked {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Looked {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr))
    }
}

impl From<std::process::Output> for Looked {
    fn from(output: std::process::Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Group {
    /// Runs `wharf` with these arguments and a worker file of the group.
    pub fn look(&self, arguments: &[&str], more: &[(&str, &str)]) -> Looked {
        self.command(arguments, more).output().unwrap().into()
    }

    /// The command that does so, without a terminal.
    pub fn command(&self, arguments: &[&str], more: &[(&str, &str)]) -> std::process::Command {
        let file = self.stage.write("look.properties", self.properties(more));
        let mut command = std::process::Command::new(self.stage.binary());
        command
            .args(arguments)
            .arg(file)
            .stdin(std::process::Stdio::null());
        command
    }
}
