//! A herder in memory: knows connectors and nothing of tasks, plugins or Kafka.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use serde_json::json;
use wharf_api::config::{ConfigKey, ConfigKeyInfo, Type};
use wharf_runtime::config::ConfigInfos;
use wharf_runtime::herder::{
    ActiveTopics, ClusterInfo, ConnectorInfo, ConnectorOffset, ConnectorOffsets, ConnectorState,
    ConnectorStateInfo, ConnectorType, Created, HealthStatus, Herder, HerderError, InitialState,
    InstanceState, LoggerLevel, OffsetChange, PluginInfo, RawConfig, Reply, RestartRequest, ServerInfo,
    Stage, TaskId, TaskInfo, TaskStateInfo, without_nulls,
};
use wharf_runtime::metrics::TextFormat;

pub(crate) const WORKER_ID: &str = "10.0.0.5:8083";

#[derive(Default)]
pub(crate) struct FakeHerder {
    pub(crate) connectors: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// What was asked for, changes only.
    pub(crate) calls: Mutex<Vec<String>>,
    /// Changes and slow reads never complete.
    pub(crate) hangs: bool,
    /// All changes and slow reads fail so.
    pub(crate) fails: Option<HerderError>,
    /// The next changes and slow reads fail so, one after the other.
    pub(crate) fails_first: Mutex<VecDeque<HerderError>>,
    /// Other workers may have to be asked.
    pub(crate) has_peers: bool,
    /// Connectors have no status.
    pub(crate) without_status: bool,
    /// Topic tracking is off.
    pub(crate) without_topics: bool,
    pub(crate) health: Option<HealthStatus>,
    pub(crate) stage: Option<Stage>,
    /// It is in a group.
    pub(crate) cluster: Option<ClusterInfo>,
}

impl FakeHerder {
    /// With these connectors.
    pub(crate) fn with(names: &[&str]) -> Self {
        let herder = Self::default();
        for name in names {
            let config = [("connector.class", "FileStreamSource"), ("name", name)];
            herder.connectors.lock().unwrap().insert(
                (*name).to_owned(),
                config.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            );
        }
        herder
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn call(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    fn reply<T: Send + 'static>(&self, result: Result<T, HerderError>) -> Reply<T> {
        if self.hangs {
            return Box::pin(std::future::pending());
        }
        let first = self.fails_first.lock().unwrap().pop_front();
        let result = first.or_else(|| self.fails.clone()).map_or(result, Err);
        Box::pin(async { result })
    }

    fn known(&self, name: &str, message: &str) -> Result<BTreeMap<String, String>, HerderError> {
        let known = self.connectors.lock().unwrap().get(name).cloned();
        known.ok_or_else(|| HerderError::NotFound(message.to_owned()))
    }

    fn change(&self, call: &str, name: &str) -> Reply<()> {
        self.call(format!("{call} {name}"));
        let known = self.known(name, &format!("Unknown connector {name}"));
        self.reply(known.map(drop))
    }

    fn status(&self, name: &str, state: ConnectorState) -> ConnectorStateInfo {
        let worker_id = WORKER_ID.to_owned();
        ConnectorStateInfo {
            name: name.to_owned(),
            connector: InstanceState {
                state,
                worker_id: worker_id.clone(),
                trace: None,
                version: Some("1.0".into()),
            },
            tasks: vec![TaskStateInfo {
                id: 0,
                state: ConnectorState::Failed,
                worker_id,
                trace: Some("boom".into()),
                version: None,
            }],
            connector_type: ConnectorType::Source,
        }
    }
}

impl Herder for FakeHerder {
    fn has_peers(&self) -> bool {
        self.has_peers
    }

    fn cluster_info(&self) -> Option<ClusterInfo> {
        self.cluster.clone()
    }

    fn server_info(&self) -> ServerInfo {
        ServerInfo {
            version: "0.1.0".into(),
            commit: "unknown".into(),
            kafka_cluster_id: "abc".into(),
        }
    }

    fn health(&self) -> Reply<HealthStatus> {
        self.reply(Ok(self.health.unwrap_or(HealthStatus::Healthy)))
    }

    fn stage(&self) -> Option<Stage> {
        self.stage.clone()
    }

    fn connectors(&self) -> Vec<String> {
        self.connectors.lock().unwrap().keys().cloned().collect()
    }

    fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        Ok(ConnectorInfo {
            name: name.to_owned(),
            config: self.known(name, &format!("Connector {name} not found"))?,
            tasks: vec![TaskId::new(name, 0)],
            connector_type: ConnectorType::Source,
        })
    }

    fn connector_status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        let message = format!("No status found for connector {name}");
        self.known(name, &message)?;
        if self.without_status {
            return Err(HerderError::NotFound(message));
        }
        Ok(self.status(name, ConnectorState::Running))
    }

    fn task_status(&self, task: &TaskId) -> Result<TaskStateInfo, HerderError> {
        let message = format!("No status found for task {task}");
        self.known(&task.connector, &message)?;
        match task.task {
            0 => Ok(self
                .status(&task.connector, ConnectorState::Running)
                .tasks
                .remove(0)),
            _ => Err(HerderError::NotFound(message)),
        }
    }

    fn task_infos(&self, name: &str) -> Result<Vec<TaskInfo>, HerderError> {
        self.known(name, &format!("Connector {name} not found"))?;
        let config = [("task.class".to_owned(), "T".to_owned())].into();
        Ok(vec![TaskInfo {
            id: TaskId::new(name, 0),
            config,
        }])
    }

    fn active_topics(&self, name: &str) -> Result<ActiveTopics, HerderError> {
        if self.without_topics {
            return Err(HerderError::Forbidden("Topic tracking is disabled.".into()));
        }
        let known = self.connectors.lock().unwrap().contains_key(name);
        Ok(ActiveTopics {
            connector: name.to_owned(),
            topics: if known { vec!["t".into()] } else { vec![] },
        })
    }

    fn reset_active_topics(&self, name: &str) -> Result<(), HerderError> {
        self.active_topics(name)
            .map(|_| self.call(format!("reset topics {name}")))
    }

    fn put_connector_config(
        &self,
        name: &str,
        config: RawConfig,
        initial_state: Option<InitialState>,
        allow_replace: bool,
    ) -> Reply<Created<ConnectorInfo>> {
        self.call(format!("put {name} {initial_state:?} replace={allow_replace}"));
        let mut connectors = self.connectors.lock().unwrap();
        let exists = connectors.contains_key(name);
        if exists && !allow_replace {
            return self.reply(Err(HerderError::Conflict(format!(
                "Connector {name} already exists"
            ))));
        }
        if !self.hangs && self.fails.is_none() {
            connectors.insert(name.to_owned(), without_nulls(&config));
        }
        let info = ConnectorInfo {
            name: name.to_owned(),
            config: without_nulls(&config),
            tasks: vec![],
            connector_type: ConnectorType::Source,
        };
        self.reply(Ok(if exists {
            Created::Replaced(info)
        } else {
            Created::Created(info)
        }))
    }

    fn patch_connector_config(&self, name: &str, patch: RawConfig) -> Reply<ConnectorInfo> {
        self.call(format!("patch {name} {patch:?}"));
        self.reply(self.connector_info(name))
    }

    fn delete_connector(&self, name: &str) -> Reply<()> {
        self.call(format!("delete {name}"));
        let removed = self.connectors.lock().unwrap().remove(name);
        self.reply(
            removed
                .map(drop)
                .ok_or_else(|| HerderError::NotFound(format!("Connector {name} not found"))),
        )
    }

    fn pause_connector(&self, name: &str) -> Reply<()> {
        self.change("pause", name)
    }

    fn resume_connector(&self, name: &str) -> Reply<()> {
        self.change("resume", name)
    }

    fn stop_connector(&self, name: &str) -> Reply<()> {
        self.change("stop", name)
    }

    fn restart_connector(&self, name: &str) -> Reply<()> {
        self.change("restart", name)
    }

    fn restart_connector_and_tasks(&self, name: &str, request: RestartRequest) -> Reply<ConnectorStateInfo> {
        self.call(format!(
            "restart {name} tasks={} failed={}",
            request.include_tasks, request.only_failed
        ));
        let known = self.known(name, &format!("Unknown connector: {name}"));
        self.reply(known.map(|_| self.status(name, ConnectorState::Restarting)))
    }

    fn restart_task(&self, task: &TaskId) -> Reply<()> {
        self.change("restart task", &task.connector)
    }

    fn connector_offsets(&self, name: &str) -> Reply<ConnectorOffsets> {
        let map = |value: serde_json::Value| value.as_object().cloned().unwrap();
        let offsets = vec![ConnectorOffset {
            partition: map(json!({ "filename": "a" })),
            offset: Some(map(json!({ "position": 30 }))),
        }];
        let known = self.known(name, &format!("Connector {name} not found"));
        self.reply(known.map(|_| ConnectorOffsets { offsets }))
    }

    fn alter_connector_offsets(&self, name: &str, offsets: Vec<OffsetChange>) -> Reply<String> {
        self.call(format!("alter {name} {}", offsets.len()));
        self.reply(Ok("altered".into()))
    }

    fn reset_connector_offsets(&self, name: &str) -> Reply<String> {
        self.call(format!("reset {name}"));
        self.reply(Ok("reset".into()))
    }

    fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        let plugin = |class: &str, plugin_type, version: Option<&str>| PluginInfo {
            class: class.to_owned(),
            plugin_type,
            version: version.map(str::to_owned),
        };
        let mut plugins = vec![
            plugin("a.Sink", "sink", Some("1.0")),
            plugin("a.Source", "source", None),
        ];
        if !connectors_only {
            plugins.push(plugin("a.Json", "converter", Some("1.0")));
        }
        plugins
    }

    fn plugin_config(&self, class: &str, version: Option<&str>) -> Reply<Vec<ConfigKeyInfo>> {
        self.reply(match (class, version) {
            ("a/b", _) => Ok(vec![]),
            ("FileStreamSource", None | Some("1.0")) => {
                Ok(vec![ConfigKey::new("file", Type::String).info().clone()])
            }
            ("FileStreamSource", Some(version)) => {
                Err(HerderError::BadRequest(format!("no version {version}")))
            }
            _ => Err(HerderError::NotFound(format!("Unknown plugin {class}."))),
        })
    }

    fn validate_connector_config(&self, config: RawConfig) -> Reply<ConfigInfos> {
        let name = config["connector.class"].clone().unwrap();
        self.reply(Ok(ConfigInfos {
            name,
            error_count: 0,
            groups: vec![],
            configs: vec![],
        }))
    }

    fn metrics(&self, format: TextFormat) -> String {
        format!("{format:?}\n")
    }

    fn logger_levels(&self) -> BTreeMap<String, LoggerLevel> {
        [(
            "root".to_owned(),
            LoggerLevel {
                level: "INFO".into(),
                last_modified: None,
            },
        )]
        .into()
    }

    fn logger_level(&self, logger: &str) -> Option<LoggerLevel> {
        (logger == "a.b").then(|| LoggerLevel {
            level: "DEBUG".into(),
            last_modified: Some(5),
        })
    }

    fn set_worker_logger_level(&self, logger: &str, level: &str) -> Vec<String> {
        self.call(format!("worker level {logger} {level}"));
        vec![logger.to_owned(), format!("{logger}.c")]
    }

    fn set_cluster_logger_level(&self, logger: &str, level: &str) {
        self.call(format!("cluster level {logger} {level}"));
    }
}
