//! The thread of a sink task: read, convert, put, and commit offsets that the task says are safe.
//!
//! **Consumer offsets are committed only up to what the task's `preCommit` allowed**, and it is only asked about records
//! that `put` took. [`Loop::commit`] is the one place that commits. Offsets are kept by original topic, partition and offset.
//!
//! The thread is the consumer's only user, so rebalances happen inside [`Consumer::poll_batch`], on this thread: partitions
//! are given up after `preCommit`, `close` and a synchronous commit, in this order.

mod commit;
mod deferred;
mod rebalance;
mod records;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_abi::host::{SinkTaskHandle, SinkTaskServices};
use wharf_api::{ConfigMap, ConnectError, Offsets, RecordBatch, Result, TopicPartition};
use wharf_kafka::{Consumer, PartitionOffset};

use super::active_topics::ActiveTopicStore;
use super::control::TaskControl;
use super::converters::TaskConverters;
use super::errors::{RetryWithTolerance, SharedSinkReporter};
use super::memory::Share;
use super::record_sender::kafka_error;
use super::subscription::Subscription;
use super::task_context::{TaskReporter, WorkerSinkHost};
use super::transformation_chain::TransformationChain;
use crate::config::TopicSelection;
use crate::herder::ConnectorState;
use crate::plugins::ConnectorPlugin;

/// The consumer is asked for records in slices of this length, so that the thread sees when its lease has run out; of whatever
/// is asked of it, it hears at once.
const SLICE: Duration = Duration::from_secs(1);
/// The same while the answer to a commit is awaited, which ends no wait.
const SHORT_SLICE: Duration = Duration::from_millis(100);
/// How long Kafka may take to say where a new partition is read from.
const POSITION_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a batch while the worker's byte budget is used up.
const SHORT_BATCH: usize = 64 * 1024;
/// A batch that `put` refused for now is put again after this long, unless the task asked for another time.
const REDELIVERY_WAIT: Duration = Duration::from_secs(1);
/// How long the group may take to let the consumer go.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything a sink task's thread needs.
pub(crate) struct WorkerSinkTask {
    pub(crate) plugin: ConnectorPlugin,
    pub(crate) host: Arc<WorkerSinkHost>,
    pub(crate) config: ConfigMap,
    pub(crate) control: Arc<TaskControl>,
    pub(crate) reporter: TaskReporter,
    pub(crate) converters: TaskConverters,
    pub(crate) chain: TransformationChain,
    pub(crate) rules: RetryWithTolerance,
    pub(crate) errors: SharedSinkReporter,
    pub(crate) consumer: Consumer,
    pub(crate) topics: TopicSelection,
    pub(crate) active_topics: Option<Arc<ActiveTopicStore>>,
    pub(crate) flush_interval: Duration,
    pub(crate) flush_timeout: Duration,
    pub(crate) max_batch_bytes: usize,
    /// Bytes that the consumer may hold ahead of `put`; part of what `memory` holds.
    pub(crate) prefetch: u64,
    pub(crate) memory: Share,
}

impl WorkerSinkTask {
    /// Runs the task until it is to stop or fails, and reports how it went.
    pub(crate) fn run(self) {
        let reporter = self.reporter.clone();
        reporter.conclude(self.run_to_end());
    }

    fn run_to_end(self) -> Result<()> {
        if !self.reporter.wait_to_start() {
            return Ok(());
        }
        let services = SinkTaskServices(Arc::clone(&self.host));
        let mut task = self.plugin.new_sink_task(Box::new(services))?;
        let started = {
            let _note = self.control.calling("start");
            task.start(&self.config)
        };
        if let Err(error) = started {
            if let Err(stop) = task.stop() {
                tracing::warn!("the task failed to stop cleanly: {stop:#}");
            }
            return Err(error);
        }
        self.reporter.report(ConnectorState::Running, None);
        tracing::info!(
            "sink task {} finished initialization and start",
            self.reporter.task
        );
        let WorkerSinkTask { consumer, topics, .. } = self;
        let waker = consumer.waker();
        self.control.wakes({
            let waker = waker.clone();
            move || waker.wake()
        });
        self.host.waker.set(move || waker.wake());
        let worker = Worker {
            host: self.host,
            control: self.control,
            reporter: self.reporter,
            converters: self.converters,
            chain: self.chain,
            rules: self.rules,
            errors: self.errors,
            active_topics: self.active_topics,
            flush_interval: self.flush_interval,
            flush_timeout: self.flush_timeout,
            max_batch_bytes: self.max_batch_bytes,
            commit_timeout: consumer.settings().default_api_timeout,
            max_poll_records: consumer.settings().max_poll_records,
            auto_commit: consumer
                .settings()
                .auto_commit
                .then_some(consumer.settings().auto_commit_interval),
            prefetch: self.prefetch,
            memory: self.memory,
        };
        let reporter = worker.errors.clone();
        if reporter.lock().is_active() {
            consumer.keep_records();
        }
        let mut running = Loop::new(worker, task);
        let mut subscription = Subscription::new(topics);
        let outcome = running.run(&consumer, &mut subscription);
        running.end(&consumer);
        running.closed = true;
        reporter.lock().release();
        if !consumer.close(CLOSE_TIMEOUT, &mut running) {
            tracing::warn!("the consumer group did not answer in time; it notices by its session timeout");
        }
        outcome
    }
}

struct Worker {
    host: Arc<WorkerSinkHost>,
    control: Arc<TaskControl>,
    reporter: TaskReporter,
    converters: TaskConverters,
    chain: TransformationChain,
    rules: RetryWithTolerance,
    errors: SharedSinkReporter,
    active_topics: Option<Arc<ActiveTopicStore>>,
    flush_interval: Duration,
    flush_timeout: Duration,
    max_batch_bytes: usize,
    commit_timeout: Duration,
    max_poll_records: usize,
    /// How often what was read is committed whatever the task says; only when the user asked for it.
    auto_commit: Option<Duration>,
    prefetch: u64,
    memory: Share,
}

/// Offsets of one assigned partition; each is the offset of the next record.
#[derive(Debug)]
struct PartitionState {
    partition: TopicPartition,
    /// After the last record that was read, dropped ones included.
    consumed: Option<i64>,
    /// After the last record that `put` took.
    current: Option<i64>,
    committed: Option<i64>,
    /// As far as automatic commits were sent.
    auto_committed: Option<i64>,
}

/// A commit that was sent and not answered.
struct OpenCommit {
    sequence: u64,
    started: Instant,
    offsets: Offsets,
}

/// What ends the task at a record.
enum Halt {
    /// The record fails the task. Those before it are put.
    Failed(ConnectError),
    /// The task is to stop before the record's fate was known.
    Cut,
}

struct Loop {
    worker: Worker,
    task: SinkTaskHandle,
    batch: RecordBatch,
    partitions: Vec<PartitionState>,
    /// Position of the partition of the last message.
    last: usize,
    /// Topics whose use was noted in this turn.
    announced: Vec<String>,
    failure: Option<ConnectError>,
    /// Why no record behind those in the batch is taken any more.
    halt: Option<Halt>,
    /// Whether a converter or transform is in a library, so that the batch holds raw bytes until it is complete.
    is_deferred: bool,
    redelivering: bool,
    paused: bool,
    open_commit: Option<OpenCommit>,
    sequence: u64,
    next_commit: Instant,
    next_auto_commit: Instant,
    closed: bool,
}

impl Loop {
    fn new(worker: Worker, task: SinkTaskHandle) -> Self {
        let next_commit = Instant::now() + worker.flush_interval;
        let is_deferred = worker.converters.are_remote() || worker.chain.is_remote();
        Self {
            worker,
            task,
            batch: RecordBatch::new(),
            partitions: Vec::new(),
            last: 0,
            announced: Vec::new(),
            failure: None,
            halt: None,
            is_deferred,
            redelivering: false,
            paused: false,
            open_commit: None,
            sequence: 0,
            next_commit,
            next_auto_commit: Instant::now(),
            closed: false,
        }
    }

    fn run(&mut self, consumer: &Consumer, subscription: &mut Subscription) -> Result<()> {
        while !self.worker.control.is_stopping() {
            subscription.refresh(consumer)?;
            self.follow_pause(consumer)?;
            self.turn(consumer, subscription.next_refresh())?;
        }
        Ok(())
    }

    /// One turn: commit when due, wait for records, put them.
    fn turn(&mut self, consumer: &Consumer, refresh: Option<Instant>) -> Result<()> {
        let now = Instant::now();
        self.announced.clear();
        self.end_empty_redelivery(consumer);
        self.auto_commit(consumer, now);
        let requested = self.open_commit.is_none() && std::mem::take(&mut self.worker.host.requests().commit);
        if self.open_commit.is_none() && (requested || now >= self.next_commit) {
            self.next_commit = now + self.worker.flush_interval;
            self.commit_all(consumer)?;
        }
        if let Some(open) = &self.open_commit
            && open.started.elapsed() >= self.worker.flush_timeout
        {
            tracing::warn!("commit {} of offsets timed out", open.sequence);
            self.open_commit = None;
        }
        let asked = self
            .worker
            .host
            .requests()
            .timeout
            .take()
            .filter(|timeout| !timeout.is_zero());
        let wait = self
            .next_commit
            .saturating_duration_since(now)
            .min(asked.unwrap_or(Duration::MAX))
            .min(refresh.map_or(Duration::MAX, |at| at.saturating_duration_since(now)));
        let wait = match self.worker.auto_commit {
            Some(_) => wait.min(self.next_auto_commit.saturating_duration_since(now)),
            None => wait,
        };
        let wait = if self.redelivering && asked.is_none() {
            wait.min(REDELIVERY_WAIT)
        } else {
            wait
        };
        // A commit that is due waits for the one under way.
        let wait = if self.open_commit.is_some() {
            wait.max(SHORT_SLICE)
        } else {
            wait
        };
        // Whether dead letters are written is not to be known only with the next record.
        let wait = if self.worker.errors.lock().is_waiting() {
            wait.min(SHORT_SLICE)
        } else {
            wait
        };
        self.apply_requests(consumer)?;
        let arrived = self.wait_for_records(consumer, now + wait)?;
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if (!arrived && self.worker.control.is_interrupted()) || self.worker.control.is_cancelled() {
            return Ok(());
        }
        self.put(consumer)
    }

    /// Polls in short slices until records arrive, the time is over or something is asked of the task. `true` means that
    /// `put` is due.
    fn wait_for_records(&mut self, consumer: &Consumer, until: Instant) -> Result<bool> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let records = self.worker.max_poll_records;
            let most = self.worker.max_batch_bytes;
            let bytes = if self.worker.memory.may_take_more() {
                most
            } else {
                SHORT_BATCH.min(most)
            };
            let slice = if self.open_commit.is_some() {
                SHORT_SLICE
            } else {
                SLICE
            };
            let count = consumer
                .poll_batch(left.min(slice), records, bytes, self)
                .map_err(|error| kafka_error(&error))?;
            if count > 0 || self.failure.is_some() || left.is_zero() {
                return Ok(true);
            }
            let asked = {
                let requests = self.worker.host.requests();
                (requests.commit && self.open_commit.is_none())
                    || !requests.rewinds.is_empty()
                    || !requests.to_resume.is_empty()
            };
            if asked || self.worker.control.is_stopping() || self.worker.control.is_paused() != self.paused {
                return Ok(false);
            }
        }
    }

    /// Pauses or resumes the consumer as the user asked.
    fn follow_pause(&mut self, consumer: &Consumer) -> Result<()> {
        let wanted = self.worker.control.is_paused();
        if wanted == self.paused {
            return Ok(());
        }
        self.paused = wanted;
        if wanted {
            consumer
                .pause(&consumer.assignment())
                .map_err(|error| kafka_error(&error))?;
            self.worker.host.requests().commit = true;
            self.worker.reporter.report(ConnectorState::Paused, None);
            tracing::info!("{} paused", self.worker.reporter.task);
        } else {
            if !self.redelivering {
                self.resume_all(consumer)?;
            }
            self.worker.reporter.report(ConnectorState::Running, None);
            tracing::info!("{} resumed", self.worker.reporter.task);
        }
        Ok(())
    }

    /// Resumes every partition that the task itself has not paused.
    fn resume_all(&self, consumer: &Consumer) -> Result<()> {
        let paused = self.worker.host.requests().paused.clone();
        let resumed: Vec<_> = consumer
            .assignment()
            .into_iter()
            .filter(|partition| !paused.contains(&plain(partition)))
            .collect();
        consumer.resume(&resumed).map_err(|error| kafka_error(&error))
    }

    /// Carries out what the task asked for through its context.
    fn apply_requests(&mut self, consumer: &Consumer) -> Result<()> {
        let (rewinds, to_pause, to_resume) = {
            let mut requests = self.worker.host.requests();
            (
                std::mem::take(&mut requests.rewinds),
                std::mem::take(&mut requests.to_pause),
                std::mem::take(&mut requests.to_resume),
            )
        };
        if !to_pause.is_empty() {
            consumer
                .pause(&kafka_partitions(to_pause.iter()))
                .map_err(|error| kafka_error(&error))?;
        }
        if !to_resume.is_empty() && !self.paused && !self.redelivering {
            consumer
                .resume(&kafka_partitions(to_resume.iter()))
                .map_err(|error| kafka_error(&error))?;
        }
        for (partition, offset) in rewinds {
            let Some(state) = self
                .partitions
                .iter_mut()
                .find(|state| state.partition == partition)
            else {
                tracing::warn!(
                    "the task asked for offset {offset} of {partition}, which is not assigned to it"
                );
                continue;
            };
            tracing::trace!("rewinding {partition} to offset {offset}");
            let target = PartitionOffset::new(partition.topic.as_str(), partition.partition, offset);
            consumer.seek(&[target]).map_err(|error| kafka_error(&error))?;
            state.consumed = Some(offset);
            state.current = Some(offset);
            state.committed = Some(offset);
        }
        Ok(())
    }

    fn put(&mut self, consumer: &Consumer) -> Result<()> {
        // A batch that is put again was converted before.
        let batch = if self.is_deferred && !self.redelivering {
            self.convert_deferred()?
        } else {
            std::mem::take(&mut self.batch)
        };
        let outcome = if batch.is_empty() && self.halt.is_some() {
            Ok(())
        } else {
            self.put_batch(consumer, batch)
        };
        match self.halt.take_if(|halt| matches!(halt, Halt::Failed(_))) {
            Some(Halt::Failed(error)) => Err(error),
            _ => outcome,
        }
    }

    fn put_batch(&mut self, consumer: &Consumer, mut batch: RecordBatch) -> Result<()> {
        let held_for_reports = {
            let mut errors = self.worker.errors.lock();
            if errors.is_active() {
                errors.keep(consumer.take_kept());
            }
            errors.held_bytes()
        };
        self.worker
            .memory
            .hold(self.worker.prefetch + batch.byte_len() as u64 + held_for_reports);
        let taken = {
            let _note = self.worker.control.calling("put");
            self.task.put(batch.finish()?)
        };
        // A report beyond the tolerance counts, whatever the task made of it.
        self.worker.errors.lock().check()?;
        match taken {
            Ok(()) => {
                for state in &mut self.partitions {
                    if state.consumed.is_some() {
                        state.current = state.consumed;
                    }
                }
                batch.clear();
                batch.shrink_to(self.worker.max_batch_bytes);
                self.batch = batch;
                let held_for_reports = {
                    let mut errors = self.worker.errors.lock();
                    errors.release();
                    errors.held_bytes()
                };
                self.worker.memory.hold(self.worker.prefetch + held_for_reports);
                if std::mem::take(&mut self.redelivering) && !self.paused {
                    self.resume_all(consumer)?;
                }
                Ok(())
            }
            Err(error) if error.is_retriable() => {
                tracing::warn!(
                    "put failed with a retriable error and is tried again with the same records: {error:#}"
                );
                self.batch = batch;
                if !std::mem::replace(&mut self.redelivering, true) {
                    consumer
                        .pause(&consumer.assignment())
                        .map_err(|error| kafka_error(&error))?;
                }
                Ok(())
            }
            Err(error) => Err(ConnectError::connect(
                "Exiting WorkerSinkTask due to unrecoverable exception.",
            )
            .caused_by(error)),
        }
    }

    fn close_partitions(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.task.close(partitions)
    }

    /// The end of the task: a last commit with closing, then stop.
    fn end(&mut self, consumer: &Consumer) {
        let all: Vec<TopicPartition> = self
            .partitions
            .iter()
            .map(|state| state.partition.clone())
            .collect();
        if !all.is_empty()
            && !self.worker.control.is_cancelled()
            && let Err(error) = self.commit(consumer, &all, true)
        {
            tracing::error!("closing partitions failed: {error:#}");
        }
        if !self.worker.control.is_cancelled() {
            self.last_auto_commit(consumer);
        }
        let control = Arc::clone(&self.worker.control);
        let _note = control.calling("stop");
        if let Err(error) = self.task.stop() {
            tracing::warn!("the task failed to stop cleanly: {error:#}");
        }
        self.partitions.clear();
    }

    /// Keeps the first failure of a callback; it is raised after the poll.
    fn keep(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.failure.get_or_insert(error);
        }
    }
}

fn plain(partition: &wharf_kafka::TopicPartition) -> TopicPartition {
    TopicPartition::new(partition.topic.as_ref(), partition.partition)
}

fn kafka_partitions<'p>(
    partitions: impl Iterator<Item = &'p TopicPartition>,
) -> Vec<wharf_kafka::TopicPartition> {
    partitions
        .map(|partition| wharf_kafka::TopicPartition::new(partition.topic.as_str(), partition.partition))
        .collect()
}
