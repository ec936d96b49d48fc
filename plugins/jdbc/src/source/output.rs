//! Records are made of rows, and batches of records.
//!
//! What must stay true: the offset of a record is never ahead of a row that was not handed over before it.

use std::time::Duration;

use wharf_api::value_ref::StructRef;
use wharf_api::{ConnectError, NewOrigin, NewRecord, OffsetMap, RecordBatch, Result, ValueRef};

use super::config::{Mode, SourceConfig};
use super::handover::Handover;
use super::limit::Limit;
use super::offset::Position;
use super::row::{Row, Shape};
use crate::session::{Go, Stop};

/// A batch is handed over when it has so many bytes, whatever `batch.max.rows` says.
const MAX_BYTES: usize = 1024 * 1024;

/// Where the rows of one statement go.
pub(crate) struct Output<'a> {
    pub(crate) config: &'a SourceConfig,
    pub(crate) handover: &'a Handover,
    pub(crate) stop: &'a Stop,
    pub(crate) topic: &'a str,
    pub(crate) partition: &'a OffsetMap,
    /// From where on everything is read again: after the last row of which it is known that none with the same position follows.
    pub(crate) position: &'a mut Position,
    /// The size of the ranges that the table is read in.
    pub(crate) range_size: Option<i64>,
    /// How many rows have come.
    pub(crate) count: u64,
    pub(crate) batch: RecordBatch,
    pub(crate) patience: Option<Duration>,
    /// The row whose offset the next one decides, and where it stands; not in bulk, where there are no offsets.
    pub(crate) held: Row,
    pub(crate) held_at: Option<Position>,
    pub(crate) refused: Option<ConnectError>,
}

impl Output<'_> {
    /// Takes a row.
    pub(crate) fn take(&mut self, row: &mut Row, shape: &Shape) -> Go {
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
        self.count += 1;
        if self.config.mode == Mode::Bulk {
            push(&mut self.batch, self.topic, self.partition, row, None, None)?;
            return self.hand_over_when_full();
        }
        let at = row.position(shape)?;
        self.begin_before(at);
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

    /// Where reading began below all rows, rows have an offset before the first of them: one without a time would mean the epoch to the
    /// JVM's connector.
    fn begin_before(&mut self, first: Position) {
        // Before that not all databases have dates.
        const LEAST: i64 = -62_135_000_000;
        if self.position.timestamp.is_none()
            && let Some((seconds, nanos)) = first.timestamp
            && seconds > LEAST
        {
            self.position.timestamp = Some((seconds - 1, nanos));
        }
    }

    /// After a statement whose limit may have parted rows with one position: the last position, whose rows are to be read by themselves. The
    /// one that is held is forgotten, and is read with them.
    pub(crate) fn parted(&mut self, limit: Option<Limit>) -> Option<Position> {
        let limit = limit?;
        if limit.rows.is_some_and(|most| self.count < most) {
            return None;
        }
        self.held_at.take()
    }

    fn push_held(&mut self) -> Result<()> {
        push(
            &mut self.batch,
            self.topic,
            self.partition,
            &self.held,
            Some(*self.position),
            self.range_size,
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
    pub(crate) fn finish(&mut self, read_all: bool) -> Result<()> {
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
    range_size: Option<i64>,
) -> Result<()> {
    let value = row.value();
    let entries = offset.map(|offset| offset.entries(range_size));
    let mut record = NewRecord::source(topic, partition, &[])
        .value(Some(value.schema()), ValueRef::Struct(StructRef::Owned(value)));
    record.origin = NewOrigin::Source {
        partition: Some(partition),
        offset: entries.as_ref().map(|(entries, count)| &entries[..*count]),
    };
    batch.push(&record)
}
