//! The connection by which a group is looked at: clients with the settings of the worker file, which only read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_kafka::{
    Admin, ErrorCode, GroupMembers, KafkaError, MessageRef, OffsetSpec, Reader, TopicPartition, Translated,
};

use super::topics::TopicReport;
use super::{InspectError, WorkerFile};
use crate::config::{DistributedConfig, InternalClients, InternalTopic};

/// For Kafka to answer at first.
const CONNECT: Duration = Duration::from_secs(20);
/// For one request.
const REQUEST: Duration = Duration::from_secs(20);
/// Without anything new, a topic is given up after this long.
const STALLED: Duration = Duration::from_secs(30);
/// For one look at what came.
const TICK: Duration = Duration::from_millis(100);
/// What a reader fetches ahead.
const PREFETCH: u64 = 4 << 20;

/// Looks at a group. Its calls block.
pub struct Observer {
    config: Arc<DistributedConfig>,
    clients: InternalClients,
    admin: Admin,
    cluster_id: String,
}

impl Observer {
    /// Makes the clients and asks Kafka for its cluster id.
    ///
    /// # Errors
    /// When the settings make no client, or Kafka does not answer.
    pub fn connect(file: &WorkerFile) -> Result<Self, InspectError> {
        let clients = InternalClients::translate(&file.config).map_err(InspectError::WorkerFile)?;
        let unreachable = |reason: KafkaError| InspectError::Unreachable {
            servers: file.config.worker.bootstrap_servers.join(","),
            reason,
        };
        let admin = Admin::new(&clients.shared_admin).map_err(unreachable)?;
        let cluster_id = admin.cluster_id(CONNECT).map_err(unreachable)?;
        Ok(Self {
            config: Arc::new(file.config.clone()),
            clients,
            admin,
            cluster_id,
        })
    }

    pub(super) fn config(&self) -> &DistributedConfig {
        &self.config
    }

    pub(super) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    pub(super) fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The group as its coordinator sees it; `None` when there is none.
    pub(super) fn group(&self) -> Result<Option<GroupMembers>, InspectError> {
        let group = &self.config.group_id;
        let found = self.admin.group_members(group, REQUEST)?;
        // A group of the newer protocol has this state for those who ask by the older one.
        let found = found.filter(|found| found.state != "Dead");
        if let Some(found) = found {
            let kind = &found.protocol_type;
            if !kind.is_empty() && kind != wharf_cluster::protocol::PROTOCOL_TYPE {
                return Err(InspectError::OtherProtocol {
                    group: group.clone(),
                    found: kind.clone(),
                });
            }
            return Ok(Some(found));
        }
        // What may not be seen is not listed: only the other request says so.
        match self.admin.describe_group(group, REQUEST) {
            Err(error) if error.code() == Some(ErrorCode::GROUP_AUTHORIZATION_FAILED) => Err(error.into()),
            Ok(found) if found.members > 0 => Err(InspectError::OtherProtocol {
                group: group.clone(),
                found: "consumer".to_owned(),
            }),
            _ => Ok(None),
        }
    }

    /// An internal topic as it is now.
    pub(super) fn topic(&self, topic: InternalTopic) -> Result<TopicReport, InspectError> {
        let name = &self.config.topic(topic).topic.name;
        let committed_only = self.config.reads_committed_only(topic);
        self.named_topic(topic, name, committed_only)
    }

    /// A topic that serves as this one.
    pub(super) fn named_topic(
        &self,
        role: InternalTopic,
        name: &str,
        committed_only: bool,
    ) -> Result<TopicReport, InspectError> {
        let mut report = TopicReport::missing(role, name);
        let Some(found) = self.admin.describe_topic(name, REQUEST)? else {
            return Ok(report);
        };
        let partitions = i32::try_from(found.partitions).unwrap_or(i32::MAX);
        let ends = |committed_only| -> Result<Vec<i64>, KafkaError> {
            let specs: Vec<_> = (0..partitions)
                .map(|partition| (TopicPartition::new(name, partition), OffsetSpec::Latest))
                .collect();
            let deadline = Instant::now() + REQUEST;
            let mut listed = loop {
                match self.admin.list_offsets(&specs, committed_only, REQUEST) {
                    // A topic that was made a moment ago has no leaders yet.
                    Err(error) if error.is_retriable() && Instant::now() < deadline => {
                        std::thread::sleep(TICK);
                    }
                    outcome => break outcome?,
                }
            };
            listed.sort_by_key(|end| end.partition.partition);
            Ok(listed.into_iter().map(|end| end.offset).collect())
        };
        report.exists = true;
        report.partitions = partitions;
        report.end_offsets = ends(false)?;
        report.readable = if committed_only {
            ends(true)?
        } else {
            report.end_offsets.clone()
        };
        // Who may read the topic may not always see how it is kept.
        report.cleanup_policy = self
            .admin
            .describe_topic_configs(name, REQUEST)
            .ok()
            .and_then(|mut configs| configs.remove("cleanup.policy"));
        Ok(report)
    }

    /// Reads a topic from its beginning to what was its end when the report was made.
    pub(super) fn read(
        &self,
        report: &TopicReport,
        mut each: impl FnMut(MessageRef<'_>),
    ) -> Result<(), InspectError> {
        if !report.exists {
            return Ok(());
        }
        let unreadable = |reason: String| InspectError::Unreadable {
            topic: report.topic.clone(),
            reason,
        };
        let mut consumer: Translated = self.clients.log(report.internal).consumer.clone();
        consumer.bound_prefetch(PREFETCH);
        let mut reader = Reader::new(&consumer, &report.topic, report.partitions)?;
        let position = |reader: &Reader| -> Vec<i64> {
            (0..report.partitions)
                .map(|partition| reader.position(partition))
                .collect()
        };
        let mut known = position(&reader);
        let mut since = Instant::now();
        while known.iter().zip(&report.readable).any(|(at, end)| at < end) {
            if since.elapsed() > STALLED {
                return Err(unreadable(format!(
                    "nothing came within {} s, though its end was not reached",
                    STALLED.as_secs()
                )));
            }
            reader
                .poll(TICK, &mut each)
                .map_err(|error| unreadable(error.to_string()))?;
            let now = position(&reader);
            if now != known {
                known = now;
                since = Instant::now();
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer")
            .field("group", &self.config.group_id)
            .finish_non_exhaustive()
    }
}
