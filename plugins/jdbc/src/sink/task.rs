//! The sink task: rows wait in memory until there are enough of them or one has waited long enough; then all are written in one
//! transaction. Only offsets of what is committed in the database, or reported, are given to the worker.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use wharf_api::batch::OriginRef;
use wharf_api::flat::SchemaCache;
use wharf_api::{
    ConfigMap, ConnectError, ErrantRecordReporter, Offsets, RecordBatchRef, RecordRef, Result, SinkTask,
    SinkTaskContext, TopicPartition,
};

use super::config::SinkConfig;
use super::pending::Pending;
use super::shape::Shape;
use super::writer::{WriteError, Writer};
use crate::failure::Failure;
use crate::table_id::TableId;

const LOG: &str = "io.confluent.connect.jdbc.sink.JdbcSinkTask";

/// Rows are written when they take so many bytes, whatever `batch.size` says.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Writes records into tables.
#[derive(Default)]
pub struct JdbcSinkTask {
    running: Option<Running>,
}

struct Running {
    context: SinkTaskContext,
    config: Arc<SinkConfig>,
    writer: Writer,
    reporter: Option<ErrantRecordReporter>,
    pending: Pending,
    /// What is known of the topics seen, by their names.
    topics: HashMap<String, Topic>,
    /// The last put failed: its batch is put again, and rows that wait are not the worker's concern until it succeeds.
    is_put_again: bool,
    /// For each partition of the batch that is being put, the offset after the last record that was taken.
    taken: Vec<(TopicPartition, i64)>,
    kept: Kept,
    /// Records that were reported and whose neighbours are not written yet.
    reported: HashSet<(TopicPartition, i64)>,
    /// Tries that failed since the last success.
    failures: u32,
}

/// Where the records of a topic go.
struct Topic {
    table: Arc<TableId>,
    /// Shapes of records seen, the last one used at the end.
    shapes: Vec<Arc<Shape>>,
}

/// Batches whose records may have to be reported. Empty without a reporter.
#[derive(Default)]
struct Kept {
    batches: VecDeque<(u64, Vec<u8>)>,
    next: u64,
    cache: SchemaCache,
}

impl SinkTask for JdbcSinkTask {
    fn start(&mut self, context: SinkTaskContext, config: &ConfigMap) -> Result<()> {
        let config = Arc::new(SinkConfig::of(config)?);
        let (waiting, asked) = (context.clone(), context.clone());
        self.running = Some(Running {
            writer: Writer::new(
                Arc::clone(&config),
                Arc::new(move |time| waiting.wait(time)),
                // A password may have been changed since the start.
                Box::new(move || SinkConfig::of(&asked.configs()).map(|config| config.connection)),
            ),
            reporter: context.errant_record_reporter(),
            context,
            config,
            pending: Pending::default(),
            topics: HashMap::new(),
            is_put_again: false,
            taken: Vec::new(),
            kept: Kept::default(),
            reported: HashSet::new(),
            failures: 0,
        });
        Ok(())
    }

    fn put(&mut self, records: &RecordBatchRef<'_>) -> Result<()> {
        self.running()?.put(records)
    }

    fn pre_commit(&mut self, offsets: &Offsets) -> Result<Offsets> {
        self.running()?.pre_commit(offsets)
    }

    fn close(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let running = self.running()?;
        running.pending.forget(partitions);
        if running.pending.is_empty() {
            running.writer.no_row_waits();
        }
        running
            .taken
            .retain(|(partition, _)| !partitions.contains(partition));
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        self.running = None;
        Ok(())
    }
}

impl JdbcSinkTask {
    fn running(&mut self) -> Result<&mut Running> {
        self.running.as_mut().ok_or_else(wharf_api::source::not_started)
    }
}

impl Running {
    fn put(&mut self, records: &RecordBatchRef<'_>) -> Result<()> {
        if !self.is_put_again {
            self.taken.clear();
        }
        let put = self.put_batch(records);
        self.is_put_again = put.is_err();
        put
    }

    fn put_batch(&mut self, records: &RecordBatchRef<'_>) -> Result<()> {
        self.writer.time_runs();
        self.kept.forget_before(self.pending.first_batch());
        let batch = self.kept.next;
        if self.reporter.is_some() && !records.is_empty() {
            self.kept.batches.push_back((batch, records.bytes().to_vec()));
            self.kept.next += 1;
        }
        let taken = self.take_all(records, batch);
        // Of a batch that is put again the copy that its rows came with is enough.
        self.kept.forget_unless(batch, self.pending.has_row_of(batch));
        taken?;
        let Some(oldest) = self.pending.oldest() else {
            return Ok(());
        };
        let linger = self.config.linger(self.reporter.is_some());
        let left = (oldest + linger).saturating_duration_since(Instant::now());
        if left.is_zero() {
            return self.flush();
        }
        self.context.timeout(left);
        Ok(())
    }

    fn take_all(&mut self, records: &RecordBatchRef<'_>, batch: u64) -> Result<()> {
        for record in records.iter() {
            self.take(&record?, batch)?;
            if self.pending.len() >= self.config.batch_size || self.pending.rows.bytes() >= MAX_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Makes a row of a record, or reports the record.
    fn take(&mut self, record: &RecordRef<'_>, batch: u64) -> Result<()> {
        let OriginRef::Sink(origin) = record.origin() else {
            return Err(ConnectError::illegal_state(
                "only records that were consumed can be written",
            ));
        };
        let (topic, partition, offset) = (
            origin.original_topic,
            origin.original_partition,
            origin.original_offset,
        );
        // Records of one partition come in runs.
        let known = self
            .taken
            .iter()
            .rposition(|(known, _)| known.partition == partition && known.topic == topic);
        let at = known.unwrap_or_else(|| {
            self.taken.push((TopicPartition::new(topic, partition), offset));
            self.taken.len() - 1
        });
        if offset < self.taken[at].1 {
            return Ok(());
        }
        let row = self.row(record);
        let (table, shape, start) = match row {
            Ok(row) => row,
            Err(error) => {
                let error = ConnectError::data(format!(
                    "the record at topic {topic}, partition {partition}, offset {offset} cannot be written: {}",
                    error.message()
                ));
                match &self.reporter {
                    Some(reporter) => drop(reporter.report(record, &error)?),
                    None => return Err(error),
                }
                self.taken[at].1 = offset + 1;
                return Ok(());
            }
        };
        self.pending
            .push(&table, &shape, start, (topic, partition, offset), batch);
        self.taken[at].1 = offset + 1;
        Ok(())
    }

    fn row(&mut self, record: &RecordRef<'_>) -> Result<(Arc<TableId>, Arc<Shape>, usize)> {
        let name = record.topic();
        if !self.topics.contains_key(name) {
            let table = self.config.table(name, self.writer.quoting().quote);
            let topic = Topic {
                table: Arc::new(table),
                shapes: Vec::new(),
            };
            self.topics.insert(name.to_owned(), topic);
        }
        let Topic { table, shapes } = self.topics.get_mut(name).expect("it was put there");
        let shape = match shapes.iter().rposition(|shape| shape.fits(record)) {
            Some(at) => {
                if at + 1 < shapes.len() {
                    let used = shapes.remove(at);
                    shapes.push(used);
                }
                Arc::clone(&shapes[shapes.len() - 1])
            }
            None => {
                // Of schemas that changed long ago none is kept.
                const MOST_SHAPES: usize = 64;
                if shapes.len() >= MOST_SHAPES {
                    shapes.remove(0);
                }
                shapes.push(Arc::new(Shape::of(record, &self.config)?));
                Arc::clone(&shapes[shapes.len() - 1])
            }
        };
        let start = shape.read(record, &mut self.pending.rows, &self.config)?;
        Ok((Arc::clone(table), shape, start))
    }

    /// Writes what waits.
    fn flush(&mut self) -> Result<()> {
        self.pending.forget_reported(&self.reported);
        if self.pending.is_empty() {
            self.writer.no_row_waits();
            return Ok(());
        }
        let Self {
            writer,
            pending,
            kept,
            reporter,
            reported,
            ..
        } = self;
        let written = writer.write(pending, &mut |bad| {
            let error = bad.error(pending);
            let Some(reporter) = reporter else {
                return Err(error);
            };
            let at = pending.partition(&bad.row);
            // The same rows may be tried again after a failure.
            if !reported.insert((at.clone(), bad.row.offset)) {
                return Ok(());
            }
            kept.with_record(bad.row.batch, at, bad.row.offset, |record, batch| {
                // The worker waits for the letter before it commits the record's offset, and takes the bytes that were consumed
                // where it still has them.
                reporter
                    .report_record(&record.to_record(batch)?, &error)
                    .map(drop)
            })
        });
        match written {
            Ok(()) => {
                self.failures = 0;
                self.pending.clear();
                self.reported.clear();
                Ok(())
            }
            Err(WriteError::Database(failure)) => Err(self.failed(&failure)),
            Err(WriteError::Refused(error)) => Err(error),
        }
    }

    fn failed(&mut self, failure: &Failure) -> ConnectError {
        if !failure.trouble.may_heal() {
            return failure.to_error();
        }
        // A task that is told to stop is not to be counted out.
        if self.context.is_stopping() {
            return failure.to_error();
        }
        self.failures += 1;
        if self.failures > self.config.max_retries {
            return failure
                .to_final_error()
                .context(format!("given up after {} tries (max.retries)", self.failures));
        }
        tracing::warn!(
            target: LOG,
            "{failure}; tried again in {} ms, {} of {} tries left",
            self.config.retry_backoff.as_millis(),
            self.config.max_retries - self.failures + 1,
            self.config.max_retries
        );
        self.context.timeout(self.config.retry_backoff);
        failure.to_error()
    }

    fn pre_commit(&mut self, offsets: &Offsets) -> Result<Offsets> {
        self.writer.time_runs();
        // Rows of a batch that was refused are not to be in the table before the worker knows of them.
        if !self.is_put_again
            && let Err(error) = self.flush()
        {
            // The next put meets it again and says so; what was written may be committed.
            tracing::debug!(target: LOG, "not everything is written: {error}");
        }
        let waiting = self.pending.first_offsets();
        Ok(offsets
            .iter()
            .map(|(partition, offset)| {
                let safe = waiting.get(partition).map_or(*offset, |first| *first.min(offset));
                (partition.clone(), safe)
            })
            .collect())
    }
}

impl Kept {
    /// Forgets batches that came before this one: nothing of them waits.
    fn forget_before(&mut self, first: u64) {
        while self.batches.front().is_some_and(|(batch, _)| *batch < first) {
            self.batches.pop_front();
        }
    }

    /// Forgets the last batch unless a row of it waits: the same records come once more when it was put again.
    fn forget_unless(&mut self, batch: u64, waits: bool) {
        if !waits && self.batches.back().is_some_and(|(last, _)| *last == batch) {
            self.batches.pop_back();
        }
    }

    /// Finds a record in the batch that it came with.
    fn with_record<T>(
        &mut self,
        batch: u64,
        at: &TopicPartition,
        offset: i64,
        found: impl FnOnce(&RecordRef<'_>, &RecordBatchRef<'_>) -> Result<T>,
    ) -> Result<T> {
        let missing = || ConnectError::illegal_state("a record to be reported is not kept");
        let (_, bytes) = self
            .batches
            .iter()
            .find(|(number, _)| *number == batch)
            .ok_or_else(missing)?;
        let parsed = RecordBatchRef::parse(bytes, &mut self.cache)?;
        for record in parsed.iter() {
            let record = record?;
            if let OriginRef::Sink(origin) = record.origin()
                && origin.original_offset == offset
                && origin.original_partition == at.partition
                && origin.original_topic == at.topic
            {
                return found(&record, &parsed);
            }
        }
        Err(missing())
    }
}
