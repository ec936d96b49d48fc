//! A real schema registry: Apicurio, whose API under `/apis/ccompat/v7` is that of Confluent's registry, and the clients that
//! speak with such a registry in Python.
//!
//! The registry keeps everything in memory. It wants a newer Java than the broker, which is looked for among the installed
//! ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use crate::process::{Lifetime, Service, wait_until};
use crate::python::Package;
use crate::{ServiceError, archive, http, ports, skip, target_dir};

/// Version of Apicurio.
pub const APICURIO_VERSION: &str = "3.3.3";
/// The Java that its classes are made for.
const LEAST_JAVA: u32 = 21;
/// A cold JVM on a busy machine with two cores needs tens of seconds.
const PATIENCE: Duration = Duration::from_secs(120);
const API: &str = "/apis/ccompat/v7";

/// The original serializers and deserializers of Avro, JSON Schema and Protobuf, in Python.
///
/// Give its `SchemaRegistryClient` a `timeout`: it has none by itself, and a request that the registry loses while it starts would be
/// waited for without end. With one it is sent again.
pub const CONFLUENT_KAFKA: Package<'static> = Package {
    name: "confluent-kafka",
    version: "2.16.0",
    with: &[
        "confluent-kafka[avro,protobuf,json]==2.16.0",
        "fastavro==1.13.1",
        "protobuf==7.36.2",
        "googleapis-common-protos==1.76.0",
        "jsonschema==4.26.0",
    ],
    check: &[
        "-c",
        "import confluent_kafka.schema_registry.avro, confluent_kafka.schema_registry.protobuf, \
         confluent_kafka.schema_registry.json_schema, importlib.metadata as m; print(m.version('confluent-kafka'))",
    ],
};

/// A running registry. Dropping it ends it.
#[derive(Debug)]
pub struct SchemaRegistry {
    service: Service,
    port: u16,
}

impl SchemaRegistry {
    /// The registry that all tests of a process share, each with subjects of its own.
    ///
    /// `None` means that none can be had here and that the test may return; the reason has been printed.
    ///
    /// # Panics
    /// When one should be there and is not, which is how a test fails.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<SchemaRegistry, ServiceError>> = OnceLock::new();
        skip::available(SHARED.get_or_init(Self::start).as_ref().map_err(Clone::clone))
    }

    /// Starts a registry and waits until it answers.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`] when Java or the files cannot be had, else [`ServiceError::Failed`].
    pub fn start() -> Result<Self, ServiceError> {
        skip::told_to_skip()?;
        let java = newer_java()?;
        let folder = fetch()?;
        let [port, management] =
            ports::free().map_err(|e| ServiceError::failed(format!("no free port: {e}")))?;
        let logs = target_dir().join("services");
        fs::create_dir_all(&logs).map_err(|e| ServiceError::failed(format!("cannot write logs: {e}")))?;
        let log = logs.join(format!("schema-registry-{port}.log"));
        let command = [
            java.display().to_string(),
            "-Xmx512m".to_owned(),
            format!("-Dquarkus.http.port={port}"),
            "-Dquarkus.http.host=127.0.0.1".to_owned(),
            // Health and metrics have a listener of their own, on a fixed port unless told otherwise.
            format!("-Dquarkus.management.port={management}"),
            "-Dquarkus.management.host=127.0.0.1".to_owned(),
            "-jar".to_owned(),
            folder.join("quarkus-run.jar").display().to_string(),
        ];
        let mut service = Service::start(&command, &log, Lifetime::WithParent)
            .map_err(|e| ServiceError::failed(format!("cannot start the schema registry: {e}")))?;
        let address = format!("127.0.0.1:{port}");
        let mut up = false;
        wait_until(PATIENCE, || {
            up = http::request(&address, "GET", &format!("{API}/subjects"), None)
                .is_ok_and(|answer| answer.status == 200);
            up || !service.is_running()
        });
        match up {
            true => Ok(Self { service, port }),
            false => Err(ServiceError::failed(format!(
                "the schema registry did not come up:\n{}",
                service.log_tail(20)
            ))),
        }
    }

    /// Its address, as `schema.registry.url` takes it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{API}", self.port)
    }

    /// One request of the API that converters use; a body is JSON.
    ///
    /// # Panics
    /// When it is not answered with 200.
    pub fn call(&self, method: &str, path: &str, body: Option<&str>) -> String {
        let address = format!("127.0.0.1:{}", self.port);
        let answer = http::request(&address, method, &format!("{API}{path}"), body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        answer.body
    }

    /// Where Apicurio's own clients find it.
    pub fn apicurio_url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/registry/v2", self.port)
    }

    /// The last lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.service.log_tail(lines)
    }
}

/// The unpacked registry, fetched once from Maven Central.
fn fetch() -> Result<PathBuf, ServiceError> {
    let name = format!("apicurio-registry-{APICURIO_VERSION}");
    let artifact = format!("io.apicurio:apicurio-registry-app:{APICURIO_VERSION}:tar.gz:all");
    archive::fetch(&name, &artifact, &["tar"], |work, unpacked| {
        let archive = work.join(format!("apicurio-registry-app-{APICURIO_VERSION}-all.tar.gz"));
        archive::run(
            Command::new("tar")
                .arg("xzf")
                .arg(archive)
                .arg("-C")
                .arg(unpacked),
        )
    })
}

/// The first Java that is new enough: `JAVA_HOME`, the one on `PATH`, those that are installed beside it.
fn newer_java() -> Result<PathBuf, ServiceError> {
    let home = std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let installed = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    home.into_iter()
        .chain([PathBuf::from("java")])
        .chain(installed.map(|entry| entry.path().join("bin/java")))
        .find(|java| version(java).is_some_and(|version| version >= LEAST_JAVA))
        .ok_or_else(|| {
            ServiceError::unavailable(format!(
                "the schema registry needs Java {LEAST_JAVA} or later, in JAVA_HOME, on PATH or in /usr/lib/jvm"
            ))
        })
}

fn version(java: &Path) -> Option<u32> {
    let output = Command::new(java)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    major(&String::from_utf8_lossy(&output.stderr))
}

/// The major version in what `java -version` prints.
fn major(text: &str) -> Option<u32> {
    let (_, quoted) = text.split_once('"')?;
    quoted.split(['.', '"', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_java_are_read() {
        assert_eq!(major("openjdk version \"25.0.1\" 2025-10-21"), Some(25));
        assert_eq!(major("openjdk version \"22\" 2024"), Some(22));
        assert_eq!(major("no java"), None);
    }
}
