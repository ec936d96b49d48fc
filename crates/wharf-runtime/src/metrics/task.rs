//! The metrics of one task.
//!
//! Its thread calls the methods, once for a batch and never for a record; whoever asks for metrics reads meanwhile. There is no
//! lock but the one around the state, which changes a few times in a task's life.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::catalogue::MetricId::{self, *};
use super::clock::{MetricsClock, Moment};
use super::exposition::{Exposition, Labels};
use super::facts::{FactLabels, TaskFacts};
use super::histogram::{Histogram, LAG};
use super::lag::Timestamps;
use super::sampled::{Sampled, Sampling};
use super::stages::{BatchStage, RecordStage, RecordTimer, Stages};
use super::stats::{Active, Outcomes, Throughput, Times};
use crate::herder::ConnectorState;
use crate::sync::lock;
use crate::worker::ErrorCounters;

/// How long a task was in a state.
#[derive(Debug)]
struct StateTimes {
    began: Moment,
    state: ConnectorState,
    since: Moment,
    running: u64,
    paused: u64,
}

impl StateTimes {
    /// Nanoseconds of running and of being paused, and of all, until now.
    fn until(&self, now: Moment) -> (u64, u64, u64) {
        let here = now.nanos_since(self.since);
        let (mut running, mut paused) = (self.running, self.paused);
        match self.state {
            ConnectorState::Running => running += here,
            ConnectorState::Paused => paused += here,
            _ => {}
        }
        (running, paused, now.nanos_since(self.began))
    }
}

#[derive(Debug)]
struct SourceStats {
    polled: Throughput,
    written: Throughput,
    poll_time: Times,
    active: Active,
    transaction_size: Sampled,
}

#[derive(Debug)]
struct SinkStats {
    read: Throughput,
    sent: Throughput,
    put_time: Times,
    active: Active,
    partitions: AtomicU64,
    commit_number: AtomicU64,
    completed: Throughput,
    skipped: Throughput,
}

#[derive(Debug)]
enum Direction {
    Source(SourceStats),
    Sink(SinkStats),
}

/// Which way a task moves records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskKind {
    /// Into Kafka.
    Source,
    /// Out of Kafka.
    Sink,
}

/// All that is measured of a task.
#[derive(Debug)]
pub(crate) struct TaskMetrics {
    clock: MetricsClock,
    labels: Labels,
    /// Not there before the task's parts have been made.
    facts: OnceLock<FactLabels>,
    state: Mutex<StateTimes>,
    batch_size: Sampled,
    commits: Outcomes,
    commit_time: Times,
    direction: Direction,
    pub(crate) stages: Stages,
    lag: Histogram,
    /// What went wrong with single records; counted where it is decided what becomes of them.
    pub(crate) errors: Arc<ErrorCounters>,
}

impl TaskMetrics {
    pub(crate) fn new(
        clock: MetricsClock,
        sampling: Sampling,
        connector: &str,
        task: u32,
        kind: TaskKind,
    ) -> Self {
        let began = clock.now();
        let direction = match kind {
            TaskKind::Source => Direction::Source(SourceStats {
                polled: Throughput::new(sampling),
                written: Throughput::new(sampling),
                poll_time: Times::new(sampling),
                active: Active::new(sampling),
                transaction_size: Sampled::new(sampling),
            }),
            TaskKind::Sink => Direction::Sink(SinkStats {
                read: Throughput::new(sampling),
                sent: Throughput::new(sampling),
                put_time: Times::new(sampling),
                active: Active::new(sampling),
                partitions: AtomicU64::new(0),
                commit_number: AtomicU64::new(0),
                completed: Throughput::new(sampling),
                skipped: Throughput::new(sampling),
            }),
        };
        Self {
            clock,
            labels: Labels::task(connector, task),
            facts: OnceLock::new(),
            state: Mutex::new(StateTimes {
                began,
                state: ConnectorState::Unassigned,
                since: began,
                running: 0,
                paused: 0,
            }),
            batch_size: Sampled::new(sampling),
            commits: Outcomes::new(sampling),
            commit_time: Times::new(sampling),
            direction,
            stages: Stages::new(),
            lag: Histogram::new(&LAG),
            errors: Arc::default(),
        }
    }

    /// The task's parts have been made, and these are they. Only the first call counts.
    pub(crate) fn made_of(&self, facts: &TaskFacts) {
        self.facts.get_or_init(|| FactLabels::new(&self.labels, facts));
    }

    /// Now, by the clock of metrics.
    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// A timer for steps with single records.
    pub(crate) fn record_timer(&self) -> RecordTimer {
        RecordTimer::new(self.clock.clone())
    }

    /// A step with all of these records together has ended that began then.
    pub(crate) fn stage_of_all(&self, stage: RecordStage, began: Moment, records: usize) {
        self.stages.records(stage, self.now().nanos_since(began), records);
    }

    /// The task is in this state from now on.
    pub(crate) fn state(&self, state: ConnectorState) {
        let now = self.now();
        let mut times = lock(&self.state);
        let (running, paused, _) = times.until(now);
        *times = StateTimes {
            began: times.began,
            state,
            since: now,
            running,
            paused,
        };
    }

    /// A commit of offsets that began then has ended.
    pub(crate) fn committed(&self, began: Moment, success: bool) {
        let now = self.now();
        let nanos = now.nanos_since(began);
        self.stages.batch(BatchStage::Commit, nanos);
        self.commits.record(success, now);
        if success {
            self.commit_time.took(nanos, now);
            if let Direction::Sink(sink) = &self.direction {
                sink.completed.add(1, now);
            }
        }
    }

    /// Records have arrived: a sink task took them, or Kafka acknowledged those of a source task.
    pub(crate) fn arrived(&self, timestamps: &mut Timestamps) {
        timestamps.arrived(&self.lag, self.clock.epoch_millis());
    }

    fn write_common(&self, out: &mut Exposition, now: Moment) {
        let labels = &self.labels;
        if let Some(facts) = self.facts.get() {
            facts.write(out);
        }
        let (running, paused, all) = lock(&self.state).until(now);
        let ratio = |part: u64| if all == 0 { 0.0 } else { part as f64 / all as f64 };
        out.value(RunningRatio, labels, ratio(running));
        out.value(PauseRatio, labels, ratio(paused));
        let times = [OffsetCommitMaxTime, OffsetCommitAvgTime];
        self.commit_time.write(out, labels, times, now);
        let shares = [OffsetCommitFailurePercentage, OffsetCommitSuccessPercentage];
        self.commits.write_shares(out, labels, shares, now);
        out.optional(BatchSizeMax, labels, self.batch_size.max(now));
        out.optional(BatchSizeAvg, labels, self.batch_size.average(now));
        self.stages.write(out, labels);
        if !self.lag.is_empty() {
            out.histogram(RecordLagSeconds, labels, &self.lag);
        }
        let errors = self.errors.counts();
        for (id, count) in [
            (RecordFailures, errors.record_failures),
            (RecordErrors, errors.record_errors),
            (RecordsSkipped, errors.records_skipped),
            (Retries, errors.retries),
            (ErrorsLogged, errors.errors_logged),
            (DeadLetterRequests, errors.dead_letter_requests),
            (DeadLetterFailures, errors.dead_letter_failures),
            (LastErrorTimestamp, errors.last_error_millis),
        ] {
            out.count(id, labels, count);
        }
    }

    /// What is served of the task, but for its state.
    pub(crate) fn write(&self, out: &mut Exposition) {
        let now = self.now();
        self.write_common(out, now);
        let labels = &self.labels;
        match &self.direction {
            Direction::Source(source) => source.write(out, labels, now),
            Direction::Sink(sink) => sink.write(out, labels, now),
        }
    }
}

/// Of source tasks; those of sink tasks say nothing here.
impl TaskMetrics {
    fn source(&self) -> Option<&SourceStats> {
        match &self.direction {
            Direction::Source(source) => Some(source),
            Direction::Sink(_) => None,
        }
    }

    /// The task was asked for records when `began`, had given them when it `returned`, and now it is known that they are so
    /// many.
    pub(crate) fn polled(&self, began: Moment, returned: Moment, records: usize) {
        let now = self.now();
        let nanos = returned.nanos_since(began);
        self.stages.batch(BatchStage::Poll, nanos);
        self.stages.batch(BatchStage::Border, now.nanos_since(returned));
        self.batch_size.record(records as f64, now);
        let Some(source) = self.source() else { return };
        source.poll_time.took(nanos, now);
        source.polled.add(records as u64, now);
        source.active.add(records as u64, now);
    }

    /// So many records of the task were acknowledged, and so many more will never be sent.
    pub(crate) fn written(&self, acknowledged: u64, dropped: u64) {
        if acknowledged + dropped == 0 {
            return;
        }
        let now = self.now();
        let Some(source) = self.source() else { return };
        source.written.add(acknowledged, now);
        source.active.remove(acknowledged + dropped, now);
    }

    /// A transaction with so many records was committed.
    pub(crate) fn transaction(&self, records: u64) {
        if let Some(source) = self.source() {
            source.transaction_size.record(records as f64, self.now());
        }
    }
}

impl SourceStats {
    fn write(&self, out: &mut Exposition, labels: &Labels, now: Moment) {
        let polled = [SourceRecordPollRate, SourceRecordPollTotal];
        self.polled.write(out, labels, polled, now);
        let written = [SourceRecordWriteRate, SourceRecordWriteTotal];
        self.written.write(out, labels, written, now);
        self.poll_time
            .write(out, labels, [PollBatchMaxTime, PollBatchAvgTime], now);
        let active: [MetricId; 3] = [
            SourceRecordActiveCount,
            SourceRecordActiveCountMax,
            SourceRecordActiveCountAvg,
        ];
        self.active.write(out, labels, active, now);
        let size = &self.transaction_size;
        out.optional(TransactionSizeMin, labels, size.min(now));
        out.optional(TransactionSizeMax, labels, size.max(now));
        out.optional(TransactionSizeAvg, labels, size.average(now));
    }
}

/// Of sink tasks; those of source tasks say nothing here.
impl TaskMetrics {
    fn sink(&self) -> Option<&SinkStats> {
        match &self.direction {
            Direction::Sink(sink) => Some(sink),
            Direction::Source(_) => None,
        }
    }

    /// So many records were read; so many of all that were read are not committed.
    pub(crate) fn read(&self, records: u64, active: u64) {
        let Some(sink) = self.sink() else { return };
        let now = self.now();
        if records > 0 {
            sink.read.add(records, now);
        }
        sink.active.set(active, now);
    }

    /// The bytes of a batch of so many records were finished from `began` until the task was `called`, and now it has taken
    /// them.
    pub(crate) fn put(&self, began: Moment, called: Moment, records: usize) {
        let Some(sink) = self.sink() else { return };
        let now = self.now();
        let nanos = now.nanos_since(called);
        self.stages.batch(BatchStage::Border, called.nanos_since(began));
        self.stages.batch(BatchStage::Put, nanos);
        self.batch_size.record(records as f64, now);
        sink.put_time.took(nanos, now);
        sink.sent.add(records as u64, now);
    }

    /// So many partitions are assigned to the task.
    pub(crate) fn partitions(&self, count: usize) {
        if let Some(sink) = self.sink() {
            sink.partitions.store(count as u64, Ordering::Relaxed);
        }
    }

    /// The commit with this number begins.
    pub(crate) fn commit_begins(&self, number: u64) {
        if let Some(sink) = self.sink() {
            sink.commit_number.store(number, Ordering::Relaxed);
        }
    }

    /// A commit was answered after it had been given up.
    pub(crate) fn commit_skipped(&self) {
        if let Some(sink) = self.sink() {
            sink.skipped.add(1, self.now());
        }
    }

    /// So many of the records that were read are not committed.
    pub(crate) fn active(&self, records: u64) {
        self.read(0, records);
    }
}

impl SinkStats {
    fn write(&self, out: &mut Exposition, labels: &Labels, now: Moment) {
        self.read
            .write(out, labels, [SinkRecordReadRate, SinkRecordReadTotal], now);
        self.sent
            .write(out, labels, [SinkRecordSendRate, SinkRecordSendTotal], now);
        out.count(PartitionCount, labels, self.partitions.load(Ordering::Relaxed));
        out.count(
            OffsetCommitSeqNo,
            labels,
            self.commit_number.load(Ordering::Relaxed),
        );
        let completed = [OffsetCommitCompletionRate, OffsetCommitCompletionTotal];
        self.completed.write(out, labels, completed, now);
        let skipped = [OffsetCommitSkipRate, OffsetCommitSkipTotal];
        self.skipped.write(out, labels, skipped, now);
        self.put_time
            .write(out, labels, [PutBatchMaxTime, PutBatchAvgTime], now);
        let active = [
            SinkRecordActiveCount,
            SinkRecordActiveCountMax,
            SinkRecordActiveCountAvg,
        ];
        self.active.write(out, labels, active, now);
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
