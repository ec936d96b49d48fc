//! The thread that reads: it owns the connection, looks after each table in its turn, and hands batches over.
//!
//! A table is read as a whole by one statement, or in pieces; by number alone, up to a [`Horizon`] where somebody may still commit smaller ones
//! or where it is read in pieces. Between two pieces, and while those who write are waited for, other tables have their turn.

mod setbacks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_api::{OffsetMap, Result};

use self::setbacks::Missing;
use super::column::SourceColumn;
use super::config::{Mode, SourceConfig};
use super::handover::Handover;
use super::horizon::{self, Horizon};
use super::limit::Limit;
use super::offset::{At, Position};
use super::output::Output;
use super::row::Shape;
use super::scan::{Relation, Scan};
use super::split::{Piece, Split};
use crate::dialect::{self, Dialect};
use crate::failure::{Failure, Trouble};
use crate::session::{self, Go, ReadFailure, ReadSession, Stop};
use crate::table_id::Quoting;
use crate::url::Database;

const LOG: &str = "io.confluent.connect.jdbc.source.JdbcSourceTask";

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
    /// Where it is read in ranges.
    split: Option<Split>,
    /// Up to where it is being read.
    horizon: Option<Horizon>,
    /// When it is read next.
    due: Instant,
    /// Tries that failed since the last success.
    failures: u32,
    /// How many rows came by the last try.
    given: u64,
    /// Reads of all rows in bulk that were broken off, one after the other, when some had been given out.
    repeats: u32,
    missing: Option<Missing>,
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
            split: None,
            horizon: None,
            due: Instant::now(),
            failures: 0,
            given: 0,
            repeats: 0,
            missing: None,
            prepared: None,
        }
    }

    /// The same, read in ranges.
    pub(crate) fn in_ranges(self, split: Split) -> Self {
        Self {
            split: Some(split),
            ..self
        }
    }
}

/// What of a table is read by one statement.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// All that is new, by number alone up to this one.
    Whole {
        last: Option<i64>,
    },
    Piece(Piece),
}

/// How the database is spoken to.
#[derive(Clone, Copy)]
struct Language<'a> {
    dialect: &'a dyn Dialect,
    quoting: Quoting,
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
        let language = Language {
            dialect,
            quoting: Quoting {
                quote: dialect.quote(),
                always: self.config.connection.quote_always,
            },
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
            let began = Instant::now();
            self.sources[next].given = 0;
            match self.read_one(&mut session, next, language) {
                Ok(wait) => {
                    let source = &mut self.sources[next];
                    source.failures = 0;
                    source.missing = None;
                    source.due = Instant::now() + wait;
                }
                Err(ReadFailure::Refused(error)) => return Err(error),
                Err(ReadFailure::Database(failure)) if failure.is(Trouble::Cancelled) => session = None,
                Err(ReadFailure::Database(failure)) => {
                    session = None;
                    let source = &self.sources[next];
                    let failure = source.explained(failure, began.elapsed(), &self.config);
                    self.put_off(next, &failure)?;
                }
            }
        }
        Ok(())
    }

    /// A table that cannot be read waits, and the others do not; all do when nothing answers.
    fn put_off(&mut self, at: usize, failure: &Failure) -> Result<()> {
        // A table that is not there any more is no reason to stop as long as others are, or the connector may give the task other ones.
        if self.sources[at].is_gone(failure)
            && !self.sources.iter().all(|source| source.is_lost(&self.config))
        {
            self.sources[at].due = Instant::now() + LAST_RETRY;
            return Ok(());
        }
        let source = &mut self.sources[at];
        if !failure.trouble.may_heal() {
            return Err(failure.to_error());
        }
        source.count_repeats(failure, &self.config)?;
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

    /// All that is there to be read of one table now, or a piece of it. Says when it has its next turn.
    fn read_one(
        &mut self,
        session: &mut Option<Box<dyn ReadSession>>,
        at: usize,
        language: Language<'_>,
    ) -> std::result::Result<Duration, ReadFailure> {
        if session.is_none() {
            // A password may have been changed since the start.
            let present = (self.present)().map_err(ReadFailure::Refused)?;
            *session = Some(session::connect_to_read(&present, &self.stop)?);
        }
        self.read_connected(session, at, language)
            .map_err(|failure| match failure {
                ReadFailure::Database(failure) if self.config.query_is_masked() => {
                    ReadFailure::Database(failure.without_query())
                }
                failure => failure,
            })
    }

    fn read_connected(
        &mut self,
        session: &mut Option<Box<dyn ReadSession>>,
        at: usize,
        language: Language<'_>,
    ) -> std::result::Result<Duration, ReadFailure> {
        let Some(connected) = session else {
            return Ok(Duration::ZERO);
        };
        let config = Arc::clone(&self.config);
        let source = &mut self.sources[at];
        let mut part = Part::Whole { last: None };
        if source.has_horizon(&config, connected.tells_writers()) {
            if source.horizon.is_none() {
                source.horizon = source.look(connected.as_mut(), &config, language)?;
            }
            let Some(horizon) = &mut source.horizon else {
                source.end_pass();
                return Ok(config.poll_interval);
            };
            if !horizon.is_reached(connected.as_mut(), config.incrementing_wait, &source.relation)? {
                return Ok(horizon::LOOK);
            }
            let last = horizon.last;
            part = match source.split.as_ref().map(|split| split.next(last)) {
                None => Part::Whole { last: Some(last) },
                Some(Some(piece)) => Part::Piece(piece),
                Some(None) => {
                    source.end_pass();
                    return Ok(config.poll_interval);
                }
            };
        }
        source.open(connected.as_mut(), &config, language)?;
        let now = match config.mode.has_time() {
            true => connected.now()?,
            false => (0, 0),
        };
        source.begin(&config, now);
        let (is_whole, count) = self.read_part(session, at, part, now, language)?;
        let source = &mut self.sources[at];
        match part {
            // It was given up, and goes on when somebody takes rows.
            _ if !is_whole => Ok(config.poll_interval),
            Part::Whole { last } => {
                source.repeats = 0;
                // Nobody is waited for once more.
                if !source.was_cut(last, count, &config) {
                    source.end_pass();
                }
                Ok(config.poll_interval)
            }
            Part::Piece(piece) => {
                source.repeats = 0;
                if let Some(connected) = session
                    && count == 0
                {
                    source.pass_hole(connected.as_mut(), piece)?;
                }
                Ok(Duration::ZERO)
            }
        }
    }

    /// Reads what [`Source::open`] has opened. Says whether all of it was read, and how many rows there were.
    fn read_part(
        &mut self,
        session: &mut Option<Box<dyn ReadSession>>,
        at: usize,
        part: Part,
        now: At,
        language: Language<'_>,
    ) -> std::result::Result<(bool, u64), ReadFailure> {
        let config = &self.config;
        let Source {
            relation,
            topic,
            partition,
            position,
            split,
            prepared,
            given,
            ..
        } = &mut self.sources[at];
        let (Some(prepared), Some(connected)) = (prepared, session.as_mut()) else {
            return Ok((false, 0));
        };
        let (scan, shape) = (&prepared.scan, &prepared.shape);
        let mut of_piece = Position::default();
        let mut range_size = None;
        let (sql, partition, position) = match part {
            Part::Whole { last } => {
                let until = before(now, config.timestamp_delay);
                let sql = scan.sql(position, until, last, config, language.dialect);
                (sql, &*partition, position)
            }
            Part::Piece(piece) => {
                of_piece.incrementing = piece.after;
                let lane = split.as_ref().filter(|_| config.mode.counts());
                range_size = lane.map(|split| split.size);
                let partition = lane.map_or(&*partition, |split| &split.lanes[piece.lane].partition);
                (scan.piece(piece.after, piece.last), partition, &mut of_piece)
            }
        };
        tracing::debug!(target: LOG, "reading {relation} after {position:?}");
        let mut output = Output {
            config,
            handover: &self.handover,
            stop: &self.stop,
            topic,
            partition,
            position,
            range_size,
            count: 0,
            batch: self.handover.empty(),
            patience: patience(config),
            held: shape.row(),
            held_at: None,
            refused: None,
        };
        let mut read = connected.read(&sql, &scan.columns, shape, &mut |row| output.take(row, shape));
        if matches!(read, Ok(true))
            && config.mode.counts()
            && let Some(last) = output.parted(config.limit())
        {
            let sql = scan.at(last, config, language.dialect);
            read = connected.read(&sql, &scan.columns, shape, &mut |row| output.take(row, shape));
            if matches!(read, Ok(true)) && output.held_at.is_none() {
                // They are gone meanwhile.
                *output.position = last;
            }
        }
        // Before anybody is waited for: nobody else may change a table meanwhile.
        let read = match read {
            Ok(true) => match connected.end() {
                // Where there are no offsets, all rows would come again. They have come while the table kept its columns; but a
                // transaction that may not end because of others' (SERIALIZABLE) has not read one state.
                Err(failure) if config.mode == Mode::Bulk && !failure.is(Trouble::Contention) => {
                    tracing::debug!(target: LOG, "all of {relation} came, and then: {failure}");
                    *session = None;
                    Ok(true)
                }
                ended => ended.map(|()| true).map_err(Into::into),
            },
            other => other,
        };
        let is_whole = matches!(read, Ok(true));
        if !is_whole {
            *session = None;
        }
        let finished = output.finish(is_whole);
        let (count, refused) = (output.count, output.refused.take());
        *given = count;
        if let (Part::Piece(piece), Some(split)) = (part, split) {
            // What was not given out is read again.
            let reached = if is_whole {
                Some(piece.last)
            } else {
                of_piece.incrementing
            };
            split.was_read(piece.lane, reached, count);
        }
        match (refused, read, finished) {
            (Some(error), ..) | (None, Ok(_), Err(error)) => Err(ReadFailure::Refused(error)),
            (None, Err(failure), _) => Err(failure),
            (None, Ok(is_whole), Ok(())) => Ok((is_whole, count)),
        }
    }
}

/// How long rows wait for someone who takes them.
fn patience(config: &SourceConfig) -> Option<Duration> {
    match config.connection.url.database {
        // It would be read again from its beginning.
        _ if config.mode == Mode::Bulk => None,
        Database::Sqlite => Some(PATIENCE_OF_FILE),
        _ => Some(PATIENCE),
    }
}

fn prepare(
    columns: Vec<SourceColumn>,
    relation: &Relation,
    config: &SourceConfig,
    language: Language<'_>,
) -> Result<Prepared> {
    let name = match relation {
        Relation::Table(table) => Some(table.name.as_str()),
        Relation::Query(_) => None,
    };
    let scan = Scan::new(relation, &columns, config, language.dialect, language.quoting)?;
    let shape = Shape::of(name, &scan, config)?;
    Ok(Prepared { columns, scan, shape })
}

impl Source {
    /// Whether it is known before how far it is read.
    fn has_horizon(&self, config: &SourceConfig, tells_writers: bool) -> bool {
        let waits = tells_writers && !config.incrementing_wait.is_zero();
        let may_be_late =
            config.mode == Mode::Incrementing && (waits || !config.incrementing_delay.is_zero());
        self.split.is_some() || may_be_late
    }

    /// Begins to read it: columns may have come, gone or changed since the last time.
    fn open(
        &mut self,
        connected: &mut dyn ReadSession,
        config: &SourceConfig,
        language: Language<'_>,
    ) -> std::result::Result<(), ReadFailure> {
        connected.begin()?;
        let columns = connected.columns(&self.relation, language.quoting)?;
        let is_known = |known: &Prepared| known.columns == columns;
        if !self.prepared.as_ref().is_some_and(is_known) {
            let prepared = prepare(columns, &self.relation, config, language);
            self.prepared = Some(prepared.map_err(ReadFailure::Refused)?);
        }
        Ok(())
    }

    /// Looks how far there is something to be read, and who may still commit something before that. Nothing when there is nothing new.
    fn look(
        &mut self,
        connected: &mut dyn ReadSession,
        config: &SourceConfig,
        language: Language<'_>,
    ) -> std::result::Result<Option<Horizon>, ReadFailure> {
        self.open(connected, config, language)?;
        self.begin(config, (0, 0));
        let counts = config.mode.counts();
        let after = match &mut self.split {
            Some(split) if !counts => {
                split.begin_anew();
                None
            }
            Some(split) => split.done(),
            None => self.position.incrementing,
        };
        let last = self.extreme(connected, "max", after, None)?;
        // In the same transaction: it has locked what they would have to have locked.
        let writers = match last {
            Some(_) if counts && !config.incrementing_wait.is_zero() => connected.writers()?,
            _ => Vec::new(),
        };
        connected.end()?;
        let delay = if counts {
            config.incrementing_delay
        } else {
            Duration::ZERO
        };
        Ok(last.map(|last| Horizon::new(last, writers, delay)))
    }

    /// The least or the greatest number after this one and up to that one.
    fn extreme(
        &self,
        connected: &mut dyn ReadSession,
        function: &str,
        after: Option<i64>,
        last: Option<i64>,
    ) -> std::result::Result<Option<i64>, ReadFailure> {
        let Some((scan, column)) = self
            .prepared
            .as_ref()
            .and_then(|prepared| Some((&prepared.scan, prepared.scan.number_column()?)))
        else {
            return Ok(None);
        };
        let shape = Shape::of_number().map_err(ReadFailure::Refused)?;
        let mut found = Ok(None);
        let sql = scan.extreme(function, after, last);
        connected.read(&sql, std::slice::from_ref(column), &shape, &mut |row| {
            found = row.number();
            Go::On
        })?;
        found.map_err(ReadFailure::Refused)
    }

    /// After a piece without rows: goes on at the next one that has some.
    fn pass_hole(
        &mut self,
        connected: &mut dyn ReadSession,
        piece: Piece,
    ) -> std::result::Result<(), ReadFailure> {
        let Some(last) = self.horizon.as_ref().map(|horizon| horizon.last) else {
            return Ok(());
        };
        let next = match piece.last < last {
            true => self.extreme(connected, "min", Some(piece.last), Some(last))?,
            false => None,
        };
        if let Some(split) = &mut self.split {
            match next {
                Some(next) => split.nothing_before(next),
                None => split.all_read_to(last),
            }
        }
        Ok(())
    }

    /// Whether a limit may have kept back rows up to this number, when so many have come.
    fn was_cut(&self, last: Option<i64>, count: u64, config: &SourceConfig) -> bool {
        let is_full = |limit: Limit| count > 0 && limit.rows.is_none_or(|most| count >= most);
        last.is_some_and(|last| self.position.incrementing.is_some_and(|at| at < last))
            && config.limit().is_some_and(is_full)
    }

    /// All that there was is read.
    fn end_pass(&mut self) {
        let horizon = self.horizon.take();
        let Some(split) = &mut self.split else { return };
        if let Some(horizon) = horizon {
            split.all_read_to(horizon.last);
        }
        if split.retires && !split.has_read {
            self.position.incrementing = split.furthest();
            self.split = None;
            tracing::info!(target: LOG, "{} was read in ranges, and all of it; from now on it is read without", self.relation);
        }
    }

    /// Where reading begins when no offset is stored.
    fn begin(&mut self, config: &SourceConfig, now: At) {
        if config.mode.counts() {
            self.position
                .incrementing
                .get_or_insert(config.incrementing_initial);
        }
        if config.mode.has_time() && self.position.timestamp.is_none() {
            let at = |millis: i64| {
                let nanos = u32::try_from(millis.rem_euclid(1_000)).unwrap_or(0) * 1_000_000;
                (millis.div_euclid(1_000), nanos)
            };
            // Without any, rows are read from the least on.
            self.position.timestamp = match config.timestamp_initial {
                Some(_) if config.begins_now() => Some(config.began.map_or(now, at)),
                initial => initial.map(at),
            };
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
