//! The thread that reads: it owns the connection, looks after each table in its turn, and hands batches over.
//!
//! What must stay true: the offset of a record is never ahead of a row that was not handed over before it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_api::value_ref::StructRef;
use wharf_api::{ConnectError, NewOrigin, NewRecord, OffsetMap, RecordBatch, Result, ValueRef};

use super::column::SourceColumn;
use super::config::{Mode, SourceConfig};
use super::handover::Handover;
use super::offset::{At, Position};
use super::row::{Row, Shape};
use super::scan::{Relation, Scan};
use crate::dialect::{self, Dialect};
use crate::failure::{Failure, Trouble};
use crate::session::{self, Go, ReadFailure, ReadSession, Stop};
use crate::table_id::Quoting;
use crate::url::Database;

const LOG: &str = "io.confluent.connect.jdbc.source.JdbcSourceTask";

/// A batch is handed over when it has so many bytes, whatever `batch.max.rows` says.
const MAX_BYTES: usize = 1024 * 1024;
/// How long rows wait in the server for someone who takes none, before the statement is given up and made again later.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same of SQLite, where a statement that reads keeps others from writing.
const PATIENCE_OF_FILE: Duration = Duration::from_secs(1);
/// Between two tries of a query that failed.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// A table or query of the task.
pub(crate) struct Source {
    pub(crate) relation: Relation,
    pub(crate) topic: String,
    pub(crate) partition: OffsetMap,
    pub(crate) position: Position,
    /// When it is read next.
    due: Instant,
    /// Tries that failed since the last success.
    failures: u32,
    prepared: Option<Prepared>,
}

/// What is made of the columns of a table, for as long as they are these.
struct Prepared {
    columns: Vec<SourceColumn>,
    scan: Scan,
    shape: Shape,
}

impl Source {
    pub(crate) fn new(relation: Relation, topic: String, partition: OffsetMap, position: Position) -> Self {
        Self {
            relation,
            topic,
            partition,
            position,
            due: Instant::now(),
            failures: 0,
            prepared: None,
        }
    }
}

pub(crate) struct Reader {
    pub(crate) config: Arc<SourceConfig>,
    pub(crate) sources: Vec<Source>,
    pub(crate) handover: Arc<Handover>,
    pub(crate) stop: Stop,
    /// Where the database is at present, and how it is logged into.
    pub(crate) present: Box<dyn Fn() -> Result<SourceConfig> + Send>,
}

impl Reader {
    /// Reads until it is told to stop, or nothing can be read any more.
    pub(crate) fn run(mut self) {
        let outcome = self.read_on();
        if let Err(error) = outcome {
            self.handover.fail(error);
        }
    }

    fn read_on(&mut self) -> Result<()> {
        let dialect = dialect::dialect(self.config.connection.url.database);
        let quoting = Quoting {
            quote: dialect.quote(),
            always: self.config.connection.quote_always,
        };
        let mut session: Option<Box<dyn ReadSession>> = None;
        while !(self.stop)(Duration::ZERO) {
            let Some(next) = (0..self.sources.len()).min_by_key(|at| self.sources[*at].due) else {
                return Ok(());
            };
            let left = self.sources[next].due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                (self.stop)(left);
                continue;
            }
            // Nothing is asked of the database that nobody would take.
            if !self.handover.has_room(&self.stop) {
                return Ok(());
            }
            match self.read_one(&mut session, next, dialect, quoting) {
                Ok(()) => {
                    let source = &mut self.sources[next];
                    source.failures = 0;
                    source.due = Instant::now() + self.config.poll_interval;
                }
                Err(ReadFailure::Refused(error)) => return Err(error),
                Err(ReadFailure::Database(failure)) if failure.is(Trouble::Cancelled) => session = None,
                Err(ReadFailure::Database(failure)) => {
                    session = None;
                    self.put_off(next, &failure)?;
                }
            }
        }
        Ok(())
    }

    /// A table that cannot be read waits, and the others do not; all do when nothing answers.
    fn put_off(&mut self, at: usize, failure: &Failure) -> Result<()> {
        if !failure.trouble.may_heal() {
            return Err(failure.to_error());
        }
        let source = &mut self.sources[at];
        source.failures += 1;
        let failures = source.failures;
        if self.config.query_retries.is_some_and(|most| failures > most) {
            return Err(failure
                .to_final_error()
                .context(format!("given up after {failures} tries (query.retry.attempts)")));
        }
        let wait = FIRST_RETRY
            .saturating_mul(1 << (failures - 1).min(6))
            .min(LAST_RETRY);
        source.due = Instant::now() + wait;
        tracing::warn!(
            target: LOG,
            "{} cannot be read: {failure}; tried again in {} ms, try {failures} failed",
            source.relation,
            wait.as_millis()
        );
        if failure.is(Trouble::Unreachable) {
            (self.stop)(wait);
        }
        Ok(())
    }

    /// All that is there to be read of one table now.
    fn read_one(
        &mut self,
        session: &mut Option<Box<dyn ReadSession>>,
        at: usize,
        dialect: &dyn Dialect,
        quoting: Quoting,
    ) -> std::result::Result<(), ReadFailure> {
        if session.is_none() {
            // A password may have been changed since the start.
            let present = (self.present)().map_err(ReadFailure::Refused)?;
            *session = Some(session::connect_to_read(&present, &self.stop)?);
        }
        let Some(connected) = session else { return Ok(()) };
        let config = Arc::clone(&self.config);
        let source = &mut self.sources[at];
        connected.begin()?;
        // Columns may have come, gone or changed since the last time.
        let columns = connected.columns(&source.relation, quoting)?;
        if source
            .prepared
            .as_ref()
            .is_none_or(|known| known.columns != columns)
        {
            let prepared = prepare(columns, &source.relation, &config, dialect, quoting);
            source.prepared = Some(prepared.map_err(ReadFailure::Refused)?);
        }
        let now = match config.mode.has_time() {
            true => connected.now()?,
            false => (0, 0),
        };
        source.begin(&config, now);
        let until = before(now, config.timestamp_delay);
        let Source {
            relation,
            topic,
            partition,
            position,
            prepared,
            ..
        } = source;
        let Some(prepared) = prepared else { return Ok(()) };
        let sql = prepared.scan.sql(position, until, &config, dialect);
        tracing::debug!(target: LOG, "reading {relation} after {position:?}");
        let patience = match config.connection.url.database {
            // It would be read again from its beginning.
            _ if config.mode == Mode::Bulk => None,
            Database::Sqlite => Some(PATIENCE_OF_FILE),
            Database::Postgres | Database::MySql => Some(PATIENCE),
        };
        let shape = &prepared.shape;
        let mut output = Output {
            config: &config,
            handover: &self.handover,
            stop: &self.stop,
            topic,
            partition,
            position,
            batch: self.handover.empty(),
            patience,
            held: shape.row(),
            held_at: None,
            refused: None,
        };
        let read = connected.read(&sql, &prepared.scan.columns, shape, &mut |row| {
            output.take(row, shape)
        });
        // Before anybody is waited for: nobody else may change a table meanwhile.
        let read = match read {
            Ok(true) => connected.end().map(|()| true).map_err(Into::into),
            other => other,
        };
        if !matches!(read, Ok(true)) {
            *session = None;
        }
        let finished = output.finish(matches!(read, Ok(true)));
        match (output.refused.take(), read, finished) {
            (Some(error), ..) | (None, Ok(_), Err(error)) => Err(ReadFailure::Refused(error)),
            (None, Err(failure), _) => Err(failure),
            (None, Ok(_), Ok(())) => Ok(()),
        }
    }
}

fn prepare(
    columns: Vec<SourceColumn>,
    relation: &Relation,
    config: &SourceConfig,
    dialect: &dyn Dialect,
    quoting: Quoting,
) -> Result<Prepared> {
    let name = match relation {
        Relation::Table(table) => Some(table.name.as_str()),
        Relation::Query(_) => None,
    };
    let scan = Scan::new(relation, &columns, config, dialect, quoting)?;
    let shape = Shape::of(name, &scan, config)?;
    Ok(Prepared { columns, scan, shape })
}

impl Source {
    /// Where reading begins when no offset is stored.
    fn begin(&mut self, config: &SourceConfig, now: At) {
        const NOW: i64 = -1;
        if config.mode.counts() {
            self.position
                .incrementing
                .get_or_insert(config.incrementing_initial);
        }
        if config.mode.has_time() && self.position.timestamp.is_none() {
            self.position.timestamp = Some(match config.timestamp_initial {
                Some(NOW) => now,
                Some(millis) => (
                    millis.div_euclid(1_000),
                    u32::try_from(millis.rem_euclid(1_000)).unwrap_or(0) * 1_000_000,
                ),
                None => (0, 0),
            });
        }
    }
}

/// An instant that much earlier.
fn before((seconds, nanos): At, time: Duration) -> At {
    let earlier = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match nanos.checked_sub(time.subsec_nanos()) {
        Some(nanos) => (seconds.saturating_sub(earlier), nanos),
        None => (
            seconds.saturating_sub(earlier).saturating_sub(1),
            nanos + 1_000_000_000 - time.subsec_nanos(),
        ),
    }
}

/// Makes records of rows, and batches of records.
struct Output<'a> {
    config: &'a SourceConfig,
    handover: &'a Handover,
    stop: &'a Stop,
    topic: &'a str,
    partition: &'a OffsetMap,
    /// From where on everything is read again: after the last row of which it is known that none with the same position follows.
    position: &'a mut Position,
    batch: RecordBatch,
    patience: Option<Duration>,
    /// The row whose offset the next one decides, and where it stands; not in bulk, where there are no offsets.
    held: Row,
    held_at: Option<Position>,
    refused: Option<ConnectError>,
}

impl Output<'_> {
    fn take(&mut self, row: &mut Row, shape: &Shape) -> Go {
        let taken = self.try_take(row, shape);
        match taken {
            Ok(go) => go,
            Err(error) => {
                self.refused = Some(error);
                Go::Stop
            }
        }
    }

    fn try_take(&mut self, row: &mut Row, shape: &Shape) -> Result<Go> {
        if self.config.mode == Mode::Bulk {
            push(&mut self.batch, self.topic, self.partition, row, None)?;
            return self.hand_over_when_full();
        }
        let at = row.position(shape)?;
        // Rows with one position have the offset before it, until the last one is out: whoever goes on from there reads all.
        if let Some(before) = self.held_at {
            if at > before {
                *self.position = before;
            }
            self.push_held()?;
        }
        std::mem::swap(row, &mut self.held);
        self.held_at = Some(at);
        self.hand_over_when_full()
    }

    fn push_held(&mut self) -> Result<()> {
        push(
            &mut self.batch,
            self.topic,
            self.partition,
            &self.held,
            Some(*self.position),
        )
    }

    fn hand_over_when_full(&mut self) -> Result<Go> {
        if self.batch.len() < self.config.batch_rows && self.batch.byte_len() < MAX_BYTES {
            return Ok(Go::On);
        }
        let next = self.handover.empty();
        let full = std::mem::replace(&mut self.batch, next);
        Ok(match self.handover.give(full, self.patience, self.stop) {
            true => Go::On,
            false => Go::Stop,
        })
    }

    /// What is left goes out, too. A row that is held is read again when others with its position may follow.
    fn finish(&mut self, read_all: bool) -> Result<()> {
        if let Some(at) = self.held_at.take()
            && read_all
        {
            *self.position = at;
            self.push_held()?;
        }
        if !self.batch.is_empty() {
            let rest = std::mem::take(&mut self.batch);
            self.handover.give(rest, None, self.stop);
        }
        Ok(())
    }
}

fn push(
    batch: &mut RecordBatch,
    topic: &str,
    partition: &OffsetMap,
    row: &Row,
    offset: Option<Position>,
) -> Result<()> {
    let value = row.value();
    let entries = offset.map(|offset| offset.entries());
    let mut record = NewRecord::source(topic, partition, &[])
        .value(Some(value.schema()), ValueRef::Struct(StructRef::Owned(value)));
    record.origin = NewOrigin::Source {
        partition: Some(partition),
        offset: entries.as_ref().map(|(entries, count)| &entries[..*count]),
    };
    batch.push(&record)
}
