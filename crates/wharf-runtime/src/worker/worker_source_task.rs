//! The thread of a source task: poll, convert, send, and store offsets of what was acknowledged.
//!
//! **A source offset is stored only after its record, and all before it of the same source partition, were acknowledged by
//! Kafka.** [`SubmittedRecords`] knows which those are; `commit_offsets` is the one place that
//! stores them. A record is entered before the producer gets it, so nothing is ever acknowledged unseen.
//!
//! With exactly-once ([`Transactions`]) records are not waited for one by one: their offsets go into their transaction, and
//! what the task is told of them it is told after the commit.
//!
//! Back-pressure: when the producer's buffer is full the thread waits for acknowledgements, without end, as upstream. Every
//! wait ends when the task is to stop.

mod commit;
mod transaction;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_abi::host::{SourceTaskHandle, SourceTaskServices};
use wharf_api::batch::{OriginRef, RecordBatchRef};
use wharf_api::flat::SchemaCache;
use wharf_api::{ConfigMap, ConnectError, Headers, Result};
use wharf_kafka::{Producer, TopicHandle};

use super::active_topics::ActiveTopicStore;
use super::control::TaskControl;
use super::converters::{RemoteBatch, TaskConverters};
use super::deliveries::{Deliveries, Tracked, TrackedBatch};
use super::memory::Share;
use super::record_sender::{
    BACKPRESSURE_WAIT, RecordParts, Sent, encode_headers, kafka_error, next_remote, send, take_added_headers,
    valid_timestamp,
};
use super::source_offsets::SourceOffsets;
use super::submitted_records::PartitionId;
use super::task_context::{TaskReporter, WorkerSourceHost};
use super::topic_creator::TopicCreator;
use super::transactions::{Committed, End, ExactlyOnce, Transactions};
use crate::herder::ConnectorState;
use crate::offsets::{OffsetStorage, OffsetStorageWriter};
use crate::plugins::ConnectorPlugin;

/// A poll that gave nothing and took less than this is followed by a short rest, so that a plugin that does not wait by itself
/// does not burn a core.
const IDLE_POLL: Duration = Duration::from_millis(1);
const IDLE_REST: Duration = Duration::from_millis(5);
/// Rests between polls that fail with retriable errors; each is twice the one before.
const FIRST_POLL_REST: Duration = Duration::from_millis(100);
const LAST_POLL_REST: Duration = Duration::from_secs(1);

/// Everything a source task's thread needs.
pub(crate) struct WorkerSourceTask {
    pub(crate) plugin: ConnectorPlugin,
    pub(crate) host: Arc<WorkerSourceHost>,
    pub(crate) config: ConfigMap,
    pub(crate) control: Arc<TaskControl>,
    pub(crate) reporter: TaskReporter,
    pub(crate) converters: TaskConverters,
    pub(crate) producer: Producer,
    pub(crate) topic_creator: Option<TopicCreator>,
    pub(crate) active_topics: Option<Arc<ActiveTopicStore>>,
    pub(crate) offsets: OffsetStorage,
    pub(crate) offset_writer: OffsetStorageWriter,
    /// Keeps the store open for as long as the task runs.
    pub(crate) _store: SourceOffsets,
    pub(crate) flush_interval: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) memory: Share,
    /// How records are written in transactions; `None` is at-least-once.
    pub(crate) exactly_once: Option<ExactlyOnce>,
}

/// The state of the loop.
struct Running {
    worker: WorkerSourceTask,
    deliveries: Deliveries,
    transactions: Option<Transactions>,
    /// Whether the task was to stop in the middle of a batch, whose rest was not sent.
    has_cut_batch: bool,
    /// Whether a transaction was committed within a batch, of which the task has not been told.
    has_committed: bool,
    topics: HashMap<String, TopicHandle>,
    schemas: SchemaCache,
    next_commit: Instant,
    /// The last rest after a poll that failed; zero when the last poll did not.
    poll_rest: Duration,
}

impl WorkerSourceTask {
    /// Runs the task until it is to stop or fails, and reports how it went.
    pub(crate) fn run(self) {
        let reporter = self.reporter.clone();
        reporter.conclude(self.run_to_end());
    }

    fn run_to_end(mut self) -> Result<()> {
        if !self.reporter.wait_to_start() {
            return Ok(());
        }
        let transactions = match self.exactly_once.take() {
            None => None,
            Some(exactly_once) => match exactly_once.begin(&self.producer, &self.control)? {
                None => return Ok(()),
                begun => begun,
            },
        };
        let services = SourceTaskServices(Arc::clone(&self.host));
        let mut task = self.plugin.new_source_task(Box::new(services))?;
        let control = Arc::clone(&self.control);
        let started = {
            let _note = control.calling("start");
            task.start(&self.config)
        };
        let outcome = started.and_then(|()| self.run_started(&mut task, transactions));
        let _note = control.calling("stop");
        if let Err(error) = task.stop() {
            tracing::warn!("the task failed to stop cleanly: {error:#}");
        }
        outcome
    }

    fn run_started(self, task: &mut SourceTaskHandle, mut transactions: Option<Transactions>) -> Result<()> {
        self.reporter.report(ConnectorState::Running, None);
        tracing::info!(
            "source task {} finished initialization and start",
            self.reporter.task
        );
        let deliveries = Deliveries {
            tracked: task.commits_records().then(Tracked::default),
            ..Deliveries::default()
        };
        let next_commit = Instant::now() + self.flush_interval;
        if let Some(transactions) = &mut transactions {
            transactions.restart_clock();
        }
        let mut running = Running {
            worker: self,
            deliveries,
            transactions,
            has_cut_batch: false,
            has_committed: false,
            topics: HashMap::new(),
            schemas: SchemaCache::default(),
            next_commit,
            poll_rest: Duration::ZERO,
        };
        let outcome = running.poll_until_stopped(task);
        let finished = running.finish(task, outcome.is_ok());
        outcome.and(finished)
    }
}

impl Running {
    fn poll_until_stopped(&mut self, task: &mut SourceTaskHandle) -> Result<()> {
        loop {
            self.take_deliveries(Duration::ZERO);
            self.after_deliveries(task);
            if self.worker.control.is_stopping() {
                return Ok(());
            }
            if self.worker.control.is_paused() {
                self.stay_paused(task)?;
                continue;
            }
            if self.transactions.is_none()
                && (Instant::now() >= self.next_commit || self.deliveries.submitted.is_crowded())
            {
                self.commit(task);
            }
            self.check_failure()?;
            if !self.has_room() {
                self.make_room(task)?;
                continue;
            }
            self.poll_once(task)?;
        }
    }

    /// Whether the byte budgets allow another batch; waits a little for acknowledgements when they do not.
    fn has_room(&mut self) -> bool {
        let held = self.worker.producer.queued_bytes() + self.deliveries.kept_bytes();
        self.worker.memory.hold(held);
        if self.worker.memory.may_take_more() {
            return true;
        }
        self.take_deliveries(BACKPRESSURE_WAIT);
        // What the task keeps until it ends its transaction is set free by no wait.
        let waits_for_task = |transactions: &Transactions| !transactions.may_end_early();
        self.worker.producer.in_flight() == 0 && self.transactions.as_ref().is_some_and(waits_for_task)
    }

    /// What is kept until a transaction ends is set free by its end, before its time if need be.
    fn make_room(&mut self, task: &mut SourceTaskHandle) -> Result<()> {
        let may_end = self
            .transactions
            .as_ref()
            .is_some_and(Transactions::may_end_early);
        if may_end && self.worker.producer.in_flight() == 0 {
            self.commit_transaction(End::Commit, task)?;
        }
        Ok(())
    }

    fn poll_once(&mut self, task: &mut SourceTaskHandle) -> Result<()> {
        let started = Instant::now();
        let polled = {
            let _note = self.worker.control.calling("poll");
            task.poll()
        };
        let answer = match polled {
            Ok(answer) => answer,
            Err(error) if error.is_retriable() => {
                if self.poll_rest.is_zero() {
                    tracing::warn!("poll failed with a retriable error and is tried again: {error:#}");
                }
                self.poll_rest = (self.poll_rest * 2).clamp(FIRST_POLL_REST, LAST_POLL_REST);
                self.end_batch(task)?;
                let _ = self.worker.control.wait_interrupted(self.poll_rest);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.poll_rest = Duration::ZERO;
        if answer.bytes().is_empty() {
            drop(answer);
            self.end_batch(task)?;
            if started.elapsed() < IDLE_POLL {
                let _ = self.worker.control.wait_interrupted(IDLE_REST);
            }
            return Ok(());
        }
        if self.worker.control.is_cancelled() {
            // The plugin may have been asked long ago; whoever runs this task now reads the same again.
            return Ok(());
        }
        let bytes = answer.bytes();
        self.worker
            .memory
            .hold(self.worker.producer.queued_bytes() + bytes.len() as u64);
        let batch = RecordBatchRef::parse(bytes, &mut self.schemas)?;
        let tracked = self.deliveries.tracked.as_mut().map(|tracked| {
            tracked.next_batch += 1;
            let batch = TrackedBatch {
                bytes: bytes.to_vec(),
                acks: Vec::new(),
                sealed: Vec::new(),
                in_flight: 0,
                complete: false,
            };
            tracked.batches.insert(tracked.next_batch, batch);
            tracked.next_batch
        });
        let sent = self.send_batch(&batch, tracked);
        // The plugin's memory; nothing of it may be in use when the plugin is called again.
        drop(answer);
        if let (Some(number), Some(tracked)) = (tracked, &mut self.deliveries.tracked)
            && let Some(batch) = tracked.batches.get_mut(&number)
        {
            batch.complete = true;
        }
        let sent = sent?;
        if std::mem::take(&mut self.has_committed) {
            self.tell_committed(task);
        }
        match sent {
            Sent::All => self.end_batch(task),
            Sent::Interrupted => {
                self.has_cut_batch = true;
                Ok(())
            }
        }
    }

    fn send_batch(&mut self, batch: &RecordBatchRef<'_>, tracked: Option<u64>) -> Result<Sent> {
        let mut partitions: Vec<Option<PartitionId>> = vec![None; batch.partition_count() + 1];
        let mut topics: Vec<Option<TopicHandle>> = vec![None; batch.topics().len()];
        let remote = |converter: &mut super::converters::TaskConverter| -> Result<Option<RemoteBatch>> {
            converter
                .is_remote()
                .then(|| converter.encode_batch(batch))
                .transpose()
        };
        let mut remote_keys = remote(&mut self.worker.converters.key)?;
        let mut remote_values = remote(&mut self.worker.converters.value)?;
        let remote_keys = remote_keys.as_mut().map(RemoteBatch::records).transpose()?;
        let remote_values = remote_values.as_mut().map(RemoteBatch::records).transpose()?;
        let mut remote_keys = remote_keys.as_ref().map(RecordBatchRef::iter);
        let mut remote_values = remote_values.as_ref().map(RecordBatchRef::iter);
        let mut header_arena = Vec::new();
        let mut header_places = Vec::new();

        for (position, record) in batch.iter().enumerate() {
            let record = record?;
            let OriginRef::Source(origin) = record.origin() else {
                return Err(ConnectError::connect(
                    "a source task gave a record that does not come from a source",
                ));
            };
            let slot = origin
                .partition_index()
                .map_or(batch.partition_count(), |index| index as usize);
            let partition = match partitions.get(slot).copied().flatten() {
                Some(partition) => partition,
                None => {
                    let partition = self.partition(batch, origin.partition_index())?;
                    partitions[slot] = Some(partition);
                    partition
                }
            };
            let timestamp = valid_timestamp(&record)?;
            let topic_slot = record.topic_index() as usize;
            let is_first_of_topic = topics[topic_slot].is_none();
            let topic = match &topics[topic_slot] {
                Some(topic) => topic.clone(),
                None => {
                    let Some(topic) = self.topic_or_stop(record.topic())? else {
                        return Ok(Sent::Interrupted);
                    };
                    topics[topic_slot] = Some(topic.clone());
                    topic
                }
            };
            // Split borrows: converters write into themselves while the producer reads from them.
            let WorkerSourceTask {
                converters,
                producer,
                control,
                active_topics,
                reporter,
                ..
            } = &mut self.worker;
            let mut headers = if record.headers().is_empty() {
                Headers::new()
            } else {
                record.headers().to_headers()?
            };
            let connect_headers = headers.len();
            let key_holder;
            let key = match &mut remote_keys {
                Some(keys) => {
                    key_holder = next_remote(keys)?;
                    take_added_headers(&key_holder, connect_headers, &mut headers)?;
                    key_holder.value().as_bytes()
                }
                None => converters.key.encode(&record, &mut headers)?,
            };
            let value_holder;
            let value = match &mut remote_values {
                Some(values) => {
                    value_holder = next_remote(values)?;
                    take_added_headers(&value_holder, connect_headers, &mut headers)?;
                    value_holder.value().as_bytes()
                }
                None => converters.value.encode(&record, &mut headers)?,
            };
            header_arena.clear();
            header_places.clear();
            encode_headers(
                converters.header.as_mut(),
                record.topic(),
                &headers,
                connect_headers,
                &mut header_arena,
                &mut header_places,
            )?;
            let header_list: Vec<(&str, Option<&[u8]>)> = headers
                .iter()
                .zip(&header_places)
                .map(|(header, place)| (header.key(), place.clone().map(|place| &header_arena[place])))
                .collect();
            if let Some(transactions) = &mut self.transactions {
                transactions.open(producer)?;
            }
            // Entered before the producer has it, so that no acknowledgement comes unseen.
            let deliveries = &mut self.deliveries;
            let token = deliveries.submitted.submit(partition, origin.offset_bytes());
            if let (Some(number), Some(tracked)) = (tracked, &mut deliveries.tracked) {
                tracked.submitted(number, position, record.topic(), token);
            }
            let connector = &reporter.task.connector;
            if is_first_of_topic
                && active_topics
                    .as_ref()
                    .is_some_and(|active| !active.contains(connector, record.topic()))
            {
                deliveries
                    .unconfirmed_topics
                    .push((token, record.topic().to_owned()));
            }
            let parts = RecordParts {
                record: &record,
                timestamp,
                key,
                value,
                headers: &header_list,
            };
            let sent = send(producer, control, deliveries, &topic, &parts, token);
            match sent {
                Ok(Sent::All) => {
                    let due = self.transactions.as_ref().map(|it| it.after_record(position));
                    if let Some(end) = due.transpose()?.flatten() {
                        self.has_committed |= self.end_transaction(end)? == Committed::Yes;
                        // The numbers of source partitions hold until their offsets are taken.
                        partitions.fill(None);
                    }
                }
                Ok(Sent::Interrupted) => {
                    deliveries.submitted.withdraw(token);
                    return Ok(Sent::Interrupted);
                }
                Err(error) => {
                    deliveries.submitted.withdraw(token);
                    return Err(error);
                }
            }
        }
        Ok(Sent::All)
    }

    /// The number of a source partition of this batch. It holds until offsets are committed, which is never within a batch.
    fn partition(&mut self, batch: &RecordBatchRef<'_>, index: Option<u32>) -> Result<PartitionId> {
        let partition = match index {
            Some(index) => {
                let partition = batch.partition(index)?;
                partition.check_primitive()?;
                Some(partition)
            }
            None => None,
        };
        let key = match &partition {
            Some(partition) => self.worker.offsets.key_bytes(partition)?,
            None => self.worker.offsets.null_partition_key()?,
        };
        Ok(self.deliveries.submitted.partition(&key))
    }

    /// The topic, tried again while Kafka cannot say; `None` when the task is to stop meanwhile.
    fn topic_or_stop(&mut self, name: &str) -> Result<Option<TopicHandle>> {
        loop {
            match self.topic(name) {
                Err(error) if error.is_retriable() => {
                    tracing::warn!("topic {name} is not ready, which is tried again: {error:#}");
                    self.take_deliveries(BACKPRESSURE_WAIT);
                    if self.worker.control.is_stopping() {
                        return Ok(None);
                    }
                }
                outcome => return outcome.map(Some),
            }
        }
    }

    fn topic(&mut self, name: &str) -> Result<TopicHandle> {
        if let Some(topic) = self.topics.get(name) {
            return Ok(topic.clone());
        }
        if let Some(transactions) = &self.transactions {
            transactions.check_topic(name)?;
        }
        if let Some(creator) = &mut self.worker.topic_creator {
            creator.ensure(name)?;
        }
        let topic = self
            .worker
            .producer
            .topic(name)
            .map_err(|error| kafka_error(&error))?;
        self.topics.insert(name.to_owned(), topic.clone());
        Ok(topic)
    }

    fn take_deliveries(&mut self, wait: Duration) {
        let deliveries = &mut self.deliveries;
        self.worker
            .producer
            .poll_acks(wait, |delivery| deliveries.take(delivery));
    }

    fn after_deliveries(&mut self, task: &mut SourceTaskHandle) {
        if let Some(active) = &self.worker.active_topics {
            for topic in self.deliveries.confirmed_topics.drain(..) {
                let task = &self.worker.reporter.task;
                active.add(&task.connector, task.task, &topic);
            }
        }
        // What a transaction has not committed yet may still be taken back.
        if self.transactions.is_none()
            && let Some(tracked) = &mut self.deliveries.tracked
        {
            tracked.seal();
            tracked.tell(task);
        }
    }

    fn check_failure(&mut self) -> Result<()> {
        if let Some(error) = self.deliveries.failure.take() {
            return Err(error);
        }
        match self.worker.producer.take_failure() {
            Some(error) => Err(kafka_error(&error)),
            None => Ok(()),
        }
    }

    /// Waits until the task is resumed or to stop; acknowledgements and commits go on.
    fn stay_paused(&mut self, task: &mut SourceTaskHandle) -> Result<()> {
        if self
            .transactions
            .as_ref()
            .is_some_and(Transactions::commits_at_end)
        {
            self.commit_transaction(End::Commit, task)?;
        }
        self.worker.reporter.report(ConnectorState::Paused, None);
        tracing::info!("{} paused", self.worker.reporter.task);
        while !self.worker.control.wait_resumed(Duration::from_millis(100)) {
            self.take_deliveries(Duration::ZERO);
            self.after_deliveries(task);
            self.worker.memory.hold(self.worker.producer.queued_bytes());
            if self.transactions.is_none() && Instant::now() >= self.next_commit {
                self.commit(task);
            }
        }
        if let Some(transactions) = &mut self.transactions {
            transactions.restart_clock();
        }
        if !self.worker.control.is_stopping() {
            self.worker.reporter.report(ConnectorState::Running, None);
            tracing::info!("{} resumed", self.worker.reporter.task);
        }
        Ok(())
    }
}
