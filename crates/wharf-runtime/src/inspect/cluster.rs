//! `wharf cluster`: a group as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;
use wharf_cluster::config_state::{ConfigEvent, ConfigSnapshot, ConfigState, Ignored, Severity};
use wharf_cluster::herder::WorkId;
use wharf_cluster::status_state::{Status, StatusState};

use super::findings::{Facts, Finding, FindingKind, Owners, owners};
use super::group::{DEAD, Group, Member};
use super::topics::TopicReport;
use super::workers::{Said, WorkerKind, ask_all};
use super::{InspectError, Observer};
use crate::config::{CONNECTOR_CLASS, InternalTopic};

/// How long a rebalance is waited for.
const SETTLE: Duration = Duration::from_secs(10);
/// Between two looks at the group.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many unreadable records are told one by one.
const MOST_RECORDS: usize = 20;

/// All there is to say of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterReport {
    /// `group.id`.
    pub group_id: String,
    /// Id of the Kafka cluster.
    pub kafka_cluster_id: String,
    /// Kafka's name of the group's state; `Dead` when there is no such group.
    pub state: String,
    /// The group protocol, by its name on the wire; null while there is none.
    pub protocol: Option<String>,
    /// The generation, as far as anybody says.
    pub generation: Option<GenerationReport>,
    /// Who leads; null while nobody does.
    pub leader: Option<LeaderReport>,
    /// How long the leader waits for a worker that left, in milliseconds; null when it does not.
    pub waiting_for_lost_workers_ms: Option<i32>,
    /// The workers, in the order of their URLs.
    pub members: Vec<MemberReport>,
    /// The connectors, in the order of their names.
    pub connectors: Vec<ConnectorReport>,
    /// The internal topics.
    pub topics: Vec<TopicReport>,
    /// The config offset of who has read all of the config topic; -1 for none.
    pub config_offset: i64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// A generation of the group. The coordinator does not tell it to those who are not in the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GenerationReport {
    /// Its number.
    pub number: i32,
    /// Where it is from.
    pub source: GenerationSource,
}

/// Where a generation is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GenerationSource {
    /// A member says so; the newest of what they say.
    Member,
    /// The newest that a record of the status topic names. The group may have got further since.
    StatusTopic,
}

/// The leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaderReport {
    /// Its member id.
    pub member_id: String,
    /// URL of its REST API.
    pub url: String,
}

/// A worker of the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberReport {
    /// URL of its REST API; null while the group rebalances.
    pub url: Option<String>,
    /// `host:port` of it, as statuses name the worker.
    pub worker_id: Option<String>,
    /// What the coordinator calls it.
    pub member_id: String,
    /// What its client calls itself.
    pub client_id: String,
    /// The address that the coordinator sees.
    pub host: String,
    /// Whether it leads.
    pub is_leader: bool,
    /// Whose worker it is; null when it does not tell.
    pub kind: Option<WorkerKind>,
    /// The version it gives; null when it does not.
    pub version: Option<String>,
    /// Why it does not answer at its URL; null when it does.
    pub silent: Option<String>,
    /// The generation that it says it is in; null when it does not.
    pub generation: Option<i32>,
    /// Its config offset when it joined this generation; null while the group rebalances. It has read on since.
    pub config_offset_when_joined: Option<i64>,
    /// Connectors that it has to run.
    pub connectors: Vec<String>,
    /// Tasks that it has to run, as `NAME-N`.
    pub tasks: Vec<String>,
    /// How far it has read the internal topics; empty when it does not tell.
    pub topics: Vec<MemberTopicReport>,
}

/// How far a worker has read an internal topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberTopicReport {
    /// `config`, `offset` or `status`.
    pub role: String,
    /// The next offset to be read of each partition.
    pub positions: Vec<i64>,
    /// How many offsets it is behind the ends of the topic, over all partitions.
    pub lag: i64,
}

/// A connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorReport {
    /// Its name.
    pub name: String,
    /// `connector.class`, as configured.
    pub class: Option<String>,
    /// What it shall be: STARTED, PAUSED or STOPPED.
    pub target_state: &'static str,
    /// The connector instance.
    pub connector: WorkReport,
    /// Its tasks, by number.
    pub tasks: Vec<WorkReport>,
}

/// A connector instance or a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkReport {
    /// The number of the task; null for the connector instance.
    pub task: Option<i32>,
    /// Ids of the workers that have to run it: one, if all is well.
    pub assigned_to: Vec<String>,
    /// What was reported of it last; null when nothing was.
    pub status: Option<StatusReport>,
}

/// A status, as the status topic has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusReport {
    /// The state.
    pub state: &'static str,
    /// Who reported it.
    pub worker_id: String,
    /// In which generation.
    pub generation: i32,
    /// Version of the plugin, if known.
    pub version: Option<String>,
    /// Why it failed.
    pub trace: Option<String>,
}

impl From<&Status> for StatusReport {
    fn from(status: &Status) -> Self {
        Self {
            state: status.state.name(),
            worker_id: status.worker_id.clone(),
            generation: status.generation,
            version: status.version.clone(),
            trace: status.trace.clone(),
        }
    }
}

/// What the topics say.
pub(super) struct Contents {
    pub(super) topics: Vec<TopicReport>,
    pub(super) configs: ConfigSnapshot,
    pub(super) ignored: Vec<Ignored>,
    pub(super) statuses: StatusState,
}

impl Observer {
    /// Reads the config and the status topic, and looks at the offset topic.
    pub(super) fn contents(&self) -> Result<Contents, InspectError> {
        let topics = InternalTopic::ALL.map(|topic| self.topic(topic));
        let topics: Vec<TopicReport> = topics.into_iter().collect::<Result<_, _>>()?;
        let (mut configs, mut statuses) = (ConfigState::new(), StatusState::new());
        let mut ignored = Vec::new();
        for topic in &topics {
            match topic.internal {
                InternalTopic::Config => self.read(topic, |message| {
                    let events = configs.apply(message.offset(), message.key(), message.value());
                    ignored.extend(events.into_iter().filter_map(|event| match event {
                        ConfigEvent::Ignored(it) if it.reason.severity() >= Severity::Warn => Some(it),
                        _ => None,
                    }));
                })?,
                InternalTopic::Status => self.read(topic, |message| {
                    // A record that means nothing to workers says nothing here either.
                    let _ = statuses.apply(message.key(), message.value());
                })?,
                InternalTopic::Offset => {}
            }
        }
        Ok(Contents {
            topics,
            configs: configs.snapshot(),
            ignored,
            statuses,
        })
    }

    /// Looks at the group until it was the same before and after its topics were read, or the patience is over.
    fn settled(&self) -> Result<(Group, Contents), InspectError> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let before = Group::of(self.group()?);
            let is_late = Instant::now() >= deadline;
            if before.is_settled() || is_late {
                let contents = self.contents()?;
                let after = Group::of(self.group()?);
                if after == before || is_late {
                    return Ok((after, contents));
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// All there is to say of the group. Blocks.
    ///
    /// # Errors
    /// When Kafka cannot be asked, or there is neither a group of workers nor its config topic.
    pub fn cluster(&self) -> Result<ClusterReport, InspectError> {
        let (group, contents) = self.settled()?;
        let has_configs = contents
            .topics
            .iter()
            .any(|topic| topic.internal == InternalTopic::Config && topic.exists);
        if group.state == DEAD && !has_configs {
            return Err(InspectError::NoSuchGroup {
                group: self.config().group_id.clone(),
                topic: self.config().config_topic.topic.name.clone(),
            });
        }
        let urls: BTreeSet<String> = group
            .members
            .iter()
            .filter_map(|member| member.url().map(str::to_owned))
            .collect();
        let said = ask_all(urls);
        Ok(report(
            &self.config().group_id,
            self.cluster_id(),
            &group,
            contents,
            &said,
        ))
    }
}

/// Puts together what was found.
fn report(
    group_id: &str,
    kafka_cluster_id: &str,
    group: &Group,
    contents: Contents,
    said: &BTreeMap<String, Said>,
) -> ClusterReport {
    let Contents {
        topics,
        configs,
        ignored,
        statuses,
    } = contents;
    let silent: BTreeMap<String, String> = said
        .iter()
        .filter_map(|(url, said)| Some((url.clone(), said.silent.clone()?)))
        .collect();
    let facts = Facts {
        group_id,
        group,
        configs: &configs,
        statuses: &statuses,
        silent: &silent,
    };
    let mut findings: Vec<Finding> = topics.iter().flat_map(TopicReport::findings).collect();
    findings.extend(facts.findings());
    findings.extend(unreadable(&ignored));
    let owners = owners(group);
    ClusterReport {
        group_id: group_id.to_owned(),
        kafka_cluster_id: kafka_cluster_id.to_owned(),
        state: group.state.clone(),
        protocol: group.protocol.clone(),
        generation: generation(group_id, said, &statuses),
        leader: group.leader().map(|leader| LeaderReport {
            member_id: leader.member_id.clone(),
            url: leader.url().unwrap_or_default().to_owned(),
        }),
        waiting_for_lost_workers_ms: group.delay_ms(),
        members: group
            .members
            .iter()
            .map(|member| {
                let nothing = Said::default();
                let said = member.url().and_then(|url| said.get(url)).unwrap_or(&nothing);
                member_report(group_id, member, said, &topics)
            })
            .collect(),
        connectors: configs
            .connectors()
            .map(|name| connector_report(name, &configs, &statuses, &owners))
            .collect(),
        config_offset: configs.offset(),
        topics,
        findings,
    }
}

/// The newest that a member names, or else a status.
fn generation(
    group_id: &str,
    said: &BTreeMap<String, Said>,
    statuses: &StatusState,
) -> Option<GenerationReport> {
    let of_members = said
        .values()
        .filter_map(|said| said.cluster.as_ref())
        .filter(|cluster| cluster.group_id == group_id && cluster.generation >= 0)
        .map(|cluster| cluster.generation)
        .max();
    if let Some(number) = of_members {
        return Some(GenerationReport {
            number,
            source: GenerationSource::Member,
        });
    }
    let of_statuses = statuses.connectors().flat_map(|name| {
        let tasks = statuses.tasks(name).map(|(_, status)| status.generation);
        statuses
            .connector(name)
            .map(|status| status.generation)
            .into_iter()
            .chain(tasks)
    });
    Some(GenerationReport {
        number: of_statuses.max()?,
        source: GenerationSource::StatusTopic,
    })
}

fn member_report(group_id: &str, member: &Member, said: &Said, topics: &[TopicReport]) -> MemberReport {
    let (mut connectors, mut tasks) = (Vec::new(), Vec::new());
    for id in member.work() {
        match id {
            WorkId::Connector(name) => connectors.push(name),
            WorkId::Task(task) => tasks.push(task.to_string()),
        }
    }
    // What answers at the URL may by now be a worker of another group.
    let cluster = said
        .cluster
        .as_ref()
        .filter(|cluster| cluster.group_id == group_id);
    let read = cluster.into_iter().flat_map(|cluster| &cluster.topics);
    MemberReport {
        url: member.url().map(str::to_owned),
        worker_id: member.worker_id(),
        member_id: member.member_id.clone(),
        client_id: member.client_id.clone(),
        host: member.host.clone(),
        is_leader: member.is_leader(),
        kind: said.kind,
        version: said.version.clone(),
        silent: said.silent.clone(),
        generation: cluster.map(|cluster| cluster.generation),
        config_offset_when_joined: member.said.as_ref().map(|said| said.config_offset),
        connectors,
        tasks,
        topics: read
            .filter_map(|read| {
                let topic = topics
                    .iter()
                    .find(|topic| topic.role == read.role && topic.topic == read.topic)?;
                Some(MemberTopicReport {
                    role: read.role.clone(),
                    lag: topic.lag(&read.positions),
                    positions: read.positions.clone(),
                })
            })
            .collect(),
    }
}

fn connector_report(
    name: &str,
    configs: &ConfigSnapshot,
    statuses: &StatusState,
    owners: &Owners,
) -> ConnectorReport {
    let work = |id: WorkId, task: Option<i32>, status: Option<&Status>| WorkReport {
        task,
        assigned_to: owners.get(&id).into_iter().flatten().cloned().collect(),
        status: status.map(StatusReport::from),
    };
    ConnectorReport {
        name: name.to_owned(),
        class: configs
            .config(name)
            .and_then(|config| config.get(CONNECTOR_CLASS))
            .map(str::to_owned),
        target_state: configs.target_state(name).unwrap_or_default().name(),
        connector: work(WorkId::Connector(name.to_owned()), None, statuses.connector(name)),
        tasks: configs
            .tasks(name)
            .into_iter()
            .map(|id| {
                let status = statuses.task(&id);
                work(WorkId::Task(id.clone()), Some(id.task), status)
            })
            .collect(),
    }
}

/// Records of the config topic that mean nothing, or less than they could. A group works on without them.
fn unreadable(ignored: &[Ignored]) -> Vec<Finding> {
    let note = |subject: &str, message| Finding::note(FindingKind::UnreadableRecord, subject, message);
    let mut notes: Vec<Finding> = ignored
        .iter()
        .take(MOST_RECORDS)
        .map(|ignored| note(&ignored.key, ignored.to_string()))
        .collect();
    if let Some(more) = ignored.len().checked_sub(MOST_RECORDS).filter(|more| *more > 0) {
        notes.push(note("", format!("and {more} more records of the config topic")));
    }
    notes
}
