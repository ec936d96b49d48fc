//! Sets of jars, fetched once from Maven Central and kept in a cache folder.
//!
//! A bundle is named by a digest of its artifacts, so a changed version is another folder and nothing stale is ever
//! used. A folder appears by one rename, after everything in it is complete; concurrent fetches wait for each
//! other on a file lock.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ServiceError;
use crate::process::on_path;

/// Version of Apache Kafka that tests and conformance runs use, broker and JVM Connect alike.
pub const KAFKA_VERSION: &str = "4.3.0";
/// Pinned, so that the same jars are resolved on every machine.
pub(crate) const DEPENDENCY_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
const LOG4J_VERSION: &str = "2.24.3";

/// A named set of Maven artifacts that are used together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Short name, as the user of `cargo xtask services fetch` types it.
    pub name: &'static str,
    /// What it is for, one line.
    pub about: &'static str,
    artifacts: Vec<(&'static str, &'static str, &'static str)>,
    transitive: bool,
}

impl Bundle {
    /// The Kafka broker with its command line tools.
    pub fn kafka() -> Self {
        let mut artifacts = vec![
            ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
            ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
        ];
        artifacts.extend(logging());
        Self {
            name: "kafka",
            about: "Apache Kafka broker and tools",
            artifacts,
            transitive: true,
        }
    }

    /// The JVM worker, the peer that Wharf is compared with.
    pub fn connect() -> Self {
        let mut artifacts: Vec<_> = ["connect-runtime", "connect-json", "connect-transforms"]
            .map(|artifact| ("org.apache.kafka", artifact, KAFKA_VERSION))
            .to_vec();
        artifacts.extend(logging());
        Self {
            name: "connect",
            about: "Apache Kafka Connect, the JVM worker",
            artifacts,
            transitive: true,
        }
    }

    /// The file connectors of the JVM worker: a folder for its `plugin.path`, never for its class path.
    pub fn connect_file() -> Self {
        Self {
            name: "connect-file",
            about: "file connectors for the plugin.path of the JVM worker",
            artifacts: vec![("org.apache.kafka", "connect-file", KAFKA_VERSION)],
            transitive: false,
        }
    }

    /// Connectors of the JVM worker for which there is no native plugin: a folder for its `plugin.path`.
    pub fn connect_mirror() -> Self {
        Self {
            name: "connect-mirror",
            about: "MirrorMaker's connectors for the plugin.path of the JVM worker",
            artifacts: ["connect-mirror", "connect-mirror-client"]
                .map(|artifact| ("org.apache.kafka", artifact, KAFKA_VERSION))
                .to_vec(),
            transitive: false,
        }
    }

    /// Apicurio's Avro converter for the JVM worker: a plugin of its own, all jars in one folder.
    pub fn apicurio_converter() -> Self {
        Self {
            name: "apicurio-converter",
            about: "Apicurio's Avro converter for the JVM worker",
            artifacts: vec![("io.apicurio", "apicurio-registry-utils-converter", "2.6.13.Final")],
            transitive: true,
        }
    }

    /// Debezium's JDBC sink for the JVM worker, with its database drivers: a plugin of its own, all jars in one folder.
    pub fn debezium_jdbc() -> Self {
        Self {
            name: "debezium-jdbc",
            about: "Debezium's JDBC sink for the JVM worker",
            artifacts: vec![("io.debezium", "debezium-connector-jdbc", "3.0.0.Final")],
            transitive: true,
        }
    }

    /// Debezium's transformations.
    pub fn debezium_transforms() -> Self {
        Self {
            name: "debezium-transforms",
            about: "Debezium's transformations",
            artifacts: vec![("io.debezium", "debezium-connect-plugins", "3.6.1.Final")],
            transitive: true,
        }
    }

    /// The last of Debezium's transformations that have `drop.tombstones` and `delete.handling.mode`.
    pub fn debezium_transforms_3_1() -> Self {
        Self {
            name: "debezium-transforms-3.1",
            about: "Debezium's transformations as they were before 3.2",
            artifacts: vec![("io.debezium", "debezium-core", "3.1.3.Final")],
            transitive: true,
        }
    }

    /// Every bundle there is.
    pub fn all() -> Vec<Self> {
        vec![
            Self::kafka(),
            Self::connect(),
            Self::connect_file(),
            Self::connect_mirror(),
            Self::apicurio_converter(),
            Self::debezium_jdbc(),
            Self::debezium_transforms(),
            Self::debezium_transforms_3_1(),
        ]
    }

    /// Where the jars are, or will be.
    pub fn folder(&self) -> PathBuf {
        cache_dir().join(format!("{}-{:016x}", self.name, fnv1a(self.pom().as_bytes())))
    }

    /// Whether the jars are there already.
    pub fn is_fetched(&self) -> bool {
        self.folder().is_dir()
    }

    /// The folder with the jars, fetched when it is not there yet.
    pub fn fetch(&self) -> Result<PathBuf, ServiceError> {
        let folder = self.folder();
        if folder.is_dir() {
            return Ok(folder);
        }
        if !on_path("mvn") {
            return Err(ServiceError::unavailable(format!(
                "maven (`mvn`) is needed once to fetch the jars of {}; install it, or copy a filled cache to {}",
                self.name,
                cache_dir().display()
            )));
        }
        let cannot = |what: &str, error: std::io::Error| {
            ServiceError::unavailable(format!("cannot {what} in {}: {error}", cache_dir().display()))
        };
        fs::create_dir_all(cache_dir()).map_err(|e| cannot("create the cache", e))?;
        let lock =
            File::create(cache_dir().join(format!("{}.lock", self.name))).map_err(|e| cannot("lock", e))?;
        lock.lock().map_err(|e| cannot("lock", e))?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let work = cache_dir().join(format!("{}.partial", self.name));
        let _ = fs::remove_dir_all(&work);
        let jars = work.join("jars");
        fs::create_dir_all(&jars).map_err(|e| cannot("write", e))?;
        let pom = work.join("pom.xml");
        fs::write(&pom, self.pom()).map_err(|e| cannot("write", e))?;
        self.run_maven(&pom, &jars)?;
        fs::rename(&jars, &folder).map_err(|e| cannot("rename", e))?;
        let _ = fs::remove_dir_all(&work);
        Ok(folder)
    }

    /// Links the jars into a folder of their own in `plugins`, as a plugin for a `plugin.path`, but for those whose names begin so.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch), and when the links cannot be made.
    pub fn link(&self, plugins: &Path, but: &str) -> Result<(), ServiceError> {
        let jars = self.fetch()?;
        let link = || -> std::io::Result<()> {
            let folder = plugins.join(self.name);
            fs::create_dir_all(&folder)?;
            for jar in fs::read_dir(&jars)? {
                let jar = jar?;
                if !jar.file_name().to_string_lossy().starts_with(but) {
                    std::os::unix::fs::symlink(jar.path(), folder.join(jar.file_name()))?;
                }
            }
            Ok(())
        };
        link().map_err(|e| ServiceError::failed(format!("cannot link the jars of {}: {e}", self.name)))
    }

    fn run_maven(&self, pom: &Path, jars: &Path) -> Result<(), ServiceError> {
        let output = Command::new("mvn")
            .args(["-q", "-B", "-f"])
            .arg(pom)
            .arg(format!("{DEPENDENCY_PLUGIN}:copy-dependencies"))
            .arg(format!("-DoutputDirectory={}", jars.display()))
            .arg("-DincludeScope=runtime")
            .arg(format!("-DexcludeTransitive={}", !self.transitive))
            .stdin(Stdio::null())
            .output()
            .map_err(|e| ServiceError::unavailable(format!("cannot run mvn: {e}")))?;
        if output.status.success() && fs::read_dir(jars).is_ok_and(|mut dir| dir.next().is_some()) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text
            .lines()
            .find(|l| l.contains("ERROR"))
            .unwrap_or("mvn gave no reason");
        Err(ServiceError::unavailable(format!(
            "cannot fetch the jars of {}: {}",
            self.name,
            line.trim()
        )))
    }

    fn pom(&self) -> String {
        let dependencies: String = self
            .artifacts
            .iter()
            .map(|(group, artifact, version)| {
                format!(
                    "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                     <version>{version}</version></dependency>\n"
                )
            })
            .collect();
        format!(
            "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  <modelVersion>4.0.0</modelVersion>\n  \
             <groupId>wharf.services</groupId><artifactId>{}</artifactId><version>1</version><packaging>pom</packaging>\n  \
             <dependencies>\n{dependencies}  </dependencies>\n</project>\n",
            self.name
        )
    }
}

/// The logging backend that Kafka's own distribution uses; without one its log says nothing.
fn logging() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    ["log4j-slf4j-impl", "log4j-core", "log4j-1.2-api"]
        .into_iter()
        .map(|artifact| ("org.apache.logging.log4j", artifact, LOG4J_VERSION))
}

/// `WHARF_CACHE`, else `wharf/services` in the user's cache folder.
pub fn cache_dir() -> PathBuf {
    cache_dir_by(|key| std::env::var_os(key).filter(|v| !v.is_empty()).map(PathBuf::from))
}

fn cache_dir_by(get: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    get("WHARF_CACHE")
        .map(|dir| dir.join("services"))
        .unwrap_or_else(|| {
            get("XDG_CACHE_HOME")
                .or_else(|| get("HOME").map(|home| home.join(".cache")))
                .unwrap_or_else(std::env::temp_dir)
                .join("wharf/services")
        })
}

/// FNV-1a: short, stable between compilers, and enough to tell poms apart.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pom_names_every_artifact_with_its_version() {
        let pom = Bundle::kafka().pom();
        for part in [
            "<artifactId>kafka_2.13</artifactId><version>4.3.0<",
            "log4j-core</artifactId><version>2.24.3<",
        ] {
            assert!(pom.contains(part), "{pom}");
        }
    }

    #[test]
    fn another_set_of_artifacts_is_another_folder() {
        let old = Bundle::kafka();
        let mut new = old.clone();
        new.artifacts[0].2 = "4.3.1";
        assert_ne!(old.folder(), new.folder());
        assert_eq!(old.folder(), Bundle::kafka().folder());
    }

    #[test]
    fn the_cache_is_where_the_user_says() {
        let env = |pairs: &'static [(&'static str, &'static str)]| {
            cache_dir_by(move |key| {
                pairs
                    .iter()
                    .find(|(k, _)| *k == key)
                    .map(|(_, v)| PathBuf::from(v))
            })
        };
        assert_eq!(env(&[("HOME", "/h")]), Path::new("/h/.cache/wharf/services"));
        assert_eq!(
            env(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]),
            Path::new("/x/wharf/services")
        );
        assert_eq!(
            env(&[("HOME", "/h"), ("WHARF_CACHE", "/c")]),
            Path::new("/c/services")
        );
    }

    #[test]
    fn fnv1a_gives_the_published_values() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
