//! Which source offsets may be stored: the promise that a source offset moves only after its record, and all before it of
//! the same source partition, were acknowledged.
//!
//! Records enter in the order in which they are given to the producer ([`SubmittedRecords::submit`]) and are
//! acknowledged in any order ([`SubmittedRecords::ack`]). For each source partition the offset of the last record of
//! the unbroken acknowledged beginning is committable ([`SubmittedRecords::take_committable`]). Partitions do not
//! wait for each other.

use std::collections::{HashMap, VecDeque};

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

#[derive(Debug, Default)]
struct PartitionQueue {
    records: VecDeque<Submitted>,
    /// The newest offset that may be stored and was not taken yet.
    committable: Option<OffsetBytes>,
}

/// A source partition, numbered for the life of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PartitionId(u32);

/// A record in flight: what the producer gives back with the acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token(u64);

/// How a token is laid out: the partition above, the sequence number below. 2^40 records in flight or 2^24 source partitions
/// of one task are out of reach.
const SEQUENCE_BITS: u32 = 40;
const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;

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

/// The records of one task that were submitted and whose offsets were not taken yet.
#[derive(Debug, Default)]
pub(super) struct SubmittedRecords {
    partitions: Vec<PartitionQueue>,
    ids: HashMap<Vec<u8>, PartitionId>,
    keys: Vec<Vec<u8>>,
    next_sequence: u64,
    in_flight: usize,
}

impl SubmittedRecords {
    /// The number of this source partition, given by the bytes that stand for it.
    pub(super) fn partition(&mut self, key: &[u8]) -> PartitionId {
        if let Some(id) = self.ids.get(key) {
            return *id;
        }
        let id = PartitionId(u32::try_from(self.partitions.len()).unwrap_or(u32::MAX));
        self.partitions.push(PartitionQueue::default());
        self.keys.push(key.to_vec());
        self.ids.insert(key.to_vec(), id);
        id
    }

    /// Enters a record that is about to be given to the producer.
    pub(super) fn submit(&mut self, partition: PartitionId, offset: Option<&[u8]>) -> Token {
        let sequence = self.next_sequence & SEQUENCE_MASK;
        self.next_sequence += 1;
        self.in_flight += 1;
        let record = Submitted {
            sequence,
            acked: false,
            offset: OffsetBytes::new(offset),
        };
        self.partitions[partition.0 as usize].records.push_back(record);
        Token(u64::from(partition.0) << SEQUENCE_BITS | sequence)
    }

    /// Takes back the record that was submitted last: the producer did not accept it.
    pub(super) fn withdraw(&mut self, token: Token) {
        let (partition, sequence) = split(token);
        let Some(queue) = self.partitions.get_mut(partition) else {
            return;
        };
        if queue
            .records
            .back()
            .is_some_and(|record| record.sequence == sequence)
        {
            queue.records.pop_back();
            self.in_flight -= 1;
        }
    }

    /// Marks a record as acknowledged. One that is not known, or was acknowledged before, changes nothing.
    pub(super) fn ack(&mut self, token: Token) {
        let (partition, sequence) = split(token);
        let Some(queue) = self.partitions.get_mut(partition) else {
            return;
        };
        let Some(front) = queue.records.front() else {
            return;
        };
        // Sequence numbers of one partition rise; with one partition they are also without gaps.
        let guess =
            usize::try_from(sequence.wrapping_sub(front.sequence) & SEQUENCE_MASK).unwrap_or(usize::MAX);
        let position = match queue.records.get(guess) {
            Some(record) if record.sequence == sequence => guess,
            _ => match queue
                .records
                .binary_search_by_key(&sequence, |record| record.sequence)
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
        }
    }

    /// How many records wait for their acknowledgement.
    #[must_use]
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The newest committable offset of each source partition that has one since the last call: the bytes that stand for the
    /// partition, and the encoded offset or `None` for a null one.
    pub(super) fn take_committable(&mut self) -> Vec<(&[u8], Option<Vec<u8>>)> {
        let queues = self.partitions.iter_mut().zip(&self.keys);
        queues
            .filter_map(|(queue, key)| Some((key.as_slice(), queue.committable.take()?.to_vec())))
            .collect()
    }
}

fn split(token: Token) -> (usize, u64) {
    (
        usize::try_from(token.0 >> SEQUENCE_BITS).unwrap_or(usize::MAX),
        token.0 & SEQUENCE_MASK,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committable(records: &mut SubmittedRecords) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        records
            .take_committable()
            .into_iter()
            .map(|(key, offset)| (text(key), offset.map_or("null".into(), |offset| text(&offset))))
            .collect()
    }

    fn pair(key: &str, offset: &str) -> (String, String) {
        (key.into(), offset.into())
    }

    #[test]
    fn an_offset_is_not_committable_before_all_earlier_records_are_acknowledged() {
        let mut records = SubmittedRecords::default();
        let a = records.partition(b"a");
        let tokens: Vec<Token> = [b"1", b"2", b"3"]
            .iter()
            .map(|offset| records.submit(a, Some(*offset)))
            .collect();
        records.ack(tokens[2]);
        records.ack(tokens[1]);
        assert_eq!(committable(&mut records), []);
        records.ack(tokens[0]);
        assert_eq!(committable(&mut records), [pair("a", "3")]);
        assert_eq!(committable(&mut records), [], "an offset is taken once");
        assert_eq!(records.in_flight(), 0);
    }

    #[test]
    fn partitions_do_not_wait_for_each_other() {
        let mut records = SubmittedRecords::default();
        let (a, b) = (records.partition(b"a"), records.partition(b"b"));
        let first = records.submit(a, Some(b"1"));
        let second = records.submit(b, Some(b"7"));
        let third = records.submit(a, Some(b"2"));
        records.ack(second);
        records.ack(third);
        assert_eq!(committable(&mut records), [pair("b", "7")]);
        records.ack(first);
        assert_eq!(committable(&mut records), [pair("a", "2")]);
        assert_eq!(records.partition(b"a"), a, "a partition keeps its number");
    }

    #[test]
    fn a_withdrawn_record_holds_nothing_back() {
        let mut records = SubmittedRecords::default();
        let a = records.partition(b"a");
        let first = records.submit(a, Some(b"1"));
        let refused = records.submit(a, Some(b"2"));
        records.withdraw(refused);
        records.ack(first);
        records.ack(refused);
        assert_eq!(committable(&mut records), [pair("a", "1")]);
        assert_eq!(records.in_flight(), 0);
    }

    #[test]
    fn a_null_offset_is_committable_and_large_offsets_are_kept_whole() {
        let mut records = SubmittedRecords::default();
        let a = records.partition(b"a");
        let large = "x".repeat(1000);
        let first = records.submit(a, Some(large.as_bytes()));
        records.ack(first);
        assert_eq!(committable(&mut records), [pair("a", &large)]);
        let second = records.submit(a, None);
        records.ack(second);
        records.ack(second);
        assert_eq!(committable(&mut records), [pair("a", "null")]);
    }

    /// Against the plain meaning: replay random submissions and acknowledgements and compare with a slow model.
    #[test]
    fn random_orders_agree_with_the_plain_rule() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            usize::try_from(seed % below as u64).unwrap()
        };
        for _ in 0..200 {
            let mut records = SubmittedRecords::default();
            let mut model: Vec<Vec<(Token, bool)>> = vec![Vec::new(); 3];
            let mut last: Vec<Option<String>> = vec![None; 3];
            for step in 0..60 {
                if random(2) == 0 {
                    let partition = random(3);
                    let id = records.partition(&[u8::try_from(partition).unwrap()]);
                    let token = records.submit(id, Some(format!("{}", model[partition].len()).as_bytes()));
                    model[partition].push((token, false));
                } else {
                    let open: Vec<(usize, usize)> = (0..3)
                        .flat_map(|p| (0..model[p].len()).map(move |r| (p, r)))
                        .filter(|&(p, r)| !model[p][r].1)
                        .collect();
                    if !open.is_empty() {
                        let (partition, record) = open[random(open.len())];
                        model[partition][record].1 = true;
                        records.ack(model[partition][record].0);
                    }
                }
                for (key, offset) in records.take_committable() {
                    last[usize::from(key[0])] = offset.map(|offset| String::from_utf8(offset).unwrap());
                }
                for partition in 0..3 {
                    let acked = model[partition].iter().take_while(|(_, acked)| *acked).count();
                    let expected = acked.checked_sub(1).map(|record| record.to_string());
                    assert_eq!(last[partition], expected, "step {step}");
                }
            }
        }
    }
}
