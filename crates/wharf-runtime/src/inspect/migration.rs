//! `wharf migrate check`: what would become of a group's connectors on native workers.

use serde::Serialize;
use wharf_api::ConfigMap;

use super::cluster::Contents;
use super::connector_check::{ConnectorCheck, Migration, connector_type_of};
use super::findings::{Finding, FindingKind};
use super::topics::TopicReport;
use super::worker_check::{WorkerCheck, check_worker_file};
use super::{InspectError, Observer, WorkerFile};
use crate::config::InternalTopic;
use crate::plugins::PluginRegistry;

/// What would become of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MigrationReport {
    /// Whether a worker would start with the file, and every connector can move.
    pub can_move: bool,
    /// `group.id`.
    pub group_id: String,
    /// Id of the Kafka cluster.
    pub kafka_cluster_id: String,
    /// What is to be said of the worker file.
    pub worker: WorkerCheck,
    /// The internal topics.
    pub topics: Vec<TopicReport>,
    /// The connectors, in the order of their names.
    pub connectors: Vec<ConnectorCheck>,
    /// Records of the config topic that mean nothing to workers, or less than they could; no worker of either kind uses them.
    pub unreadable_records: Vec<UnreadableRecord>,
}

/// A record of the config topic that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadableRecord {
    /// Its offset in the only partition.
    pub offset: i64,
    /// Its key, cut when it is long.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl Observer {
    /// Reads the topics of a group and says what would become of its connectors. `file` is the worker file that a native
    /// worker would get. Blocks, and runs code of plugins.
    ///
    /// # Errors
    /// When Kafka cannot be asked, or there is no config topic.
    pub fn migration(&self, file: &WorkerFile) -> Result<MigrationReport, InspectError> {
        let Contents {
            topics,
            configs,
            ignored,
            statuses,
        } = self.contents()?;
        if let Some(missing) = topics
            .iter()
            .find(|topic| topic.internal == InternalTopic::Config && !topic.exists)
        {
            return Err(InspectError::NoSuchTopic {
                topic: missing.topic.clone(),
                key: InternalTopic::Config.key(),
            });
        }
        let offsets = self.source_offsets()?;
        let plugins = PluginRegistry::scan(&file.config.worker.plugin_path);
        let mut worker = check_worker_file(file, &plugins);
        for finding in topics.iter().flat_map(TopicReport::findings) {
            note_topic(&mut worker, finding);
        }
        worker.can_start = worker.problems.is_empty();
        let migration = Migration::new(file, plugins);
        let connectors: Vec<ConnectorCheck> = configs
            .connectors()
            .map(|name| {
                let mut check = migration.check(name, &configs, &statuses);
                let config = config_of(&configs, name);
                let kind = connector_type_of(check.plugin.as_ref(), &config);
                check.offsets = self.offsets_of(name, &config, kind, &offsets);
                check
            })
            .collect();
        Ok(MigrationReport {
            can_move: worker.can_start && connectors.iter().all(|connector| connector.can_move),
            group_id: self.config().group_id.clone(),
            kafka_cluster_id: self.cluster_id().to_owned(),
            worker,
            topics,
            connectors,
            unreadable_records: ignored
                .into_iter()
                .map(|ignored| UnreadableRecord {
                    offset: ignored.offset,
                    key: ignored.key.clone(),
                    reason: ignored.reason.to_string(),
                })
                .collect(),
        })
    }
}

/// A topic that is not there would be made by the first worker; one that is not as it has to be keeps workers from starting.
fn note_topic(worker: &mut WorkerCheck, finding: Finding) {
    if finding.kind == FindingKind::TopicMissing {
        worker
            .warnings
            .push(format!("{}; the first worker makes it", finding.message));
    } else {
        worker.problems.push(finding.message);
    }
}

/// A connector's configuration without nulls.
pub(super) fn config_of(configs: &wharf_cluster::config_state::ConfigSnapshot, name: &str) -> ConfigMap {
    configs
        .config(name)
        .into_iter()
        .flat_map(|config| config.iter())
        .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
        .collect()
}
