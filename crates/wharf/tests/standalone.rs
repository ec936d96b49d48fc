//! A standalone worker as a process: how it starts, answers and ends. Kafka is the embedded broker.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use wharf_embedded_broker::EmbeddedBroker;

/// A worker with files of its own.
struct Worker {
    child: Child,
    log: BufReader<ChildStdout>,
    seen: String,
    _broker: EmbeddedBroker,
    _folder: tempfile::TempDir,
}

impl Worker {
    fn start(connector_files: &[(&str, &str)]) -> Self {
        let broker = EmbeddedBroker::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let offsets = folder.path().join("offsets");
        let worker_file = folder.path().join("worker.properties");
        let properties = format!(
            "bootstrap.servers={}\nlisteners=http://127.0.0.1:0\noffset.storage.file.filename={}\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n",
            broker.bootstrap(),
            offsets.display()
        );
        std::fs::write(&worker_file, properties).unwrap();
        let files: Vec<PathBuf> = connector_files
            .iter()
            .map(|(name, content)| {
                let file = folder.path().join(name);
                std::fs::write(&file, content).unwrap();
                file
            })
            .collect();
        let mut child = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .arg("standalone")
            .arg(worker_file)
            .args(files)
            .env_remove("WHARF_LOG")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            log,
            seen: String::new(),
            _broker: broker,
            _folder: folder,
        }
    }

    /// Reads the log up to the line that has this text.
    fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).unwrap();
            assert!(read > 0, "the worker ended without '{text}':\n{}", self.seen);
            self.seen.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The address of the REST API.
    fn address(&mut self) -> String {
        let line = self.line_with("REST API is at http://");
        let address = line.split("http://").nth(1).unwrap();
        address.split('/').next().unwrap().to_owned()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// The rest of the log, and how the process ended.
    fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        self.seen.push_str(&rest);
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Worker {
    /// A failed assertion must not leave a worker behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_worker_answers_and_ends_in_order_after_a_signal() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut worker = Worker::start(&[]);
        let address = worker.address();
        worker.line_with("Kafka Connect worker started");
        assert!(get(&address, "/").contains(r#""kafka_cluster_id":""#));
        assert!(get(&address, "/health").starts_with("HTTP/1.1 200 OK"));
        assert!(get(&address, "/connectors").ends_with("[]"));
        let request = worker.line_with("GET /connectors HTTP/1.1");
        assert!(
            request.contains("INFO") && request.contains("rest.RestServer"),
            "{request}"
        );
        worker.signal(signal);
        let (ended, log) = worker.end();
        assert_eq!(ended, Some(code), "{log}");
        assert!(log.contains("Kafka Connect worker stopped"), "{log}");
    }
}

#[test]
fn a_connector_file_that_fails_ends_the_worker_with_3() {
    for (content, reason) in [
        ("tasks.max=1", "missing the mandatory 'name' configuration"),
        (
            "name=c\nconnector.class=NoSuchConnector\ntopic=t",
            "NoSuchConnector",
        ),
    ] {
        let worker = Worker::start(&[("c.properties", content)]);
        let (ended, log) = worker.end();
        assert_eq!(ended, Some(3), "{log}");
        assert!(log.contains(reason), "{log}");
    }
}
