//! The admin client: topics, group offsets, groups, offsets of partitions.
//!
//! Every call blocks, at most for the time it is given, and may be made from any thread; callers that must not
//! block put it on a thread of their own. Errors carry Kafka's code, so that "is not there" and "has members" can be
//! told from real failures.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::native::admin as native;
use crate::native::client::Client;
use crate::native::groups;
use crate::native::lists::{Entry, List};
use crate::properties::{ClientKind, Translated};
use crate::types::{PartitionOffset, TopicMetadata, TopicPartition};
use crate::{ErrorCode, GroupMembers, KafkaError};

/// How long one step of a wait lasts before refused credentials are looked for.
const PATIENCE: Duration = Duration::from_millis(250);

/// A topic to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTopic {
    /// Name.
    pub name: String,
    /// Number of partitions; `None` (−1 in Connect's properties) leaves it to the broker.
    pub partitions: Option<i32>,
    /// Replication factor; `None` (−1) leaves it to the broker.
    pub replication_factor: Option<i16>,
    /// Further settings, by Kafka's topic setting names.
    pub configs: BTreeMap<String, String>,
}

/// What became of a wish to create a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicCreation {
    /// It was created.
    Created,
    /// It was there already.
    Existed,
}

/// What became of a wish to delete something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It was deleted.
    Deleted,
    /// There was nothing of that name.
    NotFound,
}

/// A consumer group as its coordinator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Kafka's name of the state, for example `Stable`, `Empty` or `Dead` (which is also said of a group that never was).
    pub state: String,
    /// Number of members.
    pub members: usize,
}

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first offset that is still there.
    Earliest,
    /// The offset the next record will get.
    Latest,
    /// The first offset whose record is at least this new, in milliseconds since 1970.
    AtOrAfter(i64),
}

/// An admin client.
pub struct Admin {
    client: Client,
    /// librdkafka's, for [`Admin::member_of`].
    properties: BTreeMap<String, String>,
}

fn explain(operation: String) -> impl FnOnce(native::Failure) -> KafkaError {
    move |(code, detail)| KafkaError::operation(operation, code, detail)
}

/// Fails with the first entry that carries an error.
fn all_succeeded(operation: &str, entries: Vec<Entry>) -> Result<(), KafkaError> {
    match entries
        .into_iter()
        .find_map(|entry| Some((entry.partition, entry.error?)))
    {
        Some((partition, code)) => {
            let detail = format!("the broker refused it for {partition}");
            Err(KafkaError::operation(operation, code.0, detail))
        }
        None => Ok(()),
    }
}

impl Admin {
    /// Makes an admin client; no broker is contacted yet.
    pub fn new(properties: &Translated) -> Result<Self, KafkaError> {
        Ok(Self {
            client: Client::new(ClientKind::Admin, &properties.librdkafka)?,
            properties: properties.librdkafka.clone(),
        })
    }

    /// A client that could be a member of the group, and never joins.
    ///
    /// A broker that has just stopped being the group's coordinator says so, and librdkafka 2.12.1 then has the client's own
    /// group look for the new one without asking whether it has a group: any other client would end the process.
    fn member_of(&self, group: &str) -> Result<Client, KafkaError> {
        let mut properties = self.properties.clone();
        properties.insert("group.id".to_owned(), group.to_owned());
        properties.insert("enable.auto.commit".to_owned(), "false".to_owned());
        Client::new(ClientKind::Consumer, &properties)
    }

    /// Id of the cluster.
    pub fn cluster_id(&self, timeout: Duration) -> Result<String, KafkaError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(id) = self.client.cluster_id(left.min(PATIENCE)) {
                return Ok(id);
            }
            // Refused credentials stay refused: there is nothing to wait for.
            self.client.serve();
            if let Some(failure) = self.client.take_failure() {
                return Err(failure);
            }
            if left.is_zero() {
                let mut detail = format!("no broker answered within {} ms", timeout.as_millis());
                if let Some(trouble) = self.client.last_trouble() {
                    detail.push_str("; last trouble: ");
                    detail.push_str(&trouble);
                }
                return Err(KafkaError::operation(
                    "asking for the cluster id",
                    ErrorCode::TIMED_OUT.0,
                    detail,
                ));
            }
        }
    }

    /// All topics of the cluster.
    pub fn list_topics(&self, timeout: Duration) -> Result<Vec<TopicMetadata>, KafkaError> {
        self.client.topics(timeout)
    }

    /// The topic, or `None` when it does not exist; asking never creates it.
    pub fn describe_topic(&self, name: &str, timeout: Duration) -> Result<Option<TopicMetadata>, KafkaError> {
        let failed = |failure| explain(format!("description of topic {name}"))(failure);
        let found = native::describe_topics(&self.client, &[name.to_owned()], timeout)?.map_err(failed)?;
        match found.into_iter().next() {
            Some((name, Ok(partitions))) => Ok(Some(TopicMetadata { name, partitions })),
            Some((_, Err((code, _)))) if ErrorCode(code) == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Ok(None),
            Some((_, Err(failure))) => Err(failed(failure)),
            None => Ok(None),
        }
    }

    /// Creates a topic unless it is there.
    pub fn create_topic(&self, topic: &NewTopic, timeout: Duration) -> Result<TopicCreation, KafkaError> {
        let outcome = native::create_topic(
            &self.client,
            &topic.name,
            topic.partitions.unwrap_or(-1),
            topic.replication_factor.unwrap_or(-1),
            &topic.configs,
            timeout,
        )?;
        match outcome {
            Ok(()) => Ok(TopicCreation::Created),
            Err((code, _)) if ErrorCode(code) == ErrorCode::TOPIC_ALREADY_EXISTS => {
                Ok(TopicCreation::Existed)
            }
            Err(failure) => Err(explain(format!("creation of topic {}", topic.name))(failure)),
        }
    }

    /// Deletes a topic with all that is in it; a missing one is [`Deletion::NotFound`].
    pub fn delete_topic(&self, name: &str, timeout: Duration) -> Result<Deletion, KafkaError> {
        match native::delete_topic(&self.client, name, timeout)? {
            Ok(()) => Ok(Deletion::Deleted),
            Err((code, _)) if ErrorCode(code) == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                Ok(Deletion::NotFound)
            }
            Err(failure) => Err(explain(format!("deletion of topic {name}"))(failure)),
        }
    }

    /// The settings of a topic that are in force, by Kafka's names, defaults included; those that the broker keeps to itself
    /// are left out.
    pub fn describe_topic_configs(
        &self,
        name: &str,
        timeout: Duration,
    ) -> Result<BTreeMap<String, String>, KafkaError> {
        native::describe_topic_configs(&self.client, name, timeout)?
            .map_err(explain(format!("description of the settings of topic {name}")))
    }

    /// All committed offsets of a group; empty for a group that does not exist.
    pub fn group_offsets(&self, group: &str, timeout: Duration) -> Result<Vec<PartitionOffset>, KafkaError> {
        let committed = self.group_offsets_with_metadata(group, timeout)?;
        Ok(committed.into_iter().map(|(at, _)| at).collect())
    }

    /// The same, each with the text that was committed with it.
    pub fn group_offsets_with_metadata(
        &self,
        group: &str,
        timeout: Duration,
    ) -> Result<Vec<(PartitionOffset, String)>, KafkaError> {
        let operation = format!("listing the offsets of group {group}");
        let request = native::GroupOffsets::List;
        let entries = native::group_offsets(&self.member_of(group)?, group, request, timeout)?
            .map_err(explain(operation.clone()))?;
        all_succeeded(&operation, entries.clone())?;
        Ok(entries
            .into_iter()
            .filter(|entry| entry.offset >= 0)
            .map(|entry| {
                let (partition, offset) = (entry.partition, entry.offset);
                (PartitionOffset { partition, offset }, entry.metadata)
            })
            .collect())
    }

    /// Sets committed offsets of a group without members.
    ///
    /// # Errors
    /// [`Admin::is_group_in_use`] tells that the group has members.
    pub fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[PartitionOffset],
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        self.alter_offsets(group, &List::of_offsets(offsets)?, timeout)
    }

    /// The same with a text for each, which the broker keeps with the offset; brokers take up to 4096 bytes unless
    /// `offset.metadata.max.bytes` says otherwise.
    ///
    /// # Errors
    /// As [`Admin::alter_group_offsets`].
    pub fn alter_group_offsets_with_metadata(
        &self,
        group: &str,
        offsets: &[(PartitionOffset, String)],
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        self.alter_offsets(group, &List::of_committed(offsets)?, timeout)
    }

    fn alter_offsets(&self, group: &str, offsets: &List, timeout: Duration) -> Result<(), KafkaError> {
        if offsets.entries().is_empty() {
            return Ok(());
        }
        let operation = format!("altering the offsets of group {group}");
        let request = native::GroupOffsets::Alter(offsets);
        let entries = native::group_offsets(&self.client, group, request, timeout)?
            .map_err(explain(operation.clone()))?;
        all_succeeded(&operation, entries)
    }

    /// Removes committed offsets of a group; a missing group is [`Deletion::NotFound`].
    pub fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Deletion, KafkaError> {
        if partitions.is_empty() {
            return Ok(Deletion::Deleted);
        }
        let operation = format!("deleting offsets of group {group}");
        let list = List::of_partitions(partitions)?;
        let request = native::GroupOffsets::Delete(&list);
        match native::group_offsets(&self.client, group, request, timeout)? {
            Ok(entries) => all_succeeded(&operation, entries).map(|()| Deletion::Deleted),
            Err((code, _)) if ErrorCode(code) == ErrorCode::GROUP_ID_NOT_FOUND => Ok(Deletion::NotFound),
            Err(failure) => Err(explain(operation)(failure)),
        }
    }

    /// Deletes a group with its offsets; a missing group is [`Deletion::NotFound`].
    pub fn delete_group(&self, group: &str, timeout: Duration) -> Result<Deletion, KafkaError> {
        match native::delete_group(&self.client, group, timeout)? {
            Ok(()) => Ok(Deletion::Deleted),
            Err((code, _)) if ErrorCode(code) == ErrorCode::GROUP_ID_NOT_FOUND => Ok(Deletion::NotFound),
            Err(failure) => Err(explain(format!("deletion of group {group}"))(failure)),
        }
    }

    /// State and members of a group.
    pub fn describe_group(&self, group: &str, timeout: Duration) -> Result<GroupDescription, KafkaError> {
        let (state, members) = native::describe_group(&self.client, group, timeout)?
            .map_err(explain(format!("description of group {group}")))?;
        Ok(GroupDescription { state, members })
    }

    /// A group of the classic protocol with what its members said and were given; `None` when there is no such group, or this
    /// client may not see it. Asks every broker.
    pub fn group_members(&self, group: &str, timeout: Duration) -> Result<Option<GroupMembers>, KafkaError> {
        groups::group_members(&self.client, group, timeout)
    }

    /// Whether an error of this client says that the group still has members (or members subscribed to the topic), so the
    /// caller must wait until they left.
    pub fn is_group_in_use(error: &KafkaError) -> bool {
        matches!(
            error.code(),
            Some(
                ErrorCode::NON_EMPTY_GROUP
                    | ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC
                    | ErrorCode::UNKNOWN_MEMBER_ID
            )
        )
    }

    /// Offsets of partitions as the brokers know them; with `committed_only` no further than the last finished transaction.
    pub fn list_offsets(
        &self,
        specs: &[(TopicPartition, OffsetSpec)],
        committed_only: bool,
        timeout: Duration,
    ) -> Result<Vec<PartitionOffset>, KafkaError> {
        if specs.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<_> = specs
            .iter()
            .map(|(partition, spec)| PartitionOffset {
                partition: partition.clone(),
                offset: match spec {
                    OffsetSpec::Earliest => -2,
                    OffsetSpec::Latest => -1,
                    OffsetSpec::AtOrAfter(at) => *at,
                },
            })
            .collect();
        let operation = "listing offsets".to_owned();
        let ask = || {
            let entries = native::list_offsets(&self.client, &wanted, committed_only, timeout)?
                .map_err(|(code, detail)| explain(operation.clone())((of_leaders(code), detail)))?;
            all_succeeded(&operation, entries.clone())?;
            Ok(entries)
        };
        let entries = match ask() {
            Err(error) if is_outdated(&error) => {
                // The client library keeps who leads, and since when, for minutes, and does not ask anew by itself.
                self.client.topics(timeout)?;
                ask()?
            }
            outcome => outcome?,
        };
        Ok(entries
            .into_iter()
            .map(|entry| PartitionOffset {
                partition: entry.partition,
                offset: entry.offset,
            })
            .collect())
    }
}

/// The client library's "no entry" stands for partitions that nobody leads, as of a broker that stops or starts.
fn of_leaders(code: i32) -> i32 {
    match ErrorCode(code) {
        ErrorCode::NO_ENTRY => ErrorCode::LEADER_NOT_AVAILABLE.0,
        _ => code,
    }
}

/// Whether the broker was asked on the ground of an earlier leadership, as after its restart.
fn is_outdated(error: &KafkaError) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::FENCED_LEADER_EPOCH
                | ErrorCode::UNKNOWN_LEADER_EPOCH
                | ErrorCode::NOT_LEADER_OR_FOLLOWER
                | ErrorCode::LEADER_NOT_AVAILABLE
        )
    )
}
