//! Which source offsets may be stored: the promise that a source offset moves only after its record, and all before it of
//! the same source partition, were acknowledged.
//!
//! Records enter in the order in which they are given to the producer ([`SubmittedRecords::submit`]) and are
//! acknowledged in any order ([`SubmittedRecords::ack`]). For each source partition the offset of the last record of
//! the unbroken acknowledged beginning is committable ([`SubmittedRecords::take_committable`]). Partitions do not
//! wait for each other.
//!
//! A source partition is forgotten when its offset was taken and none of its records is in flight: from then on whoever
//! took the offset looks after it. So the memory used here follows what is in flight and what was acknowledged since the
//! offsets were taken last, however many source partitions a task has in its life.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// An encoded source offset; small ones are kept without allocation, as there is one per record in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OffsetBytes {
    Null,
    Small(u8, [u8; SMALL]),
    Large(Box<[u8]>),
}

const SMALL: usize = 46;

impl OffsetBytes {
    fn new(bytes: Option<&[u8]>) -> Self {
        match bytes {
            None => Self::Null,
            Some(bytes) => match u8::try_from(bytes.len()) {
                Ok(length) if bytes.len() <= SMALL => {
                    let mut small = [0; SMALL];
                    small[..bytes.len()].copy_from_slice(bytes);
                    Self::Small(length, small)
                }
                _ => Self::Large(bytes.into()),
            },
        }
    }

    fn to_vec(&self) -> Option<Vec<u8>> {
        match self {
            Self::Null => None,
            Self::Small(length, bytes) => Some(bytes[..usize::from(*length)].to_vec()),
            Self::Large(bytes) => Some(bytes.to_vec()),
        }
    }
}

#[derive(Debug)]
struct Submitted {
    sequence: u64,
    acked: bool,
    offset: OffsetBytes,
}

#[derive(Debug)]
struct PartitionQueue {
    /// The bytes that stand for the source partition.
    key: Arc<[u8]>,
    records: VecDeque<Submitted>,
    /// The newest offset that may be stored and was not taken yet.
    committable: Option<OffsetBytes>,
    /// Whether [`SubmittedRecords::take_committable`] looks at it next time.
    is_due: bool,
}

/// A source partition that is known now. The number holds until offsets are taken next; then ask for it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PartitionId(u32);

/// A record in flight: what the producer gives back with the acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Token(u64);

/// How a token is laid out: the partition above, the sequence number below. 2^40 records in flight at a time are out of reach,
/// and so are 2^24 source partitions known at a time while offsets are taken when [`SubmittedRecords::is_crowded`] says so.
const SEQUENCE_BITS: u32 = 40;
const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;

/// So many source partitions with news, some 60 MB of them, are reason enough to take offsets before their time.
const CROWD: usize = 1 << 17;

impl Token {
    /// The number to give to the producer.
    #[must_use]
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// The token of a number that the producer gave back.
    #[must_use]
    pub(super) fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// An offset that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Committable {
    /// The bytes that stand for the source partition.
    pub(super) key: Arc<[u8]>,
    /// The encoded offset; `None` for a null one.
    pub(super) offset: Option<Vec<u8>>,
}

/// The records of one task that were submitted and whose offsets were not taken yet.
#[derive(Debug, Default)]
pub(super) struct SubmittedRecords {
    /// By number; numbers of forgotten partitions are empty and are given out again.
    partitions: Vec<Option<PartitionQueue>>,
    /// Numbers that are empty.
    free: Vec<PartitionId>,
    ids: HashMap<Arc<[u8]>, PartitionId>,
    /// Partitions that have an offset to take, or may be forgotten.
    due: Vec<PartitionId>,
    next_sequence: u64,
    in_flight: usize,
}

impl SubmittedRecords {
    /// The number of this source partition, given by the bytes that stand for it.
    pub(super) fn partition(&mut self, key: &[u8]) -> PartitionId {
        if let Some(id) = self.ids.get(key) {
            return *id;
        }
        let key: Arc<[u8]> = key.into();
        let queue = PartitionQueue {
            key: Arc::clone(&key),
            records: VecDeque::new(),
            committable: None,
            // No record may ever come for it.
            is_due: true,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.partitions[id.0 as usize] = Some(queue);
                id
            }
            None => {
                let id = PartitionId(u32::try_from(self.partitions.len()).unwrap_or(u32::MAX));
                self.partitions.push(Some(queue));
                id
            }
        };
        self.ids.insert(key, id);
        self.due.push(id);
        id
    }

    /// Enters a record that is about to be given to the producer.
    pub(super) fn submit(&mut self, partition: PartitionId, offset: Option<&[u8]>) -> Token {
        let sequence = self.next_sequence & SEQUENCE_MASK;
        let token = Token(u64::from(partition.0) << SEQUENCE_BITS | sequence);
        let Some(queue) = self.partitions[partition.0 as usize].as_mut() else {
            debug_assert!(false, "a source partition was used after it was forgotten");
            return token;
        };
        self.next_sequence += 1;
        self.in_flight += 1;
        queue.records.push_back(Submitted {
            sequence,
            acked: false,
            offset: OffsetBytes::new(offset),
        });
        token
    }

    /// Takes back the record that was submitted last: the producer did not accept it.
    pub(super) fn withdraw(&mut self, token: Token) {
        let (partition, sequence) = split(token);
        let Some(Some(queue)) = self.partitions.get_mut(partition.0 as usize) else {
            return;
        };
        if queue
            .records
            .back()
            .is_some_and(|record| record.sequence == sequence)
        {
            queue.records.pop_back();
            self.in_flight -= 1;
            make_due(&mut self.due, partition, queue);
        }
    }

    /// The bytes that stand for a record's source partition, and its offset, while it is in flight.
    pub(super) fn place(&self, token: Token) -> Option<Committable> {
        let (partition, sequence) = split(token);
        let queue = self.partitions.get(partition.0 as usize)?.as_ref()?;
        let record = queue.records.iter().find(|record| record.sequence == sequence)?;
        Some(Committable {
            key: Arc::clone(&queue.key),
            offset: record.offset.to_vec(),
        })
    }

    /// Marks a record as acknowledged. One that is not known, or was acknowledged before, changes nothing.
    pub(super) fn ack(&mut self, token: Token) {
        let (partition, sequence) = split(token);
        let Some(Some(queue)) = self.partitions.get_mut(partition.0 as usize) else {
            return;
        };
        let Some(first) = queue.records.front().map(|record| record.sequence) else {
            return;
        };
        // Sequence numbers of one partition rise, and begin again with 0 some day; with one partition they are also
        // without gaps.
        let distance = |sequence: u64| sequence.wrapping_sub(first) & SEQUENCE_MASK;
        let guess = usize::try_from(distance(sequence)).unwrap_or(usize::MAX);
        let position = match queue.records.get(guess) {
            Some(record) if record.sequence == sequence => guess,
            _ => match queue
                .records
                .binary_search_by_key(&distance(sequence), |record| distance(record.sequence))
            {
                Ok(position) => position,
                Err(_) => return,
            },
        };
        if std::mem::replace(&mut queue.records[position].acked, true) {
            return;
        }
        self.in_flight -= 1;
        while queue.records.front().is_some_and(|record| record.acked) {
            queue.committable = queue.records.pop_front().map(|record| record.offset);
            make_due(&mut self.due, partition, queue);
        }
    }

    /// How many records wait for their acknowledgement.
    #[must_use]
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether so many source partitions have news that offsets should be taken before their time, for memory's sake.
    #[must_use]
    pub(super) fn is_crowded(&self) -> bool {
        self.due.len() >= CROWD
    }

    /// The newest committable offset of each source partition that has one since the last call. Partitions without a record in
    /// flight are forgotten.
    pub(super) fn take_committable(&mut self) -> Vec<Committable> {
        let mut taken = Vec::new();
        for id in std::mem::take(&mut self.due) {
            let slot = &mut self.partitions[id.0 as usize];
            let Some(queue) = slot else {
                continue;
            };
            queue.is_due = false;
            if let Some(offset) = queue.committable.take() {
                taken.push(Committable {
                    key: Arc::clone(&queue.key),
                    offset: offset.to_vec(),
                });
            }
            if queue.records.is_empty() {
                self.ids.remove(&queue.key);
                self.free.push(id);
                *slot = None;
            }
        }
        taken
    }
}

impl SubmittedRecords {
    /// The newest offset of each source partition that has one since the last call, acknowledged or not, and forgets all
    /// records: for those whose fate a transaction decides. What comes back of them later changes nothing.
    pub(super) fn take_submitted(&mut self) -> Vec<Committable> {
        let mut taken = Vec::new();
        for queue in std::mem::take(&mut self.partitions).into_iter().flatten() {
            let newest = queue.records.back().map(|record| record.offset.to_vec());
            let acknowledged = || queue.committable.as_ref().map(OffsetBytes::to_vec);
            if let Some(offset) = newest.or_else(acknowledged) {
                taken.push(Committable {
                    key: Arc::clone(&queue.key),
                    offset,
                });
            }
        }
        self.free.clear();
        self.ids.clear();
        self.due.clear();
        self.in_flight = 0;
        taken
    }
}

fn make_due(due: &mut Vec<PartitionId>, id: PartitionId, queue: &mut PartitionQueue) {
    if !std::mem::replace(&mut queue.is_due, true) {
        due.push(id);
    }
}

fn split(token: Token) -> (PartitionId, u64) {
    (
        PartitionId(u32::try_from(token.0 >> SEQUENCE_BITS).unwrap_or(u32::MAX)),
        token.0 & SEQUENCE_MASK,
    )
}

#[cfg(test)]
#[path = "submitted_records_tests.rs"]
mod tests;
