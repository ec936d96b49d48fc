//! The place where one test plays: a folder, names of its own, a broker, and the files that a worker needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use wharf_test_services::{KafkaBroker, ServiceError, available, built, target_dir};

use crate::kafka::Kafka;
use crate::worker::{Launch, Worker};

/// File name of the plugins that misbehave, count and record; cargo builds it beside the worker.
const FIXTURES: &str = "libwharf_fixture_plugins.so";

/// A test's folder and names. The folder goes when the stage is dropped.
#[derive(Debug)]
pub struct Stage {
    name: String,
    folder: TempDir,
    bootstrap: String,
    binary: PathBuf,
    keep_failed: bool,
}

impl Stage {
    /// On the broker that all tests share; `None` when the test may return because this machine cannot run it.
    ///
    /// # Panics
    /// When something that should be there is not.
    pub fn set_up(name: &str) -> Option<Self> {
        let kafka = KafkaBroker::shared()?;
        Self::on(name, kafka.bootstrap())
    }

    /// On another broker.
    ///
    /// # Panics
    /// As [`Stage::set_up`].
    pub fn on(name: &str, bootstrap: &str) -> Option<Self> {
        let fixtures = available(fixtures())?;
        let stage = Self::with_shipped_plugins(name, bootstrap)?;
        std::os::unix::fs::symlink(fixtures, stage.path("plugins").join(FIXTURES)).unwrap();
        Some(stage)
    }

    /// On another broker, with those plugins only that are made for users.
    ///
    /// # Panics
    /// As [`Stage::set_up`].
    pub fn with_shipped_plugins(name: &str, bootstrap: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let binary = available(built::worker())?;
        let plugins = available(built::plugins())?;
        let parent = target_dir().join("e2e");
        fs::create_dir_all(&parent).unwrap();
        let folder = TempDir::with_prefix_in(format!("{name}-"), parent).unwrap();
        let path = folder.path().join("plugins");
        fs::create_dir(&path).unwrap();
        // Links, as an administrator would set: what is behind them may be replaced by a build meanwhile.
        std::os::unix::fs::symlink(plugins, path.join("shipped")).unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            name: format!("{name}-{}-{number}", std::process::id()),
            folder,
            bootstrap: bootstrap.to_owned(),
            binary,
            keep_failed: false,
        })
    }

    /// Lets the folder, logs of workers included, stay where it is when the test fails.
    pub fn keep_when_failed(&mut self) {
        self.keep_failed = true;
    }

    /// The name `what` made this test's own, fit for topics, groups and connectors.
    pub fn named(&self, what: &str) -> String {
        format!("{}-{what}", self.name)
    }

    /// A file of this name in the test's folder.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The same as text.
    pub fn file(&self, file: &str) -> String {
        self.path(file).to_string_lossy().into_owned()
    }

    /// Writes a file and says where it is.
    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(file);
        fs::write(&path, content).unwrap();
        path
    }

    /// The whole content of a file; empty when it is not there.
    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap_or_default()
    }

    /// Address of the broker.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The worker binary.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Clients of the test itself.
    pub fn kafka(&self) -> Kafka {
        Kafka::new(&self.bootstrap)
    }

    /// Properties of a worker that moves text as it is; `more` comes last and so wins.
    pub fn worker_properties(&self, more: &[(&str, &str)]) -> String {
        let string = "org.apache.kafka.connect.storage.StringConverter";
        let base = properties(&[
            ("bootstrap.servers", &self.bootstrap),
            // The system chooses a port that nobody has; the log tells which.
            ("listeners", "http://127.0.0.1:0"),
            ("key.converter", string),
            ("value.converter", string),
            ("offset.storage.file.filename", &self.file("offsets")),
            ("plugin.path", &self.file("plugins")),
            // A killed member would otherwise hold its partitions for 45 s.
            ("consumer.session.timeout.ms", "2000"),
            ("consumer.heartbeat.interval.ms", "400"),
        ]);
        base + &properties(more)
    }

    /// Starts a worker with these properties on top of the usual ones, and waits until it is ready.
    pub fn start(&self, more: &[(&str, &str)], connector_files: &[PathBuf]) -> Worker {
        let worker = self.launch(more, connector_files, Launch::default());
        worker.wait_ready();
        worker
    }

    /// Starts a worker and waits for nothing.
    pub fn launch(&self, more: &[(&str, &str)], connector_files: &[PathBuf], launch: Launch) -> Worker {
        let file = self.write("worker.properties", self.worker_properties(more));
        let mut arguments = vec!["standalone".into(), file.into_os_string()];
        arguments.extend(connector_files.iter().map(|file| file.clone().into_os_string()));
        Worker::spawn(&self.binary, &arguments, self.folder.path(), launch)
    }
}

impl Drop for Stage {
    #[allow(
        clippy::print_stderr,
        reason = "who looks into a failed test wants to know where its files are"
    )]
    fn drop(&mut self) {
        if self.keep_failed && std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!(
                "the files of the failed test are kept in {}",
                self.folder.path().display()
            );
        }
    }
}

/// The fixture plugins, where `cargo xtask test` has them built.
fn fixtures() -> Result<PathBuf, ServiceError> {
    let worker = built::worker()?;
    let path = worker.with_file_name(FIXTURES);
    if path.exists() {
        return Ok(path);
    }
    Err(ServiceError::Unavailable(format!(
        "{} is not there; run the tests by `cargo xtask test`",
        path.display()
    )))
}

/// Java properties of these pairs: ISO-8859-1, with `\uXXXX` for everything beyond ASCII.
pub fn properties(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(key, value)| format!("{key}={}\n", escape(value)))
        .collect()
}

fn escape(value: &str) -> String {
    let units = value.encode_utf16().map(|unit| match u8::try_from(unit) {
        Ok(b'\\') => "\\\\".to_owned(),
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    });
    units.collect()
}
