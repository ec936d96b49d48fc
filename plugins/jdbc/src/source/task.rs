//! The source task: gives the worker what its reader has read.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wharf_api::{
    ConfigMap, ConnectError, OffsetMap, OffsetReader, RecordBatch, Result, SourceTask, SourceTaskContext,
};

use super::config::{Mode, SourceConfig};
use super::definition::SPLIT_SIZE_CONFIG;
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
        let position = position(config, stored, std::slice::from_ref(&partition))?;
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
    let mut sources = Vec::with_capacity(config.tables.len());
    for (place, text) in config.tables.iter().enumerate() {
        let table = TableId::parse(text, quote);
        let in_full = offset::of_table(&table.to_string());
        let by_name = offset::of_table_by_name(&table.name);
        let position = position(config, stored, &[in_full.clone(), by_name.clone()])?;
        let split = split(config, stored, &table, place, &position)?;
        let topic = format!("{}{}", config.topic_prefix, table.name);
        let partition = if config.mode == Mode::Bulk {
            by_name
        } else {
            in_full
        };
        let source = Source::new(Relation::Table(table), topic, partition, position);
        sources.push(match split {
            Some(split) => source.in_ranges(split),
            None => source,
        });
    }
    Ok(sources)
}

/// Where to go on: the first of these source partitions that has an offset.
fn position(config: &SourceConfig, stored: &OffsetReader, partitions: &[OffsetMap]) -> Result<Position> {
    if config.mode == Mode::Bulk {
        return Ok(Position::default());
    }
    let found = stored.offsets(partitions)?.into_iter().flatten().next();
    Ok(found.map_or_else(Position::default, |offset| Position::of(&offset)))
}

/// How a table is read in ranges: as it is configured, or as it was read in ranges before.
fn split(
    config: &SourceConfig,
    stored: &OffsetReader,
    table: &TableId,
    place: usize,
    position: &Position,
) -> Result<Option<Split>> {
    let of_lane = |lane| offset::of_lane(&table.to_string(), lane);
    let begin = position.incrementing.unwrap_or(config.incrementing_initial);
    // Where every lane stands, with the size of the ranges.
    let mut known = vec![None; LANES.into()];
    if config.mode == Mode::Incrementing {
        let partitions: Vec<OffsetMap> = (0..LANES).map(of_lane).collect();
        let offsets = stored.offsets(&partitions)?.into_iter();
        let positions = offsets.map(|offset| {
            let (done, size) = offset::lane_position(&offset?)?;
            // All rows up to there were read without ranges.
            (position.incrementing.is_none_or(|read| done > read)).then_some((done, size))
        });
        known = positions.collect();
    }
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
    let lanes = share.lanes(place).map(|lane| {
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
