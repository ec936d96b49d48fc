//! What the status topic says, and the rules for writing to it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{State, Status, StatusIgnored, StatusKey, TopicStatus};
use crate::ids::ConnectorTaskId;
use crate::topic_record::TopicRecord;

/// How careful a write is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutMode {
    /// Always written: the writer knows better than anybody.
    Put,
    /// Written unless another worker of a newer generation said something.
    Safe,
}

/// A status on its way into the topic. The producer sends it once; if that fails for a reason that may pass, ask
/// [`StatusState::should_retry`] before it is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingWrite {
    /// What to send.
    pub record: TopicRecord,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Status {
        key: StatusKey,
        status: Status,
        mode: PutMode,
        entry: u64,
        sequence: u64,
    },
    Topic,
}

/// One connector or task: what was read back, and how many writes were begun. It is known by its number, because one
/// that was deleted and made anew is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    number: u64,
    sequence: u64,
    status: Option<Status>,
}

/// What was read of the status topic, and what this worker is writing.
#[derive(Debug, Default)]
pub struct StatusState {
    connectors: BTreeMap<String, Entry>,
    tasks: BTreeMap<String, BTreeMap<i32, Entry>>,
    /// By connector, then by topic.
    topics: BTreeMap<String, BTreeMap<String, TopicStatus>>,
    /// Of the last status that was to be written.
    generation: Option<i32>,
    entries_made: u64,
}

/// Whether an UNASSIGNED comes too late to count against this RUNNING. Within one generation only another worker's does: what the
/// worker says itself of a task that it runs comes in order. Upstream does not look who says it, and goes on showing a task as
/// RUNNING that was started and stopped in one generation.
fn is_late_for(unassigned: &Status, running: &Status) -> bool {
    match running.generation.cmp(&unassigned.generation) {
        Ordering::Greater => true,
        Ordering::Equal => running.worker_id != unassigned.worker_id,
        Ordering::Less => false,
    }
}

impl StatusState {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies a record that was read. The order within a partition is the order of the topic.
    ///
    /// # Errors
    /// Why it has no effect; to be logged.
    pub fn apply(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), StatusIgnored> {
        let key = StatusKey::parse(&String::from_utf8_lossy(key.ok_or(StatusIgnored::NoKey)?))?;
        match (key, value) {
            (StatusKey::Topic { topic, connector }, Some(value)) => {
                let status = TopicStatus::from_record_value(value)?;
                self.topics.entry(connector).or_default().insert(topic, status);
            }
            (StatusKey::Topic { topic, connector }, None) => {
                if let Some(topics) = self.topics.get_mut(&connector) {
                    topics.remove(&topic);
                    if topics.is_empty() {
                        self.topics.remove(&connector);
                    }
                }
            }
            (StatusKey::Connector(connector), None) => {
                self.connectors.remove(&connector);
                self.tasks.remove(&connector);
            }
            (StatusKey::Task(id), None) => {
                if let Some(tasks) = self.tasks.get_mut(&id.connector) {
                    tasks.remove(&id.task);
                    if tasks.is_empty() {
                        self.tasks.remove(&id.connector);
                    }
                }
            }
            (key, Some(value)) => {
                let status = Status::from_record_value(value)?;
                let is_late = matches!(key, StatusKey::Task(_))
                    && status.state == State::Unassigned
                    && self
                        .status(&key)
                        .is_some_and(|known| known.state == State::Running && is_late_for(&status, known));
                if is_late {
                    return Err(StatusIgnored::LateUnassigned);
                }
                if let Some(entry) = self.entry_or_new(&key) {
                    entry.status = Some(status);
                }
            }
        }
        Ok(())
    }

    /// The status of a connector.
    #[must_use]
    pub fn connector(&self, connector: &str) -> Option<&Status> {
        self.connectors.get(connector)?.status.as_ref()
    }

    /// The status of a task.
    #[must_use]
    pub fn task(&self, id: &ConnectorTaskId) -> Option<&Status> {
        self.tasks.get(&id.connector)?.get(&id.task)?.status.as_ref()
    }

    /// The tasks of a connector that have a status, by number.
    pub fn tasks(&self, connector: &str) -> impl Iterator<Item = (i32, &Status)> {
        self.tasks
            .get(connector)
            .into_iter()
            .flatten()
            .filter_map(|(task, entry)| Some((*task, entry.status.as_ref()?)))
    }

    /// Names of all connectors that have a status, or a task with one.
    pub fn connectors(&self) -> impl Iterator<Item = &str> {
        let with_tasks = self
            .tasks
            .keys()
            .filter(|name| self.connector(name).is_none() && self.tasks(name).next().is_some());
        self.connectors
            .iter()
            .filter(|(_, entry)| entry.status.is_some())
            .map(|(name, _)| name)
            .chain(with_tasks)
            .map(String::as_str)
    }

    /// The topics that a connector uses, by name.
    pub fn topics(&self, connector: &str) -> impl Iterator<Item = &TopicStatus> {
        self.topics.get(connector).into_iter().flat_map(BTreeMap::values)
    }

    /// What a record of this key says; nothing for topics.
    #[must_use]
    pub fn status(&self, key: &StatusKey) -> Option<&Status> {
        self.entry(key)?.status.as_ref()
    }

    fn entry(&self, key: &StatusKey) -> Option<&Entry> {
        match key {
            StatusKey::Connector(connector) => self.connectors.get(connector),
            StatusKey::Task(id) => self.tasks.get(&id.connector)?.get(&id.task),
            StatusKey::Topic { .. } => None,
        }
    }

    /// The entry of a connector or task, made when there is none; none for topics.
    fn entry_or_new(&mut self, key: &StatusKey) -> Option<&mut Entry> {
        let number = self.entries_made;
        let new = || Entry {
            number,
            sequence: 0,
            status: None,
        };
        // Numbers may be left out, but are never used twice.
        self.entries_made += 1;
        match key {
            StatusKey::Connector(connector) => {
                Some(self.connectors.entry(connector.clone()).or_insert_with(new))
            }
            StatusKey::Task(id) => Some(
                self.tasks
                    .entry(id.connector.clone())
                    .or_default()
                    .entry(id.task)
                    .or_insert_with(new),
            ),
            StatusKey::Topic { .. } => None,
        }
    }

    /// Writes the status of a connector; none when a safe put must not go out. What was destroyed becomes a tombstone.
    pub fn put_connector(&mut self, connector: &str, status: Status, mode: PutMode) -> Option<PendingWrite> {
        self.put(StatusKey::Connector(connector.to_owned()), status, mode)
    }

    /// As [`put_connector`](Self::put_connector), for a task.
    pub fn put_task(&mut self, id: &ConnectorTaskId, status: Status, mode: PutMode) -> Option<PendingWrite> {
        self.put(StatusKey::Task(id.clone()), status, mode)
    }

    fn put(&mut self, key: StatusKey, status: Status, mode: PutMode) -> Option<PendingWrite> {
        self.generation = Some(status.generation);
        let entry = self.entry_or_new(&key)?;
        if mode == PutMode::Safe && !status.may_replace(entry.status.as_ref()) {
            return None;
        }
        entry.sequence += 1;
        Some(PendingWrite {
            record: TopicRecord {
                key: key.to_string(),
                value: status.to_record_value(),
            },
            origin: Origin::Status {
                entry: entry.number,
                sequence: entry.sequence,
                key,
                status,
                mode,
            },
        })
    }

    /// Writes that a connector uses a topic; none when that is known.
    #[must_use]
    pub fn put_topic(&self, status: &TopicStatus) -> Option<PendingWrite> {
        let is_known = self
            .topics
            .get(&status.connector)
            .is_some_and(|topics| topics.contains_key(&status.topic));
        (!is_known)
            .then(|| Self::topic_write(&status.connector, &status.topic, Some(status.to_record_value())))
    }

    /// Forgets all topics that a connector uses.
    #[must_use]
    pub fn reset_topics(&self, connector: &str) -> Vec<PendingWrite> {
        self.topics
            .get(connector)
            .into_iter()
            .flat_map(BTreeMap::keys)
            .map(|topic| Self::topic_write(connector, topic, None))
            .collect()
    }

    fn topic_write(connector: &str, topic: &str, value: Option<Vec<u8>>) -> PendingWrite {
        let key = StatusKey::Topic {
            topic: topic.to_owned(),
            connector: connector.to_owned(),
        };
        PendingWrite {
            record: TopicRecord {
                key: key.to_string(),
                value,
            },
            origin: Origin::Topic,
        }
    }

    /// Whether a write whose sending failed, for a reason that may pass, is to be sent again. It is not when it would say
    /// what nobody wants to know any more: the connector or task was deleted meanwhile, this worker has written for another
    /// generation since, or a safe put is no longer safe or was followed by another write of the same key.
    #[must_use]
    pub fn should_retry(&self, write: &PendingWrite) -> bool {
        let Origin::Status {
            key,
            status,
            mode,
            entry: number,
            sequence,
        } = &write.origin
        else {
            return true;
        };
        let Some(entry) = self.entry(key).filter(|entry| entry.number == *number) else {
            return false;
        };
        self.generation == Some(status.generation)
            && (*mode == PutMode::Put
                || (entry.sequence == *sequence && status.may_replace(entry.status.as_ref())))
    }
}
