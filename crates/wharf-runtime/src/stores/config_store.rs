//! The config topic: connectors, task configurations, target states, and what else all workers have to know.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wharf_cluster::config_state::write::{WRITE_TIMEOUT_MS, WriteStep};
use wharf_cluster::config_state::{ConfigEvent, ConfigSnapshot, ConfigState, Ignored, Severity};
use wharf_cluster::topic_record::TopicRecord;
use wharf_kafka::{
    Admin, LogClients, LogError, LogRecord, LogTopic, Producer, ReadPositions, TopicLog, TransactionError,
    Translated, write_all,
};

use super::Census;
use crate::sync::lock;

/// For a write and for reading it back, as upstream.
const WRITE_TIMEOUT: Duration = Duration::from_millis(WRITE_TIMEOUT_MS);
/// For a leader to claim the right to write.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(30);

/// Hears what is new, with what the topic says now. It is called on the thread that reads the topic and must not wait.
pub type ConfigListener = Box<dyn FnMut(Vec<ConfigEvent>, ConfigSnapshot) + Send>;

/// Why a write failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigStoreError {
    /// The topic could not be written or read back.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another worker has become leader, or this one's claim is not settled: it has to be made anew.
    #[error("this worker may not write to the config topic before it has claimed it again: {0}")]
    Fenced(String),
}

struct Shared {
    state: ConfigState,
    listener: Option<ConfigListener>,
}

/// The store.
pub struct ConfigBackingStore {
    log: TopicLog,
    shared: Arc<Mutex<Shared>>,
    census: Arc<Census>,
    /// Settings of the leader's transactional producer; none when any worker may write.
    fencible: Option<Translated>,
    /// That producer, while the claim holds. Locked for as long as a write or a claim takes.
    claimed: Mutex<Option<Producer>>,
    /// Whether there is one, for those who must not wait.
    has_claim: AtomicBool,
}

impl fmt::Debug for ConfigBackingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigBackingStore")
            .field("topic", &self.log.name())
            .finish_non_exhaustive()
    }
}

fn log_ignored(topic: &str, ignored: &Ignored) {
    match ignored.reason.severity() {
        Severity::Error => tracing::error!("{topic}: {ignored}"),
        Severity::Warn => tracing::warn!("{topic}: {ignored}"),
        Severity::Debug => tracing::debug!("{topic}: {ignored}"),
        Severity::Trace => tracing::trace!("{topic}: {ignored}"),
    }
}

impl ConfigBackingStore {
    /// Creates the topic unless it is there, checks it, and reads it to its end. Blocks.
    ///
    /// # Errors
    /// When the topic cannot be used, or not be read within `timeout`.
    pub fn start(
        admin: &Arc<Admin>,
        topic: &LogTopic,
        clients: &LogClients,
        fencible: Option<Translated>,
        timeout: Duration,
    ) -> Result<Self, LogError> {
        let partitions = TopicLog::open(admin, topic, timeout)?;
        let shared = Arc::new(Mutex::new(Shared {
            state: ConfigState::new(),
            listener: None,
        }));
        let census: Arc<Census> = Arc::default();
        let (of_log, seen) = (Arc::clone(&shared), Arc::clone(&census));
        let name = topic.topic.name.clone();
        let log = TopicLog::start(
            &topic.topic.name,
            partitions,
            clients,
            Arc::clone(admin),
            timeout,
            move |message| {
                seen.count(message.key());
                let mut shared = lock(&of_log);
                let mut events = shared
                    .state
                    .apply(message.offset(), message.key(), message.value());
                events.retain(|event| match event {
                    ConfigEvent::Ignored(ignored) => {
                        log_ignored(&name, ignored);
                        false
                    }
                    _ => true,
                });
                let shared = &mut *shared;
                if let Some(listener) = &mut shared.listener {
                    listener(events, shared.state.snapshot());
                }
            },
        )?;
        Ok(Self {
            log,
            shared,
            census,
            fencible,
            claimed: Mutex::new(None),
            has_claim: AtomicBool::new(false),
        })
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.log.name()
    }

    /// What the records of the topic are.
    #[must_use]
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// How far the topic was read.
    #[must_use]
    pub fn positions(&self) -> ReadPositions {
        self.log.positions()
    }

    /// Says what the topic holds now, and tells `listener` of everything that comes after that.
    pub fn listen(&self, listener: ConfigListener) -> ConfigSnapshot {
        let mut shared = lock(&self.shared);
        shared.state.initial_read_complete();
        shared.listener = Some(listener);
        shared.state.snapshot()
    }

    /// What the topic holds, as far as it was read.
    #[must_use]
    pub fn snapshot(&self) -> ConfigSnapshot {
        lock(&self.shared).state.snapshot()
    }

    /// Waits until everything that is in the topic now was read. Blocks.
    ///
    /// # Errors
    /// When that takes longer than `timeout`.
    pub fn read_to_end(&self, timeout: Duration) -> Result<(), LogError> {
        self.log.read_to_end(timeout)
    }

    /// Whether only the worker that has claimed the topic may write to it.
    #[must_use]
    pub fn is_fencible(&self) -> bool {
        self.fencible.is_some()
    }

    /// Claims the right to write for this worker, which leads now; the former leader's next write fails. Blocks. Nothing to
    /// do where every worker may write, or the claim holds already.
    ///
    /// # Errors
    /// When the claim is refused or not answered.
    pub fn claim(&self) -> Result<(), ConfigStoreError> {
        let Some(settings) = &self.fencible else {
            return Ok(());
        };
        let mut claimed = lock(&self.claimed);
        if claimed.is_some() {
            return Ok(());
        }
        let producer = Producer::new(settings).map_err(LogError::from)?;
        producer
            .init_transactions(CLAIM_TIMEOUT)
            .map_err(|error| fenced(&error))?;
        *claimed = Some(producer);
        self.has_claim.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether a claim has to be made before the next write. Does not wait for one that is being made.
    #[must_use]
    pub fn needs_claim(&self) -> bool {
        self.is_fencible() && !self.has_claim.load(Ordering::Acquire)
    }

    /// Gives up the claim of a worker that leads no longer, so that it claims anew, and its first write does not fail, when
    /// it leads again. Waits for a write that is going on.
    pub fn release_claim(&self) {
        self.has_claim.store(false, Ordering::Release);
        lock(&self.claimed).take();
    }

    /// Carries out an operation of [`wharf_cluster::config_state::write`], within upstream's 30 seconds. Blocks.
    ///
    /// # Errors
    /// When a step fails; what earlier steps wrote stays. After [`ConfigStoreError::Fenced`] the topic has to be claimed again
    /// by whoever leads.
    pub fn carry_out(&self, steps: Vec<WriteStep>) -> Result<(), ConfigStoreError> {
        let deadline = Instant::now() + WRITE_TIMEOUT;
        for step in steps {
            let left = deadline.saturating_duration_since(Instant::now());
            match step {
                WriteStep::ReadToEnd => self.log.read_to_end(left)?,
                WriteStep::TryReadToEnd => {
                    if let Err(error) = self.log.read_to_end(left) {
                        tracing::warn!(
                            "what was written to topic {} was not read back: {error}",
                            self.topic()
                        );
                    }
                }
                WriteStep::Privileged(records) if self.is_fencible() => self.write_fenced(records, left)?,
                WriteStep::Privileged(records) => {
                    for record in records {
                        let left = deadline.saturating_duration_since(Instant::now());
                        self.log.write(&[log_record(record)], left)?;
                    }
                }
                WriteStep::Plain(record) => self.log.write(&[log_record(record)], left)?,
                other => tracing::error!("not known how to write {other:?}"),
            }
        }
        Ok(())
    }

    /// All records in one transaction. After any failure the producer is closed: its claim is in doubt, and what it has sent
    /// stays invisible until the next claim ends the transaction.
    fn write_fenced(&self, records: Vec<TopicRecord>, timeout: Duration) -> Result<(), ConfigStoreError> {
        let mut claimed = lock(&self.claimed);
        let producer = claimed
            .take()
            .ok_or_else(|| ConfigStoreError::Fenced("it has lost its claim".to_owned()))?;
        let records: Vec<LogRecord> = records.into_iter().map(log_record).collect();
        let outcome = write_transaction(&producer, self.topic(), &records, timeout);
        if outcome.is_ok() {
            *claimed = Some(producer);
        } else {
            self.has_claim.store(false, Ordering::Release);
        }
        outcome
    }

    /// Ends the reading and gives up the claim.
    pub fn stop(&self) {
        lock(&self.shared).listener = None;
        self.release_claim();
        self.log.stop();
    }
}

fn write_transaction(
    producer: &Producer,
    topic: &str,
    records: &[LogRecord],
    timeout: Duration,
) -> Result<(), ConfigStoreError> {
    let deadline = Instant::now() + timeout;
    let lost = |error: LogError| ConfigStoreError::Fenced(error.to_string());
    let topic = producer.topic(topic).map_err(|error| lost(error.into()))?;
    producer.begin_transaction().map_err(|error| fenced(&error))?;
    write_all(producer, &topic, records, timeout).map_err(lost)?;
    let left = deadline.saturating_duration_since(Instant::now());
    producer
        .commit_transaction(left, |_| {})
        .map_err(|error| fenced(&error))
}

fn fenced(error: &TransactionError) -> ConfigStoreError {
    ConfigStoreError::Fenced(error.to_string())
}

fn log_record(record: TopicRecord) -> LogRecord {
    LogRecord {
        key: record.key.into_bytes(),
        value: record.value,
    }
}
