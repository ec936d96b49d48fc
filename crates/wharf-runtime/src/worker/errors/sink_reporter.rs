//! Tells of records of a sink that failed: in the log, as dead letters. Shared between the task's thread and the plugin, which
//! reports what it cannot write from whatever thread it likes.
//!
//! What must stay true: a record that is reported is counted, logged and on its way before the caller hears of it; after a
//! report beyond the tolerance the task fails, even if its plugin goes on as if nothing had happened.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wharf_api::batch::Datum;
use wharf_api::flat::SchemaCache;
use wharf_api::record::Origin;
use wharf_api::sink::ReportedRecord;
use wharf_api::{ConnectError, Headers, Record, RecordBatchRef, Result, TopicPartition};
use wharf_kafka::KeptRecords;

use super::SINK_TASK;
use super::consumed_record::ConsumedRecord;
use super::dead_letter_queue::DeadLetterQueue;
use super::log_reporter::LogReporter;
use super::retry_with_tolerance::RetryWithTolerance;
use super::stage::{RecordFailure, Stage};
use crate::worker::converters::TaskConverters;

/// How long a plugin that waits for its report waits at the most for one look at whether its task is still wanted.
const WAIT_STEP: Duration = Duration::from_secs(1);

/// A report was handed over: the letter's number, if there is one to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reported {
    Done,
    Letter(u64),
    /// The task is to stop: as if the record had not been looked at.
    Interrupted,
}

/// Makes converters like the task's own, for records that are to be bytes again.
pub(crate) type ConvertBack = Box<dyn Fn() -> Result<TaskConverters> + Send>;

/// The reporters of one sink task.
pub(crate) struct SinkReporter {
    rules: RetryWithTolerance,
    log: Option<LogReporter>,
    dead_letters: Option<DeadLetterQueue>,
    /// What is being put, as it was consumed.
    kept: Option<KeptRecords>,
    kept_bytes: u64,
    make_converters: ConvertBack,
    converters: Option<TaskConverters>,
    /// The first report that was one too many.
    exceeded: Option<ConnectError>,
}

/// The same, for all who report.
#[derive(Clone)]
pub(crate) struct SharedSinkReporter(Arc<Mutex<SinkReporter>>);

impl SharedSinkReporter {
    pub(crate) fn new(reporter: SinkReporter) -> Self {
        Self(Arc::new(Mutex::new(reporter)))
    }

    /// A panic while reporting must not keep the task from ending.
    pub(crate) fn lock(&self) -> MutexGuard<'_, SinkReporter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a report, as long as it takes, a little at a time, so that others can report meanwhile.
    pub(crate) fn await_report(&self, report: u64) -> Result<()> {
        loop {
            let mut reporter = self.lock();
            let Some(letters) = &mut reporter.dead_letters else {
                return Ok(());
            };
            if letters.wait(WAIT_STEP, |number, _| number == report) {
                return Ok(());
            }
            if let Some(error) = letters.failure() {
                return Err(error.clone());
            }
            if letters.is_given_up() {
                return Err(ConnectError::retriable(
                    "the task is to stop before a report was written",
                ));
            }
        }
    }
}

impl SinkReporter {
    pub(crate) fn new(
        rules: RetryWithTolerance,
        log: Option<LogReporter>,
        dead_letters: Option<DeadLetterQueue>,
        make_converters: ConvertBack,
    ) -> Self {
        Self {
            rules,
            log,
            dead_letters,
            kept: None,
            kept_bytes: 0,
            make_converters,
            converters: None,
            exceeded: None,
        }
    }

    /// Whether a sink task may report records.
    pub(crate) fn is_active(&self) -> bool {
        self.log.is_some() || self.dead_letters.is_some()
    }

    /// Tells of a record that failed.
    ///
    /// # Errors
    /// When its dead letter cannot be written.
    pub(crate) fn report(
        &mut self,
        record: &ConsumedRecord<'_>,
        failure: &RecordFailure,
    ) -> Result<Reported> {
        if let Some(log) = &self.log {
            log.report(failure, || record.log_text());
        }
        match &mut self.dead_letters {
            None => Ok(Reported::Done),
            Some(letters) => Ok(letters
                .send(record, failure)?
                .map_or(Reported::Interrupted, Reported::Letter)),
        }
    }

    /// A sink task reports a record; the answer is the number to wait for.
    ///
    /// # Errors
    /// When errors are not tolerated, or the record is not known, or its dead letter cannot be written.
    pub(crate) fn report_errant(&mut self, reported: &ReportedRecord, error: &ConnectError) -> Result<u64> {
        let mut kept = self.kept.take();
        let outcome = self.report_known(reported, error, kept.as_mut());
        self.kept = kept;
        outcome
    }

    fn report_known(
        &mut self,
        reported: &ReportedRecord,
        error: &ConnectError,
        kept: Option<&mut KeptRecords>,
    ) -> Result<u64> {
        let TopicPartition { topic, partition } = &reported.partition;
        let found = kept.and_then(|kept| kept.find(topic, *partition, reported.offset));
        let record = match (found, &reported.batch) {
            (Some(message), _) => ConsumedRecord::of_message(&message),
            (None, Some(batch)) => self.convert_back(batch)?,
            (None, None) => {
                return Err(ConnectError::illegal_state(format!(
                    "the record at offset {} of {} is not one of those being put; report it with its data",
                    reported.offset, reported.partition
                )));
            }
        };
        let failure = self.rules.failed(Stage::TaskPut, SINK_TASK, error.clone());
        let sent = self.report(&record, &failure)?;
        if !failure.is_tolerated {
            let error = failure.fatal(&record);
            self.exceeded.get_or_insert_with(|| error.clone());
            return Err(error);
        }
        match sent {
            Reported::Done => Ok(u64::MAX),
            Reported::Letter(number) => Ok(number),
            Reported::Interrupted => Err(ConnectError::retriable(
                "the task is to stop before a report was written",
            )),
        }
    }

    /// A record that the plugin made or kept itself, as bytes.
    fn convert_back(&mut self, batch: &[u8]) -> Result<ConsumedRecord<'static>> {
        let mut schemas = SchemaCache::default();
        let batch = RecordBatchRef::parse(batch, &mut schemas)?;
        let record = batch.iter().next().transpose()?;
        let record = record
            .ok_or_else(|| ConnectError::data("a report without a record"))?
            .to_record(&batch)?;
        let converters = match &mut self.converters {
            Some(converters) => converters,
            None => self.converters.insert((self.make_converters)()?),
        };
        encode(converters, &record)
    }

    /// What is being put, until [`release`](Self::release).
    pub(crate) fn keep(&mut self, records: KeptRecords) {
        match &mut self.kept {
            Some(kept) => kept.append(records),
            None => self.kept = Some(records),
        }
        self.kept_bytes = self.kept.as_ref().map_or(0, |kept| kept.size() as u64);
    }

    pub(crate) fn release(&mut self) {
        self.kept = None;
        self.kept_bytes = 0;
    }

    /// Bytes held for reports and dead letters.
    pub(crate) fn held_bytes(&self) -> u64 {
        let letters = self
            .dead_letters
            .as_ref()
            .map_or(0, DeadLetterQueue::queued_bytes);
        self.kept_bytes + letters
    }

    /// Looks at what became of dead letters, and of reports that the plugin made.
    ///
    /// # Errors
    /// What the task is to fail with.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(letters) = &mut self.dead_letters {
            letters.poll(Duration::ZERO);
            if let Some(error) = letters.failure() {
                return Err(error.clone());
            }
        }
        self.exceeded.take().map_or(Ok(()), Err)
    }

    /// Whether dead letters are on their way.
    pub(crate) fn is_waiting(&self) -> bool {
        self.dead_letters
            .as_ref()
            .is_some_and(DeadLetterQueue::is_outstanding)
    }

    /// Waits until all dead letters of these partitions are written, at most this long.
    pub(crate) fn wait(&mut self, partitions: &[TopicPartition], time: Duration) {
        if let Some(letters) = &mut self.dead_letters
            && letters.is_outstanding()
            && !letters.wait(time, |_, partition| partitions.contains(partition))
        {
            tracing::warn!(
                "dead letters are not written yet; the offsets of their records are not committed"
            );
        }
    }

    /// The offset of the first record of a partition whose dead letter is not written: nothing behind it may be committed.
    pub(crate) fn first_outstanding(&self, partition: &TopicPartition) -> Option<i64> {
        self.dead_letters.as_ref()?.first_outstanding(partition)
    }

    /// Partitions that are gone.
    pub(crate) fn forget(&mut self, partitions: &[TopicPartition]) {
        if let Some(letters) = &mut self.dead_letters {
            letters.forget(partitions);
        }
    }
}

fn encode(converters: &mut TaskConverters, record: &Record) -> Result<ConsumedRecord<'static>> {
    let Origin::Sink {
        timestamp_type,
        original_topic,
        original_partition,
        original_offset,
        ..
    } = &record.origin
    else {
        return Err(ConnectError::illegal_state(
            "only a record that was consumed can be reported",
        ));
    };
    let topic = record.topic.as_str();
    let (mut arena, mut places) = (Vec::new(), Vec::new());
    converters.encode_headers(topic, &record.headers, &mut arena, &mut places)?;
    let mut headers: Vec<(Cow<'static, str>, Option<Cow<'static, [u8]>>)> = record
        .headers
        .iter()
        .zip(places)
        .map(|(header, place)| {
            let value = place.map(|place| Cow::Owned(arena[place].to_vec()));
            (Cow::Owned(header.key().to_owned()), value)
        })
        .collect();
    let mut added = Headers::new();
    let owned = |bytes: Option<&[u8]>| bytes.map(|bytes| Cow::Owned(bytes.to_vec()));
    let key = Datum::new(record.key_schema.as_ref(), &record.key);
    let key = owned(converters.key.encode(topic, key, &mut added)?);
    let value = Datum::new(record.value_schema.as_ref(), &record.value);
    let value = owned(converters.value.encode(topic, value, &mut added)?);
    for header in added.iter() {
        if let wharf_api::Value::Bytes(bytes) = header.value() {
            headers.push((
                Cow::Owned(header.key().to_owned()),
                Some(Cow::Owned(bytes.clone())),
            ));
        }
    }
    Ok(ConsumedRecord {
        topic: Cow::Owned(original_topic.clone()),
        partition: *original_partition,
        offset: *original_offset,
        timestamp: record.timestamp,
        timestamp_type: *timestamp_type,
        key,
        value,
        headers,
    })
}
