//! A compacted topic as the shared memory of workers: read from the beginning, followed for ever, written with care.
//!
//! [`TopicLog::open`] makes the topic if it is not there and checks it if it is, [`TopicLog::start`] reads it to its end and goes on
//! reading on a thread of its own. What must stay true: a record is handed over before [`TopicLog::read_to_end`] asked after
//! it was written returns; records of one partition come in their order, each once; a write that returned is in the topic.

mod follower;
mod positions;

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::follower::Follower;
pub use self::positions::ReadPositions;
use crate::{
    Admin, ErrorCode, KafkaError, MessageRef, NewTopic, Producer, Reader, SendError, TopicCreation,
    TopicHandle, Translated,
};

/// How long one wait for records lasts, and with it how soon a request is noticed.
const TICK: Duration = Duration::from_millis(20);
/// Between two attempts at what passes by itself.
const RETRY: Duration = Duration::from_millis(250);
/// What the reader fetches ahead. Its records are small, and each weighs several times its bytes while it waits.
const PREFETCH: u64 = 1 << 20;
/// For one request to a broker.
const REQUEST: Duration = Duration::from_secs(10);
/// For the brokers of a cluster that is coming up to be as many as a topic is to have copies.
const BROKERS: Duration = Duration::from_secs(30);
/// For a topic that was created a moment ago to be known everywhere.
const METADATA: Duration = Duration::from_secs(30);

/// Why a log cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// Kafka refused, or did not answer.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The topic is not kept as it has to be.
    #[error(
        "topic {topic}, named by {key}, has cleanup.policy={found}, but it must be compact: otherwise old records, and with \
         them {what}, are lost; change it by kafka-configs --alter --entity-type topics --entity-name {topic} \
         --add-config cleanup.policy=compact, or name another topic"
    )]
    CleanupPolicy {
        /// The topic.
        topic: String,
        /// The worker key that names it.
        key: &'static str,
        /// What it is kept by.
        found: String,
        /// What it holds.
        what: &'static str,
    },
    /// The topic has more partitions than it may have.
    #[error(
        "topic {topic}, named by {key}, has {found} partitions, but its records are only in order with a single one; \
         name another topic"
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// The worker key that names it.
        key: &'static str,
        /// How many there are.
        found: usize,
    },
    /// It took longer than it may.
    #[error("{0}")]
    TimedOut(String),
    /// The log was closed.
    #[error("topic {0} is no longer read")]
    Closed(String),
}

impl LogError {
    /// Whether trying again can help.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka(error) => error.is_retriable(),
            Self::TimedOut(_) => true,
            _ => false,
        }
    }
}

/// The topic and how it has to be.
#[derive(Debug, Clone, PartialEq)]
pub struct LogTopic {
    /// What to create it with; the cleanup policy is always `compact`.
    pub topic: NewTopic,
    /// The worker key that names it, for messages.
    pub key: &'static str,
    /// What it holds, for messages: `source offsets`.
    pub what: &'static str,
    /// Whether it must have a single partition.
    pub single_partition: bool,
}

/// The clients of a log.
#[derive(Debug, Clone)]
pub struct LogClients {
    /// For writing.
    pub producer: Translated,
    /// For reading.
    pub consumer: Translated,
}

/// Which end of the topic is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Everything that was written: what the asker wrote may be behind an open transaction, which is then waited for.
    Written,
    /// What is committed. A transaction that a dead writer has left open is not waited for.
    Committed,
}

enum Request {
    ReadToEnd(Sender<Result<(), LogError>>, End),
    Stop,
}

/// One record to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Its key, by which it is compacted.
    pub key: Vec<u8>,
    /// Its value; `None` forgets the key.
    pub value: Option<Vec<u8>>,
}

/// A log that is being read.
pub struct TopicLog {
    name: String,
    producer: Mutex<(Producer, TopicHandle)>,
    requests: Sender<Request>,
    positions: ReadPositions,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl TopicLog {
    /// Creates the topic unless it is there, checks how it is kept, and returns its number of partitions. Blocks.
    ///
    /// # Errors
    /// When the topic cannot be made or used; only refusals end this early, anything that passes is tried again until
    /// `timeout`.
    pub fn open(admin: &Admin, log: &LogTopic, timeout: Duration) -> Result<i32, LogError> {
        let name = &log.topic.name;
        let deadline = Instant::now() + timeout;
        let mut topic = log.topic.clone();
        topic
            .configs
            .insert("cleanup.policy".to_owned(), "compact".to_owned());
        let created = retry(deadline, || admin.create_topic(&topic, REQUEST));
        match created {
            Ok(TopicCreation::Created) => {
                tracing::info!("created topic {name} for {}", log.what);
            }
            Ok(TopicCreation::Existed) => check_cleanup_policy(admin, log, deadline)?,
            // Others may create it, or the broker does by itself.
            Err(error) if may_not_create(&error) => {
                tracing::warn!(
                    "this worker may not create topic {name}; it is expected to be there: {error}"
                );
                check_cleanup_policy(admin, log, deadline)?;
            }
            Err(error) => return Err(error.into()),
        }
        let until = Instant::now() + METADATA;
        loop {
            match admin.describe_topic(name, REQUEST) {
                Ok(Some(found)) if found.partitions > 0 => {
                    if log.single_partition && found.partitions > 1 {
                        return Err(LogError::Partitions {
                            topic: name.clone(),
                            key: log.key,
                            found: found.partitions,
                        });
                    }
                    return Ok(i32::try_from(found.partitions).unwrap_or(i32::MAX));
                }
                Ok(_) => {}
                Err(error) if error.is_retriable() => {}
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= until {
                return Err(LogError::TimedOut(format!(
                    "topic {name}, named by {}, is not known to the brokers after {} s",
                    log.key,
                    METADATA.as_secs()
                )));
            }
            std::thread::sleep(RETRY);
        }
    }

    /// Reads the topic to its end, handing every record to `each`, and goes on reading. Blocks until the end is reached: with a
    /// `read_committed` consumer that of what is committed.
    ///
    /// # Errors
    /// When a client cannot be made, or the topic cannot be read within `timeout`.
    pub fn start(
        name: &str,
        partitions: i32,
        clients: &LogClients,
        admin: Arc<Admin>,
        timeout: Duration,
        each: impl FnMut(MessageRef<'_>) + Send + 'static,
    ) -> Result<Self, LogError> {
        let producer = Producer::new(&clients.producer)?;
        let handle = producer.topic(name)?;
        let mut consumer = clients.consumer.clone();
        consumer.bound_prefetch(PREFETCH);
        let reader = Reader::new(&consumer, name, partitions)?;
        let (requests, inbox) = channel();
        let positions = ReadPositions::new(partitions);
        let follower = Follower {
            reader,
            partitions,
            admin,
            each,
            waiting: Vec::new(),
            ask_again: None,
            positions: positions.clone(),
            new_until: Instant::now() + METADATA,
        };
        let thread = std::thread::Builder::new()
            .name(format!("log-{name}"))
            .spawn(move || follower.run(&inbox))
            .map_err(|error| LogError::TimedOut(format!("no thread to read topic {name}: {error}")))?;
        let log = Self {
            name: name.to_owned(),
            producer: Mutex::new((producer, handle)),
            requests,
            positions,
            thread: Mutex::new(Some(thread)),
        };
        // Somebody who was killed may have left a transaction open, which whoever takes over has to end: and that cannot be
        // before a worker has started.
        let committed = clients.consumer.librdkafka.get("isolation.level");
        let end = match committed.map(String::as_str) {
            Some("read_committed") => End::Committed,
            _ => End::Written,
        };
        log.read_to(end, timeout)?;
        Ok(log)
    }

    /// The topic.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far it was read; stays true while the reading goes on.
    #[must_use]
    pub fn positions(&self) -> ReadPositions {
        self.positions.clone()
    }

    /// Waits until everything that is in the topic now was handed over.
    ///
    /// # Errors
    /// When that takes longer than `timeout`, or the topic cannot be read.
    pub fn read_to_end(&self, timeout: Duration) -> Result<(), LogError> {
        self.read_to(End::Written, timeout)
    }

    fn read_to(&self, end: End, timeout: Duration) -> Result<(), LogError> {
        let (answer, outcome) = channel();
        let closed = || LogError::Closed(self.name.clone());
        self.requests
            .send(Request::ReadToEnd(answer, end))
            .map_err(|_| closed())?;
        match outcome.recv_timeout(timeout) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => Err(LogError::TimedOut(format!(
                "topic {} could not be read to its end within {} ms",
                self.name,
                timeout.as_millis()
            ))),
            Err(RecvTimeoutError::Disconnected) => Err(closed()),
        }
    }

    /// Writes records, one after the other, and waits until all are acknowledged.
    ///
    /// # Errors
    /// When one was not taken, or not all were acknowledged within `timeout`; earlier ones may be in the topic, later ones
    /// are then given up.
    pub fn write(&self, records: &[LogRecord], timeout: Duration) -> Result<(), LogError> {
        let locked = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let (producer, topic) = &*locked;
        write_all(producer, topic, records, timeout)
    }

    /// Writes records as [`TopicLog::write`] does, and says what became of each, in their order. Of those that are not
    /// acknowledged within `timeout` it is not known whether they are in the topic.
    pub fn write_each(&self, records: &[LogRecord], timeout: Duration) -> Vec<Result<(), KafkaError>> {
        let locked = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let (producer, topic) = &*locked;
        let deadline = Instant::now() + timeout;
        let mut outcomes: Vec<Option<Result<(), KafkaError>>> = vec![None; records.len()];
        let note = |outcomes: &mut Vec<_>, delivery: crate::Delivery| {
            let number = usize::try_from(delivery.opaque).unwrap_or(usize::MAX);
            if let Some(outcome) = outcomes.get_mut(number) {
                *outcome = Some(delivery.result);
            }
        };
        for (number, record) in records.iter().enumerate() {
            let (key, value) = (Some(record.key.as_slice()), record.value.as_deref());
            loop {
                match producer.send(topic, None, None, key, value, &[], number as u64) {
                    Ok(()) => break,
                    Err(SendError::QueueFull) if Instant::now() < deadline => {
                        producer.poll_acks(TICK, |delivery| note(&mut outcomes, delivery));
                    }
                    Err(SendError::QueueFull) => break,
                    Err(SendError::Failed(error)) => {
                        outcomes[number] = Some(Err(error));
                        break;
                    }
                }
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if !producer.flush(left, |delivery| note(&mut outcomes, delivery)) {
            producer.purge();
            producer.flush(REQUEST, |delivery| note(&mut outcomes, delivery));
        }
        let late = || {
            let what = format!("sending to topic {}", topic.name());
            let why = format!("not acknowledged within {} ms", timeout.as_millis());
            KafkaError::operation(what, ErrorCode::TIMED_OUT.0, why)
        };
        let is_given_up = |error: &KafkaError| {
            let code = error.code();
            code == Some(ErrorCode::PURGED_QUEUED) || code == Some(ErrorCode::PURGED_IN_FLIGHT)
        };
        outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Some(Err(error)) if is_given_up(&error) => Err(late()),
                Some(outcome) => outcome,
                None => Err(late()),
            })
            .collect()
    }

    /// Ends the reading. What waits for the end of the topic gets an error.
    pub fn stop(&self) {
        // A thread that has ended already needs no order.
        let _ = self.requests.send(Request::Stop);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for TopicLog {
    fn drop(&mut self) {
        let _ = self.requests.send(Request::Stop);
    }
}

/// Sends records and waits for their acknowledgement; used for plain and for transactional producers.
///
/// # Errors
/// As [`TopicLog::write`].
pub fn write_all(
    producer: &Producer,
    topic: &TopicHandle,
    records: &[LogRecord],
    timeout: Duration,
) -> Result<(), LogError> {
    let deadline = Instant::now() + timeout;
    let mut failure: Option<KafkaError> = None;
    let mut note = |delivery: crate::Delivery| {
        if let (Err(error), None) = (delivery.result, &failure) {
            failure = Some(error);
        }
    };
    for record in records {
        loop {
            match producer.send(
                topic,
                None,
                None,
                Some(&record.key),
                record.value.as_deref(),
                &[],
                0,
            ) {
                Ok(()) => break,
                Err(SendError::QueueFull) if Instant::now() < deadline => {
                    producer.poll_acks(TICK, &mut note);
                }
                Err(SendError::QueueFull) => return Err(too_late(topic, timeout)),
                Err(SendError::Failed(error)) => return Err(error.into()),
            }
        }
    }
    let left = deadline.saturating_duration_since(Instant::now());
    let complete = producer.flush(left, &mut note);
    if !complete {
        // Or they would arrive when nobody expects them any more.
        producer.purge();
        producer.flush(REQUEST, |_| {});
        return Err(producer
            .take_failure()
            .map_or_else(|| too_late(topic, timeout), LogError::from));
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

fn too_late(topic: &TopicHandle, timeout: Duration) -> LogError {
    LogError::TimedOut(format!(
        "records for topic {} were not acknowledged within {} ms",
        topic.name(),
        timeout.as_millis()
    ))
}

/// Tries again for as long as the reason may pass, and says so when it is another one than before.
fn retry<T>(deadline: Instant, mut attempt: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let brokers = Instant::now() + BROKERS;
    let mut said = None;
    loop {
        let error = match attempt() {
            Err(error) if passes(&error, brokers) && Instant::now() + RETRY < deadline => error,
            outcome => return outcome,
        };
        let text = error.to_string();
        if said.as_ref() != Some(&text) {
            tracing::warn!("trying again: {text}");
            said = Some(text);
        }
        std::thread::sleep(RETRY);
    }
}

/// An invalid replication factor is what a cluster says while its brokers are still coming up, and for ever if it is to have no
/// more of them.
fn passes(error: &KafkaError, brokers: Instant) -> bool {
    error.is_retriable()
        || (error.code() == Some(ErrorCode::INVALID_REPLICATION_FACTOR) && Instant::now() < brokers)
}

fn may_not_create(error: &KafkaError) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::TOPIC_AUTHORIZATION_FAILED
                | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
                | ErrorCode::UNSUPPORTED_VERSION
        )
    )
}

fn check_cleanup_policy(admin: &Admin, log: &LogTopic, deadline: Instant) -> Result<(), LogError> {
    let name = &log.topic.name;
    let settings: BTreeMap<String, String> =
        match retry(deadline, || admin.describe_topic_configs(name, REQUEST)) {
            Ok(settings) => settings,
            Err(error)
                if may_not_create(&error) || error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) =>
            {
                tracing::warn!("how topic {name} is kept cannot be checked: {error}");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
    let Some(policy) = settings.get("cleanup.policy") else {
        return Ok(());
    };
    let mut policies = policy.split(',').map(|one| one.trim().to_ascii_lowercase());
    if policies.next().as_deref() == Some("compact") && policies.next().is_none() {
        return Ok(());
    }
    Err(LogError::CleanupPolicy {
        topic: name.clone(),
        key: log.key,
        found: policy.clone(),
        what: log.what,
    })
}
