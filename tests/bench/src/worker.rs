//! A Connect worker under measurement, Wharf or the JVM's: same properties, same REST API.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use wharf_test_services::bundle::Bundle;
use wharf_test_services::process::{Service, signal};
use wharf_test_services::schema_registry::SchemaRegistry;
use wharf_test_services::{Lifetime, built, http, jvm_connect, ports};

use crate::process::cpu_seconds;
use crate::rows::{Direction, Engine, Handling};

const START_PATIENCE: Duration = Duration::from_secs(120);
/// A thousand tasks take their time.
const STOP_PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks whether a connector has done its work.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Between two looks at its status meanwhile.
const JUDGE_EVERY: Duration = Duration::from_secs(2);
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// Heap of the JVM worker.
pub(crate) const HEAP: [&str; 2] = ["-Xms256m", "-Xmx2g"];

/// What Kafka's own start script gives every JVM.
pub(crate) const SCRIPT_FLAGS: [&str; 7] = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
];

/// Records per `poll` and `put` of the JVM worker.
pub(crate) const JVM_BATCH: &str = "2000";

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) wharf: PathBuf,
    pub(crate) wharf_plugins: PathBuf,
    /// Jars of the JVM worker, when it takes part, and its `plugin.path`: its file connectors and, in a plugin folder below
    /// the second one, its Avro converter.
    pub(crate) jvm: Option<(PathBuf, Vec<PathBuf>)>,
}

impl Programs {
    /// The built ones, and what the JVM worker needs, fetched, where that is among the engines.
    pub(crate) fn of(engines: &[Engine]) -> Result<Self> {
        let jvm = if engines.contains(&Engine::Jvm) {
            Some((Bundle::connect().fetch()?, vec![Bundle::connect_file().fetch()?]))
        } else {
            None
        };
        Ok(Self {
            wharf: built::worker()?,
            wharf_plugins: built::plugins()?,
            jvm,
        })
    }
}

impl Programs {
    /// Gives the JVM worker, if it takes part, the Avro converter; `folder` gets a plugin folder.
    pub(crate) fn with_avro(&mut self, folder: &Path) -> Result<()> {
        self.with(&Bundle::apicurio_converter(), folder, "-")
    }

    /// The same with the Debezium JDBC sink. It has to take Jackson from the worker: it looks there for Jackson's modules, too, and they
    /// do not fit another copy of it.
    pub(crate) fn with_debezium(&mut self, folder: &Path) -> Result<()> {
        self.with(&Bundle::debezium_jdbc(), folder, "jackson-")
    }

    /// Gives it a plugin folder with the jars of a bundle, but for those whose names begin so.
    fn with(&mut self, bundle: &Bundle, folder: &Path, but: &str) -> Result<()> {
        let Some((_, plugins)) = &mut self.jvm else {
            return Ok(());
        };
        let path = folder.join("jvm-plugins");
        bundle.link(&path, but)?;
        plugins.push(path);
        Ok(())
    }
}

/// The properties of a worker file, the same for both engines but for the plugins.
pub(crate) fn properties(
    bootstrap: &str,
    plugins: &[PathBuf],
    folder: &Path,
    port: u16,
) -> BTreeMap<String, String> {
    [
        ("bootstrap.servers", bootstrap.to_owned()),
        ("key.converter", STRING.to_owned()),
        ("value.converter", STRING.to_owned()),
        (
            "offset.storage.file.filename",
            folder.join("offsets").display().to_string(),
        ),
        (
            "plugin.path",
            plugins
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(","),
        ),
        ("listeners", format!("http://127.0.0.1:{port}")),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// A running worker; gone when dropped.
pub(crate) struct Worker {
    engine: Engine,
    service: Service,
    address: String,
    /// From the start of the process to the first answer of its REST API.
    pub(crate) first_answer: Duration,
    /// When the process was started.
    pub(crate) started: Instant,
    /// Processor time until then, in seconds.
    pub(crate) start_cpu_s: f64,
}

impl Worker {
    /// Starts a standalone one in a folder of its own and waits until its REST API answers.
    pub(crate) fn start(engine: Engine, programs: &Programs, bootstrap: &str, folder: &Path) -> Result<Self> {
        Self::start_as(engine, programs, bootstrap, folder, None)
    }

    /// The same with a distributed one; `group` are the properties that make it a member.
    pub(crate) fn start_member(
        engine: Engine,
        programs: &Programs,
        bootstrap: &str,
        folder: &Path,
        group: &BTreeMap<String, String>,
    ) -> Result<Self> {
        Self::start_as(engine, programs, bootstrap, folder, Some(group))
    }

    fn start_as(
        engine: Engine,
        programs: &Programs,
        bootstrap: &str,
        folder: &Path,
        group: Option<&BTreeMap<String, String>>,
    ) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let [port] = ports::free::<1>()?;
        let file = folder.join("worker.properties");
        let plugins = match (engine, &programs.jvm) {
            (Engine::Jvm, Some((_, plugins))) => plugins.as_slice(),
            _ => std::slice::from_ref(&programs.wharf_plugins),
        };
        let mut properties = properties(bootstrap, plugins, folder, port);
        if let Some(group) = group {
            properties.remove("offset.storage.file.filename");
            properties.extend(group.clone());
        }
        let mut text = String::new();
        for (key, value) in properties {
            text.push_str(&format!("{key}={value}\n"));
        }
        fs::write(&file, text)?;
        let verb = if group.is_some() {
            "distributed"
        } else {
            "standalone"
        };
        let command = match engine {
            Engine::Jvm => jvm_command(programs, folder, &file, group.is_some())?,
            _ => [programs.wharf.as_path(), Path::new(verb), &file]
                .map(|part| part.display().to_string())
                .to_vec(),
        };
        let address = format!("127.0.0.1:{port}");
        let started = Instant::now();
        let mut service = Service::start(&command, &folder.join("worker.log"), Lifetime::WithParent)?;
        loop {
            if http::request(&address, "GET", "/", None).is_ok_and(|answer| answer.status == 200) {
                break;
            }
            if !service.is_running() || started.elapsed() >= START_PATIENCE {
                bail!(
                    "the {} worker does not answer; end of its log:\n{}",
                    engine.name(),
                    service.log_tail(20)
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let first_answer = started.elapsed();
        let start_cpu_s = cpu_seconds(service.pid())?;
        Ok(Self {
            engine,
            service,
            address,
            first_answer,
            started,
            start_cpu_s,
        })
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.service.pid()
    }

    /// Host and port of its REST API, which is also its name in a group.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The end of its log.
    pub(crate) fn log_tail(&self) -> String {
        self.service.log_tail(20)
    }

    /// Sends SIGTERM and waits for nothing.
    pub(crate) fn leave(&self) -> Result<()> {
        Ok(signal(self.pid(), "TERM")?)
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        Ok(self.service.kill()?)
    }

    /// Creates a file connector of this name.
    pub(crate) fn create(&self, name: &str, direction: Direction, file: &Path, topic: &str) -> Result<()> {
        self.create_with(&[], name, direction, file, topic)
    }

    /// Creates one with more keys.
    pub(crate) fn create_with(
        &self,
        more: &[(&str, String)],
        name: &str,
        direction: Direction,
        file: &Path,
        topic: &str,
    ) -> Result<()> {
        let mut config = connector(self.engine, direction, file, topic);
        for (key, value) in more {
            config[*key] = json!(value);
        }
        self.create_of(name, &config)
    }

    /// Creates a connector with this configuration and no other.
    pub(crate) fn create_of(&self, name: &str, config: &serde_json::Value) -> Result<()> {
        let body = json!({"name": name, "config": config});
        self.call("POST", "/connectors", Some(&body.to_string()), 201)
    }

    /// Removes it.
    pub(crate) fn delete(&self, name: &str) -> Result<()> {
        self.call("DELETE", &format!("/connectors/{name}"), None, 204)
    }

    fn call(&self, method: &str, path: &str, body: Option<&str>, status: u16) -> Result<()> {
        let answer = http::request(&self.address, method, path, body)
            .with_context(|| format!("{method} {path} of the {} worker", self.engine.name()))?;
        if answer.status != status {
            bail!(
                "{method} {path} of the {} worker answered {}: {}",
                self.engine.name(),
                answer.status,
                answer.body
            );
        }
        Ok(())
    }

    /// Waits until a connector has done its work; an error when it fails, or takes longer than `patience`.
    pub(crate) fn wait_for(
        &self,
        connector: &str,
        patience: Duration,
        mut is_done: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let began = Instant::now();
        let mut looked = began;
        while !is_done()? {
            let is_time = looked.elapsed() >= JUDGE_EVERY;
            if began.elapsed() >= patience || is_time && self.status(connector).contains("\"FAILED\"") {
                bail!(
                    "{connector} does not do what it should; {}",
                    self.excuse(connector)
                );
            }
            if is_time {
                looked = Instant::now();
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn status(&self, connector: &str) -> String {
        let path = format!("/connectors/{connector}/status");
        http::request(&self.address, "GET", &path, None)
            .map_or_else(|error| error.to_string(), |answer| answer.body)
    }

    /// For the message when it does not do what it should: the connector's status and the end of the log.
    pub(crate) fn excuse(&self, connector: &str) -> String {
        format!(
            "status: {}; end of the log:\n{}",
            self.status(connector),
            self.service.log_tail(20)
        )
    }

    /// Ends it in an orderly way.
    pub(crate) fn stop(mut self) -> Result<()> {
        if !self.service.terminate(STOP_PATIENCE)? {
            bail!("the {} worker did not stop", self.engine.name());
        }
        Ok(())
    }
}

/// The configuration of a file connector.
fn connector(engine: Engine, direction: Direction, file: &Path, topic: &str) -> serde_json::Value {
    let file = file.display().to_string();
    let mut config = match direction {
        Direction::FileToTopic => json!({
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "tasks.max": "1", "file": file, "topic": topic,
        }),
        Direction::TopicToFile => json!({
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "tasks.max": "1", "file": file, "topics": topic,
        }),
    };
    if engine == Engine::Jvm {
        let key = match direction {
            Direction::FileToTopic => "batch.size",
            Direction::TopicToFile => "consumer.override.max.poll.records",
        };
        config[key] = json!(JVM_BATCH);
    }
    config
}

/// What makes a file connector do this work on records; Avro wants a registry.
pub(crate) fn work_keys(
    work: Handling,
    engine: Engine,
    direction: Direction,
    registry: Option<&SchemaRegistry>,
) -> Vec<(&'static str, String)> {
    let mut keys = match (work, registry) {
        (Handling::Avro, Some(registry)) => avro_converter(engine, registry),
        (Handling::Json, _) => vec![
            (
                "value.converter",
                "org.apache.kafka.connect.json.JsonConverter".to_owned(),
            ),
            ("value.converter.schemas.enable", "true".to_owned()),
        ],
        _ => return Vec::new(),
    };
    let transforms = match direction {
        Direction::FileToTopic => vec![
            ("transforms", "hoist,insert,rename"),
            (
                "transforms.hoist.type",
                "org.apache.kafka.connect.transforms.HoistField$Value",
            ),
            ("transforms.hoist.field", "line"),
            (
                "transforms.insert.type",
                "org.apache.kafka.connect.transforms.InsertField$Value",
            ),
            ("transforms.insert.static.field", "origin"),
            ("transforms.insert.static.value", "bench"),
            (
                "transforms.rename.type",
                "org.apache.kafka.connect.transforms.ReplaceField$Value",
            ),
            ("transforms.rename.renames", "line:text"),
        ],
        Direction::TopicToFile => vec![
            ("transforms", "extract"),
            (
                "transforms.extract.type",
                "org.apache.kafka.connect.transforms.ExtractField$Value",
            ),
            ("transforms.extract.field", "text"),
        ],
    };
    keys.extend(transforms.into_iter().map(|(key, value)| (key, value.to_owned())));
    keys
}

fn avro_converter(engine: Engine, registry: &SchemaRegistry) -> Vec<(&'static str, String)> {
    if engine != Engine::Jvm {
        let class = "io.confluent.connect.avro.AvroConverter".to_owned();
        return vec![
            ("value.converter", class),
            ("value.converter.schema.registry.url", registry.url()),
        ];
    }
    let class = "io.apicurio.registry.utils.converter.AvroConverter";
    vec![
        ("value.converter", class.to_owned()),
        ("value.converter.apicurio.registry.url", registry.apicurio_url()),
        (
            "value.converter.apicurio.registry.auto-register",
            "true".to_owned(),
        ),
        // The same bytes as Confluent's converter writes.
        (
            "value.converter.apicurio.registry.as-confluent",
            "true".to_owned(),
        ),
        (
            "value.converter.apicurio.registry.headers.enabled",
            "false".to_owned(),
        ),
        ("value.converter.apicurio.registry.use-id", "contentId".to_owned()),
    ]
}

fn jvm_command(programs: &Programs, folder: &Path, file: &Path, is_member: bool) -> Result<Vec<String>> {
    let (jars, _) = programs
        .jvm
        .as_ref()
        .context("the jars of JVM Connect are not there")?;
    let class = if is_member {
        "ConnectDistributed"
    } else {
        "ConnectStandalone"
    };
    let options: Vec<&str> = HEAP.into_iter().chain(SCRIPT_FLAGS).collect();
    Ok(jvm_connect::command(jars, &options, class, &[file], folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_jvm_gets_settings_that_are_not_defaults() {
        let config = |engine, direction| connector(engine, direction, Path::new("/f"), "t");
        for direction in Direction::ALL {
            let wharf = config(Engine::Wharf, direction);
            let jvm = config(Engine::Jvm, direction);
            assert_eq!(wharf.as_object().unwrap().len(), 4, "{wharf}");
            assert_eq!(jvm.as_object().unwrap().len(), 5, "{jvm}");
            assert_eq!(wharf["connector.class"], jvm["connector.class"]);
        }
        assert_eq!(config(Engine::Jvm, Direction::FileToTopic)["batch.size"], "2000");
    }
}
