//! The source task: gives the worker what its reader has read.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wharf_api::{
    ConfigMap, ConnectError, OffsetMap, OffsetReader, RecordBatch, Result, SourceTask, SourceTaskContext,
};

use super::config::{Mode, SourceConfig};
use super::definition::{QUERY_SUFFIX_CONFIG, SPLIT_SIZE_CONFIG};
use super::handover::Handover;
use super::offset::{self, Position};
use super::reader::{Reader, Source};
use super::scan::Relation;
use super::split::{LANES, Lane, Share, Split};
use super::tables;
use crate::table_id::TableId;

/// How long a poll waits for rows.
const POLL: Duration = Duration::from_secs(1);
/// How often it is looked whether the task is to stop or to pause.
const LOOK: Duration = Duration::from_millis(50);

/// How many source partitions a table has that is read as a whole: in full, and as old versions called it.
const OF_WHOLE: usize = 2;

/// Reads tables or a query.
#[derive(Default)]
pub struct JdbcSourceTask {
    running: Option<Running>,
}

struct Running {
    context: SourceTaskContext,
    handover: Arc<Handover>,
    stopping: Arc<Stopping>,
    reader: Option<JoinHandle<()>>,
}

/// Told by the task's stop: a task that is paused goes on reading until there is no more room.
#[derive(Default)]
pub(crate) struct Stopping {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Stopping {
    pub(crate) fn set(&self) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// As [`Stop`](crate::session::Stop).
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if *is_set || left.is_zero() {
                return *is_set;
            }
            is_set = self
                .changed
                .wait_timeout(is_set, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl SourceTask for JdbcSourceTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<()> {
        let config = Arc::new(SourceConfig::of(config)?);
        let sources = sources(&config, &context.offset_reader())?;
        let handover = Arc::new(Handover::default());
        let stopping = Arc::new(Stopping::default());
        let (flag, asked) = (Arc::clone(&stopping), context.clone());
        let reader = Reader {
            config,
            sources,
            handover: Arc::clone(&handover),
            stop: Arc::new(move |time| flag.wait(time)),
            present: Box::new(move || SourceConfig::of(&asked.configs())),
        };
        let thread = std::thread::Builder::new()
            .name("jdbc-reader".to_owned())
            .spawn(move || reader.run())
            .map_err(|error| ConnectError::connect(format!("no thread to read the database: {error}")))?;
        self.running = Some(Running {
            context,
            handover,
            stopping,
            reader: Some(thread),
        });
        Ok(())
    }

    fn poll(&mut self, batch: &mut RecordBatch) -> Result<()> {
        let running = self.running.as_mut().ok_or_else(wharf_api::source::not_started)?;
        let until = Instant::now() + POLL;
        while !running.handover.take(batch, LOOK)? {
            if running.context.is_stopping() || Instant::now() >= until {
                return Ok(());
            }
            if running.reader.as_ref().is_none_or(JoinHandle::is_finished) {
                // What it gave last may have come meanwhile.
                if running.handover.take(batch, Duration::ZERO)? {
                    return Ok(());
                }
                return Err(ConnectError::panic(
                    "the thread that reads the database has ended; this is a defect of the connector",
                ));
            }
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            running.stopping.set();
            if let Some(reader) = running.reader.take() {
                // A panic was told by the poll.
                let _ = reader.join();
            }
        }
        Ok(())
    }
}

/// What the task reads, and from where on.
fn sources(config: &SourceConfig, stored: &OffsetReader) -> Result<Vec<Source>> {
    if let Some(query) = &config.query {
        let partition = offset::of_query();
        let offsets = offsets(config, stored, std::slice::from_ref(&partition))?;
        let position = position(&offsets);
        let relation = Relation::Query(query.trim_end_matches([';', ' ', '\n']).to_owned());
        return Ok(vec![Source::new(
            relation,
            config.topic_prefix.clone(),
            partition,
            position,
        )]);
    }
    if config.tables.is_empty() {
        return Err(ConnectError::config(
            "the task has no tables; they are given to it by its connector",
        ));
    }
    let quote = tables::quoting(config, true).quote;
    let tables: Vec<TableId> = config
        .tables
        .iter()
        .map(|text| TableId::parse(text, quote))
        .collect();
    // All at once: who asks for offsets waits until their topic was read to its end.
    let partitions: Vec<OffsetMap> = tables
        .iter()
        .flat_map(|table| partitions(config, table))
        .collect();
    let offsets = offsets(config, stored, &partitions)?;
    let each = offsets.len() / tables.len();
    let mut sources = Vec::with_capacity(tables.len());
    for (at, table) in tables.into_iter().enumerate() {
        let (whole, lanes) = offsets[at * each..][..each].split_at(each.min(OF_WHOLE));
        let position = position(whole);
        let split = split(config, &table, &position, lanes)?;
        let topic = format!("{}{}", config.topic_prefix, table.name);
        let partition = match config.mode {
            Mode::Bulk => offset::of_table_by_name(&table.name),
            _ => offset::of_table(&table.to_string()),
        };
        let source = Source::new(Relation::Table(table), topic, partition, position);
        sources.push(match split {
            Some(split) => source.in_ranges(split),
            None => source,
        });
    }
    Ok(sources)
}

/// The source partitions that a table may have offsets of: [`OF_WHOLE`] of its own, and those of its lanes.
fn partitions(config: &SourceConfig, table: &TableId) -> Vec<OffsetMap> {
    let in_full = table.to_string();
    let mut all = vec![offset::of_table(&in_full), offset::of_table_by_name(&table.name)];
    if config.mode == Mode::Incrementing {
        all.extend((0..LANES).map(|lane| offset::of_lane(&in_full, lane)));
    }
    all
}

/// The stored offsets of these source partitions, where the mode goes on from any.
fn offsets(
    config: &SourceConfig,
    stored: &OffsetReader,
    partitions: &[OffsetMap],
) -> Result<Vec<Option<OffsetMap>>> {
    match config.mode {
        Mode::Bulk => Ok(vec![None; partitions.len()]),
        _ => stored.offsets(partitions),
    }
}

/// Where to go on: at the first of these that is there.
fn position(offsets: &[Option<OffsetMap>]) -> Position {
    let found = offsets.iter().flatten().next();
    found.map_or_else(Position::default, Position::of)
}

/// How a table is read in ranges: as it is configured, or as it was read in ranges before.
fn split(
    config: &SourceConfig,
    table: &TableId,
    position: &Position,
    lanes: &[Option<OffsetMap>],
) -> Result<Option<Split>> {
    let of_lane = |lane| offset::of_lane(&table.to_string(), lane);
    let begin = position.incrementing.unwrap_or(config.incrementing_initial);
    // Where every lane stands, with the size of the ranges.
    let known = lanes.iter().map(|offset| {
        let (done, size) = offset::lane_position(offset.as_ref()?)?;
        // All rows up to there were read without ranges.
        (position.incrementing.is_none_or(|read| done > read)).then_some((done, size))
    });
    let mut known: Vec<Option<(i64, i64)>> = known.collect();
    known.resize(LANES.into(), None);
    let mut sizes = known.iter().flatten().map(|(_, size)| *size);
    let Some(size) = config.split_size.or_else(|| sizes.clone().next()) else {
        return Ok(None);
    };
    if let Some(other) = sizes.find(|other| *other != size) {
        return Err(ConnectError::config(format!(
            "table {table} was read in ranges of {other} keys, and its offsets do not fit ranges of {size}: set {SPLIT_SIZE_CONFIG}={other} \
             again; or set it to 0 until the table's own offset is beyond those of its lanes, and then to {size}; or delete the offsets, \
             to read all rows again"
        )));
    }
    let share = match config.split_size {
        Some(_) => config.share,
        None => Share::ALL,
    };
    if config.split_size.is_none()
        && let Some(word) = config.against_ranges()
    {
        return Err(ConnectError::config(format!(
            "table {table} was read in ranges of {size} keys ({SPLIT_SIZE_CONFIG}), and is read in them until its own offset is beyond those of its \
             lanes: rows of a range that the {word} of {QUERY_SUFFIX_CONFIG} leaves out would never be read. Leave out {QUERY_SUFFIX_CONFIG} \
             until then; or delete the offsets, to read all rows again"
        )));
    }
    let lanes = share.lanes(&table.to_string()).map(|lane| {
        let done = known[usize::from(lane)].map_or(begin, |(done, _)| done);
        Lane::new(lane, of_lane(lane), done)
    });
    Ok(Some(Split {
        size,
        lanes: lanes.collect(),
        retires: config.split_size.is_none(),
        has_read: false,
    }))
}
