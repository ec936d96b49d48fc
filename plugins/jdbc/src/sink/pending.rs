//! Rows that wait to be written, in the order in which their records came.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use wharf_api::{Offsets, TopicPartition};

use super::cell::{Cell, Rows};
use super::shape::{Operation, Shape};
use crate::table_id::TableId;

/// A row that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PendingRow {
    /// Where its cells begin.
    pub(crate) start: usize,
    /// Index of the partition that its record was consumed from.
    partition: u32,
    /// The record's offset there.
    pub(crate) offset: i64,
    /// Which of the kept batches holds the record, counted from the task's start.
    pub(crate) batch: u64,
}

/// Rows of one table and one shape, that come one after the other among all rows of that table.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) table: Arc<TableId>,
    pub(crate) shape: Arc<Shape>,
    pub(crate) rows: Vec<PendingRow>,
}

impl Segment {
    /// Where rows begin, all of them.
    pub(crate) fn starts(rows: &[PendingRow]) -> Vec<usize> {
        rows.iter().map(|row| row.start).collect()
    }

    /// The last row of each key, in the order of keys where that may be: the database takes only equal values for one key, or refuses
    /// the statement else (`is_refused_twice`). Only for statements that find rows by key: of several writes of a key, the last
    /// one stays.
    pub(crate) fn last_of_each_key(&self, rows: &Rows, is_refused_twice: bool) -> Vec<PendingRow> {
        let keys: Vec<usize> = self.shape.keys().collect();
        let mut seen: HashMap<u64, Vec<usize>> = HashMap::with_capacity(self.rows.len());
        let mut last = Vec::with_capacity(self.rows.len());
        for row in self.rows.iter().rev() {
            let mut hasher = DefaultHasher::new();
            for key in &keys {
                hash(rows.cell_at(row.start + key), rows, &mut hasher);
            }
            let others = seen.entry(hasher.finish()).or_default();
            let same = |other: &&usize| {
                keys.iter()
                    .all(|key| equal(rows.cell_at(**other + key), rows.cell_at(row.start + key), rows))
            };
            if others.iter().any(|other| same(&other)) {
                continue;
            }
            others.push(row.start);
            last.push(*row);
        }
        last.reverse();
        let is_whole = |row: &PendingRow| {
            keys.iter()
                .all(|key| matches!(rows.cell_at(row.start + key), Cell::Integer(_)))
        };
        if !is_refused_twice && !last.iter().all(is_whole) {
            return last;
        }
        // Tasks that write the same rows take them in the same order, and do not wait for each other in a circle.
        last.sort_by(|a, b| {
            keys.iter()
                .map(|key| compare(rows.cell_at(a.start + key), rows.cell_at(b.start + key), rows))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        last
    }
}

/// An order of keys; which one does not matter.
fn compare(a: &Cell, b: &Cell, rows: &Rows) -> Ordering {
    match (a, b) {
        (Cell::Text(a), Cell::Text(b)) | (Cell::Bytes(a), Cell::Bytes(b)) => {
            rows.stored(*a).cmp(rows.stored(*b))
        }
        (Cell::Integer(a), Cell::Integer(b))
        | (Cell::Date(a), Cell::Date(b))
        | (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        (Cell::Timestamp(a, b), Cell::Timestamp(c, d)) => (a, b).cmp(&(c, d)),
        (Cell::Decimal(a), Cell::Decimal(b)) => a.unscaled().cmp(b.unscaled()),
        _ => Ordering::Equal,
    }
}

fn hash(cell: &Cell, rows: &Rows, to: &mut DefaultHasher) {
    match cell {
        Cell::Text(span) | Cell::Bytes(span) => rows.stored(*span).hash(to),
        Cell::Integer(number) | Cell::Date(number) | Cell::Time(number) => number.hash(to),
        Cell::Timestamp(seconds, nanos) => (seconds, nanos).hash(to),
        Cell::Boolean(value) => value.hash(to),
        Cell::Decimal(decimal) => decimal.unscaled().hash(to),
        Cell::Float32(number) => number.to_bits().hash(to),
        Cell::Float64(number) => number.to_bits().hash(to),
        Cell::Null | Cell::Array(_) => {}
    }
}

fn equal(a: &Cell, b: &Cell, rows: &Rows) -> bool {
    match (a, b) {
        (Cell::Text(a), Cell::Text(b)) | (Cell::Bytes(a), Cell::Bytes(b)) => {
            rows.stored(*a) == rows.stored(*b)
        }
        (a, b) => a == b,
    }
}

/// All rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) rows: Rows,
    pub(crate) segments: Vec<Segment>,
    /// For each table, the last of its segments: the only one that rows may still be added to.
    last: HashMap<Arc<TableId>, usize>,
    partitions: Vec<TopicPartition>,
    count: usize,
    oldest: Option<Instant>,
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// When the row that waits longest came.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.oldest
    }

    /// The partition of a row.
    pub(crate) fn partition(&self, row: &PendingRow) -> &TopicPartition {
        &self.partitions[row.partition as usize]
    }

    /// Adds a row whose cells are there already.
    pub(crate) fn push(
        &mut self,
        table: &Arc<TableId>,
        shape: &Arc<Shape>,
        start: usize,
        (topic, partition, offset): (&str, i32, i64),
        batch: u64,
    ) {
        let partition = self.partition_index(topic, partition);
        let row = PendingRow {
            start,
            partition,
            offset,
            batch,
        };
        let next = self.segments.len();
        let index = match self.last.get(table) {
            Some(&last) if Arc::ptr_eq(&self.segments[last].shape, shape) => last,
            _ => {
                self.last.insert(Arc::clone(table), next);
                self.segments.push(Segment {
                    table: Arc::clone(table),
                    shape: Arc::clone(shape),
                    rows: Vec::new(),
                });
                next
            }
        };
        self.segments[index].rows.push(row);
        self.count += 1;
        self.oldest.get_or_insert_with(Instant::now);
    }

    fn partition_index(&mut self, topic: &str, partition: i32) -> u32 {
        // Records of one partition come in runs.
        if let Some(index) = self
            .partitions
            .iter()
            .rposition(|known| known.partition == partition && known.topic == topic)
        {
            return u32::try_from(index).unwrap_or(u32::MAX);
        }
        self.partitions.push(TopicPartition::new(topic, partition));
        u32::try_from(self.partitions.len() - 1).unwrap_or(u32::MAX)
    }

    /// For each partition with rows that wait, the offset of the first of them.
    pub(crate) fn first_offsets(&self) -> Offsets {
        let mut first = Offsets::new();
        for row in self.segments.iter().flat_map(|segment| &segment.rows) {
            first
                .entry(self.partition(row).clone())
                .and_modify(|offset| *offset = row.offset.min(*offset))
                .or_insert(row.offset);
        }
        first
    }

    /// The first batch of which a row waits; beyond all when none does.
    pub(crate) fn first_batch(&self) -> u64 {
        let first = self.segments.iter().filter_map(|segment| segment.rows.first());
        first.map(|row| row.batch).min().unwrap_or(u64::MAX)
    }

    /// Whether a row waits whose record came with this batch.
    pub(crate) fn has_row_of(&self, batch: u64) -> bool {
        // Rows of one table come in the order of batches.
        let mut last = self.segments.iter().filter_map(|segment| segment.rows.last());
        last.any(|row| row.batch == batch)
    }

    /// Forgets rows whose records were reported: they are not to be in the table as well.
    pub(crate) fn forget_reported(&mut self, reported: &HashSet<(TopicPartition, i64)>) {
        if reported.is_empty() {
            return;
        }
        let partitions = &self.partitions;
        for segment in &mut self.segments {
            segment.rows.retain(|row| {
                let at = &partitions[row.partition as usize];
                !reported.contains(&(at.clone(), row.offset))
            });
        }
        self.recount();
    }

    fn recount(&mut self) {
        self.count = self.segments.iter().map(|segment| segment.rows.len()).sum();
        if self.count == 0 {
            self.clear();
        }
    }

    /// Forgets the rows of these partitions.
    pub(crate) fn forget(&mut self, partitions: &[TopicPartition]) {
        let gone: Vec<bool> = self
            .partitions
            .iter()
            .map(|known| partitions.contains(known))
            .collect();
        for segment in &mut self.segments {
            segment.rows.retain(|row| !gone[row.partition as usize]);
        }
        self.recount();
    }

    /// Forgets everything: it was written.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.segments.clear();
        self.last.clear();
        self.partitions.clear();
        self.count = 0;
        self.oldest = None;
    }
}

impl Segment {
    /// Whether its rows are deleted.
    pub(crate) fn deletes(&self) -> bool {
        self.shape.operation == Operation::Delete
    }
}
