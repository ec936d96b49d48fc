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
mod failures;
mod send;
mod transaction;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_abi::host::{SourceTaskHandle, SourceTaskServices};
use wharf_api::batch::RecordBatchRef;
use wharf_api::flat::SchemaCache;
use wharf_api::{ConfigMap, Result};
use wharf_kafka::TopicHandle;

use super::active_topics::ActiveTopicStore;
use super::control::TaskControl;
use super::converters::TaskConverters;
use super::deliveries::{Deliveries, Tracked, TrackedBatch};
use super::errors::{RetryWithTolerance, SourceReporter};
use super::memory::Share;
use super::record_sender::{BACKPRESSURE_WAIT, Sent, kafka_error};
use super::source_offsets::SourceOffsets;
use super::submitted_records::PartitionId;
use super::task_context::{TaskReporter, WorkerSourceHost};
use super::task_producer::TaskProducer;
use super::topic_creator::TopicCreator;
use super::transactions::{End, ExactlyOnce, Transactions};
use super::transformation_chain::TransformationChain;
use crate::herder::ConnectorState;
use crate::metrics::RecordTimer;
use crate::offsets::OffsetStorageWriter;
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
    pub(crate) errors: SourceReporter,
    pub(crate) producer: TaskProducer,
    pub(crate) topic_creator: Option<TopicCreator>,
    pub(crate) active_topics: Option<Arc<ActiveTopicStore>>,
    pub(crate) offset_writer: OffsetStorageWriter,
    /// Keeps the store open for as long as the task runs.
    pub(crate) _store: SourceOffsets,
    pub(crate) flush_interval: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) memory: Share,
    /// How records are written in transactions; `None` is at-least-once.
    pub(crate) exactly_once: Option<ExactlyOnce>,
}

/// What makes bytes of a task's records. Apart from the task, so that what it lends can be sent by the task.
pub(crate) struct Conversion {
    pub(crate) chain: TransformationChain,
    pub(crate) converters: TaskConverters,
    pub(crate) rules: RetryWithTolerance,
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
    timer: RecordTimer,
}

impl WorkerSourceTask {
    /// Runs the task until it is to stop or fails, and reports how it went.
    pub(crate) fn run(self, conversion: Conversion) {
        let reporter = self.reporter.clone();
        reporter.conclude(self.run_to_end(conversion));
    }

    fn run_to_end(mut self, conversion: Conversion) -> Result<()> {
        if !self.reporter.wait_to_start() {
            return Ok(());
        }
        let transactions = match self.exactly_once.take() {
            None => None,
            Some(exactly_once) => match exactly_once.begin(self.producer.open()?, &self.control)? {
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
        let outcome = started.and_then(|()| self.run_started(&mut task, transactions, conversion));
        let _note = control.calling("stop");
        if let Err(error) = task.stop() {
            tracing::warn!("the task failed to stop cleanly: {error:#}");
        }
        outcome
    }

    fn run_started(
        self,
        task: &mut SourceTaskHandle,
        mut transactions: Option<Transactions>,
        mut conversion: Conversion,
    ) -> Result<()> {
        self.reporter.report(ConnectorState::Running, None);
        tracing::info!(
            "source task {} finished initialization and start",
            self.reporter.task
        );
        let deliveries = Deliveries {
            tracked: task.commits_records().then(Tracked::default),
            // A transaction that lacks a record cannot be committed.
            is_tolerant: transactions.is_none() && conversion.rules.is_tolerant(),
            metrics: Some(Arc::clone(&self.reporter.metrics)),
            ..Deliveries::default()
        };
        let next_commit = Instant::now() + self.flush_interval;
        if let Some(transactions) = &mut transactions {
            transactions.restart_clock();
        }
        let mut running = Running {
            timer: self.reporter.metrics.record_timer(),
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
        let outcome = running.poll_until_stopped(task, &mut conversion);
        let finished = running.finish(task, outcome.is_ok());
        outcome.and(finished)
    }
}

impl Running {
    fn poll_until_stopped(&mut self, task: &mut SourceTaskHandle, conversion: &mut Conversion) -> Result<()> {
        loop {
            self.take_deliveries(Duration::ZERO);
            self.settle_refused()?;
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
            self.poll_once(task, conversion)?;
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

    fn poll_once(&mut self, task: &mut SourceTaskHandle, conversion: &mut Conversion) -> Result<()> {
        let started = Instant::now();
        let began = self.worker.reporter.metrics.now();
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
        let returned = self.worker.reporter.metrics.now();
        self.poll_rest = Duration::ZERO;
        if answer.bytes().is_empty() {
            drop(answer);
            self.end_batch(task)?;
            self.close_idle_client();
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
        self.worker.reporter.metrics.polled(began, returned, batch.len());
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
        let sent = self.send_batch(&batch, tracked, conversion);
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

    /// Gives back what an idle client takes.
    fn close_idle_client(&mut self) {
        if self.worker.producer.is_idle() {
            self.topics.clear();
            self.worker.producer.close();
        }
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
            Some(partition) => self.worker.host.offsets.key_bytes(partition)?,
            None => self.worker.host.offsets.null_partition_key()?,
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
            .open()?
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
        deliveries.measure();
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
            self.settle_refused()?;
            self.after_deliveries(task);
            self.worker.memory.hold(self.worker.producer.queued_bytes());
            self.close_idle_client();
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
