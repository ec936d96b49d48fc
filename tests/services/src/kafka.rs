//! A real Apache Kafka broker: one KRaft node on the loopback interface, with its data below the build folder.
//!
//! A broker is ready when its own log says so and it answers an ApiVersions request. An open port is not enough: KRaft
//! opens it first and serves it later, and a broker that answers could be another one that took the port. `kill` keeps
//! port and data, so that `restart` is the same broker coming back, which is what tests about lost connections need.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::bundle::Bundle;
use crate::kafka_config::{
    LOGGING, Ports, cluster_id, joining_properties, proxied_properties, server_properties,
};
use crate::kafka_security::Security;
use crate::process::{Lifetime, Service, is_alive, on_path};
use crate::{ServiceError, ports, skip, target_dir};

/// A cold JVM on a busy machine with two cores needs tens of seconds.
const START_PATIENCE: Duration = Duration::from_secs(120);
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// What a KRaft broker logs as the last act of its start.
const STARTED: &str = "Kafka Server started";
/// A free port can be taken by another process before the broker binds it.
const PORT_ATTEMPTS: u32 = 3;
/// Number of a broker that joins no other.
const FIRST_NODE: u32 = 1;

/// How a broker shall be started; the default is what tests want.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Server properties on top of the defaults, such as `message.max.bytes`.
    pub properties: Vec<(String, String)>,
    /// Port for clients; a free one when `None`.
    pub port: Option<u16>,
    /// What happens to it when this process ends.
    pub lifetime: Lifetime,
    /// Folder for data and log; a new one below the build folder when `None`.
    pub folder: Option<PathBuf>,
    /// Whether it has secured listeners beside the plain one; see [`KafkaBroker::security`].
    pub secured: bool,
    /// Port of a proxy of the test's own: the broker gets a further plain listener, [`KafkaBroker::proxied_port`], and tells its
    /// clients that it is reached by this port. Not together with `secured`.
    pub proxy: Option<u16>,
    /// Another broker whose cluster it joins.
    pub joins: Option<ClusterSeat>,
    /// Further arguments of its Java, such as `-Dname=value`.
    pub java: Vec<String>,
}

/// A place in the cluster of a broker that runs, for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSeat {
    cluster_id: String,
    controller: u16,
    node: u32,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            properties: Vec::new(),
            port: None,
            lifetime: Lifetime::WithParent,
            folder: None,
            secured: false,
            proxy: None,
            joins: None,
            java: Vec::new(),
        }
    }
}

/// A running broker. Dropping it kills the broker and removes its data, unless it was started detached.
#[derive(Debug)]
pub struct KafkaBroker {
    service: Service,
    jars: PathBuf,
    folder: PathBuf,
    ports: Ports,
    lifetime: Lifetime,
    security: Option<Security>,
    cluster_id: String,
    node: u32,
    proxied: Option<u16>,
    java: Vec<String>,
}

/// A broker that several tests use: topics and groups need names of their own.
#[derive(Debug)]
pub struct SharedKafka {
    bootstrap: String,
    /// Present when this process started it.
    _broker: Option<KafkaBroker>,
}

impl SharedKafka {
    /// Address for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}

impl KafkaBroker {
    /// Starts a broker of one's own and waits until it answers.
    pub fn start() -> Result<Self, ServiceError> {
        Self::start_with(&KafkaOptions::default())
    }

    /// Starts a broker with other options than the default ones.
    pub fn start_with(options: &KafkaOptions) -> Result<Self, ServiceError> {
        skip::told_to_skip()?;
        java_available()?;
        let jars = Bundle::kafka().fetch()?;
        let mut attempt = 1;
        loop {
            match Self::try_start(options, &jars) {
                Err(ServiceError::Failed(why))
                    if options.port.is_none()
                        && attempt < PORT_ATTEMPTS
                        && why.contains("Address already in use") =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn try_start(options: &KafkaOptions, jars: &Path) -> Result<Self, ServiceError> {
        let failed = |what: &str, error: io::Error| ServiceError::failed(format!("cannot {what}: {error}"));
        let [broker, controller, behind_proxy, secured @ ..] =
            ports::free::<7>().map_err(|e| failed("find free ports", e))?;
        let ports = Ports {
            broker: options.port.unwrap_or(broker),
            controller,
        };
        let (cluster_id, node) = match &options.joins {
            Some(seat) => (seat.cluster_id.clone(), seat.node),
            None => (new_cluster_id(), FIRST_NODE),
        };
        let folder = options.folder.clone().unwrap_or_else(new_folder);
        std::fs::create_dir_all(&folder).map_err(|e| failed(&format!("create {}", folder.display()), e))?;
        let security = match options.secured {
            true => Some(Security::make(&folder, secured)?),
            false => None,
        };
        let mut more = security.as_ref().map_or_else(Vec::new, |security| {
            security.properties(ports.broker, ports.controller)
        });
        if let Some(proxy) = options.proxy {
            more.extend(proxied_properties(ports, behind_proxy, proxy));
        }
        if let Some(seat) = &options.joins {
            more.extend(joining_properties(ports, seat.controller, node));
        }
        more.extend(options.properties.iter().cloned());
        let properties = server_properties(ports, &folder, &more);
        std::fs::write(config_of(&folder), properties)
            .and_then(|()| std::fs::write(folder.join("log4j2.properties"), LOGGING))
            .map_err(|e| failed(&format!("write into {}", folder.display()), e))?;
        let users = security
            .as_ref()
            .map_or_else(Vec::new, |_| Security::format_arguments());
        let mut arguments: Vec<&str> = users.iter().map(String::as_str).collect();
        if options.joins.is_none() {
            arguments.push("--standalone");
        }
        format_storage(jars, &folder, &cluster_id, &arguments)?;
        let service = launch(jars, &folder, &options.java, options.lifetime)?;
        let mut kafka = Self {
            service,
            jars: jars.to_owned(),
            folder,
            ports,
            lifetime: options.lifetime,
            security,
            cluster_id,
            node,
            proxied: options.proxy.map(|_| behind_proxy),
            java: options.java.clone(),
        };
        if let Err(error) = kafka.wait_until_it_answers() {
            // Dropping a detached one would leave it running.
            let _ = kafka.kill();
            return Err(error);
        }
        Ok(kafka)
    }

    /// The broker that all tests of a run share: the one named by [`crate::TEST_KAFKA`], else one for this process.
    ///
    /// `None` means that no broker can be had here and that the test may return; the reason has been printed.
    ///
    /// # Panics
    /// When a broker should be there and is not, which is how a test fails.
    pub fn shared() -> Option<&'static SharedKafka> {
        static SHARED: OnceLock<Result<SharedKafka, ServiceError>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| match std::env::var(crate::TEST_KAFKA) {
            Ok(bootstrap) if !bootstrap.is_empty() => Ok(SharedKafka {
                bootstrap,
                _broker: None,
            }),
            _ => Self::start().map(|broker| SharedKafka {
                bootstrap: broker.bootstrap(),
                _broker: Some(broker),
            }),
        });
        skip::available(shared.as_ref().map_err(Clone::clone))
    }

    /// The secured broker that all tests of a process share; `None` and panics as with [`KafkaBroker::shared`].
    pub fn shared_secured() -> Option<(&'static Self, &'static Security)> {
        static SHARED: OnceLock<Result<KafkaBroker, ServiceError>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            Self::start_with(&KafkaOptions {
                secured: true,
                ..KafkaOptions::default()
            })
        });
        let broker = skip::available(shared.as_ref().map_err(Clone::clone))?;
        Some((broker, broker.security()?))
    }

    /// A broker of its own for one test; `None` and panics as with [`KafkaBroker::shared`].
    pub fn for_test() -> Option<Self> {
        skip::available(Self::start())
    }

    /// The same with other options than the default ones.
    pub fn for_test_with(options: &KafkaOptions) -> Option<Self> {
        skip::available(Self::start_with(options))
    }

    /// A place for another broker in the cluster of this one, which has to outlive it.
    pub fn seat(&self) -> ClusterSeat {
        ClusterSeat {
            cluster_id: self.cluster_id.clone(),
            controller: self.ports.controller,
            node: self.node + 1,
        }
    }

    /// Its number in the cluster.
    pub fn node(&self) -> u32 {
        self.node
    }

    /// Where it listens for what comes through the proxy of [`KafkaOptions::proxy`].
    pub fn proxied_port(&self) -> Option<u16> {
        self.proxied
    }

    /// Runs one of Kafka's own tools, a Java class, against this broker and returns what it printed.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<String, ServiceError> {
        let output = Command::new("java")
            .args(java_arguments(&self.jars, &self.folder))
            .args([class, "--bootstrap-server", &self.bootstrap()])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| ServiceError::failed(format!("cannot run java: {e}")))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(printed);
        }
        Err(ServiceError::failed(format!(
            "{class} {} failed: {printed}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        )))
    }

    /// Address for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.broker)
    }

    /// Its secured listeners; `None` unless it was started with [`KafkaOptions::secured`].
    pub fn security(&self) -> Option<&Security> {
        self.security.as_ref()
    }

    /// Process id of the broker.
    pub fn pid(&self) -> u32 {
        self.service.pid()
    }

    /// Folder with the broker's data, configuration and log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder with the broker's jars, among them the clients and tools.
    pub fn jars(&self) -> &Path {
        &self.jars
    }

    /// Ends it in an orderly way; data and port stay, so [`KafkaBroker::restart`] brings it back.
    pub fn stop(&mut self) -> Result<(), ServiceError> {
        let gentle = self
            .service
            .terminate(STOP_PATIENCE)
            .map_err(|e| self.failure(&e.to_string()))?;
        if gentle {
            Ok(())
        } else {
            Err(self.failure("did not stop in 30 s and was killed"))
        }
    }

    /// Ends it at once, as a power failure would; data and port stay.
    pub fn kill(&mut self) -> Result<(), ServiceError> {
        self.service.kill().map_err(|e| self.failure(&e.to_string()))
    }

    /// Starts it again on the same port with the same data, ending it first (orderly) when it still runs.
    pub fn restart(&mut self) -> Result<(), ServiceError> {
        self.stop()?;
        self.service = launch(&self.jars, &self.folder, &self.java, self.lifetime)?;
        self.wait_until_it_answers()
    }

    fn wait_until_it_answers(&mut self) -> Result<(), ServiceError> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports.broker));
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if !self.service.is_running() {
                return Err(self.failure("ended while starting"));
            }
            if self.service.log_since_start().contains(STARTED) && answers(address) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.failure("does not answer 120 s after its start"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn failure(&self, what: &str) -> ServiceError {
        ServiceError::failed(format!(
            "kafka broker (process {}) {what}; end of its log:\n{}",
            self.service.pid(),
            self.service.log_tail(25)
        ))
    }
}

impl Drop for KafkaBroker {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::WithParent {
            let _ = self.service.kill();
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Whether a Java that Kafka accepts (17 or later) is installed.
pub(crate) fn java_available() -> Result<(), ServiceError> {
    if !on_path("java") {
        return Err(ServiceError::unavailable(
            "java 17 or later is needed to run kafka, and there is no `java`",
        ));
    }
    let output = Command::new("java")
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .map_err(|e| ServiceError::unavailable(format!("cannot run java: {e}")))?;
    let text = String::from_utf8_lossy(&output.stderr);
    match java_major(&text) {
        Some(major) if major >= 17 => Ok(()),
        Some(major) => Err(ServiceError::unavailable(format!(
            "kafka needs java 17 or later, this is java {major}"
        ))),
        None => Err(ServiceError::unavailable(format!(
            "cannot tell the version of java from `{}`",
            text.trim()
        ))),
    }
}

/// Major version from the output of `java -version`; `1.8.0` is 8.
fn java_major(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    let mut numbers = quoted.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match numbers.next()?.ok()? {
        1 => numbers.next()?.ok(),
        major => Some(major),
    }
}

fn config_of(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

fn new_folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let parent = target_dir().join("services");
    if number == 0 {
        remove_orphans(&parent);
    }
    parent.join(format!("kafka-{}-{number}", std::process::id()))
}

/// Removes the folders of processes that ended without their destructors, as every process with a shared broker does.
fn remove_orphans(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if owner(&name.to_string_lossy()).is_some_and(|pid| !is_alive(pid)) {
            // Another process may be removing the same one.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The process that made a folder of this name, as in `kafka-42-0`.
fn owner(folder: &str) -> Option<u32> {
    folder.strip_prefix("kafka-")?.split_once('-')?.0.parse().ok()
}

fn new_cluster_id() -> String {
    // Randomly keyed hashers are the only randomness that the standard library hands out.
    let half = |salt: u8| u128::from(RandomState::new().hash_one((salt, std::process::id(), Instant::now())));
    cluster_id(half(0) << 64 | half(1))
}

fn format_storage(jars: &Path, folder: &Path, id: &str, more: &[&str]) -> Result<(), ServiceError> {
    let output = Command::new("java")
        .args(java_arguments(jars, folder))
        .args(["kafka.tools.StorageTool", "format", "-t", id, "-c"])
        .arg(config_of(folder))
        .args(more)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| ServiceError::failed(format!("cannot run java: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(ServiceError::failed(format!(
        "cannot format the storage of a kafka broker in {}: {}{}",
        folder.display(),
        String::from_utf8_lossy(&output.stdout).trim(),
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}

fn launch(jars: &Path, folder: &Path, more: &[String], lifetime: Lifetime) -> Result<Service, ServiceError> {
    let mut command = vec!["java".to_owned()];
    command.extend(java_arguments(jars, folder));
    command.extend_from_slice(more);
    command.push("kafka.Kafka".to_owned());
    command.push(config_of(folder).to_string_lossy().into_owned());
    Service::start(&command, &folder.join("broker.log"), lifetime)
        .map_err(|e| ServiceError::failed(format!("cannot start a kafka broker: {e}")))
}

fn java_arguments(jars: &Path, folder: &Path) -> Vec<String> {
    vec![
        "-Xmx512m".to_owned(),
        // The collector with the fewest threads: brokers share few cores with the tests.
        "-XX:+UseSerialGC".to_owned(),
        format!(
            "-Dlog4j2.configurationFile={}",
            folder.join("log4j2.properties").display()
        ),
        "-cp".to_owned(),
        format!("{}/*", jars.display()),
    ]
}

/// Whether a Kafka broker answers at this address: ApiVersions version 0, the request every broker understands.
pub(crate) fn answers(address: SocketAddr) -> bool {
    api_versions(address).is_ok_and(|error_code| error_code == 0)
}

fn api_versions(address: SocketAddr) -> io::Result<i16> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    // Length, API key 18, version 0, correlation id, client id null.
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0x57, 0x48, 0x52, 0x46, 0xff, 0xff])?;
    let mut head = [0; 10];
    stream.read_exact(&mut head)?;
    if head[4..8] != [0x57, 0x48, 0x52, 0x46] {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "answer to another request",
        ));
    }
    Ok(i16::from_be_bytes([head[8], head[9]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions_old_and_new_are_read() {
        let cases = [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK …", Some(17)),
            ("openjdk version \"25\" 2025-09-16", Some(25)),
            ("openjdk version \"26-ea\" 2026-03-17", Some(26)),
            ("java version \"1.8.0_402\"", Some(8)),
            ("command not found", None),
        ];
        for (text, expected) in cases {
            assert_eq!(java_major(text), expected, "{text}");
        }
    }

    #[test]
    fn only_folders_of_processes_that_are_gone_are_removed() {
        let parent = target_dir().join(format!("services-orphans-{}", std::process::id()));
        // No process can have the highest id there is: it is beyond every kernel's limit.
        let names = [
            format!("kafka-{}-0", u32::MAX),
            format!("kafka-{}-0", std::process::id()),
            "kafka".to_owned(),
        ];
        for name in &names {
            std::fs::create_dir_all(parent.join(name)).unwrap();
        }
        remove_orphans(&parent);
        let left: Vec<_> = names.iter().map(|name| parent.join(name).exists()).collect();
        assert_eq!(left, [false, true, true]);
        std::fs::remove_dir_all(parent).unwrap();
    }

    #[test]
    fn a_port_that_nobody_serves_does_not_answer() {
        let [port] = ports::free().unwrap();
        assert!(!answers(SocketAddr::from(([127, 0, 0, 1], port))));
    }
}
